//! What many runs of many scenarios say: the account of `meshquake test`.
//!
//! The JSON of a [`SuiteReport`] is a contract (`"schema": "meshquake.test/v1"`)
//! under the same rules as that of a [run](crate::RunReport): fields are added,
//! never renamed or removed, within one version. It does not depend on how many
//! runs went on at once, nor in what order they ended; `wall_seconds` alone
//! differs from one time to the next.
//!
//! [`junit`], [`markdown`], [`terminal`] and [`annotations`] draw it.

pub mod annotations;
pub mod junit;
pub mod markdown;
mod scenario;
pub mod terminal;

use serde::{Deserialize, Serialize};

use crate::baseline::BaselineReport;
use crate::coverage::CoverageReport;
use crate::statistics::SequentialTest;

pub(crate) use scenario::seeds;
pub use scenario::{
    Better, Judgement, MeasureUnit, Measured, Problem, Reason, ScenarioReport, SeedReport, Share,
};

/// The version of the JSON contract.
pub const TEST_SCHEMA: &str = "meshquake.test/v1";

/// The account of a suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuiteReport {
    /// [`TEST_SCHEMA`].
    pub schema: String,
    /// The version of Meshquake that ran it.
    pub meshquake_version: String,
    /// How it was run.
    pub settings: Settings,
    /// Whether it was ended before its time; what is told is true of the runs that ended.
    pub interrupted: bool,
    /// Every scenario, in the order of their names.
    pub scenarios: Vec<ScenarioReport>,
    /// Which mechanisms acted, when asked for.
    pub coverage: Option<CoverageReport>,
    /// How it compares with a baseline, when one was given.
    pub baseline: Option<BaselineReport>,
    /// How long it took.
    pub wall_seconds: f64,
}

/// How a suite was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Most seeds per scenario.
    pub seeds_max: u64,
    /// The test that may stop a scenario sooner; `None` when every seed is run.
    pub stops_early: Option<SequentialTest>,
    /// The length of each run instead of the scenario's own, in seconds.
    pub duration_s: Option<f64>,
    /// Values set from outside, `path=value`.
    pub set: Vec<String>,
    /// The same as the command line has it, with a space in front; empty when nothing was set.
    pub options: String,
}

/// How a suite ended, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuiteVerdict {
    /// Everything came out as declared.
    AsDeclared,
    /// A scenario, the baseline or the coverage did not.
    Failed,
    /// A scenario could not be read.
    Invalid,
    /// Meshquake itself broke.
    Defect,
    /// It was ended before its time.
    Interrupted,
}

impl SuiteReport {
    /// The report as JSON.
    ///
    /// # Errors
    /// None that data of these types can cause.
    pub fn to_json(&self) -> serde_json::Result<String> {
        crate::record::pretty(self)
    }

    /// How it ended, as a whole: the worst that happened.
    pub fn verdict(&self) -> SuiteVerdict {
        let of = |scenario: &ScenarioReport| match scenario.judgement {
            Judgement::AsDeclared | Judgement::NotRun => SuiteVerdict::AsDeclared,
            Judgement::Otherwise | Judgement::Flaky => SuiteVerdict::Failed,
            Judgement::Invalid => SuiteVerdict::Invalid,
            Judgement::Defect => SuiteVerdict::Defect,
        };
        let mut worst = self.scenarios.iter().map(of).max();
        let regressed = self
            .baseline
            .as_ref()
            .is_some_and(BaselineReport::regressed);
        let uncovered = self.coverage.as_ref().is_some_and(CoverageReport::is_short);
        if regressed || uncovered {
            worst = worst.max(Some(SuiteVerdict::Failed));
        }
        if self.interrupted {
            worst = Some(SuiteVerdict::Interrupted);
        }
        worst.unwrap_or(SuiteVerdict::AsDeclared)
    }

    /// How many scenarios were judged so.
    pub fn count(&self, judgement: Judgement) -> usize {
        let same = |scenario: &&ScenarioReport| scenario.judgement == judgement;
        self.scenarios.iter().filter(same).count()
    }

    /// How many runs ended.
    pub fn runs(&self) -> usize {
        self.scenarios
            .iter()
            .map(|scenario| scenario.runs.len())
            .sum()
    }

    /// The command that shows one run again.
    pub fn replay(&self, run: &str) -> String {
        format!("meshquake replay {}{}", quoted(run), self.settings.options)
    }
}

/// `text` as a POSIX shell takes it for one word.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
