//! The certificate authority: a self-signed root that signs workloads' requests.
//!
//! Modelled on the CA inside istiod: a root of ten years
//! (security/pkg/cmd/constants.go), which signs workload certificates
//! directly, each valid from two minutes before it was made, so that a
//! workload whose clock runs a little behind can use it at once
//! (`ClockSkewGracePeriod` in security/pkg/pki/util/generate_cert.go).
//!
//! Who may have which identity is not for the request to say. The caller
//! authenticates the requester (in Kubernetes by its service account's token)
//! and passes that identity in; the request must name the same one, and must
//! be signed with the key it asks a certificate for.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::{KeyPair, SignedSvid, SpiffeId};
use crate::seam::Rng;

/// Lifetime of a root certificate (Istio: `DefaultSelfSignedCACertTTL`, 3650 days).
pub const ROOT_LIFETIME: Duration = Duration::from_secs(3650 * 86_400);

/// A certificate is valid from this long before it was made (Istio: `ClockSkewGracePeriod`).
pub const CLOCK_SKEW_ALLOWANCE: Duration = Duration::from_secs(120);

/// Longest lifetime a workload may ask for (Istio: `DefaultMaxWorkloadCertTTL`, 90 days).
const SVID_LIFETIME_MAX: Duration = Duration::from_secs(90 * 86_400);

/// The last second that X.509 can tell: the end of the year 9999 (RFC 5280, section 4.1.2.5).
const LAST_SECOND: u64 = 253_402_300_799;

/// A certificate authority of one trust domain.
pub struct CertificateAuthority {
    trust_domain: String,
    issuer: Issuer<'static, KeyHolder>,
    root: CertificateDer<'static>,
    not_after: Duration,
    serials: Serials,
}

/// Why the CA refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaError {
    /// The request cannot be read.
    Malformed(String),
    /// The request is not signed with the key it asks a certificate for.
    ProofOfPossession,
    /// The request's key is not Ed25519.
    KeyAlgorithm,
    /// The request names something other than exactly one SPIFFE id.
    Names(String),
    /// The request names another identity than its requester has.
    Identity {
        /// What the request names.
        requested: SpiffeId,
        /// Who asked.
        authenticated: SpiffeId,
    },
    /// The requester belongs to another trust domain.
    TrustDomain(SpiffeId),
    /// A lifetime of zero or above 90 days was asked for.
    Lifetime(Duration),
    /// The root certificate has expired.
    RootExpired,
    /// A time that X.509 cannot tell.
    Time,
}

impl fmt::Display for CaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "malformed signing request: {why}"),
            Self::ProofOfPossession => {
                f.write_str("the signing request is not signed with its own key")
            }
            Self::KeyAlgorithm => f.write_str("the signing request's key is not Ed25519"),
            Self::Names(names) => {
                write!(f, "the signing request names {names}, not one SPIFFE id")
            }
            Self::Identity {
                requested,
                authenticated,
            } => write!(f, "{authenticated} may not ask for {requested}"),
            Self::TrustDomain(id) => write!(f, "{id} is of another trust domain"),
            Self::Lifetime(lifetime) => write!(
                f,
                "a lifetime of {} s is not within 1 s and {} s",
                lifetime.as_secs(),
                SVID_LIFETIME_MAX.as_secs()
            ),
            Self::RootExpired => f.write_str("the root certificate has expired"),
            Self::Time => f.write_str("a time after the year 9999"),
        }
    }
}

impl std::error::Error for CaError {}

impl CertificateAuthority {
    /// A new authority of `trust_domain`, whose key is drawn from `rng`, made at `now`
    /// (wall time since the Unix epoch) for `lifetime`. Its root, like every certificate it
    /// signs, is valid from [`CLOCK_SKEW_ALLOWANCE`] before it was made: in a real mesh the
    /// root is older than any workload, so that skew meets the workload's certificate first.
    ///
    /// # Errors
    /// [`CaError::Time`] when that is beyond the year 9999; [`CaError::Names`] when
    /// `trust_domain` is not one.
    pub fn new(
        trust_domain: &str,
        rng: &mut Rng,
        now: Duration,
        lifetime: Duration,
    ) -> Result<Self, CaError> {
        SpiffeId::new(trust_domain, "ns", "sa").map_err(|e| CaError::Names(e.to_string()))?;
        let key = KeyPair::generate(rng);
        let serials = Serials::of(&key);
        let not_before = whole_seconds(now.saturating_sub(CLOCK_SKEW_ALLOWANCE));
        let not_after = whole_seconds(now.saturating_add(lifetime));

        let mut params = CertificateParams::default();
        set_validity(&mut params, not_before, not_after)?;
        params.serial_number = Some(serials.next());
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, trust_domain);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params
            .self_signed(key.x509())
            .expect("no field of the root is unsupported, and Ed25519 signs anything")
            .into();
        Ok(Self {
            trust_domain: trust_domain.to_owned(),
            issuer: Issuer::new(params, KeyHolder(key)),
            root,
            not_after,
            serials,
        })
    }

    /// The root certificate: what peers must trust.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The trust domain it signs for.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// End of the root's validity, since the Unix epoch.
    pub fn not_after(&self) -> Duration {
        self.not_after
    }

    /// Signs the request `csr_der` of a requester authenticated as `authenticated`.
    /// The certificate ends at `now + lifetime`, or with the root if that is sooner.
    ///
    /// # Errors
    /// When the request is malformed, unproven, or for another identity, or the lifetime cannot be given.
    pub fn sign(
        &self,
        csr_der: &[u8],
        authenticated: &SpiffeId,
        now: Duration,
        lifetime: Duration,
    ) -> Result<SignedSvid, CaError> {
        if authenticated.trust_domain() != self.trust_domain {
            return Err(CaError::TrustDomain(authenticated.clone()));
        }
        if lifetime < Duration::from_secs(1) || lifetime > SVID_LIFETIME_MAX {
            return Err(CaError::Lifetime(lifetime));
        }
        if now >= self.not_after {
            return Err(CaError::RootExpired);
        }
        let request = read_request(csr_der)?;
        let requested = requested_id(&request.params)?;
        if requested != *authenticated {
            return Err(CaError::Identity {
                requested,
                authenticated: authenticated.clone(),
            });
        }
        let not_before = whole_seconds(now.saturating_sub(CLOCK_SKEW_ALLOWANCE));
        let not_after = whole_seconds(now.saturating_add(lifetime)).min(self.not_after);
        self.certify(&request.public_key, authenticated, not_before, not_after)
    }

    /// Certifies that `key` is `id`'s from `not_before` to `not_after` (since the Unix epoch, whole seconds), without a
    /// request and whatever the trust domain: what anybody can do who has the CA's key, by `openssl x509 -CA`.
    ///
    /// # Errors
    /// [`CaError::Time`] when that is beyond the year 9999.
    pub fn issue(
        &self,
        key: &KeyPair,
        id: &SpiffeId,
        not_before: Duration,
        not_after: Duration,
    ) -> Result<SignedSvid, CaError> {
        let (not_before, not_after) = (whole_seconds(not_before), whole_seconds(not_after));
        self.certify(key.x509(), id, not_before, not_after)
    }

    fn certify(
        &self,
        key: &impl rcgen::PublicKeyData,
        id: &SpiffeId,
        not_before: Duration,
        not_after: Duration,
    ) -> Result<SignedSvid, CaError> {
        let mut params = svid_params(id);
        set_validity(&mut params, not_before, not_after)?;
        params.serial_number = Some(self.serials.next());
        let certificate = params
            .signed_by(key, &self.issuer)
            .map_err(|error| CaError::Malformed(error.to_string()))?;
        Ok(SignedSvid {
            chain: vec![certificate.into()],
            not_before,
            not_after,
        })
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateAuthority({})", self.trust_domain)
    }
}

