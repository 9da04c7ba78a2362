//! What queueing theory says: recursions that turn arrivals and service times
//! into waiting times, one by one, and closed forms for their means.
//!
//! The recursions are fed with the very draws that a mesh makes. Every draw of
//! a run comes from a stream that is named and keyed by the seed, so a test
//! draws them again and demands equality, not likeness: an error of one
//! nanosecond in one request of thousands fails. That the recursions themselves
//! have the textbook's means is shown over millions of draws, for which no
//! mesh need run.

use std::collections::VecDeque;
use std::time::Duration;

use mesh_core::seam::Rng;

/// Intended send times of an open loop with Poisson arrivals, in nanoseconds since the beginning of the run.
pub struct PoissonArrivals {
    rng: Rng,
    per_second: f64,
    /// Unit exponentials so far.
    mass: f64,
}

impl PoissonArrivals {
    /// Those of the traffic source `client`, whose pod has the same name.
    pub fn new(seed: u64, client: &str, per_second: f64) -> Self {
        Self {
            rng: Rng::named(seed, &format!("{client}/traffic/{client}/arrivals")),
            per_second,
            mass: 0.0,
        }
    }
}

impl Iterator for PoissonArrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.mass += unit_exponential(&mut self.rng);
        Some(libm::round(self.mass / self.per_second * 1e9) as u64)
    }
}

/// Exponential service times of one pod, in nanoseconds, in the order in which requests arrive there.
pub struct ServiceTimes {
    rng: Rng,
    mean: f64,
}

impl ServiceTimes {
    /// Those of `pod` in its first life.
    pub fn new(seed: u64, pod: &str, mean: Duration) -> Self {
        Self {
            rng: Rng::named(seed, &format!("{pod}/app/{pod}/service-time")),
            mean: mean.as_nanos() as f64,
        }
    }
}

impl Iterator for ServiceTimes {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        Some(libm::round(self.mean * unit_exponential(&mut self.rng)) as u64)
    }
}

/// By inversion, from the upper 52 bits of one word: −ln(1 − u), where u is the middle of one of 2⁵² cells.
fn unit_exponential(rng: &mut Rng) -> f64 {
    let cells = (1u64 << 52) as f64;
    let beyond = !rng.bits() >> 12;
    -libm::log((beyond as f64 + 0.5) / cells)
}

/// Waiting times at one worker, first come first served: `W′ = max(0, W + S − A)` (Lindley, 1952).
pub fn lindley(arrivals: &[u64], services: &[u64]) -> Vec<u64> {
    let mut wait = 0;
    let mut waits = Vec::with_capacity(arrivals.len());
    for (i, (arrival, service)) in arrivals.iter().zip(services).enumerate() {
        waits.push(wait);
        if let Some(next) = arrivals.get(i + 1) {
            wait = (wait + service).saturating_sub(next - arrival);
        }
    }
    waits
}

/// Waiting times at `workers` workers, first come first served, by the vector of their work left, sorted
/// (Kiefer and Wolfowitz, 1955).
pub fn kiefer_wolfowitz(arrivals: &[u64], services: &[u64], workers: usize) -> Vec<u64> {
    let mut left = vec![0u64; workers];
    let mut before = 0;
    let wait = |(arrival, service): (&u64, &u64)| {
        for work in &mut left {
            *work = work.saturating_sub(arrival - before);
        }
        before = *arrival;
        left.sort_unstable();
        let wait = left[0];
        left[0] += service;
        wait
    };
    arrivals.iter().zip(services).map(wait).collect()
}

/// Servers with one worker and a line each, chosen by callers who know the lines' lengths, or parts of them.
pub struct Servers {
    /// Departures still to come, by server, with who called.
    departures: Vec<VecDeque<(u64, usize)>>,
    services: Vec<ServiceTimes>,
}

impl Servers {
    /// Idle servers with these service times.
    pub fn new(services: Vec<ServiceTimes>) -> Self {
        Self {
            departures: services.iter().map(|_| VecDeque::new()).collect(),
            services,
        }
    }

    /// A request of `caller` joins the shortest line of `choices` drawn with replacement, the first drawn among equals.
    /// A caller counts its own requests only. Returns the server, and the time until the request leaves it.
    pub fn arrive(
        &mut self,
        at: u64,
        caller: usize,
        choices: usize,
        rng: &mut Rng,
    ) -> (usize, u64) {
        let (mut best, mut least) = self.draw(at, caller, rng);
        for _ in 1..choices {
            let (other, load) = self.draw(at, caller, rng);
            if load < least {
                (best, least) = (other, load);
            }
        }
        let line = &mut self.departures[best];
        let start = line.back().map_or(at, |(last, _)| at.max(*last));
        let leaves = start + self.services[best].next().unwrap_or_default();
        line.push_back((leaves, caller));
        (best, leaves - at)
    }

