//! Requests as traces, for OpenTelemetry's tools and for Perfetto.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use meshquake_reports::export::{Otlp, Perfetto};
use meshquake_reports::{RequestOutcome, RunReport, TraceReport};

use crate::plan::Plan;
use crate::record::{Listener, app_pods, nanos, source_pods};

/// Which requests are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All of them.
    All,
    /// Those that failed, or had not ended when the run did.
    Failed,
    /// Those, and one in so many of the others.
    OneIn(u64),
}

impl Choice {
    fn takes(self, trace: &TraceReport) -> bool {
        let failed = trace.succeeded != Some(true);
        match self {
            Self::All => true,
            Self::Failed => failed,
            Self::OneIn(many) => failed || trace.sequence.is_multiple_of(many),
        }
    }
}

/// Trace files in the making.
pub struct Traces(Rc<RefCell<Files>>);

struct Files {
    choice: Choice,
    otlp: Option<Otlp<Box<dyn Write>>>,
    perfetto: Option<Perfetto<Box<dyn Write>>>,
    failed: Option<io::Error>,
}

impl Traces {
    /// Traces a run of `plan`, to `otlp` (OTLP JSON) and `perfetto` (Chrome's trace events).
    ///
    /// # Errors
    /// When the beginning of a file cannot be written.
    pub fn begin(
        plan: &Plan,
        choice: Choice,
        otlp: Option<Box<dyn Write>>,
        perfetto: Option<Box<dyn Write>>,
    ) -> io::Result<Self> {
        // Traffic sources first: that is where requests begin.
        let pods: Vec<_> = source_pods(plan).chain(app_pods(plan)).collect();
        let epoch = nanos(plan.epoch);
        let version = env!("CARGO_PKG_VERSION");
        let perfetto = perfetto
            .map(|out| Perfetto::begin(out, &pods))
            .transpose()?;
        let otlp = otlp
            .map(|out| Otlp::begin(out, epoch, version, pods))
            .transpose()?;
        Ok(Self(Rc::new(RefCell::new(Files {
            choice,
            otlp,
            perfetto,
            failed: None,
        }))))
    }

    /// What hears the run.
    pub fn listener(&self) -> Box<dyn Listener> {
        Box::new(self.0.clone())
    }

    /// Ends the files, with the faults and happenings of `report`.
    ///
    /// # Errors
    /// The first there was.
    pub fn finish(self, report: &RunReport) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        if let Some(error) = files.failed.take() {
            return Err(error);
        }
        if let Some(otlp) = files.otlp.take() {
            otlp.finish()?;
        }
        if let Some(mut perfetto) = files.perfetto.take() {
            perfetto.faults(&report.faults, report.virtual_seconds)?;
            perfetto.happenings(&report.timeline)?;
            perfetto.finish()?;
        }
        Ok(())
    }
}

impl Listener for Files {
    fn wants_traces(&self) -> bool {
        true
    }

    fn trace(&mut self, trace: &TraceReport) {
        // Spans are told when they end: of a request under way there would be the inner ones without what holds them.
        let whole = trace.outcome != RequestOutcome::InFlight;
        if whole && self.failed.is_none() && self.choice.takes(trace) {
            self.failed = self.write(trace).err();
        }
    }
}

impl Files {
    fn write(&mut self, trace: &TraceReport) -> io::Result<()> {
        if let Some(otlp) = &mut self.otlp {
            otlp.trace(trace)?;
        }
        self.perfetto
            .as_mut()
            .map_or(Ok(()), |perfetto| perfetto.trace(trace))
    }
}
