//! What faults can wait for, heard from sidecars.

use std::rc::Rc;
use std::sync::Arc;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{AccessNotes, Event, Mechanism, Observer, RequestEvent};

use super::{Happened, Scene, happened};
use crate::fabric::Inbox;
use crate::plan::{FaultPlan, Start, Trigger};
use crate::world::Shared;

/// Passes a sidecar's events on, and tells the faults what they wait for.
pub(crate) struct TriggerObserver {
    inner: Rc<dyn Observer>,
    inbox: Inbox,
    shared: Rc<Shared>,
    pod: Arc<str>,
}

impl TriggerObserver {
    /// Listens to the sidecar of `pod`, if any fault waits for what sidecars tell.
    pub(crate) fn around(
        inner: Rc<dyn Observer>,
        inbox: Inbox,
        shared: &Rc<Shared>,
        pod: &Arc<str>,
    ) -> Rc<dyn Observer> {
        if !shared.plan.faults.iter().any(hears_sidecars) {
            return inner;
        }
        Rc::new(Self {
            inner,
            inbox,
            shared: shared.clone(),
            pod: pod.clone(),
        })
    }

    fn what(&self, event: &Event<'_>) -> Option<Happened> {
        match event {
            Event::Ejection(ejection) => {
                let pod = Arc::from(ejection.upstream);
                Some(match ejection.reason {
                    Some(_) => Happened::Ejected(pod),
                    None => Happened::Returned(pod),
                })
            }
            Event::Mechanism(event) if event.mechanism == Mechanism::Overflow => {
                Some(Happened::Overflowed(self.pod.clone()))
            }
            _ => None,
        }
    }
}

/// Whether a fault waits for what sidecars tell.
fn hears_sidecars(fault: &FaultPlan) -> bool {
    matches!(
        &fault.schedule.start,
        Start::On {
            trigger: Trigger::Ejected(_) | Trigger::Returned(_) | Trigger::Overflowed(_),
            ..
        }
    )
}

impl Observer for TriggerObserver {
    fn keeps_access_log(&self) -> bool {
        self.inner.keeps_access_log()
    }

    fn log_access(&self, pass: &RequestEvent<'_>, notes: &AccessNotes) {
        self.inner.log_access(pass, notes);
    }

    fn observe(&self, at: Instant, event: &Event<'_>) {
        self.inner.observe(at, event);
        if let Some(what) = self.what(event) {
            let shared = self.shared.clone();
            self.inbox.post(move |fabric| {
                let shared = &shared;
                happened(&mut Scene { fabric, shared }, &what);
            });
        }
    }
}
