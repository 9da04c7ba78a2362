//! Progress of many runs, on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over runs; draws nothing when standard error is no terminal.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// An empty one.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::new(0);
        if quiet || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} runs, {eta} to go  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// So many were there before: they say nothing about how long the others take.
    pub(crate) fn begin_at(&self, done: u64) {
        self.0.set_position(done);
        self.0.reset_eta();
    }

    /// So many runs of so many have ended.
    pub(crate) fn at(&self, done: u64, of: u64, message: &str) {
        self.0.set_length(of);
        self.0.set_position(done);
        self.0.set_message(message.to_owned());
    }

    /// All have.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
