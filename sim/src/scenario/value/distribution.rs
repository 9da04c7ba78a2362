//! Distributions of time: `4ms`, `lognormal(p50=4ms, p99=30ms)`, `1ms ± 200us`.

use std::time::Duration;

use mesh_core::document::nearest;

use crate::plan::Distribution;

use super::{Integers, Text, Time, decimal, text};

/// More values of an empirical distribution are taken for a mistake.
const VALUES_MAX: usize = 10_000;

const NAMES: [&str; 7] = [
    "constant",
    "uniform",
    "exponential",
    "normal",
    "lognormal",
    "pareto",
    "empirical",
];

/// A distribution of times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spread(pub(crate) Distribution);

impl Text for Spread {
    const NAME: &'static str = "Distribution";
    const EXPECTED: &'static str =
        "a time such as `4ms`, or a distribution such as `exponential(4ms)`";
    const ABOUT: &'static str = "A time that may vary: `4ms` always; `1ms ± 200us` (or `+-`) uniform around; `uniform(1ms, 3ms)`; `exponential(2ms)` by its mean; `normal(10ms, 2ms)` by mean and deviation, cut off at 0; `lognormal(p50=4ms, p99=30ms)`; `pareto(min=1ms, shape=1.5)`; `empirical([1ms, 2ms, 9ms])`, each equally likely.";
    const PATTERN: &'static str = r"^(?:[0-9.][0-9.a-zµμ]*(?: *(?:±|\+-) *[0-9.][0-9.a-zµμ]*)?|(?:constant|uniform|exponential|normal|lognormal|pareto|empirical) *\(.*\))$";
    const EXAMPLES: &'static [&'static str] = &[
        "4ms",
        "1ms ± 200us",
        "1ms +- 200us",
        "uniform(1ms, 3ms)",
        "exponential(2ms)",
        "normal(10ms, 2ms)",
        "lognormal(p50=4ms, p99=30ms)",
        "pareto(min=1ms, shape=1.5)",
        "empirical([1ms, 2ms])",
    ];
    const INTEGERS: Integers = Integers::Zero;

    fn parse(text: &str) -> Result<Self, String> {
        if let Some((name, rest)) = text.split_once('(') {
            let inside = rest
                .strip_suffix(')')
                .ok_or_else(|| format!("`{text}` does not end with `)`"))?;
            return named(name.trim_end_matches(' '), inside).map(Self);
        }
        let around = text.split_once('±').or_else(|| text.split_once("+-"));
        let Some((middle, spread)) = around else {
            return time(text).map(|time| Self(Distribution::Constant(time)));
        };
        let (middle, spread) = (
            time(middle.trim_end_matches(' '))?,
            time(spread.trim_start_matches(' '))?,
        );
        let low = middle
            .checked_sub(spread)
            .ok_or_else(|| format!("`{text}` would go below zero"))?;
        uniform(low, middle + spread).map(Self)
    }

    fn from_integer(number: u64) -> Option<Self> {
        (number == 0).then_some(Self(Distribution::ZERO))
    }
}

text!(Spread);

fn time(text: &str) -> Result<Duration, String> {
    Time::parse(text).map(|time| time.0)
}

fn uniform(low: Duration, high: Duration) -> Result<Distribution, String> {
    if low > high {
        return Err("the shortest time of `uniform` is above its longest".into());
    }
    Ok(if low == high {
        Distribution::Constant(low)
    } else {
        Distribution::Uniform { low, high }
    })
}

fn named(name: &str, inside: &str) -> Result<Distribution, String> {
    let form = match name {
        "constant" => "constant(4ms)",
        "uniform" => "uniform(1ms, 3ms)",
        "exponential" => "exponential(4ms)",
        "normal" => "normal(10ms, 2ms)",
        "lognormal" => "lognormal(p50=4ms, p99=30ms)",
        "pareto" => "pareto(min=1ms, shape=1.5)",
        "empirical" => return empirical(inside),
        _ => return Err(unknown(name)),
    };
    let parameters: &[&str] = match name {
        "constant" => &["value"],
        "uniform" => &["low", "high"],
        "exponential" => &["mean"],
        "normal" => &["mean", "deviation"],
        "lognormal" => &["p50", "p99"],
        _ => &["min", "shape"],
    };
    let arguments = arguments(name, inside, parameters, form)?;
    match (name, arguments.as_slice()) {
        ("constant", [value]) => time(value).map(Distribution::Constant),
        ("uniform", [low, high]) => uniform(time(low)?, time(high)?),
        ("exponential", [mean]) => Ok(Distribution::Exponential { mean: time(mean)? }),
        ("normal", [mean, deviation]) => Ok(Distribution::Normal {
            mean: time(mean)?,
            deviation: time(deviation)?,
        }),
        ("lognormal", [p50, p99]) => log_normal(time(p50)?, time(p99)?),
        ("pareto", [min, shape]) => pareto(time(min)?, shape),
        _ => Err(format!("write `{form}`")),
    }
}

