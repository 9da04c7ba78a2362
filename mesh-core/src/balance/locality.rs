//! Localities with weights.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::EndpointState;
use super::edf::Edf;
use super::priority::OVERPROVISIONING_PERCENT;
use super::source::Source;
use crate::control::Locality;

/// Weights by the locality's printed form; a locality without one has weight 0.
pub(super) type LocalityWeights = BTreeMap<String, u32>;

fn weight_of(weights: &LocalityWeights, locality: &Locality) -> f64 {
    f64::from(weights.get(&locality.to_string()).copied().unwrap_or(0))
}

/// The localities of one priority, by earliest deadline.
#[derive(Debug)]
pub(super) struct Localities {
    schedule: Edf,
    weights: Vec<f64>,
    sources: Vec<Source>,
}

impl Localities {
    /// The localities of `all`, each with the effective weight
    /// `weight × min(1, 1.4 × healthy share)` (Envoy's `locality_wrr.cc`). `None`
    /// when no locality has any: then the whole priority is used, as in Envoy.
    pub(super) fn build(
        all: &[Rc<EndpointState>],
        locality_weights: &LocalityWeights,
        source: impl Fn(Vec<Rc<EndpointState>>) -> Source,
        seed: u64,
    ) -> Option<Self> {
        let mut by_locality: BTreeMap<Locality, Vec<&Rc<EndpointState>>> = BTreeMap::new();
        for endpoint in all {
            let same = by_locality.entry(endpoint.locality()).or_default();
            same.push(endpoint);
        }
        let (mut weights, mut sources) = (Vec::new(), Vec::new());
        for (locality, members) in by_locality {
            let available = members.iter().filter(|e| e.available());
            let available: Vec<_> = available.map(|e| Rc::clone(e)).collect();
            let healthy = available.len() as f64 / members.len() as f64;
            let usable = (OVERPROVISIONING_PERCENT as f64 / 100.0 * healthy).min(1.0);
            let weight = weight_of(locality_weights, &locality) * usable;
            if weight > 0.0 {
                weights.push(weight);
                sources.push(source(available));
            }
        }
        (!sources.is_empty()).then(|| Self {
            schedule: Edf::new(&weights, seed),
            weights,
            sources,
        })
    }

    /// The endpoints of the locality whose turn it is.
    pub(super) fn next(&mut self) -> Option<&mut Source> {
        let place = self.schedule.pick(|place| self.weights[place])?;
        self.sources.get_mut(place)
    }

    /// All of them, in a fixed order.
    pub(super) fn sources(&mut self) -> &mut [Source] {
        &mut self.sources
    }
}

/// Each endpoint's key and share of the weight, summing to 1: its share within
/// its locality, times the locality's share where localities have weights
/// (Envoy's `normalizeWeights` in `thread_aware_lb_impl.cc`). Endpoints of
/// localities without weight are dropped from the list, as there.
pub(super) fn shares(
    endpoints: &mut Vec<Rc<EndpointState>>,
    locality_weights: &LocalityWeights,
) -> Vec<(String, f64)> {
    let group =
        |endpoint: &EndpointState| (!locality_weights.is_empty()).then(|| endpoint.locality());
    let group_weight = |group: &Option<Locality>| {
        let weight = group.as_ref().map(|at| weight_of(locality_weights, at));
        weight.unwrap_or(1.0)
    };
    endpoints.retain(|endpoint| group_weight(&group(endpoint)) > 0.0);
    let mut sums: BTreeMap<Option<Locality>, f64> = BTreeMap::new();
    for endpoint in endpoints.iter() {
        *sums.entry(group(endpoint)).or_default() += f64::from(endpoint.weight());
    }
    let total: f64 = sums.keys().map(group_weight).sum();
    endpoints
        .iter()
        .map(|endpoint| {
            let group = group(endpoint);
            let sum = sums.get(&group).copied().unwrap_or(1.0);
            let share = group_weight(&group) / total * f64::from(endpoint.weight()) / sum;
            (endpoint.address().to_string(), share)
        })
        .collect()
}
