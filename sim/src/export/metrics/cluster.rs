//! `envoy_cluster_*`: connections, attempts, ejections of upstream clusters.

use std::io::{self, Write};

use mesh_core::telemetry::{Event, Mechanism};
use meshquake_reports::export::{Family, Kind, Labels, OpenMetrics};

use super::history::{History, Scrapes};
use crate::record::quick::Map;

/// The families, in the order of [`Stat`].
const FAMILIES: [Family; 13] = [
    counter(
        "envoy_cluster_upstream_cx",
        "Connections to upstream hosts.",
    ),
    gauge(
        "envoy_cluster_upstream_cx_active",
        "Connections to upstream hosts that are open.",
    ),
    other(
        "envoy_cluster_upstream_cx_connect_fail",
        "Connections that could not be made.",
    ),
    other(
        "envoy_cluster_upstream_cx_destroy",
        "Connections that ended.",
    ),
    counter(
        "envoy_cluster_upstream_rq",
        "Requests sent upstream, each attempt once.",
    ),
    other("envoy_cluster_upstream_rq_retry", "Attempts made again."),
    other(
        "envoy_cluster_upstream_rq_retry_overflow",
        "Retries not made: the budget or the breaker was full.",
    ),
    other(
        "envoy_cluster_upstream_rq_retry_limit_exceeded",
        "Retries not made: there had been enough.",
    ),
    other(
        "envoy_cluster_upstream_rq_pending_overflow",
        "Requests rejected by a breaker.",
    ),
    other(
        "envoy_cluster_upstream_rq_timeout",
        "Requests that took too long.",
    ),
    other(
        "envoy_cluster_upstream_rq_per_try_timeout",
        "Attempts that took too long.",
    ),
    gauge(
        "envoy_cluster_outlier_detection_ejections_active",
        "Hosts ejected now.",
    ),
    counter(
        "envoy_cluster_outlier_detection_ejections_enforced",
        "Ejections.",
    ),
];

const fn family(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, kind, help }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    family(name, Kind::Counter, help)
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    family(name, Kind::Gauge, help)
}

/// A counter whose standard name does not end in `_total`.
const fn other(name: &'static str, help: &'static str) -> Family {
    family(name, Kind::Unknown, help)
}

#[derive(Clone, Copy)]
enum Stat {
    Connections,
    ConnectionsActive,
    ConnectFailures,
    ConnectionsEnded,
    Attempts,
    Retries,
    RetryOverflows,
    RetriesExhausted,
    PendingOverflows,
    Timeouts,
    PerTryTimeouts,
    EjectionsActive,
    Ejections,
}

/// Statistics by sidecar and cluster.
#[derive(Default)]
pub(super) struct ClusterSeries(Map<(String, String), History<{ FAMILIES.len() }>>);

impl ClusterSeries {
    /// Something happened at the sidecar of `pod`, after the scrape numbered `first`.
    pub(super) fn event(&mut self, first: usize, pod: &str, event: &Event<'_>) {
        match event {
            Event::Connection(connection) => {
                let now = self.of(first, pod, connection.cluster);
                match connection.what {
                    "open" => {
                        add(now, Stat::Connections);
                        add(now, Stat::ConnectionsActive);
                    }
                    "fail" => add(now, Stat::ConnectFailures),
                    "close" => {
                        add(now, Stat::ConnectionsEnded);
                        let active = &mut now[Stat::ConnectionsActive as usize];
                        *active = active.saturating_sub(1);
                    }
                    _ => {}
                }
            }
            Event::Attempt(attempt) if !attempt.cluster.is_empty() => {
                add(self.of(first, pod, attempt.cluster), Stat::Attempts);
            }
            Event::Ejection(ejection) => {
                let now = self.of(first, pod, ejection.cluster);
                now[Stat::EjectionsActive as usize] = ejection.ejected_now.into();
                if ejection.reason.is_some() {
                    add(now, Stat::Ejections);
                }
            }
            Event::Mechanism(acted) => {
                if let Some(stat) = of_mechanism(acted.mechanism) {
                    add(self.of(first, pod, acted.subject), stat);
                }
            }
            _ => {}
        }
    }

    /// The sidecar of `pod` is gone, with its connections and what it held against hosts.
    pub(super) fn restart(&mut self, pod: &str) {
        for ((of, _), series) in &mut self.0 {
            if of == pod {
                series.now[Stat::ConnectionsActive as usize] = 0;
                series.now[Stat::EjectionsActive as usize] = 0;
            }
        }
    }

    fn of(&mut self, first: usize, pod: &str, cluster: &str) -> &mut [u64; FAMILIES.len()] {
        let key = (pod.to_owned(), cluster.to_owned());
        let series = self.0.entry(key).or_insert_with(|| History::new(first));
        &mut series.now
    }

    pub(super) fn scrape(&mut self) {
        self.0.values_mut().for_each(History::scrape);
    }

    pub(super) fn thin(&mut self) {
        self.0.values_mut().for_each(History::thin);
    }

    pub(super) fn samples(&self) -> usize {
        self.0.values().map(History::samples).sum()
    }

    pub(super) fn write(
        &self,
        text: &mut OpenMetrics<impl Write>,
        scrapes: &Scrapes,
    ) -> io::Result<()> {
        let labelled: Vec<(Labels, _)> = self
            .0
            .iter()
            .map(|((pod, cluster), series)| {
                let labels = [("pod", pod.as_str()), ("cluster_name", cluster)];
                (Labels::from_iter(labels), series)
            })
            .collect();
        for (place, family) in FAMILIES.iter().enumerate() {
            text.family(family)?;
            let ending = match family.kind {
                Kind::Counter => "_total",
                _ => "",
            };
            for (labels, series) in &labelled {
                for (at, row) in series.rows(scrapes) {
                    text.sample(family.name, ending, labels, row[place] as f64, at)?;
                }
            }
        }
        Ok(())
    }
}

fn add(now: &mut [u64; FAMILIES.len()], stat: Stat) {
    now[stat as usize] += 1;
}

fn of_mechanism(mechanism: Mechanism) -> Option<Stat> {
    match mechanism {
        Mechanism::Retry => Some(Stat::Retries),
        Mechanism::RetryBudgetExhausted => Some(Stat::RetryOverflows),
        Mechanism::RetryExhausted => Some(Stat::RetriesExhausted),
        Mechanism::Overflow => Some(Stat::PendingOverflows),
        Mechanism::Timeout => Some(Stat::Timeouts),
        Mechanism::PerTryTimeout => Some(Stat::PerTryTimeouts),
        _ => None,
    }
}
