//! Edges: `productpage -> reviews`.

use super::{Text, text};

/// A caller and a callee; `None` is anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EdgeName {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

impl Text for EdgeName {
    const NAME: &'static str = "Edge";
    const EXPECTED: &'static str = "an edge such as `productpage -> reviews`";
    const ABOUT: &'static str = "Calls from one service (or traffic source) to another; `any` or `*` at either end is anybody.";
    const PATTERN: &'static str = r"^ *[^ ]+ *(?:->|→) *[^ ]+ *$";
    const EXAMPLES: &'static [&'static str] =
        &["productpage -> reviews", "shoppers -> *", "any -> ratings"];

    fn parse(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not {}", Self::EXPECTED);
        let (from, to) = text
            .split_once("->")
            .or_else(|| text.split_once('→'))
            .ok_or_else(fail)?;
        let end = |name: &str| match name.trim_matches(' ') {
            "" => Err(fail()),
            name if name.contains(' ') || name.contains("->") || name.contains('→') => {
                Err(fail())
            }
            "*" | "any" => Ok(None),
            name => Ok(Some(name.to_owned())),
        };
        Ok(Self {
            from: end(from)?,
            to: end(to)?,
        })
    }
}

text!(EdgeName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_has_two_ends() {
        let edge = EdgeName::parse("shop->*").unwrap();
        assert_eq!((edge.from.as_deref(), edge.to), (Some("shop"), None));
        assert_eq!(EdgeName::parse("any → db").unwrap().to.unwrap(), "db");
        for wrong in ["shop", "-> db", "a -> b -> c", "a b -> c"] {
            assert!(EdgeName::parse(wrong).is_err(), "{wrong}");
        }
    }
}
