//! From policy and registry to the resources of one sidecar: what istiod does at every push.
//!
//! [`compile`] does it once; a [`Compiler`] does it for a whole mesh, and
//! shares between sidecars whatever is equal: a thousand sidecars of one
//! namespace have one set of route tables and clusters, and one set of
//! endpoints per place. What a change leaves as it was keeps its very `Arc`,
//! so a sidecar tells by [`Arc::ptr_eq`] what it need not touch.

mod caller;
mod cluster;
mod destination;
mod endpoint;
mod inbound;
mod index;
mod locality;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use caller::{Caller, Class, Place, Questions};
use destination::governing;
use index::{Index, Inputs};

use super::{
    Cluster, ClusterName, LoadAssignment, OutboundListener, Registry, RouteTable, Snapshot,
    Workload,
};
use crate::policy::{AuthorizationPolicy, Destination, DestinationPolicy, MeshPolicy, RouteAction};

/// The resources of `workload`'s sidecar. Its inbound ports are those that services send to it.
///
/// Costs as much as a whole push; for many sidecars use a [`Compiler`].
pub fn compile(
    policy: &MeshPolicy,
    registry: &Registry,
    workload: &Workload,
    version: u64,
) -> Snapshot {
    Compiler::default().compile(policy, registry, workload, &[], version)
}

/// Compiles for many sidecars, doing equal work once.
#[derive(Default)]
pub struct Compiler {
    prepared: Option<Prepared>,
    outbound: BTreeMap<Class, Outbound>,
    /// What was compiled before the last change: equal resources are taken from here.
    before: BTreeMap<Class, Outbound>,
    authorization: Vec<Arc<AuthorizationPolicy>>,
}

/// What is computed once for a policy and a registry.
struct Prepared {
    index: Index,
    questions: Questions,
    authorization: Vec<Arc<AuthorizationPolicy>>,
}

impl Compiler {
    /// Tells that the policy or the registry has changed. All is compiled anew; what comes out as before keeps its `Arc`.
    pub fn invalidate(&mut self) {
        if let Some(prepared) = self.prepared.take() {
            self.authorization = prepared.authorization;
            self.before.append(&mut self.outbound);
        }
    }

    /// The resources of `workload`'s sidecar. `ports` are inbound ports that no service tells of.
    ///
    /// `policy` and `registry` must be the same at every call until [`Compiler::invalidate`].
    pub fn compile(
        &mut self,
        policy: &MeshPolicy,
        registry: &Registry,
        workload: &Workload,
        ports: &[u16],
        version: u64,
    ) -> Snapshot {
        let prepared = self
            .prepared
            .get_or_insert_with(|| Prepared::new(policy, registry, &self.authorization));
        let inputs = Inputs {
            policy,
            registry,
            index: &prepared.index,
        };
        let caller = Caller::of(workload);
        let class = prepared.questions.class(workload);
        let before = self.before.get(&class);
        let outbound = self
            .outbound
            .entry(class)
            .or_insert_with(|| Outbound::new(inputs, &caller, before));
        let place = prepared.questions.place(workload);
        Snapshot {
            version,
            outbound: OutboundListener {
                allow_any: policy.profile.allow_any_outbound,
            },
            inbound: inbound::listeners(inputs, &prepared.authorization, workload, ports),
            routes: outbound.routes.clone(),
            clusters: outbound.clusters.clone(),
            endpoints: outbound.endpoints(inputs, &caller, &place, before),
        }
    }
}

impl Prepared {
    fn new(policy: &MeshPolicy, registry: &Registry, known: &[Arc<AuthorizationPolicy>]) -> Self {
        let reuse = |policy: Arc<AuthorizationPolicy>| {
            let same = known.iter().find(|old| **old == policy);
            same.cloned().unwrap_or(policy)
        };
        Self {
            index: Index::new(policy, registry),
            questions: Questions::of(policy),
            authorization: shared(policy).into_iter().map(reuse).collect(),
        }
    }
}

fn shared(policy: &MeshPolicy) -> Vec<Arc<AuthorizationPolicy>> {
    policy.authorization.iter().cloned().map(Arc::new).collect()
}

/// The outbound resources of all callers of one class.
struct Outbound {
    /// By port.
    routes: Vec<Arc<RouteTable>>,
    /// By name.
    clusters: Vec<Arc<Cluster>>,
    /// One for each cluster.
    plans: Vec<Plan>,
    /// By place of the caller; in the order of the clusters.
    endpoints: BTreeMap<Place, Vec<Arc<LoadAssignment>>>,
}

/// How the endpoints of a cluster are found.
struct Plan {
    service: usize,
    port: u16,
    /// Labels of the subset.
    labels: BTreeMap<String, String>,
    policy: DestinationPolicy,
    /// Whether the caller's place matters.
    local: bool,
}

