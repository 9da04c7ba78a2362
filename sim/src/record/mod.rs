//! From events to the record of a run.
//!
//! A [`Recorder`] is the one consumer of everything that happens in a run: the
//! mesh's events through [`Observer`]s, and the simulator's own. Nothing is
//! counted anywhere else. It keeps counters, HDR histograms and accounts of the
//! windows that expectations speak of, in memory that does not grow with the
//! length of the run, and [`finish`](Recorder::finish) draws a
//! [`RunReport`](meshquake_reports::RunReport) from them.
//!
//! # The digest
//!
//! [`digest`](Recorder::digest) names a run: the same binary, scenario and seed
//! give the same digest on any machine, in any build, and if two digests are
//! equal, the runs were, event for event.
//!
//! *In it*, in the order in which they happened, each with its instant on the
//! clock of its host and the host's name: every request and attempt through
//! every sidecar with all that the access log would tell (times, routes,
//! endpoints, statuses, flags, bytes, trace ids), connections, ejections,
//! configuration, certificates (identity and end of validity), mechanisms;
//! every request of every traffic source, sent and ended; every request of
//! every app; faults and pods; and, as the last event, the network's totals,
//! which change if a single packet more was sent.
//!
//! *Not in it*: wall-clock time; keys, certificates' bytes and ciphertext,
//! which are random and change nothing that can be seen; single packets;
//! anything computed from events (quantiles, verdicts); the versions of
//! Meshquake and its inputs, which the report tells beside it. Events after
//! [`finish`](Recorder::finish), from a world being taken apart, are dropped.
//!
//! # Latency
//!
//! A client's latency counts from the *intended* send time, so a client that
//! is late because of the mesh charges the mesh for it (no coordinated
//! omission).

mod access_log;
mod breaker;
mod burst;
mod callee;
mod control;
mod count;
mod course;
mod detail;
mod digest;
mod edge;
mod event;
mod fault;
mod inert;
mod listener;
mod mechanism;
mod observe;
pub(crate) mod quick;
mod report;
mod request;
mod series;
mod service;
mod sink;
mod state;
mod timeline;
mod traffic;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub use access_log::AccessLog;
pub(crate) use callee::{destination, host, outbound};
pub(crate) use count::Counts;
pub(crate) use detail::{app_pods, source_pods};
pub(crate) use edge::{failed, nanos, reached};
pub use event::{
    AppArrival, AppEvent, AppOutcome, Check, FabricEvent, FaultEvent, FaultPhase, PodChange,
    PodEvent, RequestEnded, RequestSent, TrafficEvent, TrafficOutcome,
};
pub use listener::{Listener, Teller};

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use mesh_core::seam::Instant;
use mesh_core::telemetry::Observer;
use meshquake_reports::RunReport;

use crate::plan::Plan;
use observe::PodObserver;
use state::State;

/// How to record.
#[derive(Default)]
pub struct RecordOptions {
    /// The seed of this run.
    pub seed: u64,
    /// When the scenario's clock shows zero: a mesh has to come up first. Events carry the world's instants; reports
    /// count from here.
    pub origin: Instant,
    /// The command that makes this run again.
    pub reproduce: String,
    /// Where the request log goes: one line of JSON per traffic request. `None` keeps none.
    pub requests: Option<Box<dyn Write>>,
    /// Keeps an access log of all sidecars. `None` keeps none, and no sidecar takes notes for one.
    pub access_log: Option<AccessLog>,
    /// Keeps what charts and waterfalls are drawn from ([`RunReport::detail`]).
    pub detail: bool,
    /// Who else hears all this.
    pub listeners: Vec<Box<dyn Listener>>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunEnd {
    /// The instant of its end, on the world's clock.
    pub at: Instant,
    /// How long it took to simulate.
    pub wall: Duration,
    /// The network's totals.
    pub fabric: FabricEvent,
}

/// The single consumer of a run's events.
pub struct Recorder {
    state: RefCell<State>,
}

impl Recorder {
    /// An empty record of a run of `plan`.
    pub fn new(plan: &Plan, options: RecordOptions) -> Rc<Self> {
        Rc::new(Self {
            state: RefCell::new(State::new(plan, options)),
        })
    }

    /// Takes the mesh's events of one host: a pod's sidecar, or the control plane. `pod` is the workload's name,
    /// `service` the service it belongs to in reports (of a traffic source, its name). A host that is neither a pod nor
    /// a traffic source of the plan is taken for the control plane. A pod that starts again may have a new observer.
    pub fn observer(self: &Rc<Self>, pod: &str, service: &str) -> Rc<dyn Observer> {
        let mut state = self.state.borrow_mut();
        let host = state.watch(pod, service);
        let logs = state.keeps_access_log();
        Rc::new(PodObserver::new(self.clone(), host, logs))
    }

    /// Takes an event of a traffic source, at its host's instant `at`.
    pub fn traffic(&self, at: Instant, event: &TrafficEvent<'_>) {
        self.state.borrow_mut().traffic(at, event);
    }

    /// Takes an arrival at an app, at its host's instant `at`.
    pub fn arrived(&self, at: Instant, arrival: &AppArrival<'_>) {
        self.state.borrow_mut().arrived(at, arrival);
    }

    /// Takes an event of an app, at its host's instant `at`.
    pub fn app(&self, at: Instant, event: &AppEvent<'_>) {
        self.state.borrow_mut().app(at, event);
    }

    /// Takes an event of a fault, at the world's instant `at`.
    pub fn fault(&self, at: Instant, event: &FaultEvent<'_>) {
        self.state.borrow_mut().fault(at, event);
    }

    /// Takes an event of a pod, at the world's instant `at`.
    pub fn pod(&self, at: Instant, event: &PodEvent<'_>) {
        self.state.borrow_mut().pod(at, event);
    }

    /// Virtual time has come to `at`, and everything before has been told.
    pub fn reached(&self, at: Instant) {
        self.state.borrow_mut().reached(at);
    }

    /// Requests of traffic sources that have ended so far.
    pub fn requests_ended(&self) -> u64 {
        self.state.borrow().requests_ended()
    }

    /// The digest of all events so far, in hexadecimal.
    pub fn digest(&self) -> String {
        self.state.borrow().digest()
    }

    /// Ends the record and draws the report. Logs are written to their end; see
    /// [`close_logs`](Self::close_logs) for their errors. What comes later is dropped.
    pub fn finish(self: &Rc<Self>, end: RunEnd) -> RunReport {
        self.state.borrow_mut().finish(end)
    }

    /// Whether the logs could be written, after [`finish`](Self::finish).
    ///
    /// # Errors
    /// The first error of a sink. A second call has nothing more to say.
    pub fn close_logs(&self) -> io::Result<()> {
        self.state.borrow_mut().close_logs()
    }
}
