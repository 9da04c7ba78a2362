//! The control plane gives nobody what is another's, and a sidecar gives its token to nobody else.

use std::rc::Rc;
use std::time::Duration;

use mesh_core::control::{ControlAddress, ResourceCache, Subscription, control_plane_identity};
use mesh_core::identity::{ClientCertificate, KeyPair, csr};
use mesh_core::seam::{Rng, Seams};

use crate::credentials::{SEED, secrets, spiffe, token, valid};
use crate::mesh::{CONTROL, Mesh, STRICT, mesh, workload};
use crate::stranger::{Heard, pose};

fn besieged() -> Mesh {
    mesh(STRICT)
        .pods(&["client", "echo"])
        .strangers(&["mallory"])
        .start()
}

/// A connection to the control plane with this token.
fn line(seams: Seams, address: std::net::SocketAddr, token: &str) -> Rc<Subscription> {
    let identity = control_plane_identity("cluster.local");
    let trust = secrets(&seams, None).simple_client_config(std::slice::from_ref(&identity), false);
    let address = ControlAddress {
        address,
        identity,
        token: token.into(),
    };
    Subscription::new(seams, address, trust.unwrap())
}

/// Mallory asks with `token` for a certificate of `account`; the answer.
fn ask_for(mesh: &mut Mesh, token: &str, account: &'static str) -> Result<usize, String> {
    let (control, token) = (mesh.control(), token.to_owned());
    mesh.run("mallory", move |seams| async move {
        let key = KeyPair::generate(&mut Rng::named(SEED, "mallory's key"));
        let line = line(seams, control, &token);
        line.sign(csr(&key, &spiffe(account)))
            .await
            .map(|chain| chain.len())
    })
}

#[test]
fn a_token_is_good_for_its_own_identity_alone() {
    let mut mesh = besieged();
    let stolen = token("client");
    assert_eq!(ask_for(&mut mesh, &stolen, "client"), Ok(1));
    let why = format!("{} may not ask for {}", spiffe("client"), spiffe("echo"));
    let refused = ask_for(&mut mesh, &stolen, "echo");
    assert_eq!(refused, Err(format!("403 Forbidden: {why}")));
    let refusals = mesh.story(CONTROL).identities("refuse");
    assert_eq!(refusals, [(spiffe("client").to_string(), why)]);
    // Nor for the control plane's own.
    let refused = ask_for(&mut mesh, &stolen, "istiod").unwrap_err();
    assert!(refused.starts_with("403 Forbidden"), "{refused}");
}

#[test]
fn an_unknown_token_is_good_for_nothing() {
    let mut mesh = besieged();
    for token in [
        "",
        "guessed",
        "token-of-clien",
        "token-of-client ",
        "TOKEN-OF-CLIENT",
    ] {
        let refused = ask_for(&mut mesh, token, "client");
        assert_eq!(refused, Err("401 Unauthorized: ".to_owned()), "{token:?}");
    }
}

/// Mallory subscribes with `token` as the workload of `pod`; how many configurations she was given.
fn subscribe(mesh: &mut Mesh, token: &str, pod: &str) -> usize {
    let (control, token, workload) = (mesh.control(), token.to_owned(), workload(pod));
    let given = Rc::new(std::cell::Cell::new(0));
    let counting = given.clone();
    mesh.spawn("mallory", move |seams| async move {
        let cache = ResourceCache::default();
        let apply = |_: &_| {
            counting.set(counting.get() + 1);
            Ok(())
        };
        line(seams, control, &token)
            .follow(&workload, &[], &cache, apply)
            .await;
    });
    mesh.pass(Duration::from_secs(20));
    given.get()
}

#[test]
fn nobody_subscribes_as_somebody_else() {
    let mut mesh = besieged();
    assert_eq!(subscribe(&mut mesh, &token("client"), "echo"), 0);
    let ends = mesh.story(CONTROL).configs("disconnect");
    let why = format!("{} may not subscribe as echo-0", spiffe("client"));
    assert!(
        !ends.is_empty() && ends.iter().all(|(_, reason)| *reason == why),
        "{ends:?}"
    );
    assert_eq!(mesh.plane.subscribed(), 2, "the two sidecars");
}

#[test]
fn nobody_subscribes_without_a_token() {
    let mut mesh = besieged();
    assert_eq!(subscribe(&mut mesh, "guessed", "echo"), 0);
    // Who may not even speak is not heard of.
    assert_eq!(mesh.story(CONTROL).configs("disconnect"), []);
    assert_eq!(mesh.plane.subscribed(), 2);
}

#[test]
fn with_its_own_token_a_workload_is_given_its_configuration() {
    let mut mesh = besieged();
    assert_eq!(subscribe(&mut mesh, &token("client"), "client"), 1);
    assert_eq!(mesh.plane.subscribed(), 3);
}

#[test]
fn a_sidecar_with_anothers_token_never_serves() {
    let mut mesh = besieged();
    let mut config = mesh.sidecar_config("mallory", "echo");
    config.control.token = token("client").into();
    mesh.start_sidecar("mallory", config);
    mesh.pass(Duration::from_secs(60));
    assert!(!mesh.is_ready("mallory"));
    let failures = mesh.story("mallory").identities("fail");
    let refused = |(_, why): &(String, String)| why.starts_with("403 Forbidden");
    assert!(
        failures.len() > 2 && failures.iter().all(refused),
        "{failures:?}"
    );
}

#[test]
fn a_false_control_plane_learns_no_token() {
    let mut mesh = besieged();
    let (address, heard) = (mesh.address("mallory", 15_012), Heard::default());
    let hearing = heard.clone();
    mesh.spawn("mallory", move |seams| {
        // A good certificate of the mesh's own authority, but not the control plane's.
        let store = secrets(&seams, Some(valid("mallory")));
        let config = store.server_config(ClientCertificate::Optional).unwrap();
        pose(seams, address, config, hearing)
    });
    let led_astray = mesh.run("client", move |seams| async move {
        let key = KeyPair::generate(&mut Rng::named(SEED, "client's second key"));
        let line = line(seams, address, &token("client"));
        line.sign(csr(&key, &spiffe("client"))).await
    });
    assert!(led_astray.unwrap_err().starts_with("TLS error: "));
    assert_eq!(heard.borrow().len(), 0);
}
