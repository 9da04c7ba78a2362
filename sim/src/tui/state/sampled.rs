//! Where two runs part, by what records tell of both.
//!
//! A record keeps counts by window, a timeline, and the worst of the requests. That a request is not in it says
//! nothing about the run: only what both tell can differ. So the first difference that is found is seldom the first
//! there was, and is told as what it is: an instant by which they had parted, or the window of what was begun
//! otherwise.

use std::collections::BTreeMap;

use meshquake_reports::summary::unit;
use meshquake_reports::{RunReport, Series, TimelineEntry};

use super::divergence::{Divergence, Parting};
use crate::tui::film::{Film, Row};
use crate::tui::text::{clock, inert, span};

/// The first difference in what both tell; `None` when there is none.
pub(super) fn first(a: &Film, b: &Film) -> Option<Divergence> {
    let mut found = vec![kept(a, b)];
    if let (Some(a), Some(b)) = (&a.report, &b.report) {
        found.push(timeline(a, b));
        found.push(windows(a, b));
    }
    found.into_iter().flatten().min_by_key(Divergence::latest)
}

/// Requests that both keep: one that ended otherwise.
fn kept(a: &Film, b: &Film) -> Option<Divergence> {
    // The record's few are looked up in, whichever it is.
    if a.rows.len() < b.rows.len() {
        return kept(b, a).map(Divergence::turned);
    }
    let named = |film: &Film, row: &Row| {
        let source = film.cast.part_name(u32::from(row.source)).to_owned();
        (source, row.sequence)
    };
    let few: BTreeMap<(String, u64), &Row> =
        b.rows.iter().map(|row| (named(b, row), row)).collect();
    let shorter = a.length.min(b.length);
    let parted = a.rows.iter().filter_map(|row| {
        let other = few.get(&named(a, row))?;
        let what = |row: &Row| (row.intended, row.at, row.status, row.succeeded);
        let at = match row.intended == other.intended {
            true => row.at.min(other.at),
            false => row.intended.min(other.intended),
        };
        (what(row) != what(other) && at <= shorter).then_some((at, row, *other))
    });
    let (at, row, other) = parted.min_by_key(|(at, ..)| *at)?;
    Some(Divergence {
        at,
        parting: Parting::ByThen,
        told: [request(a, row), request(b, other)],
    })
}

/// A request, in words.
pub(super) fn request(film: &Film, row: &Row) -> String {
    let source = film.cast.part_name(u32::from(row.source));
    let how = match (row.succeeded, film.kind_name(row.kind)) {
        (true, _) => "succeeds".to_owned(),
        (false, kind) => format!("fails with {kind}"),
    };
    let (number, sent, latency) = (row.number(), clock(row.intended), span(row.latency()));
    format!("{source} {number} of {sent} {how} after {latency}")
}

/// Timelines: the first entry that is not the same. A timeline that is full tells nothing of what came after.
fn timeline(a: &RunReport, b: &RunReport) -> Option<Divergence> {
    let shorter = a.virtual_seconds.min(b.virtual_seconds);
    let (mut first, mut second) = (a.timeline.iter(), b.timeline.iter());
    let ends = |entry: &TimelineEntry| entry.at_s + entry.for_s.unwrap_or(0.0);
    loop {
        let pair = [first.next(), second.next()];
        if pair[0].is_none() && a.timeline_omitted > 0
            || pair[1].is_none() && b.timeline_omitted > 0
        {
            return None;
        }
        if pair[0] == pair[1] {
            pair[0]?;
            continue;
        }
        let at = pair
            .iter()
            .flatten()
            .map(|entry| entry.at_s)
            .fold(f64::MAX, f64::min);
        if at > shorter {
            return None;
        }
        // What went on for a while is the same up to its shorter end, as far as anybody knows.
        let own = pair.map(|entry| entry.filter(|entry| entry.at_s == at));
        let known = own
            .iter()
            .flatten()
            .map(|entry| ends(entry))
            .fold(f64::MAX, f64::min);
        let tell = |entry: Option<&TimelineEntry>| {
            entry.map_or(String::new(), |entry| {
                inert(&format!("{} {}", entry.subject, entry.text))
            })
        };
        return Some(Divergence {
            at: nanos(known.min(shorter)),
            parting: Parting::ByThen,
            told: own.map(tell),
        });
    }
}

/// Counts of windows, of traffic sources and edges that both have.
fn windows(a: &RunReport, b: &RunReport) -> Option<Divergence> {
    let mut found = Vec::new();
    for (name, own) in &a.traffic {
        let Some(other) = b.traffic.get(name) else {
            continue;
        };
        found.extend(window(name, [&own.series, &other.series], (a, b)));
    }
    for edge in &a.edges {
        let same = b
            .edges
            .iter()
            .find(|other| other.from == edge.from && other.to == edge.to);
        if let (Some(own), Some(other)) =
            (&edge.series, same.and_then(|other| other.series.as_ref()))
        {
            let name = format!("{} → {}", edge.from, edge.to);
            found.extend(window(&name, [own, other], (a, b)));
        }
    }
    found.into_iter().min_by_key(Divergence::latest)
}

/// The first window in which two series differ. How what was begun came out is compared only between runs of one
/// length: the end of a run cuts it off.
fn window(name: &str, series: [&Series; 2], runs: (&RunReport, &RunReport)) -> Option<Divergence> {
    let [a, b] = series;
    if a.window_s != b.window_s
        || a.window_s <= 0.0
        || runs.0.virtual_seconds != runs.1.virtual_seconds
    {
        return None;
    }
    let count = a.requests.len().max(b.requests.len());
    let index = (0..count).find(|index| seen(a, *index) != seen(b, *index))?;
    let (from, to) = (index as f64 * a.window_s, (index + 1) as f64 * a.window_s);
    let to = to.min(runs.0.virtual_seconds);
    Some(Divergence {
        at: nanos(from),
        parting: Parting::Begun { until: nanos(to) },
        told: series.map(|series| inert(&format!("{name}: {}", counts(series, index)))),
    })
}

/// What a series tells of a window.
type Seen = (u64, u64, u64, Option<f64>, Option<f64>);

fn seen(series: &Series, index: usize) -> Seen {
    let of = |counts: &[u64]| counts.get(index).copied().unwrap_or(0);
    let ms = |quantiles: &[Option<f64>]| quantiles.get(index).copied().flatten();
    (
        of(&series.requests),
        of(&series.failed),
        of(&series.attempts),
        ms(&series.p50_ms),
        ms(&series.p99_ms),
    )
}

fn counts(series: &Series, index: usize) -> String {
    let (requests, failed, attempts, p50, p99) = seen(series, index);
    let mut told = vec![
        unit::counted(requests, "request"),
        format!("{} failed", unit::count(failed)),
    ];
    if attempts > 0 {
        told.push(unit::counted(attempts, "attempt"));
    }
    for (name, ms) in [("p50", p50), ("p99", p99)] {
        if let Some(ms) = ms {
            told.push(format!("{name} {}", unit::millis(ms)));
        }
    }
    told.join(", ")
}

fn nanos(seconds: f64) -> u64 {
    // What came before the beginning is there at the beginning; `as` saturates.
    (seconds * 1e9).round() as u64
}
