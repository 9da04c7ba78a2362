//! One scenario of a suite.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::record::{Declared, Failure, Verdict};
use crate::statistics::Interval;
use crate::summary::unit;

/// What the seeds of a scenario say together, against the verdict it declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Every seed came to the declared verdict.
    AsDeclared,
    /// No seed did.
    Otherwise,
    /// Some did and some did not.
    Flaky,
    /// The scenario could not be read.
    Invalid,
    /// Meshquake broke while running it.
    Defect,
    /// The suite was ended before any run of it.
    NotRun,
}

impl Judgement {
    /// Whether there is something to explain: it neither came out as declared nor was left out.
    pub(crate) const fn is_wrong(self) -> bool {
        !matches!(self, Self::AsDeclared | Self::NotRun)
    }
}

/// One scenario and its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioReport {
    /// Its file, as it was named or found.
    pub file: String,
    /// Its name; empty when it could not be read.
    pub name: String,
    /// The verdict that it says it comes to.
    pub declared: Declared,
    /// BLAKE3 of its inputs; empty when it could not be read.
    pub fingerprint: String,
    /// What its seeds say together.
    pub judgement: Judgement,
    /// How many seeds came out as declared.
    pub agreeing: Share,
    /// Its runs, in the order of the seeds.
    pub runs: Vec<SeedReport>,
    /// Why it could not be read.
    pub problems: Vec<Problem>,
}

/// A share of the seeds, and what it says about all seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many.
    pub of: u64,
    /// Among how many.
    pub seeds: u64,
    /// Where the share of all seeds lies, with 95 % confidence.
    pub interval: Interval,
}

impl Share {
    /// `of` among `seeds`.
    pub fn new(of: u64, seeds: u64) -> Self {
        Self {
            of,
            seeds,
            interval: Interval::wilson(of, seeds),
        }
    }

    /// Those that are not among them.
    #[must_use]
    pub fn others(&self) -> Self {
        Self::new(self.seeds - self.of, self.seeds)
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedReport {
    /// Its seed.
    pub seed: u64,
    /// What `meshquake replay` takes: the scenario's file, `@`, the seed.
    pub run: String,
    /// What it came to; `None` when Meshquake broke.
    pub verdict: Option<Verdict>,
    /// Whether that is what the scenario declares.
    pub as_declared: bool,
    /// BLAKE3 of its events; empty when Meshquake broke.
    pub digest: String,
    /// What was demanded and did not come true; or what broke.
    pub failures: Vec<Failure>,
    /// What was measured, by name.
    pub measures: IndexMap<String, Measured>,
    /// How often each mechanism acted.
    pub mechanisms: BTreeMap<String, u64>,
    /// How long it took.
    pub wall_seconds: f64,
}

/// A number, and which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The number; `None` when there was nothing to measure.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: MeasureUnit,
    /// Which way is better.
    pub better: Better,
}

/// The unit of a [`Measured`] number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureUnit {
    /// A share, 0 to 1.
    Share,
    /// Milliseconds.
    Ms,
    /// Per second of virtual time.
    PerSecond,
    /// A plain number.
    Number,
}

impl MeasureUnit {
    /// `value` in this unit, for a person.
    pub fn told(self, value: f64) -> String {
        match self {
            Self::Share => unit::share(value),
            Self::Ms => unit::millis(value),
            Self::PerSecond => unit::per_second(value),
            Self::Number => unit::trimmed(value, 3),
        }
    }

    /// A difference of two values in this unit, with its sign: that of two shares is in points, for it is no share.
    pub fn difference(self, value: f64) -> String {
        let sign = if value < 0.0 { "−" } else { "+" };
        match (self, value.abs() * 100.0) {
            (Self::Share, points) if points > 0.0 && points < 0.01 => {
                format!("{sign}less than 0.01 points")
            }
            (Self::Share, points) => format!("{sign}{} points", unit::trimmed(points, 2)),
            _ => format!("{sign}{}", self.told(value.abs())),
        }
    }
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More.
    Higher,
    /// Less.
    Lower,
    /// Neither: it is to stay as it is.
    Same,
}

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// One sentence.
    pub message: String,
    /// `file:line`; empty when it has no place.
    pub place: String,
    /// The whole of it, with the text around it.
    pub text: String,
}

