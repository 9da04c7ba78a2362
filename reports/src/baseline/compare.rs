//! Old against new.

use serde::{Deserialize, Serialize};

use super::{Baseline, BaselineScenario};
use crate::record::Verdict;
use crate::statistics::Paired;
use crate::suite::{Better, MeasureUnit, ScenarioReport};

/// When a difference counts: when it is larger than this, *and* chance would hardly make it.
///
/// Chance is judged by [`Paired`], seed by seed. With one seed there is nothing
/// to judge it by, and the tolerance decides alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// Of times, rates and numbers, as a share of what they were.
    pub relative: f64,
    /// Of shares, absolutely: a success rate that falls from 99.9 % to 95 % is not within "5 %".
    pub share: f64,
    /// How likely chance may be. Many measures are compared, so this is less than the usual 5 %.
    pub level: f64,
}

impl Tolerance {
    /// Shares are allowed a tenth of what is allowed to the rest: half a point at 5 %.
    pub fn relative(relative: f64) -> Self {
        Self {
            relative,
            share: relative / 10.0,
            level: 0.01,
        }
    }

    fn exceeded(&self, unit: MeasureUnit, before: f64, difference: f64) -> bool {
        let allowed = match unit {
            MeasureUnit::Share => self.share,
            _ => self.relative * before.abs(),
        };
        // A hair for the last bit: 5 % of 100 is not less than 105 − 100.
        difference.abs() > allowed * (1.0 + 1e-9)
    }
}

impl Default for Tolerance {
    /// 5 %, and half a point for shares.
    fn default() -> Self {
        Self::relative(0.05)
    }
}

/// How a suite compares with a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineReport {
    /// The baseline's file.
    pub file: String,
    /// What was tolerated.
    pub tolerance: Tolerance,
    /// The version of Meshquake that made it, when it was another.
    pub made_by: Option<String>,
    /// The options that its runs were made with, when they were others.
    #[serde(default)]
    pub made_with: Option<String>,
    /// Whether the baseline has been replaced by what is measured now, and what became worse is accepted.
    #[serde(default)]
    pub updated: bool,
    /// How many scenarios were compared.
    pub scenarios: u64,
    /// How many measures were compared.
    pub measures: u64,
    /// What changed beyond the tolerance.
    pub changes: Vec<Change>,
    /// Scenarios that the baseline does not have.
    pub new: Vec<String>,
    /// Scenarios that only the baseline has.
    pub missing: Vec<String>,
    /// Scenarios whose files have changed since.
    pub edited: Vec<String>,
    /// Scenarios none of whose seeds were run before.
    pub unpaired: Vec<String>,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The scenario's file.
    pub scenario: String,
    /// For better or worse.
    pub kind: ChangeKind,
    /// The measure, or `verdict`.
    pub measure: String,
    /// Before, as a person reads it: the mean over the seeds, or the verdict.
    pub before: String,
    /// Now.
    pub after: String,
    /// The difference; `None` for verdicts.
    pub difference: Option<Paired>,
    /// The seeds it was seen with.
    pub seeds: Vec<u64>,
}

/// For better or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Worse.
    Regression,
    /// Better.
    Improvement,
}

impl BaselineReport {
    /// Whether anything became worse, and was not accepted.
    pub fn regressed(&self) -> bool {
        !self.updated && !self.regressions().is_empty()
    }

    /// What became worse.
    pub fn regressions(&self) -> Vec<&Change> {
        self.of(ChangeKind::Regression)
    }

    /// What became better.
    pub fn improvements(&self) -> Vec<&Change> {
        self.of(ChangeKind::Improvement)
    }

    fn of(&self, kind: ChangeKind) -> Vec<&Change> {
        self.changes
            .iter()
            .filter(|change| change.kind == kind)
            .collect()
    }
}

