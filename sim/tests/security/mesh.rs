//! A small mesh: a control plane, pods with sidecars and apps, and hosts that run nothing yet.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use mesh_core::control::{
    ControlAddress, ControlPlane, Locality, Registry, ResourceCache, Service, ServicePort,
    Workload, WorkloadState, control_plane_identity,
};
use mesh_core::dialect::istio;
use mesh_core::document::{Source, parse};
use mesh_core::identity::TrustBundle;
use mesh_core::policy::{MeshPolicy, Profile};
use mesh_core::proxy::{Sidecar, SidecarConfig};
use mesh_core::seam::Seams;
use mesh_core::telemetry::Direction;
use meshquake::fabric::{Fabric, FabricConfig, HostId, HostSpec};
use meshquake::plan::{Distribution, LinkPlan, LinkQuality};

use crate::app::App;
use crate::credentials::{DAY, EPOCH, SEED, authority, secrets, spiffe, svid, token};
use crate::story::{Story, Told};
use crate::stranger::{Answer, Over, ask};

/// Where every app listens.
pub(crate) const APP_PORT: u16 = 8080;

/// Where apps dial their sidecar.
const OUTBOUND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15_001);

/// The control plane's host and port.
pub(crate) const CONTROL: &str = "istiod";
const CONTROL_PORT: u16 = 15_012;

/// How long anything may take before a test gives up, in virtual time.
const PATIENCE: Duration = Duration::from_secs(5 * 3600);

/// The mesh-wide demand for mutual TLS.
pub(crate) const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
";

/// What a mesh is made of.
pub(crate) struct Blueprint {
    config: String,
    pods: Vec<&'static str>,
    bare: Vec<&'static str>,
    strangers: Vec<&'static str>,
    profile: Profile,
}

/// A mesh under this Istio configuration.
pub(crate) fn mesh(config: &str) -> Blueprint {
    Blueprint {
        config: config.to_owned(),
        pods: Vec::new(),
        bare: Vec::new(),
        strangers: Vec::new(),
        profile: Profile::istio(),
    }
}

impl Blueprint {
    /// Pods with a sidecar and an app, each of a service and a service account of its own name.
    pub(crate) fn pods(mut self, names: &[&'static str]) -> Self {
        self.pods.extend(names);
        self
    }

    /// Pods that the registry takes for meshed ones, with nothing running yet.
    pub(crate) fn bare(mut self, names: &[&'static str]) -> Self {
        self.bare.extend(names);
        self
    }

    /// Hosts that the registry knows nothing of.
    pub(crate) fn strangers(mut self, names: &[&'static str]) -> Self {
        self.strangers.extend(names);
        self
    }

    /// How long workload certificates live.
    pub(crate) fn svid_lifetime(mut self, lifetime: Duration) -> Self {
        self.profile.svid_lifetime = lifetime;
        self
    }

    /// Builds the mesh and waits until every sidecar is ready.
    pub(crate) fn start(self) -> Mesh {
        let registered = [&self.pods[..], &self.bare].concat();
        let mut addresses = BTreeMap::new();
        for (n, name) in (1..).zip(registered.iter().chain(&self.strangers)) {
            addresses.insert((*name).to_owned(), IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)));
        }
        addresses.insert(CONTROL.to_owned(), Ipv4Addr::new(10, 255, 0, 1).into());
        let mut fabric = fabric(&addresses);
        let story = Rc::new(Story::default());
        let control = fabric.host(CONTROL).unwrap();
        let seams = fabric.seams(control, story.clone());
        let policy = compile(&self.config, &self.profile);
        let registry = registry(&registered, &addresses);
        let plane = ControlPlane::new(seams.clone(), policy, registry, authority());
        for name in &registered {
            plane.accept_token(&token(name), spiffe(name));
        }
        let serving = plane.clone();
        let identity = secrets(
            &seams,
            Some(svid(&authority(), CONTROL, Duration::ZERO, DAY * 80)),
        );
        let address = SocketAddr::new(addresses[CONTROL], CONTROL_PORT);
        fabric.start(control, move || {
            Box::pin(async move { serving.serve(address, identity).await.unwrap() })
        });
        let mut mesh = Mesh {
            fabric,
            plane,
            profile: Rc::new(self.profile),
            addresses,
            stories: BTreeMap::from([(CONTROL.to_owned(), story)]),
            apps: BTreeMap::new(),
            sidecars: BTreeMap::new(),
        };
        for pod in self.pods {
            mesh.start_app(pod, Ipv4Addr::LOCALHOST.into());
            let config = mesh.sidecar_config(pod, pod);
            mesh.start_sidecar(pod, config);
        }
        mesh.wait("every sidecar to be ready", |mesh| {
            mesh.sidecars.keys().all(|pod| mesh.is_ready(pod))
        });
        mesh
    }
}

/// A running mesh.
pub(crate) struct Mesh {
    pub(crate) fabric: Fabric,
    pub(crate) plane: Rc<ControlPlane>,
    profile: Rc<Profile>,
    addresses: BTreeMap<String, IpAddr>,
    stories: BTreeMap<String, Rc<Story>>,
    apps: BTreeMap<String, Rc<App>>,
    sidecars: BTreeMap<String, Rc<RefCell<Option<Sidecar>>>>,
}

impl Mesh {
    pub(crate) fn host(&self, name: &str) -> HostId {
        self.fabric.host(name).unwrap()
    }