impl ScenarioReport {
    /// One that could not be read.
    pub fn invalid(file: String, problems: Vec<Problem>) -> Self {
        Self {
            file,
            name: String::new(),
            declared: Declared::default(),
            fingerprint: String::new(),
            judgement: Judgement::Invalid,
            agreeing: Share::new(0, 0),
            runs: Vec::new(),
            problems,
        }
    }

    /// What `runs` say together.
    pub fn judged(
        file: String,
        name: String,
        declared: Declared,
        fingerprint: String,
        runs: Vec<SeedReport>,
    ) -> Self {
        let agreeing = runs.iter().filter(|run| run.as_declared).count();
        let judgement = match agreeing {
            _ if runs.iter().any(|run| run.verdict.is_none()) => Judgement::Defect,
            _ if runs.is_empty() => Judgement::NotRun,
            0 => Judgement::Otherwise,
            all if all == runs.len() => Judgement::AsDeclared,
            _ => Judgement::Flaky,
        };
        Self {
            file,
            name,
            declared,
            fingerprint,
            judgement,
            agreeing: Share::new(agreeing as u64, runs.len() as u64),
            runs,
            problems: Vec::new(),
        }
    }

    /// The runs that did not come out as declared.
    pub fn disagreeing(&self) -> impl Iterator<Item = &SeedReport> {
        self.runs.iter().filter(|run| !run.as_declared)
    }

    /// How long its runs took together.
    pub fn wall_seconds(&self) -> f64 {
        self.runs.iter().map(|run| run.wall_seconds).sum()
    }

    /// The judgement in words: `holds`, `fails`, `flaky at 20 % (7–45 %)`.
    pub fn told(&self) -> String {
        let declared = match self.declared {
            Declared::Held => "holds",
            Declared::Failed => "fails",
            Declared::Metastable => "metastable",
        };
        match self.judgement {
            Judgement::AsDeclared if self.declared == Declared::Held => "holds".into(),
            Judgement::AsDeclared => format!("{declared}, as declared"),
            Judgement::Otherwise if self.declared == Declared::Held => self.came_to(),
            Judgement::Otherwise => format!("{}, declared {declared}", self.came_to()),
            Judgement::Flaky => {
                let Share {
                    of,
                    seeds,
                    interval,
                } = self.agreeing.others();
                let percent = |share: f64| format!("{:.0}", share * 100.0);
                format!(
                    "flaky at {} % ({}–{} %)",
                    percent(of as f64 / seeds as f64),
                    percent(interval.low),
                    percent(interval.high),
                )
            }
            Judgement::Invalid => "invalid".into(),
            Judgement::Defect => "defect of Meshquake".into(),
            Judgement::NotRun => "not run".into(),
        }
    }

    /// The verdicts that came instead of the declared one.
    fn came_to(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        for run in self.disagreeing() {
            let word = match run.verdict {
                Some(Verdict::Held) => "holds",
                Some(Verdict::Failed) => "fails",
                Some(Verdict::Metastable) => "metastable",
                Some(Verdict::Interrupted) => "interrupted",
                None => "breaks",
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(" or ")
    }

    /// What the disagreeing runs say, once each, with the seeds that say it: the most frequent first.
    pub fn reasons(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = Vec::new();
        for run in self.disagreeing() {
            if run.failures.is_empty() {
                let message = format!(
                    "it was declared to come out {}",
                    declared_word(self.declared)
                );
                note(&mut reasons, &message, "", run);
            }
            for failure in &run.failures {
                note(&mut reasons, &failure.message, &failure.place, run);
            }
        }
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.runs.len()));
        reasons
    }
}

/// Something that was demanded and did not come true, in some runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// One sentence, from the first of them.
    pub message: String,
    /// `file:line` of the demand; empty when it has none.
    pub place: String,
    /// The seeds.
    pub runs: Vec<u64>,
}

