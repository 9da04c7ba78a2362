//! A film from the record of a run.
//!
//! A record keeps windows, a timeline and the worst requests, not every event: its moments are its windows, pods
//! are in the state that the timeline tells of, and requests are those told in full.

use std::sync::Arc;

use meshquake_reports::{EdgeReport, Happening, RunReport, Series, ServiceCourse, TrafficReport};

use super::cast::Cast;
use super::entry::{Entry, What};
use super::standing::Standing;
use super::{EdgeCell, Film, Frame, PodCell, Row, TrafficCell, unflagged};
use crate::record::PodChange;
use crate::tui::text::Label;

/// Most windows of a record, and most requests told in full, that are taken.
const MANY: usize = 100_000;

/// What a record tells of a service in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ToldService {
    /// How long it is.
    pub(crate) ns: u64,
    /// Requests that arrived at its apps.
    pub(crate) arrivals: u64,
    /// Those of them that were answered with 500 and more, or not at all.
    pub(crate) errors: u64,
    /// The longest line that one of them met; `None` when that is not known.
    pub(crate) queue: Option<u32>,
    /// Endpoints that were ejected by somebody at its end.
    pub(crate) ejected: u32,
    /// Pods that were down, frozen or not ready at its end.
    pub(crate) down: u32,
}

impl Film {
    /// Plays a record.
    pub(crate) fn of_report(report: RunReport) -> Self {
        let cast = Cast::of_report(&report);
        let length = nanos(report.virtual_seconds);
        let mut film = Self::blank(cast, &report.scenario, report.seed, length);
        film.from_record = true;
        film.reached = length;
        film.happenings(&report);
        film.requests(&report);
        film.moments(&report);
        film.entries_omitted = report.timeline_omitted;
        film.report = Some(Box::new(report));
        film
    }

    fn happenings(&mut self, report: &RunReport) {
        let mut entries = Vec::new();
        let pods: Vec<Label> = self.cast.pods.iter().map(|pod| pod.name.clone()).collect();
        for told in &report.timeline {
            let at = nanos(told.at_s).min(self.length);
            let subject = Label::new(&told.subject);
            let pod = pods.iter().position(|name| *name == subject);
            let change = pod_change(told.kind, &told.text).zip(pod);
            let what = match (told.kind, change) {
                // Told below, from the fault's own account.
                (Happening::Fault, _) => continue,
                (_, Some((change, pod))) => What::Pod {
                    pod: pod as u32,
                    change,
                },
                (kind, None) => What::Told {
                    kind,
                    subject,
                    text: Label::new(&told.text),
                },
            };
            entries.push(Entry { at, what });
        }
        for (index, spans) in fault_spans(report).iter().enumerate() {
            let fault = report.faults.get(index);
            for [from, to] in spans {
                for (at, began) in [(*from, true), (*to, false)] {
                    let what = What::Fault {
                        fault: index as u32,
                        began,
                        pods: fault.map_or(0, |f| clipped(f.pods)),
                        packets: fault.map_or(0, |f| f.packets),
                        requests: fault.map_or(0, |f| f.requests),
                    };
                    let at = nanos(at).min(self.length);
                    entries.push(Entry { at, what });
                }
            }
        }
        entries.sort_by_key(|entry| entry.at);
        self.entries = entries;
    }

    fn requests(&mut self, report: &RunReport) {
        let worst = report.detail.iter().flat_map(|detail| &detail.worst);
        for trace in worst.take(MANY) {
            let Some(source) = report.traffic.get_index_of(&trace.traffic) else {
                continue;
            };
            let Some(latency) = trace.latency_ns else {
                continue;
            };
            let status = trace.status.unwrap_or(0);
            let succeeded = trace.succeeded.unwrap_or(false);
            let kind = match trace.flags.as_str() {
                "-" | "" => self.met_kind(&unflagged(trace.outcome, status, succeeded)),
                flags => self.met_kind(flags),
            };
            let row = Row {
                at: trace.intended_ns.saturating_add(latency).min(self.length),
                intended: trace.intended_ns.min(self.length),
                sequence: trace.sequence,
                source: source as u16,
                status,
                kind,
                succeeded,
                outcome: trace.outcome,
            };
            self.traces.insert(row.key(), Arc::new(trace.clone()));
            self.rows.push(row);
        }
        self.rows.sort_by_key(|row| (row.at, row.key()));
        let all: u64 = report
            .traffic
            .values()
            .map(|traffic| traffic.requests)
            .sum();
        self.rows_omitted = all.saturating_sub(self.rows.len() as u64);
    }

