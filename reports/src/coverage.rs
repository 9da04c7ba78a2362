//! Coverage of resilience: which of the mechanisms that a mesh was given ever acted.
//!
//! A retry policy that no scenario makes retry is like a line of code that no
//! test runs: nobody knows what it does. A mechanism is *armed* in a scenario
//! whose mesh configuration sets it up, and *covered* when it acted in a run.

use serde::{Deserialize, Serialize};

use crate::summary::table::{Kind, NOTHING, Table};
use crate::summary::unit;

/// The mechanisms of a suite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CoverageReport {
    /// The share that was demanded, in percent.
    pub fail_under: Option<f64>,
    /// How many mechanisms are armed in some scenario.
    pub armed: u64,
    /// How many of them acted.
    pub covered: u64,
    /// Every mechanism that is armed or acted.
    pub mechanisms: Vec<MechanismCoverage>,
}

/// One mechanism.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MechanismCoverage {
    /// Its name, as in a run's report.
    pub name: String,
    /// What arms it, in the words of the configuration.
    pub armed_by: String,
    /// The scenarios in which it is armed.
    pub armed_in: Vec<String>,
    /// The scenarios in which it acted.
    pub fired_in: Vec<String>,
    /// How often it acted, over all runs.
    pub fired: u64,
}

impl MechanismCoverage {
    /// Whether some scenario arms it.
    pub fn is_armed(&self) -> bool {
        !self.armed_in.is_empty()
    }
}

impl CoverageReport {
    /// Of `mechanisms`.
    pub fn new(mechanisms: Vec<MechanismCoverage>, fail_under: Option<f64>) -> Self {
        let armed = mechanisms.iter().filter(|m| m.is_armed());
        let covered = armed.clone().filter(|m| m.fired > 0).count() as u64;
        Self {
            fail_under,
            armed: armed.count() as u64,
            covered,
            mechanisms,
        }
    }

    /// The share covered, in percent; all of nothing is everything.
    pub fn percent(&self) -> f64 {
        match self.armed {
            0 => 100.0,
            armed => self.covered as f64 / armed as f64 * 100.0,
        }
    }

    /// Whether less is covered than was demanded.
    pub fn is_short(&self) -> bool {
        self.fail_under.is_some_and(|least| self.percent() < least)
    }

    /// `9 of 12 armed mechanisms acted (75%)`.
    pub fn told(&self) -> String {
        let demand = match self.fail_under {
            Some(least) => format!(", {}% demanded", unit::trimmed(least, 1)),
            None => String::new(),
        };
        format!(
            "{} of {} acted ({}%{demand})",
            self.covered,
            unit::counted(self.armed, "armed mechanism"),
            unit::trimmed(self.percent(), 2),
        )
    }

    /// A table for a terminal of `width` columns.
    pub(crate) fn lines(&self, width: usize) -> Vec<String> {
        let mut table = Table::default()
            .column("", Kind::Text)
            .column("mechanism", Kind::Text)
            .column("armed in", Kind::Number)
            .column("acted in", Kind::Number)
            .column("times", Kind::Number)
            .spare("armed by", Kind::Name, 1);
        for row in self.rows() {
            table.row(row.to_vec());
        }
        table.lines(width)
    }

    /// Its rows: mark, name, scenarios armed, scenarios acted, times, armed by.
    pub(crate) fn rows(&self) -> impl Iterator<Item = [String; 6]> + '_ {
        let scenarios = |list: &[String]| match list.len() {
            0 => NOTHING.to_owned(),
            n => unit::counted(n as u64, "scenario"),
        };
        self.mechanisms.iter().map(move |mechanism| {
            let mark = match (mechanism.is_armed(), mechanism.fired) {
                (true, 0) => "✗",
                (true, _) => "✓",
                (false, _) => " ",
            };
            let times = match mechanism.fired {
                0 => "never".into(),
                n => unit::count(n),
            };
            [
                mark.into(),
                mechanism.name.replace('_', " "),
                scenarios(&mechanism.armed_in),
                scenarios(&mechanism.fired_in),
                times,
                mechanism.armed_by.clone(),
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mechanism(name: &str, armed: bool, fired: u64) -> MechanismCoverage {
        MechanismCoverage {
            name: name.into(),
            armed_in: armed.then(|| "a.yaml".into()).into_iter().collect(),
            fired,
            ..MechanismCoverage::default()
        }
    }

    #[test]
    fn what_is_not_armed_does_not_count() {
        let all = vec![
            mechanism("retry", true, 3),
            mechanism("panic", true, 0),
            mechanism("handshake_failed", false, 9),
        ];
        let report = CoverageReport::new(all.clone(), Some(50.0));
        assert_eq!((report.armed, report.covered), (2, 1));
        assert!(!report.is_short());
        assert!(CoverageReport::new(all, Some(50.1)).is_short());
        assert_eq!(
            report.told(),
            "1 of 2 armed mechanisms acted (50%, 50% demanded)"
        );
        let eight_of_nine = (0..9).map(|i| mechanism("retry", true, i)).collect();
        assert_eq!(
            CoverageReport::new(eight_of_nine, None).told(),
            "8 of 9 armed mechanisms acted (88.89%)"
        );
        assert_eq!(
            CoverageReport::new(vec![mechanism("retry_exhausted", true, 1)], None)
                .rows()
                .map(|row| row[1].clone())
                .collect::<Vec<_>>(),
            ["retry exhausted"]
        );
        assert!(!CoverageReport::new(Vec::new(), Some(100.0)).is_short());
    }
}
