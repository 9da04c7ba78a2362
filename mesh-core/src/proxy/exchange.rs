//! The bookkeeping of one request through the proxy, from its headers to the
//! end of its answer. Whatever happens in between, exactly one request event
//! comes out.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Uri, request};

use super::headers::Seen;
use super::outbound::Known;
use super::request_body::RequestBody;
use super::response_body::Answering;
use super::serve::Activity;
use crate::route::RouteEntry;
use crate::seam::{Instant, Seams};
use crate::telemetry::{
    AccessNotes, AttemptEvent, Direction, Event, Mechanism, MechanismEvent, RequestEvent,
    RequestTiming, ResponseFlag, ResponseFlags, TlsState, TraceContext,
};

/// What the requests of one downstream connection have in common.
#[repr(C)] // What every request asks for comes first, in as few cache lines as may be.
pub(crate) struct Downstream {
    /// What the last request was addressed to: the next one mostly is as well.
    pub(crate) addressed: RefCell<Rc<Addressed>>,
    pub(crate) activity: Activity,
    /// The authenticated peer's SPIFFE id; empty when there is none.
    pub(crate) peer: Arc<str>,
    /// `x-forwarded-client-cert` of the peer, inbound.
    pub(crate) client_cert: Option<http::HeaderValue>,
    pub(crate) direction: Direction,
    pub(crate) tls: TlsState,
    pub(crate) seams: Seams,
    pub(crate) peer_address: std::net::SocketAddr,
    pub(crate) local_address: std::net::SocketAddr,
    /// The server name (SNI) of its TLS handshake.
    pub(crate) server_name: Option<Arc<str>>,
}

/// What a request is addressed to, in the forms in which it is passed on; all share one text.
#[derive(Default)]
pub(crate) struct Addressed {
    text: Bytes,
    /// HTTP's default when it names none.
    pub(crate) port: u16,
    /// `None` when it is not an authority.
    pub(crate) authority: Option<Authority>,
    /// As a `host` header.
    pub(crate) host: Option<HeaderValue>,
    /// Where it led the last time.
    pub(crate) known: RefCell<Known>,
}

impl Addressed {
    fn new(text: &str) -> Self {
        let (_, port) = text.rsplit_once(':').unwrap_or_default();
        let text = Bytes::copy_from_slice(text.as_bytes());
        Self {
            port: port.parse().unwrap_or(80),
            authority: Authority::from_maybe_shared(text.clone()).ok(),
            host: HeaderValue::from_maybe_shared(text.clone()).ok(),
            text,
            known: RefCell::default(),
        }
    }
}

impl Deref for Addressed {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.authority {
            Some(authority) => authority.as_str(),
            None => std::str::from_utf8(&self.text).unwrap_or_default(),
        }
    }
}

impl Downstream {
    fn addressed(&self, text: &str) -> Rc<Addressed> {
        let mut last = self.addressed.borrow_mut();
        if last.text != text {
            *last = Rc::new(Addressed::new(text));
        }
        last.clone()
    }

    fn notes(&self, head: &request::Parts) -> Option<Box<AccessNotes>> {
        if !self.seams.observer.keeps_access_log() {
            return None;
        }
        let started = self.seams.clock.unix_time();
        let (local, remote) = (self.local_address, self.peer_address);
        let mut notes = AccessNotes::new(head, started, local, remote);
        notes.server_name = self.server_name.clone();
        Some(Box::new(notes))
    }
}

/// One request's record. Emits its event when it is dropped.
pub(crate) struct Exchange {
    pub(crate) downstream: Rc<Downstream>,
    pub(crate) start: Instant,
    pub(crate) trace: TraceContext,
    pub(crate) method: Method,
    pub(crate) authority: Rc<Addressed>,
    pub(crate) path: PathAndQuery,
    pub(crate) route: Option<Arc<RouteEntry>>,
    pub(crate) cluster: Option<Arc<str>>,
    pub(crate) upstream: Option<Arc<str>>,
    pub(crate) status: u16,
    pub(crate) flags: ResponseFlags,
    pub(crate) details: Cow<'static, str>,
    pub(crate) attempts: u32,
    pub(crate) body: Option<RequestBody>,
    pub(crate) response_bytes: u64,
    pub(crate) timing: RequestTiming,
    pub(crate) grpc: bool,
    pub(super) answering: Option<Answering>,
    /// Only where somebody keeps an access log.
    notes: Option<Box<AccessNotes>>,
    end: Option<Instant>,
}

