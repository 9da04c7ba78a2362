//! Names: cluster DNS and kube-proxy in one.
//!
//! Whoever opens a connection asks for the name first, with a sidecar or
//! without: Istio's sidecar catches the connection, not the question (its DNS
//! proxy is off by default). With a sidecar only the fact of an answer
//! matters; without one the connection goes to a random ready pod of the
//! service, as kube-proxy's iptables mode has it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use globset::GlobMatcher;
use mesh_core::control::Registry;
use mesh_core::seam::{LocalBoxFuture, Rng, Seams, sleep};

use crate::app::Resolver;
use crate::plan::DnsAnswer;

/// A fault of names in force.
pub(crate) struct NameFault {
    /// Pods that ask; `None` is every pod.
    pub(crate) askers: Option<Vec<Arc<str>>>,
    /// Names asked for; `None` is every name.
    pub(crate) pattern: Option<GlobMatcher>,
    /// What they get.
    pub(crate) answer: DnsAnswer,
}

/// The handle of a fault of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NameFaultId(u32);

struct Standing {
    fault: NameFault,
    in_force: bool,
    touched: u64,
    /// Pods that were not ready when it began: a stale answer does not know of later changes.
    unready: BTreeSet<Arc<str>>,
}

/// The cluster's names.
pub(crate) struct Names {
    registry: Registry,
    state: RefCell<State>,
}

struct State {
    rng: Rng,
    unready: BTreeSet<Arc<str>>,
    faults: BTreeMap<NameFaultId, Standing>,
}

/// What becomes of a question.
enum Reply {
    Address(Option<SocketAddr>),
    Late(Duration),
}

impl Names {
    pub(super) fn new(registry: &Registry, seed: u64) -> Self {
        Self {
            registry: registry.clone(),
            state: RefCell::new(State {
                rng: Rng::named(seed, "kube-proxy"),
                unready: BTreeSet::new(),
                faults: BTreeMap::new(),
            }),
        }
    }

    /// Puts a fault in force.
    pub(crate) fn add(&self, fault: NameFault) -> NameFaultId {
        let mut state = self.state.borrow_mut();
        let id = NameFaultId(u32::try_from(state.faults.len()).unwrap_or(u32::MAX));
        let standing = Standing {
            fault,
            in_force: true,
            touched: 0,
            unready: state.unready.clone(),
        };
        state.faults.insert(id, standing);
        id
    }

    /// Takes a fault out of force.
    pub(crate) fn remove(&self, id: NameFaultId) {
        if let Some(standing) = self.state.borrow_mut().faults.get_mut(&id) {
            standing.in_force = false;
        }
    }

    /// How many questions a fault has answered otherwise than the truth.
    pub(crate) fn touched(&self, id: NameFaultId) -> u64 {
        let state = self.state.borrow();
        state.faults.get(&id).map_or(0, |standing| standing.touched)
    }

    /// A pod takes traffic, or does not.
    pub(crate) fn set_ready(&self, pod: &Arc<str>, ready: bool) {
        let mut state = self.state.borrow_mut();
        match ready {
            true => state.unready.remove(pod),
            false => state.unready.insert(pod.clone()),
        };
    }

    fn ask(&self, asker: &str, authority: &str, patient: bool) -> Reply {
        let mut state = self.state.borrow_mut();
        let State {
            rng,
            unready,
            faults,
        } = &mut *state;
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host);
        let mut known = &*unready;
        for standing in faults.values_mut().filter(|standing| standing.in_force) {
            if !standing.fault.is_about(asker, host) {
                continue;
            }
            match standing.fault.answer {
                DnsAnswer::Slow(_) if patient => {}
                DnsAnswer::Slow(delay) => {
                    standing.touched += 1;
                    return Reply::Late(delay);
                }
                DnsAnswer::Stale => {
                    standing.touched += u64::from(standing.unready != *unready);
                    known = &standing.unready;
                }
                DnsAnswer::NoSuchName | DnsAnswer::Empty => {
                    standing.touched += 1;
                    return Reply::Address(None);
                }
            }
        }
        Reply::Address(pick(&self.registry, known, authority, rng))
    }

    /// The names as one pod asks for them.
    pub(super) fn of(self: &Rc<Self>, seams: Seams, pod: Arc<str>) -> Rc<dyn Resolver> {
        Rc::new(PodNames {
            names: self.clone(),
            seams,
            pod,
        })
    }
}

impl NameFault {
    fn is_about(&self, asker: &str, host: &str) -> bool {
        let asks = self.askers.as_ref();
        asks.is_none_or(|askers| askers.iter().any(|pod| **pod == *asker))
            && self.pattern.as_ref().is_none_or(|glob| glob.is_match(host))
    }
}

/// A random ready pod of a service.
fn pick(
    registry: &Registry,
    unready: &BTreeSet<Arc<str>>,
    authority: &str,
    rng: &mut Rng,
) -> Option<SocketAddr> {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    let port: u16 = port.parse().ok()?;
    let named = |service: &&mesh_core::control::Service| {
        *service.host == *host
            || *service.name == *host
            || host == format!("{}.{}", service.name, service.namespace)
    };
    let service = registry.services.values().find(named)?;
    let target = service.ports.iter().find(|p| p.port == port)?.target;
    let selected = registry.selected(service);
    let pods: Vec<_> = selected
        .filter(|pod| !unready.contains(&pod.name))
        .collect();
    if pods.is_empty() {
        return None;
    }
    let drawn = rng.below(pods.len() as u64);
    let pod = pods.get(usize::try_from(drawn).ok()?)?;
    Some(SocketAddr::new(pod.ip, target))
}

/// The names as one pod asks for them.
struct PodNames {
    names: Rc<Names>,
    seams: Seams,
    pod: Arc<str>,
}

impl Resolver for PodNames {
    fn resolve<'a>(&'a self, authority: &'a str) -> LocalBoxFuture<'a, Option<SocketAddr>> {
        match self.names.ask(&self.pod, authority, false) {
            Reply::Address(address) => Box::pin(std::future::ready(address)),
            Reply::Late(delay) => Box::pin(async move {
                sleep(&*self.seams.clock, delay).await;
                match self.names.ask(&self.pod, authority, true) {
                    Reply::Address(address) => address,
                    Reply::Late(_) => None,
                }
            }),
        }
    }
}
