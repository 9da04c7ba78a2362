//! The control plane, what it knows, and what it tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::dialect::istio;
use mesh_core::document::{Diagnostic, Document};
use mesh_core::policy::{Position, Profile};

use super::{Context, Given, Pods, push};
use crate::plan::{ConfigChange, ControlFault, Distribution, Objects, Outage, PodSelector};
use crate::scenario::file::{
    ConfigSpec, EmptyEndpointsSpec, FaultSpec, OutageSpec, Placed, Scenario, Short,
};
use crate::scenario::inputs::Inputs;
use crate::scenario::problems::Problems;
use crate::scenario::resolve::mesh::in_namespace;
use crate::scenario::value::written;

/// How long routes come before what they refer to, when nothing is said.
const GAP: Duration = Duration::from_secs(1);

/// What of this family is given.
pub(super) fn given<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    if let Some(part) = &spec.control_plane_down {
        let (how, words) = match part.how.unwrap_or_default() {
            OutageSpec::Crash => (Outage::Crash, "by a crash"),
            OutageSpec::PowerOff => (Outage::PowerOff, "without power"),
            OutageSpec::Freeze => (Outage::Freeze, "frozen"),
        };
        push(all, "control-plane-down", part.at(), move |_, _| {
            Ok((ControlFault::Down { how }, words.to_owned()))
        });
    }
    if let Some(part) = &spec.slow_push {
        let delay = part.delay.0;
        push(all, "slow-push", part.at(), move |context, problems| {
            some_time(&part.delay, problems)?;
            let pods = context.sidecars(&part.pods(), part.at(), problems)?;
            let words = format!("to {}", pods.text);
            Ok((ControlFault::SlowPush { pods, delay }, words))
        });
    }
    if let Some(part) = &spec.reordered_push {
        let gap = part.gap.as_ref().map_or(GAP, |gap| gap.0);
        push(
            all,
            "reordered-push",
            part.at(),
            move |context, problems| {
                if let Some(gap) = &part.gap {
                    some_time(gap, problems)?;
                }
                let pods = context.sidecars(&part.pods(), part.at(), problems)?;
                let words = format!("to {}", pods.text);
                Ok((ControlFault::ReorderedPush { pods, gap }, words))
            },
        );
    }
    sidecars(all, "partial-push", spec.partial_push.as_ref(), |pods| {
        ControlFault::PartialPush { pods }
    });
    sidecars(all, "rejected-push", spec.rejected_push.as_ref(), |pods| {
        ControlFault::RejectedPush { pods }
    });
    if let Some(part) = &spec.stale_endpoints {
        push(
            all,
            "stale-endpoints",
            part.at(),
            move |context, problems| {
                let pods = match part.demands() {
                    true => Some(context.apps(part, part.at(), problems)?),
                    false => None,
                };
                let words = pods.as_ref().map_or("of everybody", |pods| &pods.text);
                let words = words.to_owned();
                Ok((ControlFault::StaleEndpoints { pods }, words))
            },
        );
    }
    if let Some(part) = &spec.empty_endpoints {
        push(
            all,
            "empty-endpoints",
            part.at(),
            move |context, problems| {
                let host = service(part, context, problems)?;
                let words = format!("of {}", part.service.value());
                Ok((ControlFault::EmptyEndpoints { host }, words))
            },
        );
    }
    if let Some(part) = &spec.config {
        push(all, "config", part.at(), move |context, problems| {
            stages(spec, part, problems)?;
            config(part, context, problems)
        });
    }
}

/// A part that chooses sidecars and nothing else.
fn sidecars<'a>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    part: Option<&'a Pods>,
    make: impl Fn(PodSelector) -> ControlFault + 'a,
) {
    let Some(part) = part else { return };
    push(all, key, part.at(), move |context, problems| {
        let pods = context.sidecars(part, part.at(), problems)?;
        let words = format!("to {}", pods.text);
        Ok((make(pods), words))
    });
}

fn some_time(
    time: &Placed<crate::scenario::value::Time>,
    problems: &Problems,
) -> Result<(), Diagnostic> {
    match time.0.is_zero() {
        true => Err(problems.error(time.at(), "no time is no delay")),
        false => Ok(()),
    }
}

