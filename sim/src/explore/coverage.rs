//! Which resilience mechanisms a scenario's mesh is given.
//!
//! A mechanism is armed where the configuration sets it up so that it can act:
//! retries where a policy allows at least one, a breaker where a limit is below
//! "unlimited", failover where locality balancing is joined by the outlier
//! detection it needs. What the mesh's profile does by default counts as armed
//! too (Istio retries twice unasked): it acts in production just the same.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::policy::{
    ConnectionPool, DestinationPolicy, MeshPolicy, MtlsMode, OutlierDetection, RetryPolicy, Route,
};
use meshquake_reports::coverage::{CoverageReport, MechanismCoverage};
use meshquake_reports::suite::ScenarioReport;

use super::suite::Case;

/// A limit that is none (Envoy's and Istio's 2³² − 1).
const UNLIMITED: u32 = u32::MAX;

/// The mechanisms, as a run's report names them, and what arms each. Those armed by nothing act on their own.
const MECHANISMS: [(&str, &str); 16] = [
    ("retry", "retries, or the profile's default"),
    ("retry_exhausted", "retries, or the profile's default"),
    ("retry_budget_exhausted", "retryBudget, maxRetries"),
    ("timeout", "a route's timeout"),
    ("per_try_timeout", "retries.perTryTimeout"),
    ("overflow", "connectionPool limits"),
    ("ejection", "outlierDetection"),
    ("ejection_ended", "outlierDetection"),
    ("panic", "outlierDetection.minHealthPercent"),
    (
        "locality_failover",
        "localityLbSetting with outlierDetection, pods in several zones",
    ),
    ("rate_limit", "a local rate limit"),
    ("denied", "AuthorizationPolicy"),
    ("fault", "a route's fault"),
    ("mirror", "a route's mirror"),
    ("plaintext_refused", "PeerAuthentication STRICT"),
    ("handshake_failed", ""),
];

/// The coverage of `scenarios`, whose plans are in `cases` under the same file.
pub fn coverage(
    cases: &[Case],
    scenarios: &[ScenarioReport],
    fail_under: Option<f64>,
) -> CoverageReport {
    let mut all: BTreeMap<String, MechanismCoverage> = BTreeMap::new();
    let mut of = |name: &str, update: &dyn Fn(&mut MechanismCoverage)| {
        let known = MECHANISMS.iter().find(|(known, _)| *known == name);
        let mechanism = all
            .entry(name.to_owned())
            .or_insert_with(|| MechanismCoverage {
                name: name.to_owned(),
                armed_by: known.map_or("", |(_, armed_by)| *armed_by).to_owned(),
                ..MechanismCoverage::default()
            });
        update(mechanism);
    };
    for scenario in scenarios
        .iter()
        .filter(|scenario| !scenario.runs.is_empty())
    {
        let case = cases.iter().find(|case| case.file == scenario.file);
        for name in case.map(|case| armed(case)).unwrap_or_default() {
            of(name, &|mechanism| {
                mechanism.armed_in.push(scenario.file.clone())
            });
        }
        let mut fired: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, count) in scenario.runs.iter().flat_map(|run| &run.mechanisms) {
            *fired.entry(name).or_default() += count;
        }
        for (name, count) in fired.into_iter().filter(|(_, count)| *count > 0) {
            of(name, &|mechanism| {
                mechanism.fired += count;
                mechanism.fired_in.push(scenario.file.clone());
            });
        }
    }
    let known = MECHANISMS.iter().filter_map(|(name, _)| all.remove(*name));
    let mut mechanisms: Vec<MechanismCoverage> = known.collect();
    mechanisms.extend(all.into_values());
    CoverageReport::new(mechanisms, fail_under)
}

/// What the mesh of a case is given.
fn armed(case: &Case) -> BTreeSet<&'static str> {
    let mesh = &case.plan.mesh;
    let zones: BTreeSet<_> = case
        .plan
        .pods
        .iter()
        .map(|pod| &pod.workload.locality)
        .collect();
    let mut armed = Armed {
        names: BTreeSet::new(),
        several_zones: zones.len() > 1,
    };
    armed.mesh(mesh);
    armed.names
}

