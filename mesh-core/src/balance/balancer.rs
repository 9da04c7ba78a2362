//! The balancer of one cluster: priority, then locality, then endpoint.

use std::cell::RefCell;
use std::rc::Rc;

use super::layout::{Algorithm, Draw, Layout, Settings};
use super::slow_start::SlowStart;
use super::source::Method;
use super::{EndpointId, EndpointSet, EndpointState};
use crate::control::Cluster;
use crate::policy::LoadBalancer;
use crate::seam::{Instant, Rng};

/// However often a policy asks to draw again, this is enough.
const REDRAWS_MAX: u32 = 1000;

/// What a pick depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct PickRequest<'a> {
    /// The request's hash, for consistent hashing; without one the pick is random.
    pub hash: Option<u64>,
    /// Endpoints already tried (Envoy's `previous_hosts` predicate)…
    pub avoid: &'a [EndpointId],
    /// …and how often to draw again when one of them comes up; the last draw stands.
    pub redraws_max: u32,
    /// Priorities already tried, left as long as any other is healthy
    /// (Envoy's `previous_priorities`, Istio's `retryRemoteLocalities`). With
    /// Istio's update frequency of 2 they are those of the first two attempts from
    /// the second retry on, of the first four from the fourth on; none before.
    pub avoid_priorities: &'a [u32],
}

/// A picked endpoint.
#[derive(Clone, Debug)]
pub struct Pick {
    /// The endpoint.
    pub endpoint: Rc<EndpointState>,
    /// Its priority panics: health was ignored.
    pub panicked: bool,
    /// Its locality priority.
    pub priority: u32,
}

/// Picks endpoints of one cluster.
#[derive(Debug)]
pub struct Balancer {
    endpoints: Rc<EndpointSet>,
    settings: Settings,
    layout: RefCell<Option<Layout>>,
}

impl Balancer {
    /// A balancer over `endpoints` with the settings of `cluster`. For a changed
    /// cluster, [configure](EndpointSet::configure) the endpoints and make a new
    /// balancer over them. Pass-through clusters do not pick; asked anyway, they
    /// pick at random.
    pub fn new(cluster: &Cluster, endpoints: Rc<EndpointSet>, rng: &mut Rng) -> Self {
        let algorithm = match cluster.load_balancer.value {
            LoadBalancer::RoundRobin => Algorithm::Compare(Method::RoundRobin),
            LoadBalancer::LeastRequest { choices } => {
                Algorithm::Compare(Method::LeastRequest(choices))
            }
            LoadBalancer::Random | LoadBalancer::PassThrough => Algorithm::Compare(Method::Random),
            LoadBalancer::PeakEwma { .. } => Algorithm::Compare(Method::PeakEwma),
            LoadBalancer::Hash { algorithm, .. } => Algorithm::Hash(algorithm),
        };
        let warmup = cluster.warmup.as_ref();
        Self {
            endpoints,
            settings: Settings {
                algorithm,
                slow_start: warmup.and_then(|warmup| SlowStart::new(&warmup.value)),
                panic_threshold_percent: cluster.panic_threshold_percent,
                seed: rng.bits(),
            },
            layout: RefCell::new(None),
        }
    }

    /// The endpoints it picks from.
    pub fn endpoints(&self) -> &Rc<EndpointSet> {
        &self.endpoints
    }

    /// Whether every pick that avoids nothing comes out as the last one did, without a draw, for as long as the
    /// generation of the endpoints is the same: there is one endpoint, of priority 0, healthy.
    pub fn has_no_choice(&self) -> bool {
        let layout = self.layout.borrow();
        layout.as_ref().is_some_and(Layout::has_no_choice)
    }

    /// An endpoint for a request; `None` when none may be used (`UH`).
    pub fn pick(&self, now: Instant, rng: &mut Rng, request: &PickRequest<'_>) -> Option<Pick> {
        let mut slot = self.layout.borrow_mut();
        let generation = self.endpoints.generation();
        if slot
            .as_ref()
            .is_none_or(|layout| layout.generation() != generation)
        {
            let stale = slot.take();
            *slot = Some(Layout::build(&self.settings, &self.endpoints, stale, now));
        }
        let layout = slot.as_mut()?;
        let mut draw = Draw {
            settings: &self.settings,
            now,
            // One hash for all draws, so that redraws walk on from the same place.
            hash: match self.settings.algorithm {
                Algorithm::Hash(_) => request.hash.unwrap_or_else(|| rng.bits()),
                Algorithm::Compare(_) => 0,
            },
            redraw: 0,
            avoid_priorities: request.avoid_priorities,
        };
        let redraws_max = request.redraws_max.min(REDRAWS_MAX);
        let mut pick = layout.draw(&draw, rng)?;
        while draw.redraw < redraws_max && request.avoid.contains(&pick.endpoint.id()) {
            draw.redraw += 1;
            pick = layout.draw(&draw, rng)?;
        }
        Some(pick)
    }
}
