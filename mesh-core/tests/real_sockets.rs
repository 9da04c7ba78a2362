//! The mesh on real sockets, with no simulator in sight: a control plane, two
//! sidecars, an app and an HTTP client on the loopback range, in real time.

// Pods need addresses of their own; only Linux answers on all of 127.0.0.0/8.
#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "real sockets and real tasks are the point of this test"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mesh_core::control::{
    ControlAddress, ControlPlane, Locality, Registry, ResourceCache, Service, ServicePort,
    Workload, WorkloadState, control_plane_identity,
};
use mesh_core::identity::{
    CertificateAuthority, IdentityStore, KeyPair, SpiffeId, Svid, TrustBundle, csr,
};
use mesh_core::policy::{MeshPolicy, MtlsMode, Profile, Sourced};
use mesh_core::proxy::{Sidecar, SidecarConfig};
use mesh_core::seam::{Instant, Seams, real};
use mesh_core::telemetry::{Direction, Event, Observer, TlsState};
use tokio::net::{TcpListener, TcpStream};

const APP_PORT: u16 = 29_080;
const CLIENT: &str = "127.31.0.2";
const SERVER: &str = "127.31.0.3";
const SERVER_APP: &str = "127.31.1.3";
const CONTROL: &str = "127.31.0.1:29012";
const OUTBOUND: &str = "127.31.0.2:29001";

/// What the sidecars told, in short.
#[derive(Default)]
struct Seen(RefCell<Vec<(Direction, u16, TlsState, String)>>);

impl Observer for Seen {
    fn observe(&self, _at: Instant, event: &Event<'_>) {
        if let Event::Request(request) = event {
            self.0.borrow_mut().push((
                request.direction,
                request.status,
                request.downstream_tls,
                request.peer.to_owned(),
            ));
        }
    }
}

