use super::*;
use crate::balance::fixture::pool;
use crate::resilience::Breaker;

const NEW: fn() -> RetryOn = RetryOn::default;

/// Envoy's names of the conditions.
fn on(conditions: &str) -> RetryOn {
    conditions.split(',').fold(NEW(), |mut on, condition| {
        match condition {
            "5xx" => on.any_5xx = true,
            "gateway-error" => on.gateway_error = true,
            "reset" => on.reset = true,
            "reset-before-request" => on.reset_before_request = true,
            "connect-failure" => on.connect_failure = true,
            "retriable-4xx" => on.retriable_4xx = true,
            "refused-stream" => on.refused_stream = true,
            "cancelled" => on.grpc.push(1),
            "unavailable" => on.grpc.push(14),
            number => on.statuses.push(number.parse().unwrap()),
        }
        on
    })
}

fn policy(retries: u32, conditions: &str) -> RetryPolicy {
    RetryPolicy {
        retries,
        on: on(conditions),
        ..RetryPolicy::none()
    }
}

fn retries_failure(conditions: &str, failure: AttemptFailure) -> bool {
    should_retry(&policy(1, conditions), &AttemptOutcome::Failure(failure))
}

fn retries_answer(conditions: &str, status: u16, headers: &[(&'static str, &'static str)]) -> bool {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let outcome = AttemptOutcome::Answer {
        status,
        headers: &headers,
    };
    should_retry(&policy(1, conditions), &outcome)
}

const CONDITIONS: [&str; 9] = [
    "5xx",
    "gateway-error",
    "connect-failure",
    "reset",
    "reset-before-request",
    "refused-stream",
    "retriable-4xx",
    "503,504",
    "cancelled,unavailable",
];

fn retried_by(failure: AttemptFailure) -> Vec<&'static str> {
    let all = CONDITIONS.into_iter();
    all.filter(|c| retries_failure(c, failure)).collect()
}

#[test]
fn transport_failures_as_recorded() {
    // retry_on_transport_matrix; the handshake failures of mtls_sidecar_to_sidecar_tls12 are Connect.
    assert_eq!(
        retried_by(AttemptFailure::Connect),
        [
            "5xx",
            "gateway-error",
            "connect-failure",
            "reset",
            "reset-before-request"
        ]
    );
    assert_eq!(
        retried_by(AttemptFailure::Reset { request_sent: true }),
        ["5xx", "gateway-error", "reset"]
    );
    assert_eq!(
        retried_by(AttemptFailure::Reset {
            request_sent: false
        }),
        ["5xx", "gateway-error", "reset", "reset-before-request"]
    );
    assert_eq!(
        retried_by(AttemptFailure::RefusedStream),
        ["5xx", "gateway-error", "reset", "refused-stream"]
    );
}

#[test]
fn what_keeps_a_request_whole_is_known() {
    let sent = |conditions| retries_sent(&policy(1, conditions));
    let whole = ["connect-failure", "reset-before-request"];
    assert_eq!(
        CONDITIONS.map(sent),
        CONDITIONS.map(|c| !whole.contains(&c))
    );
    assert!(!sent("connect-failure,reset-before-request"));
    assert!(sent("connect-failure,refused-stream"));
    for condition in whole {
        for failure in [
            AttemptFailure::Reset { request_sent: true },
            AttemptFailure::RefusedStream,
            AttemptFailure::PerTryTimeout,
        ] {
            assert!(!retries_failure(condition, failure), "{condition}");
        }
        assert!(!retries_answer(condition, 503, &[("grpc-status", "14")]));
    }
}

#[test]
fn timeouts_as_recorded() {
    // timeout_per_try_with_retries, timeout_covers_all_tries.
    assert_eq!(
        retried_by(AttemptFailure::PerTryTimeout),
        ["5xx", "gateway-error", "reset"]
    );
    assert!(retried_by(AttemptFailure::Timeout).is_empty());
}

#[test]
fn what_is_never_retried() {
    // cb_overflow_and_retry, od_counts_retries (UH ends the request), retry_not_after_headers.
    assert!(retried_by(AttemptFailure::Overflow).is_empty());
    assert!(retried_by(AttemptFailure::NoEndpoint).is_empty());
    assert!(retried_by(AttemptFailure::AfterHeaders).is_empty());
    assert!(!retries_answer(
        "5xx",
        503,
        &[("x-envoy-ratelimited", "true")]
    ));
}

#[test]
fn statuses_as_recorded() {
    // retry_on_5xx, retry_on_retriable_4xx: the statuses that were tried.
    let tried = [
        200, 400, 404, 408, 409, 425, 429, 500, 501, 502, 503, 504, 505, 599,
    ];
    let retried = |conditions| -> Vec<u16> {
        let all = tried.into_iter();
        all.filter(|s| retries_answer(conditions, *s, &[]))
            .collect()
    };
    assert_eq!(retried("5xx"), [500, 501, 502, 503, 504, 505, 599]);
    assert_eq!(retried("retriable-4xx"), [409]);
    assert_eq!(retried("gateway-error"), [502, 503, 504]);
    assert_eq!(retried("503,429"), [429, 503]);
    assert!(retried("reset,connect-failure,refused-stream,reset-before-request").is_empty());
}

