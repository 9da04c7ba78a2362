//! Faults of identities.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Placed;
use super::select::with_pods;
use crate::scenario::value::Time;

with_pods! {
    /// A CA that signs nothing: for the chosen pods, or for nobody at all.
    CaDownSpec {
        /// What becomes of a request; `refuse` when left out.
        answer: Option<CaAnswerSpec>,
    }
}

/// What a CA that is down answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CaAnswerSpec {
    /// 503 at once; sidecars try again with a growing delay.
    #[default]
    Refuse,
    /// Nothing until it is back.
    Hang,
}

with_pods! {
    /// Certificates that end early, with no new one until the fault heals.
    ExpiredLeafSpec {
        /// How long after the fault has begun they end; at once when left out.
        after: Option<Time>,
    }
}

/// Another CA with a root of its own. It is over when everybody trusts the new root alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct CaRotationSpec {
    /// How long both roots are trusted; left out, the old root goes when the new one comes.
    pub(crate) overlap: Option<Placed<Time>>,
    /// Over which time sidecars get new roots and certificates, each at a time of its own; 1m when left out.
    pub(crate) spread: Option<Placed<Time>>,
}

with_pods! {
    /// Pods that show an identity of another trust domain.
    TrustDomainSpec {
        /// The trust domain.
        to: Placed<String>,
    }
}

with_pods! {
    /// Pods that show the certificate of another workload, with its key.
    StolenIdentitySpec {
        /// Whose: a service, or a service account.
        of: Placed<String>,
    }
}

with_pods! {
    /// Pods that show a certificate for an identity they should not have.
    WrongSanSpec {
        /// The service account it names, in the pod's namespace; `nobody` when left out.
        account: Option<Placed<String>>,
    }
}
