//! Slow start: a new endpoint's weight grows over a window.
//!
//! `weight × max(weight_min, (age / window)^(1 / aggression))`; an aggression of
//! 1 is a straight line, more is steeper at first
//! (Envoy's `applySlowStartFactor`, which counts an age below 1 ms as 1 ms).

use std::time::Duration;

use super::EndpointState;
use crate::policy::Warmup;
use crate::seam::Instant;

/// Resolved slow-start settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlowStart {
    window: Duration,
    weight_min: f64,
    aggression: f64,
}

impl SlowStart {
    /// From policy; `None` when the window is zero.
    pub(super) fn new(warmup: &Warmup) -> Option<Self> {
        (!warmup.duration.is_zero()).then(|| Self {
            window: warmup.duration,
            weight_min: warmup.weight_min.ratio(),
            // Zero is not an exponent; Envoy falls back to 1 as well.
            aggression: match warmup.aggression_milli {
                0 => 1.0,
                milli => f64::from(milli) / 1000.0,
            },
        })
    }

    /// Whether `endpoint` is still warming up.
    pub(super) fn warms(&self, endpoint: &EndpointState, now: Instant) -> bool {
        endpoint.available()
            && endpoint
                .healthy_since()
                .is_some_and(|since| now.since(since) < self.window)
    }

    /// What its weight is multiplied by.
    pub(super) fn factor(&self, endpoint: &EndpointState, now: Instant) -> f64 {
        match endpoint.healthy_since() {
            Some(since) if self.warms(endpoint, now) => self.at_age(now.since(since)),
            _ => 1.0,
        }
    }

    fn at_age(&self, age: Duration) -> f64 {
        let share = age.max(Duration::from_millis(1)).as_secs_f64() / self.window.as_secs_f64();
        let curve = if self.aggression == 1.0 {
            share
        } else {
            libm::pow(share, 1.0 / self.aggression)
        };
        // A share of zero would never be picked again by deadline scheduling.
        curve.max(self.weight_min).clamp(1e-6, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Fraction;

    fn curve(aggression_milli: u32) -> SlowStart {
        SlowStart::new(&Warmup {
            duration: Duration::from_secs(60),
            weight_min: Fraction::from_ppm(100_000),
            aggression_milli,
        })
        .unwrap()
    }

    #[test]
    fn follows_envoys_formula() {
        // Envoy's documentation of slow start: weight × max(min, (t/window)^(1/aggression)).
        let line = curve(1000);
        assert_eq!(line.at_age(Duration::ZERO), 0.1);
        assert_eq!(line.at_age(Duration::from_secs(3)), 0.1);
        assert_eq!(line.at_age(Duration::from_secs(30)), 0.5);
        let steep = curve(2000);
        assert!((steep.at_age(Duration::from_secs(15)) - 0.5).abs() < 1e-12);
        let flat = curve(500);
        assert!((flat.at_age(Duration::from_secs(30)) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn no_window_is_no_slow_start() {
        let none = Warmup {
            duration: Duration::ZERO,
            weight_min: Fraction::ONE,
            aggression_milli: 1000,
        };
        assert!(SlowStart::new(&none).is_none());
    }
}
