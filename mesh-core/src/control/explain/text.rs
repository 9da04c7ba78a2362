//! An explanation for people: what was found, top to bottom, in the order the sidecar finds it.

use std::fmt;

use super::words;
use super::{
    ClusterFinding, DestinationFinding, EndpointFinding, Explanation, Forwarding, Outcome,
    Protection, RouteFinding, Target,
};
use crate::policy::{LoadBalancer, Origin};

/// One labelled line. `depth` counts indentations.
fn line(
    f: &mut fmt::Formatter<'_>,
    depth: usize,
    label: &str,
    value: &str,
    origin: Option<&Origin>,
) -> fmt::Result {
    let width = 14 - 2 * depth;
    write!(
        f,
        "\n{:indent$}{label:<width$}{value}",
        "",
        indent = 2 * depth
    )?;
    match origin {
        Some(origin) => write!(f, "  [{origin}]"),
        None => Ok(()),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        match &self.virtual_host {
            Some(host) => {
                let value = format!("{} (by domain {})", host.name, host.domain);
                line(f, 0, "virtual host", &value, None)?;
            }
            None => {
                let nearest = self.nearest_host.as_ref();
                let value = nearest.map(|host| format!("none; did you mean `{host}`?"));
                let value = value.as_deref().unwrap_or("none");
                line(f, 0, "virtual host", value, None)?;
            }
        }
        for route in &self.routes {
            fmt_route(f, route)?;
        }
        match self.routes_not_tried {
            0 => {}
            1 => line(f, 0, "", "1 more route comes after it", None)?,
            more => line(f, 0, "", &format!("{more} more routes come after it"), None)?,
        }
        fmt_outcome(f, &self.outcome)
    }
}

fn fmt_route(f: &mut fmt::Formatter<'_>, route: &RouteFinding) -> fmt::Result {
    let label = if route.matched { "route" } else { "not taken" };
    let value = if route.name.is_empty() {
        route.why.clone()
    } else {
        format!("{}: {}", route.name, route.why)
    };
    line(f, 0, label, &value, Some(&route.origin))
}

fn fmt_outcome(f: &mut fmt::Formatter<'_>, outcome: &Outcome) -> fmt::Result {
    let words = match outcome {
        Outcome::Forward(forwarding) => return fmt_forwarding(f, forwarding),
        Outcome::Redirect { status, location } => format!("{status}, redirect to {location}"),
        Outcome::Direct {
            status,
            body_bytes: 0,
        } => format!("{status}, from the sidecar itself"),
        Outcome::Direct { status, body_bytes } => {
            format!("{status} with {body_bytes} bytes, from the sidecar itself")
        }
        Outcome::NoDestination => "503 NC: no destination of the route has a weight".into(),
        Outcome::NoRoute => "404 NR: no route of the virtual host takes it".into(),
        Outcome::PassThrough => {
            "passed on to the address dialled, outside the mesh; in a run there is none: 503 UF"
                .into()
        }
        Outcome::Blocked => "502: unknown hosts are blocked".into(),
    };
    line(f, 0, "answer", &words, None)
}

fn fmt_forwarding(f: &mut fmt::Formatter<'_>, forwarding: &Forwarding) -> fmt::Result {
    let Forwarding {
        timeout,
        retry,
        fault,
        rate_limit,
        mirrors,
        destinations,
    } = forwarding;
    if let Some(fault) = fault {
        line(f, 0, "fault", &words::fault(fault), Some(&fault.origin))?;
    }
    if let Some(limit) = rate_limit {
        line(f, 0, "rate limit", &words::rate_limit(limit), None)?;
    }
    line(
        f,
        0,
        "timeout",
        &words::timeout(timeout.value),
        Some(&timeout.origin),
    )?;
    line(
        f,
        0,
        "retry",
        &words::retry(&retry.value),
        Some(&retry.origin),
    )?;
    for mirror in mirrors {
        let gone = if mirror.exists {
            ""
        } else {
            ", which does not exist"
        };
        let value = format!("{} to {}{gone}", mirror.fraction, mirror.cluster);
        line(f, 0, "mirror", &value, Some(&mirror.origin))?;
    }
    destinations
        .iter()
        .try_for_each(|destination| fmt_destination(f, destination))
}

