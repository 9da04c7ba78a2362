//! Pass-through proxies: HTTP/1.1 to the app, HTTP/2 on mutual TLS to each other.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::client::conn::http2 as client2;
use hyper::header::HeaderValue;
use hyper::server::conn::{http1 as server1, http2 as server2};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use mesh_core::seam::{Connection, Executor, HyperTimer, Seams};
use rustls_pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::pool::{Pool, Returning};
use crate::load::{APP, OUTBOUND, local};

/// Where a pod's proxy hears its peers.
pub(super) const INBOUND: u16 = 15006;

type Sent = Result<Response<Incoming>, hyper::Error>;

/// HTTP/1.1 in, one shared HTTP/2 connection out.
pub(super) async fn outbound(seams: Seams, connector: TlsConnector, peer: SocketAddr) {
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

/// Serves HTTP/1.1 on `connection` until it ends.
pub(crate) fn serve1<S, B>(seams: &Seams, connection: Connection, service: S)
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

/// HTTP/2 in, HTTP/1.1 out.
pub(super) async fn inbound(seams: Seams, acceptor: TlsAcceptor) {
    let any = (Ipv4Addr::UNSPECIFIED, INBOUND).into();
    let Ok(mut listener) = seams.network.listen(any).await else {
        return;
    };
    let pool = Pool::<Incoming>::new(&seams, local(APP));
    while let Ok(connection) = listener.accept().await {
        let (acceptor, pool) = (acceptor.clone(), pool.clone());
        seams.spawn(serve2(seams.clone(), connection, acceptor, pool));
    }
}

async fn serve2(
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