/// Compares `scenarios`, each under the name that the baseline knows it by, with `baseline`, read from `file`.
/// They were made by a version of Meshquake, with options of the command line. What only the baseline has is missing
/// when `whole`; a part of a suite leaves much out.
pub fn compare(
    baseline: &Baseline,
    file: &str,
    scenarios: &[(String, &ScenarioReport)],
    tolerance: Tolerance,
    (version, options): (&str, &str),
    whole: bool,
) -> BaselineReport {
    let mut report = BaselineReport {
        file: file.to_owned(),
        tolerance,
        made_by: (baseline.meshquake_version != version)
            .then(|| baseline.meshquake_version.clone()),
        made_with: (baseline.options != options).then(|| baseline.options.clone()),
        updated: false,
        scenarios: 0,
        measures: 0,
        changes: Vec::new(),
        new: Vec::new(),
        missing: Vec::new(),
        edited: Vec::new(),
        unpaired: Vec::new(),
    };
    for (name, scenario) in scenarios {
        if scenario.runs.is_empty() {
            continue;
        }
        match baseline.scenarios.get(name) {
            Some(before) => report.scenario(before, scenario),
            None => report.new.push(scenario.file.clone()),
        }
    }
    if whole {
        let known = |name: &&String| scenarios.iter().any(|(other, _)| other == *name);
        let missing = baseline.scenarios.keys().filter(|name| !known(name));
        report.missing = missing.cloned().collect();
    }
    report
}

impl BaselineReport {
    fn scenario(&mut self, before: &BaselineScenario, now: &ScenarioReport) {
        if before.fingerprint != now.fingerprint {
            self.edited.push(now.file.clone());
        }
        let at = |seed: u64| before.seeds.iter().position(|other| *other == seed);
        let pairs: Vec<(usize, usize)> = now
            .runs
            .iter()
            .enumerate()
            .filter_map(|(index, run)| Some((at(run.seed)?, index)))
            .collect();
        if pairs.is_empty() {
            self.unpaired.push(now.file.clone());
            return;
        }
        self.scenarios += 1;
        self.verdicts(before, now, &pairs);
        let Some(first) = now.runs.first() else {
            return;
        };
        for (name, measured) in &first.measures {
            let Some(old) = before.measures.get(name) else {
                continue;
            };
            let values: Vec<(u64, f64, f64)> = pairs
                .iter()
                .filter_map(|(old_at, new_at)| {
                    let run = &now.runs[*new_at];
                    let new = run.measures.get(name)?.value?;
                    Some((run.seed, old.values[*old_at]?, new))
                })
                .collect();
            let change = self.measure(measured.unit, measured.better, &values);
            self.changes.extend(change.map(|change| Change {
                scenario: now.file.clone(),
                measure: name.clone(),
                ..change
            }));
        }
    }

    fn verdicts(
        &mut self,
        before: &BaselineScenario,
        now: &ScenarioReport,
        pairs: &[(usize, usize)],
    ) {
        for kind in [ChangeKind::Regression, ChangeKind::Improvement] {
            let changed: Vec<&(usize, usize)> = pairs
                .iter()
                .filter(|(old, new)| {
                    let run = &now.runs[*new];
                    let worse = !run.as_declared;
                    before.verdicts[*old] != run.verdict
                        && worse == (kind == ChangeKind::Regression)
                })
                .collect();
            let Some((old, new)) = changed.first() else {
                continue;
            };
            self.changes.push(Change {
                scenario: now.file.clone(),
                kind,
                measure: "verdict".into(),
                before: word(before.verdicts[*old]),
                after: word(now.runs[*new].verdict),
                difference: None,
                seeds: changed.iter().map(|(_, new)| now.runs[*new].seed).collect(),
            });
        }
    }

