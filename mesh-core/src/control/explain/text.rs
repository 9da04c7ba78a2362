//! An explanation for people: what was found, top to bottom, in the order the sidecar finds it.

use std::fmt;

use super::words;
use super::{
    ClusterFinding, DestinationFinding, EndpointFinding, Explanation, Forwarding, Outcome,
    Protection, RouteFinding, Target,
};
use crate::policy::{LoadBalancer, Origin};

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedLine {
    /// Indentation: 0 for the request, 1 for one of its destinations.
    pub depth: usize,
    /// What it is about (`route`, `timeout`…); empty when it belongs to the line above.
    pub label: String,
    /// In words.
    pub value: String,
    /// Where the value comes from, if anybody said.
    pub origin: Option<Origin>,
    /// A destination begins here.
    pub begins: bool,
}

/// Adds one labelled line. `depth` counts indentations.
fn line(
    out: &mut Vec<ExplainedLine>,
    depth: usize,
    label: &str,
    value: &str,
    origin: Option<&Origin>,
) {
    out.push(ExplainedLine {
        depth,
        label: label.into(),
        value: value.into(),
        origin: origin.cloned(),
        begins: false,
    });
}

impl fmt::Display for ExplainedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (indent, width) = (2 * self.depth, 14 - 2 * self.depth);
        write!(f, "{:indent$}{:<width$}{}", "", self.label, self.value)?;
        match &self.origin {
            Some(origin) => write!(f, "  [{origin}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        for line in self.lines() {
            let gap = if line.begins { "\n" } else { "" };
            write!(f, "{gap}\n{line}")?;
        }
        Ok(())
    }
}

impl Explanation {
    /// What was found, top to bottom.
    pub fn lines(&self) -> Vec<ExplainedLine> {
        let mut lines = Vec::new();
        let out = &mut lines;
        match &self.virtual_host {
            Some(host) => {
                let value = format!("{} (by domain {})", host.name, host.domain);
                line(out, 0, "virtual host", &value, None);
            }
            None => {
                let nearest = self.nearest_host.as_ref();
                let value = nearest.map(|host| format!("none; did you mean `{host}`?"));
                let value = value.as_deref().unwrap_or("none");
                line(out, 0, "virtual host", value, None);
            }
        }
        for route in &self.routes {
            fmt_route(out, route);
        }
        match self.routes_not_tried {
            0 => {}
            1 => line(out, 0, "", "1 more route comes after it", None),
            more => line(
                out,
                0,
                "",
                &format!("{more} more routes come after it"),
                None,
            ),
        }
        fmt_outcome(out, &self.outcome);
        lines
    }
}

fn fmt_route(out: &mut Vec<ExplainedLine>, route: &RouteFinding) {
    let label = if route.matched { "route" } else { "not taken" };
    let value = if route.name.is_empty() {
        route.why.clone()
    } else {
        format!("{}: {}", route.name, route.why)
    };
    line(out, 0, label, &value, Some(&route.origin))
}

fn fmt_outcome(out: &mut Vec<ExplainedLine>, outcome: &Outcome) {
    let words = match outcome {
        Outcome::Forward(forwarding) => return fmt_forwarding(out, forwarding),
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
    line(out, 0, "answer", &words, None)
}

fn fmt_forwarding(out: &mut Vec<ExplainedLine>, forwarding: &Forwarding) {
    let Forwarding {
        timeout,
        retry,
        fault,
        rate_limit,
        mirrors,
        destinations,
    } = forwarding;
    if let Some(fault) = fault {
        line(out, 0, "fault", &words::fault(fault), Some(&fault.origin));
    }
    if let Some(limit) = rate_limit {
        line(out, 0, "rate limit", &words::rate_limit(limit), None);
    }
    line(
        out,
        0,
        "timeout",
        &words::timeout(timeout.value),
        Some(&timeout.origin),
    );
    line(
        out,
        0,
        "retry",
        &words::retry(&retry.value),
        Some(&retry.origin),
    );
    for mirror in mirrors {
        let gone = if mirror.exists {
            ""
        } else {
            ", which does not exist"
        };
        let value = format!("{} to {}{gone}", mirror.fraction, mirror.cluster);
        line(out, 0, "mirror", &value, Some(&mirror.origin));
    }
    destinations
        .iter()
        .for_each(|destination| fmt_destination(out, destination));
}

fn fmt_destination(out: &mut Vec<ExplainedLine>, destination: &DestinationFinding) {
    let share = (destination.share_percent * 100.0).round() / 100.0;
    let value = format!("{share}% {}", destination.cluster);
    line(out, 0, "to", &value, Some(&destination.origin));
    if let Some(to) = out.last_mut() {
        to.begins = true;
    }
    let sent = &destination.sent;
    line(
        out,
        1,
        "as",
        &format!("{}{}", sent.authority, sent.path),
        None,
    );
    for header in &sent.headers_set {
        line(out, 1, "with", header, None);
    }
    for header in &sent.headers_removed {
        line(out, 1, "without", header, None);
    }
    match &destination.target {
        Target::Cluster(cluster) => fmt_cluster(out, cluster),
        Target::Missing(why) => line(out, 1, "answer", &format!("503 NC: {why}"), None),
    }
}

fn fmt_cluster(out: &mut Vec<ExplainedLine>, cluster: &ClusterFinding) {
    if cluster.endpoints.is_empty() {
        line(out, 1, "endpoints", "none: 503 UH", None);
    }
    for (index, endpoint) in cluster.endpoints.iter().enumerate() {
        let label = if index == 0 { "endpoints" } else { "" };
        line(out, 1, label, &endpoint_words(endpoint), None);
    }
    let balancer = &cluster.load_balancer;
    let hashes = matches!(balancer.value, LoadBalancer::Hash { .. });
    let random = if hashes && cluster.hash.is_none() {
        " (not in this request: random)"
    } else {
        ""
    };
    let value = words::load_balancer(&balancer.value) + random;
    line(out, 1, "balancing", &value, Some(&balancer.origin));
    if let Some(locality) = &cluster.locality {
        line(
            out,
            1,
            "locality",
            &words::locality(&locality.value),
            Some(&locality.origin),
        );
    }
    if let Some(warmup) = &cluster.warmup {
        line(
            out,
            1,
            "warm-up",
            &words::warmup(&warmup.value),
            Some(&warmup.origin),
        );
    }
    line(
        out,
        1,
        "pool",
        &words::pool(&cluster.pool.value),
        Some(&cluster.pool.origin),
    );
    if let Some(budget) = &cluster.retry_budget {
        line(
            out,
            1,
            "budget",
            &words::retry_budget(&budget.value),
            Some(&budget.origin),
        );
    }
    match &cluster.outlier {
        Some(outlier) => {
            line(
                out,
                1,
                "ejection",
                &words::outlier(&outlier.value),
                Some(&outlier.origin),
            );
        }
        None => line(out, 1, "ejection", "off", None),
    }
    if cluster.panic_threshold_percent > 0 {
        let value = format!(
            "below {}% healthy, all are used",
            cluster.panic_threshold_percent
        );
        line(out, 1, "panic", &value, None);
    }
    line(
        out,
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
