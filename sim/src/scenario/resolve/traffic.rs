//! Traffic sources: who calls, what, and how often.

mod client;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::{Workload, WorkloadState};
use mesh_core::document::{Diagnostic, nearest};

use super::directory::Directory;
use super::layout::Layout;
use super::{Frame, load, place, requests};
use crate::plan::{
    BurstPlan, Distribution, ExpectedOutcome, Load, PodPlan, RequestPlan, ScriptedRequest,
    TrafficPlan,
};
use crate::scenario::file::{OutcomeSpec, Placed, RequestSpec, Scenario, TrafficSpec};
use crate::scenario::problems::Problems;
use crate::scenario::value::{Name, Target, written};
pub(super) use client::{BACKOFFS_MAX, check_tries};

/// Most scripted requests and points of changing rates, of all sources together.
const PARTS_MAX: usize = 200_000;

/// Most users of one source.
const USERS_MAX: u32 = 1_000_000;

/// The traffic sources, their addresses given later.
pub(super) fn plans(
    scenario: &Scenario,
    directory: &Directory<'_>,
    layout: &Layout,
    frame: &Frame,
    problems: &mut Problems,
) -> Vec<TrafficPlan> {
    let mut parts = PARTS_MAX;
    let mut plans = Vec::new();
    for (name, spec) in scenario.traffic.iter() {
        let mut source = Source {
            name,
            spec,
            directory,
            layout,
            frame,
            problems,
            parts,
        };
        let plan = source.plan();
        parts = source.parts;
        plans.extend(plan);
    }
    plans
}

struct Source<'a> {
    name: &'a Placed<Name>,
    spec: &'a TrafficSpec,
    directory: &'a Directory<'a>,
    layout: &'a Layout,
    frame: &'a Frame,
    problems: &'a mut Problems,
    /// How many parts there may still be.
    parts: usize,
}

