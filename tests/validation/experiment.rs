//! A scenario, what is measured of its runs, and what theory says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tempfile::TempDir;

/// One scenario and all that is measured of it.
pub(crate) struct Experiment {
    /// The row of the reference it belongs to: `V1`.
    pub(crate) row: &'static str,
    /// What is simulated.
    pub(crate) what: String,
    /// The scenario.
    pub(crate) scenario: String,
    /// Files beside it, by name.
    pub(crate) files: BTreeMap<&'static str, String>,
    /// How many seeds.
    pub(crate) seeds: u32,
    /// What is measured.
    pub(crate) measures: Vec<Measure>,
    /// Where the expected values come from.
    pub(crate) source: &'static str,
}

/// One number.
pub(crate) struct Measure {
    /// What it is, with its unit.
    pub(crate) name: String,
    /// What it should be.
    pub(crate) expected: f64,
    /// How far the mean may be off besides sampling error.
    pub(crate) slack: f64,
    /// Reads it from a run.
    pub(crate) read: Box<dyn Fn(&Run) -> f64 + Sync>,
}

/// A run's results.
pub(crate) struct Run {
    /// What `--json` gives.
    pub(crate) report: Value,
    /// The lines of `--requests`.
    pub(crate) requests: Vec<Value>,
}

/// One number, expected and simulated.
pub(crate) struct Row {
    pub(crate) row: &'static str,
    pub(crate) what: String,
    pub(crate) measure: String,
    pub(crate) expected: f64,
    pub(crate) simulated: f64,
    /// How far they may be apart.
    pub(crate) tolerance: f64,
    pub(crate) seeds: u32,
    pub(crate) requests: u64,
    pub(crate) source: &'static str,
}

impl Row {
    /// Whether they are as close as they should be.
    pub(crate) fn agrees(&self) -> bool {
        (self.simulated - self.expected).abs() <= self.tolerance + 1e-9 * self.expected.abs()
    }
}

impl Experiment {
    /// An experiment without files.
    pub(crate) fn new(
        row: &'static str,
        what: impl Into<String>,
        scenario: impl Into<String>,
    ) -> Self {
        Self {
            row,
            what: what.into(),
            scenario: scenario.into(),
            files: BTreeMap::new(),
            seeds: 5,
            measures: Vec::new(),
            source: "",
        }
    }

    pub(crate) fn seeds(mut self, seeds: u32) -> Self {
        self.seeds = seeds;
        self
    }

    pub(crate) fn file(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.files.insert(name, text.into());
        self
    }

    pub(crate) fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// Also measures `read`, which should be `expected`, but for this part of it and sampling error.
    pub(crate) fn expect(
        self,
        name: impl Into<String>,
        expected: f64,
        part: f64,
        read: impl Fn(&Run) -> f64 + Sync + 'static,
    ) -> Self {
        self.expect_within(name, expected, part * expected.abs(), read)
    }

    /// Also measures `read`, which should be `expected`, but for `slack` and sampling error.
    pub(crate) fn expect_within(
        mut self,
        name: impl Into<String>,
        expected: f64,
        slack: f64,
        read: impl Fn(&Run) -> f64 + Sync + 'static,
    ) -> Self {
        self.measures.push(Measure {
            name: name.into(),
            expected,
            slack,
            read: Box::new(read),
        });
        self
    }
}

impl Run {
    /// A number of the report, by its JSON pointer.
    pub(crate) fn number(&self, pointer: &str) -> f64 {
        let value = self.report.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("the report has no number at {pointer}"))
    }

    /// The report of a service.
    pub(crate) fn service(&self, name: &str) -> &Value {
        let services = self.report["services"].as_array();
        let found = services.and_then(|all| all.iter().find(|service| service["name"] == name));
        found.unwrap_or_else(|| panic!("no service {name}"))
    }

    /// Requests begun by a traffic source.
    pub(crate) fn requests_of(&self, traffic: &str) -> f64 {
        self.number(&format!("/traffic/{traffic}/requests"))
    }

    /// Requests that arrived at a service's apps.
    pub(crate) fn arrived(&self, service: &str) -> f64 {
        self.service(service)["requests"]
            .as_f64()
            .unwrap_or_default()
    }
}

/// Runs experiments with the release build of the binary.
pub(crate) struct Runner {
    binary: PathBuf,
}

impl Runner {
    pub(crate) fn new() -> Self {
        Self {
            binary: meshquake_tests::build_as_users_do(),
        }
    }

    /// Runs an experiment under all its seeds, on all cores.
    pub(crate) fn run(&self, experiment: &Experiment) -> Vec<Row> {
        let folder = TempDir::new().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("the folder can be written");
        };
        write("scenario.yaml", &experiment.scenario);
        experiment
            .files
            .iter()
            .for_each(|(name, text)| write(name, text));
        let next = AtomicUsize::new(0);
        let runs = Mutex::new(BTreeMap::new());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed) as u32 + 1;
                        if seed > experiment.seeds {
                            return;
                        }
                        let numbers = self.seed(folder.path(), experiment, seed);
                        runs.lock()
                            .expect("no thread panicked")
                            .insert(seed, numbers);
                    }
                });
            }
        });
        let runs = runs.into_inner().expect("no thread panicked");
        let runs: Vec<(Vec<f64>, u64)> = runs.into_values().collect();
        let measures = experiment.measures.iter().enumerate();
        measures
            .map(|(i, measure)| row(experiment, measure, i, &runs))
            .collect()
    }

    /// What is measured under one seed, and of how many requests.
    fn seed(&self, folder: &Path, experiment: &Experiment, seed: u32) -> (Vec<f64>, u64) {
        let log = folder.join(format!("requests-{seed}.jsonl"));
        let output = Command::new(&self.binary)
            .current_dir(folder)
            .args(["run", "scenario.yaml", "--quiet", "--json", "-"])
            .args(["--seed", &seed.to_string(), "--requests"])
            .arg(&log)
            .output()
            .expect("the binary starts");
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 1)),
            "{}: exit {code:?}: {}",
            experiment.what,
            String::from_utf8_lossy(&output.stderr),
        );
        let report: Value = serde_json::from_slice(&output.stdout).expect("the result is JSON");
        let text = std::fs::read_to_string(&log).expect("the request log was written");
        let requests: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("the log is lines of JSON"))
            .collect();
        std::fs::remove_file(&log).expect("the log is ours");
        let count = requests.len() as u64;
        let run = Run { report, requests };
        let numbers = experiment
            .measures
            .iter()
            .map(|measure| (measure.read)(&run));
        (numbers.collect(), count)
    }
}

fn row(experiment: &Experiment, measure: &Measure, i: usize, runs: &[(Vec<f64>, u64)]) -> Row {
    let count = runs.len() as f64;
    let values = || runs.iter().map(|(numbers, _)| numbers[i]);
    let mean = values().sum::<f64>() / count;
    let squares: f64 = values().map(|value| (value - mean) * (value - mean)).sum();
    let error = match runs.len() {
        0 | 1 => 0.0,
        _ => libm::sqrt(squares / (count - 1.0) / count),
    };
    Row {
        row: experiment.row,
        what: experiment.what.clone(),
        measure: measure.name.clone(),
        expected: measure.expected,
        simulated: mean,
        tolerance: 4.0 * error + measure.slack,
        seeds: experiment.seeds,
        requests: runs.iter().map(|(_, requests)| requests).sum(),
        source: experiment.source,
    }
}
