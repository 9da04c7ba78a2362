//! Outlier detection: endpoints that fail are taken out for a while.
//!
//! Failures in a row eject at once, in the middle of an interval; every attempt
//! counts, retries too (case od_counts_retries). A sweep at each interval takes
//! endpoints back whose time is over and judges shares: an endpoint whose
//! success rate is below `mean − factor × standard deviation` of all, or whose
//! failure percentage is too high, goes. The n-th ejection lasts n times the
//! base time, up to a maximum; each interval of good behaviour after a return
//! takes one step back. At most `⌊n × percent / 100⌋` endpoints are out at once:
//! 10 % of three is none (case od_max_ejection_percent).
//!
//! The arithmetic is Envoy's (`source/common/upstream/outlier_detection_impl.cc`).

mod record;
mod share;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use record::Record;
use share::{Tally, above_percentage, below_the_others};

use super::{AttemptFailure, AttemptOutcome, grpc_status, grpc_to_http_status};
use crate::balance::{EndpointId, EndpointSet, EndpointState};
use crate::policy::OutlierDetection;
use crate::seam::Instant;
use crate::telemetry::{EjectionEvent, EjectionReason};

/// A sweep needs some time between it and the next.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Something learned about an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// An attempt got a connection or stream. To be reported for every attempt
    /// before its end, on pooled connections too: it is what makes local failures
    /// *consecutive* (case od_split_local_origin).
    Connected,
    /// An answer with this status.
    Answer(u16),
    /// No answer, or one that broke off. A timeout after the answer's headers says
    /// nothing of the endpoint and is not reported.
    Failure(AttemptFailure),
}

impl Observation {
    /// What an attempt's outcome tells; for gRPC requests the status of a call
    /// that failed at once counts in place of its HTTP 200.
    pub fn of(outcome: &AttemptOutcome<'_>, grpc_request: bool) -> Self {
        match outcome {
            AttemptOutcome::Failure(failure) => Self::Failure(*failure),
            AttemptOutcome::Answer { status, headers } => {
                let grpc = if grpc_request {
                    grpc_status(headers)
                } else {
                    None
                };
                Self::Answer(grpc.map_or(*status, grpc_to_http_status))
            }
        }
    }
}

/// An endpoint was ejected or returned.
#[derive(Clone, Debug)]
pub struct EjectionChange {
    /// The endpoint.
    pub endpoint: Rc<EndpointState>,
    /// Why it was ejected; `None` means it is so no longer: it returned, or has left the cluster.
    pub reason: Option<EjectionReason>,
    /// For how long at least; zero when it returned.
    pub ejected_for: Duration,
    /// How many endpoints are out now.
    pub ejected_now: u32,
    /// How many there are.
    pub endpoints: u32,
}

impl EjectionChange {
    /// As an event of `cluster`.
    pub fn event<'a>(&'a self, cluster: &'a str) -> EjectionEvent<'a> {
        EjectionEvent {
            cluster,
            upstream: self.endpoint.workload(),
            reason: self.reason,
            ejected_for: self.ejected_for,
            ejected_now: self.ejected_now,
            endpoints: self.endpoints,
        }
    }
}

/// The detector of one cluster in one proxy.
#[derive(Debug)]
pub struct OutlierDetector {
    policy: OutlierDetection,
    endpoints: Rc<EndpointSet>,
    records: RefCell<BTreeMap<EndpointId, Record>>,
    next_sweep: Cell<Instant>,
}

impl OutlierDetector {
    /// A detector over `endpoints`, all of which begin in service; for a changed
    /// policy make a new one. The first sweep is one interval after `now`.
    pub fn new(policy: OutlierDetection, endpoints: Rc<EndpointSet>, now: Instant) -> Self {
        endpoints.restore_all();
        let next_sweep = Cell::new(now + policy.interval.max(INTERVAL_MIN));
        Self {
            policy,
            endpoints,
            records: RefCell::default(),
            next_sweep,
        }
    }

    /// When to call [`sweep`](Self::sweep) next.
    pub fn next_sweep(&self) -> Instant {
        self.next_sweep.get()
    }

    /// Whether a sweep would change nothing: nobody is out, no ejection is remembered, and nothing waits to be
    /// judged by rates. A detector that is quiet needs no sweeps until the next result.
    pub fn is_quiet(&self) -> bool {
        let judges_rates =
            self.policy.success_rate.is_some() || self.policy.failure_percentage.is_some();
        let idle = |record: &Record| {
            let counted = record.answers.all > 0 || record.local.all > 0;
            record.multiplier == 0 && !(judges_rates && counted)
        };
        self.endpoints.ejected() == 0 && self.records.borrow().values().all(idle)
    }

    /// Takes a result; it may eject the endpoint at once.
    pub fn on_result(
        &self,
        endpoint: &Rc<EndpointState>,
        now: Instant,
        observation: Observation,
    ) -> Option<EjectionChange> {
        if endpoint.removed() {
            return None;
        }
        let mut records = self.records.borrow_mut();
        let record = records.entry(endpoint.id()).or_default();
        let mut change = None;
        for reason in record.take(&self.policy, observation).into_iter().flatten() {
            // A result that was under way when its endpoint was ejected changes
            // nothing, and leaves the counter where it is.
            if endpoint.ejected() {
                break;
            }
            change = self.eject(endpoint, record, reason, now);
            record.restart(reason);
        }
        change
    }

