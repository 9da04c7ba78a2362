//! What the authority signs, what it leaves out and what it refuses.

use rcgen::CustomExtension;
use x509_parser::extensions::GeneralName;

use super::*;

const NOW: Duration = Duration::from_secs(1_700_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn authority() -> CertificateAuthority {
    CertificateAuthority::new("td", &mut Rng::named(1, "ca"), NOW, ROOT_LIFETIME).unwrap()
}

fn id(account: &str) -> SpiffeId {
    SpiffeId::new("td", "default", account).unwrap()
}

fn key(name: &str) -> KeyPair {
    KeyPair::generate(&mut Rng::named(1, name))
}

#[test]
fn a_request_for_ones_own_identity_is_signed() {
    let signed = authority()
        .sign(&csr(&key("a"), &id("a")), &id("a"), NOW, HOUR)
        .unwrap();
    assert_eq!(signed.not_before, NOW - Duration::from_secs(120));
    assert_eq!(signed.not_after, NOW + HOUR);
    assert_eq!(signed.chain.len(), 1);
}

#[test]
fn another_identity_is_refused() {
    let error = authority()
        .sign(&csr(&key("a"), &id("b")), &id("a"), NOW, HOUR)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "spiffe://td/ns/default/sa/a may not ask for spiffe://td/ns/default/sa/b"
    );
    let foreign = SpiffeId::new("other", "default", "a").unwrap();
    let error = authority()
        .sign(&csr(&key("a"), &foreign), &foreign, NOW, HOUR)
        .unwrap_err();
    assert_eq!(error, CaError::TrustDomain(foreign));
}

#[test]
fn a_request_must_prove_its_key() {
    let good = csr(&key("a"), &id("a"));
    let sign = |der: &[u8]| authority().sign(der, &id("a"), NOW, HOUR);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(sign(&forged).unwrap_err(), CaError::ProofOfPossession);
    // A key that is not the signer's: the public key's 32 bytes swapped.
    let mine = key("a");
    let at = good
        .windows(32)
        .position(|window| window == mine.public_key())
        .unwrap();
    let mut stolen = good.clone();
    stolen[at..at + 32].copy_from_slice(key("victim").public_key());
    assert_eq!(sign(&stolen).unwrap_err(), CaError::ProofOfPossession);
}

#[test]
fn an_altered_request_is_refused_and_no_bytes_panic() {
    let good = csr(&key("a"), &id("a"));
    let ca = authority();
    // SEQUENCE, 187 bytes, of which the first is the signed part: SEQUENCE, 111 bytes.
    assert_eq!(good[..5], [0x30, 0x81, 0xbb, 0x30, 0x6f]);
    let signed_part = 3..5 + 0x6f;
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            let answer = ca.sign(&bad, &id("a"), NOW, HOUR);
            // Around the signed part a few bits mean nothing (tag classes), so only panics count there.
            assert!(answer.is_err() || !signed_part.contains(&at), "byte {at}");
        }
        assert!(ca.sign(&good[..at], &id("a"), NOW, HOUR).is_err());
    }
}

#[test]
fn names_other_than_one_spiffe_id_are_refused() {
    let request = |names: Vec<SanType>| {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let der = params.serialize_request(key("a").x509()).unwrap();
        authority()
            .sign(der.der(), &id("a"), NOW, HOUR)
            .unwrap_err()
            .to_string()
    };
    let named = |names| format!("the signing request names {names}, not one SPIFFE id");
    assert_eq!(request(vec![]), named("nothing"));
    let dns = SanType::DnsName("example.org".try_into().unwrap());
    assert_eq!(request(vec![dns]), named("something that is no URI"));
    let two = vec![uri_name(&id("a")), uri_name(&id("b"))];
    assert_eq!(request(two), named("2 names"));
}

/// Whatever a request asks for beside its name and key is left out: a workload's certificate says what the authority
/// says (X509-SVID specification, sections 4.1 and 4.3: no CA, `digitalSignature`, neither `keyCertSign` nor `cRLSign`).
#[test]
fn a_request_to_be_an_authority_gets_a_workloads_certificate() {
    let mut greedy = CertificateParams::default();
    greedy.subject_alt_names = vec![uri_name(&id("a"))];
    greedy
        .distinguished_name
        .push(DnType::CommonName, "root of all trust");
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    greedy.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    greedy.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::Any,
        ExtendedKeyUsagePurpose::CodeSigning,
    ];
    let request = greedy.serialize_request(key("a").x509()).unwrap();
    let asked = read_request(request.der()).unwrap().params;
    assert_eq!(asked.is_ca, greedy.is_ca, "the request does ask for it");

    let ca = authority();
    let signed = ca.sign(request.der(), &id("a"), NOW, HOUR).unwrap();
    let (rest, given) = x509_parser::parse_x509_certificate(&signed.chain[0]).unwrap();
    assert!(rest.is_empty());
    assert!(!given.is_ca());
    assert_eq!(given.subject().iter().count(), 0, "{}", given.subject());
    let usage = given.key_usage().unwrap().unwrap().value;
    assert_eq!(usage.to_string(), "Digital Signature");
    let purposes = given.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.server_auth && purposes.client_auth);
    assert!(!purposes.any && !purposes.code_signing && !purposes.ocsp_signing);
    let names = given.subject_alternative_name().unwrap().unwrap().value;
    let name = GeneralName::URI("spiffe://td/ns/default/sa/a");
    assert_eq!(names.general_names, [name]);
    assert_eq!(
        given.public_key().subject_public_key.data,
        key("a").public_key()
    );

    // In every field but the serial number and the signature it is the certificate of a modest request.
    let modest = ca.sign(&csr(&key("a"), &id("a")), &id("a"), NOW, HOUR);
    let modest = modest.unwrap();
    let (_, plain) = x509_parser::parse_x509_certificate(&modest.chain[0]).unwrap();
    assert_eq!(given.extensions(), plain.extensions());
    assert_eq!(given.issuer(), plain.issuer());
    assert_eq!(given.validity(), plain.validity());
    assert_eq!(signed.chain[0].len(), modest.chain[0].len());
}

