//! Error injection: `5%`, `every 20th`.

use crate::plan::ErrorInjection;

use super::share::Share;
use super::{Text, text};

/// Which requests an app fails by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errors(pub(crate) ErrorInjection);

impl Text for Errors {
    const NAME: &'static str = "Errors";
    const EXPECTED: &'static str = "a share such as `5%`, or `every 20th`";
    const ABOUT: &'static str = "Which requests the app answers with 500 before its script: each with a probability (`5%`), or every n-th of each replica (`every 20th`).";
    const PATTERN: &'static str = r"^(?:[0-9]+\.?[0-9]* *%|every [0-9]+(?:st|nd|rd|th)?)$";
    const EXAMPLES: &'static [&'static str] = &["5%", "every 20th"];

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(nth) = text.strip_prefix("every ") {
            let number = ["st", "nd", "rd", "th"]
                .iter()
                .find_map(|ending| nth.strip_suffix(ending))
                .unwrap_or(nth);
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            return match number.parse() {
                Ok(nth) if digits && nth > 0 => Ok(Self(ErrorInjection::EveryNth(nth))),
                _ => Err(format!("`{text}` is not of the form `every 20th`")),
            };
        }
        let Share(share) = Share::parse(text)
            .map_err(|_| format!("`{text}` is neither a share such as `5%` nor `every 20th`"))?;
        Ok(Self(if share.ppm() == 0 {
            ErrorInjection::None
        } else {
            ErrorInjection::Random(share)
        }))
    }
}

text!(Errors);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_a_share_or_every_nth() {
        assert_eq!(
            Errors::parse("every 3rd").unwrap().0,
            ErrorInjection::EveryNth(3)
        );
        assert_eq!(
            Errors::parse("every 10").unwrap().0,
            ErrorInjection::EveryNth(10)
        );
        assert_eq!(Errors::parse("0%").unwrap().0, ErrorInjection::None);
        assert!(Errors::parse("every 0th").is_err());
        assert!(Errors::parse("every +1").is_err());
        assert!(Errors::parse("0.1").is_err());
    }
}
