//! The control plane's life, and what stands behind it.
//!
//! A control plane keeps nothing of its own: what exists and what it was told
//! are in Kubernetes, its CA's key is in a secret. So it can die and start
//! again, and knows then what has happened meanwhile. Everything that can go
//! wrong between it and what is behind it (the CA, the watch of pods, the
//! configuration, the pushes) is a [`Trouble`]; troubles outlive its processes.

mod policy;
mod pushing;
mod signing;
mod trouble;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::{Caller, ControlPlane, Registry, WorkloadState, control_plane_identity};
use mesh_core::identity::{
    CertificateAuthority, IdentityStore, KeyPair, ROOT_LIFETIME, SpiffeId, Svid, TrustBundle, csr,
};
use mesh_core::policy::MeshPolicy;
use mesh_core::seam::{Rng, Seams};
use tokio::sync::mpsc;

use super::RunError;
use crate::fabric::{Fabric, HostId};
use crate::plan::Plan;
use crate::record::Recorder;
use trouble::Troubles;

pub(crate) use trouble::{Trouble, TroubleId};

/// Where the control plane lives.
pub(super) const CONTROL_IP: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 1);
/// Istio's secure discovery port.
const CONTROL_PORT: u16 = 15_012;
/// The control plane's host.
pub(crate) const CONTROL_HOST: &str = "istiod";
/// How long a control plane's own certificate lasts: longer than any run.
const CONTROL_SVID_LIFETIME: Duration = Duration::from_secs(80 * 86_400);

/// A change in what Kubernetes knows.
#[derive(Clone, Debug)]
pub(crate) enum KubernetesEvent {
    /// A pod became ready, or ceased to be.
    Readiness(Arc<str>, WorkloadState),
}

impl KubernetesEvent {
    fn pod(&self) -> &Arc<str> {
        let Self::Readiness(pod, _) = self;
        pod
    }

    fn apply(&self, registry: &mut Registry) {
        let Self::Readiness(pod, state) = self;
        if let Some(workload) = registry.workloads.get_mut(pod) {
            workload.state = *state;
        }
    }
}

/// The control plane and what stands behind it.
pub(crate) struct Control {
    host: HostId,
    address: SocketAddr,
    /// What exists, as Kubernetes knows it.
    registry: RefCell<Registry>,
    /// What the mesh was told at the beginning.
    policy: MeshPolicy,
    authority: RefCell<Rc<CertificateAuthority>>,
    /// The roots that pods are given when they start.
    trust: RefCell<TrustBundle>,
    /// The control plane's own secrets, and where its keys come from.
    identity: IdentityStore,
    keys: RefCell<Rng>,
    running: RefCell<Option<Running>>,
    /// How many faults keep it down.
    outages: Cell<u32>,
    version: Cell<u64>,
    troubles: RefCell<Troubles>,
}

/// A control plane that runs.
struct Running {
    plane: Rc<ControlPlane>,
    events: mpsc::UnboundedSender<KubernetesEvent>,
}

impl Control {
    /// A control plane that does not run yet.
    pub(super) fn new(plan: &Plan, fabric: &Fabric, now: Duration) -> Result<Rc<Self>, RunError> {
        let setup = |why: String| RunError::Setup(why);
        let host = fabric.host(CONTROL_HOST);
        let host = host.ok_or_else(|| setup("no host for the control plane".to_owned()))?;
        let domain = &plan.mesh.profile.trust_domain;
        let mut rng = Rng::named(plan.seed, "control/ca");
        let authority = CertificateAuthority::new(domain, &mut rng, now, ROOT_LIFETIME)
            .map_err(|e| setup(e.to_string()))?;
        let seams = fabric.seams(host, Rc::new(mesh_core::telemetry::NullObserver));
        let this = Self {
            host,
            address: SocketAddr::new(CONTROL_IP.into(), CONTROL_PORT),
            registry: RefCell::new(registry(plan)),
            policy: plan.mesh.clone(),
            trust: RefCell::new(TrustBundle::of(&authority)),
            authority: RefCell::new(Rc::new(authority)),
            identity: IdentityStore::with_key_log(seams.clock, seams.key_log),
            keys: RefCell::new(rng),
            running: RefCell::default(),
            outages: Cell::new(0),
            version: Cell::new(0),
            troubles: RefCell::default(),
        };
        this.certify(now).map_err(setup)?;
        Ok(Rc::new(this))
    }

