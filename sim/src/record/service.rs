//! What a service's pods let in, and what its apps did with it.

use crate::record::quick::Map;
use mesh_core::telemetry::{RequestEvent, ResponseFlags, TlsState};
use meshquake_reports::{InboundReport, LatencyHistogram, ServiceReport};

use super::count::Counts;
use super::edge::{failed, nanos};
use super::event::{AppArrival, AppEvent, AppOutcome};
use crate::plan::Plan;

/// All services, in plan order.
pub(super) struct Services(Map<Box<str>, Service>);

#[derive(Default)]
struct Service {
    requests: u64,
    errors: u64,
    rejected: u64,
    cancelled: u64,
    wasted: u64,
    queue_max: u32,
    queue: LatencyHistogram,
    service: LatencyHistogram,
    inbound: Inbound,
}

#[derive(Default)]
struct Inbound {
    requests: u64,
    failed: u64,
    mutual: u64,
    flags: Counts<ResponseFlags>,
}

impl Services {
    pub(super) fn new(plan: &Plan) -> Self {
        let names = plan.pods.iter().map(|pod| pod.service.as_str());
        Self(
            names
                .map(|name| (name.into(), Service::default()))
                .collect(),
        )
    }

    fn of(&mut self, name: &str) -> &mut Service {
        if !self.0.contains_key(name) {
            self.0.insert(name.into(), Service::default());
        }
        &mut self.0[name]
    }

    /// A request has arrived at an app.
    pub(super) fn arrived(&mut self, arrival: &AppArrival<'_>) {
        let service = self.of(arrival.service);
        service.queue_max = service.queue_max.max(arrival.queue);
    }

    /// An app is done with a request.
    pub(super) fn app(&mut self, event: &AppEvent<'_>) {
        let service = self.of(event.service);
        service.requests += 1;
        match event.outcome {
            AppOutcome::Answered => service.errors += u64::from(failed(event.status)),
            AppOutcome::Abandoned => service.errors += 1,
            AppOutcome::Rejected => {
                service.errors += 1;
                service.rejected += 1;
            }
            AppOutcome::Cancelled => service.cancelled += 1,
            AppOutcome::Wasted => service.wasted += 1,
        }
        if let Some(started) = event.started {
            service.queue.record(nanos(started.since(event.arrived)));
            service.service.record(nanos(event.ended.since(started)));
        }
    }

    /// A sidecar of service `name` is done with a request to its app.
    pub(super) fn inbound(&mut self, name: &str, event: &RequestEvent<'_>) {
        let inbound = &mut self.of(name).inbound;
        inbound.requests += 1;
        inbound.failed += u64::from(failed(event.status));
        inbound.mutual += u64::from(event.downstream_tls == TlsState::Mutual);
        inbound.flags.add(event.flags);
    }

    pub(super) fn report(&self) -> Vec<ServiceReport> {
        self.0
            .iter()
            .map(|(name, service)| service.report(name))
            .collect()
    }
}

impl Service {
    fn report(&self, name: &str) -> ServiceReport {
        let inbound = &self.inbound;
        let mtls = (inbound.requests > 0).then(|| inbound.mutual as f64 / inbound.requests as f64);
        ServiceReport {
            name: name.into(),
            requests: self.requests,
            errors: self.errors,
            rejected: self.rejected,
            cancelled: self.cancelled,
            wasted: self.wasted,
            queue_max: self.queue_max.into(),
            queue_ms: self.queue.summary(),
            service_ms: self.service.summary(),
            inbound: InboundReport {
                requests: inbound.requests,
                failed: inbound.failed,
                mtls,
                flags: inbound.flags.told(|flags| flags.to_string()),
            },
        }
    }
}
