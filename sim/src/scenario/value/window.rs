//! Windows of the run: `30s..32s`, `30s..`, `..10s`.

use std::time::Duration;

use super::{Text, Time, text};

/// A window; an absent end is the run's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct During {
    pub(crate) from: Duration,
    pub(crate) to: Option<Duration>,
}

impl Text for During {
    const NAME: &'static str = "Window";
    const EXPECTED: &'static str = "a window such as `30s..45s`";
    const ABOUT: &'static str = "A window of the run: from the first time up to, not including, the second; `30s..` lasts to the end.";
    const PATTERN: &'static str = r"^[0-9.a-zµμ]* *\.\. *[0-9.a-zµμ]*$";
    const EXAMPLES: &'static [&'static str] = &["30s..45s", "1m..", "..10s"];

    fn parse(text: &str) -> Result<Self, String> {
        let (from, to) = text
            .split_once("..")
            .ok_or_else(|| format!("`{text}` is not {}", Self::EXPECTED))?;
        let time = |text: &str| Time::parse(text).map(|time| time.0);
        let from = match from.trim_end_matches(' ') {
            "" => Duration::ZERO,
            from => time(from)?,
        };
        let to = match to.trim_start_matches(' ') {
            "" => None,
            to => Some(time(to)?),
        };
        if to.is_some_and(|to| to <= from) {
            return Err(format!("`{text}` ends before it begins"));
        }
        Ok(Self { from, to })
    }
}

text!(During);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_two_ends() {
        let window = During::parse("30s..1m").unwrap();
        assert_eq!(window.from, Duration::from_secs(30));
        assert_eq!(window.to, Some(Duration::from_secs(60)));
        assert_eq!(During::parse("30s ..").unwrap().to, None);
        assert_eq!(During::parse("..5s").unwrap().from, Duration::ZERO);
        assert_eq!(
            During::parse("5s..5s").unwrap_err(),
            "`5s..5s` ends before it begins"
        );
        assert!(During::parse("5s").is_err());
        assert!(During::parse("5..6").is_err());
    }
}
