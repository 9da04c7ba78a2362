//! When and how a push reaches its sidecar.
//!
//! A control plane that is overloaded, or has a defect, delivers late, not at
//! all, in the wrong order, or something that cannot be read. All of these are
//! properties of the way from a computed configuration to the stream, so they
//! are in one place: a [`PushGate`] is asked before each push, and what leaves
//! late waits in a line of its own, so that nothing overtakes.
//!
//! **What cannot happen.** One stream is one TCP connection, and a sidecar
//! opens the next only when it has left the one before: two versions can not
//! arrive in another order than they were sent. What can be out of order is
//! the *kinds* of resources of one version. xDS demands that clusters and
//! endpoints come before the routes that refer to them (Envoy, "xDS REST and
//! gRPC protocol", eventual consistency considerations); where they do not,
//! requests find no cluster.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::push::Sent;
use super::wire::{self, Delta};
use crate::seam::{Instant, Seams};
use crate::telemetry::{ConfigEvent, Event};

/// How a push is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// At once.
    AtOnce,
    /// This much later.
    Late(Duration),
    /// Not before [`ControlPlane::catch_up`](super::ControlPlane::catch_up), and then what is true by then.
    Withheld,
    /// Routes (and the removal of clusters) first, and what they refer to this much later. A push in which nothing can
    /// be out of order is delivered at once.
    RoutesFirst(Duration),
    /// In a form that cannot be read, so that the sidecar rejects it; the right one follows with
    /// [`ControlPlane::catch_up`](super::ControlPlane::catch_up).
    Garbled,
}

/// Decides about pushes.
pub trait PushGate {
    /// How the next push to the sidecar of `workload` is delivered.
    fn delivery(&self, workload: &str) -> Delivery;

    /// A push to `workload` was delivered otherwise than at once.
    fn impeded(&self, workload: &str);
}

/// A subscriber's end of the stream.
pub(super) struct Outbox {
    pub(super) workload: String,
    pub(super) ports: Vec<u16>,
    out: mpsc::UnboundedSender<Bytes>,
    /// Where pushes wait that leave late; once there, everything goes that way.
    line: Option<mpsc::UnboundedSender<Leaving>>,
    sent: Sent,
    /// Whether something was kept from it.
    pub(super) behind: bool,
}

/// A message that waits to leave.
struct Leaving {
    due: Instant,
    version: u64,
    bytes: Bytes,
}

impl Outbox {
    pub(super) fn new(
        workload: String,
        ports: Vec<u16>,
        out: mpsc::UnboundedSender<Bytes>,
    ) -> Self {
        Self {
            workload,
            ports,
            out,
            line: None,
            sent: Sent::default(),
            behind: false,
        }
    }

    /// Moves the subscriber to a configuration: `advance` computes the difference to what was sent.
    pub(super) fn push(
        &mut self,
        seams: &Seams,
        gate: Option<&Rc<dyn PushGate>>,
        advance: impl FnOnce(&mut Sent) -> Option<Delta>,
    ) {
        let delivery = gate.map_or(Delivery::AtOnce, |gate| gate.delivery(&self.workload));
        if delivery == Delivery::AtOnce {
            self.behind = false;
            if let Some(delta) = advance(&mut self.sent) {
                self.send(seams, &delta, Duration::ZERO);
            }
            return;
        }
        let mut next = self.sent.clone();
        let Some(delta) = advance(&mut next) else {
            return;
        };
        let mut impeded = true;
        match delivery {
            Delivery::AtOnce => {}
            Delivery::Late(by) => {
                self.sent = next;
                self.send(seams, &delta, by);
            }
            Delivery::Withheld => self.behind = true,
            Delivery::Garbled => {
                self.behind = true;
                self.send(seams, &delta.garbled(), Duration::ZERO);
            }
            Delivery::RoutesFirst(gap) => {
                self.sent = next;
                let (routes, rest) = delta.routes_first();
                impeded = !routes.is_empty() && !rest.is_empty();
                if !routes.is_empty() {
                    self.send(seams, &routes, Duration::ZERO);
                }
                if !rest.is_empty() {
                    let gap = if impeded { gap } else { Duration::ZERO };
                    self.send(seams, &rest, gap);
                }
            }
        }
        if let (true, Some(gate)) = (impeded, gate) {
            gate.impeded(&self.workload);
        }
    }

    fn send(&mut self, seams: &Seams, delta: &Delta, later: Duration) {
        let Ok(bytes) = wire::frame(delta) else {
            return;
        };
        let leaving = Leaving {
            due: seams.now() + later,
            version: delta.version,
            bytes,
        };
        if self.line.is_none() && later.is_zero() {
            return leave(seams, &self.workload, &self.out, leaving);
        }
        let line = self.line.get_or_insert_with(|| {
            let (line, waiting) = mpsc::unbounded_channel();
            let (seams, workload) = (seams.clone(), self.workload.clone());
            let out = self.out.clone();
            let task = seams.clone();
            task.spawn(async move { keep_line(&seams, &workload, &out, waiting).await });
            line
        });
        // The task reads until this end is dropped.
        let _queued = line.send(leaving);
    }
}

async fn keep_line(
    seams: &Seams,
    workload: &str,
    out: &mpsc::UnboundedSender<Bytes>,
    mut waiting: mpsc::UnboundedReceiver<Leaving>,
) {
    while let Some(leaving) = waiting.recv().await {
        seams.clock.sleep_until(leaving.due).await;
        leave(seams, workload, out, leaving);
    }
}

fn leave(
    seams: &Seams,
    workload: &str,
    out: &mpsc::UnboundedSender<Bytes>,
    Leaving { version, bytes, .. }: Leaving,
) {
    let event = ConfigEvent {
        what: "push",
        version,
        workload,
        why: "",
    };
    seams.observer.observe(seams.now(), &Event::Config(event));
    // A subscriber whose stream has ended is removed by its own task.
    let _gone = out.send(bytes);
}
