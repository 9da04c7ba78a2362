//! Peak EWMA: a latency estimate that jumps up at once and comes down slowly.
//!
//! A latency above the estimate replaces it; a lower one pulls it down with
//! weight `1 − e^(−elapsed/decay)`. Unused, the estimate decays towards zero, so
//! that an endpoint once slow is tried again. The cost of an endpoint is the
//! estimate times the requests it would then have in flight
//! (Finagle's `PeakEwma.scala`; tower's `load/peak_ewma.rs`, which Linkerd uses).

use std::cell::Cell;
use std::time::Duration;

use crate::seam::Instant;

/// One endpoint's latency estimate.
#[derive(Debug)]
pub(super) struct PeakEwma {
    /// Zero: nobody asks for estimates, so none are kept.
    decay_ns: Cell<f64>,
    rtt_ns: Cell<f64>,
    updated_at: Cell<Instant>,
}

impl PeakEwma {
    /// An estimate of `settings` = (decay window, latency before the first measurement).
    pub(super) fn new(settings: Option<(Duration, Duration)>, now: Instant) -> Self {
        let (decay, rtt) = settings.unwrap_or_default();
        Self {
            decay_ns: Cell::new(decay.as_nanos() as f64),
            rtt_ns: Cell::new(rtt.as_nanos() as f64),
            updated_at: Cell::new(now),
        }
    }

    /// Changes the decay window; an estimate that begins only now starts at the given latency.
    pub(super) fn configure(&self, settings: Option<(Duration, Duration)>, now: Instant) {
        let (decay, rtt) = settings.unwrap_or_default();
        if self.decay_ns.replace(decay.as_nanos() as f64) == 0.0 {
            self.rtt_ns.set(rtt.as_nanos() as f64);
            self.updated_at.set(now);
        }
    }

    /// Takes a measured latency.
    pub(super) fn record(&self, latency: Duration, now: Instant) {
        self.update(latency.as_nanos() as f64, now);
    }

    /// The estimate in nanoseconds, decayed to `now`.
    pub(super) fn estimate_ns(&self, now: Instant) -> f64 {
        self.update(0.0, now);
        self.rtt_ns.get()
    }

    fn update(&self, observed_ns: f64, now: Instant) {
        let (decay_ns, rtt_ns) = (self.decay_ns.get(), self.rtt_ns.get());
        if decay_ns == 0.0 {
            return;
        }
        if rtt_ns < observed_ns {
            self.rtt_ns.set(observed_ns);
        } else {
            let elapsed_ns = now.since(self.updated_at.get()).as_nanos() as f64;
            if elapsed_ns > 0.0 {
                let kept = libm::exp(-elapsed_ns / decay_ns);
                self.rtt_ns.set(rtt_ns * kept + observed_ns * (1.0 - kept));
            }
        }
        self.updated_at.set(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn estimate() -> PeakEwma {
        PeakEwma::new(Some((DECAY, Duration::from_millis(30))), at(0))
    }

    #[test]
    fn peaks_at_once_and_decays_by_e_in_one_window() {
        let ewma = estimate();
        assert_eq!(ewma.estimate_ns(at(0)), 30e6);
        ewma.record(Duration::from_millis(100), at(5));
        assert_eq!(ewma.estimate_ns(at(5)), 100e6);
        let after_one_window = ewma.estimate_ns(at(10_005));
        assert!((after_one_window - 100e6 / std::f64::consts::E).abs() < 1.0);
    }

    #[test]
    fn a_lower_latency_pulls_by_its_recency() {
        let ewma = estimate();
        ewma.record(Duration::from_millis(10), at(10_000));
        let kept = 1.0 / std::f64::consts::E;
        let expected = 30e6 * kept + 10e6 * (1.0 - kept);
        assert!((ewma.estimate_ns(at(10_000)) - expected).abs() < 1.0);
    }

    #[test]
    fn keeps_nothing_when_nobody_asks() {
        let ewma = PeakEwma::new(None, at(0));
        ewma.record(Duration::from_secs(1), at(1));
        assert_eq!(ewma.estimate_ns(at(1)), 0.0);
        ewma.configure(Some((DECAY, Duration::from_millis(30))), at(2));
        assert_eq!(ewma.estimate_ns(at(2)), 30e6);
    }
}
