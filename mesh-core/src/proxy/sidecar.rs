//! One sidecar: its listeners, its clusters, and its life with the control plane.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use http::header::Entry;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Uri, request};
use indexmap::IndexMap;

use super::cluster::ClusterRuntime;
use super::exchange::Addressed;
use super::headers::Seen;
use super::inbound::InboundPort;
use super::outbound::Outbound;
use super::path;
use super::reply::LocalReply;
use super::rotation::Rotation;
use super::serve::serve_http;
use super::transport::Transport;
use crate::control::{
    Cluster, ClusterName, ControlAddress, Endpoint, EndpointHealth, InboundListener,
    LoadAssignment, Locality, ResourceCache, Resources, Subscription,
};
use crate::header_map;
use crate::identity::{IdentityStore, KeyPair, SpiffeId, Svid, TrustBundle, csr};
use crate::policy::{LoadBalancer, Profile, Sourced, UpstreamTls};
use crate::seam::{Connection, HyperTimer, Rng, Seams, sleep};
use crate::telemetry::{Event, IdentityEvent, REQUEST_ID, TraceContext, request_id, unindexed};

/// What a sidecar is told when it starts (Istio: bootstrap, annotations and mounted files).
#[derive(Clone)]
pub struct SidecarConfig {
    /// The workload's name, as the registry knows it.
    pub workload: Arc<str>,
    /// Its identity.
    pub identity: SpiffeId,
    /// The pod's address; inbound listeners bind to it.
    pub pod_ip: IpAddr,
    /// Where the app dials (Istio: 127.0.0.1:15001).
    pub outbound: SocketAddr,
    /// Where the app listens (loopback in production).
    pub app_ip: IpAddr,
    /// The ports the app listens on.
    pub ports: Vec<u16>,
    /// The control plane.
    pub control: ControlAddress,
    /// The roots to trust.
    pub trust: TrustBundle,
    /// The mesh's defaults.
    pub profile: Rc<Profile>,
}

/// A running sidecar. Dropping it changes nothing: its tasks go on until their host dies.
pub struct Sidecar {
    core: Rc<Core>,
}

/// What all parts of a sidecar share.
#[repr(C)] // What every request asks for comes first, in as few cache lines as may be.
pub(crate) struct Core {
    outbound: RefCell<Rc<Outbound>>,
    profile: Rc<Profile>,
    rng: RefCell<Rng>,
    pub(crate) seams: Seams,
    pub(crate) workload: Arc<str>,
    pub(crate) identity: IdentityStore,
    /// Hashed, not sorted: a sidecar knows every cluster of the mesh, and most connections ask for one.
    pub(crate) clusters: RefCell<IndexMap<ClusterName, Rc<ClusterRuntime>>>,
    config: SidecarConfig,
    /// Owned by the tasks that accept on them, which hold this core in turn.
    inbound: RefCell<BTreeMap<u16, Weak<InboundPort>>>,
    /// Private keys come from here and nothing else does: what `rng` gives becomes public
    /// (request ids), and from enough of it a generator can be run backwards.
    keys: RefCell<Rng>,
    timer: HyperTimer,
    rotation: Rotation,
    ready: Cell<bool>,
}

impl Sidecar {
    /// Starts a sidecar on the host of `seams`. It is ready once it has a
    /// certificate and a first configuration.
    pub fn start(seams: Seams, config: SidecarConfig, cache: Rc<ResourceCache>) -> Self {
        let identity = IdentityStore::with_key_log(seams.clock.clone(), seams.key_log.clone());
        identity.set_trust(config.trust.clone());
        let core = Rc::new(Core {
            workload: config.workload.clone(),
            identity,
            clusters: RefCell::default(),
            outbound: RefCell::new(Rc::new(Outbound::empty(
                seams.random.stream("proxy/routes"),
            ))),
            inbound: RefCell::default(),
            rng: RefCell::new(seams.random.stream("proxy")),
            keys: RefCell::new(seams.random.stream("proxy/keys")),
            timer: HyperTimer::new(seams.clock.clone()),
            rotation: Rotation::default(),
            ready: Cell::new(false),
            profile: config.profile.clone(),
            config,
            seams,
        });
        let running = core.clone();
        core.seams.spawn(async move { running.run(cache).await });
        Self { core }
    }

    /// Whether it has a certificate and a configuration, and listens.
    pub fn is_ready(&self) -> bool {
        self.core.ready.get()
    }

