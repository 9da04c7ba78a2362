//! A run as a film: recorded once, played at any speed, backwards as easily as forwards.
//!
//! A run is deterministic and takes a second or so; a person who looks for the moment at which it went wrong takes
//! minutes. So the run is not stepped while it is watched. It is recorded as fast as it goes, and what is watched
//! is the recording. Going back in time is then a look-up, and a live run is nothing but a film whose end is not
//! there yet.
//!
//! The film has three tracks. *Entries* are what happened, each at its instant; the state of pods, faults,
//! ejections, configuration and certificates at any instant is the fold of the entries before it
//! ([`Standing::apply`]), and the camera keeps its own state by the same fold, so the two cannot differ. *Frames*
//! cut the run into moments of one length; each holds what was counted in it and the state at its end. *Rows* are
//! the requests of traffic sources in the order in which they ended. All three are bounded, and what found no room
//! is counted.

mod burst;
mod camera;
mod cast;
mod entry;
mod flight;
mod latency;
mod limits;
mod names;
mod recent;
mod recorded;
mod standing;

#[cfg(test)]
pub(super) mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use mesh_core::telemetry::Mechanism;
use meshquake_reports::{RequestOutcome, RunReport, TraceReport};

pub(crate) use camera::{Camera, Piece};
pub(crate) use cast::{Cast, EdgeId, PartId, PodId};
pub(crate) use entry::{Entry, Kind, What, acted};
pub(crate) use flight::{Limit, Pool, PoolId, Retries};
pub(crate) use latency::Buckets;
pub(crate) use recorded::ToldService;
pub(crate) use standing::{Life, PodState, Standing};

use flight::Flight;

use super::text::Label;

/// Stretches of a film in which edges are compared.
const STRETCHES: usize = 100;

/// The number of the first request that a fault adds to a source (`traffic::surge`).
const ADDED_FIRST: u64 = 1 << 48;

/// A recorded run, or as much of it as there is.
#[derive(Debug, Default)]
pub(crate) struct Film {
    /// Who takes part.
    pub(crate) cast: Cast,
    /// The scenario's name.
    pub(crate) title: Label,
    /// Its seed.
    pub(crate) seed: u64,
    /// How long the run is.
    pub(crate) length: u64,
    /// How far it has been recorded.
    pub(crate) reached: u64,
    /// Caller and callee by edge.
    pub(crate) edges: Vec<(PartId, PartId)>,
    /// Ways in which requests failed, by number; the first is none at all.
    pub(crate) kinds: Vec<Label>,
    /// Where sidecars count retries, by number.
    pub(crate) pools: Vec<Pool>,
    /// Requests in flight in those with a retry budget.
    active: BTreeMap<PoolId, flight::Course>,
    /// What they allow where that changed, from an instant on.
    limits: BTreeMap<PoolId, Vec<(u64, Limit)>>,
    /// How things stood when the scenario began.
    pub(crate) start: Arc<Standing>,
    /// Moments, one after the other without a gap.
    pub(crate) frames: Vec<Frame>,
    /// What happened, in order.
    pub(crate) entries: Vec<Entry>,
    /// Entries that found no room.
    pub(crate) entries_omitted: u64,
    /// Requests, in the order in which they ended.
    pub(crate) rows: Vec<Row>,
    /// Requests that found no room.
    pub(crate) rows_omitted: u64,
    /// Requests told in full, by traffic source and number.
    pub(crate) traces: BTreeMap<(u16, u64), Arc<TraceReport>>,
    /// The record, once the run has ended.
    pub(crate) report: Option<Box<RunReport>>,
    /// Why it came to no end.
    pub(crate) broken: Option<String>,
    /// Whether it was made from a record: moments are coarser, and single pods known only by what the record tells.
    pub(crate) from_record: bool,
}

/// A moment: what was counted in it, and how things stood at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Beginning.
    pub(crate) from: u64,
    /// End.
    pub(crate) to: u64,
    /// By traffic source.
    pub(crate) traffic: Vec<TrafficCell>,
    /// By edge, those on which something happened, in order.
    pub(crate) edges: Vec<(EdgeId, EdgeCell)>,
    /// By pod, those to which something happened.
    pub(crate) pods: Vec<(PodId, PodCell)>,
    /// Retries in flight where there were any, by the sidecar's cluster, in order.
    pub(crate) retries: Vec<(PoolId, Flight)>,
    /// How things stood at the end.
    pub(crate) standing: Arc<Standing>,
    /// How many entries had been made by then.
    pub(crate) entries: usize,
}

