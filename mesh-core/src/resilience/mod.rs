//! Retries, budgets, back-off, breakers, outlier ejection, fault filter, rate limit.
//!
//! Each is a state machine without a clock or a task of its own: it is told
//! what happened and when, and says what to do. Who calls them decides the
//! order, which for one request is Envoy's: fault → rate limit → route →
//! breaker → pick → attempt → outlier feedback → retry.
//!
//! The limits hold two dangers apart. A [`Breaker`] bounds what one proxy sends
//! to a cluster at all; the [`RetryLimiter`] bounds the part of it that is
//! repetition, without which `r` retries at each of `d` layers multiply a
//! failing load by `(1 + r)^d`.

mod attempt;
mod breaker;
mod budget;
mod fault;
mod outlier;
mod rate_limit;
mod retry;

pub use attempt::{AttemptFailure, AttemptOutcome, grpc_status, grpc_to_http_status};
pub use breaker::{Breaker, Overflow, Permit};
pub use budget::{RetryLimiter, RetryPermit};
pub use fault::FaultDraw;
pub use outlier::{EjectionChange, Observation, OutlierDetector};
pub use rate_limit::TokenBucket;
pub use retry::{RetryDecision, RetryState, backoff, retries_sent, should_retry};
