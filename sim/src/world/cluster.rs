//! Everything that runs: the fabric, the control plane, the pods and the clients.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use mesh_core::control::ResourceCache;
use mesh_core::policy::Profile;
use mesh_core::proxy::SidecarHandle;
use mesh_core::seam::Instant;
use meshquake_reports::RunReport;
use rustls::KeyLog;

use super::RunError;
use super::control::{self, CONTROL_HOST, Control};
use super::memory::Kills;
use super::names::Names;
use super::pod::{PodContext, PodKind, PodSetup};
use crate::app::{AppKnobs, Bypass};
use crate::fabric::{Fabric, FabricConfig, HostId, HostSpec, Inbox};
use crate::fault::{Standing, TriggerObserver};
use crate::plan::{FaultKind, IdentityFault, NetworkFault, Plan};
use crate::record::{FabricEvent, PodChange, PodEvent, RecordOptions, Recorder, RunEnd};
use crate::traffic::{FlagProbe, TrafficKnobs};

/// What is shared by everything that runs.
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) recorder: Rc<Recorder>,
    pub(super) profile: Rc<Profile>,
    pub(super) cache: Rc<ResourceCache>,
    pub(crate) names: Rc<Names>,
    /// Where tasks leave what is to be done to the world.
    pub(crate) inbox: Inbox,
    /// The control plane.
    pub(crate) control: Rc<Control>,
    /// Pods that are ready, by name.
    pub(crate) ready: RefCell<BTreeSet<Arc<str>>>,
    /// Every pod and client, by name.
    pub(super) pods: RefCell<IndexMap<Arc<str>, PodSetup>>,
    /// The plan's faults, as they stand.
    pub(crate) faults: RefCell<Vec<Standing>>,
    /// What faults change in apps, by pod.
    knobs: RefCell<BTreeMap<Arc<str>, Rc<AppKnobs>>>,
    /// What faults change in traffic sources, by pod.
    source_knobs: RefCell<BTreeMap<Arc<str>, Rc<TrafficKnobs>>>,
    /// Pods killed for want of memory.
    pub(super) kills: RefCell<Kills>,
    /// Sidecars, by pod.
    sidecars: RefCell<BTreeMap<Arc<str>, SidecarHandle>>,
    /// Ways past sidecars, by pod.
    bypasses: RefCell<BTreeMap<Arc<str>, Rc<Bypass>>>,
}

impl Shared {
    /// The host of a pod.
    pub(crate) fn host(&self, pod: &str) -> Option<HostId> {
        self.pods.borrow().get(pod).map(|setup| setup.host)
    }

    /// The number of a pod's present or last life, from 1; `None` for what is no pod.
    pub(crate) fn life(&self, pod: &str) -> Option<u32> {
        self.pods.borrow().get(pod).map(|setup| setup.incarnation)
    }

    /// What faults change in a pod's app.
    pub(crate) fn knobs(&self, pod: &Arc<str>) -> Rc<AppKnobs> {
        let mut knobs = self.knobs.borrow_mut();
        knobs.entry(pod.clone()).or_default().clone()
    }

    /// What faults change in a traffic source, by its pod.
    pub(crate) fn source_knobs(&self, pod: &Arc<str>) -> Rc<TrafficKnobs> {
        let mut knobs = self.source_knobs.borrow_mut();
        knobs.entry(pod.clone()).or_default().clone()
    }

    /// The sidecar of a pod, while it has one.
    pub(crate) fn sidecar(&self, pod: &str) -> Option<SidecarHandle> {
        self.sidecars.borrow().get(pod).cloned()
    }

    /// A pod's sidecar has started.
    pub(super) fn set_sidecar(&self, pod: &Arc<str>, sidecar: SidecarHandle) {
        self.sidecars.borrow_mut().insert(pod.clone(), sidecar);
    }

    /// The way past a pod's sidecar.
    pub(crate) fn bypass(&self, pod: &Arc<str>) -> Rc<Bypass> {
        let mut bypasses = self.bypasses.borrow_mut();
        bypasses.entry(pod.clone()).or_default().clone()
    }

