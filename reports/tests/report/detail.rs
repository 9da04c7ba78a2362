//! The detail of a run that could have been: as long, as wide and as broken as one likes.

use meshquake_reports::{
    BlameReport, Blamed, Course, Detail, Heat, PodReport, PolicyReport, RequestOutcome, RunReport,
    Series, ServiceCourse, SettingReport, SpanKind, SpanReport, Split, Told, TraceReport,
    TrafficCourse,
};

use crate::sample;

/// How much there is of everything.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) windows: usize,
    pub(crate) sources: usize,
    pub(crate) services: usize,
    pub(crate) traces: usize,
    pub(crate) spans: usize,
}

pub(crate) const SMALL: Size = Size {
    windows: 120,
    sources: 1,
    services: 4,
    traces: 4,
    spans: 9,
};

/// A run that failed, with its detail.
pub(crate) fn detailed(size: Size) -> RunReport {
    let mut report = sample::failed();
    report.traffic.shift_remove("probe");
    let model = report.traffic["shoppers"].clone();
    let window_s = report.virtual_seconds / size.windows as f64;
    let broken = |i: usize| (size.windows / 4..size.windows * 5 / 12).contains(&i);
    for n in 0..size.sources {
        let name = if n == 0 {
            "shoppers".to_owned()
        } else {
            format!("source-{n}")
        };
        let mut traffic = model.clone();
        let requests: Vec<u64> = (0..size.windows)
            .map(|i| 50 + (i as u64 * 7) % 13)
            .collect();
        let failed: Vec<u64> = (0..size.windows)
            .map(|i| if broken(i) { 9 } else { 0 })
            .collect();
        traffic.requests = requests.iter().sum();
        traffic.failed = failed.iter().sum();
        traffic.in_flight_at_end = 1;
        traffic.succeeded = traffic.requests - traffic.failed - 1;
        traffic.series = Series {
            window_s,
            attempts: Vec::new(),
            p50_ms: (0..size.windows)
                .map(|i| Some(12.0 + (i % 5) as f64))
                .collect(),
            p99_ms: (0..size.windows)
                .map(|i| Some(if broken(i) { 900.0 } else { 41.0 }))
                .collect(),
            requests,
            failed,
        };
        report.traffic.insert(name, traffic);
    }
    for edge in &mut report.edges {
        edge.series = Some(Series {
            attempts: report.traffic["shoppers"]
                .series
                .requests
                .iter()
                .map(|n| n + 3)
                .collect(),
            ..report.traffic["shoppers"].series.clone()
        });
    }
    report.detail = Some(Box::new(Detail {
        pods: vec![PodReport {
            name: "productpage-v1-0".into(),
            service: "productpage".into(),
            version: "v1".into(),
            region: String::new(),
            zone: "a".into(),
            node: "node-a".into(),
            meshed: true,
            source: false,
        }],
        course: course(&report, size, window_s, broken),
        fault_spans: vec![vec![[30.0, 50.0]]],
        blame: vec![
            blame(Blamed::All),
            blame(Blamed::Failed),
            blame(Blamed::Slow),
        ],
        worst: (0..size.traces).map(|n| trace(n, size.spans)).collect(),
        policy: vec![policy()],
    }));
    report
}

fn course(report: &RunReport, size: Size, window_s: f64, broken: impl Fn(usize) -> bool) -> Course {
    let when = |n: u32| {
        (0..size.windows)
            .map(|i| if broken(i) { n } else { 0 })
            .collect::<Vec<u32>>()
    };
    let floors_ms: Vec<f64> = (0..60)
        .map(|i| f64::from(1 << (i / 4)) * (1.0 + f64::from(i % 4) / 4.0))
        .collect();
    let heat = Heat {
        counts: (0..size.windows)
            .map(|i| {
                (0..30)
                    .map(|bucket| [bucket + (i as u32 % 9), 1 + bucket % 7])
                    .collect()
            })
            .collect(),
        floors_ms,
    };
    let failed = |n: u64| {
        (0..size.windows)
            .map(|i| if broken(i) { n } else { 0 })
            .collect::<Vec<u64>>()
    };
    let traffic = report.traffic.keys().map(|name| {
        let course = TrafficCourse {
            failed: [("URX,UF", 4), ("UO", 2), ("timeout", 2), ("500", 1)]
                .into_iter()
                .map(|(flags, n)| (flags.to_owned(), failed(n)))
                .collect(),
            p90_ms: vec![Some(22.0); size.windows],
            p999_ms: vec![Some(180.0); size.windows],
            heat: heat.clone(),
        };
        (name.clone(), course)
    });
    let services = (0..size.services).map(|n| {
        let name = match report.services.get(n) {
            Some(service) => service.name.clone(),
            None => format!("service-{n}"),
        };
        let course = ServiceCourse {
            arrivals: vec![50; size.windows],
            errors: failed(n as u64 % 5),
            queue_max: when(n as u32 + 3).into_iter().map(Some).collect(),
            ejected: when(1),
            down: when(1),
            pods: 3,
        };
        (name, course)
    });
    Course {
        window_s,
        windows: size.windows,
        traffic: traffic.collect(),
        services: services.collect(),
        connections: vec![42; size.windows],
        stale_sidecars: when(2).into_iter().map(u64::from).collect(),
        staleness_s: when(5).into_iter().map(f64::from).collect(),
        certificate_s: (0..size.windows)
            .map(|i| Some(86_400.0 - i as f64))
            .collect(),
    }
}

