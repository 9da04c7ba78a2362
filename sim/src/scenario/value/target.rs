//! Where traffic goes: `http://productpage:9080/productpage`.

use super::{Callee, Text, text};

/// A URL without its scheme, which is always `http`: the sidecars do the TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) callee: Callee,
    /// Path and query, beginning with `/`.
    pub(crate) path: String,
}

impl Text for Target {
    const NAME: &'static str = "Target";
    const EXPECTED: &'static str = "a URL such as `http://web/`";
    const ABOUT: &'static str = "The URL that is called. The port may be left out when the service has one port or listens on 80.";
    const PATTERN: &'static str =
        r"^(?:http://)?[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[!-~]*)?$";
    const EXAMPLES: &'static [&'static str] = &[
        "http://productpage:9080/productpage",
        "http://web/",
        "http://web.shop:8080/cart?item=1",
    ];

    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err("apps speak plain `http://`; the sidecars add mutual TLS".into());
        }
        let rest = text.strip_prefix("http://").unwrap_or(text);
        if rest.contains("://") {
            return Err(format!("`{text}` is not a URL such as `http://web/`"));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let callee = Callee::parse(authority)
            .map_err(|_| format!("`{text}` is not a URL such as `http://web:8080/path`"))?;
        check_path(path)?;
        Ok(Self {
            callee,
            path: path.to_owned(),
        })
    }
}

text!(Target);

/// Refuses what cannot stand in a request line.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("the path `{path}` does not begin with `/`"));
    }
    let sound = path.bytes().all(|byte| byte.is_ascii_graphic())
        && path.parse::<http::uri::PathAndQuery>().is_ok();
    if !sound || path.contains('#') {
        return Err(format!(
            "the path `{path}` holds characters that must be percent-encoded"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_url() {
        let target = Target::parse("http://web:8080/a?b=c").unwrap();
        assert_eq!(target.callee.port, Some(8080));
        assert_eq!(target.path, "/a?b=c");
        assert_eq!(Target::parse("web").unwrap().path, "/");
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        assert_eq!(
            Target::parse("https://web/").unwrap_err(),
            "apps speak plain `http://`; the sidecars add mutual TLS"
        );
        for text in [
            "",
            "http://",
            "ftp://web/",
            "http://web/a b",
            "http://web/#x",
            "http://we b/",
            "/path",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
