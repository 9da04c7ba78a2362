//! The numbers of *Metastable failures in distributed systems* (HotOS 2021): a server that can do 300 requests a
//! second, 280 a second sent to it, a client that waits for a second and tries once more, a line without a bound that
//! serves whoever has gone, and ten seconds in which what the server depends on is slow.

use meshquake_reports::{Recovered, RunReport, Verdict};

use super::report;

const RETRIES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    - retries: { attempts: 1, perTryTimeout: 1s, retryOn: 5xx }
      route: [{ destination: { host: api } }]
";

const NO_RETRIES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: api }
spec:
  hosts: [api]
  http:
    - retries: { attempts: 0 }
      timeout: 1s
      route: [{ destination: { host: api } }]
";

/// A blip of ten seconds at second 10 of a run.
struct Storm {
    /// Of the run, in seconds.
    seconds: u32,
    rate: u32,
    queue: &'static str,
    cancel: &'static str,
    mesh: &'static str,
    blip: &'static str,
    traffic: &'static str,
    expect: &'static str,
}

const STORM: Storm = Storm {
    seconds: 80,
    rate: 280,
    queue: "",
    cancel: "finish",
    mesh: RETRIES,
    blip: "for: 10s, latency: { add: 100ms, from: api, to: dep }",
    traffic: "",
    expect: "{ recovers: shoppers, to: 95%, within: 30s }",
};

fn ran(storm: &Storm) -> RunReport {
    let Storm {
        seconds,
        rate,
        queue,
        cancel,
        mesh,
        blip,
        traffic,
        expect,
    } = storm;
    let yaml = format!(
        "meshquake: v1
name: storm
seed: 3
duration: {seconds}s
mesh: {{ config: [mesh.yaml], proxy-latency: 0s }}
topology: {{ links: {{ same-zone: 10us }} }}
services:
  dep: {{ ports: [80] }}
  api:
    ports: [80]
    service-time: exponential(3293us)
    workers: 1
    cancel: {cancel}
    script: [call: dep]
{queue}
traffic:
  shoppers: {{ to: http://api/, rate: poisson({rate}/s), timeout: 2500ms{traffic} }}
faults:
  - {{ name: blip, at: 10s, {blip} }}
expect:
  - {expect}
"
    );
    report(&yaml, mesh)
}

#[test]
fn a_retry_storm_stays_broken_and_the_report_says_why() {
    let told = ran(&STORM);
    assert_eq!(told.verdict, Verdict::Metastable, "{:?}", told.failures);
    let recovery = &told.recovery[0];
    assert_eq!(recovery.recovered, Recovered::Metastable);
    assert!(recovery.ratio < 0.05, "{}", recovery.ratio);
    let cause = recovery.sustained_by.as_ref().unwrap();
    let layer = &cause.layers[0];
    assert_eq!(
        (layer.from.as_str(), layer.to.as_str()),
        ("shoppers", "api")
    );
    // One retry of everything: 2 attempts, 560 a second, on 300 a second.
    let attempts = layer.attempts.after.unwrap();
    assert!((attempts - 2.0).abs() < 0.1, "{attempts}");
    assert!((layer.arrivals_per_s.after.unwrap() / 560.0 - 1.0).abs() < 0.05);
    assert!((layer.capacity_per_s.unwrap() / 300.0 - 1.0).abs() < 0.05);
    assert!(layer.utilisation.after.unwrap() > 0.99);
    assert!(layer.wasted.after.unwrap() > 0.95);
    assert!(layer.wait_ms.after.unwrap() > layer.timeout_ms.unwrap());
    let said = told.failures.iter().map(|failure| failure.message.as_str());
    let said = said.collect::<Vec<_>>().join("\n");
    assert!(said.contains("shoppers → api: "), "{said}");
    assert!(said.contains("attempts per request (1.0"), "{said}");
    assert!(said.contains("callers that have gone"), "{said}");
}

#[test]
fn a_bounded_line_recovers() {
    let told = ran(&Storm {
        seconds: 45,
        queue: "    queue: 200",
        ..STORM
    });
    assert_eq!(
        told.recovery[0].recovered,
        Recovered::Yes,
        "{:?}",
        told.recovery
    );
    assert!(told.recovery[0].after_s.unwrap() <= 30.0);
    assert_ne!(told.verdict, Verdict::Metastable);
}

/// Whoever has gone is not served: the line is no longer than its callers are patient.
#[test]
fn without_zombies_it_recovers() {
    let told = ran(&Storm {
        seconds: 45,
        cancel: "stop",
        ..STORM
    });
    assert_eq!(
        told.recovery[0].recovered,
        Recovered::Yes,
        "{:?}",
        told.recovery
    );
}

/// Without retries a drain of ten seconds of load takes ten times its excess: slow, and on its way.
#[test]
fn a_drain_is_slow_and_not_metastable() {
    let told = ran(&Storm {
        seconds: 60,
        mesh: NO_RETRIES,
        ..STORM
    });
    assert_eq!(told.verdict, Verdict::Failed, "{:?}", told.failures);
    assert_eq!(
        told.recovery[0].recovered,
        Recovered::NotYet,
        "{:?}",
        told.recovery
    );
}

#[test]
fn a_fault_that_never_heals_is_no_metastability() {
    let told = ran(&Storm {
        seconds: 30,
        blip: "latency: { add: 100ms, from: api, to: dep }",
        ..STORM
    });
    assert_eq!(told.verdict, Verdict::Failed);
    assert!(told.recovery.is_empty());
    let missed = &told.expectations[0];
    assert!(
        missed.message.contains("had not healed when the run ended"),
        "{}",
        missed.message
    );
}

#[test]
fn more_load_than_capacity_is_no_metastability() {
    let told = ran(&Storm {
        seconds: 50,
        traffic: ", stages: [{ at: 20s, rate: 600/s }]",
        ..STORM
    });
    assert_eq!(told.verdict, Verdict::Failed, "{:?}", told.failures);
    assert_eq!(told.recovery[0].recovered, Recovered::No);
}
