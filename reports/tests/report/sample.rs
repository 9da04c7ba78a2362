//! A run that could have been: bookinfo losing a zone for twenty seconds.

use std::collections::BTreeMap;

use meshquake_reports::{
    Connections, ControlPlaneReport, Declared, DemandReport, EdgeReport, ExpectationReport,
    Failure, FailureKind, FaultReport, Happening, InboundReport, LatencyMs, LayerReport,
    LoopReport, NetworkReport, NoteReport, Phases, Recovered, RecoveryReport, RunReport, SCHEMA,
    ScriptedReport, Series, ServiceReport, TimelineEntry, TrafficReport, Unit, Verdict,
    WindowReport,
};

pub(crate) fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(key, n)| ((*key).to_owned(), *n)).collect()
}

fn latency(p50: f64, p99: f64) -> LatencyMs {
    LatencyMs {
        mean: p50 * 1.1,
        p50,
        p90: p50 * 1.7,
        p99,
        p999: p99 * 1.5,
        max: p99 * 2.25,
    }
}

fn series(attempts: bool) -> Series {
    Series {
        window_s: 60.0,
        requests: vec![3_004, 3_008],
        failed: vec![3, 0],
        attempts: if attempts {
            vec![3_041, 3_008]
        } else {
            Vec::new()
        },
        p50_ms: vec![Some(12.4), None],
        p99_ms: vec![Some(41.0), None],
    }
}

fn edge(from: &str, to: &str, rps: f64, p50: f64, p99: f64) -> EdgeReport {
    let requests = (rps * 120.0) as u64;
    EdgeReport {
        from: from.into(),
        to: to.into(),
        requests,
        failed: 0,
        attempts: requests,
        retries: 0,
        mirrored: 0,
        rps,
        status: counts(&[("200", requests)]),
        flags: counts(&[("-", requests)]),
        mtls: Some(1.0),
        latency_ms: Some(latency(p50, p99)),
        connections: Connections {
            opened: 6,
            failed: 0,
            closed: 2,
        },
        mechanisms: BTreeMap::new(),
        series: None,
    }
}

fn edges() -> Vec<EdgeReport> {
    let mut first = edge("shoppers", "productpage", 50.1, 12.4, 41.0);
    first.failed = 3;
    first.series = Some(series(true));
    let mut reviews = edge("productpage", "reviews", 50.1, 6.21, 29.8);
    reviews.attempts += 41;
    reviews.retries = 41;
    reviews.mechanisms = counts(&[("retry", 41), ("ejection", 6)]);
    reviews.status = counts(&[("200", 6_009), ("503", 3)]);
    reviews.flags = counts(&[("-", 6_009), ("URX,UF", 3)]);
    reviews.failed = 3;
    reviews.connections.failed = 44;
    let mut plain = edge("reviews", "ratings", 33.4, 0.25, 1.9);
    plain.mtls = Some(0.0);
    vec![
        first,
        edge("productpage", "details", 50.1, 1.24, 4.4),
        reviews,
        plain,
    ]
}

fn services() -> Vec<ServiceReport> {
    let service = |name: &str, requests, errors, queue_max| ServiceReport {
        name: name.into(),
        requests,
        errors,
        rejected: 0,
        cancelled: 2,
        wasted: 1,
        queue_max,
        queue_ms: Some(latency(0.02, 3.1)),
        service_ms: Some(latency(5.0, 9.7)),
        inbound: InboundReport {
            requests,
            failed: errors,
            mtls: Some(1.0),
            flags: counts(&[("-", requests)]),
        },
    };
    vec![
        service("productpage", 6_012, 0, 0),
        service("reviews", 6_009, 3, 14),
    ]
}

fn expectation(measure: &str, demanded: (&str, f64), measured: Option<f64>) -> ExpectationReport {
    ExpectationReport {
        traffic: "shoppers".into(),
        subject: "shoppers".into(),
        window: WindowReport {
            from_s: 35.0,
            to_s: 50.0,
            ..WindowReport::default()
        },
        measure: measure.into(),
        unit: if measure == "success" {
            Unit::Ratio
        } else {
            Unit::Ms
        },
        demanded: DemandReport {
            comparison: demanded.0.into(),
            value: demanded.1,
        },
        measured,
        held: true,
        requests: 751,
        message: String::new(),
        place: "scenarios/zone-outage.yaml:31".into(),
    }
}

fn happening(at_s: f64, kind: Happening, subject: &str, text: &str) -> TimelineEntry {
    TimelineEntry {
        for_s: None,
        at_s,
        kind,
        subject: subject.into(),
        text: text.into(),
    }
}