    fn met_kind(&mut self, name: &str) -> u16 {
        let name = Label::new(name);
        if let Some(known) = self.kinds.iter().position(|kind| *kind == name) {
            return known as u16;
        }
        self.kinds.push(name);
        (self.kinds.len() - 1).min(usize::from(u16::MAX)) as u16
    }

    fn moments(&mut self, report: &RunReport) {
        let series = report.traffic.values().map(|traffic| &traffic.series);
        let series = series.chain(report.edges.iter().filter_map(|edge| edge.series.as_ref()));
        let window_s = series.map(|series| series.window_s).find(|s| *s > 0.0);
        let window = nanos(window_s.unwrap_or(report.virtual_seconds)).max(1);
        let windows = (self.length.div_ceil(window) as usize).min(MANY);
        for edge in &report.edges {
            let ends = (self.met_part(&edge.from), self.met_part(&edge.to));
            self.edges.push(ends);
        }
        let tried: Vec<Vec<u64>> = report
            .edges
            .iter()
            .map(|edge| tried(report, edge))
            .collect();
        let mut standing = Arc::new(Standing::of(&self.cast));
        for pod in &mut Arc::make_mut(&mut standing).pods {
            pod.life = super::Life::Ready;
        }
        self.start = standing.clone();
        let all = report.traffic.values();
        let succeeded: Vec<Vec<u64>> = all.map(TrafficReport::succeeded_over_time).collect();
        let mut next = 0;
        for index in 0..windows {
            let to = ((index as u64 + 1) * window).min(self.length);
            while let Some(entry) = self.entries.get(next).filter(|entry| entry.at <= to) {
                Arc::make_mut(&mut standing).apply(entry.at, &entry.what);
                next += 1;
            }
            let frame = Frame {
                from: index as u64 * window,
                to,
                traffic: self.traffic_cells(report, &succeeded, index),
                edges: edge_cells(report, &tried, index),
                pods: self.pod_cells(report, index),
                retries: Vec::new(),
                standing: standing.clone(),
                entries: next,
            };
            self.frames.push(frame);
        }
    }

    /// Whether what an edge did over time is known: a record of a large mesh keeps it for none.
    pub(crate) fn tells_edge(&self, edge: u32) -> bool {
        let report = self.report.as_ref().filter(|_| self.from_record);
        let told = report.and_then(|report| report.edges.get(edge as usize));
        !self.from_record || told.is_some_and(|edge| edge.series.is_some())
    }

    /// Whether the load of a pod over time is known: a record tells of services, which is of a pod where it is alone.
    pub(crate) fn tells_pod(&self, pod: u32) -> bool {
        let part = self.cast.pods.get(pod as usize).map(|pod| pod.part);
        let part = part.filter(|part| !self.cast.is_source(*part));
        let part = part.and_then(|part| self.cast.parts.get(part as usize));
        !self.from_record || part.is_some_and(|part| part.pods.len() == 1)
    }

    /// What a record tells of a service in the windows of a stretch of time.
    pub(crate) fn told_service(&self, part: u32, (from, to): (u64, u64)) -> Option<ToldService> {
        let report = self.report.as_ref().filter(|_| self.from_record)?;
        let course = service_course(report, self.cast.part_name(part))?;
        let window = nanos(report.detail.as_ref()?.course.window_s).max(1);
        let last = (to.max(from + 1).div_ceil(window) as usize).min(course.arrivals.len());
        let first = ((from / window) as usize).min(last.checked_sub(1)?);
        let sum = |counts: &[u64]| counts.iter().take(last).skip(first).sum();
        let queues = course.queue_max.iter().take(last).skip(first);
        Some(ToldService {
            ns: (last - first) as u64 * window,
            arrivals: sum(&course.arrivals),
            errors: sum(&course.errors),
            queue: queues.flatten().max().copied(),
            ejected: course.ejected.get(last - 1).copied().unwrap_or(0),
            down: course.down.get(last - 1).copied().unwrap_or(0),
        })
    }