impl Source<'_> {
    fn plan(&mut self) -> Option<TrafficPlan> {
        let workload = self.workload();
        let (start, stop) = self.times();
        let request = self.request();
        let load = self.load(request.as_ref(), start);
        let (load, bursts) = load.unzip();
        let load = load.filter(|load| self.has_room(load));
        let client = self.client(request.as_ref());
        Some(TrafficPlan {
            name: self.name.0.clone(),
            workload,
            request: request.or_else(|| first_request(load.as_ref()))?,
            load: load?,
            bursts: bursts.unwrap_or_default(),
            start,
            stop,
            timeout: self.spec.timeout.map(|timeout| timeout.0),
            client,
        })
    }

    /// Whether a load is not too long, which is said if it is.
    fn has_room(&mut self, load: &Load) -> bool {
        let parts = match load {
            Load::Open { rate, .. } => rate.0.len(),
            Load::Closed { .. } => 1,
            Load::Script(requests) => requests.len(),
        };
        let left = self.parts.checked_sub(parts);
        match left {
            Some(left) => self.parts = left,
            None => self.too_long(self.name.at().clone()),
        }
        left.is_some()
    }

    fn too_long(&mut self, at: mesh_core::policy::Position) {
        let message = format!("more than {PARTS_MAX} requests and changes of rate are written");
        let error = self.problems.error(&at, message);
        self.problems.push(error);
    }

    fn namespace(&self) -> &str {
        self.spec
            .namespace
            .as_ref()
            .map_or(self.directory.namespace, |name| &name.0)
    }

    fn workload(&mut self) -> Workload {
        let name = &self.name.0;
        let mut labels = BTreeMap::from([("app".to_owned(), name.clone())]);
        for (label, value) in self.spec.labels.iter() {
            if label.value() == "app" {
                let error = self
                    .problems
                    .error(label.at(), "the label `app` is the traffic source's name");
                self.problems.push(error);
            }
            labels.insert(label.value().clone(), value.value().clone());
        }
        self.refuse_to_serve(&labels);
        let locality = match &self.spec.zone {
            Some(zone) => self.layout.zone(zone, self.problems),
            None => None,
        };
        let account = self
            .spec
            .service_account
            .as_ref()
            .map_or(name, |name| &name.0);
        Workload {
            name: Arc::from(name.as_str()),
            namespace: Arc::from(self.namespace()),
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            labels,
            service_account: Arc::from(account.as_str()),
            meshed: self.spec.sidecar.unwrap_or(true),
            locality: locality.unwrap_or_else(|| self.layout.outside()),
            state: WorkloadState::Ready,
        }
    }

    /// A source only calls: no service may take its pod for one of its own.
    fn refuse_to_serve(&mut self, labels: &BTreeMap<String, String>) {
        if let Some(service) = self.directory.selecting(self.namespace(), labels) {
            let message = format!(
                "the service `{service}` selects this source's pod by its labels (`app: {}`) and would send it requests; give the source another name",
                self.name.0
            );
            let error = self.problems.error(self.name.at(), message);
            self.problems.push(error);
        }
    }

    fn times(&mut self) -> (Duration, Option<Duration>) {
        let start = self
            .spec
            .start
            .as_ref()
            .map_or(Duration::ZERO, |start| start.0);
        let stop = self.spec.stop.as_ref();
        if let Some(written_start) = &self.spec.start
            && start >= self.frame.duration
        {
            let message = format!(
                "it starts when the run is over, after {}",
                written(self.frame.duration)
            );
            self.late(written_start.at(), message);
        }
        if let Some(stop) = stop.filter(|stop| stop.0 <= start) {
            let error = self.problems.error(stop.at(), "it stops before it starts");
            self.problems.push(error);
        }
        (start, stop.map(|stop| stop.0))
    }

    /// Reports what lies beyond the end of the run.
    fn late(&mut self, at: &mesh_core::policy::Position, message: String) {
        let object = format!("traffic {}", self.name.0);
        self.frame.beyond(at, &object, message, self.problems);
    }

    fn note<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|error| self.problems.push(error)).ok()
    }

    /// What it sends unless a scripted request says otherwise.
    fn request(&mut self) -> Option<RequestPlan> {
        let Some(target) = &self.spec.to else {
            let every_has_one = !self.spec.requests.is_empty()
                && self
                    .spec
                    .requests
                    .iter()
                    .all(|request| request.to.is_some());
            if !every_has_one {
                let message = format!("`{}` calls nothing: `to` is missing", self.name.0);
                let error = self
                    .problems
                    .error(self.name.at(), message)
                    .help("such as `to: http://web/`");
                self.problems.push(error);
            }
            return None;
        };
        let mut request = self.addressed(target)?;
        let method = requests::method(self.spec.method.as_ref(), "GET", self.problems);
        request.method = self.note(method)?;
        let headers = requests::headers(&self.spec.headers, self.problems);
        request.headers = self.note(headers)?;
        request.body_bytes = self.spec.request_size.map_or(0, |size| size.0);
        Some(request)
    }

    fn addressed(&mut self, target: &Placed<Target>) -> Option<RequestPlan> {
        let callee = Placed::new(target.callee.clone(), target.at().clone());
        let destination = self
            .directory
            .resolve(&callee, self.namespace(), self.problems);
        let destination = self.note(destination)?;
        Some(RequestPlan {
            authority: destination.authority,
            service: destination.name,
            method: "GET".into(),
            path: target.path.clone(),
            headers: Vec::new(),
            body_bytes: 0,
        })
    }

    fn load(
        &mut self,
        request: Option<&RequestPlan>,
        start: Duration,
    ) -> Option<(Load, Vec<BurstPlan>)> {
        let spec = self.spec;
        let open = spec.rate.is_some() || !spec.stages.is_empty() || !spec.bursts.is_empty();
        let closed = spec.users.is_some();
        let scripted = !spec.requests.is_empty();
        match (open, closed, scripted) {
            (true, false, false) => {
                self.refuse_think();
                let (name, run) = (&self.name.0, self.frame.duration);
                let profile = load::profile(spec, name, run, self.problems);
                self.note(profile)
            }
            (false, true, false) => Some((self.users()?, Vec::new())),
            (false, false, true) => {
                self.refuse_think();
                Some((self.script(request, start)?, Vec::new()))
            }
            (false, false, false) => {
                let message = format!("how often does `{}` call?", self.name.0);
                let error = self
                    .problems
                    .error(self.name.at(), message)
                    .help("give it a `rate` such as `poisson(50/s)`, or `users`, or `requests`");
                self.problems.push(error);
                None
            }
            _ => {
                let message = format!(
                    "`{}` has more than one of `rate`, `users` and `requests`",
                    self.name.0
                );
                let error = self
                    .problems
                    .error(self.name.at(), message)
                    .help("split it into several traffic sources");
                self.problems.push(error);
                None
            }
        }
    }

    fn refuse_think(&mut self) {
        if let Some(think) = &self.spec.think {
            let error = self.problems.error(think.at(), "only `users` think");
            self.problems.push(error);
        }
    }

    fn users(&mut self) -> Option<Load> {
        let users = self.spec.users.as_ref()?;
        if !(1..=USERS_MAX).contains(users.value()) {
            let message = format!("there are from 1 to {USERS_MAX} users");
            let error = self.problems.error(users.at(), message);
            self.problems.push(error);
            return None;
        }
        let think = self.spec.think.as_ref();
        Some(Load::Closed {
            users: *users.value(),
            think: think.map_or(Distribution::ZERO, |think| think.0.clone()),
        })
    }

    fn script(&mut self, default: Option<&RequestPlan>, start: Duration) -> Option<Load> {
        let mut script = Vec::new();
        for spec in self.spec.requests.iter() {
            let Some(request) = self.scripted_request(spec, default) else {
                continue;
            };
            let expect = self.outcome(&spec.expect);
            let expect = self.note(expect)?;
            let count = spec.count.as_ref().map_or(1, |count| *count.value());
            let every = spec.every.map(|every| every.0).unwrap_or_default();
            if script.len().saturating_add(count as usize) > self.parts {
                let at = spec.count.as_ref().map_or(spec.at(), Placed::at);
                self.too_long(at.clone());
                return None;
            }
            for turn in 0..count {
                let at = every.saturating_mul(turn).saturating_add(spec.at.0);
                if at >= self.frame.duration || at < start {
                    let message = format!("a request at {} is outside the run", written(at));
                    self.late(spec.at(), message);
                    break;
                }
                script.push(ScriptedRequest {
                    at,
                    request: request.clone(),
                    expect: expect.clone(),
                    place: place(spec.at()),
                });
            }
        }
        script.sort_by_key(|request| request.at);
        Some(Load::Script(script))
    }

    fn scripted_request(
        &mut self,
        spec: &Placed<RequestSpec>,
        default: Option<&RequestPlan>,
    ) -> Option<RequestPlan> {
        let mut request = match (&spec.to, default) {
            (Some(target), Some(default)) => {
                let addressed = self.addressed(target)?;
                RequestPlan {
                    authority: addressed.authority,
                    service: addressed.service,
                    path: addressed.path,
                    ..default.clone()
                }
            }
            (Some(target), None) => self.addressed(target)?,
            (None, Some(default)) => default.clone(),
            (None, None) => return None,
        };
        let path = requests::path(spec.path.as_ref(), &request.path, self.problems);
        request.path = self.note(path)?;
        let method = requests::method(spec.method.as_ref(), &request.method, self.problems);
        request.method = self.note(method)?;
        let headers = requests::headers(&spec.headers, self.problems);
        for (name, value) in self.note(headers)? {
            request.headers.retain(|(known, _)| *known != name);
            request.headers.push((name, value));
        }
        request.body_bytes = spec.request_size.map_or(request.body_bytes, |size| size.0);
        Some(request)
    }

    fn outcome(&self, spec: &OutcomeSpec) -> Result<ExpectedOutcome, Diagnostic> {
        Ok(ExpectedOutcome {
            status: spec
                .status
                .map(|answer| answer.0.map_or(0, |status| status.0)),
            upstream: spec.upstream.as_ref().map(|pod| pod.value().clone()),
            flags: spec.flags.clone(),
            at_least: spec.at_least.map(|time| time.0),
            at_most: spec.at_most.map(|time| time.0),
            headers: requests::headers(&spec.headers, self.problems)?,
        })
    }
}

fn first_request(load: Option<&Load>) -> Option<RequestPlan> {
    match load {
        Some(Load::Script(script)) => script.first().map(|first| first.request.clone()),
        _ => None,
    }
}

/// Every `upstream` of an expected outcome must be the beginning of some pod's name.
pub(super) fn check_upstreams(scenario: &Scenario, pods: &[PodPlan], problems: &mut Problems) {
    for (_, spec) in scenario.traffic.iter() {
        for request in spec.requests.iter() {
            let Some(upstream) = &request.expect.upstream else {
                continue;
            };
            let names = || pods.iter().map(|pod| &*pod.workload.name);
            if names().any(|name| name.starts_with(upstream.as_str())) {
                continue;
            }
            let error = problems.error(
                upstream.at(),
                format!("no pod's name begins with `{}`", upstream.value()),
            );
            let error = match nearest(upstream, names()) {
                Some(close) => error.help(format!("did you mean `{close}`?")),
                None => error,
            };
            problems.push(error);
        }
    }
}
