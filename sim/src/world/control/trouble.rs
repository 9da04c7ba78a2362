//! What goes wrong between the control plane and what is behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use mesh_core::control::{Delivery, Registry};
use tokio::sync::Notify;

use super::KubernetesEvent;
use crate::fault::Touched;
use crate::plan::ConfigChange;

/// Pods by name; `None` is all.
pub(super) type Pods = Option<BTreeSet<Arc<str>>>;

/// Something that goes wrong, and for whom.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The CA does not sign; with `true` it does not even answer.
    Signing(Pods, bool),
    /// Pushes are not delivered as they should be.
    Pushes(Pods, Delivery),
    /// Changes of pods are not heard of.
    Deaf(Pods),
    /// The service of this host has no endpoints.
    Hidden(Arc<str>),
    /// Another configuration is in force.
    Change(Rc<ConfigChange>, Pods),
}

/// The handle of a trouble. Troubles are numbered in the order in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TroubleId(u32);

struct Standing {
    trouble: Trouble,
    in_force: bool,
    /// Pods it has reached, and how often something was done otherwise.
    pods: BTreeSet<Arc<str>>,
    count: u64,
    over: Rc<Notify>,
}

/// All troubles of a run.
#[derive(Default)]
pub(super) struct Troubles {
    all: BTreeMap<TroubleId, Standing>,
    /// What was not heard, in order.
    backlog: Vec<KubernetesEvent>,
}

/// What becomes of a signing request.
pub(super) enum Verdict {
    Sign,
    Refuse,
    /// To be looked at again when this is told.
    Wait(Rc<Notify>),
}

fn among(pods: &Pods, pod: &str) -> bool {
    pods.as_ref().is_none_or(|pods| pods.contains(pod))
}

impl Troubles {
    pub(super) fn add(&mut self, trouble: Trouble, pods: BTreeSet<Arc<str>>) -> TroubleId {
        let id = TroubleId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        let standing = Standing {
            trouble,
            in_force: true,
            count: 0,
            pods,
            over: Rc::default(),
        };
        self.all.insert(id, standing);
        id
    }

    /// Takes a trouble out of force: what it was, and what the control plane must now hear.
    pub(super) fn end(&mut self, id: TroubleId) -> (Option<Trouble>, Vec<KubernetesEvent>) {
        let Some(standing) = self.all.get_mut(&id) else {
            return (None, Vec::new());
        };
        standing.in_force = false;
        standing.over.notify_waiters();
        let trouble = standing.trouble.clone();
        let backlog = std::mem::take(&mut self.backlog);
        let (kept, heard) = backlog
            .into_iter()
            .partition(|event| self.is_deaf_to(event.pod()));
        self.backlog = kept;
        (Some(trouble), heard)
    }

    pub(super) fn touched(&self, id: TroubleId) -> Touched {
        let standing = self.all.get(&id);
        standing.map_or_else(Touched::default, |standing| Touched {
            pods: u32::try_from(standing.pods.len()).unwrap_or(u32::MAX),
            packets: 0,
            requests: standing.count,
        })
    }

    pub(super) fn reach(&mut self, id: TroubleId, pods: BTreeSet<Arc<str>>) {
        if let Some(standing) = self.all.get_mut(&id) {
            standing.pods.extend(pods);
        }
    }

    /// Gives a change of configuration to everybody.
    pub(super) fn widen(&mut self, id: TroubleId) {
        if let Some(standing) = self.all.get_mut(&id)
            && let Trouble::Change(_, pods) = &mut standing.trouble
        {
            *pods = None;
        }
    }

    pub(super) fn is_in_force(&self, id: TroubleId) -> bool {
        self.all.get(&id).is_some_and(|standing| standing.in_force)
    }

    fn in_force(&self) -> impl Iterator<Item = (TroubleId, &Standing)> {
        let all = self.all.iter().map(|(id, standing)| (*id, standing));
        all.filter(|(_, standing)| standing.in_force)
    }

    /// Changes of configuration in force, in the order in which they began.
    pub(super) fn changes(&self) -> impl Iterator<Item = (TroubleId, &Rc<ConfigChange>, &Pods)> {
        self.in_force()
            .filter_map(|(id, standing)| match &standing.trouble {
                Trouble::Change(change, pods) => Some((id, change, pods)),
                _ => None,
            })
    }

    /// What becomes of a signing request of `pod`.
    pub(super) fn judge(&mut self, pod: &Arc<str>) -> Verdict {
        for standing in self.all.values_mut().filter(|standing| standing.in_force) {
            let Trouble::Signing(pods, hangs) = &standing.trouble else {
                continue;
            };
            if among(pods, pod) {
                standing.pods.insert(pod.clone());
                standing.count += 1;
                return match hangs {
                    true => Verdict::Wait(standing.over.clone()),
                    false => Verdict::Refuse,
                };
            }
        }
        Verdict::Sign
    }

    /// How a push to the sidecar of `pod` is delivered, and which trouble says so.
    pub(super) fn delivery(&self, pod: &str) -> Option<(TroubleId, Delivery)> {
        self.in_force()
            .find_map(|(id, standing)| match &standing.trouble {
                Trouble::Pushes(pods, delivery) if among(pods, pod) => Some((id, *delivery)),
                _ => None,
            })
    }

    /// A push to `pod` was not delivered as it should be.
    pub(super) fn impeded(&mut self, pod: &str) {
        let by = self.delivery(pod).map(|(id, _)| id);
        if let Some(standing) = by.and_then(|id| self.all.get_mut(&id)) {
            standing.count += 1;
            standing.pods.insert(pod.into());
        }
    }

    fn is_deaf_to(&self, pod: &str) -> bool {
        let mut all = self.in_force();
        all.any(
            |(_, standing)| matches!(&standing.trouble, Trouble::Deaf(pods) if among(pods, pod)),
        )
    }

    /// Passes on what the control plane hears; keeps what it does not.
    pub(super) fn overhear(&mut self, event: KubernetesEvent) -> Option<KubernetesEvent> {
        let pod = event.pod();
        let deaf = |standing: &&mut Standing| {
            standing.in_force
                && matches!(&standing.trouble, Trouble::Deaf(pods) if among(pods, pod))
        };
        let Some(standing) = self.all.values_mut().find(deaf) else {
            return Some(event);
        };
        standing.count += 1;
        standing.pods.insert(pod.clone());
        self.backlog.push(event);
        None
    }

    /// Hides endpoints, as a selector that selects nothing does.
    pub(super) fn hide(&self, registry: &mut Registry) {
        for (_, standing) in self.in_force() {
            if let Trouble::Hidden(host) = &standing.trouble
                && let Some(service) = registry.services.get_mut(host)
            {
                service.selector.clear();
            }
        }
    }
}
