//! Settings in words, short enough for one line.

use std::time::Duration;

use crate::policy::{
    AbortKind, ConnectionPool, FaultPolicy, HashAlgorithm, HashKey, LoadBalancer, LocalRateLimit,
    LocalityPolicy, OutlierDetection, RetryBudget, RetryOn, RetryPolicy, UpstreamTls, Warmup,
};

/// `250ms`, `1.5s`, `2m`, `1h30m`.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 || duration.subsec_nanos() != 0 {
        return format!("{duration:?}");
    }
    let parts = [
        (seconds / 3600, 'h'),
        (seconds / 60 % 60, 'm'),
        (seconds % 60, 's'),
    ];
    let shown = parts.iter().filter(|(count, _)| *count > 0);
    shown
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect()
}

pub(super) fn timeout(timeout: Option<Duration>) -> String {
    timeout.map_or_else(|| "none".into(), duration)
}

pub(super) fn retry(retry: &RetryPolicy) -> String {
    if retry.retries == 0 {
        return "none".into();
    }
    let times = if retry.retries == 1 {
        "1 retry".into()
    } else {
        format!("{} retries", retry.retries)
    };
    let mut words = vec![format!("{times} on {}", conditions(&retry.on))];
    words.extend(
        retry
            .per_try_timeout
            .map(|bound| format!("{} per try", duration(bound))),
    );
    let backoff = retry.backoff;
    words.push(format!(
        "back-off {} to {}",
        duration(backoff.base),
        duration(backoff.max)
    ));
    if retry.avoid_previous_endpoints {
        words.push("prefers endpoints not tried".into());
    }
    if retry.remote_localities {
        words.push("may leave the locality".into());
    }
    words.join(", ")
}

/// Envoy's `retry_on`.
fn conditions(on: &RetryOn) -> String {
    let named = [
        (on.any_5xx, "5xx"),
        (on.gateway_error, "gateway-error"),
        (on.reset, "reset"),
        (on.reset_before_request, "reset-before-request"),
        (on.connect_failure, "connect-failure"),
        (on.retriable_4xx, "retriable-4xx"),
        (on.refused_stream, "refused-stream"),
    ];
    let named = named.iter().filter(|(set, _)| *set);
    let mut all: Vec<String> = named.map(|(_, name)| (*name).to_owned()).collect();
    all.extend(on.grpc.iter().map(|status| match status {
        1 => "cancelled".into(),
        4 => "deadline-exceeded".into(),
        8 => "resource-exhausted".into(),
        13 => "internal".into(),
        14 => "unavailable".into(),
        other => format!("grpc-status {other}"),
    }));
    all.extend(on.statuses.iter().map(ToString::to_string));
    all.extend(on.headers.iter().map(|header| format!("header {header}")));
    if all.is_empty() {
        return "nothing".into();
    }
    all.join(",")
}

pub(super) fn fault(fault: &FaultPolicy) -> String {
    let mut words = Vec::new();
    if let Some((delay, share)) = &fault.delay {
        words.push(format!("delay {} for {share}", duration(*delay)));
    }
    if let Some((abort, share)) = &fault.abort {
        let with = match abort {
            AbortKind::Http(status) => format!("{status}"),
            AbortKind::Grpc(status) => format!("grpc-status {status}"),
        };
        words.push(format!("abort with {with} for {share}"));
    }
    words.join(", ")
}

pub(super) fn rate_limit(limit: &LocalRateLimit) -> String {
    let LocalRateLimit {
        tokens_max,
        tokens_per_fill,
        fill_interval,
        status,
    } = limit;
    let every = duration(*fill_interval);
    format!("{tokens_per_fill} per {every}, at most {tokens_max} at once, else {status}")
}

pub(super) fn load_balancer(balancer: &LoadBalancer) -> String {
    match balancer {
        LoadBalancer::RoundRobin => "round robin".into(),
        LoadBalancer::Random => "random".into(),
        LoadBalancer::LeastRequest { choices } => format!("least request of {choices}"),
        LoadBalancer::PeakEwma { decay, default_rtt } => {
            format!(
                "peak EWMA, decay {}, initially {}",
                duration(*decay),
                duration(*default_rtt)
            )
        }
        LoadBalancer::Hash { key, algorithm } => {
            let layout = match algorithm {
                HashAlgorithm::Ring { size_min } => format!("ring of at least {size_min}"),
                HashAlgorithm::Maglev { table_size } => format!("Maglev table of {table_size}"),
            };
            format!("consistent hashing by {}, {layout}", hash_key(key))
        }
        LoadBalancer::PassThrough => "none: to the address dialled".into(),
    }
}

