//! Where two runs part.

use super::sampled::{self, request};
use crate::tui::film::{Film, Kind, Row};

/// The first difference between two films.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    /// When: what is looked at to see it.
    pub(crate) at: u64,
    /// How well that is known.
    pub(crate) parting: Parting,
    /// What happened in each; empty where nothing did.
    pub(crate) told: [String; 2],
}

/// How well the instant at which two runs part is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// They part then.
    Then,
    /// They have parted by then.
    ByThen,
    /// Something that was begun from then on, and before this, went otherwise.
    Begun {
        /// End of the window.
        until: u64,
    },
}

impl Divergence {
    /// The latest that it can be of.
    pub(super) const fn latest(&self) -> u64 {
        match self.parting {
            Parting::Then | Parting::ByThen => self.at,
            Parting::Begun { until } => until,
        }
    }

    /// The same with the films in the other order.
    pub(super) fn turned(mut self) -> Self {
        self.told.swap(0, 1);
        self
    }
}

/// The first difference; `None` when there is none.
pub(super) fn first(a: &Film, b: &Film) -> Option<Divergence> {
    if a.from_record || b.from_record {
        return sampled::first(a, b);
    }
    let films = [a, b];
    let entries = parted(news(a), news(b), |entry| entry.0);
    let entries = entries.map(|(at, pair)| Divergence {
        at,
        parting: Parting::Then,
        told: pair.map(|entry| entry.map_or(String::new(), |(_, text)| text)),
    });
    let rows = parted(
        a.rows.iter().map(essence),
        b.rows.iter().map(essence),
        |row| row.0,
    );
    let rows = rows.map(|(at, pair)| {
        let mut told = films.into_iter().zip(pair).map(|(film, row)| {
            let row = row.and_then(|essence| row_of(film, at, &essence));
            row.map_or(String::new(), |row| request(film, row))
        });
        Divergence {
            at,
            parting: Parting::Then,
            told: [
                told.next().unwrap_or_default(),
                told.next().unwrap_or_default(),
            ],
        }
    });
    [entries, rows]
        .into_iter()
        .flatten()
        .min_by_key(|divergence| divergence.at)
}

/// The first place at which two lists in order of time differ, with what stands there in each.
fn parted<T: PartialEq>(
    mut a: impl Iterator<Item = T>,
    mut b: impl Iterator<Item = T>,
    at: impl Fn(&T) -> u64,
) -> Option<(u64, [Option<T>; 2])> {
    loop {
        let pair = [a.next(), b.next()];
        if pair[0] != pair[1] {
            let first = pair.iter().flatten().map(&at).min()?;
            return Some((
                first,
                pair.map(|item| item.filter(|item| at(item) == first)),
            ));
        }
        pair[0].as_ref()?;
    }
}

/// Names and not numbers: the two may have other casts. Mechanisms are counted by moments, which a difference may lie
/// within; what they do to requests is compared anyway.
fn news(film: &Film) -> impl Iterator<Item = (u64, String)> + '_ {
    let entries = film.entries.iter();
    let entries =
        entries.filter(|entry| !entry.what.is_routine() && entry.what.kind() != Kind::Mechanism);
    entries.map(|entry| {
        let (subject, text) = entry.what.tell(film);
        (entry.at, format!("{subject} {text}"))
    })
}

/// A request's end, source, number, beginning, status and success.
type Essence = (u64, u16, u64, u64, u16, bool);

const fn essence(row: &Row) -> Essence {
    (
        row.at,
        row.source,
        row.sequence,
        row.intended,
        row.status,
        row.succeeded,
    )
}

