//! What the processes of apps need and bear, and their caches.

use mesh_core::document::Diagnostic;
use mesh_core::policy::Position;

use super::{AppBuilder, CallSite};
use crate::plan::{CacheHits, CachePlan, MemoryPlan, ProcessPlan, Step, WarmUp};
use crate::scenario::file::{CacheSpec, Placed};
use crate::scenario::value::Size;

/// Work that is slower is taken for a mistake.
const TIMES_MAX: f64 = 1_000_000.0;

impl AppBuilder<'_, '_> {
    /// What its process needs and bears.
    pub(super) fn process(&mut self, process: &mut ProcessPlan) {
        if let Some(memory) = self.last(|layer| layer.memory) {
            let bytes = |size: Option<Size>| size.map_or(0, |size| size.0);
            let plan = MemoryPlan {
                limit: memory.limit.0,
                base: bytes(memory.base),
                per_request: bytes(memory.per_request),
                leak: bytes(memory.leak),
            };
            if plan.base.saturating_add(plan.per_request) > plan.limit {
                let message = "its memory does not suffice for one request";
                self.complain(memory.at(), message);
            }
            process.memory = Some(plan);
        }
        if let Some(warm_up) = self.last(|layer| layer.warm_up) {
            let plan = WarmUp {
                lasts: warm_up.lasts.0,
                times: warm_up.times,
            };
            if !(1.0..=TIMES_MAX).contains(&plan.times) || plan.lasts.is_zero() {
                let message =
                    format!("an app warms up for some time, from 1 to {TIMES_MAX} times as slow");
                self.complain(warm_up.at(), &message);
            }
            process.warm_up = Some(plan);
        }
        if let Some(idle) = self.last(|layer| layer.idle_timeout) {
            if idle.0.is_zero() {
                self.complain(idle.at(), "every connection is idle for a moment");
            }
            process.idle_timeout = Some(idle.0);
        }
        if let Some(connections) = self.last(|layer| layer.connections) {
            if *connections.value() == 0 {
                self.complain(
                    connections.at(),
                    "an app without connections answers nothing",
                );
            }
            process.connections_max = Some(*connections.value());
        }
    }

    fn complain(&mut self, at: &Position, message: &str) {
        let error = self.problems.error(at, message);
        self.problems.push(error);
    }

    /// A step through a cache, and the calls of its misses.
    pub(super) fn cache(
        &mut self,
        cache: &Placed<CacheSpec>,
        sites: &mut Vec<CallSite>,
    ) -> Option<Step> {
        let hits = self.cache_hits(cache);
        let number = self.caches;
        self.caches += 1;
        let mut inside = Vec::new();
        let miss = self.steps(&cache.miss, &mut inside);
        // A request that hits makes none of these calls.
        sites.extend(inside.into_iter().map(|site| CallSite {
            certain: false,
            ..site
        }));
        match hits {
            Ok(hits) => Some(Step::Cache(CachePlan { number, hits, miss })),
            Err(error) => {
                self.problems.push(error);
                None
            }
        }
    }

    fn cache_hits(&self, cache: &Placed<CacheSpec>) -> Result<CacheHits, Diagnostic> {
        match (&cache.keys, &cache.hit) {
            (Some(keys), None) => {
                if let Some(none) = cache.capacity.as_ref().filter(|most| *most.value() == 0) {
                    return Err(self
                        .problems
                        .error(none.at(), "a cache for 0 entries is none"));
                }
                Ok(CacheHits::Keys {
                    key: keys.0.clone(),
                    capacity: cache.capacity.as_ref().map(|most| *most.value()),
                    ttl: cache.ttl.as_ref().map(|ttl| ttl.0),
                    coalesce: cache.coalesce.as_ref().is_some_and(|yes| *yes.value()),
                })
            }
            (None, Some(hit)) => {
                let alone = [
                    cache.capacity.as_ref().map(Placed::at),
                    cache.ttl.as_ref().map(Placed::at),
                    cache.coalesce.as_ref().map(Placed::at),
                ];
                match alone.into_iter().flatten().next() {
                    Some(at) => Err(self
                        .problems
                        .error(at, "a cache with a fixed share of hits has no entries")
                        .help("use `keys` in place of `hit`")),
                    None => Ok(CacheHits::Ratio(hit.0)),
                }
            }
            (Some(_), Some(hit)) => Err(self.problems.error(
                hit.at(),
                "`keys` and `hit` both say what hits; keep one of them",
            )),
            (None, None) => Err(self
                .problems
                .error(cache.at(), "what hits this cache?")
                .help("such as `keys: zipf(1.2, 10000)` or `hit: 95%`")),
        }
    }
}
