//! How many retries sidecars allow, as configuration is pushed to them.
//!
//! A fault can put other configuration in force, for everybody or for some, and take it back. A sidecar is under it
//! not when the control plane is told but when it has applied what it was pushed: a push is made of the changes in
//! force at that moment, leaves at once or late, and holds until the next is applied. Events tell of the push and of
//! its application; which changes were in force then is known from when each fault began and ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_core::control::{Compiler, Registry, Workload};
use mesh_core::policy::MeshPolicy;

use super::flight::Limit;
use crate::plan::{ConfigChange, ControlFault, FaultKind, Plan, PodSelector};
use crate::record::nanos;

/// The changes of configuration that a sidecar is under: numbers of faults, in the order in which they began.
pub(super) type Changes = Vec<u32>;

/// Limits on retries.
pub(super) struct Limits {
    base: MeshPolicy,
    registry: Registry,
    /// Faults that change configuration or hold it up.
    causes: BTreeMap<u32, Cause>,
    /// When they were at work, in the order in which they began.
    spells: Vec<Spell>,
    /// What each pod was pushed last, by version.
    pushed: BTreeMap<Arc<str>, BTreeMap<u64, Changes>>,
    /// What each pod's sidecar has applied, and since when.
    applied: BTreeMap<Arc<str>, Vec<(u64, Changes)>>,
    /// By changes: the policy, and limits by the class of the caller and the cluster.
    known: BTreeMap<Changes, Known>,
}

/// What a fault does to configuration.
enum Cause {
    /// It is another.
    Change {
        change: ConfigChange,
        to: Option<BTreeSet<Arc<str>>>,
        /// Nanoseconds after which everybody has it.
        all_after: Option<u64>,
    },
    /// It comes later, by nanoseconds.
    Late {
        by: u64,
        to: Option<BTreeSet<Arc<str>>>,
    },
}

/// A fault at work.
struct Spell {
    fault: u32,
    from: u64,
    to: Option<u64>,
    /// The pods that were drawn; `None` when there was no choice.
    drawn: Option<BTreeSet<Arc<str>>>,
}

/// A policy, and what it allows.
struct Known {
    policy: MeshPolicy,
    compiler: Compiler,
    /// By namespace and labels of the calling workload, which decide what rules govern it, and cluster.
    limits: BTreeMap<String, BTreeMap<String, Limit>>,
}