fn service(
    part: &EmptyEndpointsSpec,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<Arc<str>, Diagnostic> {
    let wanted = part.service.value().as_str();
    let services = || context.groups.services.iter().map(|(service, _)| service);
    let found = services().find(|service| {
        *service.name == *wanted || format!("{}.{}", service.name, service.namespace) == wanted
    });
    match found {
        Some(service) => Ok(service.host.clone()),
        None => {
            let message = format!("no service is called `{wanted}`");
            let error = problems.error(part.service.at(), message);
            let known = services().map(|service| &*service.name);
            Err(error.did_you_mean(&part.service, known))
        }
    }
}

/// Refuses a second stage that does not come.
fn stages(spec: &FaultSpec, part: &ConfigSpec, problems: &Problems) -> Result<(), Diagnostic> {
    let Some(after) = &part.then_all_after else {
        return Ok(());
    };
    if part.to.is_none() {
        let error = problems.error(after.at(), "everybody gets it at once");
        return Err(error.help("say who gets it first, such as `to: { share: 10% }`"));
    }
    match spec.lasts.as_ref().map(|lasts| &lasts.0) {
        Some(Distribution::Constant(length)) if *length <= after.0 => {
            let message = format!("the fault is over by then, after {}", written(*length));
            Err(problems.error(after.at(), message))
        }
        _ => Ok(()),
    }
}

fn config(
    part: &Placed<Short<ConfigSpec>>,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<(ControlFault, String), Diagnostic> {
    let to = match &part.to {
        Some(to) => Some(context.sidecars(to, to.at(), problems)?),
        None => None,
    };
    let index = context.place_of(part.at());
    let change = index.and_then(|index| context.mesh.changes.get(&index));
    let Some(change) = change else {
        return Err(problems.error(part.at(), "this configuration cannot be put in force"));
    };
    let files: Vec<&str> = part
        .files
        .0
        .iter()
        .map(|file| file.value().as_str())
        .collect();
    let words = match &to {
        Some(to) => format!("{} for {}", files.join(", "), to.text),
        None => files.join(", "),
    };
    let fault = ControlFault::Config {
        change: change.clone(),
        to,
        all_after: part.then_all_after.as_ref().map(|after| after.0),
    };
    Ok((fault, words))
}

impl Context<'_> {
    /// The place, among the faults of the file, of the one whose configuration is written at `at`.
    fn place_of(&self, at: &Position) -> Option<usize> {
        let mut all = self.scenario.faults.iter();
        all.position(|fault| {
            fault
                .config
                .as_ref()
                .is_some_and(|config| config.at() == at)
        })
    }
}

/// What faults need to know of the mesh.
pub(in crate::scenario::resolve) struct Mesh {
    pub(super) trust_domain: String,
    /// What faults put in force, by their place in the file.
    pub(super) changes: BTreeMap<usize, ConfigChange>,
}

/// The mesh as faults see it, with every change tried on what is in force at the beginning.
pub(in crate::scenario::resolve) fn mesh(
    scenario: &Scenario,
    inputs: &Inputs,
    profile: &Profile,
    namespace: &str,
    problems: &mut Problems,
) -> Mesh {
    let adapted = |documents: &[Document]| {
        let each = documents.iter().map(|one| in_namespace(one, namespace));
        Objects(Arc::new(each.collect()))
    };
    let mut changes = BTreeMap::new();
    let base = adapted(&inputs.mesh);
    for (index, fault) in scenario.faults.iter().enumerate() {
        let (Some(config), Some(documents)) = (&fault.config, inputs.changes.get(&index)) else {
            continue;
        };
        let change = ConfigChange {
            base: base.clone(),
            objects: adapted(documents),
            replace: config.replace,
        };
        match istio::compile(&change.applied_to(&base.0), profile) {
            Ok(_) => {
                changes.insert(index, change);
            }
            Err(errors) => {
                let errors = errors.into_iter();
                let named = |error| problems.also(error, config.at(), "put in force here");
                let errors: Vec<_> = errors.map(named).collect();
                problems.extend(errors);
                // It is known to be wrong; what else the fault says is looked at nevertheless.
                changes.insert(index, change);
            }
        }
    }
    Mesh {
        trust_domain: profile.trust_domain.clone(),
        changes,
    }
}
