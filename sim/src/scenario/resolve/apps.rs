//! What apps do: behaviours written in layers become scripts with every callee resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::document::Diagnostic;
use mesh_core::policy::{Fraction, Position};

use super::directory::{Destination, Directory};
use super::groups::{Group, Groups};
use super::requests;
use crate::plan::{
    AppPlan, CacheHits, CachePlan, CallPlan, CancelPolicy, EndpointPlan, MemoryPlan, ProcessPlan,
    QueueOrder, ScriptedResponse, Step, WarmUp,
};
use crate::scenario::file::{
    Behaviour, CacheSpec, CallSpec, CancelSpec, Command, HandlerSpec, Named, OrderSpec, Placed,
    ResponseSpec, Short, StepSpec,
};
use crate::scenario::problems::Problems;
use crate::scenario::value::{RouteKey, Size};

/// More tries are taken for a mistake.
const TRIES_MAX: u32 = 100;

/// Work that is slower is taken for a mistake.
const TIMES_MAX: f64 = 1_000_000.0;

/// A call that an app makes, for checks on the graph of calls.
pub(super) struct CallSite {
    /// The service called.
    pub(super) service: usize,
    pub(super) method: String,
    /// The path called, without its query.
    pub(super) path: String,
    /// Whether every request makes it.
    pub(super) certain: bool,
    pub(super) at: Position,
}

/// The app of every group, and the calls of each of its endpoints (the fallback last).
pub(super) struct Apps {
    pub(super) plans: Vec<Arc<AppPlan>>,
    pub(super) calls: Vec<Vec<Vec<CallSite>>>,
}

impl Apps {
    pub(super) fn new(
        groups: &Groups<'_>,
        directory: &Directory<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut apps = Self {
            plans: Vec::new(),
            calls: Vec::new(),
        };
        for group in &groups.groups {
            let mut builder = AppBuilder {
                group,
                directory,
                problems,
                calls: Vec::new(),
                caches: 0,
            };
            let plan = builder.app();
            apps.calls.push(builder.calls);
            apps.plans.push(Arc::new(plan));
        }
        apps
    }
}

struct AppBuilder<'a, 'b> {
    group: &'b Group<'a>,
    directory: &'b Directory<'b>,
    problems: &'b mut Problems,
    /// Calls of the endpoints built so far.
    calls: Vec<Vec<CallSite>>,
    /// Caches so far.
    caches: usize,
}

