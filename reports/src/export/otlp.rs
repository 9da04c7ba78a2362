//! Traces as OTLP JSON, one document that Jaeger's file upload opens.
//!
//! The encoding is protobuf's JSON mapping with OTLP's three exceptions
//! (OTLP specification 1.x, "JSON Protobuf Encoding"): field names in
//! lowerCamelCase, ids in hexadecimal, enums as numbers; 64-bit integers are
//! strings, as in the mapping itself. A document may name a resource any
//! number of times, so every trace is written whole when it is told, grouped
//! by pod.
//!
//! Attributes follow the semantic conventions for HTTP spans (OpenTelemetry
//! 1.27 and later, `http.request.method`, `url.path`, `server.address`,
//! `error.type`): a request through a sidecar is the *logical* request and
//! `INTERNAL`, each attempt of it is a `CLIENT` span with
//! `http.request.resend_count` from the second on, its arrival at the callee a
//! `SERVER` span. What Envoy's own tracers say beside (`upstream_cluster`,
//! `response_flags`) has Envoy's names; what only a simulation knows begins
//! with `meshquake.`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use indexmap::IndexMap;
use serde::Serialize;

use super::array::Array;
use super::target::Target;
use crate::record::{PodReport, RequestOutcome, SpanKind, SpanReport, TraceReport};

/// Characters of a span's name: it stands in lists, and the whole is in its attributes.
const NAME_MAX: usize = 120;

/// Writes one document.
pub struct Otlp<W: Write> {
    spans: Array<W>,
    epoch_ns: u64,
    pods: BTreeMap<String, PodReport>,
    scope: Scope,
}

impl<W: Write> Otlp<W> {
    /// Begins a document on `out`; `epoch_ns` is what the wall clock showed when the run began, in nanoseconds since
    /// the Unix epoch.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(out: W, epoch_ns: u64, version: &str, pods: Vec<PodReport>) -> io::Result<Self> {
        Ok(Self {
            spans: Array::begin(out, "{\"resourceSpans\":[")?,
            epoch_ns,
            pods: pods
                .into_iter()
                .map(|pod| (pod.name.clone(), pod))
                .collect(),
            scope: Scope {
                name: "meshquake",
                version: version.to_owned(),
            },
        })
    }

    /// Adds a trace.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn trace(&mut self, trace: &TraceReport) -> io::Result<()> {
        let ids = Ids::of(trace);
        let mut by_pod: IndexMap<&str, Vec<usize>> = IndexMap::new();
        for (index, span) in trace.spans.iter().enumerate() {
            by_pod.entry(&span.pod).or_default().push(index);
        }
        for (pod, spans) in by_pod {
            let resource = resource(pod, &trace.spans[spans[0]], self.pods.get(pod));
            let span = |index: usize| span(trace, &ids, index, self.epoch_ns);
            self.spans.push(&ResourceSpans {
                resource: Resource {
                    attributes: resource.0,
                },
                scope_spans: [ScopeSpans {
                    scope: &self.scope,
                    spans: spans.into_iter().map(span).collect(),
                }],
            })?;
        }
        Ok(())
    }

    /// Ends the document.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<W> {
        self.spans.finish()
    }
}

/// The ids of a trace and its spans. The simulator keeps no span ids: they are made of the trace's id and the span's
/// place, so that they are the same in every run and no two in a trace are equal.
struct Ids {
    trace: String,
    seed: u64,
}

impl Ids {
    fn of(trace: &TraceReport) -> Self {
        let number = u128::from_str_radix(&trace.trace, 16).unwrap_or(0);
        // An id of zero is no id: a request that carried none gets one of its source and number.
        let number = match number {
            0 => (u128::from(fnv(&trace.traffic)) << 64) | (u128::from(trace.sequence) + 1),
            number => number,
        };
        Self {
            trace: format!("{number:032x}"),
            seed: number as u64,
        }
    }

    fn span(&self, index: usize) -> String {
        /// 2^64 over the golden ratio, odd: multiples of it are all different.
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let id = self.seed.wrapping_add(STEP.wrapping_mul(index as u64 + 1));
        // Zero is no id; the trace's own half is no other span's, since the step times an index is never zero.
        let id = if id == 0 { self.seed } else { id };
        format!("{id:016x}")
    }
}

/// FNV-1a.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    })
}