    /// A random server, and how many requests of `caller` are there.
    fn draw(&mut self, at: u64, caller: usize, rng: &mut Rng) -> (usize, usize) {
        let server = rng.below(self.departures.len() as u64) as usize;
        let line = &mut self.departures[server];
        while line.front().is_some_and(|(leaves, _)| *leaves <= at) {
            line.pop_front();
        }
        (
            server,
            line.iter().filter(|(_, other)| *other == caller).count(),
        )
    }
}

/// Share of requests lost at `places` places without a line, by Erlang's B formula, in its recursive form.
pub fn erlang_b(places: u32, offered: f64) -> f64 {
    (1..=places).fold(1.0, |lost, place| {
        offered * lost / (f64::from(place) + offered * lost)
    })
}

/// Mean wait of M/M/c in service times, by Erlang's C formula. `rho` is the load of one worker.
pub fn erlang_c_wait(workers: u32, rho: f64) -> f64 {
    let lost = erlang_b(workers, f64::from(workers) * rho);
    let waits = lost / (1.0 - rho * (1.0 - lost));
    waits / (f64::from(workers) * (1.0 - rho))
}

/// Mean time in the system, in service times, when each arrival joins the shortest of `choices` lines among very many:
/// Σ λ^((dⁱ − d)/(d − 1)) over i ≥ 1 (Mitzenmacher, IEEE TPDS 12(10), 2001).
pub fn supermarket_time(lambda: f64, choices: u32) -> f64 {
    if choices == 1 {
        return 1.0 / (1.0 - lambda);
    }
    let d = f64::from(choices);
    let terms = (1..64).map(|i| libm::pow(lambda, (libm::pow(d, f64::from(i)) - d) / (d - 1.0)));
    terms.sum()
}

/// The mean of some nanoseconds.
pub fn mean(spans: impl IntoIterator<Item = u64>) -> f64 {
    let (sum, count) = spans.into_iter().fold((0u128, 0u64), |(sum, count), span| {
        (sum + u128::from(span), count + 1)
    });
    sum as f64 / count as f64
}

/// Mean and standard deviation of what `experiment` gives under `replications` seeds: the sampling error of one run is
/// measured, with its correlations, its warm-up and all, not guessed.
pub fn replicate(replications: u64, experiment: impl Fn(u64) -> f64) -> (f64, f64) {
    let found: Vec<f64> = (1..=replications)
        .map(|k| experiment(1_000_000 + k))
        .collect();
    let mean = found.iter().sum::<f64>() / replications as f64;
    let squares = found.iter().map(|x| (x - mean) * (x - mean));
    (
        mean,
        libm::sqrt(squares.sum::<f64>() / (replications - 1) as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recursions_by_hand() {
        let arrivals = [0, 1, 2, 30];
        let services = [10, 5, 1, 1];
        assert_eq!(lindley(&arrivals, &services), [0, 9, 13, 0]);
        assert_eq!(kiefer_wolfowitz(&arrivals, &services, 1), [0, 9, 13, 0]);
        // The second worker is free at 6 = 1 + 5, where the third request has waited for 4.
        assert_eq!(kiefer_wolfowitz(&arrivals, &services, 2), [0, 0, 4, 0]);
    }

    /// Erlang C tables, mean wait in service times at ρ = 0.5, 0.8, 0.9, 0.95.
    #[test]
    fn erlang_c_by_the_tables() {
        let tables = [
            (1, [1.0, 4.0, 9.0, 19.0]),
            (2, [0.3333, 1.778, 4.263, 9.256]),
            (4, [0.0870, 0.7455, 1.969, 4.457]),
            (16, [0.0011, 0.0953, 0.3696, 0.9752]),
        ];
        for (workers, waits) in tables {
            for (rho, wait) in [0.5, 0.8, 0.9, 0.95].into_iter().zip(waits) {
                let found = erlang_c_wait(workers, rho);
                assert!(
                    (found - wait).abs() < 5e-4 * wait.max(0.1),
                    "{workers} {rho}: {found}"
                );
            }
        }
    }

    #[test]
    fn erlang_b_by_the_tables() {
        let table = [
            (10, 5.0, 0.01838),
            (10, 8.0, 0.12166),
            (10, 10.0, 0.21458),
            (100, 100.0, 0.07570),
        ];
        for (places, offered, lost) in table {
            assert!((erlang_b(places, offered) - lost).abs() < 6e-6);
        }
    }

    /// The table of the paper, its equation for the time in the system.
    #[test]
    fn the_supermarket_by_the_table() {
        let table = [
            (0.5, 1.2657),
            (0.7, 1.6145),
            (0.8, 1.9474),
            (0.9, 2.6141),
            (0.99, 5.4320),
        ];
        for (lambda, time) in table {
            assert!((supermarket_time(lambda, 2) - time).abs() < 6e-5);
        }
        assert!((supermarket_time(0.9, 3) - 2.0279).abs() < 6e-5);
        assert!((supermarket_time(0.8, 1) - 5.0).abs() < 1e-9);
    }
}