impl Outbound {
    fn new(inputs: Inputs<'_>, caller: &Caller<'_>, before: Option<&Self>) -> Self {
        let routes = tables::tables(inputs, caller);
        let mut clusters: Vec<(Cluster, Plan)> = destinations(&routes)
            .into_iter()
            .filter_map(|destination| planned(inputs, caller, &destination))
            .collect();
        clusters.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        let (clusters, plans): (Vec<_>, Vec<_>) = clusters.into_iter().unzip();
        Self {
            routes: reused(routes, before.map(|old| &*old.routes), |table| table.port),
            clusters: reused(clusters, before.map(|old| &*old.clusters), |cluster| {
                cluster.name.clone()
            }),
            plans,
            endpoints: BTreeMap::new(),
        }
    }

    /// The endpoints of all clusters for a caller at `place`.
    fn endpoints(
        &mut self,
        inputs: Inputs<'_>,
        caller: &Caller<'_>,
        place: &Place,
        before: Option<&Self>,
    ) -> Vec<Arc<LoadAssignment>> {
        if let Some(known) = self.endpoints.get(place) {
            return known.clone();
        }
        let elsewhere = self.endpoints.values().next();
        let old = before.and_then(|old| old.endpoints.get(place));
        let each = self.plans.iter().zip(&self.clusters).enumerate();
        let each = each.map(|(at, (plan, cluster))| match elsewhere {
            Some(elsewhere) if !plan.local => elsewhere[at].clone(),
            _ => {
                let fresh = plan.assignment(inputs, caller, cluster.name.clone());
                let old = old.map(|old| &**old);
                reuse(fresh, old, |assignment| assignment.cluster.clone())
            }
        });
        let endpoints: Vec<_> = each.collect();
        self.endpoints.insert(place.clone(), endpoints.clone());
        endpoints
    }
}

impl Plan {
    fn assignment(
        &self,
        inputs: Inputs<'_>,
        caller: &Caller<'_>,
        cluster: ClusterName,
    ) -> LoadAssignment {
        let known = &inputs.index.services[self.service];
        match known.port(self.port) {
            Some(port) => endpoint::assignment(
                inputs,
                caller,
                known,
                port,
                &self.labels,
                &self.policy,
                cluster,
            ),
            None => LoadAssignment {
                cluster,
                endpoints: Vec::new(),
                locality_weights: BTreeMap::new(),
            },
        }
    }
}

/// Every destination that a route or a mirror of `tables` names.
fn destinations(tables: &[RouteTable]) -> BTreeSet<Destination> {
    let routes = tables.iter().flat_map(|table| &table.hosts);
    let routes = routes.flat_map(|host| &host.routes);
    let mut all = BTreeSet::new();
    for route in routes {
        if let RouteAction::Forward(forward) = &route.action {
            all.extend(forward.destinations.iter().map(|d| d.destination.clone()));
        }
        all.extend(route.mirrors.iter().map(|m| m.destination.clone()));
    }
    all
}

/// The cluster of `destination`; `None` when its host, port or subset is unknown.
fn planned(
    inputs: Inputs<'_>,
    caller: &Caller<'_>,
    destination: &Destination,
) -> Option<(Cluster, Plan)> {
    let (service, known) = inputs.index.find(&destination.host)?;
    let port = known.port(destination.port?)?;
    let rules = governing(inputs, caller, known);
    let subset = match &destination.subset {
        Some(name) => Some(rules.as_ref()?.subset(name)?),
        None => None,
    };
    let policy = rules.map(|rules| rules.policy(port.number, subset));
    let policy = policy.unwrap_or_default();
    let name = destination.subset.as_deref();
    let cluster = cluster::cluster(inputs, known, port, name, &policy);
    let plan = Plan {
        service,
        port: port.number,
        labels: subset
            .map(|subset| subset.labels.clone())
            .unwrap_or_default(),
        local: locality::matters(&policy),
        policy,
    };
    Some((cluster, plan))
}

/// Each of `fresh`, or its equal among `old`, which is sorted by `key`.
fn reused<T: PartialEq, K: Ord>(
    fresh: Vec<T>,
    old: Option<&[Arc<T>]>,
    key: impl Fn(&T) -> K,
) -> Vec<Arc<T>> {
    let each = fresh.into_iter();
    each.map(|resource| reuse(resource, old, &key)).collect()
}

fn reuse<T: PartialEq, K: Ord>(fresh: T, old: Option<&[Arc<T>]>, key: impl Fn(&T) -> K) -> Arc<T> {
    let name = key(&fresh);
    let same_name = old.and_then(|old| {
        let at = old
            .binary_search_by_key(&name, |resource| key(resource))
            .ok()?;
        Some(&old[at])
    });
    match same_name {
        Some(old) if **old == fresh => old.clone(),
        _ => Arc::new(fresh),
    }
}

#[cfg(test)]
mod tests;
