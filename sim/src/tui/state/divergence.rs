//! Where two runs part.

use crate::tui::film::{Film, Row};
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
    let films = [a, b];
    let entries = parted(news(a), news(b), |entry| entry.0);
    let entries = entries.map(|(at, pair)| Divergence {
        at,
        told: pair.map(|entry| entry.map_or(String::new(), |(_, text)| text)),
    });
    let rows = parted(
        a.rows.iter().map(essence),
        b.rows.iter().map(essence),
        |row| row.0,
    );
    let rows = rows.map(|(at, pair)| {
        let mut told = films.into_iter().zip(pair).map(|(film, row)| {
            let row = row.and_then(|essence| request(film, at, &essence));
            row.unwrap_or_default()
        });
        Divergence {
            at,
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

/// Names and not numbers: the two may have other casts.
fn news(film: &Film) -> impl Iterator<Item = (u64, String)> + '_ {
    let entries = film.entries.iter().filter(|entry| !entry.what.is_routine());
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

fn request(film: &Film, at: u64, wanted: &Essence) -> Option<String> {
    let first = film.rows.partition_point(|row| row.at < at);
    let row = film.rows[first..]
        .iter()
        .find(|row| essence(row) == *wanted)?;
    let source = film.cast.part_name(u32::from(row.source));
    let how = match (row.succeeded, film.kind_name(row.kind)) {
        (true, _) => "succeeds".to_owned(),
        (false, kind) => format!("fails with {kind}"),
    };
    let (sent, latency) = (clock(row.intended), span(row.latency()));
    Some(format!(
        "{source} #{} of {sent} {how} after {latency}",
        row.sequence
    ))
}

#[cfg(test)]
mod tests {
    use super::parted;

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
