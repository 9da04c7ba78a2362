//! Golden lines, and values that want to break out of them.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::seam::Instant;
use crate::telemetry::{RequestTiming, ResponseFlag, ResponseFlags, TlsState};

/// The request of Istio's documentation (tasks/observability/logs/access-log), as far as it can be told here.
fn pass<'a>() -> RequestEvent<'a> {
    RequestEvent {
        direction: Direction::Outbound,
        trace: 1,
        start: Instant::ZERO,
        duration: Duration::from_micros(4_999),
        method: "GET",
        authority: "httpbin:8000",
        path: "/status/418",
        route: "default",
        cluster: "outbound|8000||httpbin.foo.svc.cluster.local",
        upstream: "httpbin-0",
        status: 418,
        flags: ResponseFlags::NONE,
        details: "via_upstream",
        attempts: 1,
        request_bytes: 0,
        response_bytes: 135,
        timing: RequestTiming::default(),
        peer: "",
        downstream_tls: TlsState::Plain,
    }
}

fn value(text: &str) -> Option<HeaderValue> {
    Some(HeaderValue::from_bytes(text.as_bytes()).unwrap())
}

fn notes() -> AccessNotes {
    AccessNotes {
        // 2020-11-25T21:26:18.409Z, by `date -u +%s`.
        started: Duration::from_millis(1_606_339_578_409),
        protocol: Version::HTTP_11,
        original_path: None,
        forwarded_for: None,
        user_agent: value("curl/7.73.0-DEV"),
        request_id: value("84961386-6d84-929d-98bd-c5aee93b5c88"),
        service_time: value("4"),
        upstream_host: Some(([10, 44, 1, 27], 80).into()),
        connect_failure: None,
        downstream_local: ([10, 0, 45, 184], 8000).into(),
        downstream_remote: ([10, 44, 1, 23], 46520).into(),
        server_name: None,
    }
}

fn text(pass: &RequestEvent<'_>, notes: &AccessNotes) -> String {
    let mut out = Vec::new();
    AccessLogFormat::Text.line(&mut out, "sleep-0", pass, notes);
    String::from_utf8(out).unwrap()
}

