//! What a sidecar, or the control plane, has told.

use std::cell::RefCell;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{Direction, Event, Mechanism, Observer, TlsState};

/// A request through one sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) direction: Direction,
    pub(crate) status: u16,
    pub(crate) flags: String,
    pub(crate) details: String,
    pub(crate) attempts: u32,
    pub(crate) peer: String,
    pub(crate) tls: TlsState,
}

/// Everything one observer heard that these tests ask about.
#[derive(Default)]
pub(crate) struct Story {
    requests: RefCell<Vec<Told>>,
    mechanisms: RefCell<Vec<(Mechanism, String)>>,
    /// What happened to an identity, whose, and why.
    identities: RefCell<Vec<(String, String, String)>>,
    /// What happened to a configuration, whose, and why.
    configs: RefCell<Vec<(String, String, String)>>,
}

impl Story {
    /// The last request in `direction`.
    pub(crate) fn last(&self, direction: Direction) -> Told {
        let requests = self.requests.borrow();
        let mut last = requests.iter().rev();
        last.find(|told| told.direction == direction)
            .cloned()
            .unwrap()
    }

    /// Requests in `direction`.
    pub(crate) fn count(&self, direction: Direction) -> usize {
        let requests = self.requests.borrow();
        requests
            .iter()
            .filter(|told| told.direction == direction)
            .count()
    }

    /// The details of every time `mechanism` acted.
    pub(crate) fn mechanism(&self, mechanism: Mechanism) -> Vec<String> {
        let mechanisms = self.mechanisms.borrow();
        let same = mechanisms.iter().filter(|(one, _)| *one == mechanism);
        same.map(|(_, detail)| detail.clone()).collect()
    }

    /// Whose identity `what` happened to, and why.
    pub(crate) fn identities(&self, what: &str) -> Vec<(String, String)> {
        of(&self.identities.borrow(), what)
    }

    /// Whose configuration `what` happened to, and why.
    pub(crate) fn configs(&self, what: &str) -> Vec<(String, String)> {
        of(&self.configs.borrow(), what)
    }
}

fn of(all: &[(String, String, String)], what: &str) -> Vec<(String, String)> {
    let same = all.iter().filter(|(one, ..)| one == what);
    same.map(|(_, whose, why)| (whose.clone(), why.clone()))
        .collect()
}

impl Observer for Story {
    fn observe(&self, _at: Instant, event: &Event<'_>) {
        match event {
            Event::Request(request) => self.requests.borrow_mut().push(Told {
                direction: request.direction,
                status: request.status,
                flags: request.flags.to_string(),
                details: request.details.to_owned(),
                attempts: request.attempts,
                peer: request.peer.to_owned(),
                tls: request.downstream_tls,
            }),
            Event::Mechanism(acted) => {
                let entry = (acted.mechanism, acted.detail.to_owned());
                self.mechanisms.borrow_mut().push(entry);
            }
            Event::Identity(event) => self.identities.borrow_mut().push((
                event.what.to_owned(),
                event.identity.to_owned(),
                event.why.to_owned(),
            )),
            Event::Config(event) => self.configs.borrow_mut().push((
                event.what.to_owned(),
                event.workload.to_owned(),
                event.why.to_owned(),
            )),
            Event::Attempt(_) | Event::Connection(_) | Event::Ejection(_) => {}
        }
    }
}
