//! Where an axis has its ticks, and what stands there.
//!
//! Few and round: a reader takes the shape from the line and only the scale from the axis (Tufte, *The Visual Display
//! of Quantitative Information*, 1983). Time is divided as clocks are, everything else by 1, 2 and 5.

use crate::record::Unit;
use crate::summary::unit;

/// A place on an axis and its label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

/// Steps of time, in seconds.
const CLOCK_S: [f64; 22] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0,
    120.0, 300.0, 600.0, 1_800.0, 3_600.0, 10_800.0,
];

/// At most `most` steps from 0 to `max`, by 1, 2 or 5.
fn step(max: f64, most: f64) -> f64 {
    let least = max / most;
    let decade = libm::pow(10.0, libm::floor(libm::log10(least)));
    let fits = |by: &&f64| decade * **by >= least * (1.0 - 1e-9);
    [1.0, 2.0, 5.0]
        .iter()
        .find(fits)
        .map_or(decade * 10.0, |by| decade * by)
}

/// Ticks of a linear axis from 0 to at least `max`: the last one is its end.
pub(super) fn linear(max: f64, of: Unit) -> Vec<Tick> {
    let max = if max.is_finite() && max > 0.0 {
        max
    } else {
        1.0
    };
    let step = match of {
        Unit::S if max > 60.0 => clock(max, 4.0),
        Unit::Count => step(max, 4.0).max(1.0),
        Unit::Bytes => step(max / 1024.0, 4.0) * 1024.0,
        _ => step(max, 4.0),
    };
    let count = libm::ceil(max / step - 1e-9).clamp(1.0, 12.0) as u32;
    (0..=count)
        .map(|i| {
            let at = f64::from(i) * step;
            Tick {
                at,
                label: label(at, of),
            }
        })
        .collect()
}

/// Ticks of a logarithmic axis: the powers of ten from below `min` to above `max`. `at` is the logarithm.
pub(super) fn logarithmic(min: f64, max: f64, of: Unit) -> Vec<Tick> {
    let (low, high) = decades(min, max);
    (low..=high)
        .map(|power| Tick {
            at: f64::from(power),
            label: label(libm::pow(10.0, f64::from(power)), of),
        })
        .collect()
}

fn decades(min: f64, max: f64) -> (i32, i32) {
    let floor = |x: f64| libm::floor(libm::log10(x.clamp(1e-6, 1e12)) + 1e-9) as i32;
    let ceil = |x: f64| libm::ceil(libm::log10(x.clamp(1e-6, 1e12)) - 1e-9) as i32;
    let low = floor(min);
    (low, ceil(max).max(low + 1))
}

fn clock(max_s: f64, most: f64) -> f64 {
    let fits = |step: &&f64| max_s / **step <= most + 1e-9;
    CLOCK_S
        .iter()
        .find(fits)
        .copied()
        .unwrap_or_else(|| step(max_s / 21_600.0, most) * 21_600.0)
}

/// Ticks of the time from 0 to `until_s`.
pub(super) fn time(until_s: f64) -> Vec<Tick> {
    if !until_s.is_finite() || until_s <= 0.0 {
        return Vec::new();
    }
    let step = clock(until_s, 6.0);
    let count = libm::floor(until_s / step + 1e-9).min(24.0) as u32;
    (0..=count)
        .map(|i| {
            let at = f64::from(i) * step;
            let label = match step {
                _ if i == 0 => "0".into(),
                s if s >= 3_600.0 => format!("{} h", unit::trimmed(at / 3_600.0, 1)),
                s if s >= 60.0 => format!("{} min", unit::trimmed(at / 60.0, 1)),
                _ => format!("{} s", unit::trimmed(at, 3)),
            };
            Tick { at, label }
        })
        .collect()
}

fn label(value: f64, of: Unit) -> String {
    match of {
        _ if value == 0.0 => "0".into(),
        Unit::PerSecond if value >= 1_000.0 => {
            format!("{}/s", unit::count(value.round() as u64))
        }
        Unit::S if value >= 3_600.0 => format!("{} h", unit::trimmed(value / 3_600.0, 1)),
        Unit::S if value > 90.0 => format!("{} min", unit::trimmed(value / 60.0, 1)),
        of => unit::demanded(value, of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_few_and_round() {
        let told = [
            (
                66.0,
                Unit::PerSecond,
                vec!["0", "20/s", "40/s", "60/s", "80/s"],
            ),
            (
                4_100.0,
                Unit::PerSecond,
                vec!["0", "2,000/s", "4,000/s", "6,000/s"],
            ),
            (0.031, Unit::Ratio, vec!["0", "1%", "2%", "3%", "4%"]),
            (1.0, Unit::Ratio, vec!["0", "50%", "100%"]),
            (430.0, Unit::Ms, vec!["0", "200 ms", "400 ms", "600 ms"]),
            (2.0, Unit::Count, vec!["0", "1", "2"]),
            (90_000.0, Unit::S, vec!["0", "12 h", "24 h", "36 h"]),
            (0.0, Unit::Number, vec!["0", "0.5", "1"]),
        ];
        for (max, of, expected) in told {
            assert_eq!(labels(&linear(max, of)), expected, "{max} {of:?}");
        }
    }

    #[test]
    fn latencies_are_told_by_decades() {
        assert_eq!(
            labels(&logarithmic(0.4, 2_050.0, Unit::Ms)),
            ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]
        );
        assert_eq!(
            labels(&logarithmic(10.0, 10.0, Unit::Ms)),
            ["10 ms", "100 ms"]
        );
    }

    #[test]
    fn time_is_divided_as_clocks_are() {
        assert_eq!(
            labels(&time(120.0)),
            ["0", "20 s", "40 s", "60 s", "80 s", "100 s", "120 s"]
        );
        assert_eq!(labels(&time(90.0)).len(), 5);
        assert_eq!(*labels(&time(108_000.0)).last().unwrap(), "30 h");
        assert_eq!(labels(&time(604_800.0)).len(), 6);
        assert!(time(0.0).is_empty() && time(f64::NAN).is_empty());
    }
}
