//! When breakers turned requests away.
//!
//! A breaker has no moment at which it trips: it compares what is under way with
//! a limit, request by request (Envoy's circuit breaking). What a person sees is a
//! stretch in which requests to a service are turned away, by one sidecar or by
//! all of its callers at once. That is one entry of the timeline.

use std::time::Duration;

use mesh_core::seam::Instant;
use meshquake_reports::record::seconds;
use meshquake_reports::{Happening, TimelineEntry};

use super::edge::nanos;
use super::quick::{Map, Set};
use super::timeline::since;

/// A breaker that has turned nothing away for so long opens anew.
const QUIET: Duration = Duration::from_secs(5);
/// Stretches kept.
const STRETCHES_MAX: usize = 500;

/// Stretches in which breakers turned requests away.
#[derive(Default)]
pub(super) struct Breakers {
    stretches: Vec<Stretch>,
    /// For each edge and limit, the latest rejection, and its stretch if that found room.
    latest: Map<Key, (Instant, Option<usize>)>,
    omitted: u64,
}

/// A pair of services, by the number of their edge, and which limit was reached.
type Key = (usize, Limit);

/// A limit of a cluster's connection pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Limit {
    /// Requests in flight.
    Requests,
    /// Requests that wait for a connection.
    Pending,
}

struct Stretch {
    limit: Limit,
    /// The services at both ends.
    edge: (String, String),
    from: Instant,
    until: Instant,
    rejected: u64,
    /// The pods whose sidecars did.
    by: Set<usize>,
    first: String,
}

impl Breakers {
    /// The sidecar of `pod`, numbered, turned a request away on the edge numbered `number`; `ends` are its services.
    pub(super) fn overflow(
        &mut self,
        at: Instant,
        pod: (usize, &str),
        number: usize,
        ends: Option<(&str, &str)>,
        detail: &str,
    ) {
        let limit = match detail {
            "pending" => Limit::Pending,
            _ => Limit::Requests,
        };
        let key = (number, limit);
        if let Some((last, index)) = self.latest.get_mut(&key)
            && *last + QUIET >= at
        {
            *last = at;
            if let Some(stretch) = index.and_then(|index| self.stretches.get_mut(index)) {
                stretch.until = at;
                stretch.rejected += 1;
                stretch.by.insert(pod.0);
            }
            return;
        }
        let (Some((from, to)), true) = (ends, self.stretches.len() < STRETCHES_MAX) else {
            self.latest.insert(key, (at, None));
            self.omitted += 1;
            return;
        };
        self.latest.insert(key, (at, Some(self.stretches.len())));
        self.stretches.push(Stretch {
            limit,
            edge: (from.into(), to.into()),
            from: at,
            until: at,
            rejected: 1,
            by: Set::from_iter([pod.0]),
            first: pod.1.into(),
        });
    }

    /// The stretches as entries, and how many found no room.
    pub(super) fn report(&self, origin: Instant) -> (Vec<TimelineEntry>, u64) {
        let entries = self.stretches.iter().map(|stretch| stretch.told(origin));
        (entries.collect(), self.omitted)
    }
}

impl Stretch {
    fn told(&self, origin: Instant) -> TimelineEntry {
        let requests = match self.rejected {
            1 => "1 request".to_owned(),
            n => format!("{n} requests"),
        };
        let limit = match self.limit {
            Limit::Requests => "requests in flight",
            Limit::Pending => "requests that wait",
        };
        let long = self.until.since(self.from);
        let lasting = match long.is_zero() {
            true => String::new(),
            false => format!(" for {:.3} s", long.as_secs_f64()),
        };
        let by = match self.by.len() {
            0 | 1 => self.first.clone(),
            n => format!("{} and {} more", self.first, n - 1),
        };
        let (from, to) = &self.edge;
        TimelineEntry {
            at_s: since(origin, self.from),
            kind: Happening::Breaker,
            subject: format!("{from} → {to}"),
            text: format!(
                "breaker open{lasting}: {requests} turned away at its limit of {limit}, in {by}"
            ),
            for_s: Some(seconds(nanos(long))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGE: Option<(&str, &str)> = Some(("web", "db"));

    fn at(seconds: f64) -> Instant {
        Instant::ZERO + Duration::from_secs_f64(seconds)
    }

    fn told(breakers: &Breakers) -> Vec<(f64, Option<f64>, String)> {
        let (entries, _) = breakers.report(at(10.0));
        let each = entries.into_iter().map(|e| (e.at_s, e.for_s, e.text));
        each.collect()
    }

    #[test]
    fn rejections_of_all_callers_are_one_stretch_until_there_is_quiet() {
        let mut breakers = Breakers::default();
        for (when, pod) in [(11.0, 0), (12.0, 1), (16.5, 0), (40.0, 1)] {
            let name = format!("web-{pod}");
            breakers.overflow(at(when), (pod, &name), 3, EDGE, "pending");
        }
        let open = |n, by| {
            format!("breaker open{n} turned away at its limit of requests that wait, in {by}")
        };
        assert_eq!(
            told(&breakers),
            [
                (
                    1.0,
                    Some(5.5),
                    open(" for 5.500 s: 3 requests", "web-0 and 1 more")
                ),
                (30.0, Some(0.0), open(": 1 request", "web-1")),
            ]
        );
    }

    #[test]
    fn each_limit_is_told_by_itself() {
        let mut breakers = Breakers::default();
        breakers.overflow(at(11.0), (0, "web-0"), 3, EDGE, "pending");
        breakers.overflow(at(11.1), (0, "web-0"), 3, EDGE, "requests");
        assert_eq!(told(&breakers).len(), 2);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut breakers = Breakers::default();
        for number in 0..STRETCHES_MAX + 3 {
            for _ in 0..2 {
                breakers.overflow(at(11.0), (0, "web-0"), number, EDGE, "");
            }
        }
        let (entries, omitted) = breakers.report(at(10.0));
        assert_eq!((entries.len(), omitted), (STRETCHES_MAX, 3));
    }
}
