//! Mirrors: copies of requests whose answers nobody reads.
//!
//! A copy is sent once the request has been received completely, once however
//! often the request itself is retried, with `-shadow` appended to the host
//! (observed: cases `mirror_basic`, `mirror_percentage_retry`).

use std::rc::Rc;

use http::{HeaderValue, Request, Uri, header, request};
use http_body_util::BodyExt as _;

use super::cluster::ClusterRuntime;
use super::headers::ATTEMPT_COUNT;
use super::request_body::RequestBody;
use super::sidecar::Core;
use crate::policy::RetryPolicy;
use crate::route::shadow_authority;
use crate::seam::Instant;
use crate::telemetry::{
    AttemptEvent, Direction, Event, ResponseFlag, ResponseFlags, TlsState, TraceContext,
};

/// Sends a copy of the request to `cluster` in the background.
pub(crate) fn send(
    core: &Rc<Core>,
    cluster: &Rc<ClusterRuntime>,
    trace: TraceContext,
    head: &request::Parts,
    body: &RequestBody,
) {
    let (core, cluster, head, body) = (core.clone(), cluster.clone(), head.clone(), body.clone());
    let seams = core.seams.clone();
    seams.spawn(async move {
        std::future::poll_fn(|cx| body.poll_ended(cx)).await;
        // A body too large to keep, or broken off, is not mirrored (Envoy abandons the shadow).
        if body.can_replay() && !body.failed() {
            deliver(&core, &cluster, trace, &head, &body).await;
        }
    });
}

async fn deliver(
    core: &Core,
    cluster: &Rc<ClusterRuntime>,
    trace: TraceContext,
    head: &request::Parts,
    body: &RequestBody,
) {
    let start = core.seams.now();
    let Some(_permit) = cluster.admit() else {
        return;
    };
    let Some(picked) = cluster.pick(None, &RetryPolicy::none(), &[]) else {
        let flags = ResponseFlag::NoHealthyUpstream.into();
        return observe(core, cluster, trace, start, "", 0, flags, TlsState::Plain);
    };
    let host = picked.host;
    let _active = host.begin(start);
    let Ok(mut lease) = host.acquire().await else {
        let flags = ResponseFlag::UpstreamConnectionFailure.into();
        return observe(
            core,
            cluster,
            trace,
            start,
            &host.workload(),
            0,
            flags,
            TlsState::Plain,
        );
    };
    let tls = lease.tls();
    let sent = match lease.ready().await {
        Ok(()) => {
            let copy = copy(head, body, lease.is_http2());
            lease.send(copy).await.map_err(|failure| failure.error)
        }
        Err(error) => Err(error),
    };
    let (status, flags) = match sent {
        Ok(response) => {
            let status = response.status().as_u16();
            if response.into_body().collect().await.is_ok() {
                lease.finish();
            }
            (status, ResponseFlags::NONE)
        }
        Err(_) if lease.refusal().is_some() => (0, ResponseFlag::UpstreamConnectionFailure.into()),
        Err(_) => (0, ResponseFlag::UpstreamConnectionTermination.into()),
    };
    observe(
        core,
        cluster,
        trace,
        start,
        &host.workload(),
        status,
        flags,
        tls,
    );
}

fn copy(
    head: &request::Parts,
    body: &RequestBody,
    http2: bool,
) -> Request<super::request_body::AttemptBody> {
    let authority = head.uri.authority().map_or("", |a| a.as_str());
    let shadow = shadow_authority(authority);
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut request = Request::new(body.attempt());
    *request.method_mut() = head.method.clone();
    *request.headers_mut() = head.headers.clone();
    let uri = match http2 {
        true => format!("http://{shadow}{path}"),
        false => path.to_owned(),
    };
    *request.uri_mut() = uri.parse().unwrap_or_else(|_| Uri::from_static("/"));
    request.headers_mut().remove(header::HOST);
    if !http2 && let Ok(host) = HeaderValue::from_str(&shadow) {
        request.headers_mut().insert(header::HOST, host);
    }
    request
        .headers_mut()
        .insert("x-envoy-internal", HeaderValue::from_static("true"));
    request
        .headers_mut()
        .insert(ATTEMPT_COUNT, HeaderValue::from_static("1"));
    request
}

#[expect(clippy::too_many_arguments, reason = "one event, field by field")]
fn observe(
    core: &Core,
    cluster: &ClusterRuntime,
    trace: TraceContext,
    start: Instant,
    upstream: &str,
    status: u16,
    flags: ResponseFlags,
    tls: TlsState,
) {
    let now = core.seams.now();
    let event = AttemptEvent {
        direction: Direction::Outbound,
        trace: trace.trace,
        cluster: &cluster.name(),
        upstream,
        number: 1,
        start,
        duration: now.since(start),
        status,
        flags,
        tls,
        mirror: true,
    };
    core.seams.observer.observe(now, &Event::Attempt(event));
}
