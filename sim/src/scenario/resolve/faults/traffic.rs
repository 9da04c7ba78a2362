//! Callers that call otherwise.

use std::time::Duration;

use http::HeaderValue;
use mesh_core::document::Diagnostic;

use super::{Context, Given, push};
use crate::plan::{Load, LoadChange, RetryPlan, SourceEffect, TrafficFault, TrafficPlan};
use crate::scenario::file::{
    ClientRetriesSpec, FaultSpec, HerdSpec, HotKeySpec, LoadFaultSpec, MixFaultSpec, Placed,
    SlowLorisSpec, SpreadSpec,
};
use crate::scenario::problems::Problems;
use crate::scenario::resolve::traffic::{BACKOFFS_MAX, check_tries};

/// More is taken for a mistake.
const TIMES_MAX: f64 = 100_000.0;
const REQUESTS_MAX: u64 = 10_000_000;
const CONNECTIONS_MAX: u32 = 100_000;

/// From one byte to the next of a request that never ends, when nothing is said.
const PAUSE: Duration = Duration::from_secs(1);

/// What of this family is given.
pub(super) fn given<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    if let Some(part) = &spec.load {
        source(all, "load", part, |part| &part.traffic, load);
    }
    if let Some(part) = &spec.herd {
        source(all, "herd", part, |part| &part.traffic, herd);
    }
    if let Some(part) = &spec.hot_key {
        source(all, "hot-key", part, |part| &part.traffic, hot_key);
    }
    if let Some(part) = &spec.client_retries {
        source(all, "client-retries", part, |part| &part.traffic, retries);
    }
    if let Some(part) = &spec.mix {
        source(all, "mix", part, |part| &part.traffic, mix);
    }
    if let Some(part) = &spec.slow_loris {
        source(all, "slow-loris", part, |part| &part.traffic, slow_loris);
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
    push(all, key, part.at(), move |context, problems| {
        let name = name(part.value());
        let source = find(name, context, problems)?;
        let effect = effect(part, &context.traffic[source], problems)?;
        let fault = TrafficFault { source, effect };
        Ok((fault, name.value().clone()))
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

fn herd(
    part: &Placed<HerdSpec>,
    _: &TrafficPlan,
    problems: &Problems,
) -> Result<SourceEffect, Diagnostic> {
    let requests = *part.requests.value();
    if !(1..=REQUESTS_MAX).contains(&requests) {
        let message = format!("a herd has from 1 to {REQUESTS_MAX} requests");
        return Err(problems.error(part.requests.at(), message));
    }
    let over = part.over.as_ref().map_or(Duration::ZERO, |over| over.0);
    if let Some(spread) = part.spread.as_ref().filter(|_| over.is_zero()) {
        let error = problems.error(spread.at(), "what comes at once is not spread");
        return Err(error.help("say over which time with `over`"));
    }
    Ok(SourceEffect::Herd {
        requests,
        over,
        random: part.spread.as_ref().map(|spread| *spread.value()) == Some(SpreadSpec::Random),
    })
}

fn hot_key(
    part: &Placed<HotKeySpec>,
    source: &TrafficPlan,
    problems: &Problems,
) -> Result<SourceEffect, Diagnostic> {
    if source.client.keys.is_none() {
        let message = format!("the requests of `{}` carry no key", source.name);
        let error = problems.error(part.traffic.at(), message);
        return Err(error.help("give it `keys: { header: x-user, draw: uniform(1000) }`"));
    }
    if part.rate.0.ppm() == 0 {
        return Err(problems.error(part.rate.at(), "0% of the requests are none"));
    }
    let key = part.key.as_ref().map_or("hot", |key| key.value().as_str());
    if let Some(wrong) = part
        .key
        .as_ref()
        .filter(|_| HeaderValue::from_str(key).is_err())
    {
        let message = format!("`{key}` cannot be the value of a header");
        return Err(problems.error(wrong.at(), message));
    }
    Ok(SourceEffect::HotKey {
        rate: part.rate.0,
        key: key.to_owned(),
    })
}

fn retries(
    part: &Placed<ClientRetriesSpec>,
    source: &TrafficPlan,
    problems: &Problems,
) -> Result<SourceEffect, Diagnostic> {
    check_tries(&part.tries, problems)?;
    let own = source.client.retries;
    let backoff = part.backoff.map_or(own.backoff, |wait| wait.0);
    let plan = RetryPlan {
        tries: *part.tries.value(),
        backoff,
        backoff_max: part
            .backoff_max
            .map_or(backoff * BACKOFFS_MAX, |most| most.0),
        jitter: part.jitter.map_or(own.jitter, Into::into),
    };
    if plan == own || (plan.tries == 1 && own.tries == 1) {
        let message = format!("the client of `{}` tries so as it is", source.name);
        return Err(problems.error(part.tries.at(), message));
    }
    Ok(SourceEffect::Retries(plan))
}

fn mix(
    part: &Placed<MixFaultSpec>,
    source: &TrafficPlan,
    problems: &Problems,
) -> Result<SourceEffect, Diagnostic> {
    let own: Vec<u32> = source.client.mix.iter().map(|part| part.weight).collect();
    let weights = part.weights.value();
    if own.is_empty() {
        let message = format!("`{}` has no `mix`", source.name);
        return Err(problems.error(part.traffic.at(), message));
    }
    if weights.len() != own.len() {
        let message = format!("the mix of `{}` has {} parts", source.name, own.len());
        return Err(problems.error(part.weights.at(), message));
    }
    if weights.iter().all(|weight| *weight == 0) {
        return Err(problems.error(part.weights.at(), "no part has a weight"));
    }
    if *weights == own {
        return Err(problems.error(part.weights.at(), "these are the weights as they are"));
    }
    Ok(SourceEffect::Mix(weights.clone()))
}

fn slow_loris(
    part: &Placed<SlowLorisSpec>,
    source: &TrafficPlan,
    problems: &Problems,
) -> Result<SourceEffect, Diagnostic> {
    let connections = *part.connections.value();
    if !(1..=CONNECTIONS_MAX).contains(&connections) {
        let message = format!("there are from 1 to {CONNECTIONS_MAX} connections");
        return Err(problems.error(part.connections.at(), message));
    }
    let pause = part.pause.as_ref().map_or(PAUSE, |pause| pause.0);
    if let Some(wrong) = part.pause.as_ref().filter(|_| pause.is_zero()) {
        return Err(problems.error(wrong.at(), "without a pause it is not slow"));
    }
    Ok(SourceEffect::SlowLoris {
        authority: source.request.authority.clone(),
        connections,
        pause,
    })
}
