//! A sidecar's secrets, and the rustls configurations made of them.
//!
//! One store is shared by the listeners and pools of a sidecar. A new SVID or
//! trust bundle takes effect for new handshakes; connections that are open
//! stay as they are, as in Envoy: an expired certificate breaks nobody until
//! somebody has to connect again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider, kx_group};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, KeyLog, ServerConfig};

use super::trust::certified_identity;
use super::verify::{ClientVerifier, ExpectedServer, SIGNATURE_ALGORITHMS, ServerVerifier};
use super::{SpiffeId, Svid, TrustBundle};
use crate::seam::{Clock, TlsTime};

/// What is spoken inside the mesh.
const MESH_PROTOCOLS: &[&[u8]] = &[b"h2"];
/// What is spoken with strangers.
const OPEN_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Configurations kept at once: far more than a sidecar has clusters, so reaching it means churn.
const CACHED_CONFIGS_MAX: usize = 4096;

/// One of everything, so that nothing is left to negotiate and every message has one length.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    Arc::new(CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![kx_group::X25519],
        signature_verification_algorithms: SIGNATURE_ALGORITHMS,
        ..default_provider()
    })
});

/// Whether a server asks its clients for a certificate. A certificate that is given is always checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientCertificate {
    /// There must be one (mutual TLS).
    Required,
    /// There may be one.
    Optional,
}

/// Why there is no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// No SVID has been issued yet.
    NoSvid,
    /// No trust bundle has arrived yet.
    NoTrustBundle,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSvid => "no certificate issued yet",
            Self::NoTrustBundle => "no trust bundle yet",
        })
    }
}

impl std::error::Error for IdentityError {}

/// The current SVID and trust bundle of one sidecar. Clones share them.
#[derive(Clone)]
pub struct IdentityStore(Rc<Inner>);

struct Inner {
    time: Arc<TlsTime>,
    key_log: Option<Arc<dyn KeyLog>>,
    state: RefCell<State>,
    /// Handshakes begun with the SVID.
    handshakes: Cell<u64>,
}

#[derive(Default)]
struct State {
    svid: Option<Rc<Svid>>,
    certified: Option<Arc<SingleCertAndKey>>,
    trust: Option<Arc<TrustBundle>>,
    clients: BTreeMap<ClientKey, Arc<ClientConfig>>,
    servers: BTreeMap<ClientCertificate, Arc<ServerConfig>>,
}

/// What a client configuration depends on, besides the SVID and the bundle, whose change empties the cache.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ClientKey {
    kind: ClientKind,
    names: Arc<[Arc<str>]>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ClientKind {
    Mutual,
    Simple,
    Insecure,
}

impl State {
    fn secrets_changed(&mut self) {
        self.clients.clear();
        self.servers.clear();
    }
}

