//! The command line as people type it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mesh_core::telemetry::AccessLogFormat;

use meshquake_reports::suite::quoted;

use super::compare::CompareArgs;
use super::exports::ExportArgs;
use super::replay::ReplayArgs;
use super::report::ReportArgs;
use super::sweep::SweepArgs;
use super::test::TestArgs;

/// The heading of the options that name files.
pub(crate) const RESULTS: &str = "Results";

/// Deterministic simulator and chaos testbed for service meshes.
#[derive(Debug, Parser)]
#[command(
    name = "meshquake",
    version,
    about = "Run your mesh configuration through faults, in virtual time, and see whether it holds.",
    after_help = "\
Examples:
  meshquake init                    write a starter, meshquake.yaml
  meshquake run meshquake.yaml      run it
  meshquake run scenario.yaml --report report.html
  meshquake test scenarios/         every scenario, several seeds, all cores
  meshquake explain scenario.yaml --request 'GET http://reviews:9080/reviews/1'

Exit codes:
  0  every expectation held        3  two runs of one seed differ
  1  an expectation failed         4  a defect of Meshquake
  2  the input is invalid         130  interrupted: what was done is written"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios and say whether they held.
    Run(RunArgs),
    /// Run scenarios with many seeds, side by side, and judge them for a CI.
    Test(TestArgs),
    /// Run a scenario over a grid of settings, one row per run.
    Sweep(SweepArgs),
    /// Run two configurations with the same arrivals and service times, and show what changed.
    Compare(CompareArgs),
    /// Run again what `test` or `run` told of, and see whether it comes out the same.
    Replay(ReplayArgs),
    /// Draw recorded runs as pages: charts, call graph, waterfalls.
    Report(ReportArgs),
    /// Check scenarios and every file they name, without running them.
    Validate(ValidateArgs),
    /// Print the JSON Schema of the scenario file, for editors.
    #[command(after_help = "\
