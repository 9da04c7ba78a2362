//! The bare path: what a request costs when nobody makes a decision.
//!
//! App client → pass-through proxy → mutual TLS, HTTP/2 → pass-through proxy →
//! echo app, on the fabric: the same hops, bytes and handshakes as a meshed
//! request, by hyper and rustls alone. The mesh's own path is measured against
//! this one.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1 as client1, http2 as client2};
use hyper::header::HeaderValue;
use hyper::server::conn::{http1 as server1, http2 as server2};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use mesh_core::seam::{Connection, Executor, HyperTimer, Instant, Seams, TlsTime};
use mesh_core::telemetry::NullObserver;
use meshquake::fabric::{
    Fabric, FabricConfig, FabricError, FabricStats, HostId, HostSpec, Sweeping,
};
use meshquake::plan::{Distribution, LinkPlan, LinkQuality};
use rustls_pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tls::Identity;

const APP: u16 = 8080;
const OUTBOUND: u16 = 15001;
const INBOUND: u16 = 15006;

type Sent = Result<Response<Incoming>, hyper::Error>;

/// A load on bare pods: the first half are clients, each calling its own server in the second half.
#[derive(Clone, Debug)]
pub struct Bare {
    /// Pods, an even number.
    pub pods: u32,
    /// Requests per second of all clients together.
    pub per_second: f64,
    /// Virtual length of the load.
    pub duration: Duration,
    /// One-way latency of every link.
    pub latency: Distribution,
    /// Bytes of request body, sent back as the answer's.
    pub body_bytes: usize,
    /// When kernels are swept.
    pub sweeping: Sweeping,
}

