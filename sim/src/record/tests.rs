//! A recorder and a synthetic run.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    AccessLogFormat, AccessNotes, AttemptEvent, Event, Mechanism, MechanismEvent, RequestEvent,
};
use meshquake_reports::{FailureKind, Happening, RunReport, Verdict};
use serde_json::Value;

use crate::plan::Demand;

use super::sample::{at, attempt, ended, plan, play, sent, through_sidecar};
use super::{
    AccessLog, Check, FabricEvent, RecordOptions, Recorder, RequestEnded, RunEnd, TrafficEvent,
    TrafficOutcome,
};

/// A sink that can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("JSON is UTF-8")
    }

    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"));
        lines.collect()
    }
}

fn options(sink: Option<Shared>) -> RecordOptions {
    RecordOptions {
        seed: 7,
        origin: Instant::ZERO,
        reproduce: "meshquake run scenario.yaml --seed 7".into(),
        requests: sink.map(|sink| Box::new(sink) as Box<dyn Write>),
        access_log: None,
        ..RecordOptions::default()
    }
}

fn end() -> RunEnd {
    RunEnd {
        at: at(60_000_000),
        wall: Duration::from_millis(1_840),
        fabric: FabricEvent {
            packets: 412,
            bytes: 98_765,
            lost: 1,
            parked: 0,
            reset: 3,
        },
    }
}

fn report() -> RunReport {
    let recorder = Recorder::new(&plan(), options(None));
    play(&recorder);
    recorder.finish(end())
}

#[test]
fn the_report_of_a_small_run() {
    insta::assert_snapshot!(report().to_json().unwrap());
}

/// This value changes only with the encoding of events, and then on purpose.
#[test]
fn the_digest_is_pinned() {
    let pinned = "1a13c39c032650a3d3768c4fb952b728498ff5c1ff107e33145154b3c4319a5b";
    assert_eq!(report().digest, pinned);
}

#[test]
fn the_digest_does_not_depend_on_what_is_kept() {
    let sink = Shared::default();
    let recorder = Recorder::new(&plan(), options(Some(sink)));
    play(&recorder);
    assert_eq!(recorder.finish(end()).digest, report().digest);
}

#[test]
fn the_summary_of_a_small_run() {
    let style = meshquake_reports::Style {
        color: false,
        width: 100,
    };
    insta::assert_snapshot!(meshquake_reports::summary(&report(), style));
}

#[test]
fn requests_are_conserved() {
    let report = report();
    for (name, traffic) in &report.traffic {
        let ended = traffic.succeeded + traffic.failed;
        assert_eq!(traffic.requests, ended + traffic.in_flight_at_end, "{name}");
        assert_eq!(traffic.status.values().sum::<u64>(), ended, "{name}");
        assert_eq!(
            traffic.series.requests.iter().sum::<u64>(),
            traffic.requests
        );
        assert_eq!(traffic.series.failed.iter().sum::<u64>(), traffic.failed);
    }
    let broken = report
        .failures
        .iter()
        .filter(|f| f.kind == FailureKind::Invariant);
    assert_eq!(broken.count(), 0, "{:?}", report.failures);
}

#[test]
fn an_edge_knows_its_attempts_and_their_tls() {
    let report = report();
    let edge = &report.edges[0];
    assert_eq!(
        (edge.from.as_str(), edge.to.as_str()),
        ("shoppers", "reviews")
    );
    assert_eq!(
        (edge.requests, edge.attempts, edge.retries, edge.failed),
        (3, 4, 1, 1)
    );
    // The attempt that never got a connection says nothing about TLS.
    assert_eq!(edge.mtls, Some(1.0));
    assert_eq!(edge.mechanisms["retry"], 1);
    assert_eq!(edge.flags["DC"], 1);
}

#[test]
fn a_script_is_held_to_its_word() {
    let report = report();
    let probe = &report.traffic["probe"];
    let held: Vec<Option<bool>> = probe.scripted.iter().map(|s| s.held).collect();
    assert_eq!(held, [Some(true), Some(false), Some(false)]);
    assert_eq!(
        probe.scripted[2].message,
        "it was not sent before the run ended"
    );
    assert_eq!((probe.succeeded, probe.failed), (1, 1));
    assert_eq!(report.verdict, Verdict::Failed);
    let scripted = report
        .failures
        .iter()
        .filter(|f| f.kind == FailureKind::Scripted);
    assert_eq!(scripted.count(), 2);
}

