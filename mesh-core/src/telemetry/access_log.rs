//! Access-log lines, as an Istio sidecar's Envoy writes them.
//!
//! Two encodings, with the operators in the order and under the keys of Istio's
//! `EnvoyTextLogFormat` and `EnvoyJSONLogFormatIstio`
//! (istio/pilot/pkg/model/telemetry_logging.go). What is absent is `-` in text
//! and `null` in JSON, where status, bytes and duration are numbers and the rest
//! is text (Envoy documentation, access logging, format dictionaries). All lines
//! of a mesh come in one stream, so each says who wrote it: in text as `kubectl
//! logs --prefix` does, in JSON under the key `pod`.
//!
//! # Always absent
//!
//! - `CONNECTION_TERMINATION_DETAILS`: why Envoy closed a downstream connection;
//!   nothing here closes one for a reason that belongs to a request.
//! - `UPSTREAM_LOCAL_ADDRESS`: connections in a pool do not keep it. The
//!   upstream's own line is found by the request id.
//! - `UPSTREAM_HOST` of a request that was answered before an endpoint was picked.
//!
//! # Otherwise than in Envoy
//!
//! - `DOWNSTREAM_LOCAL_ADDRESS`, outbound, is the listener that the app dialled;
//!   behind Istio's iptables it is the address of the service.
//! - `REQUESTED_SERVER_NAME` is what the peer's handshake named; sidecars here
//!   name none to each other, where Istio's name the cluster.
//! - `REQ(:AUTHORITY)` is as received, also where a route rewrites it.
//!
//! # Hostile values
//!
//! Paths and headers come from callers. Envoy writes them into a text log as
//! they are, quotes included (envoyproxy/envoy#4191), so a caller can forge
//! fields. Here every byte outside printable ASCII, every quote and every
//! backslash is `\xHH` in text, as in nginx's log module, and so is a space in
//! a field without quotes of its own; in JSON everything outside printable
//! ASCII is `\uHHHH`. A line is one line, harmless to a terminal.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header, request};

use super::{Direction, REQUEST_ID, RequestEvent};

