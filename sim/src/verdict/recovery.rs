//! Whether, and when, goodput came back.
//!
//! **Goodput** is successes per second, of the requests that were sent then.
//! It is compared with what it was before the first fault. With an open load
//! the number of requests sent varies by chance, and says nothing about the
//! mesh; so what is compared is the *share* of the load that succeeds. Users
//! who wait for their answer (a closed load) send less when the mesh is slow,
//! and there it is the successes per second themselves.
//!
//! The time after the last heal is cut into bins of at most a second. Goodput
//! is **back** at the beginning of the first bin that is at or above the
//! threshold and after which, taken together, everything to the end of the run
//! is too. One lucky bin in the midst of an outage is therefore no recovery; and
//! a long good end makes no recovery of the bad bins before it, because the bin
//! itself has to be good. A bin in which nothing was sent is as good as the next
//! one in which something was.
//!
//! How often users come is chance too. Successes per second of a closed load
//! are therefore good unless they are below the threshold by more than three
//! standard deviations of a Poisson count. Over a long time the count of one
//! user's requests varies, relative to a Poisson count, by the squared
//! coefficient of variation of the time from one to the next (Cox, *Renewal
//! Theory*, 1962): users whose rounds vary no more than an exponential time
//! does hardly ever leave that by chance alone. If their rounds vary more, a
//! good bin may be taken for a bad one.

use mesh_core::seam::Instant;

use super::stage::{Stage, Staged, Stages, Sum};
use crate::plan::{Demand, Load, Plan};
use crate::record::nanos;

/// Where no expectation asks for more, goodput is back when it is this share of what it was.
const THRESHOLD: f64 = 0.95;
/// The finest and the widest bin, in nanoseconds.
const BIN_MIN: u64 = 50_000_000;
const BIN_MAX: u64 = 1_000_000_000;
/// Bins of a run.
const BINS_MAX: u64 = 6_000;

/// Requests that ended or hang, and those of them that succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Offered {
    pub(super) offered: u64,
    pub(super) succeeded: u64,
}

impl Sum for Offered {
    fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.succeeded += other.succeeded;
    }
}

impl Offered {
    fn share(&self) -> Option<f64> {
        (self.offered > 0).then(|| self.succeeded as f64 / self.offered as f64)
    }
}

/// All traffic sources, in plan order.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    sources: Vec<Source>,
}

/// One traffic source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Whether its users wait for their answers.
    closed: bool,
    /// When it begins to send, in seconds.
    start_s: f64,
    /// The demanded share of what it was before, if one is.
    demanded: Option<f64>,
    pub(super) load: Staged<Offered>,
    bin: u64,
    /// From the last heal on.
    bins: Vec<Offered>,
}

impl Recovery {
    pub(super) fn new(plan: &Plan) -> Self {
        let end = nanos(plan.duration);
        let demands = |name: &str| {
            let expectations = plan.expectations.iter();
            let of = expectations.filter(move |e| match &e.demand {
                Demand::Recovers { traffic, .. } => traffic == name,
                Demand::Measured { .. } | Demand::Detects { .. } => false,
            });
            of.collect::<Vec<_>>()
        };
        let source = |traffic: &crate::plan::TrafficPlan| {
            let demands = demands(&traffic.name);
            let within = demands.iter().map(|e| (e.bound.value * 1e8) as u64).min();
            let shares = demands.iter().filter_map(|e| match e.demand {
                Demand::Recovers { share, .. } => Some(share),
                _ => None,
            });
            Source {
                closed: matches!(traffic.load, Load::Closed { .. }),
                start_s: traffic.start.as_secs_f64(),
                demanded: shares.reduce(f64::max),
                load: Staged::default(),
                bin: within
                    .unwrap_or(BIN_MAX)
                    .clamp(BIN_MIN, BIN_MAX)
                    .max(end / BINS_MAX),
                bins: Vec::new(),
            }
        };
        Self {
            sources: plan.traffic.iter().map(source).collect(),
        }
    }

