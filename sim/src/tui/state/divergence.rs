//! Where two runs part.

use crate::tui::film::{Entry, Film, Row};
use crate::tui::text::{clock, span};

/// The first difference between two films.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    /// When.
    pub(crate) at: u64,
    /// What happened in each; empty where nothing did.
    pub(crate) told: [String; 2],
}

/// The first difference; `None` when there is none.
pub(super) fn first(a: &Film, b: &Film) -> Option<Divergence> {
    let entries = parted(&told(a), &told(b), |entry| entry.0);
    let entries = entries.map(|(at, pair)| Divergence {
        at,
        told: pair.map(|entry| entry.map_or(String::new(), |(_, text)| text.clone())),
    });
    let rows = parted(&requests(a), &requests(b), |row| row.0);
    let rows = rows.map(|(at, pair)| Divergence {
        at,
        told: pair.map(|row| row.map_or(String::new(), |(_, text)| text.clone())),
    });
    [entries, rows].into_iter().flatten().min_by_key(|divergence| divergence.at)
}

/// The first place at which two lists in order of time differ.
fn parted<'a, T: PartialEq>(
    a: &'a [T],
    b: &'a [T],
    at: impl Fn(&T) -> u64,
) -> Option<(u64, [Option<&'a T>; 2])> {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(same), b.get(same));
    let first = [a, b].into_iter().flatten().map(&at).min()?;
    Some((first, [a, b].map(|item| item.filter(|item| at(item) == first))))
}

/// Names and not numbers: the two may have other casts. A fault's count of what it touched comes too late to matter.
fn told(film: &Film) -> Vec<(u64, String)> {
    let news = |entry: &&Entry| !entry.what.is_routine();
    let entries = film.entries.iter().filter(news);
    let told = entries.map(|entry| {
        let (subject, text) = entry.what.tell(film);
        (entry.at, format!("{subject} {text}"))
    });
    told.collect()
}

fn requests(film: &Film) -> Vec<(u64, String)> {
    let tell = |row: &Row| {
        let source = film.cast.part_name(u32::from(row.source));
        let how = match (row.succeeded, film.kind_name(row.kind)) {
            (true, _) => "succeeds",
            (false, kind) => kind,
        };
        let sent = clock(row.intended);
        format!("{source} #{} of {sent} {how} after {}", row.sequence, span(row.latency()))
    };
    film.rows.iter().map(|row| (row.at, tell(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::parted;

    #[test]
    fn lists_part_at_the_first_difference() {
        let same = [(1, 'a'), (2, 'b')];
        assert_eq!(parted(&same, &same, |item| item.0), None);
        let other = [(1, 'a'), (2, 'c')];
        let found = parted(&same, &other, |item| item.0);
        assert_eq!(found, Some((2, [Some(&(2, 'b')), Some(&(2, 'c'))])));
        let later = [(1, 'a'), (3, 'c')];
        let found = parted(&same, &later, |item| item.0);
        assert_eq!(found, Some((2, [Some(&(2, 'b')), None])));
        assert_eq!(parted(&same[..1], &[], |item| item.0), Some((1, [Some(&(1, 'a')), None])));
    }
}
