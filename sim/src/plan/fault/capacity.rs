//! Apps that do less than they should.

use std::time::Duration;

use mesh_core::policy::Fraction;

use super::PodSelector;
use crate::plan::Distribution;

/// What happens to the apps of some pods.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityFault {
    /// Which pods.
    pub pods: PodSelector,
    /// What happens.
    pub effect: AppEffect,
}

/// What a fault does to an app.
#[derive(Clone, Debug, PartialEq)]
pub enum AppEffect {
    /// Work that begins meanwhile takes longer: `times` as long, and `add` on top.
    Slow {
        /// Which requests.
        on: RequestScope,
        /// How many times as long.
        times: f64,
        /// How much longer besides, drawn per request.
        add: Distribution,
    },
    /// Requests fail.
    Errors {
        /// Which requests.
        on: RequestScope,
        /// With this probability.
        rate: Fraction,
        /// What is answered.
        status: u16,
        /// Before any work, without a worker; else after the service time, in place of the script.
        fast: bool,
    },
    /// No more than so many workers are given out. Work that is being done goes on.
    Workers {
        /// How many.
        to: u32,
    },
    /// The app runs only for the first `quota` of each `period`.
    Throttle {
        /// Share of each period.
        quota: Fraction,
        /// The period.
        period: Duration,
    },
    /// Some requests never give their worker back while the process lives.
    Leak {
        /// With this probability.
        rate: Fraction,
    },
    /// Each request leaves so much memory behind.
    Memory {
        /// Bytes.
        leak_bytes: u64,
    },
    /// The app's caches are emptied, once.
    CacheFlush,
}

/// Some of the requests of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestScope {
    /// Those whose path begins so; `None` is all.
    pub path_prefix: Option<String>,
    /// Those with this method; `None` is all.
    pub method: Option<String>,
}

impl RequestScope {
    /// Whether a request is meant.
    pub fn holds(&self, method: &str, path: &str) -> bool {
        let prefix = self.path_prefix.as_deref();
        prefix.is_none_or(|prefix| path.starts_with(prefix))
            && self
                .method
                .as_deref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
    }
}

impl CapacityFault {
    /// Whether it has a strength that can grow.
    pub const fn has_strength(&self) -> bool {
        matches!(
            self.effect,
            AppEffect::Slow { .. } | AppEffect::Errors { .. }
        )
    }
}
