//! One CA and one certificate, enough for mutual TLS between bare proxies.

use std::sync::Arc;

use mesh_core::seam::TlsTime;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ED25519};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What both ends show and trust.
pub(crate) struct Identity {
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: Arc<CryptoProvider>,
}

const WELL_FORMED: &str = "the parameters are constants";

impl Identity {
    /// A fresh CA with one certificate.
    pub(crate) fn new() -> Self {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate_for(&PKCS_ED25519).expect(WELL_FORMED);
        let ca = CertifiedIssuer::self_signed(ca, ca_key).expect(WELL_FORMED);
        let key = KeyPair::generate_for(&PKCS_ED25519).expect(WELL_FORMED);
        let leaf = CertificateParams::new(["pod".to_owned()])
            .and_then(|params| params.signed_by(&key, &ca))
            .expect(WELL_FORMED);
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).expect(WELL_FORMED);
        let provider = CryptoProvider {
            cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![ring::kx_group::X25519],
            ..ring::default_provider()
        };
        Self {
            roots: Arc::new(roots),
            chain: vec![leaf.der().clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            provider: Arc::new(provider),
        }
    }

    /// A server that demands a client certificate.
    pub(crate) fn server(&self, time: TlsTime) -> Arc<ServerConfig> {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots.clone(), self.provider.clone())
                .build()
                .expect(WELL_FORMED);
        let mut config = ServerConfig::builder_with_details(self.provider.clone(), Arc::new(time))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect(WELL_FORMED)
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .expect(WELL_FORMED);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    /// A client that shows its certificate.
    pub(crate) fn client(&self, time: TlsTime) -> Arc<ClientConfig> {
        let mut config = ClientConfig::builder_with_details(self.provider.clone(), Arc::new(time))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect(WELL_FORMED)
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .expect(WELL_FORMED);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}
