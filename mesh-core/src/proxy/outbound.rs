//! The app's own calls: route, faults, rate limit, mirrors, then the router filter.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, request};
use hyper::body::Incoming;

use super::cluster::ClusterRuntime;
use super::exchange::{Downstream, Exchange};
use super::forward::{self, Terms};
use super::headers::{self, Seen};
use super::mirror;
use super::reply::LocalReply;
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use super::serve::Activity;
use super::sidecar::{Core, with_target};
use crate::control::RouteTable;
use crate::policy::{AbortKind, FaultPolicy, LoadBalancer, LocalRateLimit, Route};
use crate::resilience::{FaultDraw, TokenBucket};
use crate::route::{Choice, Decision, RequestView, Router, hash_request};
use crate::seam::{Rng, sleep};
use crate::telemetry::{Direction, Mechanism, ResponseFlag, TlsState};

/// The outbound routes in force.
pub(crate) struct Outbound {
    router: Router,
    allow_any: bool,
    rng: RefCell<Rng>,
    /// Token buckets of routes that have one, by the route's address.
    buckets: RefCell<BTreeMap<usize, TokenBucket>>,
}

/// A connection of the app.
pub(crate) fn downstream(core: &Core, local: SocketAddr, peer: SocketAddr) -> Downstream {
    Downstream {
        seams: core.seams.clone(),
        direction: Direction::Outbound,
        peer: Arc::from(""),
        peer_address: peer,
        local_address: local,
        server_name: None,
        tls: TlsState::Plain,
        client_cert: None,
        activity: Activity::new(core.seams.now()),
        addressed: RefCell::default(),
    }
}

impl Outbound {
    /// No routes yet.
    pub(crate) fn empty(rng: Rng) -> Self {
        Self::new(&[], false, rng)
    }

    pub(crate) fn new(tables: &[Arc<RouteTable>], allow_any: bool, rng: Rng) -> Self {
        Self {
            router: Router::new(tables),
            allow_any,
            rng: RefCell::new(rng),
            buckets: RefCell::default(),
        }
    }

    /// Hands the random stream to the next configuration, so that a push does not rewind it.
    pub(crate) fn rng(&self) -> Rng {
        self.rng.borrow().clone()
    }

    pub(crate) async fn handle(
        &self,
        core: &Rc<Core>,
        downstream: Rc<Downstream>,
        mut head: Box<request::Parts>,
        body: Incoming,
    ) -> Response<ResponseBody> {
        let seen = Seen::strip(&mut head.headers);
        let refusal = core.sanitize(&mut head);
        let trace = core.continue_trace(&mut head.headers, seen);
        let peer = Some(downstream.peer_address);
        let mut exchange = Box::new(Exchange::new(downstream, &head, seen, trace));
        core.spend_proxy_time().await;
        if let Some(refusal) = refusal {
            return forward::local_response(exchange, refusal);
        }
        if exchange.authority.is_empty() {
            return forward::local_response(exchange, LocalReply::no_host_header());
        }
        if seen.controls {
            headers::strip_controls(&mut head.headers);
        }
        if seen.client_cert {
            // The app has no certificate, whatever it says (Envoy's default: `SANITIZE`).
            headers::set_client_cert(&mut head.headers, None);
        }
        let decision = {
            let view = RequestView::of(&head, port_of(&exchange.authority), peer);
            self.router.route(&view, &mut self.rng.borrow_mut())
        };
        let route = match &decision {
            Decision::Forward(choice) => Some(choice.route()),
            Decision::Answer(entry, _) | Decision::NoDestination(entry) => Some(entry.route()),
            Decision::NoRoute(_) | Decision::NoHost => None,
        };
        exchange.route = route.cloned();
        if let Some(route) = route.cloned()
            && let Some(rejection) = self.filters(&mut exchange, &route).await
        {
            return forward::local_response(exchange, rejection);
        }
        match decision {
            Decision::Forward(choice) => self.send(core, exchange, choice, head, body, peer).await,
            Decision::Answer(_, response) => answer(exchange, response),
            Decision::NoDestination(_) => {
                forward::local_response(exchange, LocalReply::no_cluster())
            }
            Decision::NoRoute(_) => forward::local_response(exchange, LocalReply::no_route()),
            Decision::NoHost => self.pass_through(exchange),
        }
    }

    /// The filters in front of the router; an answer if one of them gives it.
    async fn filters(&self, exchange: &mut Exchange, route: &Arc<Route>) -> Option<LocalReply> {
        if let Some(fault) = &route.fault
            && let Some(reply) = self.inject(exchange, fault).await
        {
            return Some(reply);
        }
        let limit = route.rate_limit.as_ref()?;
        if self.take_token(exchange, route, limit) {
            return None;
        }
        exchange.mechanism(Mechanism::RateLimit, "");
        Some(LocalReply::rate_limited(limit.status))
    }

