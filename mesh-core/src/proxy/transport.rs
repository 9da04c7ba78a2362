//! One byte stream type for everything the proxy talks over, so that hyper is
//! instantiated once: plain or TLS, client or server, with or without a first
//! byte that was looked at.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::identity::handshake_failure;
use crate::seam::{Io, Peeked};
use crate::telemetry::TlsState;

/// A connection's byte stream.
pub(crate) enum Transport {
    Plain(Box<dyn Io>),
    Client(Judged),
    Server(Box<tokio_rustls::server::TlsStream<Peeked>>),
    /// Plain, but its first byte has been looked at.
    Peeked(Peeked),
}

impl Transport {
    /// How it is protected: mutual when the client has shown a certificate, or would.
    pub(crate) fn tls(&self) -> TlsState {
        match self {
            Self::Plain(_) | Self::Peeked(_) => TlsState::Plain,
            Self::Client(stream) if stream.shows_certificate => TlsState::Mutual,
            Self::Client(_) => TlsState::Tls,
            Self::Server(stream) => match stream.get_ref().1.peer_certificates() {
                Some(_) => TlsState::Mutual,
                None => TlsState::Tls,
            },
        }
    }

    /// What the server makes of our certificate; nothing is awaited where none was shown.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Client(stream) => stream.verdict.clone(),
            Self::Plain(_) | Self::Server(_) | Self::Peeked(_) => Verdict::default(),
        }
    }
}

macro_rules! each {
    ($self:expr, $inner:ident => $body:expr) => {
        match $self.get_mut() {
            Transport::Plain($inner) => $body,
            Transport::Client($inner) => $body,
            Transport::Server($inner) => $body,
            Transport::Peeked($inner) => $body,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, inner => Pin::new(inner).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_shutdown(cx))
    }
}

/// What the server makes of a client's certificate.
///
/// Under TLS 1.3 a client's handshake is over before the server has looked at
/// its certificate: a refusal is an alert in place of the first answer. The
/// connection then never was one, and what was asked on it failed to connect.
#[derive(Clone, Default)]
pub(crate) struct Verdict(Rc<RefCell<Option<Arc<str>>>>);

impl Verdict {
    /// Why the server refused the connection, if it has.
    pub(crate) fn refusal(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }
}

/// TLS as a client, which awaits its server's verdict.
pub(crate) struct Judged {
    io: Box<tokio_rustls::client::TlsStream<Box<dyn Io>>>,
    shows_certificate: bool,
    verdict: Verdict,
    accepted: bool,
}

impl Judged {
    /// A client whose own part of the handshake is done, and whether it has a certificate to show.
    pub(crate) fn new(
        io: tokio_rustls::client::TlsStream<Box<dyn Io>>,
        shows_certificate: bool,
    ) -> Self {
        Self {
            io: Box::new(io),
            shows_certificate,
            verdict: Verdict::default(),
            accepted: false,
        }
    }

    fn note(&mut self, error: &io::Error) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        if let (false, Some(refusal)) = (self.accepted, inner) {
            let why = handshake_failure(refusal);
            self.verdict.0.borrow_mut().get_or_insert(why.into());
        }
    }
}

impl AsyncRead for Judged {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.accepted |= buf.filled().len() > before;
        if let Poll::Ready(Err(error)) = &read {
            self.note(error);
        }
        read
    }
}

impl AsyncWrite for Judged {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
