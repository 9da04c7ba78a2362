//! Plans to begin with.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_core::control::{Locality, Workload, WorkloadState};

use crate::plan::{
    AppPlan, CancelPolicy, EndpointPlan, Load, QueueOrder, RequestPlan, TrafficPlan,
};

/// An app that does `endpoint` with unlimited workers.
pub(crate) fn app(endpoint: EndpointPlan) -> AppPlan {
    AppPlan {
        workers: None,
        queue_max: None,
        queue_order: QueueOrder::Fifo,
        cancel: CancelPolicy::Stop,
        endpoints: Vec::new(),
        fallback: endpoint,
        process: Default::default(),
    }
}

/// A source that calls `authority`.
pub(crate) fn source(authority: &str, load: Load) -> TrafficPlan {
    TrafficPlan {
        name: "clients".to_owned(),
        workload: Workload {
            name: "clients".into(),
            namespace: "default".into(),
            ip: [10, 0, 0, 9].into(),
            labels: BTreeMap::new(),
            service_account: "default".into(),
            meshed: false,
            locality: Locality::default(),
            state: WorkloadState::Ready,
        },
        request: RequestPlan {
            authority: authority.to_owned(),
            service: "a".to_owned(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body_bytes: 0,
        },
        load,
        bursts: Vec::new(),
        start: Duration::ZERO,
        stop: None,
        timeout: None,
        client: Default::default(),
    }
}
