//! What somebody can do who is on the network and follows no rules: open
//! connections, speak HTTP with or without TLS, and sit at an address.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use mesh_core::identity::handshake_failure_io;
use mesh_core::seam::{Executor, HyperTimer, Seams};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::io::AsyncReadExt as _;

/// What came back, whole; or why nothing did.
pub(crate) type Answer = Result<Response<Bytes>, String>;

/// What to speak HTTP over.
pub(crate) enum Over {
    /// TCP: HTTP/1.1.
    Plain,
    /// TLS: HTTP/2.
    Tls(Arc<ClientConfig>),
}

/// A GET of `path` at `authority`.
pub(crate) fn get(authority: &str, path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header(header::HOST, authority);
    request.body(Full::default()).unwrap()
}

/// Connects to `to` and sends one request.
pub(crate) async fn ask(
    seams: Seams,
    to: SocketAddr,
    over: Over,
    request: Request<Full<Bytes>>,
) -> Answer {
    let connection = seams.network.connect(to).await;
    let io = connection.map_err(|e| e.kind().to_string())?.io;
    match over {
        Over::Plain => {
            let (mut sender, driver) = http1::handshake(TokioIo::new(io)).await.map_err(said)?;
            seams.spawn(async move { drop(driver.await) });
            let response = sender.send_request(request).await.map_err(said)?;
            whole(response).await
        }
        Over::Tls(config) => {
            let connector = tokio_rustls::TlsConnector::from(config);
            let stream = connector.connect(ServerName::from(to.ip()), io).await;
            let stream = stream.map_err(|e| handshake_failure_io(&e))?;
            let (mut sender, driver) = http2::Builder::new(Executor(seams.spawn.clone()))
                .timer(HyperTimer::new(seams.clock.clone()))
                .handshake(TokioIo::new(stream))
                .await
                .map_err(said)?;
            seams.spawn(async move { drop(driver.await) });
            let response = sender.send_request(absolute(request)).await.map_err(said)?;
            whole(response).await
        }
    }
}

/// A plain connection that is kept for one request after another.
pub(crate) struct Kept {
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Kept {
    /// Connects to `to`.
    pub(crate) async fn open(seams: &Seams, to: SocketAddr) -> Self {
        let connection = seams.network.connect(to).await.unwrap();
        let (sender, driver) = http1::handshake(TokioIo::new(connection.io)).await.unwrap();
        seams.spawn(async move { drop(driver.await) });
        Self { sender }
    }

    /// Sends one more request.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.sender.ready().await.map_err(said)?;
        let response = self.sender.send_request(request).await.map_err(said)?;
        whole(response).await
    }
}

async fn whole(response: Response<hyper::body::Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(said)?.to_bytes();
    Ok(Response::from_parts(head, body))
}

/// HTTP/2 names its host in the target.
fn absolute(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let host = request.headers_mut().remove(header::HOST);
    let host = host
        .as_ref()
        .and_then(|h| h.to_str().ok())
        .unwrap_or("nobody");
    let uri = format!("http://{host}{}", request.uri());
    *request.uri_mut() = uri.parse().unwrap();
    request
}

/// The innermost words of an error: a TLS alert is several layers down.
fn said(error: hyper::Error) -> String {
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// What arrived at an impostor, after decryption if there was any.
pub(crate) type Heard = Rc<RefCell<Vec<u8>>>;

/// Sits at `address`, shakes hands as `config` says, and listens to what comes.
pub(crate) async fn pose(
    seams: Seams,
    address: SocketAddr,
    config: Arc<ServerConfig>,
    heard: Heard,
) {
    let mut listener = seams.network.listen(address).await.unwrap();
    while let Ok(connection) = listener.accept().await {
        let acceptor = tokio_rustls::TlsAcceptor::from(config.clone());
        let heard = heard.clone();
        seams.spawn(async move {
            let Ok(mut stream) = acceptor.accept(connection.io).await else {
                return;
            };
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut bytes).await {
                heard.borrow_mut().extend_from_slice(&bytes[..n]);
            }
        });
    }
}
