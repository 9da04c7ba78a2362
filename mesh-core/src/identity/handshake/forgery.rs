//! Certificates that are almost right, shown by either end.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer};
use rustls_pki_types::CertificateDer;

use super::*;

/// A pod that shows `chain` and signs with `key`, and trusts `ca`.
fn showing(
    ca: &CertificateAuthority,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
) -> IdentityStore {
    let store = IdentityStore::new(TestClock::at(START));
    store.set_trust(TrustBundle::of(ca));
    store.set_svid(Svid::new(chain, key).unwrap());
    store
}

/// What honest pods say when an impostor poses as server `b`, and as client `b`.
#[track_caller]
fn refusals(ca: &CertificateAuthority, impostor: &IdentityStore) -> [String; 2] {
    let (honest, _) = pod(ca, "a");
    let as_server = mutual(&honest, "b", impostor).unwrap_err().client;
    let as_client = mutual(impostor, "a", &honest).unwrap_err().server;
    [as_server, as_client]
}

/// A certificate for service account `b` of `ca`'s trust domain and the public key of `key`, as `params` has the rest,
/// signed by `issuer`'s key in the name of `issuer_params`.
fn forge(
    mut params: CertificateParams,
    key: &KeyPair,
    issuer_params: CertificateParams,
    issuer: &KeyPair,
) -> CertificateDer<'static> {
    let id = SpiffeId::new("td", "default", "b").unwrap();
    let name = id.as_str().try_into().unwrap();
    params.subject_alt_names = vec![rcgen::SanType::URI(name)];
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let issuer = Issuer::from_params(&issuer_params, issuer.x509());
    params.signed_by(key.x509(), &issuer).unwrap().into()
}

#[test]
fn the_right_identity_signed_by_another_authority_is_refused() {
    let (ca, other) = (authority("td", "ca"), authority("td", "other ca"));
    let forged = issue(&other, "b", "b", NOW);
    assert_eq!(forged.id().as_str(), "spiffe://td/ns/default/sa/b");
    // The two authorities have the same name, so only the signature tells them apart.
    let alone = forged.chain().to_vec();
    let with_its_root = [alone.clone(), vec![other.root().clone()]].concat();
    let with_the_true_root = [alone.clone(), vec![ca.root().clone()]].concat();
    for chain in [alone, with_its_root, with_the_true_root] {
        let impostor = showing(&ca, chain, forged.key().clone());
        assert_eq!(refusals(&ca, &impostor), ["unknown issuer"; 2]);
    }
}

#[test]
fn a_certificate_signed_by_itself_is_refused() {
    let ca = authority("td", "ca");
    let key = KeyPair::generate(&mut Rng::named(1, "thief"));
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut own = CertificateParams::default();
        own.is_ca = is_ca;
        own.distinguished_name = rcgen::DistinguishedName::new();
        let leaf = forge(own.clone(), &key, own, &key);
        let impostor = showing(&ca, vec![leaf], key.clone());
        for said in refusals(&ca, &impostor) {
            assert!(
                said == "unknown issuer" || said.starts_with("malformed certificate: "),
                "{said}"
            );
        }
    }
}

/// Whoever has an SVID has a key that the authority vouches for, but may not sign with it.
#[test]
fn a_workloads_certificate_vouches_for_nobody() {
    let ca = authority("td", "ca");
    let thief = issue(&ca, "thief", "thief", NOW);
    let key = KeyPair::generate(&mut Rng::named(1, "forged"));
    // A workload's certificate has no subject.
    let mut unnamed = CertificateParams::default();
    unnamed.distinguished_name = rcgen::DistinguishedName::new();
    let leaf = forge(CertificateParams::default(), &key, unnamed, thief.key());
    let chain = vec![leaf, thief.chain()[0].clone()];
    let impostor = showing(&ca, chain, key);
    for said in refusals(&ca, &impostor) {
        assert!(
            said == "unknown issuer" || said.starts_with("malformed certificate: "),
            "{said}"
        );
    }
}

#[test]
fn any_flipped_bit_of_a_signature_is_noticed() {
    let ca = authority("td", "ca");
    let genuine = issue(&ca, "b", "b", NOW);
    let leaf = &genuine.chain()[0];
    // The signature is the last 64 bytes (RFC 8410, section 6).
    for at in leaf.len() - 64..leaf.len() {
        let mut forged = leaf.to_vec();
        forged[at] ^= 1 << (at % 8);
        let impostor = showing(&ca, vec![forged.into()], genuine.key().clone());
        assert_eq!(refusals(&ca, &impostor), ["unknown issuer"; 2], "byte {at}");
    }
}

/// A genuine certificate altered: another name, another key, a later end.
#[test]
fn what_was_signed_cannot_be_changed() {
    let ca = authority("td", "ca");
    let thief = issue(&ca, "c", "c", NOW);
    let leaf = &thief.chain()[0];
    let altered = |from: &[u8], to: &[u8]| -> CertificateDer<'static> {
        let at = leaf.windows(from.len()).position(|window| window == from);
        let at = at.expect("the certificate has it");
        let mut forged = leaf.to_vec();
        forged[at..at + to.len()].copy_from_slice(to);
        forged.into()
    };
    let renamed = altered(b"/sa/c", b"/sa/b");
    let impostor = showing(&ca, vec![renamed], thief.key().clone());
    let id = impostor.svid().unwrap().id().to_string();
    assert_eq!(id, "spiffe://td/ns/default/sa/b");
    assert_eq!(refusals(&ca, &impostor), ["unknown issuer"; 2]);

    let victim = issue(&ca, "c", "c", NOW);
    let key = KeyPair::generate(&mut Rng::named(1, "thief"));
    let rekeyed = altered(victim.key().public_key(), key.public_key());
    let impostor = showing(&ca, vec![rekeyed], key);
    assert_eq!(refusals(&ca, &impostor), ["unknown issuer"; 2]);

    // NOW is 2023-11-14 22:13:20 UTC, and the certificate ends an hour later.
    let prolonged = altered(b"231114231320Z", b"331114231320Z");
    let impostor = showing(&ca, vec![prolonged], thief.key().clone());
    assert_eq!(refusals(&ca, &impostor), ["unknown issuer"; 2]);
}

/// A certificate is public; the key is not.
#[test]
fn a_stolen_certificate_is_worth_nothing_without_its_key() {
    use rustls::sign::{CertifiedKey, SingleCertAndKey};

    let ca = authority("td", "ca");
    let (honest, _) = pod(&ca, "a");
    let victim = issue(&ca, "b", "b", NOW);
    let (thief, _) = pod(&ca, "thief");
    let key = thief.svid().unwrap().key().tls();
    let stolen = CertifiedKey::new(victim.chain().to_vec(), key);
    let stolen = Arc::new(SingleCertAndKey::from(stolen));

    let mut server = (*thief.server_config(ClientCertificate::Required).unwrap()).clone();
    server.cert_resolver = stolen.clone();
    let client = honest.client_config(&identity("b")).unwrap();
    let failed = shake(&client, &Arc::new(server)).unwrap_err();
    assert_eq!(failed.client, "invalid certificate: BadSignature");

    let mut client = (*thief.client_config(&identity("a")).unwrap()).clone();
    client.client_auth_cert_resolver = stolen;
    let server = honest.server_config(ClientCertificate::Required).unwrap();
    let failed = shake(&Arc::new(client), &server).unwrap_err();
    assert_eq!(failed.server, "invalid certificate: BadSignature");
}
