//! Pods that use more memory than they may.
//!
//! The kernel kills such a container, and the kubelet starts it again: at once
//! the first time, then after a back-off of 10 s that doubles with each further
//! time, up to 5 min, and is forgotten after 10 min without such a death
//! (Kubernetes, "Pod Lifecycle", container restarts; `CrashLoopBackOff`).

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::seam::Instant;

use super::Shared;
use super::life::{self, Death};
use crate::fault::Scene;

/// How long a container takes to start again.
const RESTART: Duration = Duration::from_secs(1);

/// The first back-off, and the longest.
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// After so long a life the back-off is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// How often each pod was killed of late.
#[derive(Default)]
pub(super) struct Kills(BTreeMap<Arc<str>, (u32, Instant)>);

impl Kills {
    /// A pod is killed once more. Returns how long it takes to be started again.
    fn again(&mut self, pod: &Arc<str>, now: Instant) -> Duration {
        let (count, last) = self.0.entry(pod.clone()).or_insert((0, now));
        if now.since(*last) > FORGOTTEN {
            *count = 0;
        }
        *count += 1;
        *last = now;
        match *count {
            1 => RESTART,
            n => (BACKOFF * (1 << (n - 2).min(16))).min(BACKOFF_MAX),
        }
    }
}

/// What an app is to do that uses more memory than it may, in this life of its pod.
pub(super) fn killer(shared: &Rc<Shared>, pod: &Arc<str>) -> Rc<dyn Fn()> {
    let (life, pod) = (shared.life(pod), pod.clone());
    // The app's knobs, which keep this, are kept by what is shared.
    let shared = Rc::downgrade(shared);
    Rc::new(move || {
        let (Some(shared), pod) = (shared.upgrade(), pod.clone()) else {
            return;
        };
        let inbox = shared.inbox.clone();
        inbox.post(move |fabric| {
            let shared = &shared;
            if shared.life(&pod) == life {
                kill(&mut Scene { fabric, shared }, &pod);
            }
        });
    })
}

fn kill(scene: &mut Scene<'_>, pod: &Arc<str>) {
    if life::kill(scene, pod, Death::OutOfMemory) {
        let now = scene.fabric.now();
        let wait = scene.shared.kills.borrow_mut().again(pod, now);
        life::start_later(scene, pod, wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_doubles_up_to_five_minutes_and_is_forgotten() {
        let (mut kills, pod) = (Kills::default(), Arc::from("a-0"));
        let mut at = Instant::ZERO;
        let mut again = |later: u64| {
            at = at + Duration::from_secs(later);
            kills.again(&pod, at).as_secs()
        };
        let waits: Vec<_> = (0..8).map(|_| again(600)).collect();
        assert_eq!(waits, [1, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(again(601), 1);
    }
}