fn row_of<'f>(film: &'f Film, at: u64, wanted: &Essence) -> Option<&'f Row> {
    let first = film.rows.partition_point(|row| row.at < at);
    let mut rows = film.rows[first..].iter();
    rows.find(|row| essence(row) == *wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::film::tests::{OVERLOADED, TROUBLED, breaker, recorded, recorded_with};

    /// A record that does not keep a request does not say that there was none.
    #[test]
    fn a_run_does_not_differ_from_its_record() {
        let (live, ..) = recorded(TROUBLED);
        let record = Film::of_report(*live.report.clone().unwrap());
        assert!(record.rows.len() < live.rows.len());
        assert_eq!(first(&live, &record), None);
        assert_eq!(first(&record, &live), None);
        // Nor from one that keeps others of its requests.
        let mut report = *live.report.clone().unwrap();
        let worst = &mut report.detail.as_mut().unwrap().worst;
        worst.truncate(worst.len() / 2);
        assert_eq!(first(&Film::of_report(report), &record), None);
    }

    #[test]
    fn records_part_where_what_both_know_differs() {
        let (a, ..) = recorded(TROUBLED);
        let (b, ..) = recorded(&TROUBLED.replace("at: 7s", "at: 8s"));
        let exact = first(&a, &b).unwrap();
        assert_eq!((exact.at, exact.parting), (7_000_000_000, Parting::Then));
        let [a, b] = [a, b].map(|film| Film::of_report(*film.report.unwrap()));
        let told = first(&a, &b).unwrap();
        assert_ne!(told.parting, Parting::Then);
        // Not before they do, by more than the window of what is begun; and not long after.
        let window = match told.parting {
            Parting::Begun { until } => until - told.at,
            _ => 0,
        };
        assert!(told.at + window >= exact.at, "{told:?}");
        assert!(told.latest() <= exact.at + 1_000_000_000, "{told:?}");
        assert!(told.told.iter().any(|side| !side.is_empty()), "{told:?}");
        // One request that both keep and that took longer in one.
        let mut report = *a.report.clone().unwrap();
        let trace = &mut report.detail.as_mut().unwrap().worst[0];
        let latency = trace.latency_ns.as_mut().unwrap();
        *latency += 1_000_000;
        let (end, number) = (trace.intended_ns + *latency - 1_000_000, trace.sequence);
        let told = first(&a, &Film::of_report(report)).unwrap();
        assert_eq!((told.at, told.parting), (end, Parting::ByThen));
        assert!(
            told.told
                .iter()
                .all(|side| side.contains(&format!("#{number} "))),
            "{told:?}"
        );
    }

    /// Runs whose mesh is told other things are told apart by windows.
    #[test]
    fn windows_tell_of_what_was_begun_in_them() {
        let few = "connectionPool: { http: { maxRetries: 1 } }";
        let many = "connectionPool: { http: { maxRetries: 50 } }";
        let films = [few, many].map(|limit| recorded_with(OVERLOADED, &breaker(limit)).0);
        let exact = first(&films[0], &films[1]).unwrap();
        let films = films.map(|film| Film::of_report(*film.report.unwrap()));
        let told = first(&films[0], &films[1]).unwrap();
        assert!(
            told.latest() >= told.at && told.at <= exact.at,
            "{told:?} {exact:?}"
        );
        assert_eq!(first(&films[1], &films[0]), Some(told.turned()));
    }

    #[test]
    fn lists_part_at_the_first_difference() {
        let parts = |a: &[(u64, char)], b: &[(u64, char)]| {
            parted(a.iter().copied(), b.iter().copied(), |item| item.0)
        };
        let same = [(1, 'a'), (2, 'b')];
        assert_eq!(parts(&same, &same), None);
        assert_eq!(
            parts(&same, &[(1, 'a'), (2, 'c')]),
            Some((2, [Some((2, 'b')), Some((2, 'c'))]))
        );
        assert_eq!(
            parts(&same, &[(1, 'a'), (3, 'c')]),
            Some((2, [Some((2, 'b')), None]))
        );
        assert_eq!(parts(&same[..1], &[]), Some((1, [Some((1, 'a')), None])));
    }
}
