//! The control plane's server: pushes snapshots, signs certificates.
//!
//! It listens with its own SVID (server-authenticated TLS; sidecars trust the
//! mesh's root), knows callers by a bearer token, as Istio's CA and discovery
//! service know them by their service account token, and keeps for each
//! sidecar what it last sent, so that only differences travel. Changes of
//! policy or registry are debounced before they are pushed (Istio: 100 ms
//! after the last change, at most 10 s after the first;
//! `pilot/pkg/features/tuning.go`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use indexmap::IndexMap;
use tokio::sync::mpsc;

use super::delivery::{Outbox, PushGate};
use super::push::PushBody;
use super::revision::{Revision, Revisions};
use super::signing::{Caller, Signer, SigningError};
use super::wire::{self, Frames, ToControl};
use super::{Registry, Snapshot, Workload};
use crate::identity::{ClientCertificate, IdentityStore, SpiffeId};
use crate::policy::MeshPolicy;
use crate::seam::{Connection, Executor, HyperTimer, Instant, Peeked, Seams, timeout_at};
use crate::telemetry::{ConfigEvent, Event, IdentityEvent};

/// A connection must have begun to talk after this long (grpc-go: `ConnectionTimeout`, 120 s).
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// The control plane.
pub struct ControlPlane {
    seams: Seams,
    policies: RefCell<Revisions>,
    registry: RefCell<Registry>,
    version: Cell<u64>,
    signer: Rc<dyn Signer>,
    /// Callers by token.
    tokens: RefCell<BTreeMap<String, Caller>>,
    subscribers: RefCell<IndexMap<u64, Outbox>>,
    next_subscriber: Cell<u64>,
    encoded: RefCell<super::push::EncodeCache>,
    gate: RefCell<Option<Rc<dyn PushGate>>>,
    /// When the changes that wait for a push began and last moved.
    changing: Cell<Option<(Instant, Instant)>>,
}

impl ControlPlane {
    /// A control plane over `registry`, with `policy` in force, that has certificates signed by `signer`.
    pub fn new(
        seams: Seams,
        policy: MeshPolicy,
        registry: Registry,
        signer: impl Signer + 'static,
    ) -> Rc<Self> {
        Rc::new(Self {
            seams,
            policies: RefCell::new(Revisions::of(policy)),
            registry: RefCell::new(registry),
            version: Cell::new(1),
            signer: Rc::new(signer),
            tokens: RefCell::default(),
            subscribers: RefCell::default(),
            next_subscriber: Cell::new(0),
            encoded: RefCell::default(),
            gate: RefCell::default(),
            changing: Cell::new(None),
        })
    }

    /// Makes `token` prove that its bearer is `identity` (Kubernetes' TokenReview).
    pub fn accept_token(&self, token: &str, identity: SpiffeId) {
        let pod = "".into();
        self.accept_caller(token, Caller { identity, pod });
    }

    /// Makes `token` prove that its bearer is `caller`.
    pub fn accept_caller(&self, token: &str, caller: Caller) {
        self.tokens.borrow_mut().insert(token.to_owned(), caller);
    }

    /// Counts versions from `version` on: a control plane that starts again goes on after its last one.
    pub fn continue_from(&self, version: u64) {
        self.version.set(version.max(self.version.get()));
    }

    /// The version of the configuration that was pushed last.
    pub fn version(&self) -> u64 {
        self.version.get()
    }

    /// Asks `gate` before each push from now on.
    pub fn set_push_gate(&self, gate: Rc<dyn PushGate>) {
        *self.gate.borrow_mut() = Some(gate);
    }

    /// Pushes to every sidecar that something was kept from, as far as the gate lets it.
    pub fn catch_up(&self) {
        let ids: Vec<u64> = {
            let subscribers = self.subscribers.borrow();
            let behind = subscribers.iter().filter(|(_, outbox)| outbox.behind);
            behind.map(|(id, _)| *id).collect()
        };
        ids.into_iter().for_each(|id| self.push(id));
    }

    /// Changes what exists; sidecars learn of it after the debounce.
    pub fn update_registry(self: &Rc<Self>, change: impl FnOnce(&mut Registry)) {
        change(&mut self.registry.borrow_mut());
        self.changed();
    }

    /// Puts another policy in force; sidecars learn of it after the debounce.
    pub fn update_policy(self: &Rc<Self>, policy: MeshPolicy) {
        self.policies.borrow_mut().set(policy);
        self.changed();
    }

