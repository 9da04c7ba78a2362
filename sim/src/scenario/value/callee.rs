//! The far end of a call: `reviews`, `reviews.prod:9080`.

use super::{Text, text};

/// A host and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callee {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Text for Callee {
    const NAME: &'static str = "Callee";
    const EXPECTED: &'static str = "a service such as `reviews`";
    const ABOUT: &'static str = "A service as it is dialled: its name, `name.namespace` or a full host name, and its port unless that is clear.";
    const PATTERN: &'static str = r"^[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?(?::[0-9]{1,5})?$";
    const EXAMPLES: &'static [&'static str] = &["reviews", "reviews.prod", "reviews:9080"];

    fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port_number(port)?)),
            None => (text, None),
        };
        if !is_host(host) {
            return Err(format!(
                "`{text}` is not a service such as `reviews` or `reviews:9080`"
            ));
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }
}

text!(Callee);

/// A port number from 1 to 65535.
fn port_number(text: &str) -> Result<u16, String> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|port| digits && *port > 0)
        .ok_or_else(|| format!("`{text}` is not a port from 1 to 65535"))
}

/// Whether `text` can be a host name or an IPv4 address.
fn is_host(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let edge = |c: char| c.is_ascii_alphanumeric();
    (1..=253).contains(&text.len())
        && text.bytes().all(inner)
        && text.starts_with(edge)
        && text.ends_with(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callee_is_a_host_and_perhaps_a_port() {
        let callee = Callee::parse("Reviews.prod:9080").unwrap();
        assert_eq!(
            (callee.host.as_str(), callee.port),
            ("reviews.prod", Some(9080))
        );
        assert_eq!(Callee::parse("a").unwrap().port, None);
        for text in [
            "", ":80", "a:", "a:0", "a:65536", "a:+1", "http://a", "a b", ".a",
        ] {
            assert!(Callee::parse(text).is_err(), "{text}");
        }
    }
}