    /// Whether any fault leads past sidecars.
    pub(super) fn sidecars_can_be_bypassed(&self) -> bool {
        let leads_past =
            |kind: &FaultKind| matches!(kind, FaultKind::Identity(IdentityFault::Plaintext { .. }));
        self.plan.faults.iter().any(|fault| leads_past(&fault.kind))
    }

    /// Wall time at an instant, since the Unix epoch.
    pub(crate) fn unix_time(&self, at: Instant) -> Duration {
        self.plan.epoch.saturating_sub(super::BOOT) + at.elapsed()
    }

    /// Pods and clients that have a sidecar, in plan order.
    pub(crate) fn meshed(&self) -> Vec<Arc<str>> {
        let pods = self.pods.borrow();
        let meshed = pods.values().filter(|setup| setup.workload.meshed);
        meshed.map(|setup| setup.workload.name.clone()).collect()
    }

    /// Whether any fault is about names.
    pub(super) fn names_fail(&self) -> bool {
        let about_names =
            |kind: &FaultKind| matches!(kind, FaultKind::Network(NetworkFault::Dns { .. }));
        self.plan
            .faults
            .iter()
            .any(|fault| about_names(&fault.kind))
    }
}

/// The running world.
pub(super) struct Cluster {
    pub(super) fabric: Fabric,
    pub(super) shared: Rc<Shared>,
}

impl Cluster {
    /// Puts the world together; nothing has run yet.
    pub(super) fn build(
        plan: &Plan,
        options: RecordOptions,
        key_log: Option<Arc<dyn KeyLog>>,
    ) -> Result<Self, RunError> {
        let recorder = Recorder::new(plan, options);
        let epoch = plan.epoch.saturating_sub(super::BOOT);
        let config = FabricConfig::new(plan.seed, epoch, hosts(plan), plan.links.clone());
        let mut fabric = Fabric::new(FabricConfig { key_log, ..config })?;
        let profile = Rc::new(plan.mesh.profile.clone());
        let control = Control::new(plan, &fabric, epoch)?;
        let names = Rc::new(Names::new(&control.registry(), plan.seed));
        control.start(&mut fabric, &recorder);
        let shared = Rc::new(Shared {
            plan: plan.clone(),
            recorder,
            profile,
            cache: Rc::default(),
            names,
            inbox: fabric.inbox(),
            control,
            ready: RefCell::default(),
            pods: RefCell::default(),
            faults: RefCell::default(),
            knobs: RefCell::default(),
            source_knobs: RefCell::default(),
            kills: RefCell::default(),
            sidecars: RefCell::default(),
            bypasses: RefCell::default(),
        });
        let mut cluster = Self { fabric, shared };
        cluster.register_pods()?;
        Ok(cluster)
    }

    fn register_pods(&mut self) -> Result<(), RunError> {
        let plan = &self.shared.plan;
        let pods = plan.pods.iter().map(|pod| {
            (
                &pod.workload,
                pod.service.clone(),
                PodKind::App {
                    app: pod.app.clone(),
                    ports: pod.ports.clone(),
                },
            )
        });
        let clients = plan.traffic.iter().enumerate().map(|(index, traffic)| {
            (
                &traffic.workload,
                traffic.name.clone(),
                PodKind::Client { index },
            )
        });
        let mut setups = IndexMap::new();
        for (workload, service, kind) in pods.chain(clients) {
            let host = self.fabric.host(&workload.name);
            let host = host.ok_or_else(|| setup(&format!("no host for pod {}", workload.name)))?;
            let setup = PodSetup {
                host,
                workload: workload.clone(),
                service: service.into(),
                kind,
                incarnation: 0,
            };
            setups.insert(workload.name.clone(), setup);
        }
        *self.shared.pods.borrow_mut() = setups;
        Ok(())
    }

