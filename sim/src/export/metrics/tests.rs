//! Metrics of requests made by hand.

use std::path::PathBuf;
use std::time::Duration;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{
    ConnectionEvent, Direction, EjectionEvent, EjectionReason, Event, RequestEvent, RequestTiming,
    ResponseFlags, TlsState,
};

use super::super::testing::Shared;
use super::*;

const CLUSTER: &str = "outbound|9080||reviews.default.svc.cluster.local";

fn plan() -> Plan {
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios/bookinfo/bookinfo.yaml");
    let loaded = crate::scenario::load(&file, &crate::scenario::Overrides::default());
    loaded.ok().unwrap().plan
}

fn request(status: u16, millis: u64) -> RequestEvent<'static> {
    RequestEvent {
        direction: Direction::Outbound,
        trace: 1,
        start: ORIGIN,
        duration: Duration::from_millis(millis),
        method: "GET",
        authority: "reviews:9080",
        path: "/",
        route: "",
        cluster: CLUSTER,
        upstream: "reviews-v1-0",
        status,
        flags: ResponseFlags::NONE,
        details: "via_upstream",
        attempts: 1,
        request_bytes: 0,
        response_bytes: 2_048,
        timing: RequestTiming::default(),
        peer: "",
        downstream_tls: TlsState::Plain,
    }
}

fn at(seconds: u64) -> Instant {
    ORIGIN + Duration::from_secs(seconds)
}

fn scraped(samples_max: usize, hear: impl FnOnce(&mut dyn Listener)) -> String {
    let sink = Shared::default();
    let metrics = Metrics::bounded(&plan(), Box::new(sink.clone()), samples_max);
    hear(&mut *metrics.listener());
    metrics.finish().unwrap();
    String::from_utf8(sink.bytes()).unwrap()
}

fn tell(listener: &mut dyn Listener, pod: &str, event: Event<'_>) {
    listener.mesh(ORIGIN, Teller { pod, service: "" }, &event);
}

