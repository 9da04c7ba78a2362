//! The access log of all sidecars: one line per pass, in the order in which the passes ended.

use std::io::{self, Write};

use mesh_core::telemetry::{AccessLogFormat, AccessNotes, RequestEvent};

use super::sink::LineSink;

/// An access log to be kept.
pub struct AccessLog {
    /// Where it goes.
    pub sink: Box<dyn Write>,
    /// How its lines are encoded.
    pub format: AccessLogFormat,
}

/// The log while a run writes it.
pub(super) struct OpenAccessLog {
    sink: LineSink,
    format: AccessLogFormat,
}

impl OpenAccessLog {
    pub(super) fn new(log: AccessLog) -> Self {
        Self {
            sink: LineSink::new(log.sink),
            format: log.format,
        }
    }

    pub(super) fn pass(&mut self, pod: &str, pass: &RequestEvent<'_>, notes: &AccessNotes) {
        let format = self.format;
        self.sink.append(|out| format.line(out, pod, pass, notes));
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The first error of the sink.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.sink.close()
    }
}