fn workload(name: &str, app: &str, ip: &str) -> Workload {
    Workload {
        name: name.into(),
        namespace: "default".into(),
        ip: ip.parse().unwrap(),
        labels: BTreeMap::from([("app".into(), app.into())]),
        service_account: app.into(),
        meshed: true,
        locality: Locality::default(),
        state: WorkloadState::Ready,
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    for workload in [
        workload("client-0", "client", CLIENT),
        workload("echo-0", "echo", SERVER),
    ] {
        registry.workloads.insert(workload.name.clone(), workload);
    }
    let host: Arc<str> = "echo.default.svc.cluster.local".into();
    let service = Service {
        name: "echo".into(),
        namespace: "default".into(),
        host: host.clone(),
        ports: vec![ServicePort {
            port: 80,
            target: APP_PORT,
            name: "http".into(),
            http2: false,
        }],
        selector: BTreeMap::from([("app".into(), "echo".into())]),
    };
    registry.services.insert(host, service);
    registry
}

/// The control plane, with its own identity, on a real port.
fn start_control_plane(seams: &Seams, policy: MeshPolicy) -> (Rc<ControlPlane>, TrustBundle) {
    let domain = policy.profile.trust_domain.clone();
    let mut rng = seams.random.stream("ca");
    let now = seams.clock.unix_time();
    let authority =
        CertificateAuthority::new(&domain, &mut rng, now, mesh_core::identity::ROOT_LIFETIME)
            .unwrap();
    let trust = TrustBundle::of(&authority);
    let id = SpiffeId::parse(&control_plane_identity(&domain)).unwrap();
    let key = KeyPair::generate(&mut rng);
    let signed = authority
        .sign(&csr(&key, &id), &id, now, Duration::from_secs(86_400))
        .unwrap();
    let identity = IdentityStore::new(seams.clock.clone());
    identity.set_trust(trust.clone());
    identity.set_svid(Svid::new(signed.chain, key).unwrap());
    let plane = ControlPlane::new(seams.clone(), policy, registry(), authority);
    let serving = plane.clone();
    seams.spawn(async move {
        serving
            .serve(CONTROL.parse().unwrap(), identity)
            .await
            .unwrap();
    });
    (plane, trust)
}

fn start_sidecar(
    seams: &Seams,
    plane: &ControlPlane,
    trust: &TrustBundle,
    profile: &Profile,
    name: &str,
    account: &str,
    ip: &str,
) -> Sidecar {
    let identity = SpiffeId::new(&profile.trust_domain, "default", account).unwrap();
    plane.accept_token(name, identity.clone());
    let meshed_app = ip == SERVER;
    let config = SidecarConfig {
        workload: name.into(),
        identity,
        pod_ip: ip.parse().unwrap(),
        outbound: match meshed_app {
            true => SocketAddr::new(SERVER_APP.parse().unwrap(), 29_001),
            false => OUTBOUND.parse().unwrap(),
        },
        app_ip: SERVER_APP.parse().unwrap(),
        ports: if meshed_app { vec![APP_PORT] } else { vec![] },
        control: ControlAddress {
            address: CONTROL.parse().unwrap(),
            identity: control_plane_identity(&profile.trust_domain),
            token: name.into(),
        },
        trust: trust.clone(),
        profile: Rc::new(profile.clone()),
    };
    Sidecar::start(seams.clone(), config, Rc::new(ResourceCache::default()))
}

/// An app that answers with what it was sent.
async fn start_app() {
    let address = SocketAddr::new(SERVER_APP.parse::<IpAddr>().unwrap(), APP_PORT);
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: Request<Incoming>| async {
                let (parts, body) = request.into_parts();
                let client = parts.headers.get("x-forwarded-client-cert").cloned();
                let body = body.collect().await.unwrap().to_bytes();
                let mut response = Response::new(Full::new(body));
                if let Some(client) = client {
                    response.headers_mut().insert("x-client", client);
                }
                Ok::<_, Infallible>(response)
            });
            tokio::task::spawn_local(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
}

async fn request(to: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, hyper::Error> {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(driver);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(
        parts,
        body.collect().await?.to_bytes(),
    ))
}

#[test]
fn a_request_crosses_two_sidecars_on_real_sockets() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let seen = Rc::new(Seen::default());
        let seams = real::seams(seen.clone());
        let mut profile = Profile::istio();
        profile.mtls = Sourced::default_of(MtlsMode::Strict, "this test");
        let policy = MeshPolicy::defaults(profile.clone());
        let (plane, trust) = start_control_plane(&seams, policy);
        start_app().await;
        let pods = [("client-0", "client", CLIENT), ("echo-0", "echo", SERVER)];
        let sidecars = pods.map(|(name, account, ip)| {
            start_sidecar(&seams, &plane, &trust, &profile, name, account, ip)
        });
        for _ in 0..1000 {
            if sidecars.iter().all(Sidecar::is_ready) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(sidecars.iter().all(Sidecar::is_ready));

        let payload = Bytes::from(vec![7u8; 300_000]);
        let call = Request::post("/x").header("host", "echo:80");
        let call = call.body(Full::new(payload.clone())).unwrap();
        let response = request(OUTBOUND, call).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(*response.body(), payload);
        let client = response.headers()["x-client"].to_str().unwrap();
        assert!(
            client.ends_with("URI=spiffe://cluster.local/ns/default/sa/client"),
            "{client}"
        );

        let unknown = Request::get("/").header("host", "nobody:80");
        let unknown = unknown.body(Full::new(Bytes::new())).unwrap();
        assert_eq!(request(OUTBOUND, unknown).await.unwrap().status(), 503);

        // Plain text gets nowhere under STRICT.
        let direct = format!("{SERVER}:{APP_PORT}");
        let plain = Request::get("/")
            .header("host", "echo")
            .body(Full::new(Bytes::new()));
        assert!(request(&direct, plain.unwrap()).await.is_err());

        let events = seen.0.borrow();
        let inbound = events.iter().find(|e| e.0 == Direction::Inbound).unwrap();
        let peer = "spiffe://cluster.local/ns/default/sa/client".to_owned();
        assert_eq!(*inbound, (Direction::Inbound, 200, TlsState::Mutual, peer));
    });
}