fn resource<'a>(name: &'a str, span: &'a SpanReport, pod: Option<&'a PodReport>) -> Attributes<'a> {
    let mut all = Attributes::default();
    all.text("service.name", &span.service);
    all.text("service.instance.id", name);
    all.text("k8s.pod.name", name);
    if let Some(pod) = pod {
        all.text("service.version", &pod.version);
        all.text("k8s.node.name", &pod.node);
        all.text("cloud.region", &pod.region);
        all.text("cloud.availability_zone", &pod.zone);
    }
    all
}

fn span<'a>(trace: &'a TraceReport, ids: &Ids, index: usize, epoch_ns: u64) -> Span<'a> {
    let span = &trace.spans[index];
    let target = target(trace, index);
    let nanos = |at: u64| epoch_ns.saturating_add(at).to_string();
    let mut events = Vec::new();
    if span.kind == SpanKind::App && span.queue_ns > 0 {
        events.push(SpanEvent {
            name: "taken by a worker",
            time_unix_nano: nanos(span.start_ns.saturating_add(span.queue_ns)),
        });
    }
    Span {
        trace_id: ids.trace.clone(),
        span_id: ids.span(index),
        parent_span_id: span.parent.map(|parent| ids.span(parent as usize)),
        name: name(span, target),
        kind: match span.kind {
            SpanKind::Outbound | SpanKind::App => 1,
            SpanKind::Inbound => 2,
            SpanKind::Client | SpanKind::Attempt => 3,
        },
        start_time_unix_nano: nanos(span.start_ns),
        end_time_unix_nano: nanos(span.end_ns.max(span.start_ns)),
        attributes: attributes(trace, index, target).0,
        events,
        status: status(span),
    }
}

/// The request that a span is part of: its own, or that of the nearest span above it.
fn target(trace: &TraceReport, index: usize) -> Option<Target<'_>> {
    let mut span = &trace.spans[index];
    for _ in 0..trace.spans.len() {
        if let Some(target) = Target::of(&span.request) {
            return Some(target);
        }
        match span
            .parent
            .and_then(|above| trace.spans.get(above as usize))
        {
            Some(above) => span = above,
            None => break,
        }
    }
    Target::of(&trace.request)
}

fn name<'a>(span: &'a SpanReport, target: Option<Target<'a>>) -> String {
    let request = target.map_or_else(
        || "request".to_owned(),
        |target| format!("{} {}", target.method, target.path),
    );
    let name = match span.kind {
        SpanKind::Client | SpanKind::Outbound | SpanKind::Inbound => request,
        SpanKind::Attempt if span.mirror => format!("mirror to {}", span.peer),
        SpanKind::Attempt if span.peer.is_empty() => format!("attempt {}", span.attempt),
        SpanKind::Attempt => format!("attempt {} to {}", span.attempt, span.peer),
        SpanKind::App => format!("{} app", span.service),
    };
    name.chars().take(NAME_MAX).collect()
}

fn attributes<'a>(
    trace: &'a TraceReport,
    index: usize,
    target: Option<Target<'a>>,
) -> Attributes<'a> {
    let span = &trace.spans[index];
    let mut all = Attributes::default();
    if let Some(target) = target.filter(|_| span.kind != SpanKind::App) {
        let (host, port) = target.server();
        all.text("http.request.method", target.method);
        all.text("server.address", host);
        all.number("server.port", port.map_or(0, u64::from));
        all.text("url.path", target.path);
        all.text("url.query", target.query);
    }
    let status = span.status.map_or(0, u64::from);
    all.number("http.response.status_code", status);
    if failed(span) {
        let reason = match span.flags.as_str() {
            "-" | "" if status > 0 => Cow::Owned(status.to_string()),
            "-" | "" => Cow::Borrowed("no_answer"),
            flags => Cow::Borrowed(flags),
        };
        all.push("error.type", Value::Text(reason));
    }
    if span.attempt > 1 {
        all.number("http.request.resend_count", u64::from(span.attempt) - 1);
    }
    if span.flags != "-" {
        all.text("response_flags", &span.flags);
    }
    all.text("response_code_details", &span.details);
    all.text("upstream_cluster", &span.cluster);
    let peer = match span.kind {
        SpanKind::Inbound => "meshquake.peer.principal",
        _ => "meshquake.upstream.pod",
    };
    all.text(peer, &span.peer);
    if let Some(mutual) = span.mtls {
        all.push("meshquake.mutual_tls", Value::Flag(mutual));
    }
    if span.mirror {
        all.push("meshquake.mirror", Value::Flag(true));
    }
    all.number("meshquake.fault_ns", span.fault_ns);
    all.number("meshquake.backoff_ns", span.backoff_ns);
    all.number("meshquake.pool_ns", span.pool_ns);
    all.number("meshquake.queue_ns", span.queue_ns);
    if index == 0 {
        all.of_trace(trace);
    }
    all
}