impl Exchange {
    pub(crate) fn new(
        downstream: Rc<Downstream>,
        head: &request::Parts,
        seen: Seen,
        trace: TraceContext,
    ) -> Box<Self> {
        let room = Box::new_uninit();
        let start = downstream.seams.now();
        downstream.activity.begin();
        let exchange = Self {
            start,
            trace,
            method: head.method.clone(),
            authority: downstream.addressed(authority(head)),
            path: path(&head.uri),
            route: None,
            cluster: None,
            upstream: None,
            status: 0,
            flags: ResponseFlags::NONE,
            details: Cow::Borrowed(""),
            attempts: 0,
            body: None,
            response_bytes: 0,
            timing: RequestTiming::default(),
            grpc: seen.is_grpc(&head.headers),
            answering: None,
            notes: downstream.notes(head),
            end: None,
            downstream,
        };
        // Written where it stays.
        Box::write(room, exchange)
    }

    /// Takes a note for the access log, if there is one.
    pub(crate) fn note(&mut self, write: impl FnOnce(&mut AccessNotes)) {
        if let Some(notes) = &mut self.notes {
            write(notes);
        }
    }

    pub(crate) fn seams(&self) -> &Seams {
        &self.downstream.seams
    }

    /// The last byte of the answer has been handed over.
    pub(crate) fn complete(&mut self, now: Instant) {
        self.end.get_or_insert(now);
    }

    /// A mechanism acted on this request.
    #[cold]
    pub(crate) fn mechanism(&self, mechanism: Mechanism, detail: &str) {
        let subject = self.cluster.as_deref().unwrap_or(&self.authority);
        let event = Event::Mechanism(MechanismEvent {
            mechanism,
            subject,
            detail,
        });
        self.seams().observer.observe(self.seams().now(), &event);
    }

    /// One attempt ended.
    pub(crate) fn attempt(
        &self,
        number: u32,
        start: Instant,
        status: u16,
        flags: ResponseFlags,
        tls: TlsState,
    ) {
        let now = self.seams().now();
        let event = Event::Attempt(AttemptEvent {
            direction: self.downstream.direction,
            trace: self.trace.trace,
            cluster: self.cluster.as_deref().unwrap_or_default(),
            upstream: self.upstream.as_deref().unwrap_or_default(),
            number,
            start,
            duration: now.since(start),
            status,
            flags,
            tls,
            mirror: false,
        });
        self.seams().observer.observe(now, &event);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // What is left of an attempt goes before the story of its request is told.
        drop(self.answering.take());
        let now = self.seams().now();
        self.downstream.activity.end(now);
        let end = self.end.unwrap_or_else(|| {
            // Dropped before its end: the downstream has gone away.
            self.flags
                .insert(ResponseFlag::DownstreamConnectionTermination);
            self.details = Cow::Borrowed("downstream_remote_disconnect");
            now
        });
        let duration = end.since(self.start);
        let mut timing = self.timing;
        let spent = timing.fault + timing.backoff + timing.pool + timing.upstream;
        timing.other = duration.saturating_sub(spent);
        let pass = RequestEvent {
            direction: self.downstream.direction,
            trace: self.trace.trace,
            start: self.start,
            duration,
            method: self.method.as_str(),
            authority: &self.authority,
            path: self.path.as_str(),
            route: self.route.as_ref().map_or("", |route| route.name()),
            cluster: self.cluster.as_deref().unwrap_or_default(),
            upstream: self.upstream.as_deref().unwrap_or_default(),
            status: self.status,
            flags: self.flags,
            details: &self.details,
            attempts: self.attempts,
            request_bytes: self.body.as_ref().map_or(0, RequestBody::received),
            response_bytes: self.response_bytes,
            timing,
            peer: &self.downstream.peer,
            downstream_tls: self.downstream.tls,
        };
        let event = Event::Request(pass);
        let observer = &self.seams().observer;
        observer.observe(now, &event);
        if let (Event::Request(pass), Some(notes)) = (&event, &self.notes) {
            observer.log_access(pass, notes);
        }
    }
}

/// The request's authority: HTTP/2's pseudo-header, or `host`.
fn authority(head: &request::Parts) -> &str {
    match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head
            .headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default(),
    }
}

fn path(uri: &Uri) -> PathAndQuery {
    match uri.path_and_query() {
        Some(path) => path.clone(),
        None => PathAndQuery::from_static("/"),
    }
}
