//! The router: route tables made ready, and the decision for one request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::host::DomainIndex;
use super::matching::Matcher;
use super::mutation::Mutations;
use super::redirect::Target;
use super::rewrite::{PathEdit, set_authority, set_path};
use super::{DomainMatch, Mismatch, RequestView};
use crate::control::{ClusterName, RouteTable, VirtualHost};
use crate::policy::{Destination, Forward, Mirror, Route, RouteAction};
use crate::seam::Rng;

/// All route tables of a sidecar, ready to route. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Router {
    /// By port, ascending.
    tables: Vec<Arc<Table>>,
}

#[derive(Debug)]
struct Table {
    /// What it was made from.
    source: Arc<RouteTable>,
    domains: DomainIndex,
    hosts: Vec<Arc<Host>>,
}

/// A virtual host, ready to route.
#[derive(Debug)]
pub struct Host {
    name: Arc<str>,
    entries: Box<[Arc<RouteEntry>]>,
}

/// What happens to a request.
#[derive(Debug)]
pub enum Decision {
    /// It goes to a destination.
    Forward(Choice),
    /// The proxy answers by itself (details `direct_response`, no response flag): a redirect or a direct response.
    Answer(Arc<RouteEntry>, Response<Bytes>),
    /// The route has no destination with a weight: 503 with flag `NC`, as for a cluster that does not exist.
    NoDestination(Arc<RouteEntry>),
    /// The named virtual host has no route for it: 404 with flag `NR`.
    NoRoute(Arc<str>),
    /// No virtual host: passed through to the address dialled when the outbound listener allows any; otherwise
    /// 502, as Istio's `block_all` answers under `REGISTRY_ONLY` (pilot `buildCatchAllVirtualHost`).
    NoHost,
}

impl Router {
    /// Makes `tables` ready. Of several tables for one port, and of equal domains, the first counts.
    pub fn new(tables: &[Arc<RouteTable>]) -> Self {
        Self::default().updated(tables)
    }

    /// Makes `tables` ready, taking over from here whatever was made from the same `Arc`: after a push only
    /// what it changed costs anything, and the sidecars of a mesh can start from one router.
    #[must_use]
    pub fn updated(&self, tables: &[Arc<RouteTable>]) -> Self {
        let mut router = Self::default();
        for source in tables {
            if let Err(place) = router.position(source.port) {
                let known = self.position(source.port).ok().map(|at| &self.tables[at]);
                let known = known.filter(|table| Arc::ptr_eq(&table.source, source));
                let table = known
                    .cloned()
                    .unwrap_or_else(|| Arc::new(Table::new(source)));
                router.tables.insert(place, table);
            }
        }
        router
    }

    /// The virtual host of `authority` on `port`, and the domain that took it.
    pub fn find(&self, port: u16, authority: &str) -> Option<(&Arc<Host>, DomainMatch<'_>)> {
        let table = &self.tables[self.position(port).ok()?];
        let (host, domain) = table.domains.find(authority)?;
        Some((&table.hosts[host], domain))
    }

    /// Decides about `request`. `rng` is drawn from only when more than one destination has a weight.
    pub fn route(&self, request: &RequestView<'_>, rng: &mut Rng) -> Decision {
        match self.find(request.port, request.authority) {
            Some((host, _)) => host.route(request, rng),
            None => Decision::NoHost,
        }
    }

    /// Where the table of `port` is, or would be.
    fn position(&self, port: u16) -> Result<usize, usize> {
        self.tables
            .binary_search_by_key(&port, |table| table.source.port)
    }
}

impl Table {
    fn new(source: &Arc<RouteTable>) -> Self {
        let mut domains = DomainIndex::default();
        for (place, host) in source.hosts.iter().enumerate() {
            for domain in &host.domains {
                domains.insert(domain, place);
            }
        }
        let host = |host: &VirtualHost| Host::new(host, source.port);
        Self {
            hosts: source.hosts.iter().map(host).map(Arc::new).collect(),
            source: source.clone(),
            domains,
        }
    }
}

impl Host {
    fn new(host: &VirtualHost, port: u16) -> Self {
        let entries = host.routes.iter();
        let entries = entries.filter_map(|route| RouteEntry::new(route, port).map(Arc::new));
        Self {
            name: host.name.clone(),
            entries: entries.collect(),
        }
    }

    /// Its name, `host:port`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Decides about a request to it, as [`Router::route`] does.
    pub fn route(&self, request: &RequestView<'_>, rng: &mut Rng) -> Decision {
        let matching = |entry: &&Arc<RouteEntry>| entry.mismatch(request).is_none();
        match self.entries.iter().find(matching) {
            Some(entry) => RouteEntry::decide(entry, request, rng),
            None => Decision::NoRoute(self.name.clone()),
        }
    }

    /// What is decided about every request to it, if that depends on nothing but the host: its first route
    /// has no conditions and one destination, as that of a service without rules.
    pub fn sole(&self) -> Option<Choice> {
        let entry = self.entries.first()?;
        let Action::Forward(forwarding) = &entry.action else {
            return None;
        };
        match &*forwarding.shares {
            [(_, destination)] if entry.matcher.takes_all() => Some(Choice {
                entry: entry.clone(),
                destination: *destination,
            }),
            _ => None,
        }
    }

