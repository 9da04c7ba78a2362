//! Who called whom, as the callers' sidecars saw it.

use crate::record::quick::{Map, Set};
use mesh_core::telemetry::{
    AttemptEvent, ConnectionEvent, Mechanism, RequestEvent, ResponseFlag, ResponseFlags, TlsState,
};
use meshquake_reports::record::seconds;
use meshquake_reports::summary::unit::counted;
use meshquake_reports::{Connections, EdgeReport, LatencyHistogram};

use super::callee::{Callees, destination};
use super::count::{Counts, status};
use super::mechanism;
use super::series::{Cut, Windows};

/// Edges beyond this are counted together: a client that makes up hosts must not fill the memory.
const EDGES_MAX: usize = 5_000;
/// Windows kept over all edges together: 200 edges at 600 windows.
const WINDOWS_TOTAL_MAX: usize = 120_000;
/// Windows reckoned for one edge.
const WINDOWS_EACH: usize = 600;
/// The callee that stands for all others.
const OTHERS: &str = "(others)";

/// A caller's or callee's number.
type NameId = u32;

/// All edges of a run.
pub(super) struct Edges {
    callees: Callees,
    names: Set<Box<str>>,
    edges: Map<(NameId, NameId), Edge>,
    cut: Cut,
}

/// One caller's clusters and the edges they lead to, so that a name is worked out once.
pub(super) struct Caller {
    name: NameId,
    edges: Map<Box<str>, usize>,
}

/// One edge.
pub(super) struct Edge {
    requests: u64,
    failed: u64,
    attempts: u64,
    retries: u64,
    mirrored: u64,
    /// Attempts that reached an upstream, and those of them over mutual TLS.
    reached: u64,
    mutual: u64,
    /// Requests that say they were sent upstream at least once.
    forwarded: u64,
    status: Counts<u16>,
    flags: Counts<ResponseFlags>,
    mechanisms: Counts<Mechanism>,
    latency: LatencyHistogram,
    connections: Connections,
    windows: Option<Windows>,
}

impl Edges {
    pub(super) fn new(callees: Callees, cut: Cut) -> Self {
        Self {
            callees,
            names: Set::default(),
            edges: Map::default(),
            cut,
        }
    }

    /// A caller called `name` in reports.
    pub(super) fn caller(&mut self, name: &str) -> Caller {
        Caller {
            name: self.name(name),
            edges: Map::default(),
        }
    }

    fn name(&mut self, name: &str) -> NameId {
        if let Some(index) = self.names.get_index_of(name) {
            return index as NameId;
        }
        self.names.insert_full(name.into()).0 as NameId
    }

    /// The number of the edge, and the edge, from `caller` to `cluster`, or to `authority` where there is no real cluster.
    pub(super) fn edge(
        &mut self,
        caller: &mut Caller,
        cluster: &str,
        authority: &str,
    ) -> (usize, &mut Edge) {
        let key = if cluster.contains('|') {
            cluster
        } else {
            authority
        };
        let index = match caller.edges.get(key) {
            Some(index) => *index,
            None => self.lead(caller, key, cluster, authority),
        };
        (index, &mut self.edges[index])
    }

    /// Caller and callee of the edge numbered `index`.
    pub(super) fn ends(&self, index: usize) -> Option<(&str, &str)> {
        let ((from, to), _) = self.edges.get_index(index)?;
        Some((self.told(*from), self.told(*to)))
    }

    fn lead(&mut self, caller: &mut Caller, key: &str, cluster: &str, authority: &str) -> usize {
        let full = self.edges.len() >= EDGES_MAX;
        let to = if full {
            OTHERS.into()
        } else {
            self.callees.name(destination(cluster, authority))
        };
        let to = self.name(&to);
        let series = (self.edges.len() + 1) * WINDOWS_EACH <= WINDOWS_TOTAL_MAX;
        let windows = series.then(|| Windows::new(self.cut));
        let entry = self.edges.entry((caller.name, to));
        let index = entry.index();
        entry.or_insert_with(|| Edge::new(windows));
        if !full {
            caller.edges.insert(key.into(), index);
        }
        index
    }

    /// Laws that every run keeps, as sentences when broken.
    pub(super) fn violations(&self) -> Vec<String> {
        let broken = self
            .edges
            .iter()
            .filter(|(_, e)| e.forwarded > e.attempts + e.mirrored);
        broken
            .map(|((from, to), edge)| {
                format!(
                    "{} → {}: {} sent upstream in only {}",
                    self.told(*from),
                    self.told(*to),
                    counted(edge.forwarded, "request"),
                    counted(edge.attempts, "attempt")
                )
            })
            .collect()
    }

    fn told(&self, name: NameId) -> &str {
        self.names.get_index(name as usize).map_or("", |name| name)
    }