    pub(crate) fn address(&self, host: &str, port: u16) -> SocketAddr {
        SocketAddr::new(self.addresses[host], port)
    }

    /// Where strangers knock at a pod: its own address, its app's port.
    pub(crate) fn door(&self, pod: &str) -> SocketAddr {
        self.address(pod, APP_PORT)
    }

    /// Where the control plane listens.
    pub(crate) fn control(&self) -> SocketAddr {
        self.address(CONTROL, CONTROL_PORT)
    }

    /// What a host's sidecar, or the control plane, has told.
    pub(crate) fn story(&self, host: &str) -> &Story {
        &self.stories[host]
    }

    /// A pod's app.
    pub(crate) fn app(&self, pod: &str) -> &App {
        &self.apps[pod]
    }

    /// Whether a host's sidecar has a certificate and a configuration.
    pub(crate) fn is_ready(&self, host: &str) -> bool {
        self.sidecars[host]
            .borrow()
            .as_ref()
            .is_some_and(Sidecar::is_ready)
    }

    /// The seams of a host, told to its story.
    pub(crate) fn seams(&mut self, host: &str) -> Seams {
        let story = self.stories.entry(host.to_owned()).or_default().clone();
        self.fabric.seams(self.fabric.host(host).unwrap(), story)
    }

    /// What the sidecar of `pod` is told when it runs on `host`.
    pub(crate) fn sidecar_config(&self, host: &str, pod: &str) -> SidecarConfig {
        SidecarConfig {
            workload: workload(pod).into(),
            identity: spiffe(pod),
            pod_ip: self.addresses[host],
            outbound: OUTBOUND,
            app_ip: Ipv4Addr::LOCALHOST.into(),
            ports: vec![APP_PORT],
            control: ControlAddress {
                address: self.control(),
                identity: control_plane_identity(&self.profile.trust_domain),
                token: token(pod).into(),
            },
            trust: TrustBundle::of(&authority()),
            profile: self.profile.clone(),
        }
    }

    /// Starts a sidecar on `host`.
    pub(crate) fn start_sidecar(&mut self, host: &str, config: SidecarConfig) {
        let seams = self.seams(host);
        let slot = Rc::<RefCell<Option<Sidecar>>>::default();
        self.sidecars.insert(host.to_owned(), slot.clone());
        let id = self.host(host);
        self.fabric.start(id, move || {
            let sidecar = Sidecar::start(seams, config, Rc::new(ResourceCache::default()));
            *slot.borrow_mut() = Some(sidecar);
            Box::pin(std::future::ready(()))
        });
    }

    /// Starts an app on `host`: on loopback behind a sidecar, on the pod's address without.
    pub(crate) fn start_app(&mut self, host: &str, ip: IpAddr) {
        let app = Rc::new(App::default());
        self.apps.insert(host.to_owned(), app.clone());
        let seams = self.seams(host);
        let id = self.host(host);
        self.fabric.start(id, move || {
            Box::pin(app.serve(seams, SocketAddr::new(ip, APP_PORT)))
        });
    }

