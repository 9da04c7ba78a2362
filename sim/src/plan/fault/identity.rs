//! Certificates, roots, and who one takes the other for.

use std::time::Duration;

use super::PodSelector;

/// What goes wrong with identities.
#[derive(Clone, Debug, PartialEq)]
pub enum IdentityFault {
    /// The CA signs nothing.
    CaDown {
        /// Whose requests; `None` is everybody's.
        pods: Option<PodSelector>,
        /// It does not even answer; else it refuses at once.
        hangs: bool,
    },
    /// Certificates end early, and none follows until it heals.
    ExpiredLeaf {
        /// Whose.
        pods: PodSelector,
        /// How long after the fault has begun.
        after: Duration,
    },
    /// Agents do not renew certificates.
    StuckRotation {
        /// Whose.
        pods: PodSelector,
    },
    /// Another CA takes over, with a root of its own. It ends when everybody trusts the new root alone.
    CaRotation {
        /// How long both roots are trusted; `None`: the old root goes when the new one comes.
        overlap: Option<Duration>,
        /// Over which time sidecars get what is new, each at a time of its own.
        spread: Duration,
    },
    /// Pods show an identity of another trust domain.
    TrustDomain {
        /// Which.
        pods: PodSelector,
        /// The trust domain.
        to: String,
    },
    /// Pods show the certificate of another workload, with its key.
    StolenIdentity {
        /// The thieves.
        pods: PodSelector,
        /// Whose: any of these.
        victims: PodSelector,
    },
    /// Pods show a certificate of the mesh's CA for an identity they should not have.
    WrongSan {
        /// Which.
        pods: PodSelector,
        /// The service account in the certificate; the namespace is the pod's.
        account: String,
    },
    /// Pods go past their sidecar, in plain text.
    Plaintext {
        /// Which.
        pods: PodSelector,
    },
}

impl IdentityFault {
    /// How long it takes by itself; `None` when it lasts as long as it is told to.
    pub fn length(&self) -> Option<Duration> {
        match self {
            Self::CaRotation { overlap, spread } => Some(overlap.unwrap_or_default() + *spread),
            _ => None,
        }
    }
}
