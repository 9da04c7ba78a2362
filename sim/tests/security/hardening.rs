//! What a caller may say and do without being believed, and without staying for ever.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::{Seams, sleep};
use mesh_core::telemetry::{Direction, TlsState};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::credentials::{secrets, spiffe, valid};
use crate::mesh::{Mesh, STRICT, mesh};
use crate::stranger::{Over, ask, get};

const CERT: &str = "x-forwarded-client-cert";
const LIE: &str =
    "By=spiffe://cluster.local/ns/default/sa/echo;URI=spiffe://cluster.local/ns/default/sa/admin";

fn permissive() -> String {
    STRICT.replace("STRICT", "PERMISSIVE")
}

/// What the app was told of its caller's certificate in its last request.
fn told_of_caller(mesh: &Mesh) -> Vec<String> {
    let request = mesh.app("echo").requests().pop().unwrap();
    let values = request.headers().get_all(CERT).iter();
    values
        .map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

/// A lie about who sends it.
fn lie() -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let mut request = get("echo", "/");
    request.headers_mut().insert(CERT, LIE.parse().unwrap());
    request
}

fn truth(caller: &str) -> String {
    format!("By={};URI={}", spiffe("echo"), spiffe(caller))
}

#[test]
fn an_app_cannot_say_who_it_is() {
    let mut mesh = mesh(STRICT).pods(&["client", "echo"]).start();
    let (answer, _) = mesh.call("client", lie());
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(told_of_caller(&mesh), [truth("client")]);
}

#[test]
fn a_caller_without_certificate_cannot_say_who_it_is() {
    let mut mesh = mesh(&permissive())
        .pods(&["echo"])
        .strangers(&["mallory"])
        .start();
    let door = mesh.door("echo");
    let answer = mesh.run("mallory", move |seams| ask(seams, door, Over::Plain, lie()));
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(told_of_caller(&mesh), Vec::<String>::new());
}

#[test]
fn the_last_word_on_a_caller_is_the_sidecars() {
    // As Istio does it (APPEND_FORWARD): what a caller with a certificate says stays in front.
    let mut mesh = mesh(STRICT).pods(&["echo"]).strangers(&["mallory"]).start();
    let door = mesh.door("echo");
    let answer = mesh.run("mallory", move |seams| {
        let own = secrets(&seams, Some(valid("mallory")))
            .client_config(&[])
            .unwrap();
        ask(seams, door, Over::Tls(own), lie())
    });
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(
        told_of_caller(&mesh),
        [format!("{LIE},{}", truth("mallory"))]
    );
}

/// Lets in who says it is the admin, which is what a careless operator may write.
const TRUSTS_HEADER: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: careless, namespace: default}
spec:
  selector: {matchLabels: {app: echo}}
  rules:
  - when:
    - {key: 'request.headers[x-forwarded-client-cert]', values: ['*sa/admin']}
";

#[test]
fn policy_does_not_see_what_a_caller_said_of_itself() {
    let config = format!("{}{TRUSTS_HEADER}", permissive());
    let mut mesh = mesh(&config)
        .pods(&["client", "echo"])
        .strangers(&["mallory"])
        .start();
    let door = mesh.door("echo");
    let answer = mesh.run("mallory", move |seams| ask(seams, door, Over::Plain, lie()));
    assert_eq!(answer.unwrap().status(), 403);
    let (answer, _) = mesh.call("client", lie());
    assert_eq!(answer.unwrap().status(), 403);
    assert_eq!(mesh.app("echo").requests().len(), 0);
}

const NO_ADMIN: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: default}
spec:
  selector: {matchLabels: {app: echo}}
  action: DENY
  rules:
  - to: [{operation: {paths: ['/admin*']}}]
  - to: [{operation: {methods: [DELETE]}}]
";

#[test]
fn another_spelling_is_the_same_path() {
    let config = format!("{}{NO_ADMIN}", permissive());
    let mut mesh = mesh(&config)
        .pods(&["client", "echo"])
        .strangers(&["mallory"])
        .start();
    let door = mesh.door("echo");
    let mut direct = |path: &'static str| {
        let answer = mesh.run("mallory", move |seams| {
            ask(seams, door, Over::Plain, get("echo", path))
        });
        answer.unwrap().status().as_u16()
    };
    for path in [
        "/admin",
        "/admin/users?x=1",
        "/public/../admin",
        "/public/%2e%2E/admin",
        "/./admin",
        "/%61dmin",
        "/public\\..\\admin",
        "/../../admin",
    ] {
        assert_eq!(direct(path), 403, "{path}");
    }
    assert_eq!(direct("/%00admin"), 400);
    assert_eq!(direct("/public/../other?q=/../admin"), 200);
    // What was judged is what the app gets.
    assert_eq!(mesh.app("echo").paths(), ["/other?q=/../admin"]);
    // A caller's own sidecar spells alike, so that routes cannot be passed by either.
    let (answer, _) = mesh.call("client", get("echo", "/a/../%61dmin"));
    assert_eq!(answer.unwrap().status(), 403);
    let (answer, _) = mesh.call("client", get("echo", "/a/../b"));
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(mesh.app("echo").paths(), ["/other?q=/../admin", "/b"]);
}

