//! The app's own calls: route, faults, rate limit, mirrors, then the router filter.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, request};
use hyper::body::Incoming;

use super::cluster::ClusterRuntime;
use super::exchange::{Addressed, Downstream, Exchange};
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
use crate::route::{Choice, Decision, Host, RequestView, Router, hash_request};
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

/// Where requests with one authority lead under one configuration. A connection keeps it for the
/// next request: looked up, each of these is a walk through memory that only this sidecar uses, and rarely.
#[derive(Default)]
pub(crate) struct Known {
    /// The configuration. While a weak reference is held, no other one has its address.
    under: Weak<Outbound>,
    host: Option<Arc<Host>>,
    /// What the host decides about every request.
    sole: Option<Choice>,
    /// The destination drawn last and its cluster, which exists for as long as the configuration names it.
    cluster: Option<(Choice, Weak<ClusterRuntime>)>,
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

    pub(crate) fn handle(
        self: Rc<Self>,
        core: Rc<Core>,
        downstream: Rc<Downstream>,
        mut head: Box<request::Parts>,
        body: Incoming,
    ) -> impl Future<Output = Response<ResponseBody>> {
        let seen = Seen::strip(&mut head.headers);
        let refusal = core.sanitize(&mut head);
        let trace = core.continue_trace(&mut head.headers, seen);
        let mut exchange = Exchange::new(downstream, &head, seen, trace);
        let body = RequestBody::new(body);
        async move {
            core.spend_proxy_time().await;
            if let Some(refusal) = refusal {
                return forward::local_response(exchange, *refusal);
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
            let choice = match self.decide(&exchange, &head) {
                Decision::Forward(choice) => choice,
                other => return Box::pin(self.stay(exchange, other)).await,
            };
            exchange.route = Some(choice.entry().clone());
            if choice.entry().is_filtered()
                && let Some(rejection) = Box::pin(self.filters(&mut exchange, choice.route())).await
            {
                return forward::local_response(exchange, rejection);
            }
            let Some(cluster) = self.cluster(&core, &exchange.authority, &choice) else {
                exchange.cluster = Some(choice.cluster().shared());
                return forward::local_response(exchange, LocalReply::no_cluster());
            };
            let hashed = self.hash(&cluster, &exchange, &head);
            if let Err(reply) = self.prepare(&mut exchange, &choice, &mut head) {
                return forward::local_response(exchange, *reply);
            }
            if choice.entry().is_mirrored() {
                self.mirror(&core, &exchange, &choice, &head, &body);
            }
            let (hash, set_cookie) = match hashed {
                Some(hashed) => (Some(hashed.hash), hashed.set_cookie.map(Box::new)),
                None => (None, None),
            };
            let terms = Terms {
                retry: &choice.route().retry.value,
                timeout: choice.entry().timeout(),
                hash,
                choice: Some(&choice),
                set_cookie,
            };
            forward::forward(exchange, &cluster, &terms, head, body).await
        }
    }

    /// Answers a request that goes nowhere.
    #[cold]
    async fn stay(
        &self,
        mut exchange: Box<Exchange>,
        decision: Decision,
    ) -> Response<ResponseBody> {
        if let Decision::Answer(entry, _) | Decision::NoDestination(entry) = &decision {
            exchange.route = Some(entry.clone());
            if let Some(rejection) = self.filters(&mut exchange, entry.route()).await {
                return forward::local_response(exchange, rejection);
            }
        }
        match decision {
            Decision::Answer(_, response) => answer(exchange, response),
            Decision::NoHost => self.pass_through(exchange),
            Decision::NoRoute(_) => forward::local_response(exchange, LocalReply::no_route()),
            Decision::NoDestination(_) | Decision::Forward(_) => {
                forward::local_response(exchange, LocalReply::no_cluster())
            }
        }
    }

    /// What happens to a request.
    fn decide(self: &Rc<Self>, exchange: &Exchange, head: &request::Parts) -> Decision {
        let authority = &*exchange.authority;
        let mut known = authority.known.borrow_mut();
        if !std::ptr::eq(known.under.as_ptr(), &raw const **self) {
            let host = self.router.find(authority.port, authority);
            let host = host.map(|(host, _)| host.clone());
            *known = Known {
                under: Rc::downgrade(self),
                sole: host.as_ref().and_then(|host| host.sole()),
                host,
                cluster: None,
            };
        }
        if let Some(choice) = &known.sole {
            return Decision::Forward(choice.clone());
        }
        let Some(host) = &known.host else {
            return Decision::NoHost;
        };
        let peer = Some(exchange.downstream.peer_address);
        let view = RequestView::to(authority, head, authority.port, peer);
        host.route(&view, &mut self.rng.borrow_mut())
    }

    /// The cluster of a destination.
    fn cluster(
        &self,
        core: &Core,
        authority: &Addressed,
        choice: &Choice,
    ) -> Option<Rc<ClusterRuntime>> {
        let mut known = authority.known.borrow_mut();
        if let Some((last, cluster)) = &known.cluster
            && last.is(choice)
            && std::ptr::eq(known.under.as_ptr(), self)
            && let Some(cluster) = cluster.upgrade()
        {
            return Some(cluster);
        }
        let cluster = core.clusters.borrow().get(choice.cluster()).cloned()?;
        known.cluster = Some((choice.clone(), Rc::downgrade(&cluster)));
        Some(cluster)
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

    /// Makes the request into the one that the route sends.
    fn prepare(
        &self,
        exchange: &mut Exchange,
        choice: &Choice,
        head: &mut request::Parts,
    ) -> Result<(), Box<LocalReply>> {
        if !with_target(head, &exchange.authority, &exchange.path) {
            return Err(Box::new(LocalReply::no_host_header()));
        }
        choice.apply_to_request(head, Some(exchange.downstream.peer_address));
        if head.uri.path_and_query() != Some(&exchange.path)
            && let Ok(original) = HeaderValue::from_str(exchange.path.as_str())
        {
            head.headers.insert(headers::ORIGINAL_PATH, original);
            exchange.note(|notes| notes.original_path = None);
        }
        if let Some(timeout) = choice.entry().timeout() {
            let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            head.headers
                .insert(headers::EXPECTED_TIMEOUT, HeaderValue::from(millis));
        }
        Ok(())
    }

    fn hash(
        &self,
        cluster: &ClusterRuntime,
        exchange: &Exchange,
        head: &request::Parts,
    ) -> Option<crate::route::RequestHash> {
        if !cluster.hashes() {
            return None;
        }
        let config = cluster.config();
        let LoadBalancer::Hash { key, .. } = &config.load_balancer.value else {
            return None;
        };
        let peer = exchange.downstream.peer_address;
        let view = RequestView::of(head, exchange.authority.port, Some(peer));
        let connection = u64::from(peer.port());
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

/// An answer made by the route: a redirect or a direct response.
fn answer(mut exchange: Box<Exchange>, response: Response<Bytes>) -> Response<ResponseBody> {
    exchange.status = response.status().as_u16();
    exchange.details = "direct_response".into();
    response.map(|body| ResponseBody::local(body, exchange))
}
