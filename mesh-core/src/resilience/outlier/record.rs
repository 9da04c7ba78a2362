//! What is remembered of one endpoint, and when it is too much.

use super::share::Tally;
use super::{AttemptFailure, Observation};
use crate::policy::OutlierDetection;
use crate::seam::Instant;
use crate::telemetry::EjectionReason;

/// What is remembered of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) in_a_row_5xx: u32,
    pub(super) in_a_row_gateway: u32,
    pub(super) in_a_row_local: u32,
    pub(super) answers: Tally,
    pub(super) local: Tally,
    /// Ejections, less the steps taken back: the ejection time in base times.
    pub(super) multiplier: u32,
    pub(super) ejected_at: Instant,
    pub(super) returned_at: Option<Instant>,
}

impl Record {
    /// Counts a result; the thresholds it reached. A threshold is reached when
    /// the count *equals* it, so a count that ran past it stays silent.
    pub(super) fn take(
        &mut self,
        policy: &OutlierDetection,
        observation: Observation,
    ) -> [Option<EjectionReason>; 2] {
        match observation {
            Observation::Answer(status) => self.answered(policy, status),
            Observation::Connected if policy.split_local_origin => {
                self.local.add(true);
                self.in_a_row_local = 0;
                [None; 2]
            }
            Observation::Connected
            | Observation::Failure(AttemptFailure::Overflow | AttemptFailure::NoEndpoint) => {
                [None; 2] // says nothing of the endpoint
            }
            Observation::Failure(_) if policy.split_local_origin => {
                self.local.add(false);
                self.in_a_row_local = self.in_a_row_local.saturating_add(1);
                let reached = policy.consecutive_local == Some(self.in_a_row_local);
                [reached.then_some(EjectionReason::ConsecutiveLocal), None]
            }
            Observation::Failure(AttemptFailure::Timeout | AttemptFailure::PerTryTimeout) => {
                self.answered(policy, 504)
            }
            Observation::Failure(_) => self.answered(policy, 503),
        }
    }

    fn answered(&mut self, policy: &OutlierDetection, status: u16) -> [Option<EjectionReason>; 2] {
        let failed = (500..600).contains(&status);
        self.answers.add(!failed);
        if !failed {
            (self.in_a_row_5xx, self.in_a_row_gateway) = (0, 0);
            return [None; 2];
        }
        self.in_a_row_5xx = self.in_a_row_5xx.saturating_add(1);
        let gateway = (502..=504).contains(&status);
        self.in_a_row_gateway = if gateway {
            self.in_a_row_gateway.saturating_add(1)
        } else {
            0
        };
        let reached_gateway = gateway && policy.consecutive_gateway == Some(self.in_a_row_gateway);
        let reached_5xx = policy.consecutive_5xx == Some(self.in_a_row_5xx);
        [
            reached_gateway.then_some(EjectionReason::ConsecutiveGateway),
            reached_5xx.then_some(EjectionReason::Consecutive5xx),
        ]
    }

    /// Begins counting anew after a threshold, whether or not it led to an ejection.
    pub(super) fn restart(&mut self, reason: EjectionReason) {
        match reason {
            EjectionReason::Consecutive5xx => self.in_a_row_5xx = 0,
            EjectionReason::ConsecutiveGateway => self.in_a_row_gateway = 0,
            EjectionReason::ConsecutiveLocal => self.in_a_row_local = 0,
            EjectionReason::SuccessRate | EjectionReason::FailurePercentage => {}
        }
    }
}
