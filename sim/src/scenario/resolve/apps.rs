//! What apps do: behaviours written in layers become scripts with every callee resolved.

mod process;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::document::Diagnostic;
use mesh_core::policy::{Fraction, Position};

use super::directory::{Destination, Directory};
use super::groups::{Group, Groups};
use super::requests;
use crate::plan::{
    AppPlan, CallPlan, CancelPolicy, EndpointPlan, QueueOrder, ScriptedResponse, Step,
};
use crate::scenario::file::{
    Behaviour, CallSpec, CancelSpec, Command, HandlerSpec, Named, OrderSpec, Placed, ResponseSpec,
    Short, StepSpec,
};
use crate::scenario::problems::Problems;
use crate::scenario::value::RouteKey;

/// More tries are taken for a mistake.
const TRIES_MAX: u32 = 100;

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
            Command::Cache(cache) => self.cache(cache, sites),
            Command::Call(call) => match self.call(call, sites) {
                Ok(call) => Some(Step::Call(call)),
                Err(error) => {
                    self.problems.push(error);
                    None
                }
            },
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
