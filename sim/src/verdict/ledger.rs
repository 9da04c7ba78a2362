//! An exact account of every window that an expectation speaks of.

use std::time::Duration;

use mesh_core::seam::Instant;

use super::samples::Samples;
use crate::plan::{LatencyMeasure, Measure, Plan, Window};

/// A request in flight at the end of the run has failed if it has waited for longer than this.
pub const GRACE: Duration = Duration::from_secs(1);

/// Accounts by traffic source and window.
#[derive(Clone, Debug)]
pub struct Ledger {
    accounts: Vec<Account>,
    /// The account of each expectation, in plan order.
    of_expectation: Vec<usize>,
}

/// The account of one window of one traffic source.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// The source's place in the plan; `None` is a source that does not exist.
    traffic: Option<usize>,
    window: Window,
    ended: u64,
    succeeded: u64,
    /// In flight at the end for longer than [`GRACE`].
    hung: u64,
    answered: u64,
    sum: u128,
    max: u64,
    /// Kept where a quantile is demanded.
    samples: Option<Samples>,
}

impl Ledger {
    /// Empty accounts for all of a plan's expectations.
    pub fn new(plan: &Plan) -> Self {
        let mut ledger = Self {
            accounts: Vec::new(),
            of_expectation: Vec::new(),
        };
        for expectation in &plan.expectations {
            let traffic = plan
                .traffic
                .iter()
                .position(|t| t.name == expectation.traffic);
            let window = expectation.window;
            let same = |account: &Account| account.traffic == traffic && account.window == window;
            let index = ledger.accounts.iter().position(same).unwrap_or_else(|| {
                ledger.accounts.push(Account::new(traffic, window));
                ledger.accounts.len() - 1
            });
            if let Measure::Latency(LatencyMeasure::Quantile(_)) = expectation.measure {
                ledger.accounts[index]
                    .samples
                    .get_or_insert_with(Samples::new);
            }
            ledger.of_expectation.push(index);
        }
        ledger
    }

    /// A request of traffic source `traffic` (its place in the plan) ended. `latency` in nanoseconds from the intended
    /// start, if it was answered.
    pub fn ended(
        &mut self,
        traffic: usize,
        intended: Instant,
        succeeded: bool,
        latency: Option<u64>,
    ) {
        for account in self
            .accounts
            .iter_mut()
            .filter(|a| a.covers(traffic, intended))
        {
            account.ended += 1;
            account.succeeded += u64::from(succeeded);
            if let Some(nanos) = latency {
                account.answer(nanos);
            }
        }
    }

    /// A request was in flight when the run ended.
    pub fn in_flight(&mut self, traffic: usize, intended: Instant, end: Instant) {
        if intended + GRACE < end {
            let covering = self
                .accounts
                .iter_mut()
                .filter(|a| a.covers(traffic, intended));
            covering.for_each(|account| account.hung += 1);
        }
    }

    /// The account of the plan's `index`-th expectation.
    pub(super) fn account(&self, index: usize) -> Option<&Account> {
        self.accounts.get(*self.of_expectation.get(index)?)
    }
}

impl Account {
    fn new(traffic: Option<usize>, window: Window) -> Self {
        Self {
            traffic,
            window,
            ended: 0,
            succeeded: 0,
            hung: 0,
            answered: 0,
            sum: 0,
            max: 0,
            samples: None,
        }
    }

    fn covers(&self, traffic: usize, intended: Instant) -> bool {
        let at = intended.elapsed();
        self.traffic == Some(traffic) && self.window.from <= at && at < self.window.to
    }

    fn answer(&mut self, nanos: u64) {
        self.answered += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
        if let Some(samples) = &mut self.samples {
            samples.record(nanos);
        }
    }

    /// Requests that count: those that ended or hang.
    pub(super) const fn requests(&self) -> u64 {
        self.ended + self.hung
    }

    /// What `measure` comes to, a ratio or nanoseconds; `None` when there is nothing to measure.
    pub(super) fn measure(&self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::Success => {
                (self.requests() > 0).then(|| self.succeeded as f64 / self.requests() as f64)
            }
            Measure::Latency(_) if self.answered == 0 => None,
            Measure::Latency(LatencyMeasure::Mean) => Some(self.sum as f64 / self.answered as f64),
            Measure::Latency(LatencyMeasure::Max) => Some(self.max as f64),
            Measure::Latency(LatencyMeasure::Quantile(q)) => {
                let value = self.samples.as_ref()?.quantile(q)?;
                Some(value as f64)
            }
        }
    }
}
