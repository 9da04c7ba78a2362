//! Tests of whole handshakes, both ends in memory and on fake clocks.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::*;
use crate::control::ClusterName;
use crate::seam::{BoxSleep, Clock, Instant, Rng, Sleep};

mod forgery;

const START: u64 = 1_700_000_000;
const NOW: Duration = Duration::from_secs(START);
const HOUR: Duration = Duration::from_secs(3600);

struct TestClock(AtomicU64);

impl TestClock {
    fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seconds)))
    }

    fn set(&self, at: Duration) {
        self.0.store(at.as_secs(), Ordering::Relaxed);
    }
}

struct Forever;

impl Future for Forever {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sleep for Forever {
    fn reset(self: Pin<&mut Self>, _: Instant) {}
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn sleep_until(&self, _: Instant) -> BoxSleep {
        Box::pin(Forever)
    }

    fn unix_time(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

fn authority(trust_domain: &str, stream: &str) -> CertificateAuthority {
    let mut rng = Rng::named(1, stream);
    CertificateAuthority::new(trust_domain, &mut rng, NOW, ROOT_LIFETIME).unwrap()
}

fn issue(ca: &CertificateAuthority, account: &str, key: &str, now: Duration) -> Svid {
    let key = KeyPair::generate(&mut Rng::named(1, key));
    let id = SpiffeId::new(ca.trust_domain(), "default", account).unwrap();
    let signed = ca.sign(&csr(&key, &id), &id, now, HOUR).unwrap();
    Svid::new(signed.chain, key).unwrap()
}

/// A pod of service account `account`, with a clock of its own.
fn pod(ca: &CertificateAuthority, account: &str) -> (IdentityStore, Arc<TestClock>) {
    let clock = TestClock::at(START);
    let store = IdentityStore::new(clock.clone());
    store.set_trust(TrustBundle::of(ca));
    store.set_svid(issue(ca, account, account, NOW));
    (store, clock)
}

fn identity(account: &str) -> Vec<Arc<str>> {
    vec![format!("spiffe://td/ns/default/sa/{account}").into()]
}

/// A handshake that worked.
#[derive(Debug)]
struct Done {
    client: ClientConnection,
    server: ServerConnection,
    /// Bytes of every flight, in order, the client's first.
    flights: Vec<usize>,
}

/// What each end says about a handshake that failed; empty for the end that noticed nothing.
#[derive(Debug, PartialEq)]
struct Failed {
    client: String,
    server: String,
}

impl Failed {
    fn new(client: &str, server: &str) -> Self {
        Self {
            client: client.into(),
            server: server.into(),
        }
    }
}

fn shake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Result<Done, Failed> {
    let cluster = ClusterName::outbound(80, None, "b.default.svc.cluster.local");
    let mut done = Done {
        client: ClientConnection::new(client.clone(), server_name(&cluster)).unwrap(),
        server: ServerConnection::new(server.clone()).unwrap(),
        flights: Vec::new(),
    };
    let (mut at_client, mut at_server) = (String::new(), String::new());
    while done.client.wants_write() || done.server.wants_write() {
        let mut flight = Vec::new();
        while done.client.wants_write() {
            done.client.write_tls(&mut flight).unwrap();
        }
        done.flights.push(flight.len());
        let mut rest = &flight[..];
        while !rest.is_empty() && at_server.is_empty() {
            done.server.read_tls(&mut rest).unwrap();
            if let Err(error) = done.server.process_new_packets() {
                at_server = handshake_failure(&error);
            }
        }
        let mut flight = Vec::new();
        while done.server.wants_write() {
            done.server.write_tls(&mut flight).unwrap();
        }
        done.flights.push(flight.len());
        let mut rest = &flight[..];
        while !rest.is_empty() && at_client.is_empty() {
            done.client.read_tls(&mut rest).unwrap();
            if let Err(error) = done.client.process_new_packets() {
                at_client = handshake_failure(&error);
            }
        }
    }
    if at_client.is_empty() && at_server.is_empty() {
        assert!(!done.client.is_handshaking() && !done.server.is_handshaking());
        return Ok(done);
    }
    Err(Failed {
        client: at_client,
        server: at_server,
    })
}

fn mutual(client: &IdentityStore, expected: &str, server: &IdentityStore) -> Result<Done, Failed> {
    shake(
        &client.client_config(&identity(expected)).unwrap(),
        &server.server_config(ClientCertificate::Required).unwrap(),
    )
}

#[test]
fn both_ends_know_each_other() {
    let ca = authority("td", "ca");
    let ((a, _), (b, _)) = (pod(&ca, "a"), pod(&ca, "b"));
    let done = mutual(&a, "b", &b).unwrap();
    let server = peer_identity(&done.client).unwrap();
    let client = peer_identity(&done.server).unwrap();
    assert_eq!(server.as_str(), "spiffe://td/ns/default/sa/b");
    assert_eq!(client.as_str(), "spiffe://td/ns/default/sa/a");
    assert_eq!(done.client.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(
        done.server.server_name(),
        Some("outbound_.80_._.b.default.svc.cluster.local")
    );
}

#[test]
fn an_empty_list_allows_any_workload_of_the_trust_domain() {
    let ca = authority("td", "ca");
    let ((a, _), (b, _)) = (pod(&ca, "a"), pod(&ca, "b"));
    let server = b.server_config(ClientCertificate::Required).unwrap();
    assert!(shake(&a.client_config(&[]).unwrap(), &server).is_ok());
}

#[test]
fn a_client_without_certificate_is_refused_unless_that_is_optional() {
    let ca = authority("td", "ca");
    let ((a, _), (b, _)) = (pod(&ca, "a"), pod(&ca, "b"));
    let simple = a.simple_client_config(&[], false).unwrap();
    let required = b.server_config(ClientCertificate::Required).unwrap();
    assert_eq!(
        shake(&simple, &required).unwrap_err(),
        Failed::new("peer: no certificate presented", "no certificate presented")
    );
    let optional = b.server_config(ClientCertificate::Optional).unwrap();
    let done = shake(&simple, &optional).unwrap();
    assert_eq!(peer_identity(&done.server), None);
    assert!(peer_identity(&done.client).is_some());
    // A certificate that is given is checked even where none is needed.
    let (stranger, _) = pod(&authority("td", "other ca"), "a");
    stranger.set_trust(TrustBundle::of(&ca));
    let config = stranger.client_config(&identity("b")).unwrap();
    assert_eq!(
        shake(&config, &optional).unwrap_err(),
        Failed::new("peer: unknown issuer", "unknown issuer")
    );
}

#[test]
fn a_server_of_another_authority_is_refused() {
    let (ca, other) = (authority("td", "ca"), authority("td", "other ca"));
    let ((a, _), (b, _)) = (pod(&ca, "a"), pod(&other, "b"));
    assert_eq!(
        mutual(&a, "b", &b).unwrap_err(),
        Failed::new("unknown issuer", "peer: unknown issuer")
    );
}

#[test]
fn another_services_identity_is_refused() {
    let ca = authority("td", "ca");
    let ((a, _), (thief, _)) = (pod(&ca, "a"), pod(&ca, "thief"));
    let failed = mutual(&a, "b", &thief).unwrap_err();
    assert_eq!(
        failed,
        Failed::new(
            "identity spiffe://td/ns/default/sa/thief not allowed",
            "peer: certificate not accepted"
        )
    );
}

#[test]
fn an_expired_certificate_is_refused_by_either_end() {
    let ca = authority("td", "ca");
    let ((a, a_clock), (b, b_clock)) = (pod(&ca, "a"), pod(&ca, "b"));
    let late = NOW + HOUR + Duration::from_secs(1);
    a_clock.set(late);
    let peer = "peer: certificate expired or not yet valid";
    assert_eq!(
        mutual(&a, "b", &b).unwrap_err(),
        Failed::new("certificate expired", peer)
    );
    // The client's certificate is checked by the server's clock.
    a_clock.set(NOW);
    b_clock.set(late);
    assert_eq!(
        mutual(&a, "b", &b).unwrap_err(),
        Failed::new(peer, "certificate expired")
    );
}

#[test]
fn a_clock_that_runs_behind_has_two_minutes_of_grace() {
    let ca = authority("td", "ca");
    let ((a, a_clock), (b, _)) = (pod(&ca, "a"), pod(&ca, "b"));
    a_clock.set(NOW - CLOCK_SKEW_ALLOWANCE);
    assert!(mutual(&a, "b", &b).is_ok());
    a_clock.set(NOW - CLOCK_SKEW_ALLOWANCE - Duration::from_secs(1));
    assert_eq!(
        mutual(&a, "b", &b).unwrap_err().client,
        "certificate not yet valid"
    );
}

#[test]
fn another_trust_domain_is_refused_even_under_a_trusted_root() {
    let (ca, foreign) = (authority("td", "ca"), authority("elsewhere", "foreign ca"));
    let ((a, _), (b, _)) = (pod(&ca, "a"), pod(&foreign, "b"));
    let roots = || [ca.root().clone(), foreign.root().clone()];
    a.set_trust(TrustBundle::new("td", roots()).unwrap());
    b.set_trust(TrustBundle::new("elsewhere", roots()).unwrap());
    let wrong = "identity spiffe://elsewhere/ns/default/sa/b is of another trust domain";
    assert_eq!(mutual(&a, "b", &b).unwrap_err().client, wrong);
    // And the other way round: the client is satisfied, the server is not.
    b.set_trust(TrustBundle::new("td", roots()).unwrap());
    let config = a.server_config(ClientCertificate::Required).unwrap();
    let any = b.simple_client_config(&[], false).unwrap();
    assert!(shake(&any, &a.server_config(ClientCertificate::Optional).unwrap()).is_ok());
    let failed = shake(&b.client_config(&identity("a")).unwrap(), &config).unwrap_err();
    assert_eq!(failed, Failed::new("peer: certificate not accepted", wrong));
}

#[test]
fn simple_tls_checks_names_and_can_be_told_not_to() {
    let (ca, other) = (authority("td", "ca"), authority("td", "other ca"));
    let ((a, _), (b, _)) = (pod(&ca, "a"), pod(&ca, "b"));
    let server = b.server_config(ClientCertificate::Optional).unwrap();
    let named = |name: &str| a.simple_client_config(&[name.into()], false).unwrap();
    assert!(shake(&named("spiffe://td/ns/default/sa/b"), &server).is_ok());
    assert_eq!(
        shake(&named("example.org"), &server).unwrap_err().client,
        "identity spiffe://td/ns/default/sa/b not allowed"
    );
    let (c, _) = pod(&other, "c");
    let server = c.server_config(ClientCertificate::Optional).unwrap();
    let insecure = a
        .simple_client_config(&["example.org".into()], true)
        .unwrap();
    assert!(shake(&insecure, &server).is_ok());
}

#[test]
fn rotation_serves_new_handshakes_and_leaves_open_connections_alone() {
    let ca = authority("td", "ca");
    let ((a, a_clock), (b, b_clock)) = (pod(&ca, "a"), pod(&ca, "b"));
    let mut open = mutual(&a, "b", &b).unwrap();
    let old = b.svid().unwrap();

    let later = NOW + HOUR * 3 / 4;
    b.set_svid(issue(&ca, "b", "b's second key", later));
    a.set_svid(issue(&ca, "a", "a's second key", later));
    let late = NOW + HOUR * 3 / 2; // the first SVIDs have expired
    a_clock.set(late);
    b_clock.set(late);
    let new = mutual(&a, "b", &b).unwrap();
    let shown = &new.client.peer_certificates().unwrap()[0];
    assert_eq!(*shown, b.svid().unwrap().chain()[0]);
    assert_ne!(*shown, old.chain()[0]);

    // The old connection still carries data.
    use std::io::{Read as _, Write as _};
    open.client.writer().write_all(b"ping").unwrap();
    let mut flight = Vec::new();
    open.client.write_tls(&mut flight).unwrap();
    open.server.read_tls(&mut &flight[..]).unwrap();
    open.server.process_new_packets().unwrap();
    let mut got = [0; 4];
    open.server.reader().read_exact(&mut got).unwrap();
    assert_eq!(&got, b"ping");
}

#[test]
fn a_rotation_in_the_middle_of_a_handshake_does_not_disturb_it() {
    let ca = authority("td", "ca");
    let ((a, _), (b, _)) = (pod(&ca, "a"), pod(&ca, "b"));
    let client = a.client_config(&identity("b")).unwrap();
    let server = b.server_config(ClientCertificate::Required).unwrap();
    a.set_svid(issue(&ca, "a", "a's second key", NOW));
    b.set_svid(issue(&ca, "b", "b's second key", NOW));
    assert!(shake(&client, &server).is_ok());
}

#[test]
fn configurations_are_made_once_until_secrets_change() {
    let ca = authority("td", "ca");
    let (a, _) = pod(&ca, "a");
    let clone = a.clone();
    let first = a.client_config(&identity("b")).unwrap();
    assert!(Arc::ptr_eq(
        &first,
        &clone.client_config(&identity("b")).unwrap()
    ));
    assert!(!Arc::ptr_eq(
        &first,
        &a.client_config(&identity("c")).unwrap()
    ));
    let server = a.server_config(ClientCertificate::Required).unwrap();
    assert!(Arc::ptr_eq(
        &server,
        &a.server_config(ClientCertificate::Required).unwrap()
    ));
    a.set_svid(issue(&ca, "a", "a's second key", NOW));
    assert!(!Arc::ptr_eq(
        &first,
        &clone.client_config(&identity("b")).unwrap()
    ));
    assert!(!Arc::ptr_eq(
        &server,
        &clone.server_config(ClientCertificate::Required).unwrap()
    ));
}

#[test]
fn an_empty_store_says_what_it_lacks() {
    let ca = authority("td", "ca");
    let store = IdentityStore::new(TestClock::at(START));
    let lack = |store: &IdentityStore| {
        let server = store.server_config(ClientCertificate::Required);
        let client = store.client_config(&[]);
        assert_eq!(client.as_ref().err(), server.as_ref().err());
        client.err()
    };
    assert_eq!(lack(&store), Some(IdentityError::NoTrustBundle));
    store.set_trust(TrustBundle::of(&ca));
    assert_eq!(lack(&store), Some(IdentityError::NoSvid));
    assert!(store.simple_client_config(&[], false).is_ok());
    store.set_svid(issue(&ca, "a", "a", NOW));
    assert!(store.is_ready());
    assert_eq!(lack(&store), None);
}

#[test]
fn every_handshake_has_the_same_bytes_in_number() {
    let mut flights = BTreeSet::new();
    for n in 0..20 {
        let ca = authority("td", &format!("ca {n}"));
        let ((a, _), (b, _)) = (pod(&ca, "a"), pod(&ca, "b"));
        a.set_svid(issue(&ca, "a", &format!("a {n}"), NOW));
        b.set_svid(issue(&ca, "b", &format!("b {n}"), NOW));
        for _ in 0..3 {
            flights.insert(mutual(&a, "b", &b).unwrap().flights);
        }
    }
    assert_eq!(flights.len(), 1, "{flights:?}");
    // Hello; hello to finished; certificate to finished; and no tickets.
    let flights = flights.pop_first().unwrap();
    assert_eq!((flights.len(), flights[3]), (4, 0), "{flights:?}");
}