    /// A fault has begun.
    pub(super) fn began(&mut self) {
        for source in &mut self.sources {
            source.load.again();
            source.bins.clear();
        }
    }

    /// A request of a traffic source ended, or hangs at the end of the run.
    pub(super) fn ended(
        &mut self,
        traffic: usize,
        intended: Instant,
        succeeded: bool,
        stages: &Stages,
    ) {
        if let Some(source) = self.sources.get_mut(traffic) {
            source.ended(intended, succeeded, stages);
        }
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }
}

impl Source {
    fn ended(&mut self, intended: Instant, succeeded: bool, stages: &Stages) {
        let one = Offered {
            offered: 1,
            succeeded: u64::from(succeeded),
        };
        let stage = stages.of(intended);
        self.load.at(stage).add(&one);
        if let (Some(healed), true) = (stages.healed(), follows(stage)) {
            let index = ((intended.as_nanos() - healed) / self.bin).min(BINS_MAX) as usize;
            if index >= self.bins.len() {
                self.bins.resize_with(index + 1, Offered::default);
            }
            self.bins[index].add(&one);
        }
    }

    /// The share of what it was that counts as back.
    pub(super) fn threshold(&self) -> f64 {
        self.demanded.unwrap_or(THRESHOLD)
    }

    /// The share that was demanded.
    pub(super) const fn demanded(&self) -> Option<f64> {
        self.demanded
    }

    /// Whether its users wait for their answers.
    pub(super) const fn closed(&self) -> bool {
        self.closed
    }

    /// How long it sent before the first fault, in seconds.
    pub(super) fn before_s(&self, stages: &Stages) -> f64 {
        (stages.before_s() - self.start_s).max(f64::MIN_POSITIVE)
    }

    /// Whether goodput over `seconds` is at least `threshold` of what it was, as far as chance lets that be told.
    fn is_good(&self, load: &Offered, seconds: f64, threshold: f64, stages: &Stages) -> bool {
        let chance = if self.closed {
            let was = self.load.before.succeeded as f64 / self.before_s(stages);
            let expected = was * seconds * threshold;
            // Relative to what it was, as the ratio is.
            3.0 * libm::sqrt(expected) / (was * seconds).max(f64::MIN_POSITIVE)
        } else {
            0.0
        };
        let ratio = self.ratio(load, seconds, stages);
        // The exact numbers 99.9 % of 100 % is made of must not decide.
        ratio.is_some_and(|ratio| ratio + chance >= threshold - 1e-12)
    }

    /// Goodput over `seconds`, compared with what it was before; `None` when either is unknown.
    pub(super) fn ratio(&self, load: &Offered, seconds: f64, stages: &Stages) -> Option<f64> {
        let before = &self.load.before;
        if before.succeeded == 0 {
            return None;
        }
        if self.closed {
            let was = before.succeeded as f64 / self.before_s(stages);
            return (seconds > 0.0).then(|| load.succeeded as f64 / seconds / was);
        }
        Some(load.share()? / before.share()?)
    }

    /// From the last heal until goodput was back at `threshold` of what it was, in seconds; `None` when it is not.
    pub(super) fn back(&self, threshold: f64, stages: &Stages) -> Option<f64> {
        let bin_s = self.bin as f64 / 1e9;
        let good = |load: &Offered, bins: usize| {
            self.is_good(load, bins as f64 * bin_s, threshold, stages)
        };
        let mut rest = Offered::default();
        let mut back = None;
        let mut next_is_good = false;
        for (index, bin) in self.bins.iter().enumerate().rev() {
            rest.add(bin);
            if self.closed || bin.offered > 0 {
                next_is_good = good(bin, 1);
            }
            if next_is_good && good(&rest, self.bins.len() - index) {
                back = Some(index);
            }
        }
        back.map(|index| index as f64 * bin_s)
    }
}

const fn follows(stage: Stage) -> bool {
    matches!(
        stage,
        Stage::Settling | Stage::Earlier | Stage::Later | Stage::Tail
    )
}