#[test]
fn a_fault_that_touched_nothing_fails_the_run() {
    let recorder = Recorder::new(&plan(), options(None));
    let report = recorder.finish(end());
    assert!(report.faults[0].inert);
    let inert = report
        .failures
        .iter()
        .find(|f| f.kind == FailureKind::InertFault)
        .unwrap();
    assert_eq!(
        inert.message,
        "the fault `crash reviews-v1-0` never began: the run ended first"
    );
    assert_eq!(inert.place, "scenario.yaml:25");
}

#[test]
fn a_request_ends_once() {
    let recorder = Recorder::new(&plan(), options(None));
    let once = TrafficEvent::Ended(ended("shoppers", 0, 1, 0, 5, TrafficOutcome::Answered(200)));
    recorder.traffic(at(0), &sent("shoppers", 0, 1, 0));
    recorder.traffic(at(5), &once);
    recorder.traffic(at(5), &once);
    recorder.traffic(at(9), &sent("shoppers", 1, 2, 9));
    recorder.traffic(at(9), &sent("shoppers", 1, 2, 9));
    let report = recorder.finish(end());
    let broken: Vec<&str> = report
        .failures
        .iter()
        .filter(|f| f.kind == FailureKind::Invariant)
        .map(|f| f.message.as_str())
        .collect();
    assert_eq!(
        broken,
        [
            "request 0 of shoppers ended, and was not in flight",
            "request 1 of shoppers was sent twice"
        ]
    );
    assert_eq!(report.traffic["shoppers"].succeeded, 1);
}

#[test]
fn a_request_upstream_had_an_attempt() {
    let recorder = Recorder::new(&plan(), options(None));
    let shoppers = recorder.observer("client-shoppers", "shoppers");
    let request = through_sidecar(1, 0, [0, 0, 0, 5, 0]);
    shoppers.observe(at(5), &Event::Request(request));
    let report = recorder.finish(end());
    let broken = report
        .failures
        .iter()
        .find(|f| f.kind == FailureKind::Invariant)
        .unwrap();
    assert_eq!(
        broken.message,
        "shoppers → reviews: 1 request sent upstream in only 0 attempts"
    );
}

/// Attempts of a time-out's length apart lie in other windows than their requests: told where they were made, the last
/// requests' retries would be divided by the few requests of a later window.
#[test]
fn attempts_belong_to_the_window_of_their_request() {
    let recorder = Recorder::new(&plan(), options(None));
    let shoppers = recorder.observer("client-shoppers", "shoppers");
    // Many requests in one second and a single one in the next, each with an attempt and, 1 s later, a retry.
    for (trace, start_us) in [
        (1, 3_100_000),
        (2, 3_200_000),
        (3, 3_300_000),
        (4, 4_100_000),
    ] {
        for (number, later) in [(1, 0), (2, 1_000_000)] {
            let end = at(start_us + later + 1_000_000);
            let tried = attempt(trace, number, start_us + later, 1_000_000);
            shoppers.observe(end, &Event::Attempt(tried));
        }
        let request = RequestEvent {
            attempts: 2,
            ..through_sidecar(trace, start_us, [0, 0, 0, 2_000_000, 0])
        };
        shoppers.observe(at(start_us + 2_000_000), &Event::Request(request));
    }
    // Turned away by the breaker, and made no attempt of.
    let turned_away = RequestEvent {
        attempts: 1,
        upstream: "",
        status: 503,
        flags: mesh_core::telemetry::ResponseFlag::UpstreamOverflow.into(),
        ..through_sidecar(5, 6_000_000, [0, 0, 0, 0, 0])
    };
    shoppers.observe(at(6_000_000), &Event::Request(turned_away));
    let report = recorder.finish(end());
    let edge = &report.edges[0];
    let series = edge.series.as_ref().unwrap();
    assert_eq!(series.attempts.iter().sum::<u64>(), edge.attempts);
    assert_eq!((edge.requests, edge.attempts), (5, 8));
    let each: Vec<f64> = series
        .requests
        .iter()
        .zip(&series.attempts)
        .filter(|(requests, _)| **requests > 0)
        .map(|(requests, attempts)| *attempts as f64 / *requests as f64)
        .collect();
    assert_eq!(each.last(), Some(&0.0), "the one that was turned away");
    assert!(
        each[..each.len() - 1].iter().all(|each| *each == 2.0),
        "{each:?}"
    );
}

