//! A comparison for a person at a terminal.

use super::{
    Change, ComparisonReport, EdgeSide, MeasureChange, RequestChanges, RequestSide, SideReport,
};
use crate::record::{Verdict, millis, seconds};
use crate::summary::paint::{Tone, clean, finish};
use crate::summary::table::{Kind, NOTHING, Table};
use crate::summary::{Style, unit, wrapped};

impl ComparisonReport {
    /// The report for a person.
    pub fn told(&self, style: Style) -> String {
        let width = style.width.clamp(60, 160);
        let mut blocks = vec![self.sides(), self.requests(width), self.measures(width)];
        blocks.push(self.expectations(width));
        blocks.push(self.edges(width));
        blocks.push(self.sample(width));
        let notes = self
            .notes
            .iter()
            .flat_map(|note| wrapped("note: ", &clean(note), width));
        blocks.push(notes.collect());
        let present = blocks.into_iter().filter(|lines| !lines.is_empty());
        let blocks: Vec<String> = present.map(|lines| lines.join("\n")).collect();
        finish(&(blocks.join("\n\n") + "\n"), style.color)
    }

    fn sides(&self) -> Vec<String> {
        let side = |name: &str, side: &SideReport| {
            format!(
                "{}  {}  {}",
                Tone::Strong.paint(name),
                clean(&side.what),
                verdicts(side)
            )
        };
        let seeds: Vec<String> = self.seeds.iter().take(12).map(u64::to_string).collect();
        let more = if self.seeds.len() > 12 { "…" } else { "" };
        vec![
            side("A", &self.a),
            side("B", &self.b),
            format!("   seed {}{more}", seeds.join(", ")),
        ]
    }

    fn requests(&self, width: usize) -> Vec<String> {
        if self.requests.is_empty() {
            return Vec::new();
        }
        let mut all = RequestChanges::default();
        self.requests.iter().for_each(|changes| all.add(changes));
        let head = format!(
            "{} saved, {} lost, {} faster, {} slower",
            unit::counted(all.saved, "request"),
            unit::count(all.lost),
            unit::count(all.faster),
            unit::count(all.slower),
        );
        let mut table = Table::default()
            .column("traffic", Kind::Name)
            .column("matched", Kind::Number);
        for title in ["saved", "lost", "faster", "slower"] {
            table = table.column(title, Kind::Number);
        }
        for title in ["same", "failed twice", "unknown", "only A", "only B"] {
            table = table.spare(title, Kind::Number, 1);
        }
        let some = |n: u64| {
            if n == 0 {
                NOTHING.to_owned()
            } else {
                unit::count(n)
            }
        };
        for changes in &self.requests {
            table.row(vec![
                clean(&changes.traffic),
                unit::count(changes.matched),
                painted(Tone::Good, changes.saved),
                painted(Tone::Bad, changes.lost),
                some(changes.faster),
                some(changes.slower),
                some(changes.same),
                some(changes.failed),
                some(changes.unknown),
                some(changes.only_a),
                some(changes.only_b),
            ]);
        }
        let mut lines = vec![Tone::Strong.paint(&head)];
        lines.extend(table.lines(width));
        lines
    }

    fn measures(&self, width: usize) -> Vec<String> {
        let changed: Vec<&MeasureChange> = self
            .measures
            .iter()
            .filter(|measure| measure.difference.mean != 0.0)
            .collect();
        if changed.is_empty() {
            return vec![format!("{}: the same", Tone::Strong.paint("Measures"))];
        }
        let mut table = Table::default()
            .column("", Kind::Text)
            .column("measure", Kind::Name)
            .column("A", Kind::Number)
            .column("B", Kind::Number)
            .spare("95 % of B − A", Kind::Number, 2)
            .spare("p", Kind::Number, 1);
        for measure in &changed {
            let (told, difference) = (|value| measure.unit.told(value), measure.difference);
            let p = match difference.p {
                Some(p) if p < 0.0001 => "< 0.0001".into(),
                Some(p) => format!("{p:.4}"),
                None => NOTHING.to_owned(),
            };
            let interval = difference.interval.map(|(low, high)| {
                let told = |value| measure.unit.difference(value);
                format!("{} … {}", told(low), told(high))
            });
            table.row(vec![
                mark(measure),
                clean(&measure.name),
                told(measure.a),
                told(measure.b),
                interval.unwrap_or_else(|| NOTHING.into()),
                p,
            ]);
        }
        let mut lines = vec![Tone::Strong.paint("Measures")];
        lines.extend(table.lines(width));
        lines
    }

