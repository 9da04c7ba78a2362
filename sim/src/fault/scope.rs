//! From selectors to hosts.

use std::sync::Arc;

use super::{Luck, Scene, drawn};
use crate::fabric::{HostId, HostSet, PacketScope};
use crate::plan::{EdgeSelector, FarEnd};

/// The packets that are meant this time.
pub(super) fn packets(scene: &Scene<'_>, edge: &EdgeSelector, rng: &mut Luck) -> PacketScope {
    let from = hosts(scene, &drawn(&edge.from, rng));
    let to = match &edge.to {
        FarEnd::Others => HostSet::AllBut(from.clone()),
        FarEnd::Everybody => HostSet::ALL,
        FarEnd::Pods(to) => HostSet::Only(hosts(scene, &drawn(to, rng))),
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