    /// What `(seed, before, now)` of one measure amount to, if to anything.
    fn measure(
        &mut self,
        unit: MeasureUnit,
        better: Better,
        values: &[(u64, f64, f64)],
    ) -> Option<Change> {
        let differences: Vec<f64> = values.iter().map(|(_, old, new)| new - old).collect();
        let difference = Paired::of(&differences)?;
        self.measures += 1;
        let mean = |sum: f64| sum / values.len() as f64;
        let before = mean(values.iter().map(|(_, old, _)| old).sum());
        let after = mean(values.iter().map(|(_, _, new)| new).sum());
        let chance = difference.p.is_some_and(|p| p > self.tolerance.level);
        if chance || !self.tolerance.exceeded(unit, before, difference.mean) {
            return None;
        }
        let rose = difference.mean > 0.0;
        let kind = match better {
            Better::Higher if rose => ChangeKind::Improvement,
            Better::Lower if !rose => ChangeKind::Improvement,
            Better::Higher | Better::Lower | Better::Same => ChangeKind::Regression,
        };
        Some(Change {
            scenario: String::new(),
            kind,
            measure: String::new(),
            before: unit.told(before),
            after: unit.told(after),
            difference: Some(difference),
            seeds: values.iter().map(|(seed, _, _)| *seed).collect(),
        })
    }
}

fn word(verdict: Option<Verdict>) -> String {
    verdict.map_or("defect".into(), |verdict| {
        format!("{verdict:?}").to_lowercase()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(unit: MeasureUnit, better: Better, values: &[(f64, f64)]) -> Option<ChangeKind> {
        let empty = Baseline::new("v", "");
        let mut report = compare(&empty, "b", &[], Tolerance::default(), ("v", ""), false);
        let values: Vec<(u64, f64, f64)> = values
            .iter()
            .zip(1..)
            .map(|((old, new), seed)| (seed, *old, *new))
            .collect();
        report
            .measure(unit, better, &values)
            .map(|change| change.kind)
    }

    #[test]
    fn a_change_must_be_large_and_no_chance() {
        use ChangeKind::{Improvement, Regression};
        let slower = [
            (100.0, 121.0),
            (110.0, 130.0),
            (90.0, 111.0),
            (95.0, 114.0),
            (105.0, 127.0),
        ];
        assert_eq!(
            kind(MeasureUnit::Ms, Better::Lower, &slower),
            Some(Regression)
        );
        let faster = slower.map(|(old, new)| (new, old));
        assert_eq!(
            kind(MeasureUnit::Ms, Better::Lower, &faster),
            Some(Improvement)
        );
        assert_eq!(
            kind(MeasureUnit::PerSecond, Better::Higher, &faster),
            Some(Regression)
        );
        let little = [(100.0, 104.0), (100.0, 104.1), (100.0, 103.9)];
        assert_eq!(
            kind(MeasureUnit::Ms, Better::Lower, &little),
            None,
            "sure, but within 5 %"
        );
        let noisy = [
            (100.0, 180.0),
            (100.0, 60.0),
            (100.0, 130.0),
            (100.0, 80.0),
            (100.0, 140.0),
        ];
        assert_eq!(
            kind(MeasureUnit::Ms, Better::Lower, &noisy),
            None,
            "18 % on average, and noise"
        );
        assert_eq!(
            kind(MeasureUnit::Ms, Better::Lower, &[(100.0, 106.0)]),
            Some(Regression),
            "one seed"
        );
        assert_eq!(kind(MeasureUnit::Ms, Better::Lower, &[]), None);
        let same = [(5.0, 6.0), (5.0, 6.0)];
        assert_eq!(
            kind(MeasureUnit::Number, Better::Same, &same),
            Some(Regression)
        );
    }

    #[test]
    fn shares_are_tolerated_by_points() {
        let half = [(0.999, 0.9945), (0.999, 0.9944), (0.999, 0.9946)];
        assert_eq!(kind(MeasureUnit::Share, Better::Higher, &half), None);
        let whole = [(0.999, 0.989), (0.999, 0.988), (0.999, 0.990)];
        assert_eq!(
            kind(MeasureUnit::Share, Better::Higher, &whole),
            Some(ChangeKind::Regression)
        );
    }
}
