//! Apps that do less than they should.

use std::time::Duration;

use mesh_core::document::Diagnostic;
use mesh_core::policy::{Fraction, Position};

use super::{Given, push};
use crate::plan::{
    AppEffect, AppPlan, CacheHits, CapacityFault, Distribution, PodSelector, RequestScope, Step,
};
use crate::scenario::file::{ErrorsSpec, FaultSpec, Placed, PodsSpec, SlowSpec};
use crate::scenario::problems::Problems;
use crate::scenario::resolve::requests;
use crate::scenario::value::check_path;

/// More is taken for a mistake.
const TIMES_MAX: f64 = 1_000_000.0;

/// The kernel's period for quotas of processor time (kernel docs, "CFS Bandwidth Control").
const PERIOD: Duration = Duration::from_millis(100);

/// Periods that the kernel takes (`cpu.cfs_period_us`, from 1 ms to 1 s).
const PERIODS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(1);

/// What of this family is given.
pub(super) fn given<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    if let Some(part) = &spec.slow {
        app(
            all,
            "slow",
            part.at(),
            || part.pods(),
            |_, _, problems| slow(part, problems),
        );
    }
    if let Some(part) = &spec.errors {
        app(
            all,
            "errors",
            part.at(),
            || part.pods(),
            |_, _, problems| errors(part, problems),
        );
    }
    if let Some(part) = &spec.workers {
        let effect = move |apps: &[&AppPlan], pods: &PodSelector, problems: &Problems| {
            let to = *part.to.value();
            let fewer = |app: &&AppPlan| app.workers.is_none_or(|workers| workers > to);
            if !apps.iter().any(fewer) {
                let message = format!("{} has no more than {to} workers as it is", pods.text);
                return Err(problems.error(part.to.at(), message));
            }
            Ok(AppEffect::Workers { to })
        };
        app(all, "workers", part.at(), || part.pods(), effect);
    }
    if let Some(part) = &spec.cpu {
        let effect = move |_: &[&AppPlan], _: &PodSelector, problems: &Problems| {
            let quota = part.quota.0;
            if quota.ppm() == 0 {
                let error = problems.error(part.quota.at(), "an app that never runs is frozen");
                return Err(error.help("use `freeze`"));
            }
            if quota == Fraction::ONE {
                return Err(problems.error(part.quota.at(), "100% is no quota"));
            }
            let period = part.period.as_ref().map_or(PERIOD, |period| period.0);
            if let Some(wrong) = part.period.as_ref().filter(|_| !PERIODS.contains(&period)) {
                let error = problems.error(wrong.at(), "a period is from 1ms to 1s");
                return Err(error.note("these are the kernel's limits"));
            }
            Ok(AppEffect::Throttle { quota, period })
        };
        app(all, "cpu", part.at(), || part.pods(), effect);
    }
    if let Some(part) = &spec.leak {
        let effect = move |apps: &[&AppPlan], pods: &PodSelector, problems: &Problems| {
            let rate = some(&part.rate, part.rate.0, problems)?;
            if apps.iter().all(|app| app.workers.is_none()) {
                let message = format!("{} has unlimited workers: none is missed", pods.text);
                let error = problems.error(part.at(), message);
                return Err(error.help("give the service `workers`"));
            }
            Ok(AppEffect::Leak { rate })
        };
        app(all, "leak", part.at(), || part.pods(), effect);
    }
    if let Some(part) = &spec.memory {
        let effect = move |apps: &[&AppPlan], pods: &PodSelector, problems: &Problems| {
            if apps.iter().all(|app| app.process.memory.is_none()) {
                let message = format!("{} has no memory limit to reach", pods.text);
                let error = problems.error(part.at(), message);
                return Err(error.help("give the service `memory: { limit: 512MiB, … }`"));
            }
            let leak_bytes = part.leak.0;
            match leak_bytes {
                0 => Err(problems.error(part.leak.at(), "nothing is left behind")),
                _ => Ok(AppEffect::Memory { leak_bytes }),
            }
        };
        app(all, "memory", part.at(), || part.pods(), effect);
    }
    if let Some(part) = &spec.cache_flush {
        let effect = move |apps: &[&AppPlan], pods: &PodSelector, problems: &Problems| {
            if apps.iter().any(|app| has_cache(app)) {
                return Ok(AppEffect::CacheFlush);
            }
            let message = format!("{} has no cache with `keys` to empty", pods.text);
            let error = problems.error(part.at(), message);
            Err(error.help("give its script a step `cache: { keys: …, miss: [...] }`"))
        };
        app(
            all,
            "cache-flush",
            part.at(),
            || PodsSpec::clone(part),
            effect,
        );
    }
}

