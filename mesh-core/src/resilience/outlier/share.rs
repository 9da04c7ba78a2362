//! Endpoints judged by their share of failures within an interval.

use std::rc::Rc;

use crate::balance::EndpointState;
use crate::policy::SuccessRate;

/// Fewest endpoints with enough requests for failure-percentage ejection
/// (Envoy's `failure_percentage_minimum_hosts`).
const FAILURE_HOSTS_MIN: usize = 5;
/// Fewest requests of an endpoint for it (Envoy's `failure_percentage_request_volume`).
const FAILURE_REQUESTS_MIN: u64 = 50;

/// Results since the last sweep.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) good: u64,
    pub(super) all: u64,
}

impl Tally {
    pub(super) fn add(&mut self, good: bool) {
        self.good += u64::from(good);
        self.all += 1;
    }

    fn success_percent(self) -> f64 {
        100.0 * self.good as f64 / self.all as f64
    }
}

/// An endpoint and its results.
pub(super) type Tallied<'a> = (&'a Rc<EndpointState>, Tally);

/// Endpoints whose success rate is below `mean − factor × standard deviation`.
pub(super) fn below_the_others<'a>(
    tallies: &[Tallied<'a>],
    rule: SuccessRate,
) -> Vec<&'a Rc<EndpointState>> {
    let enough =
        |(_, tally): &&Tallied<'_>| tally.all > 0 && tally.all >= u64::from(rule.requests_min);
    let rates: Vec<_> = tallies
        .iter()
        .filter(enough)
        .map(|(endpoint, tally)| (*endpoint, tally.success_percent()))
        .collect();
    if rates.is_empty() || rates.len() < rule.hosts_min as usize {
        return Vec::new();
    }
    let count = rates.len() as f64;
    let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
    let square = |(_, rate): &(_, f64)| (rate - mean) * (rate - mean);
    let deviation = (rates.iter().map(square).sum::<f64>() / count).sqrt();
    let threshold = mean - f64::from(rule.stdev_factor_milli) / 1000.0 * deviation;
    rates
        .into_iter()
        .filter(|(_, rate)| *rate < threshold)
        .map(|(endpoint, _)| endpoint)
        .collect()
}

/// Endpoints with at least `threshold` percent of failures.
pub(super) fn above_percentage<'a>(
    tallies: &[Tallied<'a>],
    threshold: u32,
) -> Vec<&'a Rc<EndpointState>> {
    let enough: Vec<_> = tallies
        .iter()
        .filter(|(_, tally)| tally.all >= FAILURE_REQUESTS_MIN)
        .collect();
    if enough.len() < FAILURE_HOSTS_MIN {
        return Vec::new();
    }
    enough
        .into_iter()
        .filter(|(_, tally)| 100.0 - tally.success_percent() >= f64::from(threshold))
        .map(|(endpoint, _)| *endpoint)
        .collect()
}