    /// Delay, then abort, each by its own draw.
    async fn inject(&self, exchange: &mut Exchange, fault: &FaultPolicy) -> Option<LocalReply> {
        let drawn = FaultDraw::new(fault, &mut self.rng.borrow_mut());
        if let Some(delay) = drawn.delay {
            exchange.mechanism(Mechanism::Fault, "delay");
            exchange.flags.insert(ResponseFlag::DelayInjected);
            sleep(&*exchange.seams().clock.clone(), delay).await;
            exchange.timing.fault += delay;
        }
        let abort = drawn.abort?;
        exchange.mechanism(Mechanism::Fault, "abort");
        Some(match abort {
            AbortKind::Http(status) => LocalReply::fault_abort(status),
            AbortKind::Grpc(status) => LocalReply::fault_abort_grpc(status),
        })
    }

    fn take_token(&self, exchange: &Exchange, route: &Arc<Route>, limit: &LocalRateLimit) -> bool {
        let now = exchange.seams().now();
        let mut buckets = self.buckets.borrow_mut();
        let bucket = buckets
            .entry(Arc::as_ptr(route) as usize)
            .or_insert_with(|| TokenBucket::new(limit, now));
        bucket.take(now)
    }

    async fn send(
        &self,
        core: &Rc<Core>,
        mut exchange: Box<Exchange>,
        choice: Choice,
        mut head: Box<request::Parts>,
        body: Incoming,
        peer: Option<SocketAddr>,
    ) -> Response<ResponseBody> {
        let cluster = core.clusters.borrow().get(choice.cluster()).cloned();
        let Some(cluster) = cluster else {
            exchange.cluster = Some(choice.cluster().shared());
            return forward::local_response(exchange, LocalReply::no_cluster());
        };
        let hashed = self.hash(&cluster, &exchange, &head, peer);
        if !with_target(&mut head, &exchange.authority, &exchange.path) {
            return forward::local_response(exchange, LocalReply::no_host_header());
        }
        choice.apply_to_request(&mut head, peer);
        if head.uri.path_and_query() != Some(&exchange.path)
            && let Ok(original) = HeaderValue::from_str(exchange.path.as_str())
        {
            head.headers.insert(headers::ORIGINAL_PATH, original);
            exchange.note(|notes| notes.original_path = None);
        }
        let route = choice.route().clone();
        if let Some(timeout) = route.timeout.value {
            let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            head.headers
                .insert(headers::EXPECTED_TIMEOUT, HeaderValue::from(millis));
        }
        let body = RequestBody::new(body);
        self.mirror(core, &exchange, &choice, &head, &body);
        let (hash, set_cookie) = match hashed {
            Some(hashed) => (Some(hashed.hash), hashed.set_cookie),
            None => (None, None),
        };
        let terms = Terms {
            retry: &route.retry.value,
            timeout: route.timeout.value,
            hash,
            choice: Some(&choice),
            set_cookie,
        };
        forward::forward(exchange, &cluster, terms, head, body).await
    }

    fn hash(
        &self,
        cluster: &ClusterRuntime,
        exchange: &Exchange,
        head: &request::Parts,
        peer: Option<SocketAddr>,
    ) -> Option<crate::route::RequestHash> {
        let config = cluster.config();
        let LoadBalancer::Hash { key, .. } = &config.load_balancer.value else {
            return None;
        };
        let view = RequestView::of(head, port_of(&exchange.authority), peer);
        let connection = peer.map_or(0, |peer| u64::from(peer.port()));
        hash_request(key, &view, connection)
    }

    fn mirror(
        &self,
        core: &Rc<Core>,
        exchange: &Exchange,
        choice: &Choice,
        head: &request::Parts,
        body: &RequestBody,
    ) {
        for (mirror, name) in choice.entry().mirrors() {
            if !self.rng.borrow_mut().chance_ppm(mirror.fraction.ppm()) {
                continue;
            }
            let cluster = core.clusters.borrow().get(name).cloned();
            if let Some(cluster) = cluster {
                exchange.mechanism(Mechanism::Mirror, cluster.name().as_ref());
                mirror::send(core, &cluster, exchange.trace, head, body);
            }
        }
    }

    /// A host that no route knows. A real sidecar passes the connection through to the address the app
    /// resolved; names that the registry does not know resolve to none here.
    fn pass_through(&self, exchange: Box<Exchange>) -> Response<ResponseBody> {
        let reply = match self.allow_any {
            true => LocalReply::unresolved(),
            false => LocalReply::black_hole(),
        };
        forward::local_response(exchange, reply)
    }
}

/// The port of an authority; HTTP's default when it has none.
fn port_of(authority: &str) -> u16 {
    let (_, port) = authority.rsplit_once(':').unwrap_or(("", ""));
    port.parse().unwrap_or(80)
}

/// An answer made by the route: a redirect or a direct response.
fn answer(mut exchange: Box<Exchange>, response: Response<Bytes>) -> Response<ResponseBody> {
    exchange.status = response.status().as_u16();
    exchange.details = "direct_response".into();
    response.map(|body| ResponseBody::local(body, exchange))
}
