//! The trust bundle: which roots vouch for a trust domain, and the check of a chain against them.

use std::fmt;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::failure::Rejection;
use super::svid::validity;
use super::{CertificateAuthority, SpiffeId};

/// The signatures a chain may bear.
const CHAIN_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[webpki::ring::ED25519];

/// The roots of one trust domain. More than one while roots are exchanged.
#[derive(Clone, Debug)]
pub struct TrustBundle {
    trust_domain: String,
    roots: Vec<Root>,
    /// The roots again, as webpki wants them: in one slice.
    anchors: Vec<TrustAnchor<'static>>,
}

#[derive(Clone, Debug)]
struct Root {
    der: CertificateDer<'static>,
    not_before: Duration,
    not_after: Duration,
}

/// A root that cannot be read; tells its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustBundleError(pub usize);

impl fmt::Display for TrustBundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "root certificate {} cannot be read", self.0)
    }
}

impl std::error::Error for TrustBundleError {}

impl TrustBundle {
    /// A bundle of `roots` (DER) for `trust_domain`. Without roots nobody is trusted.
    ///
    /// # Errors
    /// When a root is not a certificate.
    pub fn new(
        trust_domain: &str,
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, TrustBundleError> {
        let mut bundle = Self {
            trust_domain: trust_domain.to_owned(),
            roots: Vec::new(),
            anchors: Vec::new(),
        };
        for (at, der) in roots.into_iter().enumerate() {
            bundle.push(der).ok_or(TrustBundleError(at))?;
        }
        Ok(bundle)
    }

    /// The bundle with `authority`'s root alone.
    pub fn of(authority: &CertificateAuthority) -> Self {
        Self::new(authority.trust_domain(), [authority.root().clone()])
            .expect("an authority's own root can be read")
    }

    fn push(&mut self, der: CertificateDer<'static>) -> Option<()> {
        let anchor = webpki::anchor_from_trusted_cert(&der).ok()?.to_owned();
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).ok()?;
        let (not_before, not_after) = validity(&parsed);
        self.anchors.push(anchor);
        self.roots.push(Root {
            der,
            not_before,
            not_after,
        });
        Some(())
    }

    /// The trust domain it vouches for.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The roots, DER.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = &CertificateDer<'static>> {
        self.roots.iter().map(|root| &root.der)
    }

    /// Checks that `leaf` chains to a root that is itself valid `now`.
    pub(super) fn verify_chain(
        &self,
        leaf: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), Rejection> {
        let path = leaf
            .verify_for_usage(
                CHAIN_ALGORITHMS,
                &self.anchors,
                intermediates,
                now,
                usage,
                None,
                None,
            )
            .map_err(|error| rejection(&error))?;
        self.verify_root(path.anchor(), now)
    }

    /// Checks the validity of the root a path ended at. The same key may be in
    /// several root certificates, when a root was renewed: any that is valid will do.
    fn verify_root(&self, anchor: &TrustAnchor<'_>, now: UnixTime) -> Result<(), Rejection> {
        let now = Duration::from_secs(now.as_secs());
        let mut verdict = Err(Rejection::RootExpired);
        for (root, own) in self.roots.iter().zip(&self.anchors) {
            if own.subject_public_key_info != anchor.subject_public_key_info {
                continue;
            }
            if now < root.not_before {
                verdict = Err(Rejection::RootNotYetValid);
            } else if now <= root.not_after {
                return Ok(());
            }
        }
        verdict
    }

    /// The one identity that `leaf` speaks for, which must be of the trust domain.
    pub(super) fn identity(&self, leaf: &EndEntityCert<'_>) -> Result<SpiffeId, Rejection> {
        let id = certified_identity(leaf)?;
        if id.trust_domain() == self.trust_domain {
            Ok(id)
        } else {
            Err(Rejection::TrustDomain(id))
        }
    }
}

/// The one identity that `leaf` speaks for: it has exactly one URI name
/// (X509-SVID specification, section 2).
pub(super) fn certified_identity(leaf: &EndEntityCert<'_>) -> Result<SpiffeId, Rejection> {
    let mut uris = leaf.valid_uri_names();
    let uri = uris
        .next()
        .ok_or_else(|| Rejection::NoIdentity("no URI name".to_owned()))?;
    if uris.next().is_some() {
        return Err(Rejection::NoIdentity("several URI names".to_owned()));
    }
    SpiffeId::parse(uri).map_err(|error| Rejection::NoIdentity(error.to_string()))
}

