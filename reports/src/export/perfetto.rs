//! Traces for Perfetto and Chrome: the trace-event format, in JSON.
//!
//! By "Trace Event Format" (Chromium project) as Perfetto imports it: every
//! pod is a process, its [lanes](super::lanes) are threads, a span is a
//! complete event (`X`), a call from pod to pod a flow (`s` and `f`), what
//! happened to the mesh an instant (`i`). Times are microseconds since the
//! beginning of the run; the format takes fractions, so nothing is rounded.
//! What happened before the run began, while the mesh came up, is left out:
//! viewers know no time before zero.

use std::collections::BTreeSet;
use std::io::{self, Write};

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

use super::array::Array;
use super::lanes::{Lanes, stacks};
use crate::record::{
    FaultReport, Happening, PodReport, SpanKind, SpanReport, TimelineEntry, TraceReport,
};

/// The process of faults and of what happened to nobody in particular.
const RUN: u64 = 1;
/// Characters of an event's name.
const NAME_MAX: usize = 120;

/// Writes one file.
pub struct Perfetto<W: Write> {
    events: Array<W>,
    pods: IndexMap<String, Pod>,
    flows: u64,
}

/// A process.
#[derive(Default)]
struct Pod {
    lanes: Lanes,
    /// Lanes that have a name.
    named: usize,
}

/// Where a span is drawn.
#[derive(Clone, Copy)]
struct Spot {
    pid: u64,
    tid: u64,
}

impl<W: Write> Perfetto<W> {
    /// Begins a file on `out`, with the pods in this order from above.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(out: W, pods: &[PodReport]) -> io::Result<Self> {
        let mut this = Self {
            events: Array::begin(out, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?,
            pods: IndexMap::new(),
            flows: 0,
        };
        this.name("process_name", RUN, 0, "run")?;
        for pod in pods {
            this.pid(&pod.name, &pod.service)?;
        }
        Ok(this)
    }

