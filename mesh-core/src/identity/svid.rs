//! SVIDs: an identity and the proof of it.

use std::fmt;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::{CLOCK_SKEW_ALLOWANCE, KeyPair, SpiffeId, SpiffeIdError};
use crate::policy::Profile;
use crate::seam::Rng;

/// What a CA hands out: certificates without a key. Times are since the Unix epoch, in whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedSvid {
    /// The workload's certificate, then any intermediates; not the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// Beginning of validity.
    pub not_before: Duration,
    /// End of validity.
    pub not_after: Duration,
}

/// A certificate chain and the key it speaks for (X509-SVID specification).
#[derive(Clone, Debug)]
pub struct Svid {
    id: SpiffeId,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    serial: Vec<u8>,
    not_before: Duration,
    not_after: Duration,
}

/// Why certificates are no SVID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SvidError {
    /// The chain has no certificate.
    Empty,
    /// The first certificate cannot be read.
    Malformed,
    /// The first certificate is for another key.
    KeyMismatch,
    /// The first certificate has this many URI names instead of one (X509-SVID specification, section 2).
    UriNames(usize),
    /// Its URI name is no SPIFFE id.
    Id(SpiffeIdError),
}

impl fmt::Display for SvidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the certificate chain is empty"),
            Self::Malformed => f.write_str("the certificate cannot be read"),
            Self::KeyMismatch => f.write_str("the certificate is for another key"),
            Self::UriNames(count) => write!(f, "the certificate has {count} URI names, not one"),
            Self::Id(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SvidError {}

impl Svid {
    /// The SVID made of what the CA signed and the key it was asked for.
    ///
    /// # Errors
    /// When `chain` is not an SVID of `key`.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: KeyPair) -> Result<Self, SvidError> {
        let leaf = chain.first().ok_or(SvidError::Empty)?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(leaf).map_err(|_| SvidError::Malformed)?;
        if &*parsed.public_key().subject_public_key.data != key.public_key() {
            return Err(SvidError::KeyMismatch);
        }
        let id = spiffe_id(&parsed)?;
        let serial = parsed.raw_serial().to_vec();
        let (not_before, not_after) = validity(&parsed);
        Ok(Self {
            id,
            chain,
            key,
            serial,
            not_before,
            not_after,
        })
    }

    /// Whose it is.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The workload's certificate, then any intermediates.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The key.
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// The certificate's serial number, big-endian.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Beginning of validity, since the Unix epoch.
    pub fn not_before(&self) -> Duration {
        self.not_before
    }

    /// End of validity, since the Unix epoch.
    pub fn not_after(&self) -> Duration {
        self.not_after
    }

    /// When to ask for the next one, in wall time since the Unix epoch.
    ///
    /// As Istio's agent reckons (`rotateTime` in security/pkg/nodeagent/cache/secretcache.go):
    /// the point lies a *grace period* before the end, which is the lifetime
    /// times `1 - svid_rotate_at`, moved by a uniform jitter so that a fleet
    /// started together does not renew together. Never before the beginning of
    /// validity nor after its end.
    pub fn rotation_at(&self, profile: &Profile, rng: &mut Rng) -> Duration {
        const MILLION: u64 = 1_000_000;
        let issued = (self.not_before + CLOCK_SKEW_ALLOWANCE).min(self.not_after);
        let lifetime = self.not_after - issued;
        let jitter = u64::from(profile.svid_rotate_jitter_ppm).min(MILLION);
        // Thousandths of a ppm, so that a day's jitter is spread over more than a few instants.
        let drawn = rng.below(2 * jitter * 1000 + 1);
        let share = u64::from(profile.svid_rotate_at_ppm) * 1000 + drawn;
        let share = share.saturating_sub(jitter * 1000).min(MILLION * 1000);
        let nanos = lifetime.as_nanos() * u128::from(share) / u128::from(MILLION * 1000);
        issued + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(lifetime)
    }
}

