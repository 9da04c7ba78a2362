//! `istio_requests_total` and its histograms.

use std::fmt::Write as _;
use std::io::{self, Write};

use mesh_core::telemetry::{Direction, RequestEvent, TlsState};
use meshquake_reports::export::{Family, Kind, Labels, OpenMetrics};

use super::history::{History, Scrapes};
use super::pods::{Pods, UNKNOWN};
use crate::record::quick::Map;
use crate::record::{host, nanos};

/// Upper bounds of Envoy's histograms, whatever they measure; one without a bound follows
/// (Envoy, `HistogramSettingsImpl::defaultBuckets`).
pub(super) const BOUNDS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];
/// Buckets of a histogram, and then its sum.
const WIDTH: usize = BOUNDS.len() + 2;

const REQUESTS: Family = Family {
    name: "istio_requests",
    kind: Kind::Counter,
    help: "Requests handled by a sidecar.",
};

/// The three histograms: what they are, and by what their sums are divided.
const HISTOGRAMS: [(Family, f64); 3] = [
    (
        Family {
            name: "istio_request_duration_milliseconds",
            kind: Kind::Histogram,
            help: "From a request's headers to the end of its answer.",
        },
        1e6,
    ),
    (
        Family {
            name: "istio_request_bytes",
            kind: Kind::Histogram,
            help: "Request bodies.",
        },
        1.0,
    ),
    (
        Family {
            name: "istio_response_bytes",
            kind: Kind::Histogram,
            help: "Response bodies.",
        },
        1.0,
    ),
];

/// Requests by all that Istio's labels tell apart.
#[derive(Default)]
pub(super) struct HttpSeries {
    series: Map<Labels, Series>,
    /// The series of everything that labels are made of: that is quicker to put together, and tells more apart.
    known: Map<String, usize>,
    key: String,
}

type Series = History<{ 3 * WIDTH }>;

impl HttpSeries {
    /// A request has passed the sidecar of `pod`, after the scrape numbered `first`.
    pub(super) fn request(
        &mut self,
        first: usize,
        pods: &Pods,
        pod: &str,
        event: &RequestEvent<'_>,
    ) {
        self.key.clear();
        // A string takes whatever is written.
        let _written = write!(
            self.key,
            "{pod}\n{}\n{}\n{}\n{}\n{:?}\n{:?}\n{}\n{}",
            event.cluster,
            event.upstream,
            event.status,
            event.flags,
            event.direction,
            event.downstream_tls,
            event.peer,
            if event.cluster.is_empty() {
                event.authority
            } else {
                ""
            },
        );
        let index = match self.known.get(&self.key) {
            Some(known) => *known,
            None => {
                let entry = self.series.entry(labels(pods, pod, event));
                let index = entry.index();
                entry.or_insert_with(|| Series::new(first));
                self.known.insert(self.key.clone(), index);
                index
            }
        };
        let histograms = &mut self.series[index].now;
        let nanos = nanos(event.duration);
        let values = [
            (nanos as f64 / 1e6, nanos),
            (event.request_bytes as f64, event.request_bytes),
            (event.response_bytes as f64, event.response_bytes),
        ];
        for ((size, sum), histogram) in values.into_iter().zip(histograms.chunks_mut(WIDTH)) {
            let bucket = BOUNDS.iter().position(|bound| size <= *bound);
            histogram[bucket.unwrap_or(BOUNDS.len())] += 1;
            histogram[WIDTH - 1] = histogram[WIDTH - 1].saturating_add(sum);
        }
    }

    pub(super) fn scrape(&mut self) {
        self.series.values_mut().for_each(History::scrape);
    }

    pub(super) fn thin(&mut self) {
        self.series.values_mut().for_each(History::thin);
    }

    pub(super) fn samples(&self) -> usize {
        self.series.values().map(History::samples).sum()
    }

    pub(super) fn write(
        &self,
        text: &mut OpenMetrics<impl Write>,
        scrapes: &Scrapes,
    ) -> io::Result<()> {
        text.family(&REQUESTS)?;
        for (labels, series) in &self.series {
            for (at, row) in series.rows(scrapes) {
                let requests: u64 = row[..WIDTH - 1].iter().sum();
                text.sample(REQUESTS.name, "_total", labels, requests as f64, at)?;
            }
        }
        for (place, (family, unit)) in HISTOGRAMS.iter().enumerate() {
            text.family(family)?;
            for (labels, series) in &self.series {
                let rows = || {
                    let rows = series.rows(scrapes);
                    rows.map(|(at, row)| (at, &row[place * WIDTH..][..WIDTH]))
                };
                histogram(text, (family.name, *unit), labels, rows)?;
            }
        }
        Ok(())
    }
}

/// One histogram, bucket by bucket: a series' samples stand together.
fn histogram<'a, R: Iterator<Item = (u64, &'a [u64])>>(
    text: &mut OpenMetrics<impl Write>,
    (name, unit): (&str, f64),
    labels: &Labels,
    rows: impl Fn() -> R,
) -> io::Result<()> {
    for bucket in 0..WIDTH - 1 {
        let bound = BOUNDS.get(bucket).copied();
        for (at, row) in rows() {
            text.bucket(name, labels, bound, row[..=bucket].iter().sum(), at)?;
        }
    }
    for (at, row) in rows() {
        let count: u64 = row[..WIDTH - 1].iter().sum();
        text.sample(name, "_count", labels, count as f64, at)?;
    }
    for (at, row) in rows() {
        text.sample(name, "_sum", labels, row[WIDTH - 1] as f64 / unit, at)?;
    }
    Ok(())
}

/// The labels of Istio's standard metrics.
fn labels(pods: &Pods, pod: &str, event: &RequestEvent<'_>) -> Labels {
    let own = pods.named(pod);
    let inbound = event.direction == Direction::Inbound;
    let (source, destination) = match inbound {
        true => (pods.with_principal(event.peer), own),
        false => (own, pods.named(event.upstream)),
    };
    // The caller cannot vouch for the policy, Istio says, and leaves it to the callee.
    let policy = match (inbound, event.downstream_tls) {
        (false, _) => UNKNOWN,
        (true, TlsState::Mutual) => "mutual_tls",
        (true, _) => "none",
    };
    let principal = |name| {
        if policy == "mutual_tls" {
            name
        } else {
            UNKNOWN
        }
    };
    let host = host(event.cluster, event.authority);
    let service = match inbound {
        true => pods.service_of(own),
        false => pods.service_at(host),
    };
    let (host, name, namespace) = service.map_or((host, host, UNKNOWN), |service| {
        (&*service.host, &*service.name, &*service.namespace)
    });
    let status = event.status.to_string();
    let flags = event.flags.to_string();
    Labels::from_iter([
        ("reporter", if inbound { "destination" } else { "source" }),
        ("pod", pod),
        ("source_workload", &*source.workload),
        ("source_workload_namespace", &*source.namespace),
        ("source_principal", principal(event.peer)),
        ("source_app", &*source.app),
        ("source_version", &*source.version),
        ("destination_workload", &*destination.workload),
        ("destination_workload_namespace", &*destination.namespace),
        ("destination_principal", principal(&*destination.principal)),
        ("destination_app", &*destination.app),
        ("destination_version", &*destination.version),
        ("destination_service", host),
        ("destination_service_name", name),
        ("destination_service_namespace", namespace),
        ("request_protocol", "http"),
        ("response_code", &*status),
        ("response_flags", &*flags),
        ("connection_security_policy", policy),
    ])
}
