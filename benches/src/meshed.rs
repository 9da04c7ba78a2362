//! The mesh path: what a request costs through real sidecars.
//!
//! The same clients, links, load and body sizes as the [bare path](crate::bare),
//! as a whole Meshquake run: Istio's defaults with automatic mutual TLS, routing,
//! load balancing, retry policy, the recorder and its digest.

use std::cell::Cell;
use std::time::Duration;

use meshquake::plan::Plan;
use meshquake::world::{RunError, RunOptions, run};
use meshquake_tests::mesh;

use crate::bare::Bare;

/// The plan of `load` for meshed pods: half of them clients, each calling a service of its own of one pod.
pub fn plan(load: &Bare) -> Plan {
    let mut plan = mesh::empty(1, load.latency.clone(), load.duration);
    let pairs = load.pods / 2;
    let mut app = mesh::echo();
    app.fallback.response_bytes = load.body_bytes as u64;
    for pair in 0..pairs {
        let (client, server) = (format!("client-{pair}"), format!("server-{pair}"));
        mesh::add_service(&mut plan, &server, 1, app.clone());
        let rate = mesh::evenly(load.per_second / f64::from(pairs));
        mesh::add_client(&mut plan, &client, &server, rate);
    }
    for (pair, source) in plan.traffic.iter_mut().enumerate() {
        source.request.method = "POST".into();
        source.request.body_bytes = load.body_bytes as u64;
        // One after the other, as the bare clients send.
        source.start = Duration::from_secs_f64(pair as f64 / load.per_second);
    }
    plan
}

/// Runs the load to its end; `mark` is told how many requests have ended, at every `slice` of virtual time from
/// `warm` on.
///
/// # Errors
/// The world broke.
///
/// # Panics
/// When a request was not answered 200.
pub fn slices(
    load: &Bare,
    warm: Duration,
    slice: Duration,
    mark: impl Fn(u64) + 'static,
) -> Result<(), RunError> {
    let next = Cell::new(warm);
    let options = RunOptions {
        progress: Box::new(move |reached, ended| {
            if reached >= next.get() {
                next.set(next.get() + slice);
                mark(ended);
            }
        }),
        ..RunOptions::default()
    };
    let report = run(&plan(load), options)?;
    let failed: u64 = report.traffic.values().map(|source| source.failed).sum();
    assert_eq!(failed, 0, "a request failed");
    Ok(())
}
