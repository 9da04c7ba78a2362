//! Keys and how they are drawn: `zipf(1.2, 10000)`.

use crate::plan::{CacheKey, KeyDraw};

use super::{Text, decimal, text};

/// More keys of a Zipf distribution are taken for a mistake: each pod keeps a table of them.
const ZIPF_MAX: u64 = 1_000_000;

/// More keys are taken for a mistake.
const KEYS_MAX: u64 = 1_000_000_000_000;

/// A larger exponent leaves one key only.
const EXPONENT_MAX: f64 = 10.0;

/// Where keys come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Keys(pub(crate) CacheKey);

impl Text for Keys {
    const NAME: &'static str = "Keys";
    const EXPECTED: &'static str = "keys such as `zipf(1.2, 10000)`";
    const ABOUT: &'static str = "Keys: `uniform(1000)`, each of so many equally likely; `zipf(1.2, 10000)`, by Zipf's law with an exponent, as popularity is; for caches also `header(x-user)`, what a header of the request says.";
    const PATTERN: &'static str = r"^(?:uniform *\( *[0-9]+ *\)|zipf *\( *[0-9]+\.?[0-9]* *, *[0-9]+ *\)|header *\( *[!-~]+ *\))$";
    const EXAMPLES: &'static [&'static str] =
        &["uniform(1000)", "zipf(1.2, 10000)", "header(x-user)"];

    fn parse(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not of the form `uniform(1000)` or `zipf(1.2, 10000)`");
        let (name, inside) = text.split_once('(').ok_or_else(fail)?;
        let inside = inside.strip_suffix(')').ok_or_else(fail)?.trim_matches(' ');
        match name.trim_end_matches(' ') {
            "uniform" => Ok(Self(CacheKey::Drawn(KeyDraw::Uniform {
                keys: count(inside, KEYS_MAX).ok_or_else(fail)??,
            }))),
            "zipf" => {
                let (exponent, keys) = inside.split_once(',').ok_or_else(fail)?;
                let exponent = decimal(exponent.trim_matches(' ')).ok_or_else(fail)?;
                if exponent > EXPONENT_MAX {
                    return Err(format!("the exponent of `{text}` is above {EXPONENT_MAX}"));
                }
                let keys = count(keys.trim_matches(' '), ZIPF_MAX).ok_or_else(fail)??;
                Ok(Self(CacheKey::Drawn(KeyDraw::Zipf { exponent, keys })))
            }
            "header" => match http::HeaderName::try_from(inside) {
                Ok(header) => Ok(Self(CacheKey::Header(header.as_str().to_owned()))),
                Err(_) => Err(format!("`{inside}` is not the name of a header")),
            },
            _ => Err(fail()),
        }
    }
}

text!(Keys);

/// A number of keys; `None` for what is no number.
fn count(text: &str, most: u64) -> Option<Result<u64, String>> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| match text.parse() {
        Ok(0) => Err("0 keys are none".to_owned()),
        Ok(keys) if keys <= most => Ok(keys),
        _ => Err(format!("`{text}` keys are more than {most}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_drawn_or_told() {
        let keys = |text| Keys::parse(text).map(|keys| keys.0);
        let uniform = CacheKey::Drawn(KeyDraw::Uniform { keys: 7 });
        assert_eq!(keys("uniform( 7 )"), Ok(uniform));
        let zipf = KeyDraw::Zipf {
            exponent: 1.0,
            keys: 10,
        };
        assert_eq!(keys("zipf(1, 10)"), Ok(CacheKey::Drawn(zipf)));
        assert_eq!(
            keys("header(X-User)"),
            Ok(CacheKey::Header("x-user".into()))
        );
        assert_eq!(keys("uniform(0)").unwrap_err(), "0 keys are none");
        assert!(keys("zipf(1, 99999999)").unwrap_err().contains("more than"));
        for text in [
            "uniform",
            "zipf(1)",
            "zipf(x, 1)",
            "header(a b)",
            "pareto(1)",
            "uniform(-1)",
        ] {
            assert!(keys(text).is_err(), "{text}");
        }
    }
}