    /// The edges of a run of this length in nanoseconds, callers and callees in the order of `ranks`, strangers last
    /// by name.
    pub(super) fn report(
        &self,
        ranks: &indexmap::IndexSet<String>,
        length: u64,
    ) -> Vec<EdgeReport> {
        let mut edges: Vec<EdgeReport> = self
            .edges
            .iter()
            .map(|((from, to), edge)| edge.report(self.told(*from), self.told(*to), length))
            .collect();
        let rank = |name: &str| ranks.get_index_of(name).unwrap_or(usize::MAX);
        edges.sort_by(|a, b| {
            let a = (rank(&a.from), &a.from, rank(&a.to), &a.to);
            a.cmp(&(rank(&b.from), &b.from, rank(&b.to), &b.to))
        });
        edges
    }
}

/// Whether a response counts as failed on an edge: none, or a server error.
pub(crate) const fn failed(status: u16) -> bool {
    status == 0 || status >= 500
}

impl Edge {
    fn new(windows: Option<Windows>) -> Self {
        Self {
            requests: 0,
            failed: 0,
            attempts: 0,
            retries: 0,
            mirrored: 0,
            reached: 0,
            mutual: 0,
            forwarded: 0,
            status: Counts::default(),
            flags: Counts::default(),
            mechanisms: Counts::default(),
            latency: LatencyHistogram::new(),
            connections: Connections::default(),
            windows,
        }
    }

    pub(super) fn request(&mut self, event: &RequestEvent<'_>) {
        let failed = failed(event.status);
        self.requests += 1;
        self.failed += u64::from(failed);
        if event.cluster.contains('|') {
            // A breaker that is full counts an attempt (as Envoy does) and makes none.
            self.forwarded += u64::from(event.attempts > 0 && !event.upstream.is_empty());
        } else {
            // Attempts at no real cluster do not say whom they were for.
            self.attempts += u64::from(event.attempts);
            self.retries += u64::from(event.attempts.saturating_sub(1));
        }
        self.status.add(event.status);
        self.flags.add(event.flags);
        let latency = (event.status != 0).then(|| nanos(event.duration));
        if let Some(latency) = latency {
            self.latency.record(latency);
        }
        if let Some(windows) = &mut self.windows {
            windows.begun(event.start);
            windows.attempts(event.start, made(event));
            windows.ended(event.start, failed, latency);
        }
    }

    pub(super) fn attempt(&mut self, event: &AttemptEvent<'_>) {
        if reached(event) {
            self.reached += 1;
            self.mutual += u64::from(event.tls == TlsState::Mutual);
        }
        if event.mirror {
            self.mirrored += 1;
            return;
        }
        self.attempts += 1;
        self.retries += u64::from(event.number > 1);
    }

    pub(super) fn connection(&mut self, event: &ConnectionEvent<'_>) {
        let Connections {
            opened,
            failed,
            closed,
        } = &mut self.connections;
        let count = match event.what {
            "open" => opened,
            "fail" => failed,
            _ => closed,
        };
        *count += 1;
    }

    pub(super) fn mechanism(&mut self, mechanism: Mechanism) {
        self.mechanisms.add(mechanism);
    }

    fn report(&self, from: &str, to: &str, length: u64) -> EdgeReport {
        let mtls = (self.reached > 0).then(|| self.mutual as f64 / self.reached as f64);
        EdgeReport {
            from: from.into(),
            to: to.into(),
            requests: self.requests,
            failed: self.failed,
            attempts: self.attempts,
            retries: self.retries,
            mirrored: self.mirrored,
            rps: rate(self.requests, seconds(length)),
            status: self.status.told(status),
            flags: self.flags.told(|flags| flags.to_string()),
            mtls,
            latency_ms: self.latency.summary(),
            connections: self.connections,
            mechanisms: self.mechanisms.told(mechanism::name),
            series: self.windows.as_ref().map(|windows| windows.told(length)),
        }
    }
}

/// Attempts that were made for a request. One that its cluster's breaker turned away counts an attempt, as in Envoy,
/// and had none.
fn made(event: &RequestEvent<'_>) -> u64 {
    let turned_away =
        event.upstream.is_empty() && event.flags.contains(ResponseFlag::UpstreamOverflow);
    if turned_away {
        0
    } else {
        u64::from(event.attempts)
    }
}

/// Whether an attempt got a connection to an endpoint: only then does its TLS state mean something.
pub(crate) fn reached(event: &AttemptEvent<'_>) -> bool {
    let without = [
        ResponseFlag::UpstreamConnectionFailure,
        ResponseFlag::UpstreamOverflow,
        ResponseFlag::NoHealthyUpstream,
    ];
    let turned_away = without.into_iter().any(|flag| event.flags.contains(flag));
    !event.upstream.is_empty() && (event.status != 0 || !turned_away)
}

/// A duration in nanoseconds; half a millennium at most.
pub(crate) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Per second of a run; 0 for a run of no length.
pub(super) fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}
