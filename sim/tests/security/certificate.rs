//! Under STRICT a caller without a good certificate gets nowhere, and neither does a server.

use std::net::Ipv4Addr;
use std::time::Duration;

use mesh_core::identity::{ClientCertificate, Svid};
use mesh_core::seam::Seams;
use mesh_core::telemetry::{Direction, Mechanism, TlsState};

use crate::credentials::{DAY, authority, rival, secrets, svid, valid};
use crate::mesh::{Mesh, STRICT, mesh};
use crate::stranger::{Heard, Over, ask, get, pose};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Mallory next to a pod that demands mutual TLS.
fn fortress() -> Mesh {
    mesh(STRICT).pods(&["echo"]).strangers(&["mallory"]).start()
}

/// Mallory knocks at echo's door; what she is told.
fn knock(mesh: &mut Mesh, over: impl FnOnce(&Seams) -> Over + 'static) -> String {
    let door = mesh.door("echo");
    let answer = mesh.run("mallory", move |seams| {
        let over = over(&seams);
        ask(seams, door, over, get("echo", "/secret"))
    });
    answer.expect_err("Mallory was let in")
}

/// Mutual TLS with this certificate, whoever the server is.
fn shows(certificate: Svid) -> impl FnOnce(&Seams) -> Over {
    |seams| {
        Over::Tls(
            secrets(seams, Some(certificate))
                .client_config(&[])
                .unwrap(),
        )
    }
}

/// Nothing of it has reached the app, and the sidecar gives this reason.
fn assert_refused(mesh: &Mesh, mechanism: Mechanism, reason: &str) {
    assert_eq!(mesh.app("echo").requests().len(), 0);
    assert_eq!(mesh.story("echo").count(Direction::Inbound), 0);
    let reasons = mesh.story("echo").mechanism(mechanism);
    assert_eq!(reasons, [reason]);
}

#[test]
fn plain_text_is_refused() {
    let mut mesh = fortress();
    knock(&mut mesh, |_| Over::Plain);
    assert_eq!(mesh.app("echo").requests().len(), 0);
    assert_eq!(mesh.story("echo").count(Direction::Inbound), 0);
    assert_eq!(
        mesh.story("echo")
            .mechanism(Mechanism::PlaintextRefused)
            .len(),
        1
    );
}

#[test]
fn tls_without_a_certificate_is_refused() {
    let mut mesh = fortress();
    let said = knock(&mut mesh, |seams| {
        let anybody = secrets(seams, None).simple_client_config(&[], true);
        Over::Tls(anybody.unwrap())
    });
    assert_eq!(said, "received fatal alert: CertificateRequired");
    assert_refused(
        &mesh,
        Mechanism::HandshakeFailed,
        "no certificate presented",
    );
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let mut mesh = fortress();
    // The right trust domain, the right name, even the right issuer's name.
    let forged = svid(&rival("a rival's"), "client", Duration::ZERO, DAY);
    let said = knock(&mut mesh, shows(forged));
    assert_eq!(said, "received fatal alert: UnknownCA");
    assert_refused(&mesh, Mechanism::HandshakeFailed, "unknown issuer");
}

#[test]
fn an_expired_certificate_is_refused() {
    let mut mesh = fortress();
    let short = svid(&authority(), "client", Duration::ZERO, MINUTE);
    let door = mesh.door("echo");
    let early = short.clone();
    let answer = mesh.run("mallory", move |seams| {
        let over = shows(early)(&seams);
        ask(seams, door, over, get("echo", "/in-time"))
    });
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(mesh.app("echo").paths(), ["/in-time"]);

    mesh.pass(MINUTE + SECOND);
    let said = knock(&mut mesh, shows(short));
    assert_eq!(said, "received fatal alert: CertificateExpired");
    let reasons = mesh.story("echo").mechanism(Mechanism::HandshakeFailed);
    assert_eq!(reasons, ["certificate expired"]);
    assert_eq!(mesh.app("echo").paths(), ["/in-time"]);
}

#[test]
fn a_certificate_of_tomorrow_is_refused() {
    let mut mesh = fortress();
    let said = knock(&mut mesh, shows(svid(&authority(), "client", HOUR, DAY)));
    assert_eq!(said, "received fatal alert: CertificateExpired");
    assert_refused(
        &mesh,
        Mechanism::HandshakeFailed,
        "certificate not yet valid",
    );
}