/// The values of a series over time.
fn values(text: &str, series: &[&str]) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let wanted = lines.filter(|line| series.iter().all(|part| line.contains(part)));
    wanted
        .map(|line| line.rsplit(' ').nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn a_request_in_istios_words() {
    let text = scraped(SAMPLES_MAX, |run| {
        run.reached(at(1));
        tell(run, "productpage-v1-0", Event::Request(request(200, 7)));
        tell(run, "productpage-v1-0", Event::Request(request(200, 12)));
        run.reached(at(2));
        run.reached(at(2) + Duration::from_millis(500));
    });
    let line = text
        .lines()
        .find(|line| line.starts_with("istio_requests_total"))
        .unwrap();
    insta::assert_snapshot!(line, @r#"istio_requests_total{reporter="source",pod="productpage-v1-0",source_workload="productpage-v1",source_workload_namespace="default",source_principal="unknown",source_app="productpage",source_version="v1",destination_workload="reviews-v1",destination_workload_namespace="default",destination_principal="unknown",destination_app="reviews",destination_version="v1",destination_service="reviews.default.svc.cluster.local",destination_service_name="reviews",destination_service_namespace="default",request_protocol="http",response_code="200",response_flags="-",connection_security_policy="unknown"} 0 1767225601.000"#);
    assert_eq!(values(&text, &["istio_requests_total"]), ["0", "2", "2"]);
    let bucket = |le: &str| {
        let le = format!("le=\"{le}\"");
        values(&text, &["istio_request_duration_milliseconds_bucket", &le])
    };
    assert_eq!(bucket("5.0"), ["0", "0", "0"]);
    assert_eq!(bucket("10.0"), ["0", "1", "1"]);
    assert_eq!(bucket("25.0"), ["0", "2", "2"]);
    assert_eq!(bucket("+Inf"), ["0", "2", "2"]);
    let sum = values(&text, &["istio_request_duration_milliseconds_sum"]);
    assert_eq!(sum, ["0", "19", "19"]);
    let bytes = values(&text, &["istio_response_bytes_sum"]);
    assert_eq!(bytes, ["0", "4096", "4096"]);
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn who_is_called_knows_the_caller_by_its_certificate() {
    let text = scraped(SAMPLES_MAX, |run| {
        let event = RequestEvent {
            direction: Direction::Inbound,
            cluster: "inbound|9080||",
            upstream: "",
            peer: "spiffe://cluster.local/ns/default/sa/bookinfo-productpage",
            downstream_tls: TlsState::Mutual,
            ..request(503, 1)
        };
        tell(run, "reviews-v1-0", Event::Request(event));
        run.reached(at(1));
    });
    let line = text
        .lines()
        .find(|line| line.starts_with("istio_requests_total"))
        .unwrap();
    insta::assert_snapshot!(line, @r#"istio_requests_total{reporter="destination",pod="reviews-v1-0",source_workload="productpage-v1",source_workload_namespace="default",source_principal="spiffe://cluster.local/ns/default/sa/bookinfo-productpage",source_app="productpage",source_version="v1",destination_workload="reviews-v1",destination_workload_namespace="default",destination_principal="spiffe://cluster.local/ns/default/sa/bookinfo-reviews",destination_app="reviews",destination_version="v1",destination_service="reviews.default.svc.cluster.local",destination_service_name="reviews",destination_service_namespace="default",request_protocol="http",response_code="503",response_flags="-",connection_security_policy="mutual_tls"} 0 1767225600.000"#);
}

#[test]
fn what_clusters_go_through() {
    let connection = |what| {
        Event::Connection(ConnectionEvent {
            cluster: CLUSTER,
            upstream: "reviews-v1-0",
            address: "10.0.0.1:15006".parse().unwrap(),
            what,
            why: "",
            duration: Duration::ZERO,
            tls: TlsState::Mutual,
        })
    };
    let ejection = |reason, ejected_now| {
        Event::Ejection(EjectionEvent {
            cluster: CLUSTER,
            upstream: "reviews-v1-0",
            reason,
            ejected_for: Duration::ZERO,
            ejected_now,
            endpoints: 3,
        })
    };
    let text = scraped(SAMPLES_MAX, |run| {
        for what in ["open", "open", "fail", "close"] {
            tell(run, "a", connection(what));
        }
        tell(run, "a", ejection(Some(EjectionReason::Consecutive5xx), 1));
        run.reached(at(1));
        tell(run, "a", ejection(None, 0));
        run.pod(
            at(1),
            &PodEvent {
                pod: "a",
                change: PodChange::Crashed,
            },
        );
        run.reached(at(2));
    });
    let of = |name: &str| values(&text, &[name]);
    assert_eq!(of("envoy_cluster_upstream_cx_total{"), ["0", "2", "2"]);
    assert_eq!(of("envoy_cluster_upstream_cx_active{"), ["0", "1", "0"]);
    assert_eq!(
        of("envoy_cluster_upstream_cx_connect_fail{"),
        ["0", "1", "1"]
    );
    let ejected = "envoy_cluster_outlier_detection_ejections_";
    assert_eq!(of(&format!("{ejected}active{{")), ["0", "1", "0"]);
    assert_eq!(of(&format!("{ejected}enforced_total{{")), ["0", "1", "1"]);
}

/// Labels do not say which pod of a deployment answered, nor through which subset: that must not make two series.
#[test]
fn what_labels_do_not_tell_apart_is_one_series() {
    let text = scraped(SAMPLES_MAX, |run| {
        for (upstream, cluster) in [
            ("details-v1-0", CLUSTER),
            ("details-v1-1", CLUSTER),
            (
                "details-v1-1",
                "outbound|9080|v1|reviews.default.svc.cluster.local",
            ),
        ] {
            let event = RequestEvent {
                upstream,
                cluster,
                ..request(200, 7)
            };
            tell(run, "productpage-v1-0", Event::Request(event));
        }
        run.reached(at(1));
    });
    assert_eq!(values(&text, &["istio_requests_total"]), ["0", "3"]);
}

#[test]
fn samples_are_bounded_and_the_last_is_told() {
    let text = scraped(1_000, |run| {
        for second in 1..=100 {
            tell(run, "productpage-v1-0", Event::Request(request(200, 7)));
            run.reached(at(second));
        }
    });
    let counts = values(&text, &["istio_requests_total"]);
    assert!((5..=16).contains(&counts.len()), "{counts:?}");
    assert_eq!(counts.last().unwrap(), "100");
}

#[test]
fn an_interval_grows_with_the_run() {
    let minutes = |minutes: u64| interval(Duration::from_secs(60 * minutes)).as_secs();
    assert_eq!([minutes(1), minutes(8), minutes(11)], [1, 5, 15]);
    assert_eq!([minutes(24 * 60), minutes(365 * 24 * 60)], [900, 14_400]);
}