    /// The longest line that a request met at the apps of a service; `None` when that is not known.
    pub(crate) fn queue(&self, part: u32, (from, to): (u64, u64)) -> Option<u32> {
        if self.from_record {
            return self.told_service(part, (from, to))?.queue;
        }
        let known = self.cast.parts.get(part as usize)?;
        let frames = self.frames_between(from, to.max(from + 1)).iter();
        let cells = frames.flat_map(|frame| &frame.pods);
        let own = cells.filter(|(pod, _)| known.pods.contains(pod));
        own.map(|(_, cell)| cell.queue).max()
    }

    /// What a record tells of services is of a pod where it is the only one.
    fn pod_cells(&self, report: &RunReport, index: usize) -> Vec<(u32, PodCell)> {
        let mut cells = Vec::new();
        for (part, known) in self.cast.parts.iter().enumerate().skip(self.cast.sources) {
            let [pod] = known.pods.as_slice() else {
                continue;
            };
            let into = report.edges.iter().zip(&self.edges);
            let into = into.filter(|(_, (_, to))| *to as usize == part);
            let series = into.filter_map(|(edge, _)| edge.series.as_ref());
            let attempts: u64 = series.map(|series| at(&series.attempts, index)).sum();
            let course = service_course(report, &known.name);
            let queue = course.and_then(|course| course.queue_max.get(index).copied().flatten());
            cells.push((
                *pod,
                PodCell {
                    attempts: clipped(attempts),
                    queue: queue.unwrap_or(0),
                    ..PodCell::default()
                },
            ));
        }
        cells.sort_by_key(|(pod, _)| *pod);
        cells
    }

    fn met_part(&mut self, name: &str) -> u32 {
        let name = Label::new(name);
        let known = self.cast.parts.iter().position(|part| part.name == name);
        let part = known.unwrap_or_else(|| {
            let pods = Vec::new();
            self.cast.parts.push(super::cast::Part { name, pods });
            self.cast.parts.len() - 1
        });
        part as u32
    }

    fn traffic_cells(
        &mut self,
        report: &RunReport,
        succeeded: &[Vec<u64>],
        index: usize,
    ) -> Vec<TrafficCell> {
        let course = report.detail.as_ref().map(|detail| &detail.course);
        let mut cells = Vec::new();
        for ((name, traffic), succeeded) in report.traffic.iter().zip(succeeded) {
            let series = &traffic.series;
            let (sent, failed) = (at(&series.requests, index), at(&series.failed, index));
            let mut cell = TrafficCell {
                sent: clipped(sent),
                succeeded: clipped(at(succeeded, index)),
                p99: series.p99_ms.get(index).copied().flatten().map(of_ms),
                ..TrafficCell::default()
            };
            let course = course.and_then(|course| course.traffic.get(name));
            let mut explained = 0;
            for (kind, counts) in course.iter().flat_map(|course| &course.failed) {
                let count = at(counts, index);
                if count > 0 {
                    explained += count;
                    let kind = self.met_kind(kind);
                    cell.failed.push((kind, clipped(count)));
                }
            }
            if failed > explained {
                cell.failed
                    .push((self.met_kind("failed"), clipped(failed - explained)));
            }
            if let Some(heat) = course.map(|course| &course.heat) {
                for [bucket, count] in heat.counts.get(index).into_iter().flatten() {
                    if let Some(floor) = heat.floors_ms.get(*bucket as usize) {
                        cell.latency.add(of_ms(*floor), *count);
                    }
                }
            }
            cells.push(cell);
        }
        cells
    }
}

/// Windows that a request is tried in at most, for what that matters here.
const REACH: usize = 20;

/// The attempts of each window put down to the requests that they can belong to: to none more than its edge's policy
/// allows. A record has both by when they began, and an attempt may begin windows after its request.
fn tried(report: &RunReport, edge: &EdgeReport) -> Vec<u64> {
    let Some(series) = &edge.series else {
        return Vec::new();
    };
    match attempts_max(report, edge) {
        Some(most) => spread(&series.attempts, &series.requests, most),
        None => series.attempts.clone(),
    }
}

fn spread(attempts: &[u64], requests: &[u64], most: u64) -> Vec<u64> {
    let room: Vec<u64> = requests.iter().map(|n| n.saturating_mul(most)).collect();
    let mut own = vec![0; room.len()];
    for (index, begun) in attempts.iter().enumerate().take(room.len()) {
        let mut left = *begun;
        for earlier in (index.saturating_sub(REACH)..=index).rev() {
            let taken = left.min(room[earlier] - own[earlier]);
            own[earlier] += taken;
            left -= taken;
        }
        // What is left is of requests that had not ended when the run did: they are in no window.
    }
    own
}