fn unknown(name: &str) -> String {
    match nearest(name, NAMES) {
        Some(close) => format!("`{name}` is not a distribution: did you mean `{close}`?"),
        None => format!("`{name}` is not a distribution: {} are", NAMES.join(", ")),
    }
}

fn log_normal(p50: Duration, p99: Duration) -> Result<Distribution, String> {
    if p50.is_zero() {
        return Err("the p50 of `lognormal` must be above zero".into());
    }
    if p99 < p50 {
        return Err("the p99 of `lognormal` is below its p50".into());
    }
    Ok(Distribution::LogNormal { p50, p99 })
}

fn pareto(min: Duration, shape: &str) -> Result<Distribution, String> {
    let shape = decimal(shape)
        .filter(|shape| *shape > 0.0)
        .ok_or_else(|| format!("the shape of `pareto` is a number above 0, not `{shape}`"))?;
    Ok(Distribution::Pareto { min, shape })
}

fn empirical(inside: &str) -> Result<Distribution, String> {
    let inside = inside.trim_matches(' ');
    let list = inside
        .strip_prefix('[')
        .and_then(|inside| inside.strip_suffix(']'))
        .unwrap_or(inside);
    let values: Vec<&str> = list.split(',').map(str::trim).collect();
    if values.len() > VALUES_MAX {
        return Err(format!("`empirical` takes at most {VALUES_MAX} times"));
    }
    let values: Result<Vec<Duration>, String> = values.into_iter().map(time).collect();
    values
        .map(Distribution::Empirical)
        .map_err(|error| format!("{error}; write `empirical([1ms, 2ms])`"))
}

/// The arguments in the order of `parameters`: all by position, or all by name.
fn arguments<'a>(
    name: &str,
    inside: &'a str,
    parameters: &[&str],
    form: &str,
) -> Result<Vec<&'a str>, String> {
    let given: Vec<&str> = inside.split(',').map(str::trim).collect();
    if given.len() != parameters.len() {
        return Err(format!(
            "`{name}` takes {} value{}: write `{form}`",
            parameters.len(),
            if parameters.len() == 1 { "" } else { "s" }
        ));
    }
    if !inside.contains('=') {
        return Ok(given);
    }
    parameters
        .iter()
        .map(|parameter| {
            given
                .iter()
                .find_map(|argument| {
                    let (key, value) = argument.split_once('=')?;
                    (key.trim() == *parameter).then_some(value.trim())
                })
                .ok_or_else(|| format!("`{name}` lacks `{parameter}`: write `{form}`"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(text: &str) -> Result<Distribution, String> {
        Spread::parse(text).map(|spread| spread.0)
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn every_form_is_read() {
        assert_eq!(spread("4ms"), Ok(Distribution::Constant(4 * MS)));
        let around = Distribution::Uniform {
            low: Duration::from_micros(800),
            high: Duration::from_micros(1200),
        };
        assert_eq!(spread("1ms ± 200us"), Ok(around.clone()));
        assert_eq!(spread("1ms+-200us"), Ok(around));
        assert_eq!(
            spread("uniform(3ms, 3ms)"),
            Ok(Distribution::Constant(3 * MS))
        );
        let log = Distribution::LogNormal {
            p50: 4 * MS,
            p99: 30 * MS,
        };
        assert_eq!(spread("lognormal(p99=30ms, p50 = 4ms)"), Ok(log.clone()));
        assert_eq!(spread("lognormal(4ms, 30ms)"), Ok(log));
        let pareto = Distribution::Pareto {
            min: MS,
            shape: 1.5,
        };
        assert_eq!(spread("pareto(min=1ms, shape=1.5)"), Ok(pareto));
        let empirical = Distribution::Empirical(vec![MS, 2 * MS]);
        assert_eq!(spread("empirical([1ms, 2ms])"), Ok(empirical.clone()));
        assert_eq!(spread("empirical(1ms,2ms)"), Ok(empirical));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text| spread(text).unwrap_err();
        assert_eq!(
            error("lognorml(4ms, 30ms)"),
            "`lognorml` is not a distribution: did you mean `lognormal`?"
        );
        assert_eq!(
            error("lognormal(p50=4ms)"),
            "`lognormal` takes 2 values: write `lognormal(p50=4ms, p99=30ms)`"
        );
        assert_eq!(
            error("lognormal(p50=4ms, p90=9ms)"),
            "`lognormal` lacks `p99`: write `lognormal(p50=4ms, p99=30ms)`"
        );
        assert_eq!(
            error("lognormal(30ms, 4ms)"),
            "the p99 of `lognormal` is below its p50"
        );
        assert_eq!(
            error("uniform(3ms, 1ms)"),
            "the shortest time of `uniform` is above its longest"
        );
        assert_eq!(error("1ms ± 2ms"), "`1ms ± 2ms` would go below zero");
        assert_eq!(
            error("pareto(1ms, -1)"),
            "the shape of `pareto` is a number above 0, not `-1`"
        );
        assert_eq!(
            error("uniform(1ms, 2ms"),
            "`uniform(1ms, 2ms` does not end with `)`"
        );
        assert!(error("exponential(4)").contains("lacks a unit"));
    }
}
