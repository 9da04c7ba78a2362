//! Callers that call otherwise.

use mesh_core::document::Diagnostic;

use super::{Context, Given};
use crate::plan::{FaultKind, Load, LoadChange, SourceEffect, TrafficFault, TrafficPlan};
use crate::scenario::file::{FaultSpec, LoadFaultSpec, Placed};
use crate::scenario::problems::Problems;

/// More is taken for a mistake.
const TIMES_MAX: f64 = 100_000.0;

/// What of this family is given.
pub(super) fn given<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    if let Some(part) = &spec.load {
        source(all, "load", part, |part| &part.traffic, load);
    }
}

/// A fault of a traffic source.
fn source<'a, T>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    part: &'a Placed<T>,
    name: impl Fn(&'a T) -> &'a Placed<String> + 'a,
    effect: impl Fn(&Placed<T>, &TrafficPlan, &Problems) -> Result<SourceEffect, Diagnostic> + 'a,
) {
    let resolve = move |context: &Context<'_>, problems: &Problems| {
        let name = name(part.value());
        let source = find(name, context, problems)?;
        let effect = effect(part, &context.traffic[source], problems)?;
        let fault = TrafficFault { source, effect };
        Ok((FaultKind::Traffic(fault), name.value().clone()))
    };
    all.push(Given {
        key,
        at: part.at(),
        resolve: Box::new(resolve),
    });
}

/// The place of a traffic source in the plan.
fn find(
    name: &Placed<String>,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<usize, Diagnostic> {
    let known = || context.traffic.iter().map(|source| source.name.as_str());
    let found = known().position(|other| other == name.value());
    found.ok_or_else(|| {
        if problems.is_full() {
            return problems.error(name.at(), "no traffic source is meant");
        }
        let message = format!("no traffic source is called `{}`", name.value());
        let error = problems.error(name.at(), message);
        let error = error.did_you_mean(name, known());
        let listed: Vec<&str> = known().take(12).collect();
        match listed.is_empty() {
            true => error.note("there is no `traffic`"),
            false => error.note(format!("there are `{}`", listed.join("`, `"))),
        }
    })
}

fn load(
    part: &Placed<LoadFaultSpec>,
    source: &TrafficPlan,
    problems: &Problems,
) -> Result<SourceEffect, Diagnostic> {
    if let Load::Script(_) = source.load {
        let message = format!("`{}` sends a script, not a load", source.name);
        return Err(problems.error(part.traffic.at(), message));
    }
    let change = match (&part.times, &part.rate) {
        (Some(times), None) if (0.0..=TIMES_MAX).contains(times.value()) => {
            if *times.value() == 1.0 {
                return Err(problems.error(times.at(), "once the load is the load as it is"));
            }
            LoadChange::Times(*times.value())
        }
        (Some(times), None) => {
            let message = format!("`times` is a number from 0 to {TIMES_MAX}");
            return Err(problems.error(times.at(), message));
        }
        (None, Some(rate)) => {
            if let Load::Closed { .. } = source.load {
                let message = format!("`{}` has users, not a rate", source.name);
                let error = problems.error(rate.at(), message);
                return Err(error.help("say how many `times` as many users"));
            }
            LoadChange::PerSecond(rate.0)
        }
        _ => {
            let error = problems.error(part.at(), "which load?");
            return Err(error.help("one of `times: 3` and `rate: 500/s`"));
        }
    };
    Ok(SourceEffect::Load(change))
}
