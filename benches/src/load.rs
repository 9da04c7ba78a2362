//! The apps at both ends of a path: who calls, who answers, and the count.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use mesh_core::seam::{Instant, Seams};

use crate::bare::{Bare, Pool, serve1};

/// Where an app listens.
pub(crate) const APP: u16 = 8080;
/// Where an app dials its proxy.
pub(crate) const OUTBOUND: u16 = 15001;

/// A port of the pod's own.
pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// What came of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Requests answered 200.
    pub answered: u64,
    /// All other requests.
    pub failed: u64,
    /// Sum of the latencies of all.
    pub latency_sum: Duration,
}

/// The count, while it goes on.
#[derive(Default)]
pub struct Tally {
    answered: Cell<u64>,
    failed: Cell<u64>,
    latency_sum: Cell<Duration>,
}

impl Tally {
    /// An empty one.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// The count so far.
    pub fn answers(&self) -> Answers {
        Answers {
            answered: self.answered.get(),
            failed: self.failed.get(),
            latency_sum: self.latency_sum.get(),
        }
    }

    fn add(&self, ok: bool, took: Duration) {
        let counter = if ok { &self.answered } else { &self.failed };
        counter.set(counter.get() + 1);
        self.latency_sum.set(self.latency_sum.get() + took);
    }
}

/// One client's share of a load.
pub(crate) struct Calls {
    pub(crate) load: Bare,
    /// When the load begins.
    pub(crate) start: Duration,
    /// Which client this is.
    pub(crate) pair: u32,
    /// Whom it calls.
    pub(crate) authority: String,
}

impl Calls {
    /// Sends requests to the proxy at `proxy` at even intervals, whatever the answers (open loop).
    pub(crate) async fn make(self, seams: Seams, proxy: SocketAddr, tally: Rc<Tally>) {
        let load = &self.load;
        let pairs = load.pods / 2;
        let pool = Pool::new(&seams, proxy);
        let body = Bytes::from(vec![b'x'; load.body_bytes]);
        let authority: Rc<str> = self.authority.into();
        let nanos = |n: u64| Duration::from_nanos((n as f64 * 1e9 / load.per_second) as u64);
        for n in (u64::from(self.pair)..load.requests()).step_by(pairs as usize) {
            let due = Instant::ZERO + self.start + nanos(n);
            seams.clock.sleep_until(due).await;
            let (clock, pool, body) = (seams.clock.clone(), pool.clone(), body.clone());
            let (authority, tally) = (authority.clone(), tally.clone());
            seams.spawn(async move {
                let ok = call(&pool, &authority, body).await;
                tally.add(ok, clock.now().since(due));
            });
        }
    }
}

async fn call(pool: &Rc<Pool<Full<Bytes>>>, authority: &str, body: Bytes) -> bool {
    let request = Request::post("/echo")
        .header("host", authority)
        .body(Full::new(body))
        .expect("a well-formed request");
    match pool.send(request).await {
        Some(Ok((answer, sender))) if answer.status() == 200 => {
            let whole = answer.into_body().collect().await.is_ok();
            pool.put(sender);
            whole
        }
        _ => false,
    }
}

/// Answers each request with its own body.
pub(crate) async fn echo_app(seams: Seams) {
    let Ok(mut listener) = seams.network.listen(local(APP)).await else {
        return;
    };
    while let Ok(connection) = listener.accept().await {
        serve1(
            &seams,
            connection,
            service_fn(|request: Request<Incoming>| async move {
                Ok::<_, hyper::Error>(Response::new(request.into_body()))
            }),
        );
    }
}
