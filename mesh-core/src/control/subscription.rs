//! A sidecar's side of the control plane: its certificate and its resources.
//!
//! The subscription keeps what it was last given: when the control plane is
//! gone the last good snapshot stays in force, and reconnection is tried with
//! jittered exponential back-off (Envoy's xDS default: from 500 ms to 30 s).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;

use super::push::PushBody;
use super::wire::{self, Delta, Frames, Removed, Resource, ToControl};
use super::{Cluster, ClusterName, InboundListener, LoadAssignment, OutboundListener, RouteTable};
use crate::identity::IdentityStore;
use crate::seam::{Executor, HyperTimer, Rng, Seams, sleep};
use crate::telemetry::{ConfigEvent, Event};

/// How to reach and be known to the control plane.
#[derive(Clone, Debug)]
pub struct ControlAddress {
    /// Where it listens.
    pub address: SocketAddr,
    /// The SPIFFE id it must present.
    pub identity: Arc<str>,
    /// Proof of who the caller is.
    pub token: Arc<str>,
}

/// Resources as one sidecar holds them.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Version last applied.
    pub version: u64,
    /// The outbound listener.
    pub outbound: Option<OutboundListener>,
    /// Inbound listeners.
    pub inbound: Vec<InboundListener>,
    /// Route tables by port.
    pub routes: BTreeMap<u16, Arc<RouteTable>>,
    /// Clusters.
    pub clusters: BTreeMap<ClusterName, Arc<Cluster>>,
    /// Endpoints.
    pub endpoints: BTreeMap<ClusterName, Arc<LoadAssignment>>,
}

/// Decoded resources shared by the sidecars of one process: equal bytes are
/// decoded once and held once. A production process has one sidecar; a
/// simulated mesh has hundreds.
#[derive(Default)]
pub struct ResourceCache(RefCell<BTreeMap<[u8; 32], Cached>>);

enum Cached {
    Routes(Weak<RouteTable>),
    Cluster(Weak<Cluster>),
    Endpoints(Weak<LoadAssignment>),
}

impl ResourceCache {
    fn decode(&self, bytes: &[u8]) -> Result<Resource, String> {
        let key = *blake3::hash(bytes).as_bytes();
        if let Some(known) = self.0.borrow().get(&key).and_then(Cached::upgrade) {
            return Ok(known);
        }
        let resource: Resource = postcard::from_bytes(bytes).map_err(|e| e.to_string())?;
        let entry = match &resource {
            Resource::Routes(item) => Cached::Routes(Arc::downgrade(item)),
            Resource::Cluster(item) => Cached::Cluster(Arc::downgrade(item)),
            Resource::Endpoints(item) => Cached::Endpoints(Arc::downgrade(item)),
            Resource::Outbound(_) | Resource::Inbound(_) => return Ok(resource),
        };
        let mut entries = self.0.borrow_mut();
        entries.retain(|_, cached| cached.is_live());
        entries.insert(key, entry);
        Ok(resource)
    }
}

impl Cached {
    fn upgrade(&self) -> Option<Resource> {
        Some(match self {
            Self::Routes(item) => Resource::Routes(item.upgrade()?),
            Self::Cluster(item) => Resource::Cluster(item.upgrade()?),
            Self::Endpoints(item) => Resource::Endpoints(item.upgrade()?),
        })
    }

    fn is_live(&self) -> bool {
        match self {
            Self::Routes(item) => item.strong_count() > 0,
            Self::Cluster(item) => item.strong_count() > 0,
            Self::Endpoints(item) => item.strong_count() > 0,
        }
    }
}

impl Resources {
    fn apply(&mut self, delta: Delta, cache: &ResourceCache) -> Result<(), String> {
        for blob in &delta.changed {
            match cache.decode(&blob.0)? {
                Resource::Outbound(listener) => self.outbound = Some(listener),
                Resource::Inbound(listeners) => self.inbound = listeners,
                Resource::Routes(table) => {
                    self.routes.insert(table.port, table);
                }
                Resource::Cluster(cluster) => {
                    self.clusters.insert(cluster.name.clone(), cluster);
                }
                Resource::Endpoints(endpoints) => {
                    self.endpoints.insert(endpoints.cluster.clone(), endpoints);
                }
            }
        }
        for removed in &delta.removed {
            match removed {
                Removed::Routes(port) => drop(self.routes.remove(port)),
                Removed::Cluster(name) => drop(self.clusters.remove(name)),
                Removed::Endpoints(name) => drop(self.endpoints.remove(name)),
            }
        }
        self.version = delta.version;
        Ok(())
    }
}