/// A traffic source in a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrafficCell {
    /// Requests sent.
    pub(crate) sent: u32,
    /// Requests that ended well.
    pub(crate) succeeded: u32,
    /// Requests that ended otherwise, by [`Film::kinds`].
    pub(crate) failed: Vec<(u16, u32)>,
    /// Latencies of those answered.
    pub(crate) latency: Buckets,
    /// The 99th percentile where single latencies are not known.
    pub(crate) p99: Option<u64>,
}

/// An edge in a moment, as the callers' sidecars saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EdgeCell {
    /// Requests ended.
    pub(crate) requests: u32,
    /// Those of them without an answer or with 500 and more.
    pub(crate) failed: u32,
    /// Attempts ended.
    pub(crate) attempts: u32,
    /// Attempts that were made for the requests ended, whenever: what retries multiply load by.
    pub(crate) tried: u32,
    /// Connections made, closed, and failed to be made.
    pub(crate) opened: u32,
    /// Connections that ended.
    pub(crate) closed: u32,
    /// Connections that could not be made.
    pub(crate) refused: u32,
    /// Latencies of the requests.
    pub(crate) latency: Buckets,
    /// The 99th percentile where single latencies are not known.
    told_p99: Option<u64>,
    /// Mechanisms that acted.
    pub(crate) acts: Vec<(Mechanism, u32)>,
}

/// A pod in a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodCell {
    /// Attempts sent to it, ended.
    pub(crate) attempts: u32,
    /// Those of them that failed, as their callers saw it.
    pub(crate) failed: u32,
    /// Requests its app is done with.
    pub(crate) done: u32,
    /// Those of them that the app answered with 500 and more, or not at all.
    pub(crate) errors: u32,
    /// The longest line that an arriving request met.
    pub(crate) queue: u32,
}

/// A request of a traffic source that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// When it ended.
    pub(crate) at: u64,
    /// When it should have been sent.
    pub(crate) intended: u64,
    /// Its number at its source.
    pub(crate) sequence: u64,
    /// Its source.
    pub(crate) source: u16,
    /// Status; 0 when no answer came.
    pub(crate) status: u16,
    /// How it failed, by [`Film::kinds`]; 0 when nothing is to be said.
    pub(crate) kind: u16,
    /// Whether it counts as a success.
    pub(crate) succeeded: bool,
    /// How it ended.
    pub(crate) outcome: RequestOutcome,
}

impl Row {
    /// From the intended send time to the end.
    pub(crate) const fn latency(&self) -> u64 {
        self.at.saturating_sub(self.intended)
    }

    /// Its number at its source, for people: what a fault added is counted by itself.
    pub(crate) fn number(&self) -> String {
        match self.sequence.checked_sub(ADDED_FIRST) {
            Some(added) => format!("+{}", added + 1),
            None => format!("#{}", self.sequence),
        }
    }

    /// Its source and number there.
    pub(crate) const fn key(&self) -> (u16, u64) {
        (self.source, self.sequence)
    }
}

/// Requests over a stretch of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// How long the stretch is.
    pub(crate) ns: u64,
    /// Requests sent.
    pub(crate) sent: u64,
    /// Requests that ended well.
    pub(crate) succeeded: u64,
    /// Requests that ended otherwise.
    pub(crate) failed: u64,
    /// The same by [`Film::kinds`].
    pub(crate) kinds: BTreeMap<u16, u64>,
    /// Latencies.
    pub(crate) latency: Buckets,
    /// The worst of the moments' 99th percentiles, where single latencies are not known.
    p99_told: Option<u64>,
    /// How many of them there are.
    p99s: u32,
}

impl Tally {
    /// So much per second.
    pub(crate) fn rate(&self, count: u64) -> f64 {
        match self.ns {
            0 => 0.0,
            ns => count as f64 * 1e9 / ns as f64,
        }
    }

