//! Which share of the load may be repetition.
//!
//! A retry is in flight from the decision to make it, through its back-off,
//! until its own result is known. Either a fixed number may be in flight
//! (`max_retries`, 3 in plain Envoy), or a share of the requests active and
//! pending, and at least a few (`retry_budget`: 20 %, 3). With a budget `b` the
//! load amplification of `d` layers is at most `(1 + b)^d`, whatever fails
//! (Envoy's `RetryBudgetImpl` in `resource_manager_impl.h`).

use std::cell::Cell;
use std::rc::Rc;

use super::Breaker;
use crate::policy::RetryBudget;

/// Admits retries to one cluster.
#[derive(Debug)]
pub struct RetryLimiter {
    breaker: Rc<Breaker>,
    limit: Cell<Limit>,
    in_flight: Cell<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Fixed(u32),
    Budget(RetryBudget),
}

impl RetryLimiter {
    /// A limiter by `budget`, or else by `retries_max`; `breaker` counts the requests.
    pub fn new(breaker: Rc<Breaker>, retries_max: u32, budget: Option<RetryBudget>) -> Rc<Self> {
        let limiter = Self {
            breaker,
            limit: Cell::new(Limit::Fixed(0)),
            in_flight: Cell::new(0),
        };
        limiter.configure(retries_max, budget);
        Rc::new(limiter)
    }

    /// Takes over changed limits. Retries in flight stay.
    pub fn configure(&self, retries_max: u32, budget: Option<RetryBudget>) {
        let fixed = Limit::Fixed(retries_max);
        self.limit.set(budget.map_or(fixed, Limit::Budget));
    }

    /// How many retries may be in flight now.
    pub fn limit(&self) -> u64 {
        match self.limit.get() {
            Limit::Fixed(retries) => u64::from(retries),
            Limit::Budget(budget) => {
                let load = u64::from(self.breaker.active_requests())
                    + u64::from(self.breaker.pending_requests());
                let share = load * u64::from(budget.fraction.ppm()) / 1_000_000;
                share.max(u64::from(budget.retries_min))
            }
        }
    }

    /// Retries in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    /// Admits a retry; `None` when the limit is reached.
    pub fn admit(self: &Rc<Self>) -> Option<RetryPermit> {
        (u64::from(self.in_flight.get()) < self.limit()).then(|| {
            self.in_flight.set(self.in_flight.get() + 1);
            RetryPermit(self.clone())
        })
    }
}

/// A retry in flight; given back when dropped.
#[derive(Debug)]
#[must_use = "the retry counts as over when the permit is dropped"]
pub struct RetryPermit(Rc<RetryLimiter>);

impl Drop for RetryPermit {
    fn drop(&mut self) {
        let in_flight = &self.0.in_flight;
        in_flight.set(in_flight.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::fixture::pool;
    use crate::policy::Fraction;
    use proptest::prelude::*;

    fn budget(percent: f64, retries_min: u32) -> Option<RetryBudget> {
        Some(RetryBudget {
            fraction: Fraction::from_percent(percent).unwrap(),
            retries_min,
        })
    }

    #[test]
    fn two_of_ten_concurrent_failures_are_retried() {
        // retry_max_retries_breaker.
        let limiter = RetryLimiter::new(Breaker::new(&pool(100)), 2, None);
        let admitted: Vec<_> = (0..10).filter_map(|_| limiter.admit()).collect();
        assert_eq!(admitted.len(), 2);
        drop(admitted);
        assert!(limiter.admit().is_some());
    }

    #[test]
    fn a_budget_grows_with_the_load_and_has_a_floor() {
        let breaker = Breaker::new(&pool(u32::MAX));
        let limiter = RetryLimiter::new(breaker.clone(), 0, budget(20.0, 3));
        assert_eq!(limiter.limit(), 3);
        let active: Vec<_> = (0..24).map(|_| breaker.request()).collect();
        assert_eq!(limiter.limit(), 4); // 4.8, rounded down
        let pending = breaker.pending();
        assert_eq!(limiter.limit(), 5); // pending ones count
        drop((active, pending));
        assert_eq!(limiter.limit(), 3);
    }

    proptest! {
        #[test]
        fn no_retry_is_admitted_beyond_the_budget(
            ppm in 0u32..=1_000_000,
            retries_min in 0u32..5,
            steps in prop::collection::vec(0u8..6, 0..300),
        ) {
            let breaker = Breaker::new(&pool(u32::MAX));
            let fraction = Fraction::from_ppm(ppm);
            let limiter =
                RetryLimiter::new(breaker.clone(), 0, Some(RetryBudget { fraction, retries_min }));
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    0..=2 => requests.extend(breaker.request().ok()),
                    3 => drop(requests.pop()),
                    4 => drop(retries.pop()),
                    _ => {
                        let bound = f64::from(ppm) / 1e6 * requests.len() as f64;
                        let bound = bound.max(f64::from(retries_min));
                        if let Some(permit) = limiter.admit() {
                            retries.push(permit);
                            prop_assert!(retries.len() as f64 <= bound + 1e-9);
                        }
                    }
                }
                prop_assert_eq!(limiter.in_flight() as usize, retries.len());
            }
        }
    }
}