fn shoppers() -> TrafficReport {
    TrafficReport {
        requests: 6_012,
        succeeded: 6_008,
        failed: 3,
        in_flight_at_end: 1,
        rps: 50.1,
        status: counts(&[("200", 6_008), ("503", 2), ("none", 1)]),
        flags: counts(&[("-", 6_008), ("DC", 1), ("URX,UF", 2)]),
        unanswered: counts(&[("timeout", 1)]),
        latency_ms: Some(latency(12.4, 41.0)),
        series: series(false),
        scripted: Vec::new(),
    }
}

/// Held: a blackholed zone, and clients that hardly noticed.
pub(crate) fn held() -> RunReport {
    RunReport {
        schema: SCHEMA.into(),
        meshquake_version: "0.1.0".into(),
        scenario: "reviews-zone-outage".into(),
        about: "Zone b disappears for 20 s; shoppers must not notice for longer than outlier detection needs.".into(),
        seed: 7,
        fingerprint: "5f".repeat(32),
        digest: "c0ffee42".repeat(8),
        verdict: Verdict::Held,
        declared: Declared::Held,
        failures: Vec::new(),
        virtual_seconds: 120.0,
        wall_seconds: 1.84,
        reproduce: "meshquake run scenarios/zone-outage.yaml --seed 7".into(),
        traffic: [("shoppers".to_owned(), shoppers())].into_iter().collect(),
        edges: edges(),
        services: services(),
        expectations_unjudged: 0,
        expectations: vec![
            expectation("success", (">=", 0.9990000000000001), Some(0.999_5)),
            expectation("p99", ("<", 250.0), Some(41.0)),
        ],
        faults: vec![FaultReport {
            what: "partition zone b".into(),
            name: "partition zone b".into(),
            at_s: 30.0,
            for_s: Some(20.0),
            began: true,
            drawn: Vec::new(),
            pods: 4,
            packets: 40_112,
            requests: 0,
            over_s: Some(20.0),
            times: 1,
            inert: false,
            place: "scenarios/zone-outage.yaml:24".into(),
            burst: false,
        }],
        recovery: vec![recovery()],
        mechanisms: counts(&[("retry", 41), ("ejection", 6), ("retry_exhausted", 3)]),
        control_plane: ControlPlaneReport {
            pushes: 18,
            acks: 18,
            connects: 12,
            version: 3,
            push_to_ack_ms: Some(latency(1.1, 1.9)),
            svids_issued: 12,
            ..ControlPlaneReport::default()
        },
        network: NetworkReport {
            packets: 412_345,
            bytes: 98_765_432,
            lost: 0,
            parked: 40_112,
            reset: 0,
        },
        timeline: vec![
            happening(30.0, Happening::Fault, "partition zone b", "began"),
            happening(31.204, Happening::Ejection, "reviews-v2-1", "ejected by productpage-v1-0 for 30 s: consecutive 5xx"),
            happening(50.0, Happening::Fault, "partition zone b", "ended"),
            happening(61.31, Happening::Ejection, "reviews-v2-1", "returned to productpage-v1-0"),
        ],
        timeline_omitted: 0,
        notes: vec![NoteReport {
            file: "mesh/reviews.yaml".into(),
            line: 12,
            column: 7,
            kind: "not_honoured".into(),
            object: "VirtualService default/reviews".into(),
            field: "spec.http[0].corsPolicy".into(),
            message: "CORS policies are read but not acted on.".into(),
        }],
        detail: None,
    }
}

fn recovery() -> RecoveryReport {
    RecoveryReport {
        traffic: "shoppers".into(),
        healed_s: 50.0,
        burst: None,
        before_per_s: 50.1,
        last_per_s: 50.0,
        threshold: 0.95,
        ratio: 0.999_5,
        after_s: Some(2.0),
        recovered: Recovered::Yes,
        sustained_by: None,
    }
}

fn phases(before: f64, after: f64) -> Phases {
    Phases {
        before: Some(before),
        during: Some((before + after) / 2.0),
        after: Some(after),
    }
}

