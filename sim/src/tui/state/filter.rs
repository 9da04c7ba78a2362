//! Which requests and events are shown.

use meshquake_reports::RequestOutcome;

use crate::record::nanos;
use crate::tui::film::{Film, Kind, Row};

/// Entries that tell the same news within this time are one line.
const CHORUS_NS: u64 = 1_000_000_000;
/// How far back a line of the same news is looked for.
const CHORUS_DEPTH: usize = 16;

/// The requests that a filter lets through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    filter: String,
    seen: usize,
    shown: Vec<u32>,
}

impl Requests {
    /// Takes account of what was recorded since, and of another filter.
    pub(super) fn update(&mut self, film: &Film, filter: &str) {
        if self.filter != filter || self.seen > film.rows.len() {
            *self = Self {
                filter: filter.to_owned(),
                ..Self::default()
            };
        }
        let terms = terms(filter);
        for (index, row) in film.rows.iter().enumerate().skip(self.seen) {
            if terms.iter().all(|term| term.admits(film, row)) {
                self.shown.push(index as u32);
            }
        }
        self.seen = film.rows.len();
    }

    /// Their places among the film's rows.
    pub(crate) fn shown(&self) -> &[u32] {
        &self.shown
    }
}

/// One condition on requests; all must hold.
#[derive(Debug, PartialEq)]
enum Term {
    Failed,
    Succeeded,
    Status(String),
    Flag(String),
    Source(String),
    Through(String),
    Slower(u64),
    Text(String),
}

fn terms(filter: &str) -> Vec<Term> {
    filter.split_whitespace().map(term).collect()
}

fn term(word: &str) -> Term {
    let lower = word.to_lowercase();
    match lower.as_str() {
        "fail" | "failed" => return Term::Failed,
        "ok" => return Term::Succeeded,
        _ => {}
    }
    match lower.split_once(':') {
        Some(("status", value)) => Term::Status(value.into()),
        Some(("flag", value)) => Term::Flag(value.into()),
        Some(("from" | "traffic", value)) => Term::Source(value.into()),
        Some(("edge" | "pod" | "via", value)) => Term::Through(value.into()),
        Some(("slow" | "slower", value)) => {
            match mesh_core::document::duration::parse_go(value.trim_start_matches('>')) {
                Ok(least) => Term::Slower(nanos(least)),
                Err(_) => Term::Text(lower),
            }
        }
        _ => Term::Text(lower),
    }
}

impl Term {
    fn admits(&self, film: &Film, row: &Row) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(part);
        match self {
            Self::Failed => !row.succeeded,
            Self::Succeeded => row.succeeded,
            // `5xx`, or the beginning of a number; `none` is no answer.
            Self::Status(wanted) if wanted == "none" => row.status == 0,
            Self::Status(wanted) => {
                let digits = wanted.trim_end_matches('x');
                row.status > 0 && row.status.to_string().starts_with(digits)
            }
            Self::Flag(wanted) => {
                let flags = film.kind_name(row.kind).to_lowercase();
                flags.split(',').any(|flag| flag == wanted)
            }
            Self::Source(wanted) => has(film.cast.part_name(u32::from(row.source)), wanted),
            Self::Slower(least) => row.latency() >= *least,
            Self::Through(wanted) => through(film, row, wanted),
            Self::Text(wanted) => {
                has(film.cast.part_name(u32::from(row.source)), wanted)
                    || has(film.kind_name(row.kind), wanted)
                    || row.status.to_string() == *wanted
                    || row.sequence.to_string() == *wanted
                    || row.outcome != RequestOutcome::Answered
                        && has(&format!("{:?}", row.outcome), wanted)
                    || film.traces.get(&row.key()).is_some_and(|trace| {
                        has(&trace.request, wanted) || trace.trace.starts_with(wanted.as_str())
                    })
            }
        }
    }
}

/// Whether a request that is told in full went through a pod, a service, or from one to another (`a>b`).
fn through(film: &Film, row: &Row, wanted: &str) -> bool {
    let Some(trace) = film.traces.get(&row.key()) else {
        return false;
    };
    let has = |text: &str, part: &str| text.to_lowercase().contains(part);
    match wanted.split_once('>') {
        Some((from, to)) => trace.spans.iter().any(|span| {
            has(&span.service, from)
                && (has(&span.cluster, to) || has(&span.peer, to))
                && !to.is_empty()
        }),
        None => trace
            .spans
            .iter()
            .any(|span| has(&span.pod, wanted) || has(&span.peer, wanted)),
    }
}

/// Entries that tell one news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventLine {
    /// The first of them, by its place among the film's entries.
    pub(crate) first: u32,
    /// How many more there are.
    pub(crate) more: u32,
}

/// The events that a filter lets through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    filter: String,
    seen: usize,
    shown: Vec<EventLine>,
}

impl Events {
    /// Takes account of what was recorded since, and of another filter.
    pub(super) fn update(&mut self, film: &Film, filter: &str) {
        if self.filter != filter || self.seen > film.entries.len() {
            *self = Self {
                filter: filter.to_owned(),
                ..Self::default()
            };
        }
        let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
        let all = words.iter().any(|word| word == "all");
        for index in self.seen..film.entries.len() {
            let entry = &film.entries[index];
            if entry.what.is_routine() && !all {
                continue;
            }
            let admitted = words.iter().filter(|word| *word != "all").all(|word| {
                let of_kind = Kind::ALL.iter().any(|kind| kind.name() == word);
                if of_kind {
                    return entry.what.kind().name() == word;
                }
                let (subject, text) = entry.what.tell(film);
                subject.to_lowercase().contains(word) || text.to_lowercase().contains(word)
            });
            if !admitted {
                continue;
            }
            let recent = self.shown.iter_mut().rev().take(CHORUS_DEPTH);
            let chorus = recent.into_iter().find(|line| {
                let first = &film.entries[line.first as usize];
                first.at + CHORUS_NS >= entry.at && first.what.same_news(&entry.what)
            });
            match chorus {
                Some(line) => line.more += 1,
                None => self.shown.push(EventLine {
                    first: index as u32,
                    more: 0,
                }),
            }
        }
        self.seen = film.entries.len();
    }

    /// The lines.
    pub(crate) fn shown(&self) -> &[EventLine] {
        &self.shown
    }
}

impl EventLine {
    /// When, whom, and what.
    pub(crate) fn tell(&self, film: &Film) -> Option<(u64, Kind, String, String)> {
        let entry = film.entries.get(self.first as usize)?;
        let (subject, mut text) = entry.what.tell(film);
        if self.more > 0 {
            text.push_str(&format!(" and {} more", self.more));
        }
        Some((entry.at, entry.what.kind(), subject, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_words_that_all_hold() {
        assert_eq!(
            terms("fail flag:UO status:5xx slow:100ms shoppers"),
            [
                Term::Failed,
                Term::Flag("uo".into()),
                Term::Status("5xx".into()),
                Term::Slower(100_000_000),
                Term::Text("shoppers".into()),
            ]
        );
    }
}
