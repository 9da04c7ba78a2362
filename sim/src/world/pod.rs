//! A pod's life: sidecar and app, or sidecar and client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::{ControlAddress, Workload, WorkloadState, control_plane_identity};
use mesh_core::identity::SpiffeId;
use mesh_core::proxy::{Sidecar, SidecarConfig};
use mesh_core::seam::{Seams, sleep};

use super::cluster::Shared;
use super::control::{KubernetesEvent, token};
use crate::app::{self, AppPod, Egress};
use crate::fabric::HostId;
use crate::plan::AppPlan;
use crate::record::{PodChange, PodEvent};
use crate::traffic::{self, FlagProbe};

/// Where apps dial their sidecar (Istio's outbound port).
const OUTBOUND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15_001);

/// How often a starting pod's readiness is looked at.
const READINESS_PERIOD: Duration = Duration::from_millis(10);

/// What runs in a pod.
#[derive(Clone)]
pub(super) enum PodKind {
    /// A scripted app.
    App {
        /// Its behaviour.
        app: Arc<AppPlan>,
        /// Its ports.
        ports: Vec<u16>,
    },
    /// A traffic source.
    Client {
        /// Its place in the plan.
        index: usize,
    },
}

/// A pod, ready to be started any number of times.
#[derive(Clone)]
pub(super) struct PodSetup {
    pub(super) host: HostId,
    pub(super) workload: Workload,
    pub(super) service: Arc<str>,
    pub(super) kind: PodKind,
    pub(super) incarnation: u32,
}

/// One life of a pod.
pub(super) struct PodContext {
    pub(super) shared: Rc<Shared>,
    pub(super) setup: PodSetup,
    /// Hears a client's sidecar.
    pub(super) probe: Option<Rc<FlagProbe>>,
}

impl PodContext {
    /// Runs the pod until its host dies.
    pub(super) async fn run(self, seams: Seams) {
        let sidecar = self.setup.workload.meshed.then(|| self.sidecar(&seams));
        let sidecar = sidecar.flatten();
        if let PodKind::App { app, ports } = &self.setup.kind {
            self.start_app(&seams, app, ports, sidecar.is_some());
        }
        if let Some(sidecar) = &sidecar {
            while !sidecar.is_ready() {
                sleep(&*seams.clock, READINESS_PERIOD).await;
            }
        }
        self.report_ready(&seams);
        if let PodKind::Client { index } = self.setup.kind {
            self.drive(seams, index).await;
        }
    }

    fn sidecar(&self, seams: &Seams) -> Option<Sidecar> {
        let workload = &self.setup.workload;
        let profile = &self.shared.profile;
        let domain = &profile.trust_domain;
        let identity =
            SpiffeId::new(domain, &workload.namespace, &workload.service_account).ok()?;
        let ports = match &self.setup.kind {
            PodKind::App { ports, .. } => ports.clone(),
            PodKind::Client { .. } => Vec::new(),
        };
        let config = SidecarConfig {
            workload: workload.name.clone(),
            identity,
            pod_ip: workload.ip,
            outbound: OUTBOUND,
            app_ip: Ipv4Addr::LOCALHOST.into(),
            ports,
            control: ControlAddress {
                address: self.shared.control.address(),
                identity: control_plane_identity(domain),
                token: token(&workload.name).into(),
            },
            trust: self.shared.control.trust(),
            profile: profile.clone(),
        };
        let sidecar = Sidecar::start(seams.clone(), config, self.shared.cache.clone());
        self.shared.set_sidecar(&workload.name, sidecar.handle());
        Some(sidecar)
    }

    fn egress(&self, seams: &Seams) -> Egress {
        let names = self
            .shared
            .names
            .of(seams.clone(), self.setup.workload.name.clone());
        if !self.setup.workload.meshed {
            return Egress::Direct(names);
        }
        let asked = self.shared.names_fail().then_some(names.clone());
        if self.shared.sidecars_can_be_bypassed() {
            return Egress::Either {
                sidecar: OUTBOUND,
                asked,
                direct: names,
                bypass: self.shared.bypass(&self.setup.workload.name),
            };
        }
        Egress::Sidecar(OUTBOUND, asked)
    }

    fn start_app(&self, seams: &Seams, plan: &Arc<AppPlan>, ports: &[u16], behind_sidecar: bool) {
        let ip = match behind_sidecar {
            true => Ipv4Addr::LOCALHOST.into(),
            false => self.setup.workload.ip,
        };
        let knobs = self.shared.knobs(&self.setup.workload.name);
        if plan.process.memory.is_some() {
            let killer = super::memory::killer(&self.shared, &self.setup.workload.name);
            knobs.when_out_of_memory(killer);
        }
        let pod = AppPod {
            name: self.setup.workload.name.clone(),
            service: self.setup.service.clone(),
            listen: ports
                .iter()
                .map(|port| SocketAddr::new(ip, *port))
                .collect(),
            plan: plan.clone(),
            egress: self.egress(seams),
            knobs,
            incarnation: self.setup.incarnation,
        };
        let serving = app::serve(seams.clone(), pod, self.shared.recorder.clone());
        seams.spawn(async move {
            // An app that cannot listen is seen by everybody who calls it.
            let _ended = serving.await;
        });
    }

    fn report_ready(&self, seams: &Seams) {
        let name = &self.setup.workload.name;
        self.shared.ready.borrow_mut().insert(name.clone());
        let event = PodEvent {
            pod: name,
            change: PodChange::Ready,
        };
        self.shared.recorder.pod(seams.now(), &event);
        let event = KubernetesEvent::Readiness(name.clone(), WorkloadState::Ready);
        self.shared.names.set_ready(name, true);
        super::life::ready(&self.shared, name);
        self.shared.control.tell(event);
    }

    async fn drive(&self, seams: Seams, index: usize) {
        let plan = self.shared.plan.traffic[index].clone();
        let Some(observer) = self.probe.clone() else {
            return;
        };
        let until = super::ORIGIN + self.shared.plan.duration;
        let egress = self.egress(&seams);
        let knobs = self.shared.source_knobs(&self.setup.workload.name);
        let origin = super::ORIGIN;
        traffic::drive(seams, plan, egress, origin, until, observer, knobs).await;
    }
}