/// A blip of ten seconds that a retry keeps alive, with expectations of every unit.
pub(crate) fn metastable() -> RunReport {
    let mut report = held();
    let sentence = "shoppers → api: 2.00 attempts per request (1.00 before) make 560/s on a capacity of about 300/s; 100% of the work is for callers that have gone";
    report.scenario = "retry-storm".into();
    report.verdict = Verdict::Metastable;
    report.failures = vec![Failure {
        kind: FailureKind::Metastable,
        message: format!(
            "shoppers stayed broken after the last fault healed at 50 s: 0/s succeed, 50.1/s did before; {sentence}"
        ),
        place: String::new(),
    }];
    report.recovery = vec![RecoveryReport {
        last_per_s: 0.0,
        ratio: 0.0,
        after_s: None,
        recovered: Recovered::Metastable,
        sustained_by: Some(LoopReport {
            sentence: sentence.into(),
            layers: vec![LayerReport {
                from: "shoppers".into(),
                to: "api".into(),
                requests_per_s: phases(280.0, 280.0),
                attempts: phases(1.0, 2.0),
                arrivals_per_s: phases(280.0, 560.0),
                capacity_per_s: Some(300.0),
                utilisation: phases(0.93, 1.0),
                wait_ms: phases(46.0, 71_200.0),
                timeout_ms: Some(1_000.0),
                wasted: phases(0.0, 1.0),
            }],
        }),
        ..recovery()
    }];
    let demand = |subject: &str, measure: &str, unit, demanded, measured| ExpectationReport {
        traffic: String::new(),
        subject: subject.into(),
        unit,
        ..expectation(measure, demanded, Some(measured))
    };
    let mut repeated = demand(
        "shoppers → api",
        "attempts",
        Unit::Number,
        ("<=", 1.2),
        1.004,
    );
    repeated.window = WindowReport {
        from_s: 30.0,
        to_s: 95.0,
        text: "during blip".into(),
        spans: vec![[30.0, 35.0], [90.0, 95.0]],
    };
    report.expectations = vec![
        repeated,
        demand("service api", "queue", Unit::Count, ("<=", 200.0), 12.0),
        demand("the mesh", "goodput", Unit::PerSecond, (">=", 270.0), 279.6),
        demand(
            "the mesh",
            "cross-zone-bytes",
            Unit::Bytes,
            ("<", 1_048_576.0),
            2_048.0,
        ),
        demand("blip", "detects", Unit::S, ("<=", 5.0), 3.2),
    ];
    report
}

/// Failed in every way there is.
pub(crate) fn failed() -> RunReport {
    let mut report = held();
    let late = &mut report.expectations[1];
    late.measured = Some(7_012.0);
    late.held = false;
    late.message = "p99 of shoppers was 7.01 s".into();
    let mut silent = expectation("success", (">=", 1.0), None);
    silent.held = false;
    silent.requests = 0;
    silent.message = "no request of shoppers was to be sent from 35 s to 50 s".into();
    report.expectations.push(silent);
    report.faults[0].inert = true;
    report.faults[0].packets = 0;
    report.faults[0].pods = 0;
    let fail = |kind, message: &str| Failure {
        kind,
        message: message.into(),
        place: "scenarios/zone-outage.yaml:24".into(),
    };
    report.failures = vec![
        fail(FailureKind::Expectation, "p99 of shoppers was 7.01 s"),
        fail(FailureKind::Expectation, "no request of shoppers"),
        fail(FailureKind::Scripted, "the status was 503, not 200"),
        fail(
            FailureKind::InertFault,
            "the fault `partition zone b` touched no packet",
        ),
    ];
    report.verdict = Verdict::Failed;
    report.traffic.insert("probe".into(), scripted());
    report
}

fn scripted() -> TrafficReport {
    let request = |at_s, status, held| ScriptedReport {
        at_s,
        request: "GET reviews:9080/reviews/0".into(),
        place: "scenarios/zone-outage.yaml:18".into(),
        status: Some(status),
        upstream: "reviews-v2-0".into(),
        flags: if held { "-".into() } else { "URX,UF".into() },
        latency_ms: Some(4.2),
        held: Some(held),
        message: if held {
            String::new()
        } else {
            "the status was 503, not 200".into()
        },
    };
    TrafficReport {
        requests: 2,
        succeeded: 1,
        failed: 1,
        in_flight_at_end: 0,
        rps: 0.0167,
        status: counts(&[("200", 1), ("503", 1)]),
        flags: counts(&[("-", 1), ("URX,UF", 1)]),
        unanswered: BTreeMap::new(),
        scripted: vec![request(1.0, 200, true), request(40.0, 503, false)],
        ..shoppers()
    }
}

/// A run in which nothing happened.
pub(crate) fn empty() -> RunReport {
    let mut report = held();
    report.traffic.clear();
    report.edges.clear();
    report.services.clear();
    report.expectations.clear();
    report.faults.clear();
    report.recovery.clear();
    report.timeline.clear();
    report.notes.clear();
    report.mechanisms.clear();
    report.control_plane = ControlPlaneReport::default();
    report
}