fn split() -> Split {
    Split {
        client_ns: 0,
        fault_ns: 0,
        backoff_ns: 25_000_001,
        pool_ns: 1_500_000,
        queue_ns: 700_000,
        service_ns: 9_000_000,
        proxy_ns: 300_000,
        unanswered_ns: 200_000_000,
        network_ns: 2_100_000,
    }
}

fn blame(of: Blamed) -> BlameReport {
    BlameReport {
        traffic: "shoppers".into(),
        of,
        requests: 1,
        slower_than_ms: (of == Blamed::Slow).then_some(41.0),
        split: split(),
    }
}

fn trace(n: usize, spans: usize) -> TraceReport {
    let failed = n.is_multiple_of(2);
    let begin = 30_000_000_000 + n as u64 * 1_000_000;
    TraceReport {
        told: if failed { Told::Failed } else { Told::Slow },
        traffic: "shoppers".into(),
        sequence: n as u64,
        trace: format!("{n:032x}"),
        intended_ns: begin,
        request: "GET productpage:9080/productpage".into(),
        outcome: RequestOutcome::Answered,
        succeeded: Some(!failed),
        status: Some(if failed { 503 } else { 200 }),
        flags: if failed { "URX,UF".into() } else { "-".into() },
        latency_ns: Some(split().total_ns()),
        split: Some(split()),
        spans: (0..spans).map(|i| span(i, begin, failed)).collect(),
        spans_omitted: 0,
    }
}

fn span(i: usize, begin: u64, failed: bool) -> SpanReport {
    let kind = match i {
        0 => SpanKind::Client,
        1 => SpanKind::Outbound,
        i if i % 3 == 2 => SpanKind::Attempt,
        i if i % 3 == 0 => SpanKind::Inbound,
        _ => SpanKind::App,
    };
    let start_ns = begin + i as u64 * 4_000_000;
    SpanReport {
        kind,
        parent: match i {
            0 => None,
            1 => Some(0),
            i if i % 3 == 2 => Some(1),
            i => Some(i as u32 - 1),
        },
        pod: "reviews-v2-1".into(),
        service: "reviews".into(),
        start_ns,
        end_ns: start_ns + 20_000_000,
        request: "GET reviews:9080/reviews/0".into(),
        cluster: "outbound|9080||reviews".into(),
        peer: "reviews-v2-1".into(),
        status: (!failed).then_some(200),
        flags: if failed { "UF".into() } else { "-".into() },
        details: if failed {
            "upstream_reset_before_response_started".into()
        } else {
            "via_upstream".into()
        },
        attempt: u32::from(kind == SpanKind::Attempt),
        mirror: false,
        mtls: Some(true),
        fault_ns: 0,
        backoff_ns: if kind == SpanKind::Outbound {
            5_000_000
        } else {
            0
        },
        pool_ns: 0,
        queue_ns: if kind == SpanKind::App { 2_000_000 } else { 0 },
    }
}

fn policy() -> PolicyReport {
    let setting = |depth, name: &str, value: &str, origin: &str| SettingReport {
        depth,
        name: name.into(),
        value: value.into(),
        origin: origin.into(),
    };
    PolicyReport {
        from: "productpage".into(),
        to: "reviews".into(),
        request: "GET http://reviews:9080/reviews/0".into(),
        settings: vec![
            setting(0, "route", "reviews-route", "mesh/reviews.yaml:12:7"),
            setting(
                0,
                "retry",
                "2 times on connect-failure",
                "default (Istio 1.24)",
            ),
            setting(
                1,
                "ejection",
                "after 5 consecutive 5xx, for 30 s",
                "mesh/reviews.yaml:40:5",
            ),
        ],
    }
}
