//! How a traffic source goes about its requests.

use std::time::Duration;

use super::RequestPlan;

/// How the client of a traffic source goes about its requests. By default it sends one and the same, once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientPlan {
    /// A key that each request carries.
    pub keys: Option<KeyPlan>,
    /// What it sends in place of one request: one of these each time. Empty is none.
    pub mix: Vec<MixPart>,
    /// How it tries again.
    pub retries: RetryPlan,
}

/// A key drawn for each request.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPlan {
    /// The header that carries it, in lower case.
    pub header: String,
    /// How it is drawn.
    pub draw: KeyDraw,
}

/// How a key is drawn from `0..keys`.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyDraw {
    /// Each equally likely.
    Uniform {
        /// How many there are.
        keys: u64,
    },
    /// The k-th most popular with probability proportional to k^−exponent (Zipf's law; web requests follow it, Breslau
    /// et al., "Web caching and Zipf-like distributions", INFOCOM 1999).
    Zipf {
        /// The exponent.
        exponent: f64,
        /// How many there are.
        keys: u64,
    },
}

/// A part of a mix.
#[derive(Clone, Debug, PartialEq)]
pub struct MixPart {
    /// How often it is sent, against the weights of the others.
    pub weight: u32,
    /// What is sent.
    pub request: RequestPlan,
}

/// Tries that a client makes by itself, whatever the mesh does: after no answer, and after a status from 500 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPlan {
    /// Tries in all, 1 or more.
    pub tries: u32,
    /// The wait before the second try; it doubles with each further one.
    pub backoff: Duration,
    /// No wait is longer.
    pub backoff_max: Duration,
    /// How waits vary.
    pub jitter: Jitter,
}

impl Default for RetryPlan {
    /// One try.
    fn default() -> Self {
        Self {
            tries: 1,
            backoff: Duration::ZERO,
            backoff_max: Duration::ZERO,
            jitter: Jitter::None,
        }
    }
}

/// How the waits of retries vary (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Not at all.
    #[default]
    None,
    /// Uniform between zero and the wait.
    Full,
    /// Half the wait, and uniform between zero and the other half.
    Equal,
    /// Uniform between the first wait and three times the one before.
    Decorrelated,
}