/// Extensions that the authority does not know are refused, not copied.
#[test]
fn unknown_extensions_are_refused() {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri_name(&id("a"))];
    // Name constraints (RFC 5280, section 4.2.1.10), and one that nobody knows.
    for oid in [&[2, 5, 29, 30][..], &[1, 3, 6, 1, 4, 1, 99_999, 1]] {
        let mut extension = CustomExtension::from_oid_content(oid, vec![0x30, 0x00]);
        extension.set_criticality(true);
        params.custom_extensions = vec![extension];
        let request = params.serialize_request(key("a").x509()).unwrap();
        let refused = authority().sign(request.der(), &id("a"), NOW, HOUR);
        let refused = refused.unwrap_err();
        assert!(matches!(refused, CaError::Malformed(_)), "{refused}");
    }
}

/// Names that a careless comparison would take for the requester's own.
#[test]
fn near_misses_of_ones_own_identity_are_refused() {
    for name in [
        "spiffe://td/ns/default/sa/a/",
        "spiffe://td/ns/default/sa/A",
        "spiffe://TD/ns/default/sa/a",
        "SPIFFE://td/ns/default/sa/a",
        "spiffe://td/ns/default/sa/%61",
        "spiffe://td//ns/default/sa/a",
        "spiffe://td/ns/default/sa/b/../a",
        "spiffe://td/ns/default/sa/a?as=b",
        "spiffe://td/ns/default/sa/a#b",
        "spiffe://td@evil/ns/default/sa/a",
        "spiffe://td:443/ns/default/sa/a",
        "spiffe://td.evil/ns/default/sa/a",
        "https://td/ns/default/sa/a",
        " spiffe://td/ns/default/sa/a",
        "spiffe://td/ns/default/sa/a\0",
        "",
    ] {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
        let request = params.serialize_request(key("a").x509()).unwrap();
        let refused = authority().sign(request.der(), &id("a"), NOW, HOUR);
        assert!(
            matches!(
                refused,
                Err(CaError::Names(_) | CaError::Identity { .. } | CaError::Malformed(_))
            ),
            "{name}: {refused:?}"
        );
    }
}

#[test]
fn other_keys_are_refused() {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri_name(&id("a"))];
    let ecdsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let der = params.serialize_request(&ecdsa).unwrap();
    let error = authority()
        .sign(der.der(), &id("a"), NOW, HOUR)
        .unwrap_err();
    assert_eq!(error, CaError::KeyAlgorithm);
}

#[test]
fn no_certificate_outlives_the_root() {
    let short = CertificateAuthority::new("td", &mut Rng::named(1, "ca"), NOW, HOUR).unwrap();
    let request = csr(&key("a"), &id("a"));
    let signed = short.sign(&request, &id("a"), NOW, 2 * HOUR).unwrap();
    assert_eq!(signed.not_after, NOW + HOUR);
    let late = short.sign(&request, &id("a"), NOW + HOUR, HOUR);
    assert_eq!(late.unwrap_err(), CaError::RootExpired);
}

#[test]
fn lifetimes_and_times_have_bounds() {
    let request = csr(&key("a"), &id("a"));
    for lifetime in [Duration::ZERO, SVID_LIFETIME_MAX + Duration::from_secs(1)] {
        let error = authority()
            .sign(&request, &id("a"), NOW, lifetime)
            .unwrap_err();
        assert_eq!(error, CaError::Lifetime(lifetime));
    }
    let endless = CertificateAuthority::new("td", &mut Rng::named(1, "ca"), NOW, Duration::MAX);
    assert_eq!(endless.unwrap_err(), CaError::Time);
}

#[test]
fn certificates_differ_but_not_in_length() {
    let ca = authority();
    let mut serials = std::collections::BTreeSet::new();
    let mut lengths = std::collections::BTreeSet::new();
    for n in 0..200 {
        let key = key(&n.to_string());
        let request = csr(&key, &id("a"));
        lengths.insert((
            request.len(),
            ca.sign(&request, &id("a"), NOW, HOUR).unwrap().chain[0].len(),
        ));
        serials.insert(ca.serials.next().to_bytes());
    }
    assert_eq!(serials.len(), 200);
    assert_eq!(lengths.len(), 1, "{lengths:?}");
}

#[test]
fn an_authority_is_a_function_of_its_stream() {
    let request = csr(&key("a"), &id("a"));
    let sign = || authority().sign(&request, &id("a"), NOW, HOUR).unwrap();
    assert_eq!(sign(), sign());
    assert_eq!(authority().root(), authority().root());
}

#[test]
fn whoever_has_the_key_certifies_anything() {
    let (ca, own) = (authority(), key("a"));
    let foreign = SpiffeId::new("other", "default", "b").unwrap();
    let ended = ca
        .issue(&own, &foreign, NOW - HOUR, NOW - HOUR / 2)
        .unwrap();
    assert_eq!(
        (ended.not_before, ended.not_after),
        (NOW - HOUR, NOW - HOUR / 2)
    );
    let svid = crate::identity::Svid::new(ended.chain, own).unwrap();
    assert_eq!(*svid.id(), foreign);
    let never = Duration::from_secs(300_000_000_000);
    let error = ca.issue(&key("a"), &id("a"), NOW, never).unwrap_err();
    assert_eq!(error, CaError::Time);
}
