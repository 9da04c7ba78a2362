//! Which requests a script answers: `/productpage`, `GET /productpage`.

use super::target::check_path;
use super::{Text, text};

/// A path prefix and perhaps a method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteKey {
    pub(crate) method: Option<String>,
    pub(crate) path_prefix: String,
}

impl Text for RouteKey {
    const NAME: &'static str = "RouteKey";
    const EXPECTED: &'static str = "a path such as `/reviews`";
    const ABOUT: &'static str = "A path prefix that begins with `/`, and before it a method when only that method is meant.";
    const PATTERN: &'static str = r"^(?:[A-Z]+ +)?/[!-~]*$";
    const EXAMPLES: &'static [&'static str] = &["/reviews", "GET /reviews", "POST /orders"];

    fn parse(text: &str) -> Result<Self, String> {
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) => {
                check_method(method)?;
                (Some(method.to_owned()), path.trim_start_matches(' '))
            }
            None => (None, text),
        };
        check_path(path)?;
        if path.contains('?') {
            return Err(format!(
                "`{path}` has a query; requests are told apart by path and method"
            ));
        }
        Ok(Self {
            method,
            path_prefix: path.to_owned(),
        })
    }
}

text!(RouteKey);

/// Refuses what is not a method as HTTP spells it.
pub(crate) fn check_method(method: &str) -> Result<(), String> {
    let sound = (1..=20).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_uppercase());
    if sound {
        return Ok(());
    }
    Err(format!(
        "`{method}` is not a method such as `GET` or `POST`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_path_and_perhaps_a_method() {
        let key = RouteKey::parse("GET /a").unwrap();
        assert_eq!(
            (key.method.as_deref(), key.path_prefix.as_str()),
            (Some("GET"), "/a")
        );
        assert_eq!(RouteKey::parse("/").unwrap().method, None);
        for text in ["", "a", "get /a", "GET", "GET a", "/a?b", "/a b"] {
            assert!(RouteKey::parse(text).is_err(), "{text}");
        }
    }
}