fn json(pass: &RequestEvent<'_>, notes: &AccessNotes) -> String {
    let mut out = Vec::new();
    AccessLogFormat::Json.line(&mut out, "sleep-0", pass, notes);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_of_text() {
    // Istio's documentation shows this line for the client, with 10.44.1.23:37652 for the address not known here.
    let expected = concat!(
        "[pod/sleep-0/istio-proxy] ",
        r#"[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" "#,
        r#""curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "10.44.1.27:80" "#,
        "outbound|8000||httpbin.foo.svc.cluster.local - 10.0.45.184:8000 10.44.1.23:46520 - default\n",
    );
    assert_eq!(text(&pass(), &notes()), expected);
}

#[test]
fn the_callees_line_of_text() {
    // The same request in httpbin's log, by the same page; 127.0.0.1:41854 is not known here.
    let inbound = RequestEvent {
        direction: Direction::Inbound,
        duration: Duration::from_millis(3),
        cluster: "inbound|8000||",
        route: "",
        ..pass()
    };
    let notes = AccessNotes {
        service_time: value("1"),
        upstream_host: Some(([127, 0, 0, 1], 80).into()),
        downstream_local: ([10, 44, 1, 27], 80).into(),
        downstream_remote: ([10, 44, 1, 23], 37652).into(),
        server_name: Some("outbound_.8000_._.httpbin.foo.svc.cluster.local".into()),
        ..notes()
    };
    let expected = concat!(
        "[pod/sleep-0/istio-proxy] ",
        r#"[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "-" "#,
        r#""curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" "#,
        "inbound|8000|| - 10.44.1.27:80 10.44.1.23:37652 ",
        "outbound_.8000_._.httpbin.foo.svc.cluster.local default\n",
    );
    assert_eq!(text(&inbound, &notes), expected);
}

#[test]
fn a_line_of_json_has_istios_keys_and_types() {
    let line: Json = serde_json::from_str(&json(&pass(), &notes())).unwrap();
    let expected = json!({
        "pod": "sleep-0",
        "start_time": "2020-11-25T21:26:18.409Z",
        "method": "GET",
        "path": "/status/418",
        "protocol": "HTTP/1.1",
        "response_code": 418,
        "response_flags": "-",
        "response_code_details": "via_upstream",
        "connection_termination_details": null,
        "upstream_transport_failure_reason": null,
        "bytes_received": 0,
        "bytes_sent": 135,
        "duration": 4,
        "upstream_service_time": "4",
        "x_forwarded_for": null,
        "user_agent": "curl/7.73.0-DEV",
        "request_id": "84961386-6d84-929d-98bd-c5aee93b5c88",
        "authority": "httpbin:8000",
        "upstream_host": "10.44.1.27:80",
        "upstream_cluster": "outbound|8000||httpbin.foo.svc.cluster.local",
        "upstream_local_address": null,
        "downstream_local_address": "10.0.45.184:8000",
        "downstream_remote_address": "10.44.1.23:46520",
        "requested_server_name": null,
        "route_name": "default",
    });
    assert_eq!(line, expected);
}

#[test]
fn a_failure_says_why() {
    let flags = ResponseFlags::from(ResponseFlag::UpstreamConnectionFailure)
        .with(ResponseFlag::UpstreamRetryLimitExceeded);
    let failed = RequestEvent {
        status: 503,
        flags,
        details: "upstream_reset_before_response_started{remote connection failure}",
        route: "",
        ..pass()
    };
    let refused = AccessNotes {
        connect_failure: Some("connection refused".into()),
        service_time: None,
        ..notes()
    };
    let line = text(&failed, &refused);
    // Observed: case retry_istio_default.
    let expected = concat!(
        "503 URX,UF upstream_reset_before_response_started{remote_connection_failure} - ",
        r#""delayed_connect_error:_Connection_refused" 0 135 4 - "-""#
    );
    assert!(line.contains(expected), "{line}");
    assert!(line.ends_with(" - -\n"), "{line}");
    let untrusted = AccessNotes {
        connect_failure: Some("TLS error: unknown issuer".into()),
        ..notes()
    };
    assert!(text(&failed, &untrusted).contains("\"TLS_error:_unknown_issuer\""));
}

#[test]
fn nothing_sent_is_zero_and_nothing_known_is_a_dash() {
    let gone = RequestEvent {
        status: 0,
        flags: ResponseFlag::DownstreamConnectionTermination.into(),
        details: "downstream_remote_disconnect",
        authority: "",
        cluster: "",
        ..pass()
    };
    let unknown = AccessNotes {
        user_agent: None,
        request_id: None,
        upstream_host: None,
        protocol: Version::HTTP_2,
        ..notes()
    };
    let line = text(&gone, &unknown);
    assert!(
        line.contains(r#"HTTP/2" 0 DC downstream_remote_disconnect"#),
        "{line}"
    );
    assert!(line.contains(r#""-" "-" "-" "-" "-" - - "#), "{line}");
}

#[test]
fn a_rewritten_path_is_told_as_it_came() {
    let rewritten = AccessNotes {
        original_path: value("/before"),
        ..notes()
    };
    assert!(text(&pass(), &rewritten).contains(r#""GET /before HTTP/1.1""#));
}

#[test]
fn nobody_forges_a_field_or_a_line() {
    let hostile = RequestEvent {
        path: "/a\" 200 -\n[2020-11-25T21:26:18.409Z] \u{1b}[2J\u{9b}\u{202e}\\x",
        route: "two words",
        ..pass()
    };
    let agent = AccessNotes {
        user_agent: Some(HeaderValue::from_bytes(b"a b\" \"c\xff\t").unwrap()),
        ..notes()
    };
    let line = text(&hostile, &agent);
    let path =
        r"/a\x22\x20200\x20-\x0A[2020-11-25T21:26:18.409Z]\x20\x1B[2J\xC2\x9B\xE2\x80\xAE\x5Cx";
    assert!(
        line.contains(&format!("\"GET {path} HTTP/1.1\" 418")),
        "{line}"
    );
    assert!(line.contains(r#""a b\x22 \x22c\xFF\x09""#), "{line}");
    assert!(line.ends_with(" two\\x20words\n"), "{line}");
    let line = json(&hostile, &agent);
    assert!(line.contains(r"\u000a") && line.contains(r"\u001b") && line.contains(r"\u202e"));
    let told: Json = serde_json::from_str(&line).unwrap();
    assert_eq!(told["path"], hostile.path);
}

proptest! {
    /// Whatever callers send: one line, printable ASCII, as many fields as ever.
    #[test]
    fn a_line_is_one_line(
        path in any::<String>(),
        authority in any::<String>(),
        agent in prop::collection::vec(prop_oneof![Just(b'\t'), 32u8..127, 128u8..=255], 0..40),
    ) {
        let hostile = RequestEvent { path: &path, authority: &authority, ..pass() };
        let notes = AccessNotes { user_agent: HeaderValue::from_bytes(&agent).ok(), ..notes() };
        let line = text(&hostile, &notes);
        prop_assert!(line.trim_end_matches('\n').bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
        prop_assert_eq!(line.matches('"').count(), 14);
        let outside: String = line.split('"').step_by(2).collect();
        let usual: String = text(&pass(), &notes).split('"').step_by(2).collect();
        prop_assert_eq!(outside, usual);
        let line = json(&hostile, &notes);
        prop_assert!(line.trim_end_matches('\n').bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
        let told: Json = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(told["authority"].as_str().unwrap_or(""), authority.as_str());
    }

    /// The inverse of counting days.
    #[test]
    fn dates_follow_each_other(days in 0u64..3_000_000) {
        let (year, month, day) = civil(days);
        let (next_year, next_month, next_day) = civil(days + 1);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 => 28 + u64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let expected = match (month, day) {
            (12, 31) => (year + 1, 1, 1),
            (_, last) if last == length => (year, month + 1, 1),
            _ => (year, month, day + 1),
        };
        prop_assert_eq!((next_year, next_month, next_day), expected);
    }
}

#[test]
fn the_epoch_is_the_first_of_january_1970() {
    assert_eq!(civil(0), (1970, 1, 1));
    // 2000-02-29 is 951 782 400 s after it.
    assert_eq!(
        timestamp(Duration::from_secs(951_782_400)),
        "2000-02-29T00:00:00.000Z"
    );
}
