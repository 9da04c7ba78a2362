//! The three modes of PeerAuthentication, and clients that do not fit them.

use mesh_core::telemetry::{Direction, Mechanism, TlsState};

use crate::credentials::{secrets, valid};
use crate::mesh::{Mesh, STRICT, mesh};
use crate::stranger::{Answer, Over, ask, get};

fn mode(mode: &str) -> String {
    STRICT.replace("STRICT", mode)
}

/// A DestinationRule for echo with this TLS mode.
fn destination(mode: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: echo, namespace: default}}
spec:
  host: echo.default.svc.cluster.local
  trafficPolicy: {{tls: {{mode: {mode}}}}}
"
    )
}

fn world(config: &str) -> Mesh {
    mesh(config)
        .pods(&["client", "echo"])
        .strangers(&["stranger"])
        .start()
}

/// The stranger asks echo directly: in plain text, or with a certificate.
fn direct(mesh: &mut Mesh, with_certificate: bool) -> Answer {
    let door = mesh.door("echo");
    mesh.run("stranger", move |seams| {
        let certificate = secrets(&seams, Some(valid("stranger")));
        let over = match with_certificate {
            true => Over::Tls(certificate.client_config(&[]).unwrap()),
            false => Over::Plain,
        };
        ask(seams, door, over, get("echo", "/direct"))
    })
}

fn last_inbound(mesh: &Mesh) -> (u16, TlsState, String) {
    let told = mesh.story("echo").last(Direction::Inbound);
    (told.status, told.tls, told.peer)
}

#[test]
fn permissive_takes_both() {
    let mut mesh = world(&mode("PERMISSIVE"));
    let (answer, _) = mesh.call("client", get("echo", "/meshed"));
    assert_eq!(answer.unwrap().status(), 200);
    let client = "spiffe://cluster.local/ns/default/sa/client".to_owned();
    assert_eq!(last_inbound(&mesh), (200, TlsState::Mutual, client));
    assert_eq!(direct(&mut mesh, false).unwrap().status(), 200);
    assert_eq!(last_inbound(&mesh), (200, TlsState::Plain, String::new()));
    assert_eq!(direct(&mut mesh, true).unwrap().status(), 200);
    assert_eq!(mesh.app("echo").paths(), ["/meshed", "/direct", "/direct"]);
}

#[test]
fn permissive_tls_is_still_mutual() {
    // Observed: `mtls_permissive`.
    let mut mesh = world(&mode("PERMISSIVE"));
    let door = mesh.door("echo");
    let answer = mesh.run("stranger", move |seams| {
        let anybody = secrets(&seams, None).simple_client_config(&[], true);
        ask(seams, door, Over::Tls(anybody.unwrap()), get("echo", "/"))
    });
    assert_eq!(
        answer.unwrap_err(),
        "received fatal alert: CertificateRequired"
    );
    assert_eq!(mesh.app("echo").requests().len(), 0);
}

#[test]
fn disable_takes_plain_text_only() {
    let mut mesh = world(&mode("DISABLE"));
    assert_eq!(direct(&mut mesh, false).unwrap().status(), 200);
    direct(&mut mesh, true).unwrap_err();
    assert_eq!(mesh.app("echo").paths(), ["/direct"]);
    // Automatic mutual TLS knows, and does without.
    let (answer, _) = mesh.call("client", get("echo", "/meshed"));
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(last_inbound(&mesh), (200, TlsState::Plain, String::new()));
}

#[test]
fn a_client_told_to_speak_plainly_is_cut_off_by_strict() {
    // Observed: `mtls_sidecar_to_sidecar_tls12`, plain_to_tls: the connection is closed without
    // an answer, which is no connect-failure, so Istio's default retries do not apply.
    let mut mesh = world(&format!("{STRICT}{}", destination("DISABLE")));
    let (answer, told) = mesh.call("client", get("echo", "/secret"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!((told.status, &*told.flags, told.attempts), (503, "UC", 1));
    assert_eq!(
        told.details,
        "upstream_reset_before_response_started{connection_termination}"
    );
    assert_eq!(mesh.app("echo").requests().len(), 0);
    assert_eq!(
        mesh.story("echo")
            .mechanism(Mechanism::PlaintextRefused)
            .len(),
        1
    );
}

#[test]
fn a_client_told_to_speak_tls_fails_against_plain_text() {
    // Observed: `mtls_sidecar_to_sidecar_tls12`, tls_to_plain.
    let mut mesh = world(&format!(
        "{}---{}",
        mode("DISABLE"),
        destination("ISTIO_MUTUAL")
    ));
    let (answer, told) = mesh.call("client", get("echo", "/secret"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!(
        (told.status, &*told.flags, told.attempts),
        (503, "URX,UF", 3)
    );
    assert_eq!(mesh.app("echo").requests().len(), 0);
}