    fn expectations(&self, width: usize) -> Vec<String> {
        if self.expectations.is_empty() {
            return Vec::new();
        }
        let mut table = Table::default()
            .column("expectation", Kind::Name)
            .column("A", Kind::Number)
            .column("B", Kind::Number);
        let seeds = self.seeds.len() as u64;
        let met = |met: Option<u64>| match met {
            None => NOTHING.to_owned(),
            Some(met) if met == seeds => Tone::Good.paint("met"),
            Some(0) => Tone::Bad.paint("not met"),
            Some(met) => Tone::Bad.paint(&format!("met {met} of {seeds}")),
        };
        for expectation in &self.expectations {
            let name = expectation
                .name
                .strip_prefix("expect ")
                .unwrap_or(&expectation.name);
            table.row(vec![
                clean(name),
                met(expectation.a_met),
                met(expectation.b_met),
            ]);
        }
        let mut lines = vec![Tone::Strong.paint("Expectations")];
        lines.extend(table.lines(width));
        lines
    }

    fn edges(&self, width: usize) -> Vec<String> {
        let changed: Vec<_> = self.edges.iter().filter(|edge| edge.a != edge.b).collect();
        if changed.is_empty() {
            return Vec::new();
        }
        let mut table = Table::default()
            .column("from", Kind::Name)
            .column("→ to", Kind::Name)
            .column("requests", Kind::Text)
            .column("failed", Kind::Text)
            .spare("tries/req", Kind::Text, 1)
            .spare("p99", Kind::Text, 2);
        for edge in changed {
            let both = |of: &dyn Fn(&EdgeSide) -> String| {
                let (a, b) = (of(&edge.a), of(&edge.b));
                if a == b { a } else { format!("{a} → {b}") }
            };
            table.row(vec![
                clean(&edge.from),
                format!("→ {}", clean(&edge.to)),
                both(&|side| unit::count(side.requests)),
                both(&|side| unit::count(side.failed)),
                both(&|side| match side.requests {
                    0 => NOTHING.into(),
                    requests => unit::ratio(side.attempts as f64 / requests as f64),
                }),
                both(&|side| side.p99_ms.map_or(NOTHING.into(), unit::millis)),
            ]);
        }
        let mut lines = vec![Tone::Strong.paint("Edges that changed")];
        lines.extend(table.lines(width));
        lines
    }

    fn sample(&self, width: usize) -> Vec<String> {
        if self.sample.is_empty() {
            return Vec::new();
        }
        let mut table = Table::default()
            .column("", Kind::Text)
            .column("request", Kind::Text)
            .column("at", Kind::Number)
            .column("in A", Kind::Text)
            .column("in B", Kind::Text);
        for request in &self.sample {
            let word = match request.change {
                Change::Lost => Tone::Bad.paint("lost"),
                Change::Saved => Tone::Good.paint("saved"),
                Change::Slower => "slower".into(),
                Change::Faster => "faster".into(),
            };
            table.row(vec![
                word,
                format!("{} {}", clean(&request.traffic), request.sequence),
                format!("{:.3} s", seconds(request.intended_ns)),
                outcome(&request.a),
                outcome(&request.b),
            ]);
        }
        let mut lines = vec![Tone::Strong.paint("Some of the requests that changed")];
        lines.extend(table.lines(width));
        lines
    }
}

fn painted(tone: Tone, n: u64) -> String {
    if n == 0 {
        NOTHING.to_owned()
    } else {
        tone.paint(&unit::count(n))
    }
}

/// Better, worse, or nothing to speak of.
fn mark(measure: &MeasureChange) -> String {
    match measure.improved() {
        Some(true) => Tone::Good.paint("✓"),
        Some(false) => Tone::Bad.paint("✗"),
        None if measure.is_noise() => Tone::Faint.paint("≈"),
        None => "·".into(),
    }
}

fn outcome(side: &RequestSide) -> String {
    let status = side
        .status
        .map_or("no answer".into(), |status| status.to_string());
    let flags = match side.flags.as_str() {
        "" | "-" => String::new(),
        flags => format!(" {}", clean(flags)),
    };
    let time = side
        .latency_ns
        .map_or("never ended".into(), |nanos| unit::millis(millis(nanos)));
    match side.attempts {
        0 | 1 => format!("{status}{flags}, {time}"),
        tries => format!("{status}{flags}, {time}, {tries} tries"),
    }
}

/// `held`, `failed with 3 of 5 seeds`.
fn verdicts(side: &SideReport) -> String {
    let count = |verdict: Verdict| {
        side.verdicts
            .iter()
            .filter(|other| **other == verdict)
            .count()
    };
    let all = side.verdicts.len();
    let told = [
        (Verdict::Held, "held", Tone::Good),
        (Verdict::Failed, "failed", Tone::Bad),
        (Verdict::Metastable, "metastable", Tone::Bad),
        (Verdict::Interrupted, "interrupted", Tone::Bad),
    ]
    .into_iter()
    .filter(|(verdict, _, _)| count(*verdict) > 0)
    .map(|(verdict, word, tone)| match count(verdict) {
        n if n == all => tone.paint(word),
        n => tone.paint(&format!("{word} with {n} of {all} seeds")),
    });
    told.collect::<Vec<_>>().join(", ")
}
