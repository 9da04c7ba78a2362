//! When faults are in force.

use std::time::Duration;

use mesh_core::document::Diagnostic;

use super::{Context, Frame};
use crate::plan::{
    AppEffect, Distribution, FaultKind, FaultPlan, IdentityFault, NetworkFault, ProcessFault,
    Repeat, Schedule, SourceEffect, Start, Trigger,
};
use crate::scenario::file::{FaultSpec, Placed, PodsSpec};
use crate::scenario::problems::Problems;
use crate::scenario::value::{Happening, When, written};

/// Whether a fault begins when the run is over, which is said.
pub(super) fn is_late(fault: &Placed<FaultSpec>, frame: &Frame, problems: &mut Problems) -> bool {
    let Some(at) = &fault.at else { return false };
    let Distribution::Constant(begin) = at.0 else {
        return false;
    };
    let late = begin >= frame.duration;
    if late {
        let message = format!(
            "this fault never happens: the run ends after {}",
            written(frame.duration)
        );
        frame.beyond(at.at(), "fault", message, problems);
    }
    late
}

/// When a fault is in force, and over which time its strength grows.
pub(super) fn plan(
    fault: &Placed<FaultSpec>,
    kind: &FaultKind,
    context: &Context<'_>,
    frame: &Frame,
    problems: &Problems,
) -> Result<(Schedule, Duration), Diagnostic> {
    let start = start(fault, context, problems)?;
    let lasts = lasts(fault, &start, problems)?;
    if let Some(length) = instant(kind).filter(|_| lasts.is_some()) {
        let at = fault.lasts.as_ref().map(Placed::at);
        let at = at.or_else(|| fault.until.as_ref().map(Placed::at));
        let error = problems.error(at.unwrap_or(fault.at()), length.0);
        return Err(error.help(length.1));
    }
    let lasts = lasts.or_else(|| own_length(kind));
    let repeat = repeat(fault, &start, &lasts, problems)?;
    let ramp = ramp(fault, kind, problems)?;
    if let Some(until) = fault
        .until
        .as_ref()
        .filter(|until| until.0 > frame.duration && !frame.duration_overridden)
    {
        let message = format!("the run ends before, after {}", written(frame.duration));
        return Err(problems.error(until.at(), message));
    }
    Ok((
        Schedule {
            start,
            lasts,
            repeat,
        },
        ramp,
    ))
}

fn start(
    fault: &FaultSpec,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<Start, Diagnostic> {
    match (&fault.at, &fault.when) {
        (Some(at), None) => Ok(Start::At(at.0.clone())),
        (None, Some(when)) => Ok(Start::On {
            trigger: trigger(when, context, problems)?,
            delay: when.delay,
        }),
        (Some(_), Some(when)) => Err(problems.error(
            when.at(),
            "a fault begins `at` a time or `when` something happens, not both",
        )),
        (None, None) => Err(problems
            .error(context.place(fault), "when does this fault begin?")
            .help("such as `at: 30s`, or `when: ejected(reviews-v1-0)`")),
    }
}

/// Faults that wait for each other, or for themselves, never begin. `written` are the same faults, in the same order.
pub(super) fn check_order(
    faults: &[FaultPlan],
    written: &[&Placed<FaultSpec>],
    problems: &mut Problems,
) {
    let awaited = |index: usize| match &faults[index].schedule.start {
        Start::On {
            trigger: Trigger::Began(other) | Trigger::Healed(other),
            ..
        } => Some(*other),
        _ => None,
    };
    for (index, fault) in written.iter().enumerate() {
        // Each waits for one other at most, so the chain either ends or comes back.
        let mut chain = vec![index];
        while let Some(next) =
            awaited(chain[chain.len() - 1]).filter(|_| chain.len() <= faults.len())
        {
            if next == index {
                let names: Vec<&str> = chain.iter().map(|i| faults[*i].name.as_str()).collect();
                let message = match names.as_slice() {
                    [one] => format!("`{one}` waits for itself: it never begins"),
                    all => format!(
                        "`{}` wait for each other: none ever begins",
                        all.join("`, `")
                    ),
                };
                let at = fault.when.as_ref().map_or(fault.at(), Placed::at);
                // One error for a ring, at its first fault.
                if chain.iter().all(|other| *other >= index) {
                    problems.push(
                        problems
                            .error(at, message)
                            .help("give one of them a time, such as `at: 30s`"),
                    );
                }
                break;
            }
            chain.push(next);
        }
    }
}

impl Context<'_> {
    /// Where a fault is written.
    fn place(&self, fault: &FaultSpec) -> &mesh_core::policy::Position {
        let mut all = self.scenario.faults.iter();
        let found = all.find(|other| std::ptr::eq(other.value(), fault));
        found.map_or_else(|| self.scenario.duration.at(), Placed::at)
    }
}