fn failed(span: &SpanReport) -> bool {
    match (span.kind, span.status) {
        // An app that answers says so in its details, with a status; others say what kept them.
        (_, None) => true,
        (SpanKind::Client | SpanKind::Attempt, Some(status)) => status >= 400,
        (_, Some(status)) => status >= 500,
    }
}

fn status(span: &SpanReport) -> Option<Status> {
    failed(span).then_some(Status { code: 2 })
}

fn outcome(outcome: RequestOutcome) -> &'static str {
    match outcome {
        RequestOutcome::Answered => "answered",
        RequestOutcome::Timeout => "timeout",
        RequestOutcome::ConnectFailed => "connect_failed",
        RequestOutcome::Broken => "broken",
        RequestOutcome::InFlight => "in_flight",
    }
}

/// Attributes; what is empty or zero is left out.
#[derive(Default)]
struct Attributes<'a>(Vec<KeyValue<'a>>);

impl<'a> Attributes<'a> {
    fn push(&mut self, key: &'static str, value: Value<'a>) {
        self.0.push(KeyValue { key, value });
    }

    fn text(&mut self, key: &'static str, value: &'a str) {
        if !value.is_empty() {
            self.push(key, Value::Text(Cow::Borrowed(value)));
        }
    }

    fn number(&mut self, key: &'static str, value: u64) {
        if value > 0 {
            self.push(key, Value::Number(value.to_string()));
        }
    }