/// `2, 5, 9 and 4 more`, at most `most` of them by number.
pub(crate) fn seeds(all: impl ExactSizeIterator<Item = u64>, most: usize) -> String {
    let more = all.len().saturating_sub(most);
    let shown: Vec<String> = all.take(most).map(|seed| seed.to_string()).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Demands are told apart by their place and measure: the numbers in a message differ from seed to seed.
fn note(reasons: &mut Vec<Reason>, message: &str, place: &str, run: &SeedReport) {
    let without_numbers = |text: &str| -> String {
        text.chars()
            .filter(|c| !c.is_ascii_digit() && *c != '.' && *c != ',')
            .collect()
    };
    let same = |reason: &&mut Reason| {
        reason.place == place && without_numbers(&reason.message) == without_numbers(message)
    };
    match reasons.iter_mut().find(same) {
        Some(reason) => {
            if reason.runs.last() != Some(&run.seed) {
                reason.runs.push(run.seed);
            }
        }
        None => reasons.push(Reason {
            message: message.to_owned(),
            place: place.to_owned(),
            runs: vec![run.seed],
        }),
    }
}

fn declared_word(declared: Declared) -> &'static str {
    match declared {
        Declared::Held => "held",
        Declared::Failed => "failed",
        Declared::Metastable => "metastable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FailureKind;

    #[test]
    fn many_seeds_are_counted() {
        assert_eq!(seeds([1, 2].into_iter(), 8), "1, 2");
        assert_eq!(
            seeds((1..=11).collect::<Vec<u64>>().into_iter(), 8),
            "1, 2, 3, 4, 5, 6, 7, 8 and 3 more"
        );
    }

    fn run(seed: u64, verdict: Verdict, declared: Declared) -> SeedReport {
        SeedReport {
            seed,
            run: format!("a.yaml@{seed}"),
            verdict: Some(verdict),
            as_declared: declared.is(verdict),
            digest: String::new(),
            failures: match verdict {
                Verdict::Held => Vec::new(),
                _ => vec![Failure {
                    kind: FailureKind::Expectation,
                    message: format!("p99 is {seed}.5 ms"),
                    place: "a.yaml:3".into(),
                }],
            },
            measures: IndexMap::new(),
            mechanisms: BTreeMap::new(),
            wall_seconds: 0.5,
        }
    }

    fn told(declared: Declared, verdicts: &[Verdict]) -> String {
        let runs = verdicts
            .iter()
            .zip(1..)
            .map(|(v, seed)| run(seed, *v, declared));
        ScenarioReport::judged(
            "a.yaml".into(),
            "a".into(),
            declared,
            String::new(),
            runs.collect(),
        )
        .told()
    }

    #[test]
    fn judgements_in_words() {
        use Verdict::{Failed, Held, Metastable};
        assert_eq!(told(Declared::Held, &[Held; 5]), "holds");
        assert_eq!(
            told(Declared::Held, &[Failed, Metastable]),
            "fails or metastable"
        );
        assert_eq!(told(Declared::Failed, &[Failed; 5]), "fails, as declared");
        assert_eq!(
            told(Declared::Metastable, &[Failed; 5]),
            "fails, declared metastable"
        );
        assert_eq!(told(Declared::Failed, &[Held; 5]), "holds, declared fails");
        // Wilson 95 % for 2 of 10: 5.7 % to 51.0 %.
        let mut ten = [Held; 10];
        ten[3] = Failed;
        ten[7] = Metastable;
        assert_eq!(told(Declared::Held, &ten), "flaky at 20 % (6–51 %)");
        assert_eq!(told(Declared::Held, &[]), "not run");
    }

    #[test]
    fn one_demand_is_one_reason_whatever_the_numbers() {
        let runs = [2, 7].map(|seed| run(seed, Verdict::Failed, Declared::Held));
        let scenario = ScenarioReport::judged(
            "a.yaml".into(),
            "a".into(),
            Declared::Held,
            String::new(),
            runs.to_vec(),
        );
        let reasons = scenario.reasons();
        assert_eq!(reasons.len(), 1);
        assert_eq!(reasons[0].message, "p99 is 2.5 ms");
        assert_eq!(reasons[0].runs, [2, 7]);
    }
}