#[test]
fn a_good_certificate_is_let_in() {
    // The same knock with nothing wrong: what the others were refused for is what was wrong with them.
    let mut mesh = fortress();
    let door = mesh.door("echo");
    let answer = mesh.run("mallory", move |seams| {
        let over = shows(valid("client"))(&seams);
        ask(seams, door, over, get("echo", "/welcome"))
    });
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(mesh.app("echo").paths(), ["/welcome"]);
    let told = mesh.story("echo").last(Direction::Inbound);
    assert_eq!(told.tls, TlsState::Mutual);
    assert_eq!(told.peer, "spiffe://cluster.local/ns/default/sa/client");
}

/// A client whose callee's address is held by somebody with this certificate: its answer, and what was heard.
fn call_an_impostor(certificate: Svid) -> (Mesh, Heard) {
    let mut mesh = mesh(STRICT).pods(&["client"]).bare(&["echo"]).start();
    let (address, heard) = (mesh.door("echo"), Heard::default());
    let hearing = heard.clone();
    mesh.spawn("echo", move |seams| {
        let store = secrets(&seams, Some(certificate));
        let config = store.server_config(ClientCertificate::Optional).unwrap();
        pose(seams, address, config, hearing)
    });
    (mesh, heard)
}

/// The client's sidecar refuses the server, for this reason, and tells it nothing. Istio's default retries
/// apply to failed handshakes (observed: `mtls_sidecar_to_sidecar_tls12`).
fn assert_server_refused((mut mesh, heard): (Mesh, Heard), reason: &str) {
    let (answer, told) = mesh.call("client", get("echo", "/secret"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!(
        (told.status, &*told.flags, told.attempts),
        (503, "URX,UF", 3)
    );
    let details = format!(
        "remote_connection_failure|TLS_error:_{}",
        reason.replace(' ', "_")
    );
    assert!(told.details.contains(&details), "{}", told.details);
    assert_eq!(heard.borrow().len(), 0, "the impostor was told something");
}

#[test]
fn a_server_of_another_authority_is_refused() {
    let forged = svid(&rival("a rival's"), "echo", Duration::ZERO, DAY);
    assert_server_refused(call_an_impostor(forged), "unknown issuer");
}

#[test]
fn a_server_with_an_expired_certificate_is_refused() {
    let short = svid(&authority(), "echo", Duration::ZERO, MINUTE);
    let (mut mesh, heard) = call_an_impostor(short);
    mesh.pass(MINUTE + SECOND);
    assert_server_refused((mesh, heard), "certificate expired");
}

#[test]
fn a_server_with_a_certificate_of_tomorrow_is_refused() {
    let early = svid(&authority(), "echo", HOUR, DAY);
    assert_server_refused(call_an_impostor(early), "certificate not yet valid");
}

#[test]
fn a_server_without_tls_is_told_nothing() {
    let mut mesh = mesh(STRICT).pods(&["client"]).bare(&["echo"]).start();
    let ip = mesh.address("echo", 0).ip();
    assert_ne!(ip, Ipv4Addr::LOCALHOST);
    mesh.start_app("echo", ip);
    let (answer, told) = mesh.call("client", get("echo", "/secret"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!((&*told.flags, told.attempts), ("URX,UF", 3));
    assert_eq!(mesh.app("echo").requests().len(), 0);
}

#[test]
fn a_skewed_clock_makes_good_certificates_bad() {
    let mut mesh = mesh(STRICT).pods(&["client", "echo"]).start();
    let client = mesh.host("client");
    let hour = i64::try_from(HOUR.as_nanos()).unwrap();
    // A client that lives in the past takes its server's certificate for one of tomorrow.
    mesh.fabric.step_wall_clock(client, -hour);
    let (answer, told) = mesh.call("client", get("echo", "/"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!(told.flags, "URX,UF");
    assert!(
        told.details
            .contains("TLS_error:_certificate_not_yet_valid"),
        "{}",
        told.details
    );
    // A server that lives in the past refuses its client.
    mesh.fabric.step_wall_clock(client, hour);
    let echo = mesh.host("echo");
    mesh.fabric.step_wall_clock(echo, -hour);
    let (answer, told) = mesh.call("client", get("echo", "/"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!(told.flags, "URX,UF");
    let reasons = mesh.story("echo").mechanism(Mechanism::HandshakeFailed);
    assert!(
        reasons.contains(&"certificate not yet valid".to_owned()),
        "{reasons:?}"
    );
    // Both at the same time again: all is well.
    mesh.fabric.step_wall_clock(echo, hour);
    let (answer, _) = mesh.call("client", get("echo", "/again"));
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(mesh.app("echo").paths(), ["/again"]);
}
