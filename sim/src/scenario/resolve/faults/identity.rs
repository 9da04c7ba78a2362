//! Certificates, roots, and who one takes the other for.

use std::time::Duration;

use mesh_core::document::Diagnostic;
use mesh_core::identity::SpiffeId;
use mesh_core::policy::Position;

use super::{Context, Given, Pods, push};
use crate::plan::{IdentityFault, PodSelector, Take};
use crate::scenario::file::{
    CaAnswerSpec, CaRotationSpec, FaultSpec, Placed, PodsSpec, StolenIdentitySpec,
};
use crate::scenario::problems::Problems;
use crate::scenario::value::written;

/// Over which time sidecars get what is new, when nothing is said.
const SPREAD: Duration = Duration::from_secs(60);

/// The service account of a certificate that names nobody's.
const NOBODY: &str = "nobody";

/// What of this family is given.
pub(super) fn given<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    if let Some(part) = &spec.ca_down {
        let hangs = part.answer.unwrap_or_default() == CaAnswerSpec::Hang;
        let resolve = move |context: &Context<'_>, problems: &Problems| {
            let spec = part.pods();
            let pods = match spec.demands() {
                true => Some(context.sidecars(&spec, part.at(), problems)?),
                false => None,
            };
            let words = pods.as_ref().map_or("for everybody", |pods| &pods.text);
            let words = words.to_owned();
            Ok((IdentityFault::CaDown { pods, hangs }, words))
        };
        push(all, "ca-down", part.at(), resolve);
    }
    if let Some(part) = &spec.expired_leaf {
        let after = part.after.map_or(Duration::ZERO, |time| time.0);
        chosen(all, "expired-leaf", part.at(), part.pods(), move |pods| {
            IdentityFault::ExpiredLeaf { pods, after }
        });
    }
    short(
        all,
        "stuck-rotation",
        spec.stuck_rotation.as_ref(),
        |pods| IdentityFault::StuckRotation { pods },
    );
    if let Some(part) = &spec.ca_rotation {
        let resolve = move |_: &Context<'_>, problems: &Problems| ca_rotation(part, problems);
        push(all, "ca-rotation", part.at(), resolve);
    }
    if let Some(part) = &spec.trust_domain {
        let resolve = move |context: &Context<'_>, problems: &Problems| {
            let pods = context.sidecars(&part.pods(), part.at(), problems)?;
            let to = part.to.value().clone();
            SpiffeId::new(&to, "ns", "sa").map_err(|_| {
                let message = format!("`{to}` is not a trust domain");
                problems.error(part.to.at(), message).help(
                    "lower-case letters, digits, dots, dashes and underscores, such as `new.example`",
                )
            })?;
            if to == context.mesh.trust_domain {
                let message = format!("`{to}` is the trust domain as it is");
                return Err(problems.error(part.to.at(), message));
            }
            let words = format!("{} to {to}", pods.text);
            Ok((IdentityFault::TrustDomain { pods, to }, words))
        };
        push(all, "trust-domain", part.at(), resolve);
    }
    if let Some(part) = &spec.stolen_identity {
        let resolve =
            move |context: &Context<'_>, problems: &Problems| stolen(part, context, problems);
        push(all, "stolen-identity", part.at(), resolve);
    }
    if let Some(part) = &spec.wrong_san {
        let resolve = move |context: &Context<'_>, problems: &Problems| {
            let pods = context.sidecars(&part.pods(), part.at(), problems)?;
            let account = part.account.as_ref();
            let account = account.map_or(NOBODY, |account| account.value()).to_owned();
            if let (Some(at), Err(_)) = (&part.account, SpiffeId::new("td", "ns", &account)) {
                let message = format!("`{account}` cannot be a service account");
                return Err(problems.error(at.at(), message));
            }
            let rightful = context.candidates.iter().find(|candidate| {
                let pod = &candidate.workload;
                *pod.service_account == *account && pods.pods.iter().any(|p| **p == *pod.name)
            });
            if let Some(pod) = rightful {
                let message = format!("`{account}` is the right name of `{}`", pod.workload.name);
                let at = part.account.as_ref().map_or(part.at(), Placed::at);
                return Err(problems.error(at, message));
            }
            let words = format!("{} as {account}", pods.text);
            Ok((IdentityFault::WrongSan { pods, account }, words))
        };
        push(all, "wrong-san", part.at(), resolve);
    }
    short(all, "plaintext", spec.plaintext.as_ref(), |pods| {
        IdentityFault::Plaintext { pods }
    });
}