    /// Starts every pod and waits until all are ready.
    pub(super) fn boot(&mut self, until: Instant) -> Result<(), RunError> {
        let waiting = self.shared.plan.pods.iter().filter(|pod| pod.waits);
        let waiting: BTreeSet<&Arc<str>> = waiting.map(|pod| &pod.workload.name).collect();
        waiting
            .iter()
            .for_each(|pod| self.shared.names.set_ready(pod, false));
        let mut names: Vec<Arc<str>> = self.shared.pods.borrow().keys().cloned().collect();
        names.retain(|name| !waiting.contains(name));
        for name in &names {
            start_pod(&mut self.fabric, &self.shared, name);
        }
        self.fabric.run_until(until)?;
        let ready = self.shared.ready.borrow();
        let late = names.iter().filter(|name| !ready.contains(*name));
        let late: Vec<String> = late.map(ToString::to_string).collect();
        if late.is_empty() {
            Ok(())
        } else {
            Err(RunError::Boot(late))
        }
    }

    /// The scenario's clock begins: faults are scheduled. (Clients wait for it by themselves.)
    pub(super) fn begin(&mut self, origin: Instant) {
        crate::fault::schedule(&mut self.fabric, &self.shared, origin);
    }

    pub(super) fn run_until(&mut self, at: Instant) -> Result<(), RunError> {
        self.fabric.run_until(at)?;
        Ok(())
    }

    /// Virtual time has come to here.
    pub(super) fn reached(&self, at: Instant) {
        self.shared.recorder.reached(at);
    }

    pub(super) fn requests_ended(&self) -> u64 {
        self.shared.recorder.requests_ended()
    }

    /// Ends the run and says what it was; `began` is when it was started.
    pub(super) fn finish(mut self, began: std::time::Instant) -> Result<RunReport, RunError> {
        crate::fault::end(&mut self.fabric, &self.shared);
        let stats = self.fabric.stats();
        let recorder = self.shared.recorder.clone();
        let report = recorder.finish(RunEnd {
            at: self.fabric.now(),
            wall: began.elapsed(),
            fabric: FabricEvent {
                packets: stats.packets,
                bytes: stats.bytes,
                lost: stats.lost,
                parked: stats.parked,
                reset: stats.aborted,
            },
        });
        recorder.close_logs().map_err(RunError::Log)?;
        Ok(report)
    }
}

fn setup(why: &str) -> RunError {
    RunError::Setup(why.to_owned())
}

fn hosts(plan: &Plan) -> Vec<HostSpec> {
    let control = HostSpec {
        name: CONTROL_HOST.into(),
        ip: control::address(),
        region: plan
            .pods
            .first()
            .map_or_else(|| "".into(), |pod| pod.workload.locality.region.clone()),
        zone: plan
            .pods
            .first()
            .map_or_else(|| "".into(), |pod| pod.workload.locality.zone.clone()),
    };
    let all = plan.workloads().map(|workload| HostSpec {
        name: workload.name.clone(),
        ip: workload.ip,
        region: workload.locality.region.clone(),
        zone: workload.locality.zone.clone(),
    });
    std::iter::once(control).chain(all).collect()
}

/// Starts, or restarts, a pod's processes.
pub(super) fn start_pod(fabric: &mut Fabric, shared: &Rc<Shared>, name: &str) {
    let setup = {
        let mut pods = shared.pods.borrow_mut();
        let Some(setup) = pods.get_mut(name) else {
            return;
        };
        let this_life = setup.clone();
        setup.incarnation += 1;
        this_life
    };
    let change = PodChange::Started;
    shared
        .recorder
        .pod(fabric.now(), &PodEvent { pod: name, change });
    let observer = shared.recorder.observer(name, &setup.service);
    // A client hears what its own sidecar says of its requests.
    let probe = matches!(setup.kind, PodKind::Client { .. })
        .then(|| Rc::new(FlagProbe::new(observer.clone(), shared.recorder.clone())));
    let observer = match &probe {
        Some(probe) => probe.clone(),
        None => observer,
    };
    let name = setup.workload.name.clone();
    let observer = TriggerObserver::around(observer, fabric.inbox(), shared, &name);
    let cold = fabric.now() >= super::ORIGIN;
    shared.knobs(&name).begin_life(cold);
    let host = setup.host;
    let seams = fabric.seams(host, observer);
    let shared = shared.clone();
    let context = PodContext {
        shared,
        setup,
        probe,
    };
    fabric.start(host, move || Box::pin(context.run(seams)));
}
