//! A comparison with a baseline, for people.

use super::{BaselineReport, Change, ChangeKind};
use crate::summary::paint::{Tone, clean};
use crate::summary::table::{Kind, Table};
use crate::summary::{unit, wrapped};

impl Change {
    /// `scenarios/a.yaml users.p99_ms`.
    pub fn what(&self) -> String {
        self.measure.clone()
    }

    /// By how much, and how sure that is.
    pub fn by(&self) -> String {
        let Some(difference) = self.difference else {
            let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
            return format!("seed {}", seeds.join(", "));
        };
        match difference.p {
            Some(p) if p < 0.0001 => {
                format!("p < 0.0001, {}", unit::counted(difference.pairs, "seed"))
            }
            Some(p) => format!("p = {p:.4}, {}", unit::counted(difference.pairs, "seed")),
            None => "1 seed: noise unknown".into(),
        }
    }

    /// One sentence.
    pub fn told(&self) -> String {
        let (measure, before, after, by) = (&self.measure, &self.before, &self.after, self.by());
        format!("{measure} was {before} and is {after} ({by})")
    }
}

impl BaselineReport {
    /// `3 regressions, 1 improvement in 120 measures of 12 scenarios`.
    pub fn told(&self) -> String {
        format!(
            "{}, {} in {} of {}",
            unit::counted(self.regressions().len() as u64, "regression"),
            unit::counted(self.improvements().len() as u64, "improvement"),
            unit::counted(self.measures, "measure"),
            unit::counted(self.scenarios, "scenario"),
        )
    }

    /// What else is to be known: what could not be compared, and why.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(version) = &self.made_by {
            remarks.push(format!("the baseline was made by meshquake {version}"));
        }
        match self.made_with.as_deref() {
            None => {}
            Some("") => remarks.push("the baseline was made without options".into()),
            Some(options) => remarks.push(format!("the baseline was made with {options}")),
        }
        let lists = [
            (&self.edited, "changed since the baseline was made"),
            (&self.new, "not in the baseline"),
            (&self.missing, "in the baseline only"),
            (&self.unpaired, "has no seed in common with the baseline"),
        ];
        for (files, what) in lists {
            remarks.extend(files.iter().map(|file| format!("{file}: {what}")));
        }
        remarks
    }

    pub(crate) fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.changes.is_empty() {
            let mut table = Table::default()
                .column("", Kind::Text)
                .column("scenario", Kind::Name)
                .column("measure", Kind::Name)
                .column("before", Kind::Number)
                .column("now", Kind::Number)
                .spare("", Kind::Text, 1);
            for change in &self.changes {
                let mark = match change.kind {
                    ChangeKind::Regression => Tone::Bad.paint("✗ worse"),
                    ChangeKind::Improvement => Tone::Good.paint("✓ better"),
                };
                table.row(vec![
                    mark,
                    clean(&change.scenario),
                    clean(&change.measure),
                    change.before.clone(),
                    change.after.clone(),
                    change.by(),
                ]);
            }
            lines.extend(table.lines(width));
        }
        for remark in self.remarks() {
            lines.extend(wrapped("  · ", &clean(&remark), width));
        }
        lines.push(format!("  {}", self.told()));
        lines
    }
}