/// Most attempts for a request that the mesh was told of; `None` when the record does not tell, or that changed.
fn attempts_max(report: &RunReport, edge: &EdgeReport) -> Option<u64> {
    let detail = report.detail.as_ref()?;
    let mut policies = detail.policy.iter();
    let policy = policies.find(|policy| policy.from == edge.from && policy.to == edge.to)?;
    let settings = policy
        .settings
        .iter()
        .filter(|setting| setting.name == "retry");
    let retries = settings.map(|setting| {
        let (count, _) = setting.value.split_once(" retr")?;
        count.parse::<u64>().ok()
    });
    let most = retries.collect::<Option<Vec<u64>>>()?.into_iter().max();
    let most = most? + 1;
    // A run that was told otherwise on its way is not held to what it began with.
    let open: u64 = report
        .traffic
        .values()
        .map(|traffic| traffic.in_flight_at_end)
        .sum();
    let possible = (edge.requests + open).saturating_mul(most);
    (edge.attempts <= possible).then_some(most)
}

/// A service over time, as the record tells it.
fn service_course<'r>(report: &'r RunReport, name: &str) -> Option<&'r ServiceCourse> {
    let detail = report.detail.as_ref()?;
    detail.course.services.get(name)
}

fn edge_cells(report: &RunReport, tried: &[Vec<u64>], index: usize) -> Vec<(u32, EdgeCell)> {
    let edges = report.edges.iter().enumerate();
    let cells = edges.filter_map(|(edge, told)| {
        let series: &Series = told.series.as_ref()?;
        let requests = at(&series.requests, index);
        let attempts = at(&series.attempts, index);
        if requests + attempts == 0 {
            return None;
        }
        let mut cell = EdgeCell {
            requests: clipped(requests),
            failed: clipped(at(&series.failed, index)),
            attempts: clipped(attempts),
            tried: clipped(at(&tried[edge], index)),
            ..EdgeCell::default()
        };
        if let Some(p99) = series.p99_ms.get(index).copied().flatten() {
            cell.told_p99 = Some(of_ms(p99));
        }
        Some((edge as u32, cell))
    });
    cells.collect()
}

/// When each fault was at work: from the detail, or from its own account.
fn fault_spans(report: &RunReport) -> Vec<Vec<[f64; 2]>> {
    match &report.detail {
        Some(detail) if !detail.fault_spans.is_empty() => detail.fault_spans.clone(),
        _ => {
            let faults = report.faults.iter();
            faults
                .map(|fault| {
                    let lasts = fault.over_s.unwrap_or(report.virtual_seconds);
                    let span = [fault.at_s, (fault.at_s + lasts).min(report.virtual_seconds)];
                    fault.began.then_some(span).into_iter().collect()
                })
                .collect()
        }
    }
}

/// What the timeline's words say became of a pod.
fn pod_change(kind: Happening, text: &str) -> Option<PodChange> {
    let mut all = PodChange::ALL.into_iter();
    all.find(|change| kind == Happening::Pod && change.told() == text)
}

fn nanos(seconds: f64) -> u64 {
    // Negative times, of the boot, are its beginning; `as` saturates.
    (seconds * 1e9).round() as u64
}

fn of_ms(ms: f64) -> u64 {
    (ms * 1e6).round() as u64
}

fn at(counts: &[u64], index: usize) -> u64 {
    counts.get(index).copied().unwrap_or(0)
}

fn clipped(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn no_request_has_more_attempts_than_it_is_allowed() {
        // By hand: retries of the second window's requests begin in the third.
        assert_eq!(spread(&[10, 10, 25], &[10, 10, 10], 2), [10, 15, 20]);
        assert_eq!(spread(&[10, 5, 9], &[10, 5, 0], 2), [14, 10, 0]);
        // Whatever has no request that ended is nobody's.
        assert_eq!(spread(&[4, 50], &[4, 2], 2), [8, 4]);
        assert_eq!(spread(&[3, 3], &[3, 3], 1), [3, 3]);
        assert_eq!(spread(&[3], &[3, 3], 1), [3, 0]);
    }
}