type Sender = SendRequest<PushBody>;

/// One sidecar's connection to the control plane.
pub struct Subscription {
    seams: Seams,
    address: ControlAddress,
    trust: Trust,
    connection: RefCell<Option<Sender>>,
    rng: RefCell<Rng>,
}

/// Which servers are trusted.
enum Trust {
    /// Those, for ever.
    Fixed(Arc<rustls::ClientConfig>),
    /// Those that the roots in this store vouch for at the time.
    Store(IdentityStore),
}

impl Subscription {
    /// A subscription that trusts servers as `trust` says.
    pub fn new(
        seams: Seams,
        address: ControlAddress,
        trust: Arc<rustls::ClientConfig>,
    ) -> Rc<Self> {
        Self::trusting(seams, address, Trust::Fixed(trust))
    }

    /// A subscription that trusts what the roots in `identity` vouch for, whatever they are by then.
    pub fn of(seams: Seams, address: ControlAddress, identity: IdentityStore) -> Rc<Self> {
        Self::trusting(seams, address, Trust::Store(identity))
    }

    fn trusting(seams: Seams, address: ControlAddress, trust: Trust) -> Rc<Self> {
        let rng = RefCell::new(seams.random.stream("control/backoff"));
        Rc::new(Self {
            seams,
            address,
            trust,
            connection: RefCell::new(None),
            rng,
        })
    }