impl IdentityStore {
    /// An empty store on `clock`, which decides what is valid.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_key_log(clock, None)
    }

    /// An empty store on `clock` that tells `key_log` the secrets of every connection.
    pub fn with_key_log(clock: Arc<dyn Clock>, key_log: Option<Arc<dyn KeyLog>>) -> Self {
        Self(Rc::new(Inner {
            time: Arc::new(TlsTime(clock)),
            key_log,
            state: RefCell::default(),
            handshakes: Cell::new(0),
        }))
    }

    /// Uses `svid` for handshakes from now on.
    pub fn set_svid(&self, svid: Svid) {
        let mut state = self.0.state.borrow_mut();
        let certified = CertifiedKey::new(svid.chain().to_vec(), svid.key().tls());
        state.certified = Some(Arc::new(SingleCertAndKey::from(certified)));
        state.svid = Some(Rc::new(svid));
        state.secrets_changed();
    }

    /// Trusts `bundle` in handshakes from now on.
    pub fn set_trust(&self, bundle: TrustBundle) {
        let mut state = self.0.state.borrow_mut();
        state.trust = Some(Arc::new(bundle));
        state.secrets_changed();
    }

    /// The current SVID.
    pub fn svid(&self) -> Option<Rc<Svid>> {
        self.0.state.borrow().svid.clone()
    }

    /// The current trust bundle.
    pub fn trust(&self) -> Option<Arc<TrustBundle>> {
        self.0.state.borrow().trust.clone()
    }

    /// Whether handshakes are possible: both an SVID and a trust bundle are there.
    pub fn is_ready(&self) -> bool {
        let state = self.0.state.borrow();
        state.svid.is_some() && state.trust.is_some()
    }

    /// How many handshakes in which the SVID is shown were begun, as a client and as a server.
    pub fn handshakes(&self) -> u64 {
        self.0.handshakes.get()
    }

    fn count_handshake(&self) {
        self.0.handshakes.set(self.0.handshakes.get() + 1);
    }

    /// Mutual TLS towards a server with one of `identities` (SPIFFE ids); any of
    /// the trust domain when empty, as Envoy does not check names it was not given.
    ///
    /// # Errors
    /// While there is no SVID or no trust bundle.
    pub fn client_config(
        &self,
        identities: &[Arc<str>],
    ) -> Result<Arc<ClientConfig>, IdentityError> {
        self.count_handshake();
        self.cached_client(ClientKind::Mutual, identities)
    }

    /// TLS without a client certificate, towards a server with one of `names`
    /// (URI or DNS); any that the trust bundle vouches for when empty, anybody
    /// at all when `insecure`.
    ///
    /// # Errors
    /// While there is no trust bundle.
    pub fn simple_client_config(
        &self,
        names: &[Arc<str>],
        insecure: bool,
    ) -> Result<Arc<ClientConfig>, IdentityError> {
        let kind = if insecure {
            ClientKind::Insecure
        } else {
            ClientKind::Simple
        };
        self.cached_client(kind, names)
    }

    fn cached_client(
        &self,
        kind: ClientKind,
        names: &[Arc<str>],
    ) -> Result<Arc<ClientConfig>, IdentityError> {
        let mut state = self.0.state.borrow_mut();
        let key = ClientKey {
            kind,
            names: names.into(),
        };
        if let Some(config) = state.clients.get(&key) {
            return Ok(config.clone());
        }
        let config = Arc::new(self.build_client(&state, &key)?);
        if state.clients.len() >= CACHED_CONFIGS_MAX {
            state.clients.clear();
        }
        state.clients.insert(key, config.clone());
        Ok(config)
    }

    fn build_client(&self, state: &State, key: &ClientKey) -> Result<ClientConfig, IdentityError> {
        let expected = match key.kind {
            ClientKind::Mutual => ExpectedServer::Mesh(key.names.clone()),
            ClientKind::Simple => ExpectedServer::Named(key.names.clone()),
            ClientKind::Insecure => ExpectedServer::Anybody,
        };
        let verifier = ServerVerifier {
            trust: state.trust.clone().ok_or(IdentityError::NoTrustBundle)?,
            expected,
        };
        let builder = ClientConfig::builder_with_details(PROVIDER.clone(), self.0.time.clone())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has a TLS 1.3 suite")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let (mut config, protocols) = match key.kind {
            ClientKind::Mutual => {
                let own = state.certified.clone().ok_or(IdentityError::NoSvid)?;
                (builder.with_client_cert_resolver(own), MESH_PROTOCOLS)
            }
            ClientKind::Simple | ClientKind::Insecure => {
                (builder.with_no_client_auth(), OPEN_PROTOCOLS)
            }
        };
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        config.resumption = Resumption::disabled();
        if let Some(log) = &self.0.key_log {
            config.key_log = log.clone();
        }
        Ok(config)
    }

    /// TLS as a server.
    ///
    /// # Errors
    /// While there is no SVID or no trust bundle.
    pub fn server_config(
        &self,
        clients: ClientCertificate,
    ) -> Result<Arc<ServerConfig>, IdentityError> {
        self.count_handshake();
        let mut state = self.0.state.borrow_mut();
        if let Some(config) = state.servers.get(&clients) {
            return Ok(config.clone());
        }
        let config = Arc::new(self.build_server(&state, clients)?);
        state.servers.insert(clients, config.clone());
        Ok(config)
    }

    fn build_server(
        &self,
        state: &State,
        clients: ClientCertificate,
    ) -> Result<ServerConfig, IdentityError> {
        let verifier = ClientVerifier {
            trust: state.trust.clone().ok_or(IdentityError::NoTrustBundle)?,
            mandatory: clients == ClientCertificate::Required,
        };
        let own = state.certified.clone().ok_or(IdentityError::NoSvid)?;
        let mut config = ServerConfig::builder_with_details(PROVIDER.clone(), self.0.time.clone())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has a TLS 1.3 suite")
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(own);
        config.alpn_protocols = OPEN_PROTOCOLS.iter().map(|p| p.to_vec()).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_tls13_tickets = 0;
        if let Some(log) = &self.0.key_log {
            config.key_log = log.clone();
        }
        Ok(config)
    }
}

impl fmt::Debug for IdentityStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdentityStore").field(&self.svid()).finish()
    }
}

/// Who is at the other end of a connection whose handshake is done. `None`
/// when it showed no certificate, or, on a connection that accepts anybody,
/// one without a SPIFFE id.
///
/// Takes a [`ClientConnection`](rustls::ClientConnection) or a
/// [`ServerConnection`](rustls::ServerConnection): both deref to it.
pub fn peer_identity(connection: &rustls::CommonState) -> Option<SpiffeId> {
    let leaf = connection.peer_certificates()?.first()?;
    certified_identity(&webpki::EndEntityCert::try_from(leaf).ok()?).ok()
}