#[test]
fn strangers_are_told_by_their_authority() {
    let recorder = Recorder::new(&plan(), options(None));
    let shoppers = recorder.observer("client-shoppers", "shoppers");
    for (cluster, authority) in [("", "ghost:80"), ("PassthroughCluster", "api.example.com")] {
        let request = RequestEvent {
            cluster,
            authority,
            attempts: 2,
            ..through_sidecar(1, 0, [0, 0, 0, 5, 0])
        };
        shoppers.observe(at(5), &Event::Request(request));
        let attempt = AttemptEvent {
            cluster,
            ..attempt(1, 1, 0, 5)
        };
        shoppers.observe(at(5), &Event::Attempt(attempt));
    }
    let report = recorder.finish(end());
    let told = report
        .edges
        .iter()
        .map(|e| (e.to.as_str(), e.attempts, e.mtls));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [("api.example.com", 2, None), ("ghost", 2, None)]
    );
}

#[test]
fn a_breaker_that_turns_requests_away_stands_in_the_timeline() {
    let recorder = Recorder::new(&plan(), options(None));
    let shoppers = recorder.observer("client-shoppers", "shoppers");
    for (micros, mechanism) in [(5, Mechanism::Overflow), (9, Mechanism::Retry)] {
        let event = MechanismEvent {
            mechanism,
            subject: "outbound|9080||reviews.default.svc.cluster.local",
            detail: "requests",
        };
        shoppers.observe(at(micros), &Event::Mechanism(event));
    }
    let told = recorder.finish(end()).timeline;
    let told: Vec<_> = told
        .iter()
        .map(|e| (e.kind, &*e.subject, e.for_s))
        .collect();
    assert_eq!(
        told,
        [(Happening::Breaker, "shoppers → reviews", Some(0.0))]
    );
}

#[test]
fn edges_stand_in_plan_order_whoever_came_first() {
    let recorder = Recorder::new(&plan(), options(None));
    for pod in ["client-probe", "reviews-v1-0", "client-shoppers"] {
        let observer = recorder.observer(pod, "reviews");
        let request = RequestEvent {
            attempts: 0,
            ..through_sidecar(1, 0, [0; 5])
        };
        observer.observe(at(5), &Event::Request(request));
    }
    let report = recorder.finish(end());
    let from: Vec<&str> = report.edges.iter().map(|e| e.from.as_str()).collect();
    assert_eq!(from, ["shoppers", "probe", "reviews"]);
}

/// The scenario's clock may begin late; then everything in a report and a log counts from there.
#[test]
fn reports_count_from_the_origin() {
    let sink = Shared::default();
    let mut options = options(Some(sink.clone()));
    options.origin = at(1_000_000);
    let mut plan = plan();
    let Demand::Measured { window, .. } = &mut plan.expectations[0].demand else {
        unreachable!()
    };
    window.to = Duration::from_secs(10);
    let recorder = Recorder::new(&plan, options);
    play(&recorder);
    let report = recorder.finish(end());
    assert_eq!(recorder.requests_ended(), 5);
    assert_eq!(report.virtual_seconds, 59.0);
    // Sent at 1, 11 and 20 s of the world; the window ends just before the second.
    assert_eq!(report.expectations[0].requests, 1);
    let begun = report.traffic["shoppers"].series.requests.iter();
    let windows: Vec<usize> = begun
        .enumerate()
        .filter(|(_, n)| **n > 0)
        .map(|(i, _)| i)
        .collect();
    assert_eq!(windows, [0, 10, 19, 58]);
    assert_eq!(report.timeline[0].at_s, -0.99998);
    assert_eq!(sink.lines()[0]["intended_ns"], 0);
    assert_eq!(sink.lines()[0]["latency_ns"], 6_000_000);
}

#[test]
fn nothing_counts_after_the_end() {
    let recorder = Recorder::new(&plan(), options(None));
    let before = recorder.finish(end());
    play(&recorder);
    assert_eq!(recorder.finish(end()), before);
}

fn logged() -> Vec<Value> {
    let sink = Shared::default();
    let recorder = Recorder::new(&plan(), options(Some(sink.clone())));
    play(&recorder);
    recorder.finish(end());
    recorder.close_logs().unwrap();
    sink.lines()
}

#[test]
fn the_request_log_of_a_small_run() {
    let sink = Shared::default();
    let recorder = Recorder::new(&plan(), options(Some(sink.clone())));
    play(&recorder);
    recorder.finish(end());
    insta::assert_snapshot!(sink.text());
}

