//! A run's files for other tools.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use meshquake_reports::RunReport;

use super::files::Log;
use crate::export::{Capture, Choice, Metrics, Traces};
use crate::plan::Plan;
use crate::world::RunOptions;

const EXPORTS: &str = "Exports (docs/exports.md)";

#[derive(Debug, Default, Args)]
pub(crate) struct ExportArgs {
    /// Write requests as OpenTelemetry traces to FILE, in OTLP's JSON: for Jaeger and others.
    #[arg(long, value_name = "FILE", help_heading = EXPORTS)]
    otlp: Option<PathBuf>,
    /// Write requests, faults and what happened to FILE, for ui.perfetto.dev.
    #[arg(long, value_name = "FILE", help_heading = EXPORTS)]
    perfetto: Option<PathBuf>,
    /// Which requests those two tell: `all`, `failed`, or N for those that failed and one in N of the others.
    #[arg(long, value_name = "CHOICE", default_value = "all", help_heading = EXPORTS)]
    traces: Traced,
    /// Write Istio's standard metrics to FILE, as OpenMetrics: for Prometheus.
    #[arg(long, value_name = "FILE", help_heading = EXPORTS)]
    openmetrics: Option<PathBuf>,
    /// Write every packet between pods to FILE, as pcapng, with the keys that decrypt them: for Wireshark.
    #[arg(long, value_name = "FILE", help_heading = EXPORTS)]
    pcap: Option<PathBuf>,
    /// Write the keys of all TLS connections to FILE, as an NSS key log.
    #[arg(long, value_name = "FILE", help_heading = EXPORTS)]
    keylog: Option<PathBuf>,
}

impl ExportArgs {
    /// Each option and the file it names.
    pub(super) fn named(&self) -> [(&'static str, &Option<PathBuf>); 5] {
        [
            ("--otlp", &self.otlp),
            ("--perfetto", &self.perfetto),
            ("--openmetrics", &self.openmetrics),
            ("--pcap", &self.pcap),
            ("--keylog", &self.keylog),
        ]
    }
}

/// `all`, `failed` or a number.
#[derive(Clone, Copy, Debug)]
struct Traced(Choice);

impl Default for Traced {
    fn default() -> Self {
        Self(Choice::All)
    }
}

impl FromStr for Traced {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self(Choice::All)),
            "failed" => Ok(Self(Choice::Failed)),
            number => match number.parse() {
                Ok(many) if many > 0 => Ok(Self(Choice::OneIn(many))),
                _ => Err("write all, failed, or a number such as 100"),
            },
        }
    }
}

/// The exports of one run.
#[derive(Default)]
pub(super) struct Exports {
    files: Vec<Log>,
    traces: Option<Traces>,
    metrics: Option<Metrics>,
    capture: Option<Capture>,
}

impl Exports {
    /// Opens what `args` ask for.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub(super) fn open(args: &ExportArgs, plan: &Plan) -> io::Result<Self> {
        let mut making = Self::default();
        let mut file = |path: &Option<PathBuf>| -> io::Result<Option<Box<dyn io::Write>>> {
            let Some(path) = path else { return Ok(None) };
            let log = Log::create(path)?;
            let sink = log.sink();
            making.files.push(log);
            Ok(Some(sink))
        };
        let (otlp, perfetto) = (file(&args.otlp)?, file(&args.perfetto)?);
        let openmetrics = file(&args.openmetrics)?;
        let (pcap, keylog) = (file(&args.pcap)?, file(&args.keylog)?);
        if otlp.is_some() || perfetto.is_some() {
            making.traces = Some(Traces::begin(plan, args.traces.0, otlp, perfetto)?);
        }
        making.metrics = openmetrics.map(|out| Metrics::begin(plan, out));
        if pcap.is_some() || keylog.is_some() {
            making.capture = Some(Capture::begin(plan, pcap, keylog)?);
        }
        Ok(making)
    }

    /// Lets them take part in a run.
    pub(super) fn attach(&self, options: &mut RunOptions) {
        let listeners = &mut options.listeners;
        listeners.extend(self.traces.as_ref().map(Traces::listener));
        listeners.extend(self.metrics.as_ref().map(Metrics::listener));
        if let Some(capture) = &self.capture {
            listeners.push(capture.listener());
            options.tap = capture.tap();
            options.key_log = Some(capture.key_log());
        }
    }

    /// Ends them, and gives the files their names.
    ///
    /// # Errors
    /// When something could not be written; no file has its name then that is not whole.
    pub(super) fn finish(self, report: &RunReport) -> io::Result<()> {
        if let Some(traces) = self.traces {
            traces.finish(report)?;
        }
        if let Some(metrics) = self.metrics {
            metrics.finish()?;
        }
        if let Some(capture) = self.capture {
            capture.finish()?;
        }
        self.files.into_iter().try_for_each(Log::finish)
    }
}