    /// Runs `work` on `host` to its end.
    pub(crate) fn run<T, F>(&mut self, host: &str, work: impl FnOnce(Seams) -> F + 'static) -> T
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let slot = Rc::new(RefCell::new(None));
        let (done, seams) = (slot.clone(), self.seams(host));
        let id = self.host(host);
        self.fabric.start(id, move || {
            Box::pin(async move {
                let result = work(seams).await;
                *done.borrow_mut() = Some(result);
            })
        });
        self.wait("a task to end", |_| slot.borrow().is_some());
        slot.take().unwrap()
    }

    /// Starts `work` on `host` and lets it be.
    pub(crate) fn spawn<F>(&mut self, host: &str, work: impl FnOnce(Seams) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let seams = self.seams(host);
        let id = self.host(host);
        self.fabric.start(id, move || Box::pin(work(seams)));
    }

    /// The app of `pod` calls through its sidecar; the answer, and what the sidecar told of it.
    pub(crate) fn call(&mut self, pod: &str, request: Request<Full<Bytes>>) -> (Answer, Told) {
        let answer = self.run(pod, move |seams| ask(seams, OUTBOUND, Over::Plain, request));
        self.pass(Duration::from_millis(10));
        (answer, self.story(pod).last(Direction::Outbound))
    }

    /// Lets virtual time pass.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.fabric.now() + span;
        self.fabric.run_until(until).unwrap();
    }

    /// Lets virtual time pass until `condition` holds.
    pub(crate) fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let limit = self.fabric.now() + PATIENCE;
        while !condition(self) {
            assert!(self.fabric.now() < limit, "waited in vain for {what}");
            self.pass(Duration::from_millis(10));
        }
    }

    /// Puts another Istio configuration in force and waits until every sidecar has it.
    pub(crate) fn configure(&mut self, config: &str) {
        self.plane.update_policy(compile(config, &self.profile));
        self.pass(Duration::from_secs(1));
    }
}

/// The workload of a pod.
pub(crate) fn workload(pod: &str) -> String {
    format!("{pod}-0")
}

fn compile(config: &str, profile: &Profile) -> MeshPolicy {
    let documents = parse(&Source::new("mesh.yaml", config)).unwrap();
    istio::compile(&documents, profile).unwrap()
}

fn fabric(addresses: &BTreeMap<String, IpAddr>) -> Fabric {
    let hosts = addresses.iter().map(|(name, ip)| HostSpec {
        name: name.as_str().into(),
        ip: *ip,
        region: "r".into(),
        zone: "z".into(),
    });
    let link = LinkQuality {
        latency: Distribution::Constant(Duration::from_micros(500)),
        loss: 0.0,
        bandwidth_bps: None,
        queue_bytes_max: None,
    };
    let links = LinkPlan {
        same_zone: link.clone(),
        cross_zone: link.clone(),
        cross_region: link,
    };
    Fabric::new(FabricConfig::new(SEED, EPOCH, hosts.collect(), links)).unwrap()
}

fn registry(pods: &[&str], addresses: &BTreeMap<String, IpAddr>) -> Registry {
    let mut registry = Registry::default();
    for pod in pods {
        let labels = BTreeMap::from([("app".to_owned(), (*pod).to_owned())]);
        let workload = Workload {
            name: workload(pod).into(),
            namespace: "default".into(),
            ip: addresses[*pod],
            labels: labels.clone(),
            service_account: (*pod).into(),
            meshed: true,
            locality: Locality::default(),
            state: WorkloadState::Ready,
        };
        let host: Arc<str> = format!("{pod}.default.svc.cluster.local").into();
        let service = Service {
            name: (*pod).into(),
            namespace: "default".into(),
            host: host.clone(),
            ports: vec![ServicePort {
                port: 80,
                target: APP_PORT,
                name: "http".into(),
                http2: false,
            }],
            selector: labels,
        };
        registry.workloads.insert(workload.name.clone(), workload);
        registry.services.insert(host, service);
    }
    registry
}
