//! Names of services, versions and traffic sources.

use super::{Text, text};

/// Characters of a DNS label (RFC 1035, section 2.3.4).
const MAX: usize = 63;

/// A name that Kubernetes would take as a DNS label (RFC 1123).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(pub(crate) String);

impl Text for Name {
    const NAME: &'static str = "Name";
    const EXPECTED: &'static str = "a name such as `reviews`";
    const ABOUT: &'static str = "A name: lower-case letters, digits and dashes, not at either end a dash, 63 characters at most.";
    const PATTERN: &'static str = r"^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$";
    const EXAMPLES: &'static [&'static str] = &["reviews", "v2", "product-page"];

    fn parse(text: &str) -> Result<Self, String> {
        if is_label(text) {
            return Ok(Self(text.to_owned()));
        }
        if is_label(text.get(..MAX).unwrap_or_default()) {
            return Err(format!(
                "this name has {} characters, and {MAX} are the most: it is a DNS label",
                text.chars().count()
            ));
        }
        Err(format!(
            "`{text}` is not a name: lower-case letters, digits and dashes, such as `product-page`"
        ))
    }
}

text!(Name);

/// Whether `text` is a DNS label.
pub(super) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        assert!(Name::parse("a").is_ok() && Name::parse("0-9").is_ok());
        assert!(Name::parse(&"a".repeat(63)).is_ok());
        for text in ["", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(64)] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
        let long = Name::parse(&"a".repeat(66)).unwrap_err();
        assert!(long.contains("66 characters, and 63"), "{long}");
    }
}
