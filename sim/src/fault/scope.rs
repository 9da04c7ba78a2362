//! From selectors to hosts.

use std::sync::Arc;

use super::{Beginning, Scene};
use crate::fabric::{HostId, HostSet, PacketScope};
use crate::plan::{EdgeSelector, FarEnd};

/// The packets that are meant this time.
pub(super) fn packets(
    scene: &Scene<'_>,
    edge: &EdgeSelector,
    beginning: &mut Beginning,
) -> PacketScope {
    let from = hosts(scene, &beginning.draw(&edge.from));
    let to = match &edge.to {
        FarEnd::Others => HostSet::AllBut(from.clone()),
        FarEnd::Everybody => HostSet::ALL,
        FarEnd::Pods(to) => HostSet::Only(hosts(scene, &beginning.draw(to))),
    };
    let scope = PacketScope::new(HostSet::Only(from), to).port(edge.port);
    match edge.both_ways {
        true => scope.both_ways(),
        false => scope,
    }
}

/// The hosts of pods.
pub(super) fn hosts(scene: &Scene<'_>, pods: &[Arc<str>]) -> Vec<HostId> {
    pods.iter()
        .filter_map(|name| scene.fabric.host(name))
        .collect()
}
