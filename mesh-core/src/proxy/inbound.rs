//! Calls to the app: TLS and peer identity, then authorization, then rate limit, then the app.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Response, request};
use hyper::body::Incoming;

use super::cluster::ClusterRuntime;
use super::exchange::{Downstream, Exchange};
use super::forward::{self, Terms};
use super::headers::{self, Seen};
use super::reply::LocalReply;
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use super::retired;
use super::serve::{Activity, serve_http};
use super::sidecar::{Core, with_target};
use super::transport::Transport;
use crate::authz::{self, AuthzRequest};
use crate::control::InboundListener;
use crate::identity::{ClientCertificate, handshake_failure_io, peer_identity};
use crate::policy::{MtlsMode, RetryPolicy};
use crate::resilience::TokenBucket;
use crate::seam::{Connection, Listener, Peeked, Seams, timeout_at};
use crate::telemetry::{Direction, Event, Mechanism, MechanismEvent, TlsState};

/// A TLS record that starts a handshake begins with this byte (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Istio's listeners give up on a handshake after this long (`transport_socket_connect_timeout`).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// One inbound port.
#[repr(C)] // What every request asks for comes first, in as few cache lines as may be.
pub(crate) struct InboundPort {
    core: Rc<Core>,
    app: Rc<ClusterRuntime>,
    /// How the configuration has requests to the app tried again.
    retry: RefCell<Rc<RetryPolicy>>,
    /// Whether the configuration may turn a request away.
    guarded: Cell<bool>,
    port: u16,
    config: RefCell<Rc<InboundListener>>,
    /// Tells open connections which of them may stay.
    mode: Rc<retired::Mode>,
    bucket: RefCell<Option<TokenBucket>>,
}

impl InboundPort {
    pub(crate) fn new(
        core: Rc<Core>,
        config: InboundListener,
        app: Rc<ClusterRuntime>,
    ) -> Rc<Self> {
        let port = Self {
            port: config.port,
            retry: RefCell::new(Rc::new(config.retry.value.clone())),
            guarded: Cell::new(is_guarded(&config)),
            bucket: RefCell::new(bucket(&core, &config)),
            mode: retired::Mode::new(config.mtls.value),
            core,
            app,
            config: RefCell::new(Rc::new(config)),
        };
        Rc::new(port)
    }

    /// Applies new settings to connections and requests from now on. Connections that would
    /// not be taken any more are drained.
    pub(crate) fn configure(&self, config: InboundListener) {
        let same_limit = self.config.borrow().rate_limit == config.rate_limit;
        if !same_limit {
            *self.bucket.borrow_mut() = bucket(&self.core, &config);
        }
        if **self.retry.borrow() != config.retry.value {
            *self.retry.borrow_mut() = Rc::new(config.retry.value.clone());
        }
        self.guarded.set(is_guarded(&config));
        let mode = config.mtls.value;
        *self.config.borrow_mut() = Rc::new(config);
        self.mode.set(mode);
    }

    /// Tells every connection to end after what is in flight (GOAWAY, `connection: close`), and new ones too.
    pub(crate) fn drain(&self) {
        self.mode.drain();
    }

    /// Accepts connections until the host dies.
    pub(crate) async fn accept(self: Rc<Self>, seams: Seams, mut listener: Box<dyn Listener>) {
        loop {
            let connection = seams.accept(&mut *listener).await;
            let port = self.clone();
            seams.spawn(async move { port.serve(connection).await });
        }
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let (local, peer) = (connection.local, connection.peer);
        let deadline = self.core.seams.now() + HANDSHAKE_TIMEOUT;
        let clock = self.core.seams.clock.clone();
        let secured = timeout_at(&*clock, deadline, self.secure(connection)).await;
        let Some(Some(transport)) = secured else {
            return;
        };
        let downstream = Rc::new(self.downstream(&transport, local, peer));
        let retired = self.mode.retired(downstream.tls);
        let (port, own) = (self.clone(), downstream.clone());
        let service = move |head, body| port.clone().handle(own.clone(), head, body);
        let timer = self.core.timer();
        serve_http(transport, &downstream, timer, service, retired).await;
    }

    /// The transport, if the connection is one this port takes.
    async fn secure(&self, connection: Connection) -> Option<Transport> {
        let mode = self.config.borrow().mtls.value;
        if mode == MtlsMode::Disable {
            return Some(Transport::Plain(connection.io));
        }
        let (first, io) = Peeked::peek(connection.io).await.ok()??;
        if first != TLS_HANDSHAKE {
            if mode == MtlsMode::Permissive {
                return Some(Transport::Peeked(io));
            }
            self.mechanism(Mechanism::PlaintextRefused, &connection.peer.to_string());
            return None;
        }
        let config = self
            .core
            .identity
            .server_config(ClientCertificate::Required);
        let acceptor = tokio_rustls::TlsAcceptor::from(config.ok()?);
        match acceptor.accept(io).await {
            Ok(stream) => Some(Transport::Server(Box::new(stream))),
            Err(error) => {
                self.mechanism(Mechanism::HandshakeFailed, &handshake_failure_io(&error));
                None
            }
        }
    }

