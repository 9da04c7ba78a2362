//! Progress of long runs, on a terminal only.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar over virtual time; draws nothing when standard error is no terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar for a run of `duration`.
    pub(crate) fn new(name: &str, duration: Duration, quiet: bool) -> Self {
        let bar = ProgressBar::new(duration.as_millis() as u64);
        if quiet || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}%  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    /// Virtual time has come to `at`.
    pub(crate) fn at(&self, at: Duration, requests: u64) {
        self.0.set_position(at.as_millis() as u64);
        self.0.set_message(format!(
            "{} of virtual time, {requests} requests",
            clock(at)
        ));
    }

    /// The run is over.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn clock(at: Duration) -> String {
    let seconds = at.as_secs();
    match seconds {
        0..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!(
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}
