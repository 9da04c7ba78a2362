//! Why a handshake failed, in words a person can act on.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error, OtherError};

use super::SpiffeId;

/// Why a peer's certificate was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    Expired,
    NotYetValid,
    /// webpki takes a root's own validity for granted; OpenSSL, BoringSSL and this check it.
    RootExpired,
    RootNotYetValid,
    UnknownIssuer,
    /// Not exactly one SPIFFE id among its names; says what it has instead.
    NoIdentity(String),
    TrustDomain(SpiffeId),
    /// Secure naming: this is not who should be there.
    NotAllowed(String),
    Malformed(String),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("certificate expired"),
            Self::NotYetValid => f.write_str("certificate not yet valid"),
            Self::RootExpired => f.write_str("root certificate expired"),
            Self::RootNotYetValid => f.write_str("root certificate not yet valid"),
            Self::UnknownIssuer => f.write_str("unknown issuer"),
            Self::NoIdentity(what) => write!(f, "no SPIFFE identity in certificate: {what}"),
            Self::TrustDomain(id) => write!(f, "identity {id} is of another trust domain"),
            Self::NotAllowed(id) => write!(f, "identity {id} not allowed"),
            Self::Malformed(why) => write!(f, "malformed certificate: {why}"),
        }
    }
}

impl std::error::Error for Rejection {}

impl From<Rejection> for Error {
    /// rustls' own errors where they exist, so that the peer gets the alert it would get from others.
    fn from(rejection: Rejection) -> Self {
        Self::InvalidCertificate(match rejection {
            Rejection::Expired => CertificateError::Expired,
            Rejection::NotYetValid => CertificateError::NotValidYet,
            Rejection::UnknownIssuer => CertificateError::UnknownIssuer,
            other => CertificateError::Other(OtherError(Arc::new(other))),
        })
    }
}

/// Why a handshake failed, such as `certificate expired`, `unknown issuer`,
/// `identity spiffe://… not allowed` or `no certificate presented`. What the
/// peer says about us begins with `peer: `.
///
/// In TLS 1.3 a client is done before its server has looked at the client's
/// certificate, so that a client learns of its own rejection from its first
/// read after the handshake.
pub fn handshake_failure(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate_failure(error),
        Error::NoCertificatesPresented => "no certificate presented".to_owned(),
        Error::AlertReceived(alert) => format!("peer: {}", alert_meaning(*alert)),
        Error::NoApplicationProtocol => "no common application protocol".to_owned(),
        Error::InvalidMessage(_) => "peer does not speak TLS".to_owned(),
        other => other.to_string(),
    }
}

/// As [`handshake_failure`], for an error that came through an I/O interface.
pub fn handshake_failure_io(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    match inner {
        Some(tls) => handshake_failure(tls),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => "connection closed during handshake".to_owned(),
            io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
            _ => error.to_string(),
        },
    }
}

fn certificate_failure(error: &CertificateError) -> String {
    let known = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Rejection::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Rejection::NotYetValid
        }
        CertificateError::UnknownIssuer => Rejection::UnknownIssuer,
        CertificateError::Other(OtherError(inner)) => return inner.to_string(),
        other => return format!("invalid certificate: {other}"),
    };
    known.to_string()
}

fn alert_meaning(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateExpired => "certificate expired or not yet valid",
        AlertDescription::UnknownCA => "unknown issuer",
        AlertDescription::CertificateRequired => "no certificate presented",
        AlertDescription::CertificateUnknown => "certificate not accepted",
        AlertDescription::BadCertificate => "bad certificate",
        AlertDescription::DecryptError => "bad signature",
        AlertDescription::NoApplicationProtocol => "no common application protocol",
        AlertDescription::ProtocolVersion => "no common TLS version",
        other => return format!("{other:?}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_reason_through_io() {
        let id = "spiffe://td/ns/a/sa/b".to_owned();
        let tls = Error::from(Rejection::NotAllowed(id));
        let io = io::Error::new(io::ErrorKind::InvalidData, tls);
        assert_eq!(
            handshake_failure_io(&io),
            "identity spiffe://td/ns/a/sa/b not allowed"
        );
        let eof = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(
            handshake_failure_io(&eof),
            "connection closed during handshake"
        );
    }

    #[test]
    fn what_rustls_knows_is_worded_alike() {
        for rejection in [
            Rejection::Expired,
            Rejection::NotYetValid,
            Rejection::UnknownIssuer,
            Rejection::RootExpired,
        ] {
            let said = rejection.to_string();
            assert_eq!(handshake_failure(&rejection.into()), said);
        }
    }
}
