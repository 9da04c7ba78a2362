//! Queueing theory through the whole mesh: a request goes from its client
//! through two sidecars and mutual TLS to an app, and spends there, to the
//! nanosecond, the time that theory says.

mod conservation;
mod limits;
mod market;
mod queues;

use std::time::Duration;

use meshquake::plan::{Distribution, Plan};
use meshquake_tests::mesh;
use meshquake_tests::theory::{PoissonArrivals, ServiceTimes, kiefer_wolfowitz, mean};

/// Mean time of service.
const SERVICE: Duration = Duration::from_millis(2);
const SERVICE_NS: f64 = 2e6;

/// Long enough for any line in these tests to empty.
const DRAIN: Duration = Duration::from_secs(1);

/// A run in which about `requests` of them are sent at `per_second`, and all end.
fn mesh_for(seed: u64, requests: f64, per_second: f64, one_way: Duration) -> Plan {
    let sending = Duration::from_secs_f64(requests / per_second);
    mesh::empty(seed, Distribution::Constant(one_way), sending + DRAIN)
}

fn add_poisson(plan: &mut Plan, name: &str, per_second: f64) {
    mesh::add_client(plan, name, "echo", mesh::poisson(per_second));
    let stop = plan.duration - DRAIN;
    plan.traffic
        .iter_mut()
        .for_each(|traffic| traffic.stop = Some(stop));
}

fn arrivals(plan: &Plan, client: &str, per_second: f64) -> Vec<u64> {
    let stop = (plan.duration - DRAIN).as_nanos() as u64;
    let arrivals = PoissonArrivals::new(plan.seed, client, per_second);
    arrivals.take_while(|at| *at < stop).collect()
}

/// Service times at the first pod.
fn services(seed: u64, count: usize) -> Vec<u64> {
    ServiceTimes::new(seed, "echo-0", SERVICE)
        .take(count)
        .collect()
}

/// Mean wait in service times of `count` requests, by the recursion alone.
fn recursion(seed: u64, workers: u32, rate: f64, count: usize) -> f64 {
    let arrivals: Vec<u64> = PoissonArrivals::new(seed, "client", rate)
        .take(count)
        .collect();
    let services = services(seed, count);
    mean(kiefer_wolfowitz(&arrivals, &services, workers as usize)) / SERVICE_NS
}
