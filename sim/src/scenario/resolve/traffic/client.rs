//! How the clients of traffic sources go about their requests: keys, mixes, tries.

use std::time::Duration;

use mesh_core::document::Diagnostic;

use super::Source;
use crate::plan::{CacheKey, ClientPlan, Jitter, KeyPlan, MixPart, RequestPlan, RetryPlan};
use crate::scenario::file::{JitterSpec, OutcomeSpec, Placed, RequestSpec};
use crate::scenario::problems::Problems;
use crate::scenario::resolve::requests;
use crate::scenario::value::Time;

/// More tries are taken for a mistake.
const TRIES_MAX: u32 = 100;

/// A wait between tries is at most so many times the first, when nothing is said (as Envoy's `max_interval`).
pub(in crate::scenario::resolve) const BACKOFFS_MAX: u32 = 10;

impl Source<'_> {
    /// How its client goes about its requests.
    pub(super) fn client(&mut self, default: Option<&RequestPlan>) -> ClientPlan {
        let retries = self.retries();
        ClientPlan {
            keys: self.keys(),
            mix: self.mix(default),
            retries: self.note(retries).unwrap_or_default(),
        }
    }

    fn keys(&mut self) -> Option<KeyPlan> {
        let keys = self.spec.keys.as_ref()?;
        let header = requests::header_names(std::slice::from_ref(&keys.header), self.problems);
        let header = self.note(header)?.pop()?;
        match &keys.draw.0 {
            CacheKey::Drawn(draw) => Some(KeyPlan {
                header,
                draw: draw.clone(),
            }),
            CacheKey::Header(_) => {
                let error = self
                    .problems
                    .error(
                        keys.draw.at(),
                        "nobody calls a traffic source with a header",
                    )
                    .help("such as `zipf(1.2, 10000)` or `uniform(1000)`");
                self.problems.push(error);
                None
            }
        }
    }

    fn mix(&mut self, default: Option<&RequestPlan>) -> Vec<MixPart> {
        let spec = self.spec;
        let Some(first) = spec.mix.iter().next() else {
            return Vec::new();
        };
        if !spec.requests.is_empty() {
            let message = "a script says itself what is sent";
            let error = self.problems.error(first.at(), message);
            self.problems.push(error);
        }
        let mut parts = Vec::new();
        for part in spec.mix.iter() {
            let request = RequestSpec {
                at: Time(Duration::ZERO),
                to: part.to.clone(),
                path: part.path.clone(),
                method: part.method.clone(),
                headers: part.headers.clone(),
                request_size: part.request_size,
                count: None,
                every: None,
                expect: OutcomeSpec::default(),
            };
            let request = Placed::new(request, part.at().clone());
            let weight = part.weight.unwrap_or(1);
            let request = self.scripted_request(&request, default);
            parts.extend(request.map(|request| MixPart { weight, request }));
        }
        if spec.mix.iter().all(|part| part.weight == Some(0)) {
            let error = self
                .problems
                .error(first.at(), "no part of this mix has a weight");
            self.problems.push(error);
        }
        parts
    }

    fn retries(&self) -> Result<RetryPlan, Diagnostic> {
        let spec = self.spec;
        let Some(tries) = &spec.tries else {
            let alone = [
                spec.backoff.as_ref().map(Placed::at),
                spec.backoff_max.as_ref().map(Placed::at),
                spec.jitter.as_ref().map(Placed::at),
            ];
            return match alone.into_iter().flatten().next() {
                Some(at) => {
                    let error = self
                        .problems
                        .error(at, "a client that tries once does not wait");
                    Err(error.help("say how often it tries with `tries`"))
                }
                None => Ok(RetryPlan::default()),
            };
        };
        check_tries(tries, self.problems)?;
        let backoff = spec.backoff.as_ref().map_or(Duration::ZERO, |wait| wait.0);
        let jitter = spec.jitter.as_ref().map(|jitter| *jitter.value());
        Ok(RetryPlan {
            tries: *tries.value(),
            backoff,
            backoff_max: spec
                .backoff_max
                .as_ref()
                .map_or(backoff * BACKOFFS_MAX, |most| most.0),
            jitter: jitter.map_or(Jitter::None, Jitter::from),
        })
    }
}

/// Refuses a number of tries that is none, or taken for a mistake.
pub(in crate::scenario::resolve) fn check_tries(
    tries: &Placed<u32>,
    problems: &Problems,
) -> Result<(), Diagnostic> {
    if (1..=TRIES_MAX).contains(tries.value()) {
        return Ok(());
    }
    let message = format!("a client tries from 1 to {TRIES_MAX} times");
    Err(problems.error(tries.at(), message))
}

impl From<JitterSpec> for Jitter {
    fn from(spec: JitterSpec) -> Self {
        match spec {
            JitterSpec::None => Self::None,
            JitterSpec::Full => Self::Full,
            JitterSpec::Equal => Self::Equal,
            JitterSpec::Decorrelated => Self::Decorrelated,
        }
    }
}
