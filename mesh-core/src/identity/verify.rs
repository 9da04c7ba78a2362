//! What each end of a handshake demands of the other.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::TrustBundle;
use super::failure::Rejection;

/// Signatures of handshakes: Ed25519 alone.
pub(super) static SIGNATURE_ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[webpki::ring::ED25519],
    mapping: &[(SignatureScheme::ED25519, &[webpki::ring::ED25519])],
};

/// Who a server may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExpectedServer {
    /// A workload of the trust domain with one of these identities; any identity when empty.
    Mesh(Arc<[Arc<str>]>),
    /// Anything the bundle vouches for, with one of these URI or DNS names; any name when empty.
    Named(Arc<[Arc<str>]>),
    /// Anybody at all.
    Anybody,
}

/// A client's view of servers.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    pub(super) trust: Arc<TrustBundle>,
    pub(super) expected: ExpectedServer,
}

impl ServerVerifier {
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Rejection> {
        if self.expected == ExpectedServer::Anybody {
            return Ok(());
        }
        let leaf = read(leaf)?;
        self.trust
            .verify_chain(&leaf, intermediates, now, KeyUsage::server_auth())?;
        match &self.expected {
            ExpectedServer::Anybody => Ok(()),
            ExpectedServer::Mesh(allowed) => {
                let id = self.trust.identity(&leaf)?;
                if allowed.is_empty() || allowed.iter().any(|one| **one == *id.as_str()) {
                    return Ok(());
                }
                Err(Rejection::NotAllowed(id.to_string()))
            }
            ExpectedServer::Named(allowed) => verify_names(&leaf, allowed),
        }
    }
}

fn verify_names(leaf: &EndEntityCert<'_>, allowed: &[Arc<str>]) -> Result<(), Rejection> {
    let names: Vec<&str> = leaf
        .valid_uri_names()
        .chain(leaf.valid_dns_names())
        .collect();
    if allowed.is_empty() || allowed.iter().any(|one| names.contains(&&**one)) {
        return Ok(());
    }
    Err(Rejection::NotAllowed(names.join(", ")))
}

impl ServerCertVerifier for ServerVerifier {
    /// The name asked for plays no part: secure naming goes by identities, not by DNS.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &SIGNATURE_ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SIGNATURE_ALGORITHMS.supported_schemes()
    }
}

/// A server's view of clients: anybody of the trust domain.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    pub(super) trust: Arc<TrustBundle>,
    pub(super) mandatory: bool,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    /// No hints: a workload has one certificate and needs none.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let leaf = read(end_entity)?;
        self.trust
            .verify_chain(&leaf, intermediates, now, KeyUsage::client_auth())?;
        self.trust.identity(&leaf)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &SIGNATURE_ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SIGNATURE_ALGORITHMS.supported_schemes()
    }
}

fn read<'a>(leaf: &'a CertificateDer<'a>) -> Result<EndEntityCert<'a>, Rejection> {
    EndEntityCert::try_from(leaf).map_err(|error| Rejection::Malformed(error.to_string()))
}