    /// Has `csr` signed; the certificate chain, leaf first, DER.
    ///
    /// # Errors
    /// When the control plane cannot be reached or refuses.
    pub async fn sign(&self, csr: Vec<u8>) -> Result<Vec<Vec<u8>>, String> {
        let mut sender = self.connect().await?;
        let request = self.request(wire::SIGN_PATH, PushBody::Whole(csr.into()))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| e.to_string())?;
        let status = response.status();
        let body = response.into_body().collect().await;
        let bytes = body.map_err(|e| e.to_string())?.to_bytes();
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&bytes)));
        }
        let mut frames = Frames::default();
        frames.push(&bytes);
        frames
            .next()?
            .ok_or_else(|| "the answer was cut short".to_owned())
    }

    /// Follows the resources of `workload` for ever; `apply` is called after each change.
    pub async fn follow(
        self: Rc<Self>,
        workload: &str,
        ports: &[u16],
        cache: &ResourceCache,
        mut apply: impl FnMut(&Resources) -> Result<(), String>,
    ) {
        let mut resources = Resources::default();
        let mut failures = 0u32;
        loop {
            let version = resources.version;
            let ended = self
                .stream(workload, ports, cache, &mut resources, &mut apply)
                .await;
            let why = ended.err().unwrap_or_default();
            self.observe("disconnect", resources.version, workload, &why);
            failures = if resources.version == version {
                failures + 1
            } else {
                1
            };
            let wait = self.reconnect_after(failures);
            sleep(&*self.seams.clock, wait).await;
        }
    }

    /// Envoy's jittered exponential back-off: 500 ms doubling to 30 s.
    fn reconnect_after(&self, failures: u32) -> Duration {
        let cap = 500u64.saturating_mul(1 << failures.min(6)).min(30_000);
        Duration::from_millis(1 + self.rng.borrow_mut().below(cap))
    }

    async fn stream(
        &self,
        workload: &str,
        ports: &[u16],
        cache: &ResourceCache,
        resources: &mut Resources,
        apply: &mut impl FnMut(&Resources) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut sender = self.connect().await?;
        let (out, stream) = mpsc::unbounded_channel();
        let subscribe = ToControl::Subscribe {
            workload: workload.to_owned(),
            ports: ports.to_vec(),
        };
        send(&out, &subscribe)?;
        let request = self.request(wire::STREAM_PATH, PushBody::Stream(stream))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| e.to_string())?;
        if !response.status().is_success() {
            return Err(response.status().to_string());
        }
        // The control plane starts afresh on each stream: what it no longer names is gone.
        let mut fresh = Some(Resources::default());
        let mut body = response.into_body();
        let mut frames = Frames::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| e.to_string())?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            frames.push(data);
            while let Some(delta) = frames.next::<Delta>()? {
                let version = delta.version;
                let mut next = fresh.as_ref().unwrap_or(resources).clone();
                match next.apply(delta, cache).and_then(|()| apply(&next)) {
                    Ok(()) => {
                        *resources = next;
                        fresh = None;
                        self.observe("apply", version, workload, "");
                        send(&out, &ToControl::Ack(version))?;
                    }
                    Err(why) => send(&out, &ToControl::Nack(version, why))?,
                }
            }
        }
        Ok(())
    }

    fn request(&self, path: &str, body: PushBody) -> Result<Request<PushBody>, String> {
        Request::builder()
            .method(Method::POST)
            .uri(format!("https://{}{path}", self.address.address))
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.address.token),
            )
            .body(body)
            .map_err(|e| e.to_string())
    }

    async fn connect(&self) -> Result<Sender, String> {
        if let Some(sender) = &*self.connection.borrow()
            && !sender.is_closed()
        {
            return Ok(sender.clone());
        }
        const TIMEOUT: Duration = Duration::from_secs(10);
        let deadline = self.seams.now() + TIMEOUT;
        let sender = crate::seam::timeout_at(&*self.seams.clock, deadline, self.open())
            .await
            .ok_or("connection timeout")??;
        *self.connection.borrow_mut() = Some(sender.clone());
        Ok(sender)
    }

    fn trust(&self) -> Result<Arc<rustls::ClientConfig>, String> {
        match &self.trust {
            Trust::Fixed(config) => Ok(config.clone()),
            Trust::Store(identity) => {
                let names = std::slice::from_ref(&self.address.identity);
                let config = identity.simple_client_config(names, false);
                config.map_err(|e| e.to_string())
            }
        }
    }

    async fn open(&self) -> Result<Sender, String> {
        let connecting = self.seams.network.connect(self.address.address);
        let connection = connecting.await.map_err(|e| e.kind().to_string())?;
        let name = rustls_pki_types::ServerName::from(self.address.address.ip());
        let connector = tokio_rustls::TlsConnector::from(self.trust()?);
        let stream = connector.connect(name, connection.io).await;
        let io = TokioIo::new(stream.map_err(|e| format!("TLS error: {e}"))?);
        /// Istio pings every 30 s; ten minutes finds a silent control plane too, and lets days pass cheaply.
        const KEEP_ALIVE: Duration = Duration::from_secs(600);
        let (sender, driver) =
            hyper::client::conn::http2::Builder::new(Executor(self.seams.spawn.clone()))
                .timer(HyperTimer::new(self.seams.clock.clone()))
                .reset_stream_duration(Duration::from_secs(1_000_000))
                .keep_alive_interval(KEEP_ALIVE)
                .keep_alive_while_idle(true)
                .initial_stream_window_size(1 << 20)
                .initial_connection_window_size(16 << 20)
                .handshake(io)
                .await
                .map_err(|e| e.to_string())?;
        // The driver's end is seen by whoever holds a stream.
        self.seams.spawn(async move { drop(driver.await) });
        Ok(sender)
    }

    fn observe(&self, what: &str, version: u64, workload: &str, why: &str) {
        let event = ConfigEvent {
            what,
            version,
            workload,
            why,
        };
        let now = self.seams.now();
        self.seams.observer.observe(now, &Event::Config(event));
    }
}

fn send(out: &mpsc::UnboundedSender<Bytes>, message: &ToControl) -> Result<(), String> {
    let bytes = wire::frame(message).map_err(|e| e.to_string())?;
    out.send(bytes)
        .map_err(|_| "the stream has ended".to_owned())
}