    /// Its secrets.
    pub fn identity(&self) -> &IdentityStore {
        &self.core.identity
    }

    /// A handle that does not keep it alive.
    pub fn handle(&self) -> SidecarHandle {
        SidecarHandle(Rc::downgrade(&self.core))
    }
}

/// A sidecar seen from outside its host. It does nothing once the sidecar is gone.
#[derive(Clone)]
pub struct SidecarHandle(Weak<Core>);

impl SidecarHandle {
    /// Tells all inbound connections to end after what is in flight, as Envoy does when it drains
    /// (`/drain_listeners?graceful`).
    pub fn drain(&self) {
        let Some(core) = self.0.upgrade() else { return };
        let ports: Vec<_> = core
            .inbound
            .borrow()
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        ports.iter().for_each(|port| port.drain());
    }

    /// Its secrets.
    pub fn identity(&self) -> Option<IdentityStore> {
        Some(self.0.upgrade()?.identity.clone())
    }

    /// Its agent gets no new certificate from now on, whatever becomes of the one it has.
    pub fn pause_rotation(&self) {
        if let Some(core) = self.0.upgrade() {
            core.rotation.pause();
        }
    }

    /// Its agent renews certificates again, and at once what came due meanwhile.
    pub fn resume_rotation(&self) {
        if let Some(core) = self.0.upgrade() {
            core.rotation.resume();
        }
    }

    /// Its agent asks for a new certificate now (`istioctl proxy-config secret` shows it; a restart of the agent does
    /// it), or as soon as rotation goes on.
    pub fn renew_certificate(&self) {
        if let Some(core) = self.0.upgrade() {
            core.rotation.renew();
        }
    }

    /// Renewals that came due while rotation was paused.
    pub fn rotations_missed(&self) -> u64 {
        self.0.upgrade().map_or(0, |core| core.rotation.missed())
    }

    /// Ends its connections to upstreams after what is in flight: the next requests shake hands anew.
    pub fn reconnect_upstreams(&self) {
        let Some(core) = self.0.upgrade() else { return };
        let clusters: Vec<_> = core.clusters.borrow().values().cloned().collect();
        clusters.iter().for_each(|cluster| cluster.drain());
    }
}

impl Core {
    async fn run(self: Rc<Self>, cache: Rc<ResourceCache>) {
        let control = self.config.control.clone();
        let subscription = Subscription::of(self.seams.clone(), control, self.identity.clone());
        self.obtain_svid(&subscription).await;
        let core = self.clone();
        let rotating = subscription.clone();
        self.seams
            .spawn(async move { core.rotate(&rotating).await });
        if self.listen_outbound().await.is_err() {
            return;
        }
        let core = self.clone();
        let apply = move |resources: &Resources| core.apply(resources);
        subscription
            .follow(&self.config.workload, &self.config.ports, &cache, apply)
            .await;
    }