/// A part that must choose pods.
fn chosen<'a>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    at: &'a Position,
    pods: PodsSpec,
    make: impl Fn(PodSelector) -> IdentityFault + 'a,
) {
    push(all, key, at, move |context, problems| {
        let pods = context.sidecars(&pods, at, problems)?;
        let words = pods.text.clone();
        Ok((make(pods), words))
    });
}

fn short<'a>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    part: Option<&'a Pods>,
    make: impl Fn(PodSelector) -> IdentityFault + 'a,
) {
    if let Some(part) = part {
        chosen(all, key, part.at(), part.value().0.clone(), make);
    }
}

fn ca_rotation(
    part: &Placed<CaRotationSpec>,
    problems: &Problems,
) -> Result<(IdentityFault, String), Diagnostic> {
    let spread = part.spread.as_ref().map_or(SPREAD, |time| time.0);
    if let Some(zero) = part.spread.as_ref().filter(|_| spread.is_zero()) {
        return Err(problems.error(zero.at(), "no change reaches everybody in no time"));
    }
    let overlap = part.overlap.as_ref().map(|time| time.0);
    if let (Some(short), Some(at)) = (overlap, &part.overlap)
        && short < 2 * spread
    {
        let message = "the old root would go before everybody has a certificate of the new one";
        let need = format!(
            "both roots, then certificates, take {} each to reach everybody: {} at least",
            written(spread),
            written(2 * spread)
        );
        return Err(problems.error(at.at(), message).help(need));
    }
    let words = match overlap {
        Some(overlap) => format!("with {} of overlap", written(overlap)),
        None => "without overlap".to_owned(),
    };
    Ok((IdentityFault::CaRotation { overlap, spread }, words))
}

fn stolen(
    part: &Placed<StolenIdentitySpec>,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<(IdentityFault, String), Diagnostic> {
    let pods = context.sidecars(&part.pods(), part.at(), problems)?;
    let of = part.of.value().as_str();
    let meshed = || {
        let all = context.candidates.iter();
        all.filter(|candidate| candidate.workload.meshed)
    };
    let mut victims: Vec<_> = meshed()
        .filter(|candidate| candidate.services.contains(&of))
        .collect();
    if victims.is_empty() {
        let account =
            |candidate: &&super::Candidate<'_>| *candidate.workload.service_account == *of;
        victims = meshed().filter(account).collect();
    }
    if victims.is_empty() {
        let known = meshed().flat_map(|candidate| {
            let account = &*candidate.workload.service_account;
            candidate.services.iter().copied().chain([account])
        });
        let message = format!("nobody with a sidecar is, or runs as, `{of}`");
        let error = problems.error(part.of.at(), message);
        return Err(error.did_you_mean(&part.of, known));
    }
    let identity = |name: &str| {
        let found = meshed().find(|candidate| *candidate.workload.name == *name)?;
        let workload = &found.workload;
        Some((workload.namespace.clone(), workload.service_account.clone()))
    };
    let own = victims.iter().find_map(|victim| {
        let theirs = identity(&victim.workload.name);
        pods.pods.iter().find(|thief| identity(thief) == theirs)
    });
    if let Some(thief) = own {
        let message = format!("`{thief}` has this identity by right");
        return Err(problems.error(part.of.at(), message));
    }
    let names = victims
        .iter()
        .map(|victim| victim.workload.name.to_string());
    let victims = PodSelector {
        pods: names.collect(),
        take: Take::All,
        text: of.to_owned(),
    };
    let words = format!("of {of} by {}", pods.text);
    Ok((IdentityFault::StolenIdentity { pods, victims }, words))
}