impl<'a> AppBuilder<'a, '_> {
    /// What the last layer that says anything says.
    fn last<T>(&self, of: impl Fn(&Behaviour<'a>) -> Option<T>) -> Option<T> {
        self.group.layers.iter().rev().find_map(of)
    }

    fn app(&mut self) -> AppPlan {
        let mut app = self.group.imported.clone().unwrap_or_else(echo);
        self.capacity(&mut app);
        self.process(&mut app.process);
        let mut fallback = app.fallback.clone();
        self.endpoint_defaults(&mut fallback);
        for endpoint in &mut app.endpoints {
            self.endpoint_defaults(endpoint);
        }
        let handlers = self.handlers();
        let defaults = EndpointPlan {
            steps: Vec::new(),
            responses: Vec::new(),
            ..fallback.clone()
        };
        for (key, handler) in handlers {
            let endpoint = self.handled(key, handler, &defaults);
            app.endpoints.push(endpoint);
        }
        // Calls of endpoints that came with the import stand before those of the handlers.
        let imported = app.endpoints.len() - self.calls.len();
        for index in (0..imported).rev() {
            let steps = app.endpoints[index].steps.clone();
            let sites = self.imported_calls(&steps);
            self.calls.insert(0, sites);
        }
        self.sort(&mut app);
        self.fallback(&mut fallback);
        app.fallback = fallback;
        app
    }

    fn capacity(&mut self, app: &mut AppPlan) {
        if let Some(workers) = self.last(|layer| layer.workers) {
            if *workers.value() == 0 {
                let error = self
                    .problems
                    .error(workers.at(), "an app without workers answers nothing");
                self.problems.push(error);
            }
            app.workers = Some(*workers.value());
        }
        app.queue_max = self.last(|layer| layer.queue).or(app.queue_max);
        if let Some(order) = self.last(|layer| layer.queue_order) {
            app.queue_order = match order {
                OrderSpec::Fifo => QueueOrder::Fifo,
                OrderSpec::Lifo => QueueOrder::Lifo,
            };
        }
        if let Some(cancel) = self.last(|layer| layer.cancel) {
            app.cancel = match cancel {
                CancelSpec::Stop => CancelPolicy::Stop,
                CancelSpec::Finish => CancelPolicy::Finish,
            };
        }
    }

    /// What its process needs and bears.
    fn process(&mut self, process: &mut ProcessPlan) {
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

    /// What every endpoint has unless it says otherwise.
    fn endpoint_defaults(&self, endpoint: &mut EndpointPlan) {
        if let Some(time) = self.last(|layer| layer.service_time) {
            endpoint.service_time = time.0.clone();
        }
        if let Some(errors) = self.last(|layer| layer.errors) {
            endpoint.errors = errors.0;
        }
        if let Some(size) = self.last(|layer| layer.response_size) {
            endpoint.response_bytes = size.0;
        }
    }

    /// The handlers by what they handle; a later layer replaces an earlier one's.
    fn handlers(&self) -> Vec<(&'a RouteKey, &'a HandlerSpec)> {
        let mut handlers = BTreeMap::new();
        for layer in &self.group.layers {
            for (key, handler) in layer.handles.iter() {
                handlers.insert(key.value(), handler);
            }
        }
        handlers.into_iter().collect()
    }

    fn handled(
        &mut self,
        key: &RouteKey,
        handler: &HandlerSpec,
        defaults: &EndpointPlan,
    ) -> EndpointPlan {
        let handler = &handler.0;
        let mut sites = Vec::new();
        let steps = self.steps(&handler.script, &mut sites);
        self.calls.push(sites);
        EndpointPlan {
            path_prefix: key.path_prefix.clone(),
            method: key.method.clone(),
            service_time: handler
                .service_time
                .as_ref()
                .map_or_else(|| defaults.service_time.clone(), |time| time.0.clone()),
            steps,
            errors: handler.errors.map_or(defaults.errors, |errors| errors.0),
            responses: self.responses(&handler.responses),
            response_bytes: handler
                .response_size
                .map_or(defaults.response_bytes, |size| size.0),
        }
    }

    /// Longest prefix first, then the more particular method: the first match is used.
    fn sort(&mut self, app: &mut AppPlan) {
        let mut endpoints: Vec<(EndpointPlan, Vec<CallSite>)> =
            app.endpoints.drain(..).zip(self.calls.drain(..)).collect();
        endpoints.sort_by_key(|(endpoint, _)| {
            (
                std::cmp::Reverse(endpoint.path_prefix.len()),
                endpoint.method.is_none(),
            )
        });
        for (endpoint, sites) in endpoints {
            app.endpoints.push(endpoint);
            self.calls.push(sites);
        }
    }

    fn fallback(&mut self, fallback: &mut EndpointPlan) {
        let mut sites = Vec::new();
        match self.last(|layer| layer.script) {
            Some(script) => fallback.steps = self.steps(script, &mut sites),
            None => sites = self.imported_calls(&fallback.steps),
        }
        if let Some(responses) = self.last(|layer| layer.responses) {
            fallback.responses = self.responses(responses.value());
        }
        self.calls.push(sites);
    }

    fn steps(&mut self, script: &[StepSpec], sites: &mut Vec<CallSite>) -> Vec<Step> {
        script
            .iter()
            .filter_map(|step| match step {
                StepSpec::Single(command) => self.command(command, sites),
                StepSpec::Concurrent(commands) => Some(Step::Parallel(
                    commands
                        .iter()
                        .filter_map(|command| self.command(command, sites))
                        .collect(),
                )),
            })
            .collect()
    }

    fn command(&mut self, command: &Command, sites: &mut Vec<CallSite>) -> Option<Step> {
        match command {
            Command::Sleep(time) => Some(Step::Sleep(time.0.clone())),
            Command::Cache(cache) => {
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
            Command::Call(call) => match self.call(call, sites) {
                Ok(call) => Some(Step::Call(call)),
                Err(error) => {
                    self.problems.push(error);
                    None
                }
            },
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

    fn call(
        &mut self,
        call: &Placed<Short<CallSpec>>,
        sites: &mut Vec<CallSite>,
    ) -> Result<CallPlan, Diagnostic> {
        let namespace = &self.group.namespace;
        let Destination {
            authority,
            service,
            name,
        } = self
            .directory
            .resolve(&call.service, namespace, self.problems)?;
        let path = requests::path(call.path.as_ref(), "/", self.problems)?;
        let method = requests::method(call.method.as_ref(), "GET", self.problems)?;
        let probability = call.probability.map_or(Fraction::ONE, |share| share.0);
        let tries = call.tries.as_ref().map_or(1, |tries| *tries.value());
        if let Some(written) = call
            .tries
            .as_ref()
            .filter(|_| !(1..=TRIES_MAX).contains(&tries))
        {
            let message = format!("an app tries from 1 to {TRIES_MAX} times");
            return Err(self.problems.error(written.at(), message));
        }
        if let Some(service) = service {
            sites.push(CallSite {
                service,
                method: method.clone(),
                path: without_query(&path).to_owned(),
                certain: probability == Fraction::ONE,
                at: call.service.at().clone(),
            });
        }
        Ok(CallPlan {
            service: if service.is_some() {
                name
            } else {
                call.service.host.clone()
            },
            authority,
            method,
            path,
            headers: requests::headers(&call.headers, self.problems)?,
            forward_headers: requests::header_names(&call.forward, self.problems)?,
            body_bytes: call.request_size.map_or(0, |size| size.0),
            probability,
            timeout: call.timeout.map(|timeout| timeout.0),
            tries,
            optional: call.optional,
        })
    }

    fn responses(&mut self, responses: &[ResponseSpec]) -> Vec<ScriptedResponse> {
        responses
            .iter()
            .filter_map(
                |response| match requests::response(response, self.problems) {
                    Ok(response) => Some(response),
                    Err(error) => {
                        self.problems.push(error);
                        None
                    }
                },
            )
            .collect()
    }

    /// Calls of a script that came with an import.
    fn imported_calls(&self, steps: &[Step]) -> Vec<CallSite> {
        let mut sites = Vec::new();
        for step in steps {
            match step {
                Step::Sleep(_) => {}
                Step::Parallel(steps) => sites.extend(self.imported_calls(steps)),
                Step::Cache(cache) => sites.extend(self.imported_calls(&cache.miss)),
                Step::Call(call) => {
                    let host = call.authority.split(':').next().unwrap_or_default();
                    if let Some(service) = self.directory.find(host, &self.group.namespace) {
                        sites.push(CallSite {
                            service,
                            method: call.method.clone(),
                            path: without_query(&call.path).to_owned(),
                            certain: call.probability == Fraction::ONE,
                            at: self.group.place.clone(),
                        });
                    }
                }
            }
        }
        sites
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

/// An app that answers 200 at once, however many ask.
fn echo() -> AppPlan {
    AppPlan {
        workers: None,
        queue_max: None,
        queue_order: QueueOrder::Fifo,
        cancel: CancelPolicy::Stop,
        endpoints: Vec::new(),
        fallback: EndpointPlan::echo(),
        process: Default::default(),
    }
}

/// Labels and headers share this shape: names with texts, each with its place.
pub(super) type Texts = Named<String, Placed<String>>;