    fn of_trace(&mut self, trace: &'a TraceReport) {
        self.text("meshquake.traffic", &trace.traffic);
        let sequence = trace.sequence.to_string();
        self.push("meshquake.sequence", Value::Number(sequence));
        self.text("meshquake.outcome", outcome(trace.outcome));
        if let Some(succeeded) = trace.succeeded {
            self.push("meshquake.succeeded", Value::Flag(succeeded));
        }
        self.number("meshquake.spans_omitted", trace.spans_omitted.into());
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: &'a Scope,
    spans: Vec<Span<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<KeyValue<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<SpanEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanEvent {
    time_unix_nano: String,
    name: &'static str,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
enum Value<'a> {
    #[serde(rename = "stringValue")]
    Text(Cow<'a, str>),
    #[serde(rename = "intValue")]
    Number(String),
    #[serde(rename = "boolValue")]
    Flag(bool),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opentelemetry_proto::tonic::trace::v1::{TracesData, span::SpanKind as Kind};
    use serde_json::Value as Json;

    use super::super::sample::{hostile, pods, trace};
    use super::*;

    const EPOCH: u64 = 1_700_000_000_000_000_000;

    fn document(traces: &[TraceReport]) -> Vec<u8> {
        let mut otlp = Otlp::begin(Vec::new(), EPOCH, "0.1.0", pods()).unwrap();
        for trace in traces {
            otlp.trace(trace).unwrap();
        }
        otlp.finish().unwrap()
    }

    /// Everything `ours` says is said by `theirs`.
    fn within(ours: &Json, theirs: &Json, at: &str) {
        match (ours, theirs) {
            (Json::Object(ours), Json::Object(theirs)) => {
                for (key, value) in ours {
                    let at = format!("{at}.{key}");
                    within(value, theirs.get(key).unwrap_or(&Json::Null), &at);
                }
            }
            (Json::Array(ours), Json::Array(theirs)) => {
                assert_eq!(ours.len(), theirs.len(), "{at}");
                for (ours, theirs) in ours.iter().zip(theirs) {
                    within(ours, theirs, at);
                }
            }
            (ours, theirs) => assert_eq!(ours, theirs, "{at}"),
        }
    }

    /// What the protobuf's types read and write again is what was written: no field is misspelt, no type is wrong.
    #[test]
    fn the_protobuf_types_know_every_field() {
        let bytes = document(&[trace(), hostile()]);
        let data: TracesData = serde_json::from_slice(&bytes).unwrap();
        let ours: Json = serde_json::from_slice(&bytes).unwrap();
        within(&ours, &serde_json::to_value(&data).unwrap(), "");

        let spans: Vec<_> = data.resource_spans[0].scope_spans[0].spans.iter().collect();
        let ids: BTreeSet<&[u8]> = spans.iter().map(|span| &*span.span_id).collect();
        assert_eq!((spans.len(), ids.len()), (4, 4));
        assert!(spans[0].parent_span_id.is_empty());
        assert_eq!(spans[1].parent_span_id, spans[0].span_id);
        assert_eq!(spans[0].trace_id.len(), 16);
        assert_eq!(spans[0].start_time_unix_nano, EPOCH + 1_000_000);
        let kinds = |spans: &[_]| -> Vec<Kind> { spans.iter().map(kind).collect() };
        fn kind(span: &opentelemetry_proto::tonic::trace::v1::Span) -> Kind {
            span.kind()
        }
        let at = |resource: usize| &*data.resource_spans[resource].scope_spans[0].spans;
        assert_eq!(
            kinds(at(0)),
            [Kind::Client, Kind::Internal, Kind::Client, Kind::Client]
        );
        assert_eq!(kinds(at(1)), [Kind::Server, Kind::Internal]);
        assert_eq!(at(1)[0].parent_span_id, at(0)[3].span_id);
    }

    #[test]
    fn a_request_without_a_trace_has_one_here() {
        let data: TracesData = serde_json::from_slice(&document(&[hostile()])).unwrap();
        let span = &data.resource_spans[0].scope_spans[0].spans[0];
        assert!(span.trace_id.iter().any(|byte| *byte != 0));
    }

    #[test]
    fn an_attempt_as_it_is_written() {
        let json: Json = serde_json::from_slice(&document(&[trace()])).unwrap();
        let attempt = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][2];
        insta::assert_snapshot!(serde_json::to_string(attempt).unwrap(), @r#"{"attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"server.address","value":{"stringValue":"reviews"}},{"key":"server.port","value":{"intValue":"9080"}},{"key":"url.path","value":{"stringValue":"/reviews/1"}},{"key":"url.query","value":{"stringValue":"full=yes"}},{"key":"error.type","value":{"stringValue":"UF"}},{"key":"response_flags","value":{"stringValue":"UF"}},{"key":"upstream_cluster","value":{"stringValue":"outbound|9080||reviews.default.svc.cluster.local"}},{"key":"meshquake.upstream.pod","value":{"stringValue":"reviews-v1-0"}},{"key":"meshquake.mutual_tls","value":{"boolValue":true}}],"endTimeUnixNano":"1700000000002000000","kind":3,"name":"attempt 1 to reviews-v1-0","parentSpanId":"c0b7de941b1529c6","spanId":"5eef584d9a5fa5db","startTimeUnixNano":"1700000000001100000","status":{"code":2},"traceId":"0af7651916cd43dd8448eb211c80319c"}"#);
        let resource = &json["resourceSpans"][1]["resource"];
        insta::assert_snapshot!(serde_json::to_string(resource).unwrap(), @r#"{"attributes":[{"key":"service.name","value":{"stringValue":"reviews"}},{"key":"service.instance.id","value":{"stringValue":"reviews-v1-0"}},{"key":"k8s.pod.name","value":{"stringValue":"reviews-v1-0"}},{"key":"service.version","value":{"stringValue":"v1"}},{"key":"k8s.node.name","value":{"stringValue":"node-1"}},{"key":"cloud.availability_zone","value":{"stringValue":"a"}}]}"#);
    }

    #[test]
    fn a_document_without_traces_is_one() {
        let data: TracesData = serde_json::from_slice(&document(&[])).unwrap();
        assert!(data.resource_spans.is_empty());
    }

    #[test]
    fn hostile_names_are_text() {
        let bytes = document(&[hostile()]);
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains('\u{1b}') && !text.contains('\0'));
        let json: Json = serde_json::from_str(&text).unwrap();
        let pod = &json["resourceSpans"][0]["resource"]["attributes"][1]["value"]["stringValue"];
        assert!(pod.as_str().unwrap().contains("</script>"));
        let name = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"];
        assert!(name.as_str().unwrap().chars().count() <= NAME_MAX);
    }
}
