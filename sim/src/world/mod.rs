//! Puts the parts together: control plane, pods, clients, faults; then runs them.
//!
//! A run has two phases. In the *boot* the control plane comes up, sidecars get
//! their certificates and first configuration, and pods become ready; it takes
//! [`BOOT`] of virtual time before the scenario's own clock begins. Then
//! traffic and faults run by the plan. Every instant in a report counts from
//! the end of the boot.

mod cluster;
mod control;
pub(crate) mod life;
mod memory;
mod names;
mod pod;

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mesh_core::seam::Instant;
use meshquake_reports::RunReport;
use rustls::KeyLog;

use crate::fabric::{FabricError, Tap};
use crate::plan::Plan;
use crate::record::{AccessLog, Listener, RecordOptions};
use cluster::Cluster;
pub(crate) use cluster::Shared;
pub(crate) use control::{CONTROL_HOST, Control, Trouble, TroubleId};
pub(crate) use names::{NameFault, NameFaultId, Names};

/// Virtual time that the mesh has to come up before the scenario begins.
pub const BOOT: Duration = Duration::from_secs(10);

/// The instant at which the scenario's clock shows zero.
pub const ORIGIN: Instant = Instant::from_nanos(BOOT.as_nanos() as u64);

/// The address and the name of the control plane's host.
pub(crate) fn control_plane() -> (IpAddr, &'static str) {
    (control::address(), CONTROL_HOST)
}

/// A run is cut into slices; between them progress is shown and Ctrl-C is heeded. There are at least so many.
const SLICES_MIN: u32 = 1_000;

/// No run is cut into more.
const SLICES_MAX: u32 = 1_000_000;

/// A slice of a second at most: a busy one of an hour would keep whoever wants to stop waiting.
fn slices(duration: Duration) -> u32 {
    let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    seconds.clamp(SLICES_MIN, SLICES_MAX)
}

/// What a run is given besides its plan.
pub struct RunOptions {
    /// Where to write one JSON line per request.
    pub requests: Option<Box<dyn Write>>,
    /// The access log of all sidecars to keep.
    pub access_log: Option<AccessLog>,
    /// The command that makes this run again, for the report.
    pub reproduce: String,
    /// Set to end the run early.
    pub stop: Arc<AtomicBool>,
    /// Told from time to time how far virtual time has come, and how many requests have ended.
    pub progress: Box<dyn Fn(Duration, u64)>,
    /// Keeps what charts and waterfalls are drawn from.
    pub detail: bool,
    /// Who else hears every event of the run; the boot's too.
    pub listeners: Vec<Box<dyn Listener>>,
    /// Shown every packet put on a link, from the beginning of the boot on.
    pub tap: Option<Tap>,
    /// Told the secrets of every TLS connection, so that what the tap shows can be read.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

impl Default for RunOptions {
    /// No log, no interruption, no progress, no tap.
    fn default() -> Self {
        Self {
            requests: None,
            access_log: None,
            reproduce: String::new(),
            stop: Arc::default(),
            progress: Box::new(|_, _| {}),
            detail: false,
            listeners: Vec::new(),
            tap: None,
            key_log: None,
        }
    }
}

/// Why a run came to no result. Each is a defect of Meshquake or of its machine, not of the scenario.
#[derive(Debug)]
pub enum RunError {
    /// The simulated world broke.
    Fabric(FabricError),
    /// The mesh could not be put together.
    Setup(String),
    /// A pod did not become ready during the boot.
    Boot(Vec<String>),
    /// A log could not be written.
    Log(std::io::Error),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fabric(error) => error.fmt(f),
            Self::Setup(why) => write!(f, "the mesh cannot be put together: {why}"),
            Self::Boot(pods) => write!(
                f,
                "{} pods were not ready after {} s of virtual time, {} among them",
                pods.len(),
                BOOT.as_secs(),
                pods.first().map_or("", String::as_str),
            ),
            Self::Log(error) => write!(f, "cannot write a log: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

impl From<FabricError> for RunError {
    fn from(error: FabricError) -> Self {
        Self::Fabric(error)
    }
}

/// Runs `plan` once.
///
/// # Errors
/// When the world breaks; a scenario that does not hold is a report, not an error.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a run took is told to the user and nothing else depends on it"
)]
pub fn run(plan: &Plan, options: RunOptions) -> Result<RunReport, RunError> {
    let began = std::time::Instant::now();
    let record = RecordOptions {
        seed: plan.seed,
        origin: ORIGIN,
        reproduce: options.reproduce,
        requests: options.requests,
        access_log: options.access_log,
        detail: options.detail,
        listeners: options.listeners,
    };
    let mut cluster = Cluster::build(plan, record, options.key_log)?;
    if let Some(tap) = options.tap {
        cluster.fabric.tap(tap);
    }
    cluster.boot(ORIGIN)?;
    cluster.begin(ORIGIN);
    let slices = slices(plan.duration);
    let mut stopped = false;
    for slice in 1..=slices {
        stopped = options.stop.load(Ordering::Relaxed);
        if stopped {
            break;
        }
        let mut reached = plan.duration.mul_f64(f64::from(slice) / f64::from(slices));
        if slice == slices {
            reached = plan.duration;
        }
        cluster.run_until(ORIGIN + reached)?;
        cluster.reached(ORIGIN + reached);
        (options.progress)(reached, cluster.requests_ended());
    }
    let mut report = cluster.finish(began)?;
    if stopped {
        report.interrupted();
    }
    Ok(report)
}
