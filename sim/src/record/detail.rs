//! What charts, blame and waterfalls are drawn from, put together.

use std::collections::BTreeMap;

use mesh_core::control::{Compiler, ExplainRequest, ExplainedLine, Snapshot, Workload, explain};
use mesh_core::seam::Instant;
use mesh_core::telemetry::RequestEvent;
use meshquake_reports::{Detail, PodReport, PolicyReport, SettingReport, TrafficCourse};

use super::state::State;
use crate::plan::Plan;

/// Edges whose policy is told: the first that were used.
const EDGES_MAX: usize = 200;

/// A request of each edge, to ask the mesh about.
#[derive(Default)]
pub(super) struct Asked(BTreeMap<usize, Question>);

struct Question {
    /// The calling workload.
    caller: Box<str>,
    method: Box<str>,
    authority: Box<str>,
    path: Box<str>,
}

impl Asked {
    /// Takes the first request of the edge with this number.
    pub(super) fn request(&mut self, edge: usize, caller: &str, event: &RequestEvent<'_>) {
        if self.0.len() >= EDGES_MAX || self.0.contains_key(&edge) {
            return;
        }
        let question = Question {
            caller: caller.into(),
            method: event.method.into(),
            authority: event.authority.into(),
            path: event.path.into(),
        };
        self.0.insert(edge, question);
    }
}

impl State {
    /// The run in detail; `None` when it was not asked for.
    pub(super) fn detail(&mut self, end: Instant, length: u64) -> Option<Detail> {
        let windows = self.cut.windows(length);
        let mut course = self.course.as_mut()?.report(end, windows);
        let requests = self.requests.as_ref()?;
        for (index, (name, source)) in self.sources.iter().enumerate() {
            let told = source.windows();
            let traffic = TrafficCourse {
                failed: requests.failed(index, windows),
                p90_ms: told.quantiles(0.9, windows),
                p999_ms: told.quantiles(0.999, windows),
                heat: told.heat(windows),
            };
            course.traffic.insert(name.to_owned(), traffic);
        }
        let mut fault_spans = self.faults.spans(self.origin, length);
        fault_spans.extend(self.bursts.spans(length));
        Some(Detail {
            pods: app_pods(&self.plan)
                .chain(source_pods(&self.plan))
                .collect(),
            course,
            fault_spans,
            blame: requests.blame(&self.sources),
            worst: requests.worst(),
            policy: self.policy(),
        })
    }

    /// What every sidecar that called somebody was told to do with it.
    fn policy(&self) -> Vec<PolicyReport> {
        let registry = self.plan.registry();
        let mut compiler = Compiler::default();
        let mut snapshots: BTreeMap<&str, Snapshot> = BTreeMap::new();
        let mut policy = Vec::new();
        for (edge, question) in &self.asked.0 {
            let Some((from, to)) = self.edges.ends(*edge) else {
                continue;
            };
            let Some(caller) = registry.workloads.get(&*question.caller) else {
                continue;
            };
            let (authority, path) = (&question.authority, &question.path);
            let request = format!("{} http://{authority}{path}", question.method);
            let Ok(asked) = ExplainRequest::parse(&request, &[] as &[&str]) else {
                continue;
            };
            let snapshot = snapshots
                .entry(&question.caller)
                .or_insert_with(|| compiler.compile(&self.plan.mesh, &registry, caller, &[], 1));
            policy.push(PolicyReport {
                from: from.to_owned(),
                to: to.to_owned(),
                request,
                settings: explain(snapshot, &asked)
                    .lines()
                    .into_iter()
                    .map(setting)
                    .collect(),
            });
        }
        policy
    }
}

fn setting(line: ExplainedLine) -> SettingReport {
    SettingReport {
        depth: u8::try_from(line.depth).unwrap_or(u8::MAX),
        name: line.label,
        value: line.value,
        origin: line
            .origin
            .map(|origin| origin.to_string())
            .unwrap_or_default(),
    }
}

/// The pods that run apps, as reports have them.
pub(crate) fn app_pods(plan: &Plan) -> impl Iterator<Item = PodReport> {
    let pods = plan.pods.iter();
    pods.map(|pod| PodReport {
        node: pod.node.clone(),
        ..told(&pod.workload, &pod.service)
    })
}

/// The pods of traffic sources, as reports have them.
pub(crate) fn source_pods(plan: &Plan) -> impl Iterator<Item = PodReport> {
    let sources = plan.traffic.iter();
    sources.map(|traffic| PodReport {
        source: true,
        ..told(&traffic.workload, &traffic.name)
    })
}

fn told(workload: &Workload, service: &str) -> PodReport {
    PodReport {
        name: workload.name.to_string(),
        service: service.to_owned(),
        version: workload.labels.get("version").cloned().unwrap_or_default(),
        region: workload.locality.region.to_string(),
        zone: workload.locality.zone.to_string(),
        node: String::new(),
        meshed: workload.meshed,
        source: false,
    }
}