    /// Gives the sidecars of some workloads a policy of their own (Istio's revisions, `istio.io/rev`), in place of
    /// those they had before; where a workload is in several, the first counts. They learn of it after the debounce.
    pub fn set_revisions(self: &Rc<Self>, revisions: Vec<Revision>) {
        self.policies.borrow_mut().set_revisions(revisions);
        self.changed();
    }

    /// Workloads that are subscribed now.
    pub fn subscribed(&self) -> usize {
        self.subscribers.borrow().len()
    }

    fn changed(self: &Rc<Self>) {
        let now = self.seams.now();
        let waiting = self.changing.get();
        let first = waiting.map_or(now, |(first, _)| first);
        self.changing.set(Some((first, now)));
        if waiting.is_none() {
            let plane = self.clone();
            self.seams.spawn(async move { plane.debounce().await });
        }
    }

    async fn debounce(self: Rc<Self>) {
        while let Some((first, last)) = self.changing.get() {
            let (quiet, longest) = {
                let policies = self.policies.borrow();
                let profile = &policies.policy().profile;
                (profile.push_debounce, profile.push_debounce_max)
            };
            let due = (last + quiet).min(first + longest);
            if self.seams.now() >= due {
                self.changing.set(None);
                self.push_all();
                return;
            }
            self.seams.clock.sleep_until(due).await;
        }
    }

    fn push_all(&self) {
        self.version.set(self.version.get() + 1);
        self.policies.borrow_mut().invalidate();
        *self.encoded.borrow_mut() = Default::default();
        let ids: Vec<u64> = self.subscribers.borrow().keys().copied().collect();
        for id in ids {
            self.push(id);
        }
    }

    /// Sends a subscriber what changed since it was last sent something.
    fn push(&self, id: u64) {
        let mut subscribers = self.subscribers.borrow_mut();
        let Some(outbox) = subscribers.get_mut(&id) else {
            return;
        };
        let Some(snapshot) = self.snapshot(&outbox.workload, &outbox.ports) else {
            return;
        };
        let gate = self.gate.borrow().clone();
        outbox.push(&self.seams, gate.as_ref(), |sent| {
            sent.advance(snapshot, &mut self.encoded.borrow_mut())
        });
    }

    fn snapshot(&self, workload: &str, ports: &[u16]) -> Option<Snapshot> {
        let registry = self.registry.borrow();
        let workload: &Workload = registry.workloads.get(workload)?;
        let version = self.version.get();
        let mut policies = self.policies.borrow_mut();
        Some(policies.compile(&registry, workload, ports, version))
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

    /// Serves sidecars on `address` for ever, with `identity` as the server's own.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn serve(
        self: Rc<Self>,
        address: SocketAddr,
        identity: IdentityStore,
    ) -> std::io::Result<()> {
        let mut listener = self.seams.network.listen(address).await?;
        loop {
            let connection = self.seams.accept(&mut *listener).await;
            let plane = self.clone();
            let identity = identity.clone();
            self.seams
                .spawn(async move { plane.serve_connection(connection, &identity).await });
        }
    }

