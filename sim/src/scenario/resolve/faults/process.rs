//! Pods come and go.

use std::time::Duration;

use mesh_core::document::Diagnostic;

use super::{Context, Given, Pods, push};
use crate::plan::{Drain, PodSelector, ProcessFault, Take};
use crate::scenario::file::{FaultSpec, Placed, ScaleSpec, Scenario};
use crate::scenario::problems::Problems;
use crate::scenario::resolve::groups::{Group, Groups};
use crate::scenario::value::Time;

/// How long a container that crashes at once lives, when nothing is said.
const LIVES: Duration = Duration::from_secs(1);

/// How long a sidecar waits for what is in flight, when nothing is said (Istio's `terminationDrainDuration`).
const GRACE: Duration = Duration::from_secs(5);

/// From a pod's end to its successor's beginning, when nothing is said: a container takes about so long to start.
const PAUSE: Duration = Duration::from_secs(1);

/// Most replicas that a service can be scaled to.
const REPLICAS_MAX: u32 = 10_000;

/// What of this family is given.
pub(super) fn given<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    pods(all, "crash", spec.crash.as_ref(), |pods| {
        ProcessFault::Crash { pods }
    });
    pods(all, "power-off", spec.power_off.as_ref(), |pods| {
        ProcessFault::PowerOff { pods }
    });
    pods(all, "restart", spec.restart.as_ref(), |pods| {
        ProcessFault::Restart { pods }
    });
    pods(all, "freeze", spec.freeze.as_ref(), |pods| {
        ProcessFault::Freeze { pods }
    });
    if let Some(part) = &spec.crash_loop {
        push(all, "crash-loop", part.at(), move |context, problems| {
            let pods = context.apps(&part.pods(), part.at(), problems)?;
            let lives = part.lives.map_or(LIVES, |time| time.0);
            let text = pods.text.clone();
            Ok((ProcessFault::CrashLoop { pods, lives }, text))
        });
    }
    if let Some(part) = &spec.rollout {
        push(all, "rollout", part.at(), move |context, problems| {
            let pods = context.apps(&part.pods(), part.at(), problems)?;
            let at_once = part.at_once.as_ref().map_or(1, |n| *n.value());
            if let Some(zero) = part.at_once.as_ref().filter(|_| at_once == 0) {
                return Err(problems.error(zero.at(), "a rollout of none at once never ends"));
            }
            let text = pods.text.clone();
            let fault = ProcessFault::Rollout {
                pods,
                drain: drain(
                    part.endpoint_removal,
                    part.pre_stop,
                    part.connection_close,
                    part.grace,
                ),
                at_once,
                pause: part.pause.map_or(PAUSE, |time| time.0),
            };
            Ok((fault, text))
        });
    }
    if let Some(part) = &spec.scale {
        push(all, "scale", part.at(), move |context, problems| {
            let fault = scale(part, context, problems)?;
            let text = format!("{} to {}", part.service.value(), part.to.value());
            Ok((fault, text))
        });
    }
}

/// A part that chooses pods and nothing else.
fn pods<'a>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    part: Option<&'a Pods>,
    make: impl Fn(PodSelector) -> ProcessFault + 'a,
) {
    let Some(part) = part else { return };
    push(all, key, part.at(), move |context, problems| {
        let pods = context.apps(part, part.at(), problems)?;
        let text = pods.text.clone();
        Ok((make(pods), text))
    });
}

fn drain(
    removal: Option<Time>,
    pre_stop: Option<Time>,
    close: Option<Time>,
    grace: Option<Time>,
) -> Drain {
    let pre_stop = pre_stop.map_or(Duration::ZERO, |time| time.0);
    Drain {
        endpoint_removal: removal.map_or(Duration::ZERO, |time| time.0),
        pre_stop,
        connection_close: Some(close.map_or(pre_stop, |time| time.0)),
        grace: grace.map_or(GRACE, |time| time.0),
    }
}

