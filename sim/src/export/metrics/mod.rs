//! What Istio's sidecars would have been scraped for.
//!
//! Names and labels are Istio's (istio.io, "Istio Standard Metrics") and, for
//! upstream clusters, Envoy's (Envoy documentation, "Cluster manager
//! statistics", as its Prometheus endpoint spells them); `pod` is the label
//! that Prometheus' Kubernetes discovery would add for the sidecar that was
//! scraped. Histograms have Envoy's default bounds
//! (`HistogramSettingsImpl::defaultBuckets`), which Istio leaves as they are.
//!
//! A scrape costs a line per sample, so their number is bounded twice: the
//! interval grows with the run, and when a mesh of many edges makes more than
//! [`SAMPLES_MAX`] samples all the same, every other scrape is forgotten and
//! the interval doubles. Samples stay in memory until the end, because the
//! format wants those of a family together; a scrape of a histogram is a few
//! hundred bytes.

mod cluster;
mod history;
mod http;
mod pods;

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::Instant;
use mesh_core::telemetry::Event;
use meshquake_reports::export::OpenMetrics;

use self::cluster::ClusterSeries;
use self::history::Scrapes;
use self::http::HttpSeries;
use self::pods::Pods;
use crate::plan::Plan;
use crate::record::{Listener, PodChange, PodEvent, Teller};
use crate::world::ORIGIN;

/// Samples written at most, give or take those of the last scrape: three hundred megabytes of text.
const SAMPLES_MAX: usize = 60_000;
/// Scrapes wanted at most.
const SCRAPES_MAX: u128 = 120;
/// Usual scrape intervals, in seconds.
const INTERVALS_S: [u64; 9] = [1, 5, 15, 30, 60, 300, 900, 3_600, 14_400];

/// Metrics in the making.
pub struct Metrics(Rc<RefCell<Scraped>>);

struct Scraped {
    pods: Pods,
    scrapes: Scrapes,
    http: HttpSeries,
    clusters: ClusterSeries,
    samples_max: usize,
    out: Box<dyn Write>,
}

impl Metrics {
    /// Scrapes a run of `plan`, to be written to `out` when it ends.
    pub fn begin(plan: &Plan, out: Box<dyn Write>) -> Self {
        Self::bounded(plan, out, SAMPLES_MAX)
    }

    fn bounded(plan: &Plan, out: Box<dyn Write>, samples_max: usize) -> Self {
        Self(Rc::new(RefCell::new(Scraped {
            pods: Pods::of(plan),
            scrapes: Scrapes::new(ORIGIN, plan.epoch, interval(plan.duration)),
            http: HttpSeries::default(),
            clusters: ClusterSeries::default(),
            samples_max,
            out,
        })))
    }

    /// What hears the run.
    pub fn listener(&self) -> Box<dyn Listener> {
        Box::new(self.0.clone())
    }

    /// Writes the exposition.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<()> {
        let mut this = self.0.borrow_mut();
        this.end();
        let Scraped {
            scrapes,
            http,
            clusters,
            out,
            ..
        } = &mut *this;
        let mut text = OpenMetrics::begin(out);
        http.write(&mut text, scrapes)?;
        clusters.write(&mut text, scrapes)?;
        text.finish()?;
        Ok(())
    }
}

/// The shortest usual interval that makes few enough scrapes.
fn interval(run: Duration) -> Duration {
    let few = |s: &&u64| run.as_nanos().div_ceil(u128::from(**s) * 1_000_000_000) <= SCRAPES_MAX;
    let longest = INTERVALS_S[INTERVALS_S.len() - 1];
    Duration::from_secs(INTERVALS_S.iter().find(few).copied().unwrap_or(longest))
}

impl Listener for Scraped {
    fn mesh(&mut self, _at: Instant, teller: Teller<'_>, event: &Event<'_>) {
        let first = self.scrapes.last();
        match event {
            Event::Request(request) => self.http.request(first, &self.pods, teller.pod, request),
            event => self.clusters.event(first, teller.pod, event),
        }
    }

    fn pod(&mut self, _at: Instant, event: &PodEvent<'_>) {
        if event.change.kills() || event.change == PodChange::Started {
            self.clusters.restart(event.pod);
        }
    }

    fn reached(&mut self, at: Instant) {
        if self.scrapes.is_due(at) {
            self.scrape(at);
        }
        self.scrapes.reached(at);
    }
}

impl Scraped {
    fn scrape(&mut self, at: Instant) {
        self.scrapes.scrape(at);
        self.http.scrape();
        self.clusters.scrape();
        while self.http.samples() + self.clusters.samples() > self.samples_max
            && self.scrapes.thin()
        {
            self.http.thin();
            self.clusters.thin();
        }
    }

    /// The last scrape tells what the run came to.
    fn end(&mut self) {
        if let Some(at) = self.scrapes.unscraped() {
            self.scrapes.scrape(at);
            self.http.scrape();
            self.clusters.scrape();
        }
    }
}

#[cfg(test)]
mod tests;
