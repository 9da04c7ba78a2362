//! The app behind a sidecar: it answers everything and remembers what it saw.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mesh_core::seam::Seams;

/// What an app has seen.
#[derive(Default)]
pub(crate) struct App(RefCell<Vec<Request<Bytes>>>);

impl App {
    /// Every request so far, complete.
    pub(crate) fn requests(&self) -> Vec<Request<Bytes>> {
        self.0.borrow().clone()
    }

    /// Paths of the requests so far.
    pub(crate) fn paths(&self) -> Vec<String> {
        let requests = self.0.borrow();
        requests.iter().map(|r| r.uri().to_string()).collect()
    }

    /// Serves HTTP/1.1 on `address` for ever.
    pub(crate) async fn serve(self: Rc<Self>, seams: Seams, address: SocketAddr) {
        let mut listener = seams.network.listen(address).await.unwrap();
        while let Ok(connection) = listener.accept().await {
            let app = self.clone();
            let service = service_fn(move |request| app.clone().answer(request));
            let serving = hyper::server::conn::http1::Builder::new()
                .auto_date_header(false)
                .serve_connection(TokioIo::new(connection.io), service);
            seams.spawn(async move { drop(serving.await) });
        }
    }

    async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let echoed = Response::new(Full::new(body.clone()));
        self.0.borrow_mut().push(Request::from_parts(head, body));
        Ok::<_, hyper::Error>(echoed)
    }
}
