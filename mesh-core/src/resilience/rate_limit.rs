//! The local rate limit: a token bucket per proxy.
//!
//! It starts full and fills at `tokens_per_fill` per `fill_interval`. Envoy has
//! filled it continuously since 1.31 (no timer; `AtomicTokenBucketImpl` in
//! `token_bucket_impl.cc`): half an interval gives half the tokens, and
//! fractions add up. Whole numbers keep that exact: a token is as many parts as
//! an interval has nanoseconds, so each nanosecond brings `tokens_per_fill` parts.

use std::cell::Cell;

use crate::policy::LocalRateLimit;
use crate::seam::Instant;

/// A token bucket.
#[derive(Debug)]
pub struct TokenBucket {
    tokens_max: u32,
    tokens_per_fill: u32,
    interval_ns: u64,
    /// Tokens, in parts of `1 / interval_ns`.
    level: Cell<u128>,
    filled_at: Cell<Instant>,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(limit: &LocalRateLimit, now: Instant) -> Self {
        let interval_ns = u64::try_from(limit.fill_interval.as_nanos()).unwrap_or(u64::MAX);
        let bucket = Self {
            tokens_max: limit.tokens_max,
            tokens_per_fill: limit.tokens_per_fill,
            interval_ns: interval_ns.max(1),
            level: Cell::new(0),
            filled_at: Cell::new(now),
        };
        bucket.level.set(bucket.capacity());
        bucket
    }

    /// Takes one token; false when there is none: the request is rejected (`RL`).
    pub fn take(&self, now: Instant) -> bool {
        self.fill(now);
        match self.level.get().checked_sub(u128::from(self.interval_ns)) {
            Some(left) => {
                self.level.set(left);
                true
            }
            None => false,
        }
    }

    /// Whole tokens left (`x-ratelimit-remaining`).
    pub fn remaining(&self, now: Instant) -> u32 {
        self.fill(now);
        u32::try_from(self.level.get() / u128::from(self.interval_ns)).unwrap_or(u32::MAX)
    }

    fn capacity(&self) -> u128 {
        u128::from(self.tokens_max) * u128::from(self.interval_ns)
    }

    fn fill(&self, now: Instant) {
        let elapsed_ns = now
            .as_nanos()
            .saturating_sub(self.filled_at.get().as_nanos());
        if elapsed_ns > 0 {
            let gained = u128::from(elapsed_ns) * u128::from(self.tokens_per_fill);
            self.level
                .set((self.level.get() + gained).min(self.capacity()));
            self.filled_at.set(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn bucket(tokens_max: u32, tokens_per_fill: u32, interval_ms: u64) -> TokenBucket {
        let limit = LocalRateLimit {
            tokens_max,
            tokens_per_fill,
            fill_interval: Duration::from_millis(interval_ms),
            status: 429,
        };
        TokenBucket::new(&limit, Instant::ZERO)
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn passed(bucket: &TokenBucket, now: Instant, requests: u32) -> usize {
        (0..requests).filter(|_| bucket.take(now)).count()
    }

    #[test]
    fn starts_full_refills_and_never_overflows() {
        // ratelimit_local: 5 at most, 2 per 500 ms; bursts 550 ms apart, then 2.5 s of rest.
        let bucket = bucket(5, 2, 500);
        assert_eq!(passed(&bucket, at(0), 8), 5);
        for burst in 1..=3 {
            assert_eq!(passed(&bucket, at(550 * burst), 5), 2);
        }
        assert_eq!(passed(&bucket, at(1650 + 2500), 8), 5);
    }

    #[test]
    fn fills_continuously() {
        let bucket = bucket(5, 2, 500);
        assert_eq!(passed(&bucket, at(0), 5), 5);
        assert_eq!(bucket.remaining(at(249)), 0);
        assert_eq!(bucket.remaining(at(250)), 1);
        assert!(bucket.take(at(250)));
        assert!(!bucket.take(at(251)));
    }

    proptest! {
        /// Over any span, no more passes than were there plus what flowed in; never below zero.
        #[test]
        fn passes_no_more_than_flowed_in(
            tokens_max in 0u32..20,
            tokens_per_fill in 0u32..20,
            interval_ms in 0u64..1000,
            gaps_us in prop::collection::vec(0u64..300_000, 1..200),
        ) {
            let bucket = bucket(tokens_max, tokens_per_fill, interval_ms);
            let mut now = Instant::ZERO;
            let mut taken = 0u128;
            for gap in gaps_us {
                now = now + Duration::from_micros(gap);
                taken += u128::from(bucket.take(now));
                prop_assert!(bucket.remaining(now) <= tokens_max);
                let interval_ns = u128::from(interval_ms) * 1_000_000;
                let flowed = u128::from(now.as_nanos()) * u128::from(tokens_per_fill);
                prop_assert!(
                    interval_ms == 0
                        || taken * interval_ns <= u128::from(tokens_max) * interval_ns + flowed
                );
            }
        }
    }
}
