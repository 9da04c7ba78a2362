//! Which requests are shown.
//!
//! A film may have millions, and the list follows every letter that is typed. So what a word means is worked out
//! once for each source, way to fail and status, and for the few requests that are told in full; what is left to do
//! for a request is to look it up.

use meshquake_reports::{RequestOutcome, TraceReport};

use crate::record::nanos;
use crate::record::quick::Set;
use crate::tui::film::{Film, Row};

/// Statuses whose places in a table are made beforehand.
const STATUSES: u16 = 1_000;

/// The requests that a filter lets through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    filter: String,
    seen: usize,
    shown: Vec<u32>,
    /// All that is told of the requests is known.
    whole: bool,
}

impl Requests {
    /// Takes account of what was recorded since, and of another filter.
    pub(super) fn update(&mut self, film: &Film, filter: &str) {
        let terms = terms(filter);
        // Requests are told in full some time after they have ended.
        let late = film.is_done() && !self.whole && terms.iter().any(Term::asks_traces);
        if self.filter != filter || self.seen > film.rows.len() || late {
            *self = Self {
                filter: filter.to_owned(),
                ..Self::default()
            };
        }
        let fresh = film.rows.get(self.seen..).unwrap_or(&[]);
        if !fresh.is_empty() {
            let many = fresh.len() > film.traces.len();
            let sieves = terms.iter().map(|term| Sieve::of(film, term, many));
            let sieves: Vec<Sieve<'_>> = sieves.collect();
            for (index, row) in fresh.iter().enumerate() {
                if sieves.iter().all(|sieve| sieve.admits(film, row)) {
                    self.shown.push((self.seen + index) as u32);
                }
            }
        }
        self.seen = film.rows.len();
        self.whole = film.is_done();
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
    const fn asks_traces(&self) -> bool {
        matches!(self, Self::Through(_) | Self::Text(_))
    }

    /// Whether what is told of a request in full is what is asked for.
    fn admits_trace(&self, trace: &TraceReport) -> bool {
        match self {
            Self::Through(wanted) => through(trace, wanted),
            Self::Text(wanted) => {
                contains(&trace.request, wanted) || trace.trace.starts_with(wanted.as_str())
            }
            _ => false,
        }
    }

    fn admits_status(&self, status: u16) -> bool {
        match self {
            // `5xx`, or the beginning of a number; `none` is no answer.
            Self::Status(wanted) if wanted == "none" => status == 0,
            Self::Status(wanted) => {
                let digits = wanted.trim_end_matches('x');
                status > 0 && status.to_string().starts_with(digits)
            }
            Self::Text(wanted) => status.to_string() == *wanted,
            _ => false,
        }
    }

    fn admits_kind(&self, kind: &str) -> bool {
        match self {
            Self::Flag(wanted) => kind.to_lowercase().split(',').any(|flag| flag == wanted),
            Self::Text(wanted) => contains(kind, wanted),
            _ => false,
        }
    }

    fn admits_source(&self, source: &str) -> bool {
        match self {
            Self::Source(wanted) | Self::Text(wanted) => contains(source, wanted),
            _ => false,
        }
    }

    fn admits_outcome(&self, outcome: RequestOutcome) -> bool {
        match self {
            Self::Text(wanted) => {
                outcome != RequestOutcome::Answered && contains(&format!("{outcome:?}"), wanted)
            }
            _ => false,
        }
    }
}

/// What a condition means in a film.
struct Sieve<'t> {
    term: &'t Term,
    /// By the numbers of sources, ways to fail, statuses.
    sources: Vec<bool>,
    kinds: Vec<bool>,
    statuses: Vec<bool>,
    outcomes: Vec<RequestOutcome>,
    /// The number that is asked for.
    sequence: Option<u64>,
    /// Those told in full that are asked for; `None` to look at each when it comes.
    traced: Option<Set<(u16, u64)>>,
}

impl<'t> Sieve<'t> {
    /// `many` is whether more requests are to be looked at than are told in full.
    fn of(film: &Film, term: &'t Term, many: bool) -> Self {
        let sources = film.cast.parts.iter().take(film.cast.sources);
        let kinds = film.kinds.iter();
        let outcomes = [
            RequestOutcome::Timeout,
            RequestOutcome::ConnectFailed,
            RequestOutcome::Broken,
            RequestOutcome::InFlight,
        ];
        let traced = || {
            let traces = film.traces.iter();
            let wanted = traces.filter(|(_, trace)| term.admits_trace(trace));
            wanted.map(|(key, _)| *key).collect()
        };
        Self {
            sources: sources.map(|part| term.admits_source(&part.name)).collect(),
            kinds: kinds.map(|kind| term.admits_kind(kind)).collect(),
            statuses: (0..STATUSES).map(|s| term.admits_status(s)).collect(),
            outcomes: outcomes
                .into_iter()
                .filter(|outcome| term.admits_outcome(*outcome))
                .collect(),
            sequence: match term {
                Term::Text(wanted) => {
                    let number = wanted.parse::<u64>().ok();
                    number.filter(|number| number.to_string() == *wanted)
                }
                _ => None,
            },
            traced: (many && term.asks_traces()).then(traced),
            term,
        }
    }