    /// Gives the control plane a certificate of the CA in use.
    fn certify(&self, now: Duration) -> Result<(), String> {
        let domain = self.policy.profile.trust_domain.as_str();
        let id = SpiffeId::parse(&control_plane_identity(domain)).map_err(|e| e.to_string())?;
        let key = KeyPair::generate(&mut self.keys.borrow_mut());
        let authority = self.authority();
        let signed = authority.sign(&csr(&key, &id), &id, now, CONTROL_SVID_LIFETIME);
        let signed = signed.map_err(|e| e.to_string())?;
        self.identity.set_trust(self.trust());
        let svid = Svid::new(signed.chain, key).map_err(|e| e.to_string())?;
        self.identity.set_svid(svid);
        Ok(())
    }

    /// Its host.
    pub(crate) fn host(&self) -> HostId {
        self.host
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CA in use.
    pub(crate) fn authority(&self) -> Rc<CertificateAuthority> {
        self.authority.borrow().clone()
    }

    /// The roots that pods are given when they start.
    pub(crate) fn trust(&self) -> TrustBundle {
        self.trust.borrow().clone()
    }

    /// Gives pods that start from now on other roots.
    pub(crate) fn set_trust(&self, trust: TrustBundle) {
        *self.trust.borrow_mut() = trust;
    }

    /// Has another CA sign from `now` on, the control plane's own certificate first.
    pub(crate) fn set_authority(&self, authority: Rc<CertificateAuthority>, now: Duration) {
        *self.authority.borrow_mut() = authority;
        // A CA that cannot sign for its own control plane signs for nobody: that will be seen.
        let _signed = self.certify(now);
    }

    /// What exists before anything goes wrong with how it is seen.
    pub(super) fn registry(&self) -> Registry {
        self.registry.borrow().clone()
    }

    /// Sidecars that are connected.
    pub(crate) fn subscribed(&self) -> usize {
        let running = self.running.borrow();
        running
            .as_ref()
            .map_or(0, |running| running.plane.subscribed())
    }

    /// Starts it, unless it runs.
    pub(super) fn start(self: &Rc<Self>, fabric: &mut Fabric, recorder: &Rc<Recorder>) {
        if self.running.borrow().is_some() {
            return;
        }
        let seams = fabric.seams(self.host, recorder.observer(CONTROL_HOST, CONTROL_HOST));
        let (policy, revisions) = self.policies();
        let plane = self.plane(seams, policy);
        let (events, heard) = mpsc::unbounded_channel();
        let (serving, address, identity) = (plane.clone(), self.address, self.identity.clone());
        fabric.start(self.host, move || {
            Box::pin(async move {
                // It serves until its host dies.
                let _ended = serving.serve(address, identity).await;
            })
        });
        let watching = plane.clone();
        fabric.start(self.host, move || Box::pin(watch(watching, heard)));
        if !revisions.is_empty() {
            plane.set_revisions(revisions);
        }
        *self.running.borrow_mut() = Some(Running { plane, events });
    }

    /// A control plane with everything that Kubernetes knows.
    fn plane(self: &Rc<Self>, seams: Seams, policy: MeshPolicy) -> Rc<ControlPlane> {
        let registry = self.seen_registry();
        let domain = &self.policy.profile.trust_domain;
        let known = registry.workloads.values();
        let callers: Vec<(String, Caller)> = known
            .filter_map(|workload| {
                let account = &workload.service_account;
                let identity = SpiffeId::new(domain, &workload.namespace, account).ok()?;
                let pod = workload.name.clone();
                Some((token(&workload.name), Caller { identity, pod }))
            })
            .collect();
        let signer = signing::MeshSigner(Rc::downgrade(self));
        let plane = ControlPlane::new(seams, policy, registry, signer);
        for (token, caller) in callers {
            plane.accept_caller(&token, caller);
        }
        plane.continue_from(self.version.get() + 1);
        plane.set_push_gate(Rc::new(pushing::MeshGate(Rc::downgrade(self))));
        plane
    }

    /// Its host has died.
    pub(crate) fn died(&self) {
        self.outages.set(self.outages.get() + 1);
        if let Some(running) = self.running.take() {
            self.version.set(running.plane.version());
        }
    }

    /// One outage is over: it starts again if it was the last.
    pub(crate) fn recovered(self: &Rc<Self>, fabric: &mut Fabric, recorder: &Rc<Recorder>) {
        self.outages.set(self.outages.get().saturating_sub(1));
        if self.outages.get() == 0 {
            self.start(fabric, recorder);
        }
    }

    /// Kubernetes knows something new, and tells it.
    pub(crate) fn tell(&self, event: KubernetesEvent) {
        event.apply(&mut self.registry.borrow_mut());
        if let Some(event) = self.troubles.borrow_mut().overhear(event) {
            self.hear(event);
        }
    }

    fn hear(&self, event: KubernetesEvent) {
        if let Some(running) = &*self.running.borrow() {
            // It listens as long as its host lives.
            let _heard = running.events.send(event);
        }
    }

    /// What exists, as the control plane sees it: without the endpoints that troubles hide.
    fn seen_registry(&self) -> Registry {
        let mut registry = self.registry();
        self.troubles.borrow().hide(&mut registry);
        registry
    }

    /// Puts a trouble in force.
    pub(crate) fn begin(&self, trouble: Trouble) -> TroubleId {
        let reached = match &trouble {
            Trouble::Hidden(host) => self.endpoints(host),
            _ => BTreeSet::new(),
        };
        let is_change = matches!(trouble, Trouble::Change(..));
        let hides = matches!(trouble, Trouble::Hidden(_));
        let before = is_change.then(|| self.keys_of_policies());
        let id = self.troubles.borrow_mut().add(trouble, reached);
        if let Some(before) = before {
            self.change_policies(id, &before);
        }
        if hides {
            self.see_anew();
        }
        id
    }

    /// Takes a trouble out of force.
    pub(crate) fn end(&self, id: TroubleId) {
        let (trouble, backlog) = self.troubles.borrow_mut().end(id);
        backlog.into_iter().for_each(|event| self.hear(event));
        match trouble {
            Some(Trouble::Pushes(..)) => {
                if let Some(running) = &*self.running.borrow() {
                    running.plane.catch_up();
                }
            }
            Some(Trouble::Hidden(_)) => self.see_anew(),
            Some(Trouble::Change(..)) => self.publish(),
            Some(Trouble::Signing(..) | Trouble::Deaf(_)) | None => {}
        }
    }

    /// What a trouble has touched so far.
    pub(crate) fn touched(&self, id: TroubleId) -> crate::fault::Touched {
        self.troubles.borrow().touched(id)
    }

    /// The control plane looks at all services again.
    fn see_anew(&self) {
        let seen = self.seen_registry();
        if let Some(running) = &*self.running.borrow() {
            let services = seen.services;
            running
                .plane
                .update_registry(|registry| registry.services = services);
        }
    }

    /// Pods that take traffic for the service of this host.
    fn endpoints(&self, host: &str) -> BTreeSet<Arc<str>> {
        let registry = self.registry.borrow();
        let Some(service) = registry.services.get(host) else {
            return BTreeSet::new();
        };
        let selected = registry.selected(service);
        let ready = selected.filter(|pod| pod.state == WorkloadState::Ready);
        ready.map(|pod| pod.name.clone()).collect()
    }
}

/// What exists before anything is ready.
fn registry(plan: &Plan) -> Registry {
    let mut registry = plan.registry();
    for workload in registry.workloads.values_mut() {
        workload.state = WorkloadState::NotReady;
    }
    registry
}

/// A pod's service account token: proof of identity towards the control plane.
pub(super) fn token(workload: &str) -> String {
    format!("token-of-{workload}")
}

/// The address of the control plane's host.
pub(super) const fn address() -> IpAddr {
    IpAddr::V4(CONTROL_IP)
}

/// Passes on what Kubernetes tells the control plane.
async fn watch(plane: Rc<ControlPlane>, mut events: mpsc::UnboundedReceiver<KubernetesEvent>) {
    while let Some(event) = events.recv().await {
        plane.update_registry(|registry| event.apply(registry));
    }
}