    /// Share of requests that failed; `None` when none ended.
    pub(crate) fn error_share(&self) -> Option<f64> {
        let ended = self.succeeded + self.failed;
        (ended > 0).then(|| self.failed as f64 / ended as f64)
    }

    /// The 99th percentile of the latency.
    pub(crate) fn p99(&self) -> Option<u64> {
        match self.p99_told {
            // What the record says of one window is exact.
            Some(told) if self.p99s == 1 => Some(told),
            told => self.latency.quantile(0.99).or(told),
        }
    }
}

impl Film {
    /// Nothing recorded yet.
    pub(crate) fn blank(cast: Cast, title: &str, seed: u64, length: u64) -> Self {
        Self {
            start: Arc::new(Standing::of(&cast)),
            cast,
            title: Label::new(title),
            seed,
            length,
            kinds: vec![Label::new("-")],
            ..Self::default()
        }
    }

    /// Adds what was recorded next.
    pub(crate) fn append(&mut self, piece: Piece) {
        if let Some(start) = piece.start {
            self.start = start;
        }
        self.cast.parts.extend(piece.parts);
        self.edges.extend(piece.edges);
        self.kinds.extend(piece.kinds);
        self.pools.extend(piece.pools);
        for ((pool, frame), by) in piece.active {
            let course = self.active.entry(pool).or_default();
            *course.entry(frame).or_default() += by;
        }
        for (pool, at, limit) in piece.limits {
            self.limits.entry(pool).or_default().push((at, limit));
        }
        self.frames.extend(piece.frames);
        self.entries.extend(piece.entries);
        self.rows.extend(piece.rows);
        for (key, trace) in piece.traces {
            self.traces.insert(key, trace);
        }
        self.entries_omitted += piece.entries_omitted;
        self.rows_omitted += piece.rows_omitted;
        self.reached = self.reached.max(piece.reached);
    }

    /// Takes away what was recorded after `at`: it will come otherwise.
    pub(crate) fn forget(&mut self, at: u64) {
        let at = at.min(self.reached);
        self.reached = at;
        (self.report, self.broken) = (None, None);
        let frames = self.frames.partition_point(|frame| frame.to <= at);
        self.frames.truncate(frames);
        self.entries
            .truncate(self.entries.partition_point(|entry| entry.at <= at));
        self.rows
            .truncate(self.rows.partition_point(|row| row.at <= at));
        let kept: BTreeSet<(u16, u64)> = self.rows.iter().map(Row::key).collect();
        self.traces.retain(|key, _| kept.contains(key));
        for course in self.active.values_mut() {
            course.retain(|frame, _| (*frame as usize) < frames);
        }
        for limits in self.limits.values_mut() {
            limits.retain(|(from, _)| *from <= at);
        }
        (self.entries_omitted, self.rows_omitted) = (0, 0);
    }

    /// Whether nothing more will come.
    pub(crate) const fn is_done(&self) -> bool {
        self.report.is_some() || self.broken.is_some()
    }

    /// Frames that overlap `[from, to)`.
    pub(crate) fn frames_between(&self, from: u64, to: u64) -> &[Frame] {
        let first = self.frames.partition_point(|frame| frame.to <= from);
        let last = self.frames.partition_point(|frame| frame.from < to);
        self.frames.get(first..last.max(first)).unwrap_or(&[])
    }

    /// Frames of the last `ns` before the end of the moment that `at` belongs to.
    pub(crate) fn frames_before(&self, at: u64, ns: u64) -> &[Frame] {
        let last = self.frames.partition_point(|frame| frame.to < at);
        let end = (last + 1).min(self.frames.len());
        let to = self.frames[..end].last().map_or(0, |frame| frame.to);
        let first = self.frames.partition_point(|frame| frame.from + ns < to);
        &self.frames[first.min(end)..end]
    }

