//! One configuration against another, on the same seeds.
//!
//! The two have the same arrivals and the same service times, so that a request
//! of one is the same request of the other, and whatever became of it otherwise
//! is the configuration's doing.

mod text;

use serde::{Deserialize, Serialize};

use crate::statistics::Paired;
use crate::suite::{Better, MeasureUnit};

/// The version of the JSON contract.
pub const COMPARE_SCHEMA: &str = "meshquake.compare/v1";

/// The account of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// [`COMPARE_SCHEMA`].
    pub schema: String,
    /// The version of Meshquake that compared.
    pub meshquake_version: String,
    /// The one.
    pub a: SideReport,
    /// The other.
    pub b: SideReport,
    /// The seeds that both were run with.
    pub seeds: Vec<u64>,
    /// What became of the requests, by traffic source; empty when nothing is known of single requests.
    pub requests: Vec<RequestChanges>,
    /// Each number that was measured of both.
    pub measures: Vec<MeasureChange>,
    /// What was expected of either.
    pub expectations: Vec<ExpectationChange>,
    /// Who called whom.
    pub edges: Vec<EdgeChange>,
    /// Some of the requests that changed most, the first seed's.
    pub sample: Vec<RequestChange>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideReport {
    /// The scenario's file with what was set, or the file of a run.
    pub what: String,
    /// The scenario's name.
    pub scenario: String,
    /// Which scenario this was.
    pub fingerprint: String,
    /// What each seed came to.
    pub verdicts: Vec<crate::record::Verdict>,
}

/// What became of the requests of one source in B that were made in A.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestChanges {
    /// The traffic source.
    pub traffic: String,
    /// Requests that both made.
    pub matched: u64,
    /// Failed in A, succeeded in B.
    pub saved: u64,
    /// Succeeded in A, failed in B.
    pub lost: u64,
    /// Succeeded in both, sooner in B: by more than 5 % and 100 µs.
    pub faster: u64,
    /// Succeeded in both, later in B, likewise.
    pub slower: u64,
    /// Succeeded in both, in as good as the same time.
    pub same: u64,
    /// Failed in both.
    pub failed: u64,
    /// Not ended in one of them when the run did.
    pub unknown: u64,
    /// Only A made it.
    pub only_a: u64,
    /// Only B made it.
    pub only_b: u64,
    /// Matched ones that were sent at another time.
    pub moved: u64,
}

impl RequestChanges {
    /// Adds another seed's.
    pub fn add(&mut self, other: &Self) {
        self.matched += other.matched;
        self.saved += other.saved;
        self.lost += other.lost;
        self.faster += other.faster;
        self.slower += other.slower;
        self.same += other.same;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.only_a += other.only_a;
        self.only_b += other.only_b;
        self.moved += other.moved;
    }
}

/// A number of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureChange {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: MeasureUnit,
    /// Which way is better.
    pub better: Better,
    /// Mean over the seeds in A.
    pub a: f64,
    /// Mean over the seeds in B.
    pub b: f64,
    /// B less A, seed by seed.
    pub difference: Paired,
}

/// Above this probability, a difference is as well chance.
pub(crate) const LEVEL: f64 = 0.05;

impl MeasureChange {
    /// Whether the difference is none to speak of: both read the same; with several seeds it is as well chance
    /// (Student's paired t); with one, where chance is not known, it is less than one request of a thousand, a hundredth
    /// of a rate or a twentieth of another number.
    pub fn is_noise(&self) -> bool {
        if self.unit.told(self.a) == self.unit.told(self.b) {
            return true;
        }
        let apart = (self.b - self.a).abs();
        let most = self.a.abs().max(self.b.abs());
        match (self.difference.p, self.unit) {
            (Some(p), _) => p > LEVEL,
            (None, MeasureUnit::Share) => apart <= 0.001,
            (None, MeasureUnit::PerSecond) => apart <= 0.01 * most,
            (None, MeasureUnit::Ms | MeasureUnit::Number) => apart <= 0.05 * most,
        }
    }

    /// Whether B is better; `None` when neither is.
    pub fn improved(&self) -> Option<bool> {
        let rose = self.difference.mean > 0.0;
        match self.better {
            _ if self.is_noise() => None,
            Better::Same => None,
            Better::Higher => Some(rose),
            Better::Lower => Some(!rose),
        }
    }
}

/// An expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationChange {
    /// `expect users p99 30..45 s`.
    pub name: String,
    /// The seeds with which it was met in A; `None` when A does not have it.
    pub a_met: Option<u64>,
    /// The same of B.
    pub b_met: Option<u64>,
}

/// An edge, summed over the seeds; latencies are means over them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeChange {
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// In A.
    pub a: EdgeSide,
    /// In B.
    pub b: EdgeSide,
}

/// An edge in one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeSide {
    /// Requests ended.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Attempts made.
    pub attempts: u64,
    /// 99th percentile of the latency; `None` without answers.
    pub p99_ms: Option<f64>,
}

/// A request that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestChange {
    /// The traffic source.
    pub traffic: String,
    /// Its number there.
    pub sequence: u64,
    /// When it was to be sent in A.
    pub intended_ns: u64,
    /// What became of it.
    pub change: Change,
    /// In A.
    pub a: RequestSide,
    /// In B.
    pub b: RequestSide,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Succeeded in A, failed in B.
    Lost,
    /// Failed in A, succeeded in B.
    Saved,
    /// Later in B.
    Slower,
    /// Sooner in B.
    Faster,
}

/// A request in one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSide {
    /// Its status; `None` when no answer came.
    pub status: Option<u16>,
    /// Envoy's response flags; `-` when there are none.
    pub flags: String,
    /// Attempts of its client's sidecar.
    pub attempts: u64,
    /// Its latency; `None` when it had not ended.
    pub latency_ns: Option<u64>,
}

impl ComparisonReport {
    /// The report as JSON.
    ///
    /// # Errors
    /// None that data of these types can cause.
    pub fn to_json(&self) -> serde_json::Result<String> {
        crate::record::pretty(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(unit: MeasureUnit, a: f64, b: f64) -> MeasureChange {
        MeasureChange {
            name: "mesh.attempts_per_request".into(),
            unit,
            better: Better::Lower,
            a,
            b,
            difference: Paired::of(&[b - a]).unwrap(),
        }
    }

    #[test]
    fn of_one_seed_a_hair_is_noise() {
        let judged = |unit, a, b| measure(unit, a, b).improved();
        assert_eq!(judged(MeasureUnit::Number, 1.0, 1.004), None);
        assert_eq!(judged(MeasureUnit::Number, 1.0, 1.4), Some(false));
        assert_eq!(judged(MeasureUnit::Ms, 100.0, 80.0), Some(true));
        assert_eq!(judged(MeasureUnit::PerSecond, 200.0, 199.0), None);
        assert_eq!(judged(MeasureUnit::Share, 0.5, 0.4995), None);
        let mut sure = measure(MeasureUnit::Number, 1.0, 1.004);
        sure.difference = Paired::of(&[0.004, 0.004, 0.005]).unwrap();
        assert_eq!(sure.improved(), Some(false), "each seed says so");
    }

    #[test]
    fn shares_differ_by_points() {
        let told = |value| MeasureUnit::Share.difference(value);
        assert_eq!(told(1.0), "+100 points");
        assert_eq!(told(-0.4792), "−47.92 points");
        assert_eq!(told(0.000_01), "+less than 0.01 points");
        assert_eq!(MeasureUnit::Ms.difference(-12.0), "−12.0 ms");
    }
}
