//! Whether a failed attempt is worth another, and when.
//!
//! The conditions are Envoy's, checked against what version 1.40.0 was seen to
//! do. They are judged at the answer's headers; later nothing is retried.
//! A rejection by a breaker is never retried, nor is a missing endpoint, nor the
//! timeout of the whole request. `retriable-status-codes` speaks of answers
//! only: a 503 that the proxy itself made up does not count.

use std::rc::Rc;
use std::time::Duration;

use http::HeaderMap;

use super::{AttemptFailure, AttemptOutcome, RetryLimiter, RetryPermit, grpc_status};
use crate::policy::{RetryBackoff, RetryOn, RetryPolicy};
use crate::seam::Rng;

/// Whether `policy` names this outcome. The number of retries is not looked at:
/// a retriable failure with no retry left is *exhausted* (`URX`), even when the
/// policy allows 0 (case retry_num_retries).
pub fn should_retry(policy: &RetryPolicy, outcome: &AttemptOutcome<'_>) -> bool {
    match outcome {
        AttemptOutcome::Answer { status, headers } => names_answer(&policy.on, *status, headers),
        AttemptOutcome::Failure(failure) => names_failure(&policy.on, *failure),
    }
}

fn names_answer(on: &RetryOn, status: u16, headers: &HeaderMap) -> bool {
    let named = (on.any_5xx && (500..600).contains(&status))
        || (on.gateway_error && (502..=504).contains(&status))
        || (on.retriable_4xx && status == 409)
        || on.statuses.contains(&status)
        || on.headers.iter().any(|name| headers.contains_key(name))
        || (!on.grpc.is_empty()
            && grpc_status(headers).is_some_and(|code| on.grpc.contains(&code)));
    // An upstream Envoy's own rate limit; retrying it would only feed it.
    named && !headers.contains_key("x-envoy-ratelimited")
}

fn names_failure(on: &RetryOn, failure: AttemptFailure) -> bool {
    let reset = on.any_5xx || on.gateway_error || on.reset;
    match failure {
        AttemptFailure::Connect => reset || on.connect_failure || on.reset_before_request,
        AttemptFailure::Reset { request_sent } => {
            reset || (on.reset_before_request && !request_sent)
        }
        AttemptFailure::RefusedStream => reset || on.refused_stream,
        AttemptFailure::PerTryTimeout => reset,
        AttemptFailure::Timeout
        | AttemptFailure::Overflow
        | AttemptFailure::NoEndpoint
        | AttemptFailure::AfterHeaders => false,
    }
}

/// Whether `policy` names any outcome of a request of which something was sent. What makes a connection
/// fail keeps the request whole.
pub fn retries_sent(policy: &RetryPolicy) -> bool {
    let RetryOn {
        any_5xx,
        gateway_error,
        reset,
        reset_before_request: _,
        connect_failure: _,
        retriable_4xx,
        refused_stream,
        statuses,
        headers,
        grpc,
    } = &policy.on;
    *any_5xx
        || *gateway_error
        || *reset
        || *retriable_4xx
        || *refused_stream
        || !(statuses.is_empty() && headers.is_empty() && grpc.is_empty())
}

/// How long to wait before retry `number` (from 1): uniform in
/// `[0, min(base × 2^(number − 1), max))`, as measured on Envoy 1.40.0
/// (retry_backoff_default; its documentation says `2^number − 1`).
pub fn backoff(policy: &RetryBackoff, number: u32, rng: &mut Rng) -> Duration {
    let factor = 1u128 << number.saturating_sub(1).min(64);
    let bound = policy.base.as_nanos().saturating_mul(factor);
    let bound = bound.min(policy.max.as_nanos());
    Duration::from_nanos(rng.below(u64::try_from(bound).unwrap_or(u64::MAX)))
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// The outcome stands: it succeeded, or the policy does not name it.
    No,
    /// Try again after this time.
    Retry(Duration),
    /// The policy names it, and no retry is left: the outcome stands, with `URX`.
    Exhausted,
    /// The policy names it, and the cluster's limit is reached: the outcome stands,
    /// with `UO` (case retry_max_retries_breaker).
    Overflow,
}

/// The retries of one request.
#[derive(Debug)]
pub struct RetryState {
    left: u32,
    made: u32,
    permit: Option<RetryPermit>,
}

impl RetryState {
    /// No attempt made yet.
    pub fn new(policy: &RetryPolicy) -> Self {
        Self {
            left: policy.retries,
            made: 0,
            permit: None,
        }
    }

    /// Judges an attempt, in Envoy's order: the retry in flight is over whatever
    /// came of it; then the policy's conditions, its number, the cluster's limit.
    /// To be called for every attempt, the good ones too.
    pub fn consider(
        &mut self,
        policy: &RetryPolicy,
        outcome: &AttemptOutcome<'_>,
        limiter: &Rc<RetryLimiter>,
        rng: &mut Rng,
    ) -> RetryDecision {
        self.permit = None;
        if !should_retry(policy, outcome) {
            return RetryDecision::No;
        }
        let Some(left) = self.left.checked_sub(1) else {
            return RetryDecision::Exhausted;
        };
        self.left = left;
        self.permit = limiter.admit();
        if self.permit.is_none() {
            return RetryDecision::Overflow;
        }
        self.made += 1;
        RetryDecision::Retry(backoff(&policy.backoff, self.made, rng))
    }

    /// Whether no retry can follow the attempt that is made now.
    pub fn is_last(&self) -> bool {
        self.left == 0
    }

    /// Retries made so far; the next attempt's number is two more.
    pub fn made(&self) -> u32 {
        self.made
    }
}

#[cfg(test)]
mod tests;
