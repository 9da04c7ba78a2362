//! Runs with a log of every request.
//!
//! Pods have no sidecars here unless a test is about them, and every link takes 1 ms each way: a request to an app that
//! works for 10 ms takes 12 ms, to the nanosecond, on a connection that stands (and 2 ms more on a new one).

use std::cell::RefCell;
use std::io::Write;
use std::ops::Range;
use std::rc::Rc;

use meshquake_reports::{FaultReport, RunReport};
use serde_json::Value;

use crate::scenario::{Overrides, load};
use crate::world::{RunOptions, run};

/// The beginning of every scenario here.
const HEAD: &str = "meshquake: v1
duration: 30s
topology: { links: { same-zone: 1ms, cross-zone: 1ms, cross-region: 1ms } }
";

/// A run.
pub(super) struct Ran {
    pub(super) report: RunReport,
    pub(super) requests: Vec<Request>,
}

/// A request of a traffic source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) traffic: String,
    pub(super) sequence: u64,
    pub(super) trace: String,
    /// Seconds.
    pub(super) sent: f64,
    /// Milliseconds; `None` if it has not ended.
    pub(super) took: Option<f64>,
    /// 0 if no answer came.
    pub(super) status: u64,
}

/// Runs a scenario with seed 1.
#[track_caller]
pub(super) fn run_yaml(body: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yaml");
    std::fs::write(&path, format!("{HEAD}{body}")).unwrap();
    let loaded = load(&path, &Overrides::default()).unwrap_or_else(|errors| {
        let shown = errors.iter().map(|error| error.render(false));
        panic!("{}", shown.collect::<Vec<_>>().join("\n"))
    });
    let log = Rc::new(RefCell::new(Vec::new()));
    let options = RunOptions {
        requests: Some(Box::new(Sink(log.clone()))),
        ..RunOptions::default()
    };
    let report = run(&loaded.plan, options).unwrap();
    let mut requests: Vec<Request> = log
        .borrow()
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Request::read(&serde_json::from_slice(line).unwrap()))
        .collect();
    requests.sort_by(|a, b| (&a.traffic, a.sequence).cmp(&(&b.traffic, b.sequence)));
    Ran { report, requests }
}

struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Request {
    fn read(line: &Value) -> Self {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        Self {
            traffic: text("traffic"),
            sequence: line["sequence"].as_u64().unwrap(),
            trace: text("trace"),
            sent: line["intended_ns"].as_u64().unwrap() as f64 / 1e9,
            took: line["latency_ns"].as_u64().map(|ns| ns as f64 / 1e6),
            status: line["status"].as_u64().unwrap_or(0),
        }
    }
}

impl Ran {
    /// Requests of a source, by number.
    pub(super) fn of(&self, traffic: &str) -> Vec<&Request> {
        let all = self.requests.iter();
        all.filter(|request| request.traffic == traffic).collect()
    }

    /// Those meant to be sent within some seconds.
    pub(super) fn within(&self, traffic: &str, seconds: Range<f64>) -> Vec<&Request> {
        let mut all = self.of(traffic);
        all.retain(|request| seconds.contains(&request.sent));
        all
    }

    /// What became of the first fault.
    pub(super) fn fault(&self) -> &FaultReport {
        &self.report.faults[0]
    }

    /// Asserts that the first fault began and ended at these seconds, by the timeline.
    #[track_caller]
    pub(super) fn assert_told(&self, began: f64, ended: f64) {
        let name = &self.fault().name;
        let told = self.report.timeline.iter();
        let told: Vec<_> = told
            .filter(|entry| entry.subject == *name)
            .map(|entry| (entry.text.as_str(), entry.at_s))
            .collect();
        assert_eq!(told, [("began", began), ("ended", ended)]);
        assert!(!self.fault().inert);
    }
}

/// Asserts that all took so many milliseconds and were answered so.
#[track_caller]
pub(super) fn assert_all(requests: &[&Request], took: f64, status: u64) {
    assert!(!requests.is_empty());
    for request in requests {
        // The first request of a connection waits for its handshake.
        let fits = request.took == Some(took) || request.took == Some(took + 2.0);
        assert!(
            fits && request.status == status,
            "{request:?}, not {took} ms"
        );
    }
}