    fn mechanism(&self, mechanism: Mechanism, detail: &str) {
        let subject = &self.core.workload;
        let event = Event::Mechanism(MechanismEvent {
            mechanism,
            subject,
            detail,
        });
        let seams = &self.core.seams;
        seams.observer.observe(seams.now(), &event);
    }

    fn downstream(&self, transport: &Transport, local: SocketAddr, peer: SocketAddr) -> Downstream {
        let (id, server_name) = match transport {
            Transport::Server(stream) => {
                let session = stream.get_ref().1;
                (peer_identity(session), session.server_name().map(Arc::from))
            }
            _ => (None, None),
        };
        let client_cert = id.as_ref().and_then(|id| {
            let own = self.core.identity.svid();
            let by = own.map_or_else(String::new, |svid| svid.id().to_string());
            HeaderValue::from_str(&format!("By={by};URI={id}")).ok()
        });
        Downstream {
            seams: self.core.seams.clone(),
            direction: Direction::Inbound,
            peer: id.map_or_else(|| "".into(), |id| id.shared()),
            peer_address: peer,
            local_address: local,
            server_name,
            tls: transport.tls(),
            client_cert,
            activity: Activity::new(self.core.seams.now()),
            addressed: RefCell::default(),
        }
    }

    fn handle(
        self: Rc<Self>,
        downstream: Rc<Downstream>,
        mut head: Box<request::Parts>,
        body: Incoming,
    ) -> impl Future<Output = Response<ResponseBody>> {
        let seen = Seen::strip(&mut head.headers);
        let refusal = self.core.sanitize(&mut head);
        let trace = self.core.continue_trace(&mut head.headers, seen);
        let mut exchange = Exchange::new(downstream, &head, seen, trace);
        let body = RequestBody::new(body);
        async move {
            self.core.spend_proxy_time().await;
            if let Some(refusal) = refusal {
                return forward::local_response(exchange, *refusal);
            }
            // Policy sees what the app will see, and no more.
            identify(&mut head.headers, seen, &exchange);
            if self.guarded.get()
                && let Some(rejection) = self.reject(&mut exchange, &head)
            {
                return forward::local_response(exchange, *rejection);
            }
            if !with_target(&mut head, &exchange.authority, &exchange.path) {
                return forward::local_response(exchange, LocalReply::no_host_header());
            }
            let retry = self.retry.borrow().clone();
            let terms = Terms {
                retry: &retry,
                timeout: None,
                hash: None,
                choice: None,
                set_cookie: None,
            };
            forward::forward(exchange, &self.app, &terms, head, body).await
        }
    }

    /// The answer to a request that is turned away.
    fn reject(&self, exchange: &mut Exchange, head: &request::Parts) -> Option<Box<LocalReply>> {
        let config = self.config.borrow().clone();
        if let Some(details) = self.denied(&config, exchange, head) {
            exchange.mechanism(Mechanism::Denied, &details);
            exchange.details = details.into();
            return Some(Box::new(LocalReply::denied()));
        }
        let now = self.core.seams.now();
        if let Some(bucket) = self.bucket.borrow().as_ref()
            && !bucket.take(now)
        {
            exchange.mechanism(Mechanism::RateLimit, "");
            let status = config.rate_limit.as_ref().map_or(429, |limit| limit.status);
            return Some(Box::new(LocalReply::rate_limited(status)));
        }
        None
    }

    /// Why the request is denied, if it is.
    fn denied(
        &self,
        config: &InboundListener,
        exchange: &Exchange,
        head: &request::Parts,
    ) -> Option<String> {
        if config.authorization.is_empty() {
            return None;
        }
        let downstream = &exchange.downstream;
        let authenticated = downstream.tls == TlsState::Mutual && !downstream.peer.is_empty();
        let request = AuthzRequest {
            peer: authenticated.then_some(&*downstream.peer),
            destination_ip: Some(self.core.pod_ip()),
            sni: None,
            source_ip: downstream.peer_address.ip(),
            method: head.method.as_str(),
            path: exchange.path.as_str(),
            host: &exchange.authority,
            port: self.port,
            headers: &head.headers,
        };
        let verdict = authz::decide(&config.authorization, &request);
        (!verdict.allowed).then(|| verdict.to_string())
    }
}

/// Tells the app who its peer is.
fn identify(map: &mut http::HeaderMap, seen: Seen, exchange: &Exchange) {
    let own = exchange.downstream.client_cert.as_ref();
    if seen.client_cert {
        headers::set_client_cert(map, own);
    } else if let Some(own) = own {
        map.insert(headers::CLIENT_CERT, own.clone());
    }
    if !seen.forwarded_proto {
        let scheme = HeaderValue::from_static("http");
        map.insert(headers::FORWARDED_PROTO, scheme);
    }
}

/// Whether `config` may turn a request away.
fn is_guarded(config: &InboundListener) -> bool {
    !config.authorization.is_empty() || config.rate_limit.is_some()
}

fn bucket(core: &Core, config: &InboundListener) -> Option<TokenBucket> {
    let limit = config.rate_limit.as_ref()?;
    Some(TokenBucket::new(limit, core.seams.now()))
}