    /// How things stood at `at`, to the entry.
    pub(crate) fn standing(&self, at: u64) -> Standing {
        let frame = self.frames.partition_point(|frame| frame.to <= at);
        let (mut standing, next) = match frame.checked_sub(1).and_then(|i| self.frames.get(i)) {
            Some(frame) => ((*frame.standing).clone(), frame.entries),
            None => ((*self.start).clone(), 0),
        };
        let later = self.entries.get(next..).unwrap_or(&[]).iter();
        for entry in later.take_while(|entry| entry.at <= at) {
            standing.apply(entry.at, &entry.what);
        }
        standing
    }

    /// What traffic sources (one of them, or all) saw in these frames.
    pub(crate) fn tally(&self, frames: &[Frame], source: Option<PartId>) -> Tally {
        let mut tally = Tally::default();
        for frame in frames {
            tally.ns += frame.to - frame.from;
            let cells = frame.traffic.iter().enumerate();
            for (_, cell) in cells.filter(|(i, _)| source.is_none_or(|s| s as usize == *i)) {
                tally.sent += u64::from(cell.sent);
                tally.succeeded += u64::from(cell.succeeded);
                for (kind, count) in &cell.failed {
                    tally.failed += u64::from(*count);
                    *tally.kinds.entry(*kind).or_default() += u64::from(*count);
                }
                tally.latency.merge(&cell.latency);
                tally.p99_told = tally.p99_told.max(cell.p99);
                tally.p99s += u32::from(cell.p99.is_some());
            }
        }
        tally
    }

    /// What happened on one edge in these frames, but for latencies.
    pub(crate) fn edge_sum(frames: &[Frame], edge: EdgeId) -> EdgeCell {
        let mut sum = EdgeCell::default();
        for frame in frames {
            let own = frame.edges.binary_search_by_key(&edge, |(id, _)| *id);
            if let Ok(place) = own {
                sum.count(&frame.edges[place].1);
            }
        }
        sum
    }

    /// The edge whose attempts for each request go furthest from one, of those that retried (and leave `source`, if
    /// one is named): the first line of the chart that pages draw of attempts. Edges are never thrown together: one
    /// that triples its load is no better for ten others that do not.
    pub(crate) fn most_retried(&self, source: Option<PartId>) -> Option<EdgeId> {
        let stretch = self.frames.len().div_ceil(STRETCHES).max(1);
        let mut areas: BTreeMap<EdgeId, f64> = BTreeMap::new();
        let mut retried = self.told_retried();
        for frames in self.frames.chunks(stretch) {
            let mut sums: BTreeMap<EdgeId, (u32, u32)> = BTreeMap::new();
            for (edge, cell) in frames.iter().flat_map(|frame| &frame.edges) {
                let sum = sums.entry(*edge).or_default();
                *sum = (sum.0 + cell.tried, sum.1 + cell.requests);
                if cell.acts_of(Mechanism::Retry) > 0 {
                    retried.insert(*edge);
                }
            }
            for (edge, (tried, requests)) in sums.into_iter().filter(|(_, sum)| sum.1 > 0) {
                let each = f64::from(tried) / f64::from(requests);
                *areas.entry(edge).or_default() += (each - 1.0).abs();
            }
        }
        let leaves = |edge: &EdgeId| {
            let from = self.edges.get(*edge as usize).map(|(from, _)| *from);
            source.is_none() || from == source
        };
        let areas = areas.into_iter();
        let told = areas.filter(|(edge, _)| retried.contains(edge) && leaves(edge));
        // Of equals the first, as pages have it.
        let most = told.reduce(|a, b| if b.1 > a.1 { b } else { a });
        most.map(|(edge, _)| edge)
    }

    /// The edges of which a record says that they retried; its moments do not.
    fn told_retried(&self) -> BTreeSet<EdgeId> {
        let edges = self.report.iter().filter(|_| self.from_record);
        let edges = edges.flat_map(|report| report.edges.iter().enumerate());
        let retried = edges.filter(|(_, edge)| edge.retries > 0);
        retried.map(|(id, _)| id as EdgeId).collect()
    }

    /// What happened on each edge in these frames.
    pub(crate) fn edge_sums(frames: &[Frame]) -> BTreeMap<EdgeId, EdgeCell> {
        let mut sums: BTreeMap<EdgeId, EdgeCell> = BTreeMap::new();
        for (edge, cell) in frames.iter().flat_map(|frame| &frame.edges) {
            sums.entry(*edge).or_default().merge(cell);
        }
        sums
    }