    /// Adds a trace.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn trace(&mut self, trace: &TraceReport) -> io::Result<()> {
        let spots = self.spots(&trace.spans)?;
        for (index, (span, spot)) in trace.spans.iter().zip(&spots).enumerate() {
            self.span(trace, index, span, *spot)?;
            let above = span.parent.map(|above| above as usize);
            let caller = above.and_then(|above| Some((trace.spans.get(above)?, spots.get(above)?)));
            if let Some((caller, from)) = caller.filter(|(_, from)| from.pid != spot.pid) {
                self.flow((caller, *from), (span, *spot))?;
            }
        }
        Ok(())
    }

    /// Adds faults, each as long as it lasted, in a run of this length.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn faults(&mut self, faults: &[FaultReport], run_s: f64) -> io::Result<()> {
        let mut lanes = Lanes::default();
        let mut named = 0;
        for fault in faults.iter().filter(|fault| fault.began) {
            let over_s = fault.over_s.or(fault.for_s);
            let over = over_s.unwrap_or(run_s - fault.at_s).max(0.0);
            let [start, end] = [fault.at_s, fault.at_s + over].map(|s| (s.max(0.0) * 1e9) as u64);
            let lane = lanes.take(start, end);
            if lane >= named {
                named = lane + 1;
                self.name("thread_name", RUN, named as u64, "faults")?;
            }
            let mut args = Map::new();
            args.insert("place".into(), fault.place.as_str().into());
            args.insert("times".into(), fault.times.into());
            args.insert("pods".into(), fault.pods.into());
            args.insert("packets".into(), fault.packets.into());
            args.insert("requests".into(), fault.requests.into());
            self.events.push(&Event {
                name: short(&fault.name),
                cat: if fault.burst { "burst" } else { "fault" },
                ph: "X",
                ts: Some(micros(start)),
                dur: Some(micros(end - start)),
                pid: RUN,
                tid: lane as u64 + 1,
                args,
                ..Event::default()
            })?;
        }
        Ok(())
    }

    /// Adds what happened, to a pod of that name where there is one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn happenings(&mut self, entries: &[TimelineEntry]) -> io::Result<()> {
        for entry in entries.iter().filter(|entry| entry.at_s >= 0.0) {
            let pod = self.pods.get_index_of(&entry.subject);
            let mut args = Map::new();
            args.insert("subject".into(), entry.subject.as_str().into());
            args.insert("text".into(), entry.text.as_str().into());
            self.events.push(&Event {
                name: short(&format!("{}: {}", entry.subject, entry.text)),
                cat: happening(entry.kind),
                ph: "i",
                ts: Some((entry.at_s * 1e9).round() / 1e3),
                pid: pod.map_or(RUN, pid),
                s: Some(if pod.is_some() { "p" } else { "g" }),
                args,
                ..Event::default()
            })?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<W> {
        self.events.finish()
    }

    /// Finds lanes for the spans of a trace.
    fn spots(&mut self, spans: &[SpanReport]) -> io::Result<Vec<Spot>> {
        let mut spots = vec![Spot { pid: RUN, tid: 1 }; spans.len()];
        let pods: BTreeSet<&str> = spans.iter().map(|span| &*span.pod).collect();
        for pod in pods {
            let mut own: Vec<usize> = (0..spans.len())
                .filter(|index| spans[*index].pod == pod)
                .collect();
            own.sort_by_key(|index| {
                let span = &spans[*index];
                (span.start_ns, u64::MAX - ended(span))
            });
            let pid = self.pid(pod, &spans[own[0]].service)?;
            let times: Vec<(u64, u64)> = own
                .iter()
                .map(|index| (spans[*index].start_ns, ended(&spans[*index])))
                .collect();
            let stacks = stacks(&times);
            for stack in 0..=stacks.iter().copied().max().unwrap_or(0) {
                let members = || (0..own.len()).filter(|place| stacks[*place] == stack);
                let start = members().map(|place| times[place].0).min().unwrap_or(0);
                let end = members().map(|place| times[place].1).max().unwrap_or(0);
                let tid = self.lane(pid, start, end)?;
                for place in members() {
                    spots[own[place]] = Spot { pid, tid };
                }
            }
        }
        Ok(spots)
    }

    fn lane(&mut self, pid: u64, start: u64, end: u64) -> io::Result<u64> {
        let Some((_, pod)) = self.pods.get_index_mut((pid - RUN - 1) as usize) else {
            return Ok(1);
        };
        let lane = pod.lanes.take(start, end);
        let tid = lane as u64 + 1;
        if lane >= pod.named {
            pod.named = lane + 1;
            self.name("thread_name", pid, tid, &format!("lane {tid}"))?;
        }
        Ok(tid)
    }

    fn pid(&mut self, pod: &str, service: &str) -> io::Result<u64> {
        if let Some(known) = self.pods.get_index_of(pod) {
            return Ok(pid(known));
        }
        let (index, _) = self.pods.insert_full(pod.to_owned(), Pod::default());
        let name = match pod.starts_with(service) {
            true => pod.to_owned(),
            false => format!("{service} {pod}"),
        };
        self.name("process_name", pid(index), 0, &name)?;
        Ok(pid(index))
    }

    fn name(&mut self, what: &str, pid: u64, tid: u64, name: &str) -> io::Result<()> {
        let mut args = Map::new();
        args.insert("name".into(), name.into());
        self.events.push(&Event {
            name: what.to_owned(),
            ph: "M",
            pid,
            tid,
            args,
            ..Event::default()
        })?;
        if what == "process_name" {
            let mut args = Map::new();
            args.insert("sort_index".into(), pid.into());
            self.events.push(&Event {
                name: "process_sort_index".into(),
                ph: "M",
                pid,
                args,
                ..Event::default()
            })?;
        }
        Ok(())
    }

    fn span(
        &mut self,
        trace: &TraceReport,
        index: usize,
        span: &SpanReport,
        spot: Spot,
    ) -> io::Result<()> {
        let failed = span.status.is_none_or(|status| status >= 500);
        self.events.push(&Event {
            name: short(&title(trace, span)),
            cat: if failed { "failed" } else { kind(span.kind) },
            ph: "X",
            ts: Some(micros(span.start_ns)),
            dur: Some(micros(ended(span) - span.start_ns)),
            pid: spot.pid,
            tid: spot.tid,
            args: args(trace, index, span),
            ..Event::default()
        })
    }

    /// An arrow from a caller to whom it calls.
    fn flow(&mut self, from: (&SpanReport, Spot), to: (&SpanReport, Spot)) -> io::Result<()> {
        self.flows += 1;
        let end = |span: &SpanReport, spot: Spot, ph, bp| Event {
            name: "call".into(),
            cat: "call",
            ph,
            ts: Some(micros(span.start_ns)),
            pid: spot.pid,
            tid: spot.tid,
            id: Some(self.flows),
            bp,
            ..Event::default()
        };
        let [start, finish] = [
            end(from.0, from.1, "s", None),
            end(to.0, to.1, "f", Some("e")),
        ];
        self.events.push(&start)?;
        self.events.push(&finish)
    }
}