    async fn serve_connection(self: Rc<Self>, connection: Connection, identity: &IdentityStore) {
        let Ok(config) = identity.server_config(ClientCertificate::Optional) else {
            return;
        };
        let deadline = self.seams.now() + CONNECTION_TIMEOUT;
        let opened = timeout_at(&*self.seams.clock, deadline, open(config, connection));
        let Some(Some(stream)) = opened.await else {
            return;
        };
        let mut builder =
            hyper::server::conn::http2::Builder::new(Executor(self.seams.spawn.clone()));
        builder
            .timer(HyperTimer::new(self.seams.clock.clone()))
            .auto_date_header(false)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(16 << 20);
        let service = service_fn(|request| {
            let plane = self.clone();
            async move { Ok::<_, Infallible>(plane.answer(request).await) }
        });
        // A connection that breaks ends its streams; nothing else is to be done.
        let _ended = builder
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Response<PushBody> {
        let Some(caller) = self.authenticate(&request) else {
            return status(StatusCode::UNAUTHORIZED);
        };
        match request.uri().path() {
            wire::SIGN_PATH => self.sign(&caller, request.into_body()).await,
            wire::STREAM_PATH => {
                let (out, stream) = mpsc::unbounded_channel();
                let plane = self.clone();
                let body = request.into_body();
                self.seams
                    .spawn(async move { plane.subscribe(&caller, body, out).await });
                Response::new(PushBody::Stream(stream))
            }
            _ => status(StatusCode::NOT_FOUND),
        }
    }

    fn authenticate(&self, request: &Request<Incoming>) -> Option<Caller> {
        let value = request
            .headers()
            .get(header::AUTHORIZATION)?
            .to_str()
            .ok()?;
        let token = value.strip_prefix("Bearer ")?;
        self.tokens.borrow().get(token).cloned()
    }

    async fn sign(&self, caller: &Caller, body: Incoming) -> Response<PushBody> {
        let body = Limited::new(body, wire::REQUEST_BYTES_MAX);
        let Ok(request) = body.collect().await else {
            return status(StatusCode::BAD_REQUEST);
        };
        let csr = request.to_bytes();
        let now = self.seams.clock.unix_time();
        let lifetime = self.policies.borrow().policy().profile.svid_lifetime;
        let signed = self.signer.sign(&csr, caller, now, lifetime).await;
        let identity = caller.identity.as_str();
        let observe = |what: &str, not_after: u64, why: &str| {
            let event = IdentityEvent {
                what,
                identity,
                not_after,
                why,
            };
            let event = Event::Identity(event);
            self.seams.observer.observe(self.seams.now(), &event);
        };
        match signed {
            Ok(signed) => {
                observe("issue", signed.not_after.as_secs(), "");
                let chain: Vec<&[u8]> = signed.chain.iter().map(AsRef::as_ref).collect();
                match wire::frame(&chain) {
                    Ok(bytes) => Response::new(PushBody::Whole(bytes)),
                    Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
                }
            }
            Err(error) => {
                let why = error.to_string();
                observe("refuse", 0, &why);
                let mut response = Response::new(PushBody::Whole(why.into()));
                *response.status_mut() = match error {
                    SigningError::Refused(_) => StatusCode::FORBIDDEN,
                    SigningError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
                };
                response
            }
        }
    }

    async fn subscribe(
        self: Rc<Self>,
        caller: &Caller,
        mut body: Incoming,
        out: mpsc::UnboundedSender<Bytes>,
    ) {
        let id = self.next_subscriber.get();
        self.next_subscriber.set(id + 1);
        let mut frames = Frames::at_most(wire::REQUEST_BYTES_MAX);
        let mut workload = String::new();
        let mut why = String::new();
        'stream: while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { break };
            let Some(data) = frame.data_ref() else {
                continue;
            };
            frames.push(data);
            loop {
                match frames.next::<ToControl>() {
                    Ok(None) => break,
                    Ok(Some(ToControl::Subscribe {
                        workload: name,
                        ports,
                    })) => {
                        if !self.may_subscribe(&caller.identity, &name) {
                            why = format!("{} may not subscribe as {name}", caller.identity);
                            break 'stream;
                        }
                        workload = name.clone();
                        self.observe("connect", self.version.get(), &name, "");
                        let outbox = Outbox::new(name, ports, out.clone());
                        self.subscribers.borrow_mut().insert(id, outbox);
                        self.push(id);
                    }
                    Ok(Some(ToControl::Ack(version))) => {
                        self.observe("ack", version, &workload, "")
                    }
                    Ok(Some(ToControl::Nack(version, why))) => {
                        self.observe("nack", version, &workload, &why);
                    }
                    Err(error) => {
                        why = error;
                        break 'stream;
                    }
                }
            }
        }
        self.subscribers.borrow_mut().shift_remove(&id);
        self.observe("disconnect", self.version.get(), &workload, &why);
    }

    /// A caller may subscribe only as a workload that runs under its identity.
    fn may_subscribe(&self, caller: &SpiffeId, workload: &str) -> bool {
        let registry = self.registry.borrow();
        let policies = self.policies.borrow();
        let domain = &policies.policy().profile.trust_domain;
        registry.workloads.get(workload).is_some_and(|workload| {
            SpiffeId::new(domain, &workload.namespace, &workload.service_account)
                .is_ok_and(|id| id == *caller)
        })
    }
}

/// Shakes hands and waits for the client's first byte: whoever connects and says nothing does not stay.
async fn open(config: Arc<rustls::ServerConfig>, connection: Connection) -> Option<Peeked> {
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    let stream = acceptor.accept(connection.io).await.ok()?;
    let (_, stream) = Peeked::peek(Box::new(stream)).await.ok()??;
    Some(stream)
}

fn status(code: StatusCode) -> Response<PushBody> {
    let mut response = Response::new(PushBody::Whole(Bytes::new()));
    *response.status_mut() = code;
    response
}

/// The control plane's own identity in `trust_domain`, as Istio names it.
pub fn control_plane_identity(trust_domain: &str) -> Arc<str> {
    format!("spiffe://{trust_domain}/ns/istio-system/sa/istiod").into()
}