fn hash_key(key: &HashKey) -> String {
    match key {
        HashKey::Header(name) => format!("header {name}"),
        HashKey::Cookie {
            name, ttl: None, ..
        } => format!("cookie {name}"),
        HashKey::Cookie {
            name,
            ttl: Some(ttl),
            ..
        } => {
            format!("cookie {name} (set for {} when missing)", duration(*ttl))
        }
        HashKey::SourceIp => "source address".into(),
        HashKey::QueryParameter(name) => format!("query parameter {name}"),
    }
}

pub(super) fn locality(policy: &LocalityPolicy) -> String {
    if !policy.enabled {
        return "off".into();
    }
    let mut words = Vec::new();
    for (from, to) in &policy.distribute {
        let shares = to.iter().map(|(at, share)| format!("{share}% to {at}"));
        words.push(format!(
            "from {from}: {}",
            shares.collect::<Vec<_>>().join(", ")
        ));
    }
    if !policy.failover_priority.is_empty() {
        words.push(format!(
            "priority by {}",
            policy.failover_priority.join(", ")
        ));
    }
    words.extend(
        policy
            .failover
            .iter()
            .map(|rule| format!("{} fails over to {}", rule.from, rule.to)),
    );
    if words.is_empty() {
        return "nearest first".into();
    }
    words.join("; ")
}

pub(super) fn warmup(warmup: &Warmup) -> String {
    let Warmup {
        duration: over,
        weight_min,
        aggression_milli,
    } = warmup;
    let curve = f64::from(*aggression_milli) / 1000.0;
    format!(
        "from {weight_min} of the weight over {}, aggression {curve}",
        duration(*over)
    )
}

pub(super) fn pool(pool: &ConnectionPool) -> String {
    let limits = [
        (pool.connections_max, "connections"),
        (pool.pending_max, "pending requests"),
        (pool.requests_max, "requests"),
        (pool.retries_max, "retries"),
    ];
    let limited = limits.iter().filter(|(limit, _)| *limit != u32::MAX);
    let mut words: Vec<String> = limited
        .map(|(limit, what)| format!("{limit} {what}"))
        .collect();
    if words.is_empty() {
        words.push("no limits".into());
    }
    if pool.requests_per_connection_max > 0 {
        words.push(format!(
            "{} requests per connection",
            pool.requests_per_connection_max
        ));
    }
    words.push(format!("connect in {}", duration(pool.connect_timeout)));
    words.extend(
        pool.idle_timeout
            .map(|idle| format!("idle {}", duration(idle))),
    );
    words.extend(
        pool.connection_age_max
            .map(|age| format!("connections live {}", duration(age))),
    );
    if pool.http2_upgrade {
        words.push("HTTP/2".into());
    }
    words.join(", ")
}

pub(super) fn outlier(outlier: &OutlierDetection) -> String {
    let limits = [
        (outlier.consecutive_5xx, "5xx"),
        (outlier.consecutive_gateway, "gateway errors"),
        (
            outlier
                .consecutive_local
                .filter(|_| outlier.split_local_origin),
            "local failures",
        ),
    ];
    let set = limits
        .iter()
        .filter_map(|(limit, what)| Some((limit.as_ref()?, what)));
    let mut words: Vec<String> = set
        .map(|(limit, what)| format!("{limit} {what} in a row"))
        .collect();
    if outlier.success_rate.is_some() {
        words.push("low success rate".into());
    }
    words.extend(
        outlier
            .failure_percentage
            .map(|percent| format!("{percent}% failures")),
    );
    if words.is_empty() {
        words.push("never".into());
    }
    let triggers = words.join(" or ");
    let out = duration(outlier.ejection_base);
    let most = outlier.ejected_percent_max;
    format!(
        "{triggers}: out for {out} and longer each time, at most {most}%, swept every {}",
        duration(outlier.interval)
    )
}

pub(super) fn retry_budget(budget: &RetryBudget) -> String {
    format!(
        "{} of requests in flight, at least {}",
        budget.fraction, budget.retries_min
    )
}

pub(super) fn tls(tls: &UpstreamTls) -> String {
    match tls {
        UpstreamTls::Auto => "mutual where the endpoint has a sidecar, else plain".into(),
        UpstreamTls::Disable => "plain".into(),
        UpstreamTls::Simple { sni, insecure, .. } => {
            let name = sni
                .as_ref()
                .map(|sni| format!(" as {sni}"))
                .unwrap_or_default();
            let trust = if *insecure {
                ", certificate not checked"
            } else {
                ""
            };
            format!("TLS{name}{trust}")
        }
        UpstreamTls::MeshMutual { .. } => "mutual".into(),
    }
}