fn pid(index: usize) -> u64 {
    index as u64 + RUN + 1
}

fn ended(span: &SpanReport) -> u64 {
    span.end_ns.max(span.start_ns)
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

fn short(name: &str) -> String {
    name.chars().take(NAME_MAX).collect()
}

fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Outbound => "outbound",
        SpanKind::Attempt => "attempt",
        SpanKind::Inbound => "inbound",
        SpanKind::App => "app",
    }
}

fn happening(kind: Happening) -> &'static str {
    match kind {
        Happening::Fault => "fault",
        Happening::Pod => "pod",
        Happening::Ejection => "ejection",
        Happening::Breaker => "breaker",
        Happening::Push => "push",
        Happening::Config => "config",
        Happening::Identity => "identity",
    }
}

fn title(trace: &TraceReport, span: &SpanReport) -> String {
    match span.kind {
        SpanKind::Client => format!("{} #{}", trace.traffic, trace.sequence),
        SpanKind::Outbound => format!("→ {}", span.request),
        SpanKind::Attempt if span.mirror => format!("mirror to {}", span.peer),
        SpanKind::Attempt if span.peer.is_empty() => format!("attempt {}", span.attempt),
        SpanKind::Attempt => format!("attempt {} to {}", span.attempt, span.peer),
        SpanKind::Inbound => format!("← {}", span.request),
        SpanKind::App => format!("{} app", span.service),
    }
}

fn args(trace: &TraceReport, index: usize, span: &SpanReport) -> Map<String, Value> {
    let mut args = Map::new();
    let mut text = |key: &str, value: &str| {
        if !value.is_empty() && value != "-" {
            args.insert(key.to_owned(), value.into());
        }
    };
    text("request", &span.request);
    text("cluster", &span.cluster);
    text("peer", &span.peer);
    text("flags", &span.flags);
    text("details", &span.details);
    if index == 0 {
        text("trace", &trace.trace);
        text("request", &trace.request);
    }
    let status = span.status.map_or("none".into(), Value::from);
    args.insert("status".into(), status);
    let times = [
        ("fault_ms", span.fault_ns),
        ("backoff_ms", span.backoff_ns),
        ("pool_ms", span.pool_ns),
        ("queue_ms", span.queue_ns),
    ];
    for (key, nanos) in times.into_iter().filter(|(_, nanos)| *nanos > 0) {
        args.insert(key.to_owned(), (nanos as f64 / 1e6).into());
    }
    args
}

#[derive(Default, Serialize)]
struct Event {
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'static str,
    ph: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: u64,
    tid: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    args: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::super::sample::{HOSTILE, hostile, pods, trace};
    use super::*;

    fn events(draw: impl FnOnce(&mut Perfetto<Vec<u8>>)) -> Vec<Value> {
        let mut perfetto = Perfetto::begin(Vec::new(), &pods()).unwrap();
        draw(&mut perfetto);
        let text = String::from_utf8(perfetto.finish().unwrap()).unwrap();
        assert!(!text.contains('\u{1b}') && !text.contains('\0'));
        let mut file: Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(file["traceEvents"].take()).unwrap()
    }

