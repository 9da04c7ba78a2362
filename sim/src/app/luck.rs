//! What chance has in store for each request of an app.
//!
//! Everything random about a request is drawn when it arrives, each kind from
//! a stream of its own and the same number of words every time. So the k-th
//! arrival at a replica has the same service time and the same error under
//! any queue order, cancel policy, worker count or retry policy, and a
//! difference between two runs with one seed is the policy's doing.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use mesh_core::policy::Fraction;
use mesh_core::seam::{Randomness, Rng};

use super::sample::scaled;
use crate::plan::{AppPlan, EndpointPlan, ErrorInjection};

/// One request's luck.
pub(super) struct Luck {
    /// Time on a worker before the script.
    pub(super) service_time: Duration,
    /// It fails by error injection.
    pub(super) fails: bool,
    /// Which scripted response it gets, where the endpoint has any.
    pub(super) response: usize,
    /// For the steps of its script.
    pub(super) script: Rng,
}

/// The random streams and counters of one replica.
pub(super) struct Fate {
    service_time: RefCell<Rng>,
    errors: RefCell<Rng>,
    script: RefCell<Rng>,
    /// Requests so far, by endpoint; the fallback comes last.
    counts: Vec<Cell<u64>>,
}

impl Fate {
    /// The streams called `app/<replica>/…`.
    pub(super) fn new(replica: &str, plan: &AppPlan, random: &dyn Randomness) -> Self {
        let stream = |what| RefCell::new(random.stream(&format!("app/{replica}/{what}")));
        Self {
            service_time: stream("service-time"),
            errors: stream("errors"),
            script: stream("script"),
            counts: vec![Cell::new(0); plan.endpoints.len() + 1],
        }
    }

    /// The luck of the next request, which is for `endpoint`, number `index` of the plan.
    pub(super) fn draw(&self, index: usize, endpoint: &EndpointPlan) -> Luck {
        let before = self
            .counts
            .get(index)
            .map_or(0, |count| count.replace(count.get() + 1));
        let error_word = self.errors.borrow_mut().bits();
        Luck {
            service_time: endpoint
                .service_time
                .sample(&mut self.service_time.borrow_mut()),
            fails: match endpoint.errors {
                ErrorInjection::None => false,
                ErrorInjection::Random(share) => hits(error_word, share),
                ErrorInjection::EveryNth(n) => n > 0 && (before + 1).is_multiple_of(u64::from(n)),
            },
            response: usize::try_from(before).unwrap_or(usize::MAX),
            script: fork(&mut self.script.borrow_mut()),
        }
    }
}

/// Whether a uniform word falls into `share`.
pub(crate) fn hits(word: u64, share: Fraction) -> bool {
    scaled(word, 1_000_000) < u64::from(share.ppm())
}

/// A generator that shares nothing with what `parent` draws next.
pub(crate) fn fork(parent: &mut Rng) -> Rng {
    let mut seed = [0; 32];
    parent.fill(&mut seed);
    Rng::from_seed(seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{CancelPolicy, Distribution, QueueOrder};

    struct Seeded;

    impl Randomness for Seeded {
        fn stream(&self, name: &str) -> Rng {
            Rng::named(9, name)
        }
    }

    fn fate() -> Fate {
        let plan = AppPlan {
            workers: None,
            queue_max: None,
            queue_order: QueueOrder::Fifo,
            cancel: CancelPolicy::Stop,
            endpoints: Vec::new(),
            fallback: EndpointPlan::echo(),
            process: Default::default(),
        };
        Fate::new("a-0", &plan, &Seeded)
    }

    #[test]
    fn every_kth_request_fails() {
        let mut endpoint = EndpointPlan::echo();
        endpoint.errors = ErrorInjection::EveryNth(3);
        let fate = fate();
        let failed: Vec<_> = (0..7).map(|_| fate.draw(0, &endpoint).fails).collect();
        assert_eq!(failed, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn random_errors_have_their_share() {
        let mut endpoint = EndpointPlan::echo();
        endpoint.errors = ErrorInjection::Random(Fraction::from_percent(30.0).unwrap());
        let fate = fate();
        let failed = (0..20_000)
            .filter(|_| fate.draw(0, &endpoint).fails)
            .count();
        // Five standard deviations of a binomial(20000, 0.3) are 324.
        assert!(failed.abs_diff(6000) < 324, "{failed}");
    }

    #[test]
    fn a_service_time_is_its_requests_own() {
        let mut plain = EndpointPlan::echo();
        plain.service_time = Distribution::Exponential {
            mean: Duration::from_millis(1),
        };
        let mut failing = plain.clone();
        failing.errors = ErrorInjection::Random(Fraction::ONE);
        let (one, other) = (fate(), fate());
        for _ in 0..100 {
            let (mut a, mut b) = (one.draw(0, &plain), other.draw(0, &failing));
            assert_eq!(a.service_time, b.service_time);
            assert_eq!(a.script.bits(), b.script.bits());
        }
    }
}