fn fmt_destination(f: &mut fmt::Formatter<'_>, destination: &DestinationFinding) -> fmt::Result {
    let share = (destination.share_percent * 100.0).round() / 100.0;
    let value = format!("{share}% {}", destination.cluster);
    writeln!(f)?;
    line(f, 0, "to", &value, Some(&destination.origin))?;
    let sent = &destination.sent;
    line(
        f,
        1,
        "as",
        &format!("{}{}", sent.authority, sent.path),
        None,
    )?;
    for header in &sent.headers_set {
        line(f, 1, "with", header, None)?;
    }
    for header in &sent.headers_removed {
        line(f, 1, "without", header, None)?;
    }
    match &destination.target {
        Target::Cluster(cluster) => fmt_cluster(f, cluster),
        Target::Missing(why) => line(f, 1, "answer", &format!("503 NC: {why}"), None),
    }
}

fn fmt_cluster(f: &mut fmt::Formatter<'_>, cluster: &ClusterFinding) -> fmt::Result {
    if cluster.endpoints.is_empty() {
        line(f, 1, "endpoints", "none: 503 UH", None)?;
    }
    for (index, endpoint) in cluster.endpoints.iter().enumerate() {
        let label = if index == 0 { "endpoints" } else { "" };
        line(f, 1, label, &endpoint_words(endpoint), None)?;
    }
    let balancer = &cluster.load_balancer;
    let hashes = matches!(balancer.value, LoadBalancer::Hash { .. });
    let random = if hashes && cluster.hash.is_none() {
        " (not in this request: random)"
    } else {
        ""
    };
    let value = words::load_balancer(&balancer.value) + random;
    line(f, 1, "balancing", &value, Some(&balancer.origin))?;
    if let Some(locality) = &cluster.locality {
        line(
            f,
            1,
            "locality",
            &words::locality(&locality.value),
            Some(&locality.origin),
        )?;
    }
    if let Some(warmup) = &cluster.warmup {
        line(
            f,
            1,
            "warm-up",
            &words::warmup(&warmup.value),
            Some(&warmup.origin),
        )?;
    }
    line(
        f,
        1,
        "pool",
        &words::pool(&cluster.pool.value),
        Some(&cluster.pool.origin),
    )?;
    if let Some(budget) = &cluster.retry_budget {
        line(
            f,
            1,
            "budget",
            &words::retry_budget(&budget.value),
            Some(&budget.origin),
        )?;
    }
    match &cluster.outlier {
        Some(outlier) => {
            line(
                f,
                1,
                "ejection",
                &words::outlier(&outlier.value),
                Some(&outlier.origin),
            )?;
        }
        None => line(f, 1, "ejection", "off", None)?,
    }
    if cluster.panic_threshold_percent > 0 {
        let value = format!(
            "below {}% healthy, all are used",
            cluster.panic_threshold_percent
        );
        line(f, 1, "panic", &value, None)?;
    }
    line(
        f,
        1,
        "tls",
        &words::tls(&cluster.tls.value),
        Some(&cluster.tls.origin),
    )
}

fn endpoint_words(endpoint: &EndpointFinding) -> String {
    let mut words = vec![format!("{} {}", endpoint.workload, endpoint.address)];
    if !endpoint.locality.is_empty() {
        words.push(endpoint.locality.clone());
    }
    words.push(match endpoint.protection {
        Protection::Plain => "plain text".into(),
        Protection::Tls => "TLS".into(),
        Protection::Mutual => "mutual TLS".into(),
    });
    if endpoint.priority > 0 {
        words.push(format!("priority {}", endpoint.priority));
    }
    if endpoint.weight != 1 {
        words.push(format!("weight {}", endpoint.weight));
    }
    words.extend(
        endpoint
            .locality_weight
            .map(|weight| format!("locality weight {weight}")),
    );
    if !endpoint.healthy {
        words.push("unhealthy".into());
    }
    words.join(", ")
}
