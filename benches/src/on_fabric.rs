//! Pods on Meshquake's own network and clock.

use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::Instant;
use mesh_core::telemetry::NullObserver;
use meshquake::fabric::{
    Fabric, FabricConfig, FabricError, FabricStats, HostId, HostSpec, Sweeping,
};
use meshquake::plan::{Distribution, LinkPlan, LinkQuality};

use crate::pod::Pod;

/// Wall time at the beginning of a world, since the Unix epoch.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_750_000_000);

/// What a fabric may be told.
#[derive(Clone, Debug)]
pub struct World {
    /// One-way latency of every link.
    pub latency: Distribution,
    /// When kernels are swept.
    pub sweeping: Sweeping,
}

/// Runs `pods` for this long.
///
/// # Errors
/// A task panicked, or time stood still.
pub fn run(pods: Vec<Pod>, world: &World, length: Duration) -> Result<FabricStats, FabricError> {
    let mut fabric = start(pods, world)?;
    fabric.run_until(Instant::ZERO + length)?;
    Ok(fabric.stats())
}

/// A world of `pods` in which no time has passed yet.
///
/// # Errors
/// A task panicked.
pub fn start(pods: Vec<Pod>, world: &World) -> Result<Fabric, FabricError> {
    let mut fabric = Fabric::new(config(&pods, world))?;
    for (position, pod) in (0..).zip(pods) {
        let host = HostId::new(position);
        let seams = fabric.seams(host, Rc::new(NullObserver));
        fabric.start(host, move || (pod.run)(seams));
    }
    Ok(fabric)
}

fn config(pods: &[Pod], world: &World) -> FabricConfig {
    let host = |pod: &Pod| HostSpec {
        name: format!("pod-{}", pod.ip).into(),
        ip: pod.ip.into(),
        region: "region".into(),
        zone: "zone".into(),
    };
    let quality = LinkQuality {
        latency: world.latency.clone(),
        loss: 0.0,
        bandwidth_bps: None,
        queue_bytes_max: None,
    };
    let links = LinkPlan {
        same_zone: quality.clone(),
        cross_zone: quality.clone(),
        cross_region: quality,
    };
    let mut config = FabricConfig::new(1, EPOCH, pods.iter().map(host).collect(), links);
    config.sweeping = world.sweeping;
    config
}
