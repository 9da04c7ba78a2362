//! Who takes part in a film.

use std::collections::BTreeMap;

use meshquake_reports::RunReport;

use crate::plan::{ControlFault, FarEnd, FaultKind, Load, NetworkFault, Plan};
use crate::tui::text::Label;

/// A service or a traffic source by number.
pub(crate) type PartId = u32;
/// A pod by number.
pub(crate) type PodId = u32;
/// A pair of caller and callee by number.
pub(crate) type EdgeId = u32;

/// Services, traffic sources, their pods, and what will be done to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cast {
    /// Traffic sources, then services; more are met while the film is recorded.
    pub(crate) parts: Vec<Part>,
    /// How many of the parts are traffic sources.
    pub(crate) sources: usize,
    /// Pods of apps, then of traffic sources.
    pub(crate) pods: Vec<PodCast>,
    /// What each traffic source asks for, where that is always the same; empty where it is not, or not known.
    pub(crate) asks: Vec<Label>,
    /// Faults in plan order, then the bursts of traffic sources.
    pub(crate) faults: Vec<FaultCast>,
    /// Wall time at the beginning of the scenario, in seconds since the Unix epoch; 0 when it is not known.
    pub(crate) epoch_s: u64,
}

/// A service, a traffic source, or a host outside the mesh.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: Label,
    /// Its pods.
    pub(crate) pods: Vec<PodId>,
}

/// A pod.
#[derive(Clone, Debug)]
pub(crate) struct PodCast {
    /// Its name.
    pub(crate) name: Label,
    /// Its service or traffic source.
    pub(crate) part: PartId,
    /// Its zone; empty when it is outside all.
    pub(crate) zone: Label,
    /// The value of its `version` label.
    pub(crate) version: Label,
    /// Its node.
    pub(crate) node: Label,
    /// Whether it has a sidecar.
    pub(crate) meshed: bool,
}

/// A fault.
#[derive(Clone, Debug)]
pub(crate) struct FaultCast {
    /// Its name.
    pub(crate) name: Label,
    /// Whether it cuts pods off from others.
    pub(crate) cuts: bool,
    /// Whether it pushes other configuration.
    pub(crate) configures: bool,
    /// The pods it was written for.
    pub(crate) pods: Vec<PodId>,
}