const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How lines are encoded (Istio: `meshConfig.accessLogEncoding`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// Istio's default text format.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What a line tells beyond its request's event. A proxy takes note of it only
/// where its observer [keeps an access log](super::Observer::keeps_access_log).
#[derive(Clone, Debug)]
pub struct AccessNotes {
    /// When the request's headers arrived, on the host's wall clock, since the Unix epoch.
    pub started: Duration,
    /// The downstream's protocol.
    pub protocol: Version,
    /// `x-envoy-original-path` as received: told instead of the path.
    pub original_path: Option<HeaderValue>,
    /// `x-forwarded-for`.
    pub forwarded_for: Option<HeaderValue>,
    /// `user-agent`.
    pub user_agent: Option<HeaderValue>,
    /// `x-request-id`, the caller's or this proxy's own.
    pub request_id: Option<HeaderValue>,
    /// `x-envoy-upstream-service-time` of the upstream's answer.
    pub service_time: Option<HeaderValue>,
    /// The endpoint of the last attempt.
    pub upstream_host: Option<SocketAddr>,
    /// Why the last attempt got no connection.
    pub connect_failure: Option<Arc<str>>,
    /// This end of the downstream connection.
    pub downstream_local: SocketAddr,
    /// The other end of the downstream connection.
    pub downstream_remote: SocketAddr,
    /// The server name (SNI) of the downstream's TLS handshake.
    pub server_name: Option<Arc<str>>,
}

impl AccessNotes {
    /// What is known when a request's headers have arrived from `remote` at `local`.
    pub fn new(
        head: &request::Parts,
        started: Duration,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Self {
        let value = |name: &HeaderName| head.headers.get(name).cloned();
        Self {
            started,
            protocol: head.version,
            original_path: value(&ORIGINAL_PATH),
            forwarded_for: value(&FORWARDED_FOR),
            user_agent: value(&header::USER_AGENT),
            request_id: value(&REQUEST_ID),
            service_time: None,
            upstream_host: None,
            connect_failure: None,
            downstream_local: local,
            downstream_remote: remote,
            server_name: None,
        }
    }

    /// Takes the upstream's own account from the headers of its answer.
    pub fn answered(&mut self, headers: &HeaderMap) {
        self.service_time = headers.get("x-envoy-upstream-service-time").cloned();
    }
}

/// Envoy's command operators, those that Istio's formats use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    StartTime,
    Method,
    Path,
    Protocol,
    ResponseCode,
    ResponseFlags,
    ResponseCodeDetails,
    ConnectionTerminationDetails,
    UpstreamTransportFailureReason,
    BytesReceived,
    BytesSent,
    Duration,
    UpstreamServiceTime,
    ForwardedFor,
    UserAgent,
    RequestId,
    Authority,
    UpstreamHost,
    UpstreamCluster,
    UpstreamLocalAddress,
    DownstreamLocalAddress,
    DownstreamRemoteAddress,
    RequestedServerName,
    RouteName,
}

/// The line: what stands before each value in text, the operator, its key in JSON.
const LINE: [(&str, Operator, &str); 24] = {
    use Operator as Op;
    [
        ("[", Op::StartTime, "start_time"),
        ("] \"", Op::Method, "method"),
        (" ", Op::Path, "path"),
        (" ", Op::Protocol, "protocol"),
        ("\" ", Op::ResponseCode, "response_code"),
        (" ", Op::ResponseFlags, "response_flags"),
        (" ", Op::ResponseCodeDetails, "response_code_details"),
        (
            " ",
            Op::ConnectionTerminationDetails,
            "connection_termination_details",
        ),
        (
            " \"",
            Op::UpstreamTransportFailureReason,
            "upstream_transport_failure_reason",
        ),
        ("\" ", Op::BytesReceived, "bytes_received"),
        (" ", Op::BytesSent, "bytes_sent"),
        (" ", Op::Duration, "duration"),
        (" ", Op::UpstreamServiceTime, "upstream_service_time"),
        (" \"", Op::ForwardedFor, "x_forwarded_for"),
        ("\" \"", Op::UserAgent, "user_agent"),
        ("\" \"", Op::RequestId, "request_id"),
        ("\" \"", Op::Authority, "authority"),
        ("\" \"", Op::UpstreamHost, "upstream_host"),
        ("\" ", Op::UpstreamCluster, "upstream_cluster"),
        (" ", Op::UpstreamLocalAddress, "upstream_local_address"),
        (" ", Op::DownstreamLocalAddress, "downstream_local_address"),
        (
            " ",
            Op::DownstreamRemoteAddress,
            "downstream_remote_address",
        ),
        (" ", Op::RequestedServerName, "requested_server_name"),
        (" ", Op::RouteName, "route_name"),
    ]
};

enum Value<'a> {
    Absent,
    Number(u64),
    Bytes(&'a [u8]),
    Text(String),
}

impl<'a> Value<'a> {
    fn text(text: &'a str) -> Self {
        match text {
            "" => Self::Absent,
            text => Self::Bytes(text.as_bytes()),
        }
    }

    fn header(value: Option<&'a HeaderValue>) -> Self {
        value.map_or(Self::Absent, |value| Self::Bytes(value.as_bytes()))
    }

    fn address(address: Option<SocketAddr>) -> Self {
        address.map_or(Self::Absent, |address| Self::Text(address.to_string()))
    }

    /// Envoy replaces white space in what it says itself (`StringUtil::replaceAllEmptySpace`).
    fn underscored(text: &str) -> Self {
        match text {
            "" => Self::Absent,
            text => Self::Text(text.replace(|c: char| c.is_ascii_whitespace(), "_")),
        }
    }
}

impl Operator {
    fn value<'a>(self, pass: &'a RequestEvent<'_>, notes: &'a AccessNotes) -> Value<'a> {
        match self {
            Self::StartTime => Value::Text(timestamp(notes.started)),
            Self::Method => Value::text(pass.method),
            Self::Path => match &notes.original_path {
                Some(path) => Value::header(Some(path)),
                None => Value::text(pass.path),
            },
            Self::Protocol => Value::text(protocol(notes.protocol)),
            Self::ResponseCode => Value::Number(pass.status.into()),
            Self::ResponseFlags => Value::Text(pass.flags.to_string()),
            Self::ResponseCodeDetails => Value::underscored(pass.details),
            Self::ConnectionTerminationDetails | Self::UpstreamLocalAddress => Value::Absent,
            Self::UpstreamTransportFailureReason => match &notes.connect_failure {
                Some(why) => Value::underscored(&connect_failure(why)),
                None => Value::Absent,
            },
            Self::BytesReceived => Value::Number(pass.request_bytes),
            Self::BytesSent => Value::Number(pass.response_bytes),
            Self::Duration => Value::Number(millis(pass.duration)),
            Self::UpstreamServiceTime => Value::header(notes.service_time.as_ref()),
            Self::ForwardedFor => Value::header(notes.forwarded_for.as_ref()),
            Self::UserAgent => Value::header(notes.user_agent.as_ref()),
            Self::RequestId => Value::header(notes.request_id.as_ref()),
            Self::Authority => Value::text(pass.authority),
            Self::UpstreamHost => Value::address(notes.upstream_host),
            Self::UpstreamCluster => Value::text(pass.cluster),
            Self::DownstreamLocalAddress => Value::address(Some(notes.downstream_local)),
            Self::DownstreamRemoteAddress => Value::address(Some(notes.downstream_remote)),
            Self::RequestedServerName => Value::text(notes.server_name.as_deref().unwrap_or("")),
            Self::RouteName => Value::text(route_name(pass)),
        }
    }

    /// Whether spaces are part of the value: it stands between quotes, alone.
    const fn may_have_spaces(self) -> bool {
        matches!(self, Self::ForwardedFor | Self::UserAgent)
    }
}

