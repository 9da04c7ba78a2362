//! Names without a mesh: cluster DNS and kube-proxy in one.

use std::cell::RefCell;
use std::net::SocketAddr;

use mesh_core::control::Registry;
use mesh_core::seam::Rng;

use crate::app::Resolver;

/// Picks a random pod of a service for each connection, as kube-proxy's iptables mode does.
/// It knows every pod of the plan, ready or not.
pub(super) struct ServiceDns {
    registry: Registry,
    rng: RefCell<Rng>,
}

impl ServiceDns {
    pub(super) fn new(registry: &Registry, seed: u64) -> Self {
        Self {
            registry: registry.clone(),
            rng: RefCell::new(Rng::named(seed, "kube-proxy")),
        }
    }
}

impl Resolver for ServiceDns {
    fn resolve(&self, authority: &str) -> Option<SocketAddr> {
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
        let port: u16 = port.parse().ok()?;
        let named = |service: &&mesh_core::control::Service| {
            *service.host == *host
                || *service.name == *host
                || host == format!("{}.{}", service.name, service.namespace)
        };
        let service = self.registry.services.values().find(named)?;
        let target = service.ports.iter().find(|p| p.port == port)?.target;
        let pods: Vec<_> = self.registry.selected(service).collect();
        let drawn = self.rng.borrow_mut().below(pods.len() as u64);
        let pod = pods.get(usize::try_from(drawn).ok()?)?;
        Some(SocketAddr::new(pod.ip, target))
    }
}