#[test]
fn grpc_statuses_and_headers_count_on_any_answer() {
    // retry_istio_default: grpc-status 14 in the headers of a 200; retry_retriable_headers.
    let unavailable = [("grpc-status", "14")];
    assert!(retries_answer("cancelled,unavailable", 200, &unavailable));
    assert!(!retries_answer("cancelled", 200, &unavailable));
    assert!(!retries_answer(
        "cancelled,unavailable",
        200,
        &[("grpc-status", "?")]
    ));
    let mut on_header = policy(1, "reset");
    on_header.on.headers.push("x-retry".into());
    let headers = HeaderMap::from_iter([("x-retry".parse().unwrap(), "yes".parse().unwrap())]);
    let answer = AttemptOutcome::Answer {
        status: 200,
        headers: &headers,
    };
    assert!(should_retry(&on_header, &answer));
}

#[test]
fn istio_defaults_as_recorded() {
    // retry_istio_default, before and after 503 was taken out of them.
    for (conditions, on_503) in [
        (
            "connect-failure,refused-stream,unavailable,cancelled,503",
            true,
        ),
        (
            "connect-failure,refused-stream,unavailable,cancelled",
            false,
        ),
    ] {
        assert_eq!(retries_answer(conditions, 503, &[]), on_503);
        assert!(!retries_answer(conditions, 500, &[]));
        assert!(!retries_answer(conditions, 504, &[]));
        assert!(retries_failure(conditions, AttemptFailure::Connect));
        let reset = AttemptFailure::Reset { request_sent: true };
        assert!(!retries_failure(conditions, reset));
        assert!(!retries_failure(conditions, AttemptFailure::Timeout));
    }
}

#[test]
fn backoff_doubles_to_its_cap() {
    // retry_backoff_default: bounds 25, 50, 100, 200, 250, 250 ms; means half of that.
    let mut rng = Rng::named(5, "backoff");
    for (number, bound_ms) in [
        (1, 25.0),
        (2, 50.0),
        (3, 100.0),
        (4, 200.0),
        (5, 250.0),
        (6, 250.0),
    ] {
        let waits: Vec<f64> = (0..4000)
            .map(|_| backoff(&RetryBackoff::default(), number, &mut rng).as_secs_f64() * 1e3)
            .collect();
        let longest = waits.iter().copied().fold(0.0, f64::max);
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        assert!(
            longest < bound_ms && longest > bound_ms * 0.98,
            "{number}: {longest}"
        );
        assert!((mean / bound_ms - 0.5).abs() < 0.03, "{number}: {mean}");
    }
}

#[test]
fn absurd_backoffs_do_no_harm() {
    let mut rng = Rng::named(5, "backoff");
    let none = RetryBackoff {
        base: Duration::ZERO,
        max: Duration::ZERO,
    };
    assert_eq!(backoff(&none, u32::MAX, &mut rng), Duration::ZERO);
    let endless = RetryBackoff {
        base: Duration::MAX,
        max: Duration::MAX,
    };
    backoff(&endless, 0, &mut rng);
    backoff(&endless, u32::MAX, &mut rng);
}

fn attempts(policy: &RetryPolicy, failure_share: f64, rng: &mut Rng) -> (u32, RetryDecision) {
    let limiter = RetryLimiter::new(Breaker::new(&pool(u32::MAX)), u32::MAX, None);
    let mut state = RetryState::new(policy);
    let headers = HeaderMap::new();
    loop {
        let status = if rng.uniform() < failure_share {
            503
        } else {
            200
        };
        let outcome = AttemptOutcome::Answer {
            status,
            headers: &headers,
        };
        match state.consider(policy, &outcome, &limiter, rng) {
            RetryDecision::Retry(_) => {}
            end => return (state.made() + 1, end),
        }
    }
}

#[test]
fn exhaustion_as_recorded() {
    // retry_num_retries: 1 + n attempts, and 0 retries still ends exhausted.
    let mut rng = Rng::named(5, "retry");
    for retries in [0, 1, 3] {
        let ended = attempts(&policy(retries, "5xx"), 1.0, &mut rng);
        assert_eq!(ended, (retries + 1, RetryDecision::Exhausted));
    }
    assert_eq!(
        attempts(&policy(3, "5xx"), 0.0, &mut rng),
        (1, RetryDecision::No)
    );
}

#[test]
fn amplification_is_a_geometric_sum() {
    // Independent failures p: sum of p^i for i ≤ r attempts; 1.875 at p = 0.5, r = 3.
    let mut rng = Rng::named(5, "retry");
    let n = 20_000;
    let total: u32 = (0..n)
        .map(|_| attempts(&policy(3, "5xx"), 0.5, &mut rng).0)
        .sum();
    let mean = f64::from(total) / f64::from(n);
    assert!((mean - 1.875).abs() < 0.03, "{mean}");
}

#[test]
fn a_retry_gives_its_place_back_before_it_asks_for_the_next() {
    let limiter = RetryLimiter::new(Breaker::new(&pool(10)), 1, None);
    let policy = policy(2, "connect-failure");
    let failed = AttemptOutcome::Failure(AttemptFailure::Connect);
    let mut rng = Rng::named(5, "retry");
    let (mut first, mut second) = (RetryState::new(&policy), RetryState::new(&policy));
    assert!(matches!(
        first.consider(&policy, &failed, &limiter, &mut rng),
        RetryDecision::Retry(_)
    ));
    assert_eq!(
        second.consider(&policy, &failed, &limiter, &mut rng),
        RetryDecision::Overflow
    );
    assert!(matches!(
        first.consider(&policy, &failed, &limiter, &mut rng),
        RetryDecision::Retry(_)
    ));
    drop(first);
    assert_eq!(limiter.in_flight(), 0);
}
