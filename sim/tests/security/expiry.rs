//! A certificate that ends while connections are open, because nobody can renew it.

use std::time::Duration;

use mesh_core::telemetry::{Direction, Mechanism};
use meshquake::fabric::{HostId, PacketScope};

use crate::credentials::DAY;
use crate::mesh::{CONTROL, Mesh, STRICT, mesh};
use crate::stranger::get;

/// How long these certificates live; sidecars renew them at half of it.
const LIFETIME: Duration = Duration::from_secs(120);

fn status(mesh: &mut Mesh, service: &str, path: &str) -> u16 {
    let (answer, _) = mesh.call("client", get(service, path));
    answer.unwrap().status().as_u16()
}

#[test]
fn open_connections_outlive_a_certificate_and_new_ones_do_not() {
    let mut mesh = mesh(STRICT)
        .pods(&["client", "known", "unknown"])
        .svid_lifetime(LIFETIME)
        .start();
    assert_eq!(status(&mut mesh, "known", "/open"), 200);

    // Nobody hears from the control plane until the certificates have ended.
    let control: HostId = mesh.host(CONTROL);
    let cut = mesh.fabric.partition(PacketScope::around(vec![control]));
    mesh.pass(LIFETIME + Duration::from_secs(1));
    assert_eq!(status(&mut mesh, "known", "/still-open"), 200);
    let told = mesh.story("known").last(Direction::Inbound);
    assert_eq!(told.peer, "spiffe://cluster.local/ns/default/sa/client");
    assert_eq!(
        mesh.story("client")
            .mechanism(Mechanism::HandshakeFailed)
            .len(),
        0
    );

    let (answer, told) = mesh.call("client", get("unknown", "/new"));
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!((&*told.flags, told.attempts), ("URX,UF", 3));
    assert!(
        told.details.contains("TLS_error:_certificate_expired"),
        "{}",
        told.details
    );
    assert_eq!(mesh.app("unknown").requests().len(), 0);
    // A failure elsewhere changes nothing for the open connection.
    assert_eq!(status(&mut mesh, "known", "/open-yet"), 200);

    // The control plane is back: certificates are renewed by themselves, and all is well.
    mesh.fabric.remove(cut);
    mesh.wait("certificates to be renewed", |mesh| {
        let renewed = |pod| !mesh.story(pod).identities("rotate").is_empty();
        renewed("client") && renewed("unknown")
    });
    assert_eq!(status(&mut mesh, "unknown", "/new-again"), 200);
    assert_eq!(mesh.app("unknown").paths(), ["/new-again"]);
    assert_eq!(
        mesh.app("known").paths(),
        ["/open", "/still-open", "/open-yet"]
    );
}

#[test]
fn renewal_is_unnoticed() {
    let mut mesh = mesh(STRICT)
        .pods(&["client", "echo"])
        .svid_lifetime(LIFETIME)
        .start();
    for _ in 0..10 {
        mesh.pass(LIFETIME / 2);
        assert_eq!(status(&mut mesh, "echo", "/"), 200);
    }
    let renewals = mesh.story("client").identities("rotate");
    assert!(renewals.len() >= 9, "{}", renewals.len());
    let failures = mesh.story("client").mechanism(Mechanism::HandshakeFailed);
    assert_eq!(failures, Vec::<String>::new());
    assert!(LIFETIME * 5 < DAY, "the first certificates have long ended");
}
