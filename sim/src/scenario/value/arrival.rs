//! Rates and arrival processes: `50/s`, `poisson(50/s)`, `constant(50/s)`.

use crate::plan::Arrivals;

use super::{Text, decimal, text};

/// More is taken for a mistake.
const FASTEST: f64 = 10_000_000.0;

/// Requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PerSecond(pub(crate) f64);

impl Text for PerSecond {
    const NAME: &'static str = "Rate";
    const EXPECTED: &'static str = "a rate such as `50/s`";
    const ABOUT: &'static str = "How often: per second (`/s`), minute (`/m`) or hour (`/h`).";
    const PATTERN: &'static str = r"^[0-9]+\.?[0-9]* *(?:/s|/m|/h)$";
    const EXAMPLES: &'static [&'static str] = &["50/s", "0.5/s", "600/m"];

    fn parse(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not a rate such as `50/s`");
        let (number, unit) = text.split_once('/').ok_or_else(fail)?;
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(fail()),
        };
        let rate = decimal(number.trim_end_matches(' ')).ok_or_else(fail)? / seconds;
        if rate > FASTEST {
            return Err(format!("`{text}` is more than {FASTEST} a second"));
        }
        Ok(Self(rate))
    }
}

text!(PerSecond);

/// A rate and how its arrivals are spaced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arrival {
    pub(crate) rate: PerSecond,
    pub(crate) spacing: Arrivals,
}

impl Text for Arrival {
    const NAME: &'static str = "Arrivals";
    const EXPECTED: &'static str = "a rate such as `poisson(50/s)`";
    const ABOUT: &'static str = "How often requests begin, whatever the answers: `poisson(50/s)` at random as independent users do (also what a bare `50/s` means), `constant(50/s)` evenly.";
    const PATTERN: &'static str = r"^(?:[0-9]+\.?[0-9]* *(?:/s|/m|/h)|(?:poisson|constant)\( *[0-9]+\.?[0-9]* *(?:/s|/m|/h) *\))$";
    const EXAMPLES: &'static [&'static str] = &["poisson(50/s)", "constant(100/s)", "50/s"];

    fn parse(text: &str) -> Result<Self, String> {
        let inside = |name: &str| {
            let rest = text.strip_prefix(name)?.strip_prefix('(')?;
            Some(rest.strip_suffix(')')?.trim_matches(' '))
        };
        let (rate, spacing) = if let Some(rate) = inside("poisson") {
            (rate, Arrivals::Poisson)
        } else if let Some(rate) = inside("constant") {
            (rate, Arrivals::Constant)
        } else if text.contains('(') {
            return Err(format!(
                "`{text}` is neither `poisson(50/s)` nor `constant(50/s)`"
            ));
        } else {
            (text, Arrivals::Poisson)
        };
        let rate = PerSecond::parse(rate)?;
        Ok(Self { rate, spacing })
    }
}

text!(Arrival);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_rate_is_a_poisson_process() {
        let arrival = Arrival::parse("120/m").unwrap();
        assert_eq!(arrival.rate.0, 2.0);
        assert_eq!(arrival.spacing, Arrivals::Poisson);
        assert_eq!(
            Arrival::parse("constant( 5/s )").unwrap().spacing,
            Arrivals::Constant
        );
    }

    #[test]
    fn other_rates_are_refused() {
        for text in [
            "50",
            "50/d",
            "-1/s",
            "1e9/s",
            "uniform(1/s)",
            "poisson(1/s",
            "99999999/s",
        ] {
            assert!(Arrival::parse(text).is_err(), "{text}");
        }
    }
}
