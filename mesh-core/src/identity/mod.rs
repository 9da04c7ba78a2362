//! SPIFFE ids, the CA, SVID issue and rotation, rustls configurations and verifiers.
//!
//! An identity is a [`SpiffeId`]; the proof of it is an [`Svid`], an X.509
//! certificate with that id as its only URI subject alternative name, and the
//! key that belongs to it. A sidecar makes a [`KeyPair`], sends the
//! [`CertificateAuthority`] a [signing request](csr) together with its service
//! account's token, and gets an SVID that is valid for a day or so; it asks
//! again [well before that ends](Svid::rotation_at). The [`IdentityStore`]
//! holds the current SVID and the [`TrustBundle`], and makes the rustls
//! configurations that the sidecar's listeners and pools shake hands with.
//!
//! **What a handshake checks.** Both ends demand a chain to the trust bundle
//! that is valid now, by the host's own clock, so a skewed clock rejects good
//! certificates as it does in production. A server accepts any identity of its
//! trust domain and leaves the rest to authorization. A client accepts only
//! the identities that the registry knows for the service it calls (*secure
//! naming*), so a workload that captures another's address gains nothing.
//!
//! **What a handshake may depend on.** Only TLS 1.3, one cipher suite, X25519
//! and Ed25519 are spoken: every message then has one length, whatever the
//! keys and nonces, and the packets of a run are the same although the TLS
//! library draws its ephemeral keys from the operating system. Sessions are
//! never resumed: a resumed handshake is shorter than a full one, so packets
//! would depend on caches and ticket lifetimes, and a peer whose certificate
//! has expired since would still be let in. Envoy does resume; the difference
//! is CPU time at reconnection, which is not simulated.

mod authority;
mod failure;
mod key;
mod server_name;
mod spiffe;
mod store;
mod svid;
mod trust;
mod verify;

#[cfg(test)]
mod handshake;

pub use authority::{CLOCK_SKEW_ALLOWANCE, CaError, CertificateAuthority, ROOT_LIFETIME, csr};
pub use failure::{handshake_failure, handshake_failure_io};
pub use key::KeyPair;
pub use server_name::server_name;
pub use spiffe::{SpiffeId, SpiffeIdError};
pub use store::{ClientCertificate, IdentityError, IdentityStore, peer_identity};
pub use svid::{SignedSvid, Svid, SvidError};
pub use trust::{TrustBundle, TrustBundleError};
