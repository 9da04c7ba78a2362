//! Identities, authorities and certificates, true and false.

use std::time::Duration;

use mesh_core::identity::{
    CertificateAuthority, IdentityStore, KeyPair, ROOT_LIFETIME, SpiffeId, Svid, TrustBundle, csr,
};
use mesh_core::seam::{Rng, Seams};

/// Wall time at the beginning of the world, since the Unix epoch.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_700_000_000);
/// Lifetime of an ordinary certificate.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
/// Every random stream of these worlds hangs on it.
pub(crate) const SEED: u64 = 1;

const DOMAIN: &str = "cluster.local";

/// The mesh's own authority: whoever holds its key can make any certificate.
pub(crate) fn authority() -> CertificateAuthority {
    rival("the mesh's own")
}

/// An authority of the same trust domain, with the key called `key`.
pub(crate) fn rival(key: &str) -> CertificateAuthority {
    let mut rng = Rng::named(SEED, &format!("authority/{key}"));
    CertificateAuthority::new(DOMAIN, &mut rng, EPOCH, ROOT_LIFETIME).unwrap()
}

/// A certificate for `account`, made at `from` after the beginning of the world.
pub(crate) fn svid(
    authority: &CertificateAuthority,
    account: &str,
    from: Duration,
    lifetime: Duration,
) -> Svid {
    let key = KeyPair::generate(&mut Rng::named(SEED, &format!("key of {account}")));
    let id = spiffe(account);
    let signed = authority
        .sign(&csr(&key, &id), &id, EPOCH + from, lifetime)
        .unwrap();
    Svid::new(signed.chain, key).unwrap()
}

/// A good certificate.
pub(crate) fn valid(account: &str) -> Svid {
    svid(&authority(), account, Duration::ZERO, DAY)
}

/// The identity of a service account; the control plane's is in its own namespace.
pub(crate) fn spiffe(account: &str) -> SpiffeId {
    let namespace = match account {
        "istiod" => "istio-system",
        _ => "default",
    };
    SpiffeId::new(DOMAIN, namespace, account).unwrap()
}

/// The token that proves a service account to the control plane.
pub(crate) fn token(account: &str) -> String {
    format!("token-of-{account}")
}

/// The mesh's root and perhaps a certificate, on the clock of `seams`.
pub(crate) fn secrets(seams: &Seams, svid: Option<Svid>) -> IdentityStore {
    let store = IdentityStore::new(seams.clock.clone());
    store.set_trust(TrustBundle::of(&authority()));
    if let Some(svid) = svid {
        store.set_svid(svid);
    }
    store
}