fn rejection(error: &webpki::Error) -> Rejection {
    match error {
        webpki::Error::CertExpired { .. } => Rejection::Expired,
        webpki::Error::CertNotValidYet { .. } => Rejection::NotYetValid,
        // Two CAs of one trust domain have the same name: a certificate of the
        // other one then fails by its signature instead of its issuer.
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            Rejection::UnknownIssuer
        }
        other => Rejection::Malformed(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{KeyPair, ROOT_LIFETIME, SignedSvid, csr};
    use crate::seam::Rng;

    const NOW: Duration = Duration::from_secs(1_700_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn authority(name: &str, lifetime: Duration) -> CertificateAuthority {
        CertificateAuthority::new("td", &mut Rng::named(1, name), NOW, lifetime).unwrap()
    }

    fn issue(ca: &CertificateAuthority) -> SignedSvid {
        let key = KeyPair::from_secret(&[1; 32]);
        let id = SpiffeId::new("td", "ns", "sa").unwrap();
        ca.sign(&csr(&key, &id), &id, NOW, DAY).unwrap()
    }

    fn verify(bundle: &TrustBundle, signed: &SignedSvid, at: Duration) -> Result<(), Rejection> {
        let leaf = EndEntityCert::try_from(&signed.chain[0]).unwrap();
        let now = UnixTime::since_unix_epoch(at);
        bundle.verify_chain(&leaf, &signed.chain[1..], now, KeyUsage::client_auth())
    }

    #[test]
    fn validity_includes_both_ends() {
        let ca = authority("ca", ROOT_LIFETIME);
        let (bundle, signed) = (TrustBundle::of(&ca), issue(&ca));
        let second = Duration::from_secs(1);
        assert_eq!(verify(&bundle, &signed, NOW), Ok(()));
        assert_eq!(verify(&bundle, &signed, signed.not_after), Ok(()));
        let late = verify(&bundle, &signed, signed.not_after + second);
        assert_eq!(late, Err(Rejection::Expired));
        let early = verify(&bundle, &signed, signed.not_before - second);
        assert_eq!(early, Err(Rejection::NotYetValid));
    }

    #[test]
    fn a_root_of_the_same_name_is_another_root() {
        let (ca, other) = (authority("ca", DAY), authority("other", DAY));
        let bundle = TrustBundle::of(&other);
        assert_eq!(
            verify(&bundle, &issue(&ca), NOW),
            Err(Rejection::UnknownIssuer)
        );
        let both = [ca.root().clone(), other.root().clone()];
        let both = TrustBundle::new("td", both).unwrap();
        assert_eq!(verify(&both, &issue(&ca), NOW), Ok(()));
        assert_eq!(verify(&both, &issue(&other), NOW), Ok(()));
        let none = TrustBundle::new("td", []).unwrap();
        assert_eq!(
            verify(&none, &issue(&ca), NOW),
            Err(Rejection::UnknownIssuer)
        );
    }

    #[test]
    fn an_expired_root_vouches_for_nobody() {
        // The workload's certificate is still good: it was signed by a longer root with the same key.
        let (short, long) = (authority("ca", DAY / 2), authority("ca", ROOT_LIFETIME));
        let signed = issue(&long);
        let at = NOW + DAY * 3 / 4;
        let bundle = TrustBundle::of(&short);
        assert_eq!(verify(&bundle, &signed, NOW), Ok(()));
        assert_eq!(verify(&bundle, &signed, at), Err(Rejection::RootExpired));
        let renewed = [short.root().clone(), long.root().clone()];
        let renewed = TrustBundle::new("td", renewed).unwrap();
        assert_eq!(verify(&renewed, &signed, at), Ok(()));
    }

    #[test]
    fn a_root_of_the_future_vouches_for_nobody_yet() {
        let mut rng = Rng::named(1, "ca");
        let future = CertificateAuthority::new("td", &mut rng, NOW + DAY, DAY).unwrap();
        let signed = issue(&authority("ca", ROOT_LIFETIME)); // the same key, today
        let verdict = verify(&TrustBundle::of(&future), &signed, NOW);
        assert_eq!(verdict, Err(Rejection::RootNotYetValid));
    }

    #[test]
    fn junk_is_no_root() {
        let junk = [CertificateDer::from(vec![1, 2, 3])];
        assert_eq!(
            TrustBundle::new("td", junk).unwrap_err(),
            TrustBundleError(0)
        );
    }
}
