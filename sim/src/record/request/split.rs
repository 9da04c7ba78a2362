//! Where a request's latency went, to the nanosecond.
//!
//! Three witnesses tell of a request: its client (how long it took), the
//! client's sidecar (fault delay, backoff, pool, upstream, its own time) and
//! the app it was sent to (queue and work). They may disagree, because a
//! client that gives up knows nothing of what its sidecar did afterwards, and
//! because clocks drift. So the latency is a budget: each part takes what it
//! claims or what is left, and what nobody claims is the network's, or, when
//! the client got no answer, the unanswered attempt's. Only spans are compared,
//! never instants of two clocks.

use mesh_core::telemetry::RequestTiming;
use meshquake_reports::Split;

use super::super::edge::nanos;

/// What is known of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Testimony<'a> {
    /// From the intended start to the end.
    pub(super) latency: u64,
    /// From the intended to the actual start.
    pub(super) client: u64,
    /// Whether the client got an answer.
    pub(super) answered: bool,
    /// What its sidecar tells; `None` without one.
    pub(super) timing: Option<RequestTiming>,
    /// The sidecar's attempts, mirror copies apart.
    pub(super) attempts: &'a [Tried],
    /// What apps tell of the trace.
    pub(super) visits: &'a [Visit],
}

/// An attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tried {
    /// The endpoint's workload, by number.
    pub(super) upstream: usize,
    /// Nanoseconds to response headers, or to failure.
    pub(super) duration: u64,
    /// It was sent, and no answer came.
    pub(super) unanswered: bool,
}

/// A request of the trace in an app: this one, or one further down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    /// The app's workload, by number.
    pub(super) pod: usize,
    /// Nanoseconds in the queue.
    pub(super) queue: u64,
    /// Nanoseconds on a worker.
    pub(super) service: u64,
}

impl Visit {
    const fn span(&self) -> u64 {
        self.queue.saturating_add(self.service)
    }
}

/// What is left of a span.
struct Budget(u64);

impl Budget {
    fn take(&mut self, claim: u64) -> u64 {
        let taken = claim.min(self.0);
        self.0 -= taken;
        taken
    }
}

/// Splits a latency; the parts add up to it.
pub(super) fn split(told: &Testimony<'_>) -> Split {
    let mut budget = Budget(told.latency);
    let mut split = Split {
        client_ns: budget.take(told.client),
        ..Split::default()
    };
    match told.timing {
        Some(timing) => {
            split.fault_ns = budget.take(nanos(timing.fault));
            split.backoff_ns = budget.take(nanos(timing.backoff));
            split.pool_ns = budget.take(nanos(timing.pool));
            let mut upstream = Budget(nanos(timing.upstream));
            let hop = first_hop(told.attempts, told.visits);
            split.queue_ns = budget.take(upstream.take(hop.queue));
            split.service_ns = budget.take(upstream.take(hop.service));
            split.unanswered_ns = budget.take(upstream.take(hop.unanswered));
            split.proxy_ns = budget.take(nanos(timing.other));
        }
        None => {
            // Nobody tells where it was sent, but the first app holds it while the others work for it.
            if let Some(first) = told.visits.iter().max_by_key(|visit| visit.span()) {
                split.queue_ns = budget.take(first.queue);
                split.service_ns = budget.take(first.service);
            }
        }
    }
    if told.answered {
        split.network_ns = budget.0;
    } else {
        split.unanswered_ns += budget.0;
    }
    split
}

#[derive(Default)]
struct Hop {
    queue: u64,
    service: u64,
    unanswered: u64,
}