    /// What happened to each pod in these frames.
    pub(crate) fn pod_sums(frames: &[Frame]) -> BTreeMap<PodId, PodCell> {
        let mut sums: BTreeMap<PodId, PodCell> = BTreeMap::new();
        for (pod, cell) in frames.iter().flat_map(|frame| &frame.pods) {
            sums.entry(*pod).or_default().merge(cell);
        }
        sums
    }

    /// `web → api`.
    pub(crate) fn edge_name(&self, edge: EdgeId) -> String {
        let (from, to) = self.edges.get(edge as usize).copied().unwrap_or_default();
        format!(
            "{} → {}",
            self.cast.part_name(from),
            self.cast.part_name(to)
        )
    }

    /// How a request failed, or `-`.
    pub(crate) fn kind_name(&self, kind: u16) -> &str {
        self.kinds.get(kind as usize).map_or("?", |kind| kind)
    }

    /// When each fault is at work, as far as it has been recorded: `(fault, from, to)`.
    pub(crate) fn fault_spans(&self) -> Vec<(u32, u64, u64)> {
        let mut open: IndexMap<u32, u64> = IndexMap::new();
        let mut spans = Vec::new();
        for entry in &self.entries {
            let What::Fault { fault, began, .. } = entry.what else {
                continue;
            };
            if began {
                open.entry(fault).or_insert(entry.at);
            } else if let Some(from) = open.shift_remove(&fault) {
                spans.push((fault, from, entry.at));
            }
        }
        spans.extend(
            open.into_iter()
                .map(|(fault, from)| (fault, from, self.reached)),
        );
        spans
    }
}

/// How a request failed of which no response flag tells: as the record of a run has it; `-` when it did not.
fn unflagged(outcome: RequestOutcome, status: u16, succeeded: bool) -> Cow<'static, str> {
    match outcome {
        RequestOutcome::Timeout => "timeout".into(),
        RequestOutcome::ConnectFailed => "connect_failed".into(),
        RequestOutcome::Broken => "broken".into(),
        RequestOutcome::Answered if !succeeded => status.to_string().into(),
        RequestOutcome::Answered | RequestOutcome::InFlight => "-".into(),
    }
}

impl EdgeCell {
    fn merge(&mut self, other: &Self) {
        self.count(other);
        self.latency.merge(&other.latency);
        self.told_p99 = self.told_p99.max(other.told_p99);
    }

    /// The 99th percentile of the latency; of several windows of a record, the worst one's.
    pub(crate) fn p99(&self) -> Option<u64> {
        self.told_p99.or_else(|| self.latency.quantile(0.99))
    }

    /// Attempts for each request that ended; `None` when none did. Attempts that ended in the same time would be of
    /// other requests too: of those that are still tried.
    pub(crate) fn attempts_each(&self) -> Option<f64> {
        (self.requests > 0).then(|| f64::from(self.tried) / f64::from(self.requests))
    }

    fn count(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.attempts += other.attempts;
        self.tried += other.tried;
        self.opened += other.opened;
        self.closed += other.closed;
        self.refused += other.refused;
        for (mechanism, count) in &other.acts {
            self.acted(*mechanism, *count);
        }
    }

    fn acted(&mut self, mechanism: Mechanism, count: u32) {
        match self.acts.iter_mut().find(|(m, _)| *m == mechanism) {
            Some((_, sum)) => *sum += count,
            None => self.acts.push((mechanism, count)),
        }
    }

    /// How often a mechanism acted.
    pub(crate) fn acts_of(&self, mechanism: Mechanism) -> u32 {
        let found = self.acts.iter().find(|(m, _)| *m == mechanism);
        found.map_or(0, |(_, count)| *count)
    }

    /// Share of requests that failed; `None` when none ended.
    pub(crate) fn error_share(&self) -> Option<f64> {
        (self.requests > 0).then(|| f64::from(self.failed) / f64::from(self.requests))
    }
}

impl PodCell {
    fn merge(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.failed += other.failed;
        self.done += other.done;
        self.errors += other.errors;
        self.queue = self.queue.max(other.queue);
    }
}
