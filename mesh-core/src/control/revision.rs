//! Which policy is in force for whom.
//!
//! A change of configuration need not reach everybody at once. Istio tries it
//! on a part of the workloads by *revisions*: control planes of different
//! configuration beside each other, and workloads labelled with the one they
//! listen to (istio.io, "Canary Upgrades"). Here one control plane holds them.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::{Compiler, Registry, Snapshot, Workload};
use crate::policy::MeshPolicy;

/// A policy for some workloads.
#[derive(Clone, Debug)]
pub struct Revision {
    /// What they are told.
    pub policy: Rc<MeshPolicy>,
    /// Their names.
    pub workloads: BTreeSet<Arc<str>>,
}

/// The policy of most workloads, and those of the others.
pub(super) struct Revisions {
    policy: Rc<MeshPolicy>,
    compiler: Compiler,
    others: Vec<(Revision, Compiler)>,
}

impl Revisions {
    pub(super) fn of(policy: MeshPolicy) -> Self {
        Self {
            policy: Rc::new(policy),
            compiler: Compiler::default(),
            others: Vec::new(),
        }
    }

    /// The policy of whoever has no other.
    pub(super) fn policy(&self) -> &MeshPolicy {
        &self.policy
    }

    pub(super) fn set(&mut self, policy: MeshPolicy) {
        self.policy = Rc::new(policy);
        self.compiler.invalidate();
    }

    pub(super) fn set_revisions(&mut self, revisions: Vec<Revision>) {
        let with_compiler = |revision| (revision, Compiler::default());
        self.others = revisions.into_iter().map(with_compiler).collect();
    }

    /// The registry has changed.
    pub(super) fn invalidate(&mut self) {
        self.compiler.invalidate();
        self.others.iter_mut().for_each(|(_, c)| c.invalidate());
    }

    pub(super) fn compile(
        &mut self,
        registry: &Registry,
        workload: &Workload,
        ports: &[u16],
        version: u64,
    ) -> Snapshot {
        let mut others = self.others.iter_mut();
        let own = others.find(|(revision, _)| revision.workloads.contains(&workload.name));
        let (policy, compiler) = match own {
            Some((revision, compiler)) => (&revision.policy, compiler),
            None => (&self.policy, &mut self.compiler),
        };
        compiler.compile(policy, registry, workload, ports, version)
    }
}
