//! How things stand at an instant: the fold of everything that happened before it.

use std::collections::BTreeMap;

use super::cast::{Cast, PodId};
use super::entry::{CertificateStep, ConfigStep, What};
use crate::record::PodChange;

/// How everything stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// By pod.
    pub(crate) pods: Vec<PodState>,
    /// By fault.
    pub(crate) faults: Vec<FaultState>,
    /// Who is ejected by whom (in which cluster), and until when at least.
    pub(crate) ejections: BTreeMap<(PodId, PodId, u32), u64>,
    /// The newest configuration pushed to anybody.
    pub(crate) version: u64,
}

/// Whether a pod lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    /// Its processes have not started.
    #[default]
    Absent,
    /// They have, and it takes no traffic yet, or no more.
    NotReady,
    /// It takes traffic.
    Ready,
    /// It stands still.
    Frozen,
    /// It was killed.
    Crashed,
    /// It has no power.
    Off,
}

/// A pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodState {
    /// Whether it lives.
    pub(crate) life: Life,
    /// How it lived before it froze.
    thawed: Life,
    /// The newest configuration that its sidecar took.
    pub(crate) acked: u64,
    /// The newest configuration that was pushed to it, and when.
    pub(crate) pushed: (u64, u64),
    /// Its sidecar refused the newest.
    pub(crate) refused: bool,
    /// It has lost the control plane.
    pub(crate) lost: bool,
    /// End of its certificate in seconds since the Unix epoch, and since when it has it.
    pub(crate) certificate: Option<(u64, u64)>,
}

/// A fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FaultState {
    /// Whether it is at work.
    pub(crate) active: bool,
    /// How often it began.
    pub(crate) begun: u32,
    /// Pods touched.
    pub(crate) pods: u32,
    /// Packets touched.
    pub(crate) packets: u64,
    /// Requests touched.
    pub(crate) requests: u64,
}

impl Standing {
    /// How a pod stands.
    pub(crate) fn of_pod(&self, pod: PodId) -> PodState {
        self.pods.get(pod as usize).copied().unwrap_or_default()
    }

    /// Before anything has happened.
    pub(crate) fn of(cast: &Cast) -> Self {
        Self {
            pods: vec![PodState::default(); cast.pods.len()],
            faults: vec![FaultState::default(); cast.faults.len()],
            ..Self::default()
        }
    }

    /// What `what`, at `at`, makes of it.
    pub(crate) fn apply(&mut self, at: u64, what: &What) {
        match what {
            What::Fault {
                fault,
                began,
                pods,
                packets,
                requests,
            } => {
                if let Some(state) = self.faults.get_mut(*fault as usize) {
                    state.active = *began;
                    state.begun += u32::from(*began);
                    (state.pods, state.packets, state.requests) = (*pods, *packets, *requests);
                }
            }
            What::Pod { pod, change } => self.pod(*pod, *change),
            What::Ejected {
                pod,
                by,
                cluster,
                least_ns,
                ..
            } => {
                let until = at.saturating_add(*least_ns);
                self.ejections.insert((*pod, *by, *cluster), until);
            }
            What::Returned { pod, by, cluster } => {
                self.ejections.remove(&(*pod, *by, *cluster));
            }
            What::Config {
                step, version, pod, ..
            } => self.config(at, *step, *version, *pod),
            What::Certificate {
                step,
                pod,
                not_after,
                ..
            } => {
                let taken = matches!(step, CertificateStep::Obtained | CertificateStep::Rotated);
                if let Some(state) = pod.and_then(|pod| self.pods.get_mut(pod as usize))
                    && taken
                {
                    state.certificate = Some((*not_after, at));
                }
            }
            What::Opened { .. } | What::Acted { .. } | What::Told { .. } => {}
        }
    }

    fn pod(&mut self, pod: PodId, change: PodChange) {
        let Some(state) = self.pods.get_mut(pod as usize) else {
            return;
        };
        match change {
            PodChange::Started => state.life = Life::NotReady,
            PodChange::Ready => state.life = Life::Ready,
            PodChange::NotReady => match state.life {
                // That it takes no traffic is then the least of it.
                Life::Crashed | Life::Off => {}
                Life::Frozen => state.thawed = Life::NotReady,
                _ => state.life = Life::NotReady,
            },
            PodChange::Frozen => {
                state.thawed = state.life;
                state.life = Life::Frozen;
            }
            PodChange::Thawed => {
                if state.life == Life::Frozen {
                    state.life = state.thawed;
                }
            }
            PodChange::Crashed | PodChange::OomKilled => state.life = Life::Crashed,
            PodChange::PoweredOff => state.life = Life::Off,
        }
        if change.kills() {
            // What its sidecar knew and held died with it.
            state.certificate = None;
            (state.acked, state.pushed) = (0, (0, 0));
            self.ejections.retain(|(_, by, _), _| *by != pod);
        }
    }

    fn config(&mut self, at: u64, step: ConfigStep, version: u64, pod: Option<PodId>) {
        self.version = self.version.max(version);
        let Some(state) = pod.and_then(|pod| self.pods.get_mut(pod as usize)) else {
            return;
        };
        match step {
            ConfigStep::Push => state.pushed = (version, at),
            ConfigStep::Ack => {
                state.acked = state.acked.max(version);
                state.refused = false;
            }
            ConfigStep::Nack => state.refused = true,
            ConfigStep::Connect => state.lost = false,
            ConfigStep::Disconnect => state.lost = true,
        }
    }

    /// How many have ejected `pod`, in how many ways.
    pub(crate) fn ejected_by(&self, pod: PodId) -> impl Iterator<Item = (PodId, u64)> + '_ {
        let range = self
            .ejections
            .range((pod, 0, 0)..=(pod, PodId::MAX, u32::MAX));
        range.map(|((_, by, _), until)| (*by, *until))
    }

    /// Whether anybody has ejected `pod`.
    pub(crate) fn is_ejected(&self, pod: PodId) -> bool {
        self.ejected_by(pod).next().is_some()
    }
}
