//! Another service's identity: as a caller it is denied by policy, as a server by secure naming.

use mesh_core::identity::ClientCertificate;
use mesh_core::telemetry::{Direction, TlsState};

use crate::credentials::{secrets, valid};
use crate::mesh::{STRICT, mesh};
use crate::stranger::{Heard, Over, ask, get, pose};

const ONLY_CLIENT: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-client, namespace: default}
spec:
  selector: {matchLabels: {app: echo}}
  action: ALLOW
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]
";

#[test]
fn a_caller_with_the_wrong_identity_is_denied() {
    let config = format!("{STRICT}{ONLY_CLIENT}");
    let mut mesh = mesh(&config).pods(&["client", "rogue", "echo"]).start();
    let (answer, _) = mesh.call("client", get("echo", "/of-client"));
    assert_eq!(answer.unwrap().status(), 200);

    let (answer, _) = mesh.call("rogue", get("echo", "/of-rogue"));
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(&answer.body()[..], b"RBAC: access denied");
    let told = mesh.story("echo").last(Direction::Inbound);
    assert_eq!(
        (told.status, &*told.flags, told.tls),
        (403, "-", TlsState::Mutual)
    );
    assert_eq!(told.details, "rbac_access_denied_matched_policy[none]");
    assert_eq!(told.peer, "spiffe://cluster.local/ns/default/sa/rogue");
    assert_eq!(mesh.app("echo").paths(), ["/of-client"]);
}

#[test]
fn words_do_not_change_who_a_caller_is() {
    // The rogue leaves its sidecar out, and says it is the client wherever it can be said.
    let config = format!("{STRICT}{ONLY_CLIENT}");
    let mut mesh = mesh(&config).pods(&["client", "rogue", "echo"]).start();
    let door = mesh.door("echo");
    let mut request = get("echo", "/");
    let lie = "By=spiffe://cluster.local/ns/default/sa/echo;URI=spiffe://cluster.local/ns/default/sa/client";
    let headers = request.headers_mut();
    headers.insert("x-forwarded-client-cert", lie.parse().unwrap());
    headers.insert("x-forwarded-for", "127.0.0.1".parse().unwrap());
    headers.insert("authorization", "Bearer token-of-client".parse().unwrap());
    let answer = mesh.run("rogue", move |seams| {
        let own = secrets(&seams, Some(valid("rogue")))
            .client_config(&[])
            .unwrap();
        ask(seams, door, Over::Tls(own), request)
    });
    assert_eq!(answer.unwrap().status(), 403);
    assert_eq!(mesh.app("echo").requests().len(), 0);
}

/// The address is right and so is the authority, but somebody else lives there now.
const WRONG_HOUSE: &str =
    "TLS_error:_identity_spiffe://cluster.local/ns/default/sa/thief_not_allowed";

#[test]
fn another_pod_at_the_same_address_is_not_the_service() {
    // A real sidecar with a real certificate, as when an address is given to another pod
    // before callers have heard of it.
    let mut mesh = mesh(STRICT)
        .pods(&["client"])
        .bare(&["echo", "thief"])
        .start();
    mesh.start_app("echo", std::net::Ipv4Addr::LOCALHOST.into());
    let config = mesh.sidecar_config("echo", "thief");
    mesh.start_sidecar("echo", config);
    mesh.wait("the thief to be ready", |mesh| mesh.is_ready("echo"));

    let (answer, told) = mesh.call("client", get("echo", "/secret"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!(
        (told.status, &*told.flags, told.attempts),
        (503, "URX,UF", 3)
    );
    assert!(told.details.contains(WRONG_HOUSE), "{}", told.details);
    assert_eq!(mesh.story("echo").count(Direction::Inbound), 0);
    assert_eq!(mesh.app("echo").requests().len(), 0);
}

#[test]
fn an_impostor_hears_not_a_byte() {
    let mut mesh = mesh(STRICT).pods(&["client"]).bare(&["echo"]).start();
    let (address, heard) = (mesh.door("echo"), Heard::default());
    let hearing = heard.clone();
    mesh.spawn("echo", move |seams| {
        let thief = secrets(&seams, Some(valid("thief")));
        let config = thief.server_config(ClientCertificate::Optional).unwrap();
        pose(seams, address, config, hearing)
    });
    let (answer, told) = mesh.call("client", get("echo", "/secret"));
    assert_eq!(answer.unwrap().status(), 503);
    assert!(told.details.contains(WRONG_HOUSE), "{}", told.details);
    assert_eq!(heard.borrow().len(), 0);
}
