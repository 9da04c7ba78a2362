//! Who signs certificates behind the control plane.
//!
//! istiod signs with its own CA, or passes requests on to one behind it (a
//! registration authority: `security/pkg/pki/ra` in Istio), which may be
//! elsewhere, slow, or down. The control plane asks a [`Signer`] and does not
//! know which it is.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::identity::{CaError, CertificateAuthority, SignedSvid, SpiffeId};
use crate::seam::LocalBoxFuture;

/// Who asks, as its token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The identity.
    pub identity: SpiffeId,
    /// The pod the token was given to; empty when it does not say. Kubernetes' bound tokens do
    /// (`authentication.kubernetes.io/pod-name`).
    pub pod: Arc<str>,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningError {
    /// The request is not in order: told as 403.
    Refused(CaError),
    /// Nobody can sign at present: told as 503.
    Unavailable(String),
}

impl fmt::Display for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for SigningError {}

/// Signs workloads' requests.
pub trait Signer {
    /// Signs the request `csr` (PKCS#10, DER) of `caller`; see [`CertificateAuthority::sign`].
    fn sign<'a>(
        &'a self,
        csr: &'a [u8],
        caller: &'a Caller,
        now: Duration,
        lifetime: Duration,
    ) -> LocalBoxFuture<'a, Result<SignedSvid, SigningError>>;
}

/// A CA in the same process.
impl Signer for CertificateAuthority {
    fn sign<'a>(
        &'a self,
        csr: &'a [u8],
        caller: &'a Caller,
        now: Duration,
        lifetime: Duration,
    ) -> LocalBoxFuture<'a, Result<SignedSvid, SigningError>> {
        let signed = Self::sign(self, csr, &caller.identity, now, lifetime);
        Box::pin(std::future::ready(signed.map_err(SigningError::Refused)))
    }
}

impl<S: Signer + ?Sized> Signer for Rc<S> {
    fn sign<'a>(
        &'a self,
        csr: &'a [u8],
        caller: &'a Caller,
        now: Duration,
        lifetime: Duration,
    ) -> LocalBoxFuture<'a, Result<SignedSvid, SigningError>> {
        (**self).sign(csr, caller, now, lifetime)
    }
}