impl Cast {
    /// Of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut cast = Self {
            sources: plan.traffic.len(),
            epoch_s: plan.epoch.as_secs(),
            ..Self::default()
        };
        let mut parts = BTreeMap::new();
        for traffic in &plan.traffic {
            cast.part(&mut parts, (&traffic.name, true));
            let request = &traffic.request;
            let many = matches!(traffic.load, Load::Script(_)) || !traffic.client.mix.is_empty();
            cast.asks.push(match many {
                true => Label::default(),
                false => Label::new(&format!(
                    "{} {}{}",
                    request.method, request.authority, request.path
                )),
            });
        }
        for pod in &plan.pods {
            let part = cast.part(&mut parts, (&pod.service, false));
            let workload = &pod.workload;
            let version = workload.labels.get("version");
            cast.pod(PodCast {
                name: Label::new(&workload.name),
                part,
                zone: Label::new(&workload.locality.zone),
                version: Label::new(version.map_or("", |v| v)),
                node: Label::new(&pod.node),
                meshed: workload.meshed,
            });
        }
        for (part, traffic) in plan.traffic.iter().enumerate() {
            cast.pod(PodCast {
                name: Label::new(&traffic.workload.name),
                part: part as PartId,
                zone: Label::new(&traffic.workload.locality.zone),
                version: Label::default(),
                node: Label::default(),
                meshed: traffic.workload.meshed,
            });
        }
        cast.faults = faults(plan);
        cast
    }

    /// Of the record of a run.
    pub(crate) fn of_report(report: &RunReport) -> Self {
        let mut cast = Self {
            sources: report.traffic.len(),
            ..Self::default()
        };
        let mut parts = BTreeMap::new();
        for name in report.traffic.keys() {
            cast.part(&mut parts, (name, true));
        }
        for service in &report.services {
            cast.part(&mut parts, (&service.name, false));
        }
        for pod in report.detail.iter().flat_map(|detail| &detail.pods) {
            let part = cast.part(&mut parts, (&pod.service, pod.source));
            cast.pod(PodCast {
                name: Label::new(&pod.name),
                part,
                zone: Label::new(&pod.zone),
                version: Label::new(&pod.version),
                node: Label::new(&pod.node),
                meshed: pod.meshed,
            });
        }
        let faults = report.faults.iter().map(|fault| FaultCast {
            name: Label::new(&fault.name),
            cuts: false,
            configures: false,
            pods: Vec::new(),
        });
        cast.faults = faults.collect();
        cast
    }

    fn part<'a>(
        &mut self,
        known: &mut BTreeMap<(&'a str, bool), PartId>,
        key: (&'a str, bool),
    ) -> PartId {
        *known.entry(key).or_insert_with(|| {
            self.parts.push(Part {
                name: Label::new(key.0),
                pods: Vec::new(),
            });
            (self.parts.len() - 1) as PartId
        })
    }

    fn pod(&mut self, pod: PodCast) {
        let id = self.pods.len() as PodId;
        if let Some(part) = self.parts.get_mut(pod.part as usize) {
            part.pods.push(id);
        }
        self.pods.push(pod);
    }

    /// The name of a part.
    pub(crate) fn part_name(&self, part: PartId) -> &str {
        self.parts.get(part as usize).map_or("?", |part| &part.name)
    }

    /// The name of a pod.
    pub(crate) fn pod_name(&self, pod: PodId) -> &str {
        self.pods.get(pod as usize).map_or("?", |pod| &pod.name)
    }

    /// The name of a fault.
    pub(crate) fn fault_name(&self, fault: u32) -> &str {
        let fault = self.faults.get(fault as usize);
        fault.map_or("?", |fault| &fault.name)
    }

    /// Whether a part is a traffic source.
    pub(crate) fn is_source(&self, part: PartId) -> bool {
        (part as usize) < self.sources
    }
}

fn faults(plan: &Plan) -> Vec<FaultCast> {
    let mut numbers = BTreeMap::new();
    let apps = plan.pods.iter().map(|pod| &pod.workload.name);
    let clients = plan.traffic.iter().map(|traffic| &traffic.workload.name);
    for (number, name) in apps.chain(clients).enumerate() {
        numbers.insert(name.to_string(), number as PodId);
    }
    let faults = plan.faults.iter().map(|fault| {
        let (cuts, names) = meant(&fault.kind);
        FaultCast {
            name: Label::new(&fault.name),
            cuts,
            configures: matches!(fault.kind, FaultKind::Control(ControlFault::Config { .. })),
            pods: names
                .iter()
                .filter_map(|n| numbers.get(*n))
                .copied()
                .collect(),
        }
    });
    let bursts = plan.traffic.iter().flat_map(|traffic| &traffic.bursts);
    let bursts = bursts.map(|burst| FaultCast {
        name: Label::new(&burst.name),
        cuts: false,
        configures: false,
        pods: Vec::new(),
    });
    faults.chain(bursts).collect()
}

/// Whether a fault cuts pods off, and the pods it was written for; none when that is everybody.
fn meant(kind: &FaultKind) -> (bool, Vec<&String>) {
    match kind {
        FaultKind::Network(fault) => {
            let cuts = matches!(
                fault,
                NetworkFault::Partition { .. }
                    | NetworkFault::Blackhole { .. }
                    | NetworkFault::Reset { .. }
            );
            let Some(edge) = fault.edge() else {
                return (false, Vec::new());
            };
            let far = match &edge.to {
                FarEnd::Pods(pods) => pods.pods.as_slice(),
                FarEnd::Others | FarEnd::Everybody => &[],
            };
            (cuts, edge.from.pods.iter().chain(far).collect())
        }
        FaultKind::Process(fault) => (false, fault.pods().pods.iter().collect()),
        FaultKind::Control(ControlFault::SlowPush { pods, .. }) => {
            (false, pods.pods.iter().collect())
        }
        _ => (false, Vec::new()),
    }
}
