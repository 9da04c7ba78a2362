//! Idle HTTP/1.1 connections to one address, and a body that gives its connection back.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mesh_core::seam::Seams;

/// Idle connections to `peer`.
pub(crate) struct Pool<B> {
    seams: Seams,
    peer: SocketAddr,
    idle: RefCell<Vec<SendRequest<B>>>,
}

impl<B> Pool<B>
where
    B: Body + 'static,
    B::Data: Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(crate) fn new(seams: &Seams, peer: SocketAddr) -> Rc<Self> {
        Rc::new(Self {
            seams: seams.clone(),
            peer,
            idle: RefCell::new(Vec::new()),
        })
    }

    /// Sends a request on an idle connection or a new one; `None` when none can be had.
    pub(crate) async fn send(
        &self,
        request: Request<B>,
    ) -> Option<Result<(Response<Incoming>, SendRequest<B>), hyper::Error>> {
        let idle = self.idle.borrow_mut().pop();
        let mut sender = match idle {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await.ok()?;
        let sent = sender.send_request(request).await;
        Some(sent.map(|answer| (answer, sender)))
    }

    pub(crate) fn put(&self, sender: SendRequest<B>) {
        self.idle.borrow_mut().push(sender);
    }

    async fn connect(&self) -> Option<SendRequest<B>> {
        let connection = self.seams.network.connect(self.peer).await.ok()?;
        let io = TokioIo::new(connection.io);
        let (sender, driver) = http1::handshake(io).await.ok()?;
        self.seams.spawn(async move {
            let _ = driver.await;
        });
        Some(sender)
    }
}

/// A body that gives its connection back to the pool when it ends.
pub(super) struct Returning<B> {
    pub(super) body: Incoming,
    pub(super) sender: Option<SendRequest<B>>,
    pub(super) pool: Rc<Pool<B>>,
}

impl<B> Drop for Returning<B> {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.pool.idle.borrow_mut().push(sender);
        }
    }
}

impl<B> Body for Returning<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