    /// Its routes, in order.
    pub fn entries(&self) -> &[Arc<RouteEntry>] {
        &self.entries
    }
}

/// A route, ready to be matched and applied.
#[derive(Debug)]
#[repr(C)] // What every request asks for is side by side.
pub struct RouteEntry {
    route: Arc<Route>,
    name: Box<str>,
    timeout: Option<Duration>,
    /// Whether there are faults or a limit.
    filtered: bool,
    /// Whether requests and answers are passed on as they are.
    plain: bool,
    /// Whether copies are sent.
    mirrored: bool,
    matcher: Matcher,
    action: Action,
    mirrors: Box<[ClusterName]>,
    request_headers: Mutations,
    response_headers: Mutations,
}

#[derive(Debug)]
enum Action {
    Forward(Forwarding),
    Redirect(Target, StatusCode),
    Direct(StatusCode, Bytes),
}

#[derive(Debug)]
struct Forwarding {
    destinations: Box<[Place]>,
    /// For each destination that has a weight: the sum of weights up to and including it, and its index.
    shares: Box<[(u64, usize)]>,
    path: Option<PathEdit>,
    authority: Option<String>,
}

/// One weighted destination.
#[derive(Debug)]
struct Place {
    cluster: ClusterName,
    request_headers: Mutations,
    response_headers: Mutations,
}

impl RouteEntry {
    /// `None` for a delegation, which dialects resolve: one left over leads nowhere.
    fn new(route: &Arc<Route>, port: u16) -> Option<Self> {
        let matched = &route.matcher.path;
        let request_headers = Mutations::new(&route.request_headers);
        let action = match &route.action {
            RouteAction::Forward(forward) => Action::Forward(Forwarding {
                path: forward
                    .path_rewrite
                    .as_ref()
                    .and_then(|rewrite| PathEdit::new(rewrite, matched)),
                authority: forward
                    .authority_rewrite
                    .clone()
                    .filter(|authority| !authority.is_empty())
                    .or_else(|| request_headers.authority.clone()),
                shares: shares(forward),
                destinations: places(forward, port),
            }),
            RouteAction::Redirect(redirect) => {
                let status = status(redirect.status, StatusCode::MOVED_PERMANENTLY);
                Action::Redirect(Target::new(redirect, matched), status)
            }
            RouteAction::Direct(direct) => {
                let status = status(direct.status, StatusCode::INTERNAL_SERVER_ERROR);
                Action::Direct(status, Bytes::copy_from_slice(&direct.body))
            }
            RouteAction::Delegate(_) => return None,
        };
        let mirror = |mirror: &Mirror| cluster(&mirror.destination, port);
        let response_headers = Mutations::new(&route.response_headers);
        Some(Self {
            name: route.name.as_str().into(),
            timeout: route.timeout.value,
            filtered: route.fault.is_some() || route.rate_limit.is_some(),
            plain: action.is_plain() && request_headers.is_empty() && response_headers.is_empty(),
            mirrored: !route.mirrors.is_empty(),
            matcher: Matcher::new(&route.matcher),
            mirrors: route.mirrors.iter().map(mirror).collect(),
            response_headers,
            request_headers,
            action,
            route: route.clone(),
        })
    }

    /// The route as configured.
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// The first of its conditions that `request` does not meet; `None` when it meets all.
    pub fn mismatch(&self, request: &RequestView<'_>) -> Option<Mismatch> {
        self.matcher.first_mismatch(request)
    }

    /// The clusters of its weighted destinations, in order; none when it does not forward.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterName> {
        let destinations = match &self.action {
            Action::Forward(forwarding) => &*forwarding.destinations,
            Action::Redirect(..) | Action::Direct(..) => &[],
        };
        destinations.iter().map(|place| &place.cluster)
    }

    /// Every destination as if it had been drawn, in order; none when the route does not forward.
    pub fn choices(entry: &Arc<Self>) -> impl Iterator<Item = Choice> {
        let choice = |destination| Choice {
            entry: entry.clone(),
            destination,
        };
        (0..entry.clusters().count()).map(choice)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bound on the whole request.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether faults are injected or requests limited.
    pub fn is_filtered(&self) -> bool {
        self.filtered
    }

    /// Whether copies of a request go anywhere.
    pub fn is_mirrored(&self) -> bool {
        self.mirrored
    }

    /// Where copies of a request go.
    pub fn mirrors(&self) -> impl Iterator<Item = (&Mirror, &ClusterName)> {
        self.route.mirrors.iter().zip(&self.mirrors)
    }

    /// What happens to `request`, which matched. `rng` is drawn from only when more than one destination has a weight.
    pub fn decide(entry: &Arc<Self>, request: &RequestView<'_>, rng: &mut Rng) -> Decision {
        let mut response = match &entry.action {
            Action::Forward(forwarding) => {
                return match forwarding.draw(rng) {
                    Some(destination) => Decision::Forward(Choice {
                        entry: entry.clone(),
                        destination,
                    }),
                    None => Decision::NoDestination(entry.clone()),
                };
            }
            Action::Redirect(target, status) => redirect(&target.location(request), *status),
            Action::Direct(status, body) => direct(*status, body),
        };
        let mutations = &entry.response_headers;
        mutations.apply_to_response(response.headers_mut(), Some(request));
        Decision::Answer(entry.clone(), response)
    }
}

