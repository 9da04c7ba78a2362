//! Configuration and certificates on the move.
//!
//! A push, an ACK or a rotation may be told by both of its ends. What the
//! control plane tells is taken; where it tells nothing of the sort, what the
//! sidecars tell.

use std::collections::BTreeMap;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{ConfigEvent, IdentityEvent};
use meshquake_reports::{ControlPlaneReport, LatencyHistogram};

use super::edge::nanos;

/// Who tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Teller {
    /// The control plane.
    ControlPlane,
    /// A sidecar.
    Sidecar,
}

/// A count by teller.
#[derive(Default)]
struct Tally {
    control_plane: u64,
    sidecars: u64,
}

impl Tally {
    fn add(&mut self, teller: Teller) {
        match teller {
            Teller::ControlPlane => self.control_plane += 1,
            Teller::Sidecar => self.sidecars += 1,
        }
    }

    const fn told(&self) -> u64 {
        if self.control_plane > 0 {
            self.control_plane
        } else {
            self.sidecars
        }
    }
}

/// The control plane's account.
#[derive(Default)]
pub(super) struct ControlPlane {
    pushes: Tally,
    acks: Tally,
    nacks: Tally,
    connects: Tally,
    disconnects: Tally,
    issued: Tally,
    rotated: Tally,
    refused: Tally,
    failed: Tally,
    version: u64,
    /// The last push to each workload, on the control plane's clock, until it is acknowledged.
    pending: BTreeMap<Box<str>, (u64, Instant)>,
    push_to_ack: LatencyHistogram,
}

impl ControlPlane {
    pub(super) fn config(&mut self, at: Instant, teller: Teller, event: &ConfigEvent<'_>) {
        let tally = match event.what {
            "push" => &mut self.pushes,
            "ack" => &mut self.acks,
            "nack" => &mut self.nacks,
            "connect" => &mut self.connects,
            "disconnect" => &mut self.disconnects,
            _ => return,
        };
        tally.add(teller);
        if event.what == "push" {
            self.version = self.version.max(event.version);
        }
        if teller == Teller::ControlPlane {
            self.clock(at, event);
        }
    }

    /// Measures pushes on one clock, the control plane's.
    fn clock(&mut self, at: Instant, event: &ConfigEvent<'_>) {
        match event.what {
            "push" => {
                self.pending
                    .insert(event.workload.into(), (event.version, at));
            }
            "ack" => {
                let pending = self.pending.get(event.workload).copied();
                if let Some((version, pushed)) = pending
                    && version == event.version
                {
                    self.push_to_ack.record(nanos(at.since(pushed)));
                    self.pending.remove(event.workload);
                }
            }
            "disconnect" => {
                self.pending.remove(event.workload);
            }
            _ => {}
        }
    }

    pub(super) fn identity(&mut self, teller: Teller, event: &IdentityEvent<'_>) {
        let tally = match event.what {
            "issue" => &mut self.issued,
            "rotate" => &mut self.rotated,
            "refuse" => &mut self.refused,
            "fail" => &mut self.failed,
            _ => return,
        };
        tally.add(teller);
    }

    pub(super) fn report(&self) -> ControlPlaneReport {
        ControlPlaneReport {
            pushes: self.pushes.told(),
            acks: self.acks.told(),
            nacks: self.nacks.told(),
            connects: self.connects.told(),
            disconnects: self.disconnects.told(),
            version: self.version,
            push_to_ack_ms: self.push_to_ack.summary(),
            svids_issued: self.issued.told(),
            svids_rotated: self.rotated.told(),
            svids_refused: self.refused.told(),
            svids_failed: self.failed.told(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(what: &str, version: u64) -> ConfigEvent<'_> {
        ConfigEvent {
            what,
            version,
            workload: "reviews-v1-0",
            why: "",
        }
    }

    #[test]
    fn an_ack_told_twice_counts_once() {
        let mut plane = ControlPlane::default();
        plane.config(
            Instant::from_nanos(0),
            Teller::ControlPlane,
            &config("push", 3),
        );
        plane.config(
            Instant::from_nanos(900_000),
            Teller::Sidecar,
            &config("ack", 3),
        );
        plane.config(
            Instant::from_nanos(1_000_000),
            Teller::ControlPlane,
            &config("ack", 3),
        );
        let told = plane.report();
        assert_eq!((told.pushes, told.acks, told.version), (1, 1, 3));
        assert_eq!(told.push_to_ack_ms.unwrap().max, 1.0);
    }

    #[test]
    fn an_ack_of_an_older_version_is_not_timed() {
        let mut plane = ControlPlane::default();
        plane.config(
            Instant::from_nanos(0),
            Teller::ControlPlane,
            &config("push", 3),
        );
        plane.config(
            Instant::from_nanos(5),
            Teller::ControlPlane,
            &config("push", 4),
        );
        plane.config(
            Instant::from_nanos(9),
            Teller::ControlPlane,
            &config("ack", 3),
        );
        assert_eq!(plane.report().push_to_ack_ms, None);
    }
}
