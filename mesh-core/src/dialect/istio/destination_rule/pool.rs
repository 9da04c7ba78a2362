//! `connectionPool` (cluster_traffic_policy.go, `applyConnectionPool`).
//!
//! Zero and unset are the same to pilot, and mean the mesh's default.

use std::time::Duration;

use super::spec::{ConnectionPool as Written, Http, Tcp};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{ConnectionPool, NoteKind, Profile, Sourced};

/// Compiles `connectionPool` over the mesh's default; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Written>,
    field: &Field,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<Sourced<ConnectionPool>> {
    let mut pool = profile.pool.value.clone();
    if let Some(tcp) = &written.value.tcp {
        connections(tcp, &field.child("tcp"), &mut pool, findings)?;
    }
    if let Some(http) = &written.value.http {
        requests(http, &field.child("http"), &mut pool, findings)?;
    }
    Some(Sourced::new(pool, written.origin()))
}

fn connections(
    tcp: &Tcp,
    field: &Field,
    pool: &mut ConnectionPool,
    findings: &mut Findings<'_>,
) -> Option<()> {
    limit(
        &tcp.max_connections,
        &mut pool.connections_max,
        &field.child("maxConnections"),
        findings,
    )?;
    if let Some(text) = &tcp.connect_timeout {
        pool.connect_timeout = quantity::duration(text, findings)?;
    }
    if let Some(text) = &tcp.max_connection_duration {
        pool.connection_age_max = Some(quantity::duration(text, findings)?);
    }
    if let Some(text) = &tcp.idle_timeout {
        pool.idle_timeout = never_if_zero(quantity::duration_or_zero(text, findings)?);
    }
    Some(())
}

fn requests(
    http: &Http,
    field: &Field,
    pool: &mut ConnectionPool,
    findings: &mut Findings<'_>,
) -> Option<()> {
    limit(
        &http.pending_max,
        &mut pool.pending_max,
        &field.child("http1MaxPendingRequests"),
        findings,
    )?;
    limit(
        &http.requests_max,
        &mut pool.requests_max,
        &field.child("http2MaxRequests"),
        findings,
    )?;
    limit(
        &http.max_retries,
        &mut pool.retries_max,
        &field.child("maxRetries"),
        findings,
    )?;
    let streams = &field.child("maxConcurrentStreams");
    limit(
        &http.max_concurrent_streams,
        &mut pool.streams_max,
        streams,
        findings,
    )?;
    if let Some(number) = &http.max_requests_per_connection {
        pool.requests_per_connection_max = quantity::count(number, findings)?;
    }
    // The HTTP idle timeout has precedence over the TCP one.
    if let Some(text) = &http.idle_timeout {
        pool.idle_timeout = never_if_zero(quantity::duration_or_zero(text, findings)?);
    }
    if let Some(name) = &http.upgrade {
        pool.http2_upgrade = quantity::choice(
            name,
            &[
                ("DEFAULT", pool.http2_upgrade),
                ("DO_NOT_UPGRADE", false),
                ("UPGRADE", true),
            ],
            findings,
        )?;
    }
    Some(())
}

fn limit(
    written: &Option<Spanned<i64>>,
    limit: &mut u32,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<()> {
    let Some(number) = written else {
        return Some(());
    };
    match quantity::count(number, findings)? {
        0 => {
            let message = "0 is the same as unset: the mesh's default, which is no limit";
            findings.note(NoteKind::NoEffect, field, &number.at, message);
        }
        count => *limit = count,
    }
    Some(())
}

fn never_if_zero(timeout: Duration) -> Option<Duration> {
    Some(timeout).filter(|timeout| !timeout.is_zero())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dialect::testing::{destination_rule, notes, policy, refused};
    use crate::policy::{ConnectionPool, NoteKind, Profile};

    fn yaml(fields: &str) -> String {
        destination_rule(&format!(
            "  trafficPolicy: {{connectionPool: {{{fields}}}}}"
        ))
    }

    fn pool(fields: &str) -> ConnectionPool {
        policy(&yaml(fields))
            .destinations
            .remove(0)
            .policy
            .pool
            .unwrap()
            .value
    }

    #[test]
    fn every_field_is_read_over_the_default() {
        assert_eq!(pool(""), Profile::istio().pool.value);
        assert_eq!(
            pool(
                "tcp: {maxConnections: 2, connectTimeout: 300ms, maxConnectionDuration: 1h, idleTimeout: 5s}, \
                 http: {http1MaxPendingRequests: 1, http2MaxRequests: 3, maxRequestsPerConnection: 4, maxRetries: 5, idleTimeout: 6s, h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 7}"
            ),
            ConnectionPool {
                connections_max: 2,
                pending_max: 1,
                requests_max: 3,
                retries_max: 5,
                requests_per_connection_max: 4,
                streams_max: 7,
                connect_timeout: Duration::from_millis(300),
                idle_timeout: Some(Duration::from_secs(6)),
                connection_age_max: Some(Duration::from_secs(3600)),
                http2_upgrade: true,
            }
        );
    }

    #[test]
    fn zero_means_the_default_and_never_for_idle_timeouts() {
        let zero =
            "http: {http2MaxRequests: 0, maxRequestsPerConnection: 0}, tcp: {idleTimeout: 0s}";
        assert_eq!(pool(zero).requests_max, u32::MAX);
        assert_eq!(pool(zero).idle_timeout, None);
        assert_eq!(notes(&yaml(zero), NoteKind::NoEffect).len(), 1);
        assert_eq!(
            pool("tcp: {idleTimeout: 9s}").idle_timeout,
            Some(Duration::from_secs(9))
        );
    }

    #[test]
    fn wrong_and_unsimulated_fields() {
        assert_eq!(
            refused(&yaml("http: {maxRetries: -1}")),
            ["7:55 `-1` is negative"]
        );
        assert_eq!(
            refused(&yaml("http: {h2UpgradePolicy: UPGRAD}")),
            ["7:60 unknown value `UPGRAD`"]
        );
        assert_eq!(
            notes(
                &yaml("tcp: {tcpKeepalive: {time: 1s}}, http: {useClientProtocol: true}"),
                NoteKind::NotHonoured
            ),
            [
                "7:42 spec.trafficPolicy.connectionPool.tcp.tcpKeepalive: TCP keep-alive is not simulated",
                "7:76 spec.trafficPolicy.connectionPool.http.useClientProtocol: sidecars speak HTTP/2 to each other whatever the client speaks",
            ]
        );
    }
}