impl Limits {
    pub(super) fn of(plan: &Plan) -> Self {
        let faults = plan.faults.iter().enumerate();
        let causes = faults.filter_map(|(index, fault)| Some((index as u32, cause(&fault.kind)?)));
        Self {
            base: plan.mesh.clone(),
            registry: plan.registry(),
            causes: causes.collect(),
            spells: Vec::new(),
            pushed: BTreeMap::new(),
            applied: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    /// A fault begins or ends at `at`; pods were drawn for it where there was a choice.
    pub(super) fn fault(&mut self, fault: u32, at: u64, began: bool, drawn: &[Arc<str>]) {
        if !self.causes.contains_key(&fault) {
            return;
        }
        if began {
            self.spells.push(Spell {
                fault,
                from: at,
                to: None,
                drawn: (!drawn.is_empty()).then(|| drawn.iter().cloned().collect()),
            });
            return;
        }
        let own = |spell: &&mut Spell| spell.fault == fault && spell.to.is_none();
        if let Some(spell) = self.spells.iter_mut().find(own) {
            spell.to = Some(at);
        }
    }

    /// A push to `pod` leaves at `at`.
    pub(super) fn pushed(&mut self, pod: &str, version: u64, at: u64) {
        if self.spells.is_empty() {
            return;
        }
        let made = self.made(pod, at);
        let changes = self.changes(pod, made);
        let own = self.pushed.entry(pod.into()).or_default();
        own.insert(version, changes);
        // A sidecar applies what it is pushed in order; few are on their way at once.
        while own.len() > 8 {
            own.pop_first();
        }
    }

    /// The sidecar of `pod` has applied a version at `at`: says whether it is under other changes from now on.
    pub(super) fn apply(&mut self, pod: &str, version: u64, at: u64) -> bool {
        let pushed = self.pushed.get(pod).and_then(|own| own.get(&version));
        let changes = pushed.cloned().unwrap_or_default();
        if *self.under(pod) == changes {
            return false;
        }
        self.applied
            .entry(pod.into())
            .or_default()
            .push((at, changes));
        true
    }

    /// The changes that the sidecar of `pod` is under.
    fn under(&self, pod: &str) -> &[u32] {
        let last = self.applied.get(pod).and_then(|all| all.last());
        last.map_or(&[], |(_, changes)| changes)
    }

    /// When a push to `pod` was made that leaves at `at`.
    fn made(&self, pod: &str, at: u64) -> u64 {
        let late = |spell: &Spell| {
            let Some(Cause::Late { by, to }) = self.causes.get(&spell.fault) else {
                return None;
            };
            let made = at.checked_sub(*by)?;
            (spell.holds(made) && spell.is_for(pod, to.as_ref())).then_some(made)
        };
        self.spells.iter().find_map(late).unwrap_or(at)
    }

    /// The changes that `pod` is to be under at `at`.
    fn changes(&self, pod: &str, at: u64) -> Changes {
        let meant = |spell: &&Spell| match self.causes.get(&spell.fault) {
            Some(Cause::Change { to, all_after, .. }) => {
                let all = all_after.is_some_and(|after| at >= spell.from + after);
                spell.holds(at) && (all || spell.is_for(pod, to.as_ref()))
            }
            _ => false,
        };
        self.spells.iter().filter(meant).map(|s| s.fault).collect()
    }

    /// How many retries the sidecar of `pod` allows to a cluster: at first, and from each instant at which it was
    /// told otherwise.
    pub(super) fn course(&mut self, pod: &str, cluster: &str) -> (Limit, Vec<(u64, Limit)>) {
        let first = self.limit(pod, cluster, &[]);
        let (mut last, mut later) = (first, Vec::new());
        for (at, changes) in self.applied.get(pod).cloned().unwrap_or_default() {
            let limit = self.limit(pod, cluster, &changes);
            if limit != last {
                later.push((at, limit));
                last = limit;
            }
        }
        (first, later)
    }

    /// How many it allows now.
    pub(super) fn now(&mut self, pod: &str, cluster: &str) -> Limit {
        let changes = self.under(pod).to_vec();
        self.limit(pod, cluster, &changes)
    }

    fn limit(&mut self, pod: &str, cluster: &str, changes: &[u32]) -> Limit {
        let Some(caller) = self.registry.workloads.get(pod) else {
            return Limit::None;
        };
        if !self.known.contains_key(changes) {
            let known = Known {
                policy: self.policy(changes),
                compiler: Compiler::default(),
                limits: BTreeMap::new(),
            };
            self.known.insert(changes.to_vec(), known);
        }
        let known = self.known.get_mut(changes);
        known.map_or(Limit::None, |known| {
            known.limit(&self.registry, caller, cluster)
        })
    }

    /// The policy under these changes.
    fn policy(&self, changes: &[u32]) -> MeshPolicy {
        let changes = changes
            .iter()
            .filter_map(|fault| match self.causes.get(fault)? {
                Cause::Change { change, .. } => Some(change),
                _ => None,
            });
        ConfigChange::joined(&self.base, changes)
    }
}

impl Spell {
    fn holds(&self, at: u64) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    fn is_for(&self, pod: &str, written: Option<&BTreeSet<Arc<str>>>) -> bool {
        let pods = self.drawn.as_ref().or(written);
        pods.is_none_or(|pods| pods.contains(pod))
    }
}

impl Known {
    fn limit(&mut self, registry: &Registry, caller: &Workload, cluster: &str) -> Limit {
        let key = class(caller);
        if !self.limits.contains_key(&key) {
            let snapshot = self
                .compiler
                .compile(&self.policy, registry, caller, &[], 1);
            let limits = snapshot.clusters.iter().map(|cluster| {
                let budget = cluster.retry_budget.as_ref().map(|budget| Limit::Budget {
                    ppm: budget.value.fraction.ppm(),
                    least: budget.value.retries_min,
                });
                let limit = budget.unwrap_or(match cluster.pool.value.retries_max {
                    u32::MAX => Limit::None,
                    retries => Limit::Fixed(retries),
                });
                (cluster.name.to_string(), limit)
            });
            self.limits.insert(key.clone(), limits.collect());
        }
        let limits = self.limits.get(&key);
        let limit = limits.and_then(|limits| limits.get(cluster));
        limit.copied().unwrap_or(Limit::None)
    }
}

fn class(caller: &Workload) -> String {
    let labels = caller.labels.iter();
    let labels: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{} {}", caller.namespace, labels.join(" "))
}

fn cause(kind: &FaultKind) -> Option<Cause> {
    let names = |pods: &PodSelector| pods.pods.iter().map(|name| Arc::from(&**name)).collect();
    match kind {
        FaultKind::Control(ControlFault::Config {
            change,
            to,
            all_after,
        }) => Some(Cause::Change {
            change: change.clone(),
            to: to.as_ref().map(names),
            all_after: all_after.map(nanos),
        }),
        FaultKind::Control(ControlFault::SlowPush { pods, delay }) => Some(Cause::Late {
            by: nanos(*delay),
            to: Some(names(pods)),
        }),
        _ => None,
    }
}