#[test]
fn the_request_log_splits_latencies_without_a_gap() {
    let lines = logged();
    assert_eq!(lines.len(), 6);
    for line in &lines {
        let Some(split) = line["split"].as_object() else {
            assert_eq!(line["outcome"], "in_flight");
            continue;
        };
        let total: u64 = split.values().filter_map(Value::as_u64).sum();
        assert_eq!(Some(total), line["latency_ns"].as_u64(), "{line}");
    }
}

/// The parts are those that the sample's comments give.
#[test]
fn the_request_log_knows_where_the_time_went() {
    let lines = logged();
    let split = |i: usize, part: &str| lines[i]["split"][part].as_u64().unwrap() / 1_000;
    let first = [
        "queue_ns",
        "service_ns",
        "network_ns",
        "pool_ns",
        "proxy_ns",
    ];
    assert_eq!(
        first.map(|part| split(0, part)),
        [1_000, 4_000, 500, 250, 250]
    );
    let retried = [
        "backoff_ns",
        "pool_ns",
        "service_ns",
        "network_ns",
        "unanswered_ns",
    ];
    assert_eq!(
        retried.map(|part| split(1, part)),
        [25_000, 500, 4_250, 500, 0]
    );
    assert_eq!(lines[1]["attempts"][0]["flags"], "UF");
    // The client gave up first, but its line waits for its sidecar's word.
    assert_eq!(lines[2]["flags"], "DC");
    assert_eq!(split(2, "unanswered_ns"), 2_000_000);
}

#[test]
fn a_request_without_a_trace_of_its_own_is_logged_alone() {
    let sink = Shared::default();
    let recorder = Recorder::new(&plan(), options(Some(sink.clone())));
    for sequence in 0..3 {
        recorder.traffic(at(0), &sent("shoppers", sequence, 9, 0));
    }
    recorder.traffic(at(0), &sent("shoppers", 3, 0, 0));
    for (sequence, trace) in [(2, 9), (3, 0), (1, 9), (0, 9)] {
        let end = RequestEnded {
            check: Check::None,
            ..ended(
                "shoppers",
                sequence,
                trace,
                0,
                7,
                TrafficOutcome::Answered(200),
            )
        };
        recorder.traffic(at(7), &TrafficEvent::Ended(end));
    }
    recorder.finish(end());
    let sequences: Vec<u64> = sink
        .lines()
        .iter()
        .filter_map(|l| l["sequence"].as_u64())
        .collect();
    // The owner of the trace waits for its sidecar, which never tells.
    assert_eq!(sequences, [2, 3, 1, 0]);
}

fn notes() -> AccessNotes {
    let (head, ()) = http::Request::new(()).into_parts();
    let peer = ([127, 0, 0, 1], 40_000).into();
    AccessNotes::new(&head, Duration::ZERO, ([127, 0, 0, 1], 15_001).into(), peer)
}

#[test]
fn each_sidecar_signs_its_line_of_the_access_log() {
    let sink = Shared::default();
    let mut options = options(None);
    options.access_log = Some(AccessLog {
        sink: Box::new(sink.clone()),
        format: AccessLogFormat::Json,
    });
    let recorder = Recorder::new(&plan(), options);
    let shoppers = recorder.observer("client-shoppers", "shoppers");
    let reviews = recorder.observer("reviews-v1-1", "reviews");
    assert!(shoppers.keeps_access_log());
    let pass = through_sidecar(1, 0, [0; 5]);
    reviews.log_access(&pass, &notes());
    shoppers.log_access(&pass, &notes());
    recorder.finish(end());
    shoppers.log_access(&pass, &notes());
    recorder.close_logs().unwrap();
    let pods: Vec<Value> = sink
        .lines()
        .iter()
        .map(|line| line["pod"].clone())
        .collect();
    assert_eq!(pods, ["reviews-v1-1", "client-shoppers"]);
}

#[test]
fn without_an_access_log_nobody_takes_notes() {
    let recorder = Recorder::new(&plan(), options(None));
    assert!(
        !recorder
            .observer("client-shoppers", "shoppers")
            .keeps_access_log()
    );
}

/// A sink that fails.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_and_stops_nothing() {
    let mut options = options(None);
    options.requests = Some(Box::new(Full));
    let recorder = Recorder::new(&plan(), options);
    play(&recorder);
    assert_eq!(recorder.finish(end()).digest, report().digest);
    let error = recorder.close_logs().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(recorder.close_logs().is_ok());
}