    /// Takes endpoints back whose time is over, then judges the interval.
    pub fn sweep(&self, now: Instant) -> Vec<EjectionChange> {
        let interval = self.policy.interval.max(INTERVAL_MIN);
        self.next_sweep.set(now + interval);
        let members = self.endpoints.members().to_vec();
        let mut records = self.records.borrow_mut();
        records.retain(|id, _| members.iter().any(|e| e.id() == *id));
        let mut changes = Vec::new();
        for endpoint in members.iter().filter(|e| e.ejected()) {
            let record = records.entry(endpoint.id()).or_default();
            if now.since(record.ejected_at) >= self.ejection_time(record.multiplier) {
                changes.push(self.take_back(endpoint, record, now));
            }
        }
        let tallies: Vec<_> = members
            .iter()
            .filter_map(|endpoint| {
                let record = records.get_mut(&endpoint.id())?;
                let answers = std::mem::take(&mut record.answers);
                let local = std::mem::take(&mut record.local);
                (!endpoint.ejected()).then(|| (endpoint.clone(), answers, local))
            })
            .collect();
        for (endpoint, reason) in self.outliers(&tallies) {
            let record = records.entry(endpoint.id()).or_default();
            if !endpoint.ejected() {
                changes.extend(self.eject(endpoint, record, reason, now));
            }
        }
        for endpoint in members.iter().filter(|e| !e.ejected()) {
            if let Some(record) = records.get_mut(&endpoint.id())
                && record
                    .returned_at
                    .is_some_and(|at| now.since(at) >= interval)
            {
                record.multiplier = record.multiplier.saturating_sub(1);
            }
        }
        changes
    }

    /// Endpoints to go by their shares. Failure percentages judge answers only,
    /// as long as Envoy's `enforcing_failure_percentage_local_origin` stays 0.
    fn outliers<'a>(
        &self,
        tallies: &'a [(Rc<EndpointState>, Tally, Tally)],
    ) -> Vec<(&'a Rc<EndpointState>, EjectionReason)> {
        let answers: Vec<_> = tallies
            .iter()
            .map(|(e, answers, _)| (e, *answers))
            .collect();
        let local: Vec<_> = tallies.iter().map(|(e, _, local)| (e, *local)).collect();
        let mut out = Vec::new();
        if let Some(rule) = self.policy.success_rate {
            for tallies in [&answers, &local] {
                let far = below_the_others(tallies, rule);
                out.extend(far.into_iter().map(|e| (e, EjectionReason::SuccessRate)));
            }
        }
        if let Some(threshold) = self.policy.failure_percentage {
            let failing = above_percentage(&answers, threshold);
            let reason = EjectionReason::FailurePercentage;
            out.extend(failing.into_iter().map(|e| (e, reason)));
        }
        out
    }

    fn eject(
        &self,
        endpoint: &Rc<EndpointState>,
        record: &mut Record,
        reason: EjectionReason,
        now: Instant,
    ) -> Option<EjectionChange> {
        let (out, all) = (self.endpoints.ejected() as u64, self.endpoints.len() as u64);
        let percent_max = u64::from(self.policy.ejected_percent_max.min(100));
        let fits = 100 * (out + 1) <= percent_max * all;
        let first = self.policy.always_eject_one && out == 0;
        if !(fits || first) {
            return None;
        }
        record.ejected_at = now;
        let base = self.policy.ejection_base;
        if base.saturating_mul(record.multiplier) < self.ejection_max().saturating_add(base) {
            record.multiplier += 1;
        }
        self.endpoints.set_ejected(endpoint, true);
        let ejected_for = self.ejection_time(record.multiplier);
        Some(self.change(endpoint, Some(reason), ejected_for))
    }

    fn take_back(
        &self,
        endpoint: &Rc<EndpointState>,
        record: &mut Record,
        now: Instant,
    ) -> EjectionChange {
        self.endpoints.set_ejected(endpoint, false);
        record.returned_at = Some(now);
        (
            record.in_a_row_5xx,
            record.in_a_row_gateway,
            record.in_a_row_local,
        ) = (0, 0, 0);
        self.change(endpoint, None, Duration::ZERO)
    }

    /// Forgets an endpoint that has [left](EndpointSet::update); the end of its ejection, if it was out. Envoy's
    /// `ejections_active` goes down as well (`source/common/upstream/outlier_detection_impl.cc`, the callback for
    /// changed members).
    pub fn left(&self, endpoint: &Rc<EndpointState>) -> Option<EjectionChange> {
        self.records.borrow_mut().remove(&endpoint.id());
        self.end_ejection(endpoint)
    }

    /// Takes everybody back, for a policy that is no longer in force.
    pub fn retire(&self) -> Vec<EjectionChange> {
        let members = self.endpoints.members().to_vec();
        let back = |endpoint| self.end_ejection(endpoint);
        members.iter().filter_map(back).collect()
    }

    fn end_ejection(&self, endpoint: &Rc<EndpointState>) -> Option<EjectionChange> {
        let was_out = self.endpoints.set_ejected(endpoint, false);
        was_out.then(|| self.change(endpoint, None, Duration::ZERO))
    }

    fn change(
        &self,
        endpoint: &Rc<EndpointState>,
        reason: Option<EjectionReason>,
        ejected_for: Duration,
    ) -> EjectionChange {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        EjectionChange {
            endpoint: endpoint.clone(),
            reason,
            ejected_for,
            ejected_now: count(self.endpoints.ejected()),
            endpoints: count(self.endpoints.len()),
        }
    }

    fn ejection_time(&self, multiplier: u32) -> Duration {
        let time = self.policy.ejection_base.saturating_mul(multiplier);
        time.min(self.ejection_max())
    }

    /// Envoy refuses a maximum below the base.
    fn ejection_max(&self) -> Duration {
        self.policy.ejection_max.max(self.policy.ejection_base)
    }
}

#[cfg(test)]
mod tests;
