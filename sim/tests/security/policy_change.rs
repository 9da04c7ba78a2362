//! Policy that changes under open connections: none of them outlives what allowed it.

use std::time::Duration;

use mesh_core::telemetry::{Direction, TlsState};

use crate::mesh::{Mesh, STRICT, mesh};
use crate::stranger::{Kept, get};

/// A config of the whole mesh's mode, and of how callers of echo speak, if that is said.
fn config(mode: &str, callers: Option<&str>) -> String {
    let mode = STRICT.replace("STRICT", mode);
    let Some(callers) = callers else {
        return mode;
    };
    format!(
        "{mode}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: echo, namespace: default}}
spec:
  host: echo.default.svc.cluster.local
  trafficPolicy: {{tls: {{mode: {callers}}}}}
"
    )
}

/// The client calls echo; its status, and how the connection was protected.
fn call(mesh: &mut Mesh) -> (u16, TlsState) {
    let (answer, _) = mesh.call("client", get("echo", "/"));
    let told = mesh.story("echo").last(Direction::Inbound);
    (answer.unwrap().status().as_u16(), told.tls)
}

fn world(config: &str) -> Mesh {
    mesh(config)
        .pods(&["client", "echo"])
        .strangers(&["stranger"])
        .start()
}

const PLAIN: (u16, TlsState) = (200, TlsState::Plain);
const MUTUAL: (u16, TlsState) = (200, TlsState::Mutual);

#[test]
fn callers_told_to_use_tls_use_no_plain_connection_again() {
    let mut mesh = world(&config("PERMISSIVE", Some("DISABLE")));
    assert_eq!(call(&mut mesh), PLAIN);
    mesh.configure(&config("PERMISSIVE", Some("ISTIO_MUTUAL")));
    assert_eq!(call(&mut mesh), MUTUAL);
    mesh.configure(&config("PERMISSIVE", Some("DISABLE")));
    assert_eq!(call(&mut mesh), PLAIN);
}

#[test]
fn automatic_tls_follows_what_the_endpoint_takes() {
    let mut mesh = world(&config("DISABLE", None));
    assert_eq!(call(&mut mesh), PLAIN);
    mesh.configure(&config("STRICT", None));
    assert_eq!(call(&mut mesh), MUTUAL);
    mesh.configure(&config("DISABLE", None));
    assert_eq!(call(&mut mesh), PLAIN);
}

#[test]
fn the_other_names_of_a_service_take_effect_at_once() {
    let named = |name: &str| {
        let mutual = config("STRICT", Some("ISTIO_MUTUAL"));
        let names = format!(
            "mode: ISTIO_MUTUAL, subjectAltNames: [\"spiffe://cluster.local/ns/default/sa/{name}\"]"
        );
        mutual.replace("mode: ISTIO_MUTUAL", &names)
    };
    let mut mesh = world(&named("echo"));
    assert_eq!(call(&mut mesh), MUTUAL);
    // The open connection leads to echo, who is not wanted any more.
    mesh.configure(&named("somebody-else"));
    let (answer, told) = mesh.call("client", get("echo", "/"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!(told.flags, "URX,UF");
    assert_eq!(mesh.app("echo").requests().len(), 1);
}

#[test]
fn strict_ends_plain_connections_that_are_open() {
    let mut mesh = world(&config("PERMISSIVE", None));
    let door = mesh.door("echo");
    let kept = mesh.run("stranger", move |seams| async move {
        let mut kept = Kept::open(&seams, door).await;
        kept.ask(get("echo", "/before")).await.unwrap();
        kept
    });
    mesh.configure(&config("STRICT", None));
    let (answer, _kept) = mesh.run("stranger", |_| async move {
        let mut kept = kept;
        (kept.ask(get("echo", "/after")).await, kept)
    });
    answer.unwrap_err();
    assert_eq!(mesh.app("echo").paths(), ["/before"]);
    // Those that fit stay: the client's has been used all along.
    assert_eq!(call(&mut mesh), MUTUAL);
}

#[test]
fn authorization_counts_from_the_next_request() {
    let mut mesh = world(&config("STRICT", None));
    assert_eq!(call(&mut mesh), MUTUAL);
    let deny = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody, namespace: default}
spec: {selector: {matchLabels: {app: echo}}}
";
    mesh.configure(&format!("{STRICT}{deny}"));
    assert_eq!(call(&mut mesh), (403, TlsState::Mutual));
    mesh.pass(Duration::from_secs(1));
    mesh.configure(STRICT);
    assert_eq!(call(&mut mesh), MUTUAL);
    assert_eq!(mesh.app("echo").requests().len(), 2);
}