    fn admits(&self, film: &Film, row: &Row) -> bool {
        match self.term {
            Term::Failed => !row.succeeded,
            Term::Succeeded => row.succeeded,
            Term::Slower(least) => row.latency() >= *least,
            Term::Status(_) => self.status(row.status),
            Term::Flag(_) => at(&self.kinds, row.kind),
            Term::Source(_) => at(&self.sources, row.source),
            Term::Through(_) => self.trace(film, row),
            Term::Text(_) => {
                at(&self.sources, row.source)
                    || at(&self.kinds, row.kind)
                    || self.status(row.status)
                    || self.sequence == Some(row.sequence)
                    || self.outcomes.contains(&row.outcome)
                    || self.trace(film, row)
            }
        }
    }

    fn status(&self, status: u16) -> bool {
        match self.statuses.get(usize::from(status)) {
            Some(admitted) => *admitted,
            None => self.term.admits_status(status),
        }
    }

    fn trace(&self, film: &Film, row: &Row) -> bool {
        match &self.traced {
            Some(traced) => traced.contains(&row.key()),
            None => {
                let trace = film.traces.get(&row.key());
                trace.is_some_and(|trace| self.term.admits_trace(trace))
            }
        }
    }
}

fn at(admitted: &[bool], number: u16) -> bool {
    admitted.get(usize::from(number)) == Some(&true)
}

/// Whether a request went through a pod, a service, or from one to another (`a>b`).
fn through(trace: &TraceReport, wanted: &str) -> bool {
    match wanted.split_once('>') {
        Some((from, to)) => trace.spans.iter().any(|span| {
            contains(&span.service, from)
                && (contains(&span.cluster, to) || contains(&span.peer, to))
                && !to.is_empty()
        }),
        None => trace
            .spans
            .iter()
            .any(|span| contains(&span.pod, wanted) || contains(&span.peer, wanted)),
    }
}

/// Whether `part`, which is in small letters, is in `text`, in letters of any size.
pub(super) fn contains(text: &str, part: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(part);
    }
    let mut windows = text.as_bytes().windows(part.len().max(1));
    part.is_empty() || windows.any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::film::tests::{TROUBLED, recorded};
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn letters_of_any_size_are_the_same(text in "[a-cA-CäÄ]{0,8}", part in "[a-cä]{0,3}") {
            prop_assert_eq!(contains(&text, &part), text.to_lowercase().contains(&part));
        }
    }

    /// What is worked out beforehand says what looking at each request by itself says.
    #[test]
    fn a_table_says_what_each_request_says() {
        let (film, ..) = recorded(TROUBLED);
        let statuses: Vec<String> = film.rows.iter().map(|row| row.status.to_string()).collect();
        for filter in [
            "users",
            "timeout",
            "503",
            "200",
            "17",
            "status:5xx",
            "status:none",
            "flag:uf",
            "pod:api-1",
            "edge:web>api",
            "from:use",
            "ok pod:web-0",
            "fail slow:20ms",
            "nobody",
        ] {
            let mut all = Requests::default();
            all.update(&film, filter);
            let terms = terms(filter);
            let wanted = |(index, row): (usize, &Row)| {
                let trace = film.traces.get(&row.key());
                let kind = film.kind_name(row.kind);
                let source = film.cast.part_name(u32::from(row.source));
                let holds = terms.iter().all(|term| match term {
                    Term::Failed => !row.succeeded,
                    Term::Succeeded => row.succeeded,
                    Term::Slower(least) => row.latency() >= *least,
                    Term::Status(wanted) if wanted == "none" => row.status == 0,
                    Term::Status(_) => statuses[index].starts_with('5'),
                    Term::Flag(flag) => kind.to_lowercase().split(',').any(|f| f == flag),
                    Term::Source(wanted) => source.contains(wanted.as_str()),
                    Term::Through(_) => trace.is_some_and(|trace| term.admits_trace(trace)),
                    Term::Text(wanted) => {
                        source.contains(wanted.as_str())
                            || kind.to_lowercase().contains(wanted.as_str())
                            || statuses[index] == *wanted
                            || row.sequence.to_string() == *wanted
                            || term.admits_outcome(row.outcome)
                            || trace.is_some_and(|trace| term.admits_trace(trace))
                    }
                });
                holds.then_some(index as u32)
            };
            let wanted: Vec<u32> = film.rows.iter().enumerate().filter_map(wanted).collect();
            assert_eq!(all.shown(), wanted, "{filter}");
        }
    }
}