/// The one SPIFFE id a certificate speaks for.
fn spiffe_id(certificate: &X509Certificate<'_>) -> Result<SpiffeId, SvidError> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| SvidError::Malformed)?;
    let uris: Vec<&str> = names
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    match uris[..] {
        [uri] => SpiffeId::parse(uri).map_err(SvidError::Id),
        _ => Err(SvidError::UriNames(uris.len())),
    }
}

/// When a certificate is valid, since the Unix epoch; times before it are zero.
pub(super) fn validity(certificate: &X509Certificate<'_>) -> (Duration, Duration) {
    let seconds = |at: i64| Duration::from_secs(u64::try_from(at).unwrap_or(0));
    let validity = certificate.validity();
    (
        seconds(validity.not_before.timestamp()),
        seconds(validity.not_after.timestamp()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{CertificateAuthority, ROOT_LIFETIME, csr};

    const NOW: Duration = Duration::from_secs(1_700_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn issue(lifetime: Duration) -> (SignedSvid, KeyPair) {
        let ca =
            CertificateAuthority::new("td", &mut Rng::named(1, "ca"), NOW, ROOT_LIFETIME).unwrap();
        let key = KeyPair::generate(&mut Rng::named(1, "key"));
        let id = SpiffeId::new("td", "ns", "sa").unwrap();
        let signed = ca.sign(&csr(&key, &id), &id, NOW, lifetime).unwrap();
        (signed, key)
    }

    #[test]
    fn an_svid_reads_its_own_certificate() {
        let (signed, key) = issue(DAY);
        let svid = Svid::new(signed.chain, key).unwrap();
        assert_eq!(svid.id().as_str(), "spiffe://td/ns/ns/sa/sa");
        assert_eq!(svid.not_before(), NOW - CLOCK_SKEW_ALLOWANCE);
        assert_eq!(svid.not_after(), NOW + DAY);
        assert_eq!(svid.serial().len(), 16);
    }

    #[test]
    fn certificates_of_another_key_are_no_svid() {
        let (signed, key) = issue(DAY);
        let other = KeyPair::from_secret(&[1; 32]);
        let error = |chain, key| Svid::new(chain, key).unwrap_err();
        assert_eq!(error(signed.chain, other), SvidError::KeyMismatch);
        assert_eq!(error(vec![], key.clone()), SvidError::Empty);
        let junk = vec![CertificateDer::from(vec![0x30, 0x03, 1, 2])];
        assert_eq!(error(junk, key), SvidError::Malformed);
    }

    #[test]
    fn rotation_is_at_half_the_lifetime_give_or_take_a_hundredth() {
        let (signed, key) = issue(DAY);
        let svid = Svid::new(signed.chain, key).unwrap();
        let mut rng = Rng::named(1, "rotation");
        let profile = Profile::istio();
        let points: Vec<Duration> = (0..1000)
            .map(|_| svid.rotation_at(&profile, &mut rng) - NOW)
            .collect();
        let (low, high) = (DAY.mul_f64(0.49), DAY.mul_f64(0.51));
        assert!(points.iter().all(|&at| low <= at && at <= high));
        // Both sides are reached: 1000 uniform draws all on one side of a tenth of the range have chance 0.9^1000.
        assert!(points.iter().any(|&at| at < DAY.mul_f64(0.492)));
        assert!(points.iter().any(|&at| at > DAY.mul_f64(0.508)));
    }

    #[test]
    fn rotation_stays_within_validity() {
        let (signed, key) = issue(DAY);
        let svid = Svid::new(signed.chain, key).unwrap();
        let mut profile = Profile::istio();
        profile.svid_rotate_jitter_ppm = 0;
        profile.svid_rotate_at_ppm = 2_000_000;
        let mut rng = Rng::named(1, "rotation");
        assert_eq!(svid.rotation_at(&profile, &mut rng), NOW + DAY);
        profile.svid_rotate_at_ppm = 0;
        profile.svid_rotate_jitter_ppm = u32::MAX;
        for _ in 0..100 {
            let at = svid.rotation_at(&profile, &mut rng);
            assert!(NOW <= at && at <= NOW + DAY);
        }
    }
}