/// A request (PKCS#10, DER) for a certificate that says `key` is `id`'s.
pub fn csr(key: &KeyPair, id: &SpiffeId) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![uri_name(id)];
    params
        .serialize_request(key.x509())
        .expect("no field of the request is unsupported, and Ed25519 signs anything")
        .der()
        .to_vec()
}

/// A workload certificate's contents but for validity and serial number: no
/// subject, one URI name, both ends of TLS (pkg/pki/util/generate_cert.go).
fn svid_params(id: &SpiffeId) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![uri_name(id)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    params
}

fn uri_name(id: &SpiffeId) -> SanType {
    let name = id.as_str().try_into();
    SanType::URI(name.expect("a SPIFFE id is ASCII"))
}

fn read_request(der: &[u8]) -> Result<CertificateSigningRequestParams, CaError> {
    let request =
        CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der));
    let request = request.map_err(|error| match error {
        rcgen::Error::InvalidCertificationRequestSignature => CaError::ProofOfPossession,
        rcgen::Error::UnsupportedSignatureAlgorithm => CaError::KeyAlgorithm,
        other => CaError::Malformed(other.to_string()),
    })?;
    if *request.public_key.algorithm() != rcgen::PKCS_ED25519 {
        return Err(CaError::KeyAlgorithm);
    }
    Ok(request)
}

fn requested_id(params: &CertificateParams) -> Result<SpiffeId, CaError> {
    match &params.subject_alt_names[..] {
        [SanType::URI(uri)] => SpiffeId::parse(uri.as_str())
            .map_err(|error| CaError::Names(format!("`{}` ({error})", uri.as_str()))),
        [] => Err(CaError::Names("nothing".into())),
        [_] => Err(CaError::Names("something that is no URI".into())),
        names => Err(CaError::Names(format!("{} names", names.len()))),
    }
}

/// X.509 tells time in seconds.
fn whole_seconds(at: Duration) -> Duration {
    Duration::from_secs(at.as_secs())
}

fn set_validity(
    params: &mut CertificateParams,
    not_before: Duration,
    not_after: Duration,
) -> Result<(), CaError> {
    if not_before.max(not_after).as_secs() > LAST_SECOND {
        return Err(CaError::Time);
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + not_before;
    params.not_after = epoch + not_after;
    Ok(())
}

/// Serial numbers of 16 bytes: a keyed hash of a counter, so that they differ,
/// cannot be guessed, and tell nothing about the CA's key or its activity.
struct Serials {
    key: [u8; 32],
    issued: Cell<u64>,
}

impl Serials {
    fn of(ca: &KeyPair) -> Self {
        Self {
            key: blake3::derive_key(
                "meshquake certificate serial numbers v1",
                ca.to_pkcs8().secret_pkcs8_der(),
            ),
            issued: Cell::new(0),
        }
    }

    fn next(&self) -> SerialNumber {
        let count = self.issued.get();
        self.issued.set(count + 1);
        let hash = blake3::keyed_hash(&self.key, &count.to_be_bytes());
        let mut serial = [0; 16];
        serial.copy_from_slice(&hash.as_bytes()[..16]);
        // Positive, and without a leading zero byte: DER would shorten it.
        serial[0] = serial[0] & 0x3f | 0x40;
        SerialNumber::from_slice(&serial)
    }
}

/// The CA's key as rcgen's issuer holds it.
struct KeyHolder(KeyPair);

impl rcgen::PublicKeyData for KeyHolder {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for KeyHolder {
    fn sign(&self, msg: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.x509().sign(msg)
    }
}

#[cfg(test)]
mod tests;