/// A fault of apps.
fn app<'a>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    at: &'a Position,
    pods: impl Fn() -> PodsSpec + 'a,
    effect: impl Fn(&[&AppPlan], &PodSelector, &Problems) -> Result<AppEffect, Diagnostic> + 'a,
) {
    push(all, key, at, move |context, problems| {
        let pods = context.apps(&pods(), at, problems)?;
        let all = context.pods.iter();
        let chosen = all.filter(|pod| pods.pods.iter().any(|name| *name == *pod.workload.name));
        let apps: Vec<&AppPlan> = chosen.map(|pod| &*pod.app).collect();
        let effect = effect(&apps, &pods, problems)?;
        let text = pods.text.clone();
        Ok((CapacityFault { pods, effect }, text))
    });
}

fn slow(part: &Placed<SlowSpec>, problems: &Problems) -> Result<AppEffect, Diagnostic> {
    let times = part.times.as_ref().map_or(1.0, |times| *times.value());
    if let Some(wrong) = &part.times
        && !(0.0..=TIMES_MAX).contains(&times)
    {
        let message = format!("`times` is a number from 0 to {TIMES_MAX}");
        return Err(problems.error(wrong.at(), message));
    }
    let add = part
        .add
        .as_ref()
        .map_or(Distribution::ZERO, |add| add.0.clone());
    if times == 1.0 && add.is_zero() {
        let error = problems.error(part.at(), "how slow?");
        return Err(error.help("such as `times: 10` or `add: 2s`"));
    }
    let on = scope(part.path.as_ref(), part.method.as_ref(), problems)?;
    Ok(AppEffect::Slow { on, times, add })
}

fn errors(part: &Placed<ErrorsSpec>, problems: &Problems) -> Result<AppEffect, Diagnostic> {
    let rate = match &part.rate {
        Some(rate) => some(rate, rate.0, problems)?,
        None => Fraction::ONE,
    };
    Ok(AppEffect::Errors {
        on: scope(part.path.as_ref(), part.method.as_ref(), problems)?,
        rate,
        status: part.status.as_ref().map_or(500, |status| status.0),
        fast: part.fast.unwrap_or(true),
    })
}

/// A share that is not nothing.
fn some<T>(
    written: &Placed<T>,
    share: Fraction,
    problems: &Problems,
) -> Result<Fraction, Diagnostic> {
    match share.ppm() {
        0 => Err(problems.error(written.at(), "0% of the requests are none")),
        _ => Ok(share),
    }
}

fn scope(
    path: Option<&Placed<String>>,
    method: Option<&Placed<String>>,
    problems: &Problems,
) -> Result<RequestScope, Diagnostic> {
    if let Some(path) = path {
        check_path(path).map_err(|message| problems.error(path.at(), message))?;
    }
    let method = match method {
        Some(_) => Some(requests::method(method, "GET", problems)?),
        None => None,
    };
    Ok(RequestScope {
        path_prefix: path.map(|path| path.value().clone()),
        method,
    })
}

/// Whether an app has a cache that can be emptied.
fn has_cache(app: &AppPlan) -> bool {
    let endpoints = app.endpoints.iter().chain([&app.fallback]);
    endpoints
        .into_iter()
        .any(|endpoint| cached(&endpoint.steps))
}

fn cached(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Cache(cache) => matches!(cache.hits, CacheHits::Keys { .. }) || cached(&cache.miss),
        Step::Parallel(steps) => cached(steps),
        Step::Sleep(_) | Step::Call(_) => false,
    })
}