impl Default for Bare {
    fn default() -> Self {
        Self {
            pods: 10,
            per_second: 2000.0,
            duration: Duration::from_secs(10),
            latency: Distribution::Constant(Duration::from_micros(500)),
            body_bytes: 100,
            sweeping: Sweeping::Late,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Requests answered 200.
    pub answered: u64,
    /// All other requests.
    pub failed: u64,
    /// Sum of the latencies of those answered.
    pub latency_sum: Duration,
    /// What the fabric did.
    pub stats: FabricStats,
}

#[derive(Default)]
struct Tally {
    answered: Cell<u64>,
    failed: Cell<u64>,
    latency_sum: Cell<Duration>,
}

/// Runs the load to its end.
///
/// # Errors
/// A task panicked, or time stood still.
pub fn run(load: &Bare) -> Result<Outcome, FabricError> {
    let mut fabric = Fabric::new(config(load))?;
    let tally = Rc::new(Tally::default());
    let pairs = load.pods / 2;
    let identity = Identity::new();
    for pair in 0..pairs {
        let (client, server) = (HostId::new(pair), HostId::new(pairs + pair));
        let seams = fabric.seams(server, Rc::new(NullObserver));
        let tls = identity.server(TlsTime(seams.clock.clone()));
        fabric.start(server, move || Box::pin(serve_pod(seams, tls)));
        let seams = fabric.seams(client, Rc::new(NullObserver));
        let tls = identity.client(TlsTime(seams.clock.clone()));
        let (load, tally) = (load.clone(), tally.clone());
        fabric.start(client, move || {
            Box::pin(client_pod(seams, tls, load, pair, tally))
        });
    }
    let end = Instant::ZERO + START + load.duration + Duration::from_secs(1);
    fabric.run_until(end)?;
    Ok(Outcome {
        answered: tally.answered.get(),
        failed: tally.failed.get(),
        latency_sum: tally.latency_sum.get(),
        stats: fabric.stats(),
    })
}

/// Clients begin when servers listen.
const START: Duration = Duration::from_millis(1);

fn config(load: &Bare) -> FabricConfig {
    let host = |position: u32| HostSpec {
        name: format!("pod-{position}").into(),
        ip: ip(position),
        region: "region".into(),
        zone: "zone".into(),
    };
    let quality = LinkQuality {
        latency: load.latency.clone(),
        loss: 0.0,
        bandwidth_bps: None,
        queue_bytes_max: None,
    };
    let links = LinkPlan {
        same_zone: quality.clone(),
        cross_zone: quality.clone(),
        cross_region: quality,
    };
    let epoch = Duration::from_secs(1_750_000_000);
    let mut config = FabricConfig::new(1, epoch, (0..load.pods).map(host).collect(), links);
    config.sweeping = load.sweeping;
    config
}

fn ip(position: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0001 + position).into()
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Sends requests at even intervals whatever the answers (open loop).
async fn client_pod(
    seams: Seams,
    tls: Arc<rustls::ClientConfig>,
    load: Bare,
    pair: u32,
    tally: Rc<Tally>,
) {
    let pairs = load.pods / 2;
    let peer = (ip(pairs + pair), INBOUND).into();
    let connector = TlsConnector::from(tls);
    seams.spawn(outbound(seams.clone(), connector, peer));
    let pool = Pool::new(&seams, local(OUTBOUND));
    let body = Bytes::from(vec![b'x'; load.body_bytes]);
    let requests = (load.per_second * load.duration.as_secs_f64()) as u64;
    let nanos = |n: u64| Duration::from_nanos((n as f64 * 1e9 / load.per_second) as u64);
    for n in (u64::from(pair)..requests).step_by(pairs as usize) {
        let due = Instant::ZERO + START + nanos(n);
        seams.clock.sleep_until(due).await;
        let (seams_, pool, body, tally) =
            (seams.clone(), pool.clone(), body.clone(), tally.clone());
        seams.spawn(async move {
            let ok = request(&pool, body).await;
            let counter = if ok { &tally.answered } else { &tally.failed };
            counter.set(counter.get() + 1);
            let took = seams_.now().since(due);
            tally.latency_sum.set(tally.latency_sum.get() + took);
        });
    }
}

async fn request(pool: &Rc<Pool<Full<Bytes>>>, body: Bytes) -> bool {
    let request = Request::post("/echo")
        .header("host", "server")
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

/// Idle HTTP/1.1 connections to one address.
struct Pool<B> {
    seams: Seams,
    peer: SocketAddr,
    idle: RefCell<Vec<client1::SendRequest<B>>>,
}

impl<B> Pool<B>
where
    B: hyper::body::Body + 'static,
    B::Data: Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn new(seams: &Seams, peer: SocketAddr) -> Rc<Self> {
        Rc::new(Self {
            seams: seams.clone(),
            peer,
            idle: RefCell::new(Vec::new()),
        })
    }

    async fn send(
        &self,
        request: Request<B>,
    ) -> Option<Result<(Response<Incoming>, client1::SendRequest<B>), hyper::Error>> {
        let idle = self.idle.borrow_mut().pop();
        let mut sender = match idle {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await.ok()?;
        let sent = sender.send_request(request).await;
        Some(sent.map(|answer| (answer, sender)))
    }

    fn put(&self, sender: client1::SendRequest<B>) {
        self.idle.borrow_mut().push(sender);
    }

    async fn connect(&self) -> Option<client1::SendRequest<B>> {
        let connection = self.seams.network.connect(self.peer).await.ok()?;
        let io = TokioIo::new(connection.io);
        let (sender, driver) = client1::handshake(io).await.ok()?;
        self.seams.spawn(async move {
            let _ = driver.await;
        });
        Some(sender)
    }
}

/// HTTP/1.1 in, one shared HTTP/2 connection out.
async fn outbound(seams: Seams, connector: TlsConnector, peer: SocketAddr) {
    let Ok(mut listener) = seams.network.listen(local(OUTBOUND)).await else {
        return;
    };
    let upstream = Rc::new(Upstream {
        seams: seams.clone(),
        connector,
        peer,
        sender: tokio::sync::Mutex::new(None),
    });
    while let Ok(connection) = listener.accept().await {
        let upstream = upstream.clone();
        let service = service_fn(move |request| {
            let upstream = upstream.clone();
            async move { upstream.send(request).await }
        });
        serve1(&seams, connection, service);
    }
}

fn serve1<S, B>(seams: &Seams, connection: Connection, service: S)
where
    S: hyper::service::HttpService<Incoming, ResBody = B> + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut server = server1::Builder::new();
    server
        .timer(HyperTimer::new(seams.clock.clone()))
        // It would also end idle connections, and these are kept.
        .header_read_timeout(None)
        .auto_date_header(false);
    let driver = server.serve_connection(TokioIo::new(connection.io), service);
    seams.spawn(async move {
        let _ = driver.await;
    });
}

struct Upstream {
    seams: Seams,
    connector: TlsConnector,
    peer: SocketAddr,
    sender: tokio::sync::Mutex<Option<client2::SendRequest<Incoming>>>,
}

impl Upstream {
    async fn send(&self, request: Request<Incoming>) -> Sent {
        let mut sender = self.ready().await;
        let (mut parts, body) = request.into_parts();
        parts.uri = Uri::from_static("https://server/echo");
        parts.version = hyper::Version::HTTP_2;
        parts.headers.remove("host");
        sender.send_request(Request::from_parts(parts, body)).await
    }

    async fn ready(&self) -> client2::SendRequest<Incoming> {
        let mut slot = self.sender.lock().await;
        if let Some(sender) = slot.as_ref() {
            return sender.clone();
        }
        let sender = self.connect().await.expect("the server pod is up");
        slot.insert(sender).clone()
    }

    async fn connect(&self) -> Option<client2::SendRequest<Incoming>> {
        let connection = self.seams.network.connect(self.peer).await.ok()?;
        let name = ServerName::try_from("pod").ok()?;
        let tls = self.connector.connect(name, connection.io).await.ok()?;
        let (sender, driver) = client2::Builder::new(Executor(self.seams.spawn.clone()))
            .timer(HyperTimer::new(self.seams.clock.clone()))
            .handshake(TokioIo::new(tls))
            .await
            .ok()?;
        self.seams.spawn(async move {
            let _ = driver.await;
        });
        Some(sender)
    }
}

async fn serve_pod(seams: Seams, tls: Arc<rustls::ServerConfig>) {
    seams.spawn(echo_app(seams.clone()));
    let acceptor = TlsAcceptor::from(tls);
    let Ok(mut listener) = seams
        .network
        .listen((Ipv4Addr::UNSPECIFIED, INBOUND).into())
        .await
    else {
        return;
    };
    let pool = Pool::<Incoming>::new(&seams, local(APP));
    while let Ok(connection) = listener.accept().await {
        let (acceptor, pool) = (acceptor.clone(), pool.clone());
        seams.spawn(inbound(seams.clone(), connection, acceptor, pool));
    }
}

/// HTTP/2 in, HTTP/1.1 out.
async fn inbound(
    seams: Seams,
    connection: Connection,
    acceptor: TlsAcceptor,
    pool: Rc<Pool<Incoming>>,
) {
    let Ok(tls) = acceptor.accept(connection.io).await else {
        return;
    };
    let service = service_fn(move |request| {
        let pool = pool.clone();
        async move { forward(&pool, request).await }
    });
    let mut server = server2::Builder::new(Executor(seams.spawn.clone()));
    server
        .timer(HyperTimer::new(seams.clock.clone()))
        .auto_date_header(false);
    let _ = server.serve_connection(TokioIo::new(tls), service).await;
}

async fn forward(
    pool: &Rc<Pool<Incoming>>,
    request: Request<Incoming>,
) -> Result<Response<Returning<Incoming>>, hyper::Error> {
    let (mut parts, body) = request.into_parts();
    parts.uri = Uri::from_static("/echo");
    parts.version = hyper::Version::HTTP_11;
    let host = HeaderValue::from_static("server");
    parts.headers.insert("host", host);
    let request = Request::from_parts(parts, body);
    let sent = pool.send(request).await.expect("the app is up");
    let (answer, sender) = sent?;
    Ok(answer.map(|body| Returning {
        body,
        sender: Some(sender),
        pool: pool.clone(),
    }))
}

/// A body that gives its connection back to the pool when it ends.
struct Returning<B> {
    body: Incoming,
    sender: Option<client1::SendRequest<B>>,
    pool: Rc<Pool<B>>,
}

impl<B> Drop for Returning<B> {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.pool.idle.borrow_mut().push(sender);
        }
    }
}

impl<B> hyper::body::Body for Returning<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, hyper::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

async fn echo_app(seams: Seams) {
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