    /// Gets a first or fresh certificate, however long it takes.
    async fn obtain_svid(&self, subscription: &Subscription) {
        let mut wait = Duration::from_millis(500);
        loop {
            let rotated = self.identity.svid().is_some();
            match self.request_svid(subscription).await {
                // Paused while the request was on its way: it is as if it had never left.
                Ok(_) if rotated && self.rotation.is_paused() => {
                    self.rotation.allowed().await;
                    continue;
                }
                Ok(svid) => {
                    let not_after = svid.not_after().as_secs();
                    self.observe_identity(if rotated { "rotate" } else { "obtain" }, not_after, "");
                    self.identity.set_svid(svid);
                    return;
                }
                Err(why) => self.observe_identity("fail", 0, &why),
            }
            // Istio's agent backs off exponentially, to 10 s (security/pkg/nodeagent/cache).
            let jittered = Duration::from_millis(
                self.rng.borrow_mut().below(wait.as_millis() as u64 / 2) + wait.as_millis() as u64,
            );
            sleep(&*self.seams.clock, jittered).await;
            if rotated {
                self.rotation.allowed().await;
            }
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }

    async fn request_svid(&self, subscription: &Subscription) -> Result<Svid, String> {
        let key = KeyPair::generate(&mut self.keys.borrow_mut());
        let request = csr(&key, &self.config.identity);
        let chain = subscription.sign(request).await?;
        let chain = chain.into_iter().map(Into::into).collect();
        Svid::new(chain, key).map_err(|e| e.to_string())
    }

    async fn rotate(&self, subscription: &Subscription) {
        while let Some(svid) = self.identity.svid() {
            let due = svid.rotation_at(&self.profile, &mut self.rng.borrow_mut());
            let wait = due.saturating_sub(self.seams.clock.unix_time());
            let due = sleep(&*self.seams.clock, wait);
            self.rotation.wait(due).await;
            self.obtain_svid(subscription).await;
        }
    }

    fn observe_identity(&self, what: &str, not_after: u64, why: &str) {
        let event = IdentityEvent {
            what,
            identity: self.config.identity.as_str(),
            not_after,
            why,
        };
        let now = self.seams.now();
        self.seams.observer.observe(now, &Event::Identity(event));
    }

    async fn listen_outbound(self: &Rc<Self>) -> std::io::Result<()> {
        let mut listener = self.seams.network.listen(self.config.outbound).await?;
        let core = self.clone();
        self.seams.spawn(async move {
            loop {
                let connection = core.seams.accept(&mut *listener).await;
                let serving = core.clone();
                core.seams
                    .spawn(async move { serving.serve_outbound(connection).await });
            }
        });
        Ok(())
    }

    async fn serve_outbound(self: Rc<Self>, connection: Connection) {
        let (local, peer) = (connection.local, connection.peer);
        let downstream = Rc::new(super::outbound::downstream(&self, local, peer));
        let core = self.clone();
        let own = downstream.clone();
        let service = move |head, body| {
            let outbound = core.outbound.borrow().clone();
            outbound.handle(core.clone(), own.clone(), head, body)
        };
        let transport = Transport::Plain(connection.io);
        let retired = std::future::pending();
        serve_http(transport, &downstream, self.timer(), service, retired).await;
    }

    /// hyper's timer on this sidecar's clock.
    pub(crate) fn timer(&self) -> HyperTimer {
        self.timer.clone()
    }

    /// Brings a request's path into the one spelling that everything after it relies on. The answer,
    /// when it has none, or its method.
    pub(crate) fn sanitize(&self, head: &mut request::Parts) -> Option<Box<LocalReply>> {
        if head.method.as_str().bytes().any(|b| b.is_ascii_lowercase()) {
            return Some(Box::new(LocalReply::bad_method()));
        }
        if !self.profile.normalizes_paths {
            return None;
        }
        match path::normalize(&head.uri) {
            Ok(Some(uri)) => head.uri = uri,
            Ok(None) => {}
            Err(path::BadPath) => return Some(Box::new(LocalReply::bad_path())),
        }
        None
    }

    /// The pod's address.
    pub(crate) fn pod_ip(&self) -> IpAddr {
        self.config.pod_ip
    }

    /// Takes over a configuration.
    fn apply(self: &Rc<Self>, resources: &Resources) -> Result<(), String> {
        let Some(listener) = &resources.outbound else {
            return Err("no outbound listener".into());
        };
        self.apply_clusters(resources);
        let tables: Vec<_> = resources.routes.values().cloned().collect();
        let rng = self.outbound.borrow().rng();
        *self.outbound.borrow_mut() = Rc::new(Outbound::new(&tables, listener.allow_any, rng));
        for config in &resources.inbound {
            self.apply_inbound(config.clone());
        }
        self.ready.set(true);
        Ok(())
    }

    fn apply_clusters(&self, resources: &Resources) {
        let mut clusters = self.clusters.borrow_mut();
        clusters.retain(|name, _| resources.clusters.contains_key(name));
        for (name, cluster) in &resources.clusters {
            let endpoints = resources.endpoints.get(name).cloned().unwrap_or_else(|| {
                Arc::new(LoadAssignment {
                    cluster: name.clone(),
                    endpoints: Vec::new(),
                    locality_weights: BTreeMap::new(),
                })
            });
            match clusters.get(name) {
                Some(running) => running.configure(cluster, &endpoints),
                None => {
                    let (seams, identity) = (self.seams.clone(), self.identity.clone());
                    let running = ClusterRuntime::new(seams, identity, cluster.clone(), endpoints);
                    clusters.insert(name.clone(), running);
                }
            }
        }
    }

    fn apply_inbound(self: &Rc<Self>, config: InboundListener) {
        let port = config.port;
        let running = self.inbound.borrow().get(&port).and_then(Weak::upgrade);
        if let Some(running) = running {
            return running.configure(config);
        }
        let app = self.app_cluster(port);
        let inbound = InboundPort::new(self.clone(), config, app);
        self.inbound
            .borrow_mut()
            .insert(port, Rc::downgrade(&inbound));
        let address = SocketAddr::new(self.config.pod_ip, port);
        let seams = self.seams.clone();
        self.seams.spawn(async move {
            if let Ok(listener) = seams.network.listen(address).await {
                inbound.accept(seams, listener).await;
            }
        });
    }

    /// The cluster of the app behind an inbound port: one endpoint, plain text.
    fn app_cluster(&self, port: u16) -> Rc<ClusterRuntime> {
        let name = ClusterName::inbound(port);
        let profile = &self.profile;
        let cluster = Cluster {
            name: name.clone(),
            load_balancer: Sourced::default_of(LoadBalancer::RoundRobin, "one app per pod"),
            locality: None,
            warmup: None,
            pool: profile.pool.clone(),
            outlier: None,
            tls: Sourced::default_of(UpstreamTls::Disable, "the app is on loopback"),
            retry_budget: None,
            panic_threshold_percent: 0,
            http2: false,
            identities: Vec::new(),
        };
        let endpoint = Endpoint {
            address: SocketAddr::new(self.config.app_ip, port),
            workload: self.workload.clone(),
            locality: Locality::default(),
            priority: 0,
            weight: 1,
            health: EndpointHealth::Healthy,
            meshed: false,
        };
        let endpoints = LoadAssignment {
            cluster: name,
            endpoints: vec![endpoint],
            locality_weights: BTreeMap::new(),
        };
        let (seams, identity) = (self.seams.clone(), self.identity.clone());
        ClusterRuntime::new(seams, identity, Arc::new(cluster), Arc::new(endpoints))
    }

    /// Continues the request's trace with a span of this proxy's own, or starts one.
    pub(crate) fn continue_trace(&self, map: &mut HeaderMap, seen: Seen) -> TraceContext {
        let rng = &mut *self.rng.borrow_mut();
        let context = TraceContext::pass(map, seen.b3, rng);
        if let Some(held) = header_map::sole_mut(map, &REQUEST_ID) {
            held.set_sensitive(true);
            return context;
        }
        match map.entry(REQUEST_ID) {
            Entry::Occupied(mut held) => held.get_mut().set_sensitive(true),
            Entry::Vacant(free) => {
                let bits = u128::from(rng.bits()) << 64 | u128::from(rng.bits());
                free.insert(unindexed(request_id(bits)));
            }
        }
        context
    }

    /// The virtual time that one pass through the proxy takes: log-normal, given by its median and p99.
    pub(crate) async fn spend_proxy_time(&self) {
        let (p50, p99) = self.profile.proxy_latency.value;
        if p50.is_zero() {
            return;
        }
        let z = standard_normal(&mut self.rng.borrow_mut());
        let median = p50.as_nanos() as f64;
        let sigma = libm::log((p99.as_nanos() as f64 / median).max(1.0)) / Z_99;
        let cost = Duration::from_nanos((median * libm::exp(sigma * z)) as u64);
        sleep(&*self.seams.clock, cost).await;
    }
}

/// The 99th percentile of the standard normal distribution.
const Z_99: f64 = 2.326_347_874_040_841;

/// A standard normal draw (Box and Muller, 1958).
fn standard_normal(rng: &mut Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - rng.uniform()));
    radius * libm::cos(2.0 * std::f64::consts::PI * rng.uniform())
}

/// Whether two authorities are equal. Most are the same text, too, and need not be compared letter by letter.
pub(crate) fn same(one: &Authority, other: &Authority) -> bool {
    one.as_str() == other.as_str() || one == other
}

/// Puts authority and path into the head's URI; false when the authority is not one.
pub(crate) fn with_target(
    head: &mut request::Parts,
    addressed: &Addressed,
    path: &PathAndQuery,
) -> bool {
    let Some(authority) = &addressed.authority else {
        return false;
    };
    let uri = &head.uri;
    // As HTTP/2 brings it: what it is addressed to was read there.
    if uri.authority().is_some_and(|own| same(own, authority))
        && uri.scheme() == Some(&Scheme::HTTP)
        && uri.path_and_query() == Some(path)
    {
        return true;
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority.clone());
    parts.path_and_query = Some(path.clone());
    match Uri::from_parts(parts) {
        Ok(uri) => {
            head.uri = uri;
            true
        }
        Err(_) => false,
    }
}