/// The pods that come or go when a service is scaled.
fn scale(
    part: &Placed<ScaleSpec>,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<ProcessFault, Diagnostic> {
    let group = group(part, context.groups, problems)?;
    let to = *part.to.value();
    let drain = drain(
        part.endpoint_removal,
        part.pre_stop,
        part.connection_close,
        part.grace,
    );
    if to == group.replicas {
        let message = format!("`{}` has {to} replicas as it is", part.service.value());
        return Err(problems.error(part.to.at(), message));
    }
    let (low, high) = (to.min(group.replicas), to.max(group.replicas));
    let names = (low..high).map(|replica| format!("{}-{replica}", group.name));
    let pods = PodSelector {
        pods: match group.single {
            true => vec![group.name.clone()],
            false => names.collect(),
        },
        take: Take::All,
        text: part.service.value().clone(),
    };
    Ok(match to < group.replicas {
        true => ProcessFault::Remove { pods, drain },
        false => ProcessFault::Add { pods, drain },
    })
}

/// The one group that a scale is about.
fn group<'g, 'a>(
    part: &Placed<ScaleSpec>,
    groups: &'g Groups<'a>,
    problems: &Problems,
) -> Result<&'g Group<'a>, Diagnostic> {
    let name = part.service.value().as_str();
    let wanted = part
        .version
        .as_ref()
        .map(|version| version.value().as_str());
    let serves = |group: &&Group<'_>| {
        group.name == name
            || groups
                .services
                .iter()
                .any(|(service, _)| *service.name == *name && group.belongs_to(service))
    };
    let all: Vec<&Group<'a>> = groups.groups.iter().filter(serves).collect();
    let known = groups.groups.iter().map(|group| group.name.as_str());
    let known = known.chain(groups.services.iter().map(|(service, _)| &*service.name));
    if all.is_empty() {
        let message = format!("no service is called `{name}`");
        let error = problems.error(part.service.at(), message);
        return Err(error.did_you_mean(&part.service, known));
    }
    let versions = || all.iter().filter_map(|group| group.version());
    let chosen: Vec<&Group<'a>> = all
        .iter()
        .filter(|group| wanted.is_none() || group.version() == wanted)
        .copied()
        .collect();
    let listed = || versions().collect::<Vec<_>>().join("`, `");
    match (chosen.as_slice(), &part.version) {
        ([one], _) if !one.single => Ok(one),
        ([one], _) => Err(problems.error(
            part.service.at(),
            format!("`{}` is a pod by itself, which nobody scales", one.name),
        )),
        ([], Some(version)) => {
            let message = format!("`{name}` has no version `{}`", version.value());
            let error = problems
                .error(version.at(), message)
                .did_you_mean(version, versions());
            Err(error.note(format!("there are `{}`", listed())))
        }
        _ => Err(problems
            .error(
                part.service.at(),
                format!("`{name}` has several versions: which one?"),
            )
            .help(format!("add `version`, one of `{}`", listed()))),
    }
}

/// How many pods more than its replicas each group needs, because a fault will start them.
pub(in crate::scenario::resolve) fn spares(
    scenario: &Scenario,
    groups: &Groups<'_>,
    problems: &mut Problems,
) -> Vec<u32> {
    let mut spares = vec![0; groups.groups.len()];
    for part in scenario
        .faults
        .iter()
        .filter_map(|fault| fault.scale.as_ref())
    {
        // What is wrong with it is said when it is resolved.
        let Ok(group) = group(part, groups, problems) else {
            continue;
        };
        let to = *part.to.value();
        if to > REPLICAS_MAX {
            let message = format!("a service has at most {REPLICAS_MAX} replicas");
            problems.push(problems.error(part.to.at(), message));
            continue;
        }
        let found = groups
            .groups
            .iter()
            .position(|other| std::ptr::eq(other, group));
        if let Some(index) = found {
            let more = to.saturating_sub(group.replicas);
            spares[index] = spares[index].max(more);
        }
    }
    spares
}