/// What became of the attempts. A trace may come back to a pod further down, and a pod may be tried again; the visit
/// that an attempt made is the longest one there that it can contain. Who stopped waiting may have left work behind that
/// went on for longer: so those who got an answer choose first, a visit counts as far as it was waited for, and what an
/// attempt without an answer spent on nothing that an app tells of was spent waiting for that answer.
fn first_hop(attempts: &[Tried], visits: &[Visit]) -> Hop {
    let mut hop = Hop::default();
    let mut used = 0u128;
    let of = |unanswered| attempts.iter().filter(move |a| a.unanswered == unanswered);
    for attempt in of(false).chain(of(true)) {
        let here = visits.iter().enumerate().take(128);
        let made = here
            .filter(|(i, visit)| visit.pod == attempt.upstream && used & (1 << i) == 0)
            .max_by_key(|(_, visit)| {
                let fits = attempt.unanswered || visit.span() <= attempt.duration;
                (fits, visit.span())
            });
        let mut waited = Budget(attempt.duration);
        if let Some((i, visit)) = made {
            used |= 1 << i;
            hop.queue = hop.queue.saturating_add(waited.take(visit.queue));
            hop.service = hop.service.saturating_add(waited.take(visit.service));
        }
        if attempt.unanswered {
            hop.unanswered = hop.unanswered.saturating_add(waited.0);
        }
    }
    hop
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn timing(parts: [u64; 5]) -> RequestTiming {
        let [fault, backoff, pool, upstream, other] = parts.map(Duration::from_nanos);
        RequestTiming {
            fault,
            backoff,
            pool,
            upstream,
            other,
        }
    }

    /// One retry: a first attempt that timed out after 100, 25 of backoff, then 10 in the queue and 40 of work, with 6 on
    /// the wire.
    #[test]
    fn a_retried_request() {
        let attempts = [
            Tried {
                upstream: 1,
                duration: 100,
                unanswered: true,
            },
            Tried {
                upstream: 2,
                duration: 56,
                unanswered: false,
            },
        ];
        let visits = [
            Visit {
                pod: 3,
                queue: 1,
                service: 20,
            },
            Visit {
                pod: 2,
                queue: 10,
                service: 40,
            },
        ];
        let told = split(&Testimony {
            latency: 190,
            client: 5,
            answered: true,
            timing: Some(timing([0, 25, 3, 156, 1])),
            attempts: &attempts,
            visits: &visits,
        });
        let expected = Split {
            client_ns: 5,
            backoff_ns: 25,
            pool_ns: 3,
            queue_ns: 10,
            service_ns: 40,
            unanswered_ns: 100,
            proxy_ns: 1,
            network_ns: 6,
            fault_ns: 0,
        };
        assert_eq!(told, expected);
    }

    /// A first attempt given up after 1000, of which its app tells nothing; the same pod turns the second away at once.
    #[test]
    fn a_rejection_does_not_hide_the_wait_before_it() {
        let tried = |duration, unanswered| Tried {
            upstream: 1,
            duration,
            unanswered,
        };
        let rejected = Visit {
            pod: 1,
            queue: 0,
            service: 0,
        };
        let told = Testimony {
            latency: 1_006,
            client: 0,
            answered: true,
            timing: Some(timing([0, 0, 0, 1_006, 0])),
            attempts: &[tried(1_000, true), tried(6, false)],
            visits: &[rejected],
        };
        let of = |told: &Testimony<'_>| {
            let split = split(told);
            (split.queue_ns, split.unanswered_ns, split.network_ns)
        };
        assert_eq!(of(&told), (0, 1_000, 6));
        // Its app tells that it stood in line until it was given up, and for longer.
        let given_up = Visit {
            queue: 5_000,
            ..rejected
        };
        let visits = [given_up, rejected];
        let told = Testimony {
            visits: &visits,
            ..told
        };
        assert_eq!(of(&told), (1_000, 0, 6));
    }

    #[test]
    fn without_a_sidecar_the_outermost_visit_is_the_first_hop() {
        let visits = [
            Visit {
                pod: 1,
                queue: 0,
                service: 5,
            },
            Visit {
                pod: 2,
                queue: 1,
                service: 9,
            },
        ];
        let told = split(&Testimony {
            latency: 12,
            client: 0,
            answered: true,
            timing: None,
            attempts: &[],
            visits: &visits,
        });
        assert_eq!((told.queue_ns, told.service_ns, told.network_ns), (1, 9, 2));
    }

    #[test]
    fn what_nobody_answered_is_not_the_networks() {
        let told = split(&Testimony {
            latency: 1_000,
            client: 0,
            answered: false,
            timing: Some(timing([0, 0, 10, 5_000, 0])),
            attempts: &[],
            visits: &[],
        });
        assert_eq!(
            (told.pool_ns, told.unanswered_ns, told.network_ns),
            (10, 990, 0)
        );
    }

    proptest! {
        /// Whatever the witnesses say.
        #[test]
        fn the_parts_add_up(
            latency in prop_oneof![0u64..1_000, any::<u64>()],
            client in prop_oneof![0u64..1_000, any::<u64>()],
            answered: bool,
            parts in prop::option::of(prop::array::uniform5(prop_oneof![0u64..1_000, any::<u64>()])),
            tries in prop::collection::vec((0usize..3, any::<u64>(), any::<bool>()), 0..5),
            seen in prop::collection::vec((0usize..3, 0u64..1_000, any::<u64>()), 0..200),
        ) {
            let attempts: Vec<Tried> = tries
                .into_iter()
                .map(|(upstream, duration, unanswered)| Tried { upstream, duration, unanswered })
                .collect();
            let visits: Vec<Visit> = seen
                .into_iter()
                .map(|(pod, queue, service)| Visit { pod, queue, service })
                .collect();
            let told = split(&Testimony {
                latency,
                client,
                answered,
                timing: parts.map(timing),
                attempts: &attempts,
                visits: &visits,
            });
            prop_assert_eq!(told.total_ns(), latency);
        }
    }
}
