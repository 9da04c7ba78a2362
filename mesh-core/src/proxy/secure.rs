//! How a fresh connection to an endpoint is secured.

use std::rc::Rc;
use std::sync::Arc;

use rustls_pki_types::ServerName;

use super::pool::Secure;
use super::transport::{Judged, Transport};
use crate::control::Cluster;
use crate::identity::{IdentityStore, handshake_failure_io};
use crate::policy::UpstreamTls;
use crate::seam::{Io, LocalBoxFuture};

/// No TLS.
pub(crate) struct Plain {
    /// HTTP/2 by prior knowledge.
    pub(crate) http2: bool,
}

impl Secure for Plain {
    fn secure(&self, io: Box<dyn Io>) -> LocalBoxFuture<'static, Result<Transport, String>> {
        Box::pin(std::future::ready(Ok(Transport::Plain(io))))
    }

    fn http2(&self) -> bool {
        self.http2
    }
}

/// TLS, with or without the mesh's own certificate.
struct Tls {
    identity: IdentityStore,
    kind: TlsKind,
    server: ServerName<'static>,
    http2: bool,
}

enum TlsKind {
    Mutual(Vec<Arc<str>>),
    Simple(Vec<Arc<str>>, bool),
}

impl Secure for Tls {
    fn secure(&self, io: Box<dyn Io>) -> LocalBoxFuture<'static, Result<Transport, String>> {
        let config = match &self.kind {
            TlsKind::Mutual(names) => self.identity.client_config(names),
            TlsKind::Simple(names, insecure) => {
                self.identity.simple_client_config(names, *insecure)
            }
        };
        let name = self.server.clone();
        let mutual = matches!(self.kind, TlsKind::Mutual(_));
        Box::pin(async move {
            let connector = tokio_rustls::TlsConnector::from(config.map_err(|e| e.to_string())?);
            let stream = connector.connect(name, io).await;
            let stream = stream.map_err(|e| handshake_failure_io(&e))?;
            Ok(Transport::Client(Judged::new(stream, mutual)))
        })
    }

    fn http2(&self) -> bool {
        self.http2
    }
}

/// What `cluster` says about connections to an endpoint that has, or has not, a sidecar.
pub(crate) fn to_endpoint(
    cluster: &Cluster,
    identity: &IdentityStore,
    meshed: bool,
    address: std::net::SocketAddr,
) -> Rc<dyn Secure> {
    let tls = |kind, server, http2| -> Rc<dyn Secure> {
        Rc::new(Tls {
            identity: identity.clone(),
            kind,
            server,
            http2,
        })
    };
    let by_address = ServerName::from(address.ip());
    match &cluster.tls.value {
        UpstreamTls::Auto if meshed => tls(
            TlsKind::Mutual(cluster.identities.clone()),
            by_address,
            true,
        ),
        UpstreamTls::Auto | UpstreamTls::Disable => Rc::new(Plain {
            http2: cluster.http2,
        }),
        UpstreamTls::MeshMutual { subject_alt_names } => {
            let names = match subject_alt_names.is_empty() {
                true => cluster.identities.clone(),
                false => subject_alt_names
                    .iter()
                    .map(|n| Arc::from(n.as_str()))
                    .collect(),
            };
            tls(TlsKind::Mutual(names), by_address, true)
        }
        UpstreamTls::Simple {
            sni,
            subject_alt_names,
            insecure,
        } => {
            let names = subject_alt_names
                .iter()
                .map(|n| Arc::from(n.as_str()))
                .collect();
            let server = sni
                .as_deref()
                .and_then(|s| ServerName::try_from(s.to_owned()).ok());
            tls(
                TlsKind::Simple(names, *insecure),
                server.unwrap_or(by_address),
                cluster.http2,
            )
        }
    }
}