fn trigger(
    when: &Placed<When>,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<Trigger, Diagnostic> {
    let fault = || {
        let names = &context.names;
        let found = names.iter().position(|name| *name == when.subject);
        found.ok_or_else(|| {
            let message = format!("no fault is called `{}`", when.subject);
            let subject = Placed::new(when.subject.clone(), when.at().clone());
            let error = problems.error(when.at(), message);
            let error = error.did_you_mean(&subject, names.iter().map(String::as_str));
            error.note(format!("there are `{}`", names.join("`, `")))
        })
    };
    let pods = || {
        let subject = Placed::new(when.subject.clone(), when.at().clone());
        let is_pod = context
            .pods
            .iter()
            .any(|pod| *pod.workload.name == *when.subject);
        let is_pattern = is_pod || when.subject.contains(['*', '?', '[']);
        let spec = PodsSpec {
            pod: is_pattern.then(|| subject.clone()),
            service: (!is_pattern).then_some(subject),
            ..PodsSpec::default()
        };
        context.workloads(&spec, when.at(), problems)
    };
    Ok(match when.what {
        Happening::Began => Trigger::Began(fault()?),
        Happening::Healed => Trigger::Healed(fault()?),
        Happening::Ejected => Trigger::Ejected(pods()?),
        Happening::Returned => Trigger::Returned(pods()?),
        Happening::Crashed => Trigger::Crashed(pods()?),
        Happening::Ready => Trigger::Ready(pods()?),
        Happening::Overflowed => Trigger::Overflowed(pods()?),
    })
}

fn lasts(
    fault: &FaultSpec,
    start: &Start,
    problems: &Problems,
) -> Result<Option<Distribution>, Diagnostic> {
    let again = fault.every.is_some() || fault.when.is_some();
    match (&fault.lasts, &fault.until) {
        (Some(lasts), _) if lasts.0.is_zero() => {
            Err(problems.error(lasts.at(), "a fault must last for some time"))
        }
        (Some(_), Some(until)) if !again => Err(problems.error(
            until.at(),
            "`for` and `until` both say when it ends; keep one of them",
        )),
        (Some(lasts), _) => Ok(Some(lasts.0.clone())),
        (None, Some(until)) if !again => match start {
            Start::At(Distribution::Constant(at)) if *at < until.0 => {
                Ok(Some(Distribution::Constant(until.0 - *at)))
            }
            Start::At(Distribution::Constant(_)) => {
                Err(problems.error(until.at(), "it ends before it begins"))
            }
            _ => Err(problems
                .error(
                    until.at(),
                    "when it begins is drawn, so how long it lasts would be too",
                )
                .help("say how long with `for`")),
        },
        (None, _) => Ok(None),
    }
}

fn repeat(
    fault: &FaultSpec,
    start: &Start,
    lasts: &Option<Distribution>,
    problems: &Problems,
) -> Result<Option<Repeat>, Diagnostic> {
    let times = fault.times.as_ref();
    if let Some(zero) = times.filter(|times| *times.value() == 0) {
        return Err(problems.error(zero.at(), "a fault that begins 0 times is none"));
    }
    let on_trigger = matches!(start, Start::On { .. });
    match (&fault.every, times) {
        (None, Some(times)) if !on_trigger => Err(problems
            .error(times.at(), "how long is it from one time to the next?")
            .help("add `every: 30s`")),
        (Some(every), _) if on_trigger => Err(problems.error(
            every.at(),
            "a fault that waits for something begins each time it happens, and not `every` so often",
        )),
        (Some(every), _) if every.0.is_zero() => {
            Err(problems.error(every.at(), "it cannot begin again at once, for ever"))
        }
        (Some(every), _) if lasts.is_none() && !is_over_at_once(fault) => Err(problems
            .error(every.at(), "it never ends, so it cannot begin again")
            .help("say how long it lasts with `for`")),
        (None, None) if !on_trigger || fault.until.is_none() => Ok(None),
        (every, times) => Ok(Some(Repeat {
            every: every.as_ref().map(|every| every.0.clone()),
            times: times.map(|times| *times.value()),
            until: fault.until.as_ref().map(|until| until.0),
        })),
    }
}

fn is_over_at_once(fault: &FaultSpec) -> bool {
    fault.restart.is_some()
        || fault.half_open.is_some()
        || fault.rollout.is_some()
        || fault.cache_flush.is_some()
        || fault.herd.is_some()
}

/// Why a fault of this kind has no length, and what to do.
fn instant(kind: &FaultKind) -> Option<(&'static str, &'static str)> {
    match kind {
        FaultKind::Process(ProcessFault::Restart { .. }) => Some((
            "a restart is over at once",
            "use `crash` for pods that stay away for a time",
        )),
        FaultKind::Process(ProcessFault::Rollout { .. }) => Some((
            "a rollout ends when every pod has been replaced",
            "leave out when it ends",
        )),
        FaultKind::Identity(IdentityFault::CaRotation { .. }) => Some((
            "a rotation ends when everybody trusts the new root alone",
            "`overlap` and `spread` say how long that takes",
        )),
        FaultKind::Network(NetworkFault::HalfOpen { .. }) => Some((
            "connections once forgotten stay forgotten",
            "use `partition` for connections that come back",
        )),
        FaultKind::Capacity(fault) if fault.effect == AppEffect::CacheFlush => Some((
            "a flush is over at once",
            "leave out when it ends: caches fill again by themselves",
        )),
        FaultKind::Traffic(fault) if matches!(fault.effect, SourceEffect::Herd { .. }) => Some((
            "a herd is over when all have come",
            "say over which time they come with `over`, in the `herd`",
        )),
        _ => None,
    }
}

/// How long a fault lasts by itself.
fn own_length(kind: &FaultKind) -> Option<Distribution> {
    match kind {
        FaultKind::Identity(fault) => fault.length().map(Distribution::Constant),
        _ => None,
    }
}

fn ramp(fault: &FaultSpec, kind: &FaultKind, problems: &Problems) -> Result<Duration, Diagnostic> {
    match &fault.ramp {
        Some(ramp) if !kind.has_strength() => Err(problems
            .error(
                ramp.at(),
                "this kind of fault has no strength that could grow",
            )
            .help("`latency`, `loss`, `slow`, `errors` and `load` have")),
        Some(ramp) => Ok(ramp.0),
        None => Ok(Duration::ZERO),
    }
}
