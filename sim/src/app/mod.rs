//! Scripted apps: worker pools, queues, service times, calls.
//!
//! What makes an outage is rarely the mesh alone: it is a bounded pool of
//! workers, a line in front of it, service times with a tail, work that goes
//! on for callers who have left, and calls that wait for other such apps. An
//! app here is exactly that and nothing else. It is a real HTTP server and a
//! real HTTP client on the [seams](mesh_core::seam) of its pod; only what it
//! does between request and answer is scripted, in the vocabulary of Istio's
//! isotope (call, sleep, concurrent steps, error rate, sizes).
//!
//! Virtual time passes only in timers: service times, sleeps, delays. Reading,
//! queueing and answering take none, so a queue in front of an app is the
//! textbook's queue.

mod answer;
mod body;
mod bypass;
mod cache;
mod client;
mod idle;
mod keys;
mod knobs;
mod lever;
mod line;
mod luck;
mod memory;
mod normal;
mod observe;
mod pool;
mod replica;
mod sample;
mod script;
mod server;
mod shared_io;
#[cfg(test)]
pub(crate) mod testbed;
mod throttle;
mod trace;
mod visit;

pub(crate) use body::FillBody;
pub use bypass::Bypass;
pub(crate) use client::{Answer, HttpClient, request};
pub use client::{CallError, Egress, Resolver};
pub(crate) use keys::Draws;
pub use knobs::AppKnobs;
pub(crate) use lever::Lever;
pub(crate) use luck::{fork, hits};
pub use observe::AppObserver;
pub use replica::{FAILURE_HEADER, UPSTREAM_HEADER};
pub(crate) use sample::{scaled, unit_exponential};
pub use server::serve;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::plan::AppPlan;

/// One instance of an app.
#[derive(Clone)]
pub struct AppPod {
    /// Its pod's name, as answers and random streams carry it.
    pub name: Arc<str>,
    /// Its service, for reports.
    pub service: Arc<str>,
    /// Where it listens: loopback behind a sidecar, the pod's address without one.
    pub listen: Vec<SocketAddr>,
    /// What it does.
    pub plan: Arc<AppPlan>,
    /// Where its calls go.
    pub egress: Egress,
    /// What faults change in it.
    pub knobs: Rc<AppKnobs>,
    /// How often it has been restarted; each life has random streams of its own.
    pub incarnation: u32,
}