impl AccessLogFormat {
    /// Appends one line, with its end: the pass of a request through the sidecar of `pod`.
    pub fn line(self, out: &mut Vec<u8>, pod: &str, pass: &RequestEvent<'_>, notes: &AccessNotes) {
        match self {
            Self::Text => text_line(out, pod, pass, notes),
            Self::Json => json_line(out, pod, pass, notes),
        }
        out.push(b'\n');
    }
}

fn text_line(out: &mut Vec<u8>, pod: &str, pass: &RequestEvent<'_>, notes: &AccessNotes) {
    out.extend_from_slice(b"[pod/");
    escape(out, pod.as_bytes(), false);
    out.extend_from_slice(b"/istio-proxy] ");
    for (before, operator, _) in LINE {
        out.extend_from_slice(before.as_bytes());
        let spaces = operator.may_have_spaces();
        match operator.value(pass, notes) {
            Value::Absent | Value::Bytes(b"") => out.push(b'-'),
            Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Bytes(bytes) => escape(out, bytes, spaces),
            Value::Text(text) => escape(out, text.as_bytes(), spaces),
        }
    }
}

fn json_line(out: &mut Vec<u8>, pod: &str, pass: &RequestEvent<'_>, notes: &AccessNotes) {
    out.extend_from_slice(b"{\"pod\":");
    quote(out, pod);
    for (_, operator, key) in LINE {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        match operator.value(pass, notes) {
            Value::Absent => out.extend_from_slice(b"null"),
            Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Bytes(bytes) => quote(out, &String::from_utf8_lossy(bytes)),
            Value::Text(text) => quote(out, &text),
        }
    }
    out.push(b'}');
}

/// Appends a value to a line of text; see the module's word on hostile values.
fn escape(out: &mut Vec<u8>, value: &[u8], spaces: bool) {
    for &byte in value {
        let plain = byte.is_ascii_graphic() || (spaces && byte == b' ');
        if plain && !matches!(byte, b'"' | b'\\') {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("\\x{byte:02X}").as_bytes());
        }
    }
}

/// Appends a JSON string in printable ASCII.
fn quote(out: &mut Vec<u8>, text: &str) {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _infallible = write!(quoted, "\\u{unit:04x}");
                }
            }
        }
    }
    quoted.push('"');
    out.extend_from_slice(quoted.as_bytes());
}

/// As Envoy 1.40 words it: TLS failures as they are, others as errors of the system's `connect`.
fn connect_failure(why: &str) -> String {
    if why.starts_with("TLS error") {
        return why.to_owned();
    }
    let mut letters = why.chars();
    let first: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("delayed connect error: {first}{}", letters.as_str())
}

/// Istio's inbound routes are all called `default`.
fn route_name<'a>(pass: &'a RequestEvent<'_>) -> &'a str {
    let to_the_app = pass.direction == Direction::Inbound && !pass.cluster.is_empty();
    match pass.route {
        "" if to_the_app => "default",
        route => route,
    }
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "",
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// ISO 8601 in UTC with milliseconds, Envoy's default for `START_TIME`.
fn timestamp(unix: Duration) -> String {
    let (days, second) = (unix.as_secs() / 86_400, unix.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        unix.subsec_millis(),
    )
}

/// The date of the Gregorian calendar that is `days` after 1970-01-01. Years are counted from
/// March, so that the leap day is the last of its year (Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    // From 0000-03-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests;
