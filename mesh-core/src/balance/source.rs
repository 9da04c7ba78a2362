//! A list of endpoints and how to pick among them without a hash.

use std::rc::Rc;

use super::EndpointState;
use super::edf::Edf;
use super::slow_start::SlowStart;
use crate::seam::{Instant, Rng};

/// More choices than this compare everything anyway.
const CHOICES_MAX: u32 = 1000;

/// How endpoints are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// In turn.
    RoundRobin,
    /// The fewest requests in flight among this many drawn, with replacement (Envoy's `N_CHOICES`).
    LeastRequest(u32),
    /// Uniform: as Envoy's `random_lb.cc`, blind to weights.
    Random,
    /// The cheaper of two different ones (tower's and Linkerd's P2C).
    PeakEwma,
}

/// Endpoints to pick from.
#[derive(Debug)]
pub(super) struct Source {
    endpoints: Vec<Rc<EndpointState>>,
    /// Only when weights differ or an endpoint is warming up; otherwise plain
    /// rotation or plain choices do the same for less (as in Envoy).
    schedule: Option<Edf>,
    /// Whose turn it is; kept over rebuilds, as Envoy keeps it.
    pub(super) cursor: u64,
}

impl Source {
    pub(super) fn new(
        endpoints: Vec<Rc<EndpointState>>,
        method: Method,
        slow_start: Option<&SlowStart>,
        now: Instant,
        seed: u64,
    ) -> Self {
        let by_weight = matches!(method, Method::RoundRobin | Method::LeastRequest(_));
        let uneven = endpoints
            .windows(2)
            .any(|pair| pair[0].weight() != pair[1].weight())
            || slow_start.is_some_and(|s| endpoints.iter().any(|e| s.warms(e, now)));
        let schedule = (by_weight && uneven && endpoints.len() > 1).then(|| {
            let weights: Vec<f64> = endpoints
                .iter()
                .map(|endpoint| weight(endpoint, method, slow_start, now))
                .collect();
            Edf::new(&weights, seed)
        });
        Self {
            endpoints,
            schedule,
            cursor: seed,
        }
    }

    pub(super) fn endpoints(&self) -> &[Rc<EndpointState>] {
        &self.endpoints
    }

    /// The next endpoint; `None` when there is none.
    pub(super) fn pick(
        &mut self,
        method: Method,
        slow_start: Option<&SlowStart>,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<&Rc<EndpointState>> {
        let Self {
            endpoints,
            schedule,
            cursor,
        } = self;
        let index = match endpoints.len() {
            0 => return None,
            1 => 0,
            len => match (schedule, method) {
                (Some(edf), _) => {
                    edf.pick(|index| weight(&endpoints[index], method, slow_start, now))?
                }
                (None, Method::RoundRobin) => {
                    let turn = *cursor % len as u64;
                    *cursor = cursor.wrapping_add(1);
                    turn as usize
                }
                (None, Method::Random) => draw(rng, len),
                (None, Method::LeastRequest(choices)) => least_loaded(endpoints, choices, rng),
                (None, Method::PeakEwma) => cheaper_of_two(endpoints, now, rng),
            },
        };
        endpoints.get(index)
    }
}

/// The scheduling weight at this moment: least request divides by the requests
/// that would be in flight (Envoy's `hostWeight` with `active_request_bias` 1).
fn weight(
    endpoint: &EndpointState,
    method: Method,
    slow_start: Option<&SlowStart>,
    now: Instant,
) -> f64 {
    let mut weight = f64::from(endpoint.weight());
    if let Method::LeastRequest(_) = method {
        weight /= f64::from(endpoint.active()) + 1.0;
    }
    weight * slow_start.map_or(1.0, |s| s.factor(endpoint, now))
}

fn draw(rng: &mut Rng, len: usize) -> usize {
    rng.below(len as u64) as usize
}

fn least_loaded(endpoints: &[Rc<EndpointState>], choices: u32, rng: &mut Rng) -> usize {
    let mut best = draw(rng, endpoints.len());
    for _ in 1..choices.min(CHOICES_MAX) {
        let other = draw(rng, endpoints.len());
        if endpoints[other].active() < endpoints[best].active() {
            best = other;
        }
    }
    best
}

fn cheaper_of_two(endpoints: &[Rc<EndpointState>], now: Instant, rng: &mut Rng) -> usize {
    let first = draw(rng, endpoints.len());
    let mut second = draw(rng, endpoints.len() - 1);
    if second >= first {
        second += 1;
    }
    let cost = |index: usize| {
        let endpoint: &EndpointState = &endpoints[index];
        endpoint.latency_cost(now) / f64::from(endpoint.weight())
    };
    if cost(first) <= cost(second) {
        first
    } else {
        second
    }
}