Examples:
  meshquake schema > meshquake.schema.json
  # then, as the first line of a scenario:
  # yaml-language-server: $schema=./meshquake.schema.json")]
    Schema,
    /// Write a commented starter scenario that runs.
    Init(InitArgs),
    /// Show which route a request takes, and every setting that applies to it, with its source.
    Explain(ExplainArgs),
    /// Watch a run in the terminal: pause, go back, look inside, break things by hand.
    Tui(TuiArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshquake run scenario.yaml
  meshquake run scenarios/*/*.yaml --quiet
  meshquake run scenario.yaml --seed 7 --duration 10m
  meshquake run scenario.yaml --set traffic.shoppers.rate='poisson(200/s)'
  meshquake run scenario.yaml --json result.json --requests requests.jsonl
  meshquake run scenario.yaml --report report.html
  meshquake run scenario.yaml --access-log access.log
  meshquake run scenario.yaml --otlp traces.json        open it in Jaeger
  meshquake run scenario.yaml --perfetto trace.json     ui.perfetto.dev
  meshquake run scenario.yaml --openmetrics metrics.txt for Prometheus
  meshquake run scenario.yaml --pcap run.pcapng         for Wireshark
  meshquake run scenario.yaml --verify      run twice, compare digests

Exit codes: 0 every expectation held, 1 one failed, 2 invalid input, 3 two runs
of one seed differ, 4 a defect of Meshquake, 130 interrupted (what was recorded
so far is written).")]
pub(crate) struct RunArgs {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
    /// Write the result as JSON to FILE, or to standard output for `-`.
    #[arg(long, value_name = "FILE|-", help_heading = RESULTS)]
    pub(crate) json: Option<PathBuf>,
    /// Write one JSON line per request to FILE.
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub(crate) requests: Option<PathBuf>,
    /// Write the access log of all sidecars to FILE, in Istio's format.
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub(crate) access_log: Option<PathBuf>,
    /// How the access log is encoded.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = RESULTS
    )]
    pub(crate) access_log_format: LogFormat,
    /// Write the run as a page for a browser to FILE.
    #[arg(long, value_name = "FILE", help_heading = RESULTS)]
    pub(crate) report: Option<PathBuf>,
    /// Write all of these and the summary into DIR, one set per scenario; what is named beside it goes where it is
    /// named.
    #[arg(long, value_name = "DIR", help_heading = RESULTS)]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) exports: ExportArgs,
    /// Run twice and compare digests.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Print one line per scenario.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Istio's two encodings (`meshConfig.accessLogEncoding`).
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl From<LogFormat> for AccessLogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct OverrideArgs {
    /// Use this seed instead of the scenario's.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Run for this long instead of the scenario's duration (`30s`, `10m`, `24h`).
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Change a value of the scenario, or of an object it imports
    /// (`mesh:VirtualService/reviews.spec.http[0].timeout=1s`), before it is
    /// read; may be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
}

/// Changes to every scenario of a command that chooses the seeds itself.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ChangeArgs {
    /// Run for this long instead of the scenario's duration (`30s`, `10m`, `24h`).
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Change a value of the scenario, or of an object it imports
    /// (`mesh:VirtualService/reviews.spec.http[0].timeout=1s`), before it is
    /// read; may be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
}

impl ChangeArgs {
    /// As the loader takes them.
    pub(crate) fn overrides(&self) -> crate::scenario::Overrides {
        crate::scenario::Overrides {
            seed: None,
            duration: self.duration,
            set: self.set.clone(),
        }
    }

    /// As a shell takes them, each with a space in front.
    pub(crate) fn options(&self) -> String {
        options(self.duration, &self.set)
    }
}

/// Overrides as a shell takes them, each with a space in front.
pub(crate) fn options(duration: Option<Duration>, set: &[(String, String)]) -> String {
    let mut options = String::new();
    if let Some(duration) = duration {
        options.push_str(&match duration.subsec_nanos() {
            0 => format!(" --duration {}s", duration.as_secs()),
            _ => format!(" --duration {}ns", duration.as_nanos()),
        });
    }
    for (path, value) in set {
        options.push_str(&format!(" --set {}", quoted(&format!("{path}={value}"))));
    }
    options
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshquake validate scenario.yaml
  meshquake validate scenarios/*/*.yaml")]
pub(crate) struct ValidateArgs {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshquake init                      writes meshquake.yaml
  meshquake init checkout             writes checkout.yaml
  meshquake run checkout.yaml")]
pub(crate) struct InitArgs {
    /// The scenario's name; the file is NAME.yaml.
    #[arg(default_value = "meshquake", value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshquake explain scenario.yaml --request 'GET http://reviews:9080/reviews/1'
  meshquake explain scenario.yaml --request 'GET http://reviews:9080/' \\
    -H 'end-user: jason' --from productpage
  meshquake explain scenario.yaml --request 'POST http://orders/' --json")]
pub(crate) struct ExplainArgs {
    /// The scenario whose mesh is asked.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Method and URL, as the app dials it.
    #[arg(long, value_name = "'METHOD URL'")]
    pub(crate) request: String,
    /// A request header; may be repeated.
    #[arg(long = "header", short = 'H', value_name = "'NAME: VALUE'")]
    pub(crate) headers: Vec<String>,
    /// The calling service, pod or traffic source; by default the first traffic source.
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshquake tui scenario.yaml             record it and play it
  meshquake tui result.json               play what `run --json` wrote
  meshquake tui results/                  the one run of `run --out`
  meshquake tui fragile.yaml resilient.yaml
                                          two runs in step
  meshquake tui scenario.yaml --seed 7 --set mesh.defaults.retries=0

Keys: space plays, arrows scrub, f e x go to the next fault, ejection, failure,
1 to 7 are the views, i injects a fault at the cursor, w saves the changed
scenario, ? shows all keys, q and Ctrl-C leave.

Exit codes: 0 left by q or Ctrl-C, whatever the verdict; 2 invalid input, or no
terminal; 4 a defect of Meshquake; 130 ended by SIGTERM, SIGHUP or SIGINT.")]
pub(crate) struct TuiArgs {
    /// A scenario, a run's JSON, or a folder that holds one; two of them are shown in step.
    #[arg(required = true, num_args = 1..=2, value_name = "SCENARIO|RUN")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
}

impl OverrideArgs {
    /// As the loader takes them.
    pub(crate) fn overrides(&self) -> crate::scenario::Overrides {
        crate::scenario::Overrides {
            seed: self.seed,
            duration: self.duration,
            set: self.set.clone(),
        }
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    mesh_core::document::duration::parse_go(text).map_err(|e| e.to_string())
}

pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_owned(), value.to_owned())),
        _ => {
            Err("write it as PATH=VALUE, for example traffic.shoppers.rate='poisson(80/s)'".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// Examples are not broken by clap where a shell would not take them.
    #[test]
    fn examples_fit_a_terminal_of_80_columns() {
        let command = super::Arguments::command();
        for command in command.get_subcommands().chain([&command]) {
            let examples = command.get_after_help().map(ToString::to_string);
            for line in examples.unwrap_or_default().lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
