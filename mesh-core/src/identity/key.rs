//! Ed25519 key pairs, made from a named random stream.
//!
//! Ed25519 because its public keys and signatures have one length: whatever
//! the key and the nonces, a handshake has the same number of bytes, so packet
//! traces do not depend on cryptographic chance. ECDSA signatures vary by a
//! few bytes. Signing draws no randomness either (RFC 8032, section 5.1.6).

use std::fmt;
use std::sync::Arc;

use rcgen::PublicKeyData as _;
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::seam::Rng;

/// What PKCS#8 v1 puts before the 32 bytes of an Ed25519 secret (RFC 8410, sections 7 and 10.3).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, // SEQUENCE, 46 bytes
    0x02, 0x01, 0x00, // version 0
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, // AlgorithmIdentifier 1.3.101.112
    0x04, 0x22, 0x04, 0x20, // OCTET STRING holding an OCTET STRING of 32 bytes
];

/// An Ed25519 key pair. Cheap to clone.
#[derive(Clone)]
pub struct KeyPair(Arc<Inner>);

struct Inner {
    pkcs8: [u8; 48],
    x509: rcgen::KeyPair,
    tls: Arc<dyn rustls::sign::SigningKey>,
}

impl KeyPair {
    /// The key pair whose secret is the next 32 bytes of `rng`.
    ///
    /// `rng` must be a stream of its own: its generator can be run backwards,
    /// so nothing drawn from it may become public. Under the operating
    /// system's [randomness](crate::seam::real::OsRandomness) the secret has
    /// the system's entropy.
    pub fn generate(rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self::from_secret(&secret)
    }

    /// The key pair of a secret (RFC 8032, section 5.1.5).
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let mut pkcs8 = [0; 48];
        pkcs8[..16].copy_from_slice(&PKCS8_PREFIX);
        pkcs8[16..].copy_from_slice(secret);
        let der = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
        let x509 = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519)
            .expect("any 32 bytes are an Ed25519 secret, and the prefix is PKCS#8's");
        let tls = rustls::crypto::ring::sign::any_eddsa_type(&der)
            .expect("any 32 bytes are an Ed25519 secret, and the prefix is PKCS#8's");
        Self(Arc::new(Inner { pkcs8, x509, tls }))
    }

    /// The public key, 32 bytes.
    pub fn public_key(&self) -> &[u8] {
        self.0.x509.der_bytes()
    }

    /// The secret key as PKCS#8 v1, to write it to a file.
    pub fn to_pkcs8(&self) -> PrivatePkcs8KeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.pkcs8.to_vec())
    }

    /// As certificates are signed with it.
    pub(super) fn x509(&self) -> &rcgen::KeyPair {
        &self.0.x509
    }

    /// As handshakes are signed with it.
    pub(super) fn tls(&self) -> Arc<dyn rustls::sign::SigningKey> {
        self.0.tls.clone()
    }
}

impl fmt::Debug for KeyPair {
    /// Shows the public key alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(")?;
        for byte in &self.public_key()[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn a_secret_has_the_public_key_of_rfc_8032() {
        // RFC 8032, section 7.1, test 1.
        let secret = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let key = KeyPair::from_secret(&secret.try_into().unwrap());
        assert_eq!(key.public_key(), public);
    }

    #[test]
    fn the_same_stream_makes_the_same_key() {
        let key = |seed, name| KeyPair::generate(&mut Rng::named(seed, name));
        assert_eq!(key(1, "reviews").to_pkcs8(), key(1, "reviews").to_pkcs8());
        assert_ne!(
            key(1, "reviews").public_key(),
            key(1, "ratings").public_key()
        );
        assert_ne!(
            key(1, "reviews").public_key(),
            key(2, "reviews").public_key()
        );
    }

    #[test]
    fn a_key_does_not_print_its_secret() {
        let key = KeyPair::from_secret(&[7; 32]);
        assert!(!format!("{key:?}").contains("07070707"));
    }
}
