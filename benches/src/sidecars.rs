//! The meshed path on bare worlds: the [bare load](crate::bare)'s apps behind real sidecars.
//!
//! A control plane with its CA in a pod of its own; every other pod with a
//! sidecar that gets its certificate and its configuration from there; mutual
//! TLS everywhere. No recorder and no scenario: the same code runs
//! [on the fabric](crate::on_fabric) and [on plain turmoil](crate::on_turmoil).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::{
    ControlAddress, ControlPlane, Locality, Registry, ResourceCache, Service, ServicePort,
    Workload, WorkloadState, control_plane_identity,
};
use mesh_core::identity::{
    CertificateAuthority, IdentityStore, KeyPair, ROOT_LIFETIME, SpiffeId, Svid, TrustBundle, csr,
};
use mesh_core::policy::{MeshPolicy, MtlsMode, Profile, Sourced};
use mesh_core::proxy::{Sidecar, SidecarConfig};
use mesh_core::seam::{Rng, Seams};

use crate::bare::Bare;
use crate::load::{APP, Calls, OUTBOUND, Tally, echo_app, local};
use crate::on_fabric::EPOCH;
use crate::pod::Pod;

/// Clients begin when sidecars have their certificates and their configuration.
const START: Duration = Duration::from_secs(2);

const CONTROL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1)), 15_012);

const WELL_FORMED: &str = "the parameters are constants";

/// How long a world must last for its pods to come up, send everything and hear of it.
pub fn length(load: &Bare) -> Duration {
    START + load.duration + Duration::from_secs(1)
}

/// The load's pods and their control plane, for any world; what comes of their requests goes into `tally`.
pub fn pods(load: &Bare, tally: &Rc<Tally>) -> Vec<Pod> {
    let pairs = load.pods / 2;
    let mesh = Rc::new(Mesh::new(pairs));
    let control = mesh.clone();
    let IpAddr::V4(address) = CONTROL.ip() else {
        return Vec::new();
    };
    let mut pods = vec![Pod::new(address, move |seams| control_pod(seams, control))];
    for pair in 0..pairs {
        let own = mesh.clone();
        let workload = server(pair);
        pods.push(Pod::new(ip(SERVERS, pair), move |seams| async move {
            own.start_sidecar(&seams, workload, vec![APP]);
            echo_app(seams).await;
        }));
    }
    for pair in 0..pairs {
        let (own, tally) = (mesh.clone(), tally.clone());
        let workload = client(pair);
        let calls = Calls {
            load: load.clone(),
            start: START,
            pair,
            authority: format!("server-{pair}:80"),
        };
        pods.push(Pod::new(ip(CLIENTS, pair), move |seams| async move {
            own.start_sidecar(&seams, workload, Vec::new());
            calls.make(seams, local(OUTBOUND), tally).await;
        }));
    }
    pods
}

/// What the pods of one world share.
struct Mesh {
    policy: MeshPolicy,
    profile: Rc<Profile>,
    registry: Registry,
    trust: TrustBundle,
    cache: Rc<ResourceCache>,
    /// Until the control plane takes it.
    authority: RefCell<Option<CertificateAuthority>>,
}

impl Mesh {
    fn new(pairs: u32) -> Self {
        let mut policy = MeshPolicy::defaults(Profile::istio());
        policy.profile.mtls = Sourced::default_of(MtlsMode::Strict, "as most meshes are run");
        let mut registry = Registry::default();
        for pair in 0..pairs {
            for workload in [server(pair), client(pair)] {
                registry.workloads.insert(workload.name.clone(), workload);
            }
            let service = service(pair);
            registry.services.insert(service.host.clone(), service);
        }
        let domain = &policy.profile.trust_domain;
        let mut rng = Rng::named(1, "control/ca");
        let authority =
            CertificateAuthority::new(domain, &mut rng, EPOCH, ROOT_LIFETIME).expect(WELL_FORMED);
        Self {
            profile: Rc::new(policy.profile.clone()),
            registry,
            trust: TrustBundle::of(&authority),
            cache: Rc::default(),
            authority: RefCell::new(Some(authority)),
            policy,
        }
    }

    fn start_sidecar(&self, seams: &Seams, workload: Workload, ports: Vec<u16>) {
        let domain = &self.profile.trust_domain;
        let config = SidecarConfig {
            identity: identity(domain, &workload),
            pod_ip: workload.ip,
            outbound: local(OUTBOUND),
            app_ip: Ipv4Addr::LOCALHOST.into(),
            ports,
            control: ControlAddress {
                address: CONTROL,
                identity: control_plane_identity(domain),
                token: workload.name.clone(),
            },
            workload: workload.name,
            trust: self.trust.clone(),
            profile: self.profile.clone(),
        };
        Sidecar::start(seams.clone(), config, self.cache.clone());
    }
}

fn identity(domain: &str, workload: &Workload) -> SpiffeId {
    SpiffeId::new(domain, &workload.namespace, &workload.service_account).expect(WELL_FORMED)
}

async fn control_pod(seams: Seams, mesh: Rc<Mesh>) {
    let Some(authority) = mesh.authority.take() else {
        return;
    };
    let domain = &mesh.profile.trust_domain;
    let id = SpiffeId::parse(&control_plane_identity(domain)).expect(WELL_FORMED);
    let key = KeyPair::generate(&mut Rng::named(1, "control/key"));
    let signed = authority
        .sign(&csr(&key, &id), &id, EPOCH, mesh.profile.svid_lifetime)
        .expect(WELL_FORMED);
    let own = IdentityStore::new(seams.clock.clone());
    own.set_trust(mesh.trust.clone());
    own.set_svid(Svid::new(signed.chain, key).expect(WELL_FORMED));
    let registry = mesh.registry.clone();
    let plane = ControlPlane::new(seams, mesh.policy.clone(), registry, authority);
    for workload in mesh.registry.workloads.values() {
        plane.accept_token(&workload.name, identity(domain, workload));
    }
    plane.serve(CONTROL, own).await.expect("the port is free");
}

const SERVERS: u8 = 1;
const CLIENTS: u8 = 2;

fn ip(network: u8, pair: u32) -> Ipv4Addr {
    let [.., high, low] = (pair + 1).to_be_bytes();
    Ipv4Addr::new(10, network, high, low)
}

fn server(pair: u32) -> Workload {
    workload(format!("server-{pair}"), ip(SERVERS, pair))
}

fn client(pair: u32) -> Workload {
    workload(format!("client-{pair}"), ip(CLIENTS, pair))
}

fn workload(name: String, ip: Ipv4Addr) -> Workload {
    Workload {
        namespace: "default".into(),
        ip: ip.into(),
        labels: BTreeMap::from([("app".to_owned(), name.clone())]),
        service_account: name.as_str().into(),
        name: name.into(),
        meshed: true,
        locality: Locality::default(),
        state: WorkloadState::Ready,
    }
}

fn service(pair: u32) -> Service {
    let name: Arc<str> = format!("server-{pair}").into();
    Service {
        namespace: "default".into(),
        host: format!("{name}.default.svc.cluster.local").into(),
        ports: vec![ServicePort {
            port: 80,
            target: APP,
            name: "http".into(),
            http2: false,
        }],
        selector: BTreeMap::from([("app".to_owned(), name.to_string())]),
        name,
    }
}