#[test]
fn a_method_in_lower_case_is_none() {
    let config = format!("{}{NO_ADMIN}", permissive());
    let mut mesh = mesh(&config)
        .pods(&["echo"])
        .strangers(&["mallory"])
        .start();
    let door = mesh.door("echo");
    for (method, status) in [
        ("DELETE", 403),
        ("delete", 400),
        ("Delete", 400),
        ("PATCH", 200),
    ] {
        let answer = mesh.run("mallory", move |seams| {
            let mut request = get("echo", "/");
            *request.method_mut() = method.parse().unwrap();
            ask(seams, door, Over::Plain, request)
        });
        assert_eq!(answer.unwrap().status(), status, "{method}");
    }
    assert_eq!(mesh.app("echo").requests().len(), 1);
}

#[test]
fn a_header_named_in_connection_is_gone_before_policy_looks() {
    let config = format!(
        "{}{}",
        permissive(),
        TRUSTS_HEADER
            .replace(CERT, "x-role")
            .replace("*sa/admin", "admin")
    );
    let mut mesh = mesh(&config)
        .pods(&["echo"])
        .strangers(&["mallory"])
        .start();
    let door = mesh.door("echo");
    let answer = mesh.run("mallory", move |seams| {
        let mut request = get("echo", "/");
        request
            .headers_mut()
            .insert("x-role", "admin".parse().unwrap());
        request
            .headers_mut()
            .insert("connection", "x-role".parse().unwrap());
        ask(seams, door, Over::Plain, request)
    });
    assert_eq!(answer.unwrap().status(), 403);
}

/// Connects, sends `bytes`, and waits for the other end to hang up; how long that took.
async fn loiter(seams: Seams, to: SocketAddr, bytes: &'static [u8]) -> Duration {
    let mut io = seams.network.connect(to).await.unwrap().io;
    io.write_all(bytes).await.unwrap();
    let since = seams.now();
    while let Ok(1..) = io.read(&mut [0; 1024]).await {}
    seams.now().since(since)
}

const SECOND: Duration = Duration::from_secs(1);

fn about(measured: Duration, expected: Duration) -> bool {
    measured >= expected - SECOND && measured <= expected + SECOND
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let mut mesh = mesh(STRICT).pods(&["echo"]).strangers(&["mallory"]).start();
    let before = mesh.fabric.stats().connections;
    for (port, bytes, patience) in [
        (mesh.door("echo"), &b""[..], 15),
        (mesh.door("echo"), &b"\x16"[..], 15),
        (mesh.door("echo"), &b"\x16\x03\x01\x02\x00\x01"[..], 15),
        (mesh.control(), &b""[..], 120),
        (mesh.control(), &b"\x16\x03\x01"[..], 120),
    ] {
        let waited = mesh.run("mallory", move |seams| loiter(seams, port, bytes));
        let expected = SECOND * patience;
        assert!(about(waited, expected), "{port} {bytes:?}: {waited:?}");
    }
    mesh.pass(SECOND);
    assert_eq!(
        mesh.fabric.stats().connections,
        before,
        "nothing is left of it"
    );
}

/// Shakes hands as this caller should, and then says nothing; how long until the other end hangs up.
async fn shake_and_loiter(seams: Seams, to: SocketAddr) -> Duration {
    let io = seams.network.connect(to).await.unwrap().io;
    let config = secrets(&seams, Some(valid("mallory")))
        .client_config(&[])
        .unwrap();
    let connector = tokio_rustls::TlsConnector::from(config);
    let mut stream = connector
        .connect(ServerName::from(to.ip()), io)
        .await
        .unwrap();
    let since = seams.now();
    while let Ok(1..) = stream.read(&mut [0; 1024]).await {}
    seams.now().since(since)
}

#[test]
fn a_good_certificate_does_not_buy_a_seat_for_ever() {
    let mut mesh = mesh(STRICT)
        .pods(&["client", "echo"])
        .strangers(&["mallory"])
        .start();
    let before = mesh.fabric.stats().connections;
    let (door, control) = (mesh.door("echo"), mesh.control());
    let waits = Rc::new(std::cell::RefCell::new(Vec::new()));
    for to in [door, control] {
        let waits = waits.clone();
        mesh.spawn("mallory", move |seams| async move {
            let waited = shake_and_loiter(seams, to).await;
            waits.borrow_mut().push((to, waited));
        });
    }
    mesh.pass(SECOND * 3700);
    let waits = waits.take();
    assert_eq!(waits.len(), 2);
    assert!(
        about(waits[0].1, SECOND * 120) && waits[0].0 == control,
        "{waits:?}"
    );
    assert!(
        about(waits[1].1, SECOND * 3600) && waits[1].0 == door,
        "{waits:?}"
    );
    assert_eq!(mesh.fabric.stats().connections, before);
}

#[test]
fn a_connection_in_use_is_not_idle() {
    let mut mesh = mesh(&permissive())
        .pods(&["echo"])
        .strangers(&["stranger"])
        .start();
    let door = mesh.door("echo");
    let answers = mesh.run("stranger", move |seams| async move {
        let mut kept = crate::stranger::Kept::open(&seams, door).await;
        let mut answers = Vec::new();
        for pause in [59, 59, 59, 61] {
            answers.push(kept.ask(get("echo", "/")).await.is_ok());
            sleep(&*seams.clock, SECOND * 60 * pause).await;
        }
        answers.push(kept.ask(get("echo", "/")).await.is_ok());
        answers
    });
    assert_eq!(answers, [true, true, true, true, false]);
    assert_eq!(
        mesh.story("echo").last(Direction::Inbound).tls,
        TlsState::Plain
    );
}
