//! Which configuration is in force, and for whom, while it is being changed.
//!
//! Changes lie on top of each other in the order in which they began. Workloads
//! that are under the same changes have the same policy; those under changes
//! that not everybody is under are a revision.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use mesh_core::control::{Compiler, Revision};
use mesh_core::policy::MeshPolicy;

use super::{Control, TroubleId};
use crate::plan::ConfigChange;

/// The changes that somebody is under.
type Key = Vec<TroubleId>;

impl Control {
    /// The policy of everybody, and those of whoever has another.
    pub(super) fn policies(&self) -> (MeshPolicy, Vec<Revision>) {
        let keys = self.keys_of_policies();
        let common = self.common_key();
        let mut parts: BTreeMap<Key, BTreeSet<Arc<str>>> = BTreeMap::new();
        for (pod, key) in keys {
            if key != common {
                parts.entry(key).or_default().insert(pod);
            }
        }
        let revision = |(key, workloads): (Key, _)| Revision {
            policy: Rc::new(self.policy_under(&key)),
            workloads,
        };
        let revisions = parts.into_iter().map(revision).collect();
        (self.policy_under(&common), revisions)
    }

    /// The changes that everybody is under.
    fn common_key(&self) -> Key {
        let troubles = self.troubles.borrow();
        let common = troubles.changes().filter(|(_, _, pods)| pods.is_none());
        common.map(|(id, ..)| id).collect()
    }

    /// The changes that each workload is under.
    pub(super) fn keys_of_policies(&self) -> BTreeMap<Arc<str>, Key> {
        let (troubles, registry) = (self.troubles.borrow(), self.registry.borrow());
        let key = |pod: &Arc<str>| -> Key {
            let own = troubles
                .changes()
                .filter(|(_, _, pods)| pods.as_ref().is_none_or(|pods| pods.contains(pod)));
            own.map(|(id, ..)| id).collect()
        };
        let meshed = registry.workloads.values().filter(|pod| pod.meshed);
        meshed
            .map(|pod| (pod.name.clone(), key(&pod.name)))
            .collect()
    }

    /// The policy under some changes.
    fn policy_under(&self, key: &[TroubleId]) -> MeshPolicy {
        let troubles = self.troubles.borrow();
        let changes = troubles.changes().filter(|(id, ..)| key.contains(id));
        ConfigChange::joined(&self.policy, changes.map(|(_, change, _)| &**change))
    }

    /// A change has begun or reaches more: publishes it, and counts the sidecars for which it makes a difference.
    pub(super) fn change_policies(&self, id: TroubleId, before: &BTreeMap<Arc<str>, Key>) {
        let after = self.keys_of_policies();
        let mut kinds: BTreeMap<(&Key, &Key), Vec<&Arc<str>>> = BTreeMap::new();
        for (pod, key) in &after {
            if let Some(old) = before.get(pod).filter(|old| *old != key) {
                kinds.entry((old, key)).or_default().push(pod);
            }
        }
        let registry = self.seen_registry();
        let mut reached = BTreeSet::new();
        for ((old, new), pods) in kinds {
            // The change itself is in force already, so the policy before it is computed from its key.
            let (old, new) = (self.policy_under(old), self.policy_under(new));
            let (mut was, mut is) = (Compiler::default(), Compiler::default());
            for pod in pods {
                let Some(workload) = registry.workloads.get(pod) else {
                    continue;
                };
                let was = was.compile(&old, &registry, workload, &[], 0);
                let is = is.compile(&new, &registry, workload, &[], 0);
                if was != is {
                    reached.insert(pod.clone());
                }
            }
        }
        self.troubles.borrow_mut().reach(id, reached);
        self.publish();
    }

    /// Gives a change, if it is still in force, to everybody.
    pub(crate) fn widen(&self, id: TroubleId) {
        if !self.troubles.borrow().is_in_force(id) {
            return;
        }
        let before = self.keys_of_policies();
        self.troubles.borrow_mut().widen(id);
        self.change_policies(id, &before);
    }

    /// Tells the control plane which policies are in force.
    pub(super) fn publish(&self) {
        let (policy, revisions) = self.policies();
        if let Some(running) = &*self.running.borrow() {
            running.plane.update_policy(policy);
            running.plane.set_revisions(revisions);
        }
    }
}