struct Armed {
    names: BTreeSet<&'static str>,
    several_zones: bool,
}

impl Armed {
    fn when(&mut self, is: bool, name: &'static str) {
        if is {
            self.names.insert(name);
        }
    }

    fn mesh(&mut self, mesh: &MeshPolicy) {
        let profile = &mesh.profile;
        self.retry(&profile.retry.value);
        self.retry(&profile.inbound_retry.value);
        self.when(profile.timeout.value.is_some(), "timeout");
        self.pool(&profile.pool.value);
        self.when(profile.mtls.value == MtlsMode::Strict, "plaintext_refused");
        for scoped in mesh.routes.iter().flat_map(|rule| &rule.routes) {
            self.route(&scoped.route);
        }
        for rule in &mesh.destinations {
            let subsets = rule.subsets.iter();
            let ports = rule
                .ports
                .values()
                .chain(subsets.clone().flat_map(|s| s.ports.values()));
            self.destination(&rule.policy, None, mesh);
            for policy in subsets.map(|subset| &subset.policy).chain(ports) {
                self.destination(policy, Some(&rule.policy), mesh);
            }
        }
        self.when(!mesh.inbound_rate_limits.is_empty(), "rate_limit");
        self.when(!mesh.authorization.is_empty(), "denied");
        let strict = mesh.peer_authentication.iter().any(|policy| {
            let modes = std::iter::once(&policy.mode).chain(policy.ports.values());
            modes.flatten().any(|mode| mode.value == MtlsMode::Strict)
        });
        self.when(strict, "plaintext_refused");
    }

    fn retry(&mut self, retry: &RetryPolicy) {
        self.when(retry.retries > 0, "retry");
        self.when(retry.retries > 0, "retry_exhausted");
        self.when(
            retry.retries > 0 && retry.per_try_timeout.is_some(),
            "per_try_timeout",
        );
    }

    fn route(&mut self, route: &Route) {
        self.retry(&route.retry.value);
        self.when(route.timeout.value.is_some(), "timeout");
        self.when(route.fault.is_some(), "fault");
        self.when(!route.mirrors.is_empty(), "mirror");
        self.when(route.rate_limit.is_some(), "rate_limit");
    }

    fn pool(&mut self, pool: &ConnectionPool) {
        let limits = [pool.connections_max, pool.pending_max, pool.requests_max];
        self.when(limits.iter().any(|limit| *limit < UNLIMITED), "overflow");
        self.when(pool.retries_max < UNLIMITED, "retry_budget_exhausted");
    }

    fn destination(
        &mut self,
        own: &DestinationPolicy,
        below: Option<&DestinationPolicy>,
        mesh: &MeshPolicy,
    ) {
        let policy = below.map_or_else(|| own.clone(), |below| own.over(below));
        if let Some(pool) = &policy.pool {
            self.pool(&pool.value);
        }
        self.when(policy.retry_budget.is_some(), "retry_budget_exhausted");
        let outlier = policy.outlier.as_ref().map(|outlier| &outlier.value);
        let Some(outlier) = outlier.filter(|outlier| ejects(outlier)) else {
            return;
        };
        self.when(true, "ejection");
        self.when(true, "ejection_ended");
        let panics = outlier
            .healthy_percent_min
            .max(mesh.profile.panic_threshold_percent);
        self.when(panics > 0, "panic");
        let local = policy
            .locality
            .as_ref()
            .is_none_or(|locality| locality.value.enabled);
        self.when(self.several_zones && local, "locality_failover");
    }
}

/// Whether it ejects for anything.
fn ejects(outlier: &OutlierDetection) -> bool {
    let counts = [
        outlier.consecutive_5xx,
        outlier.consecutive_gateway,
        outlier.consecutive_local,
    ];
    counts.iter().flatten().any(|count| *count > 0)
        || outlier.success_rate.is_some()
        || outlier.failure_percentage.is_some()
}