    fn of<'a>(events: &'a [Value], ph: &str) -> Vec<&'a Value> {
        events.iter().filter(|event| event["ph"] == ph).collect()
    }

    #[test]
    fn a_trace_is_slices_on_the_pods_and_arrows_between_them() {
        let events = events(|file| file.trace(&trace()).unwrap());
        let slices = of(&events, "X");
        let spots: Vec<(u64, u64)> = slices
            .iter()
            .map(|slice| {
                (
                    slice["pid"].as_u64().unwrap(),
                    slice["tid"].as_u64().unwrap(),
                )
            })
            .collect();
        // Everything nests, so one lane of each pod is enough.
        assert_eq!(spots, [(3, 1), (3, 1), (3, 1), (3, 1), (2, 1), (2, 1)]);
        insta::assert_snapshot!(slices[2], @r#"{"args":{"cluster":"outbound|9080||reviews.default.svc.cluster.local","flags":"UF","peer":"reviews-v1-0","status":"none"},"cat":"failed","dur":900.0,"name":"attempt 1 to reviews-v1-0","ph":"X","pid":3,"tid":1,"ts":1100.0}"#);
        let (starts, ends) = (of(&events, "s"), of(&events, "f"));
        assert_eq!((starts.len(), ends.len()), (1, 1));
        assert_eq!(
            (&starts[0]["id"], &starts[0]["pid"], &ends[0]["pid"]),
            (&ends[0]["id"], &3.into(), &2.into())
        );
    }

    #[test]
    fn two_requests_at_once_have_two_lanes() {
        let mut later = trace();
        for span in &mut later.spans {
            span.start_ns += 1_000_000;
            span.end_ns += 1_000_000;
        }
        let events = events(|file| {
            file.trace(&trace()).unwrap();
            file.trace(&later).unwrap();
        });
        let tids: Vec<_> = of(&events, "X").iter().map(|e| e["tid"].clone()).collect();
        assert!(tids[..6].iter().all(|tid| *tid == 1));
        assert!(tids[6..].iter().all(|tid| *tid == 2));
        let named = of(&events, "M");
        let lanes = named.iter().filter(|event| event["name"] == "thread_name");
        assert_eq!(lanes.count(), 4);
    }

    #[test]
    fn faults_have_a_length_and_happenings_a_place() {
        let fault = FaultReport {
            name: "cut".into(),
            what: String::new(),
            at_s: 10.0,
            for_s: None,
            over_s: None,
            times: 1,
            began: true,
            drawn: Vec::new(),
            pods: 0,
            packets: 7,
            requests: 0,
            inert: false,
            place: "a.yaml:3".into(),
            burst: false,
        };
        let entry = |at_s, subject: &str| TimelineEntry {
            at_s,
            kind: Happening::Pod,
            subject: subject.into(),
            text: "crashed".into(),
            for_s: None,
        };
        let timeline = [
            entry(-1.0, "shoppers"),
            entry(2.5, "reviews-v1-0"),
            entry(3.0, HOSTILE),
        ];
        let events = events(|file| {
            file.faults(&[fault], 60.0).unwrap();
            file.happenings(&timeline).unwrap();
        });
        let fault = of(&events, "X")[0];
        assert_eq!(
            (&fault["ts"], &fault["dur"]),
            (&10_000_000.0.into(), &50_000_000.0.into())
        );
        let instants = of(&events, "i");
        assert_eq!(instants.len(), 2);
        assert_eq!(
            (&instants[0]["pid"], &instants[0]["s"], &instants[0]["ts"]),
            (&2.into(), &"p".into(), &2_500_000.0.into())
        );
        assert_eq!(
            (&instants[1]["pid"], &instants[1]["s"]),
            (&1.into(), &"g".into())
        );
        assert_eq!(instants[1]["args"]["subject"], HOSTILE);
    }

    #[test]
    fn hostile_names_are_text() {
        let events = events(|file| file.trace(&hostile()).unwrap());
        let slices = of(&events, "X");
        assert_eq!(slices.len(), 6);
        let short = |name: &Value| name.as_str().unwrap().chars().count() <= NAME_MAX;
        assert!(slices.iter().all(|slice| short(&slice["name"])));
        assert_eq!(slices[4]["args"]["peer"], HOSTILE);
    }
}