impl Action {
    /// Whether a request is forwarded as it is.
    fn is_plain(&self) -> bool {
        let Self::Forward(forwarding) = self else {
            return false;
        };
        let untouched =
            |place: &Place| place.request_headers.is_empty() && place.response_headers.is_empty();
        forwarding.path.is_none()
            && forwarding.authority.is_none()
            && forwarding.destinations.iter().all(untouched)
    }
}

impl Forwarding {
    /// An independent draw, each destination in proportion to its weight.
    fn draw(&self, rng: &mut Rng) -> Option<usize> {
        let (last, rest) = self.shares.split_last()?;
        if rest.is_empty() {
            return Some(last.1);
        }
        let ticket = rng.below(last.0);
        let drawn = rest.iter().find(|(upto, _)| ticket < *upto);
        Some(drawn.unwrap_or(last).1)
    }
}

fn shares(forward: &Forward) -> Box<[(u64, usize)]> {
    let mut sum = 0;
    let weighted = forward.destinations.iter().enumerate();
    let weighted = weighted.filter(|(_, destination)| destination.weight > 0);
    let share = |(index, destination): (usize, &crate::policy::WeightedDestination)| {
        sum += u64::from(destination.weight);
        (sum, index)
    };
    weighted.map(share).collect()
}

fn places(forward: &Forward, port: u16) -> Box<[Place]> {
    let place = |destination: &crate::policy::WeightedDestination| Place {
        cluster: cluster(&destination.destination, port),
        request_headers: Mutations::new(&destination.request_headers),
        response_headers: Mutations::new(&destination.response_headers),
    };
    forward.destinations.iter().map(place).collect()
}

/// The cluster of a destination in the table of `port`.
fn cluster(destination: &Destination, port: u16) -> ClusterName {
    let port = destination.port.unwrap_or(port);
    ClusterName::outbound(port, destination.subset.as_deref(), &destination.host)
}

fn status(code: u16, otherwise: StatusCode) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(otherwise)
}

fn redirect(location: &str, status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn direct(status: StatusCode, body: &Bytes) -> Response<Bytes> {
    let mut response = Response::new(body.clone());
    *response.status_mut() = status;
    if !body.is_empty() {
        let text = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(CONTENT_TYPE, text);
    }
    response
}

/// A route and the destination drawn. All attempts of a request, and its response, keep to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Choice {
    entry: Arc<RouteEntry>,
    destination: usize,
}

impl Choice {
    /// Whether it is the same destination of the same route.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.entry, &other.entry) && self.destination == other.destination
    }

    /// The route.
    pub fn route(&self) -> &Arc<Route> {
        &self.entry.route
    }

    /// The route, made ready.
    pub fn entry(&self) -> &Arc<RouteEntry> {
        &self.entry
    }

    /// The index of the destination drawn.
    pub fn destination(&self) -> usize {
        self.destination
    }

    /// The cluster drawn. It may not exist: 503 with flag `NC`.
    pub fn cluster(&self) -> &ClusterName {
        &self.parts().1.cluster
    }

    /// Changes the request received from `peer` into the one to send: headers, then authority, then path.
    /// Mutations of the destination come before the route's, whose authority wins
    /// (Envoy `WeightedClusterEntry::finalizeRequestHeaders`).
    pub fn apply_to_request(&self, request: &mut Parts, peer: Option<SocketAddr>) {
        if self.entry.plain {
            return;
        }
        let (forwarding, place) = self.parts();
        place.request_headers.apply_to_request(request, peer);
        self.entry.request_headers.apply_to_request(request, peer);
        let drawn = &place.request_headers.authority;
        if let Some(authority) = forwarding.authority.as_ref().or(drawn.as_ref()) {
            set_authority(request, authority);
        }
        if let Some(edit) = &forwarding.path {
            let path = request
                .uri
                .path_and_query()
                .map_or("/", |path| path.as_str());
            set_path(request, &edit.apply(path));
        }
    }

    /// Changes the response to `request`, when that is still known.
    pub fn apply_to_response(&self, headers: &mut HeaderMap, request: Option<&RequestView<'_>>) {
        if self.entry.plain {
            return;
        }
        let (_, place) = self.parts();
        place.response_headers.apply_to_response(headers, request);
        self.entry
            .response_headers
            .apply_to_response(headers, request);
    }

    fn parts(&self) -> (&Forwarding, &Place) {
        match &self.entry.action {
            Action::Forward(forwarding) => (forwarding, &forwarding.destinations[self.destination]),
            Action::Redirect(..) | Action::Direct(..) => {
                unreachable!("a choice is only made of a route that forwards")
            }
        }
    }
}

#[cfg(test)]
mod tests;
