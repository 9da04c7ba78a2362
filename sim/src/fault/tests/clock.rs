//! Faults of clocks.

use super::logged::run_yaml;

#[test]
fn a_drifting_clock_changes_the_pace_of_its_host() {
    let ran = run_yaml(
        r#"
services:
  web: { service-time: 10ms, sidecar: false }
traffic:
  a: { to: "http://web:8080/", rate: constant(100/s), sidecar: false }
  b: { to: "http://web:8080/", rate: constant(100/s), sidecar: false }
faults:
  - { at: 10s, for: 10s, clock: { service: a, drift: -50% } }
"#,
    );
    // 10 s at half the pace are 5 s by its own clock, which shows 25 s when the run ends.
    // Its last request is due in the last instant of the run.
    assert_eq!((ran.of("a").len(), ran.of("b").len()), (2501, 3000));
    assert_eq!(ran.fault().pods, 1);
    ran.assert_told(10.0, 20.0);
}

/// A mesh with strict mTLS, whose connections break at 11 s, under a wrong clock; the statuses of some seconds.
fn broken_at_eleven(clock: &str) -> [Vec<u64>; 3] {
    let ran = run_yaml(&format!(
        r#"
mesh: {{ defaults: {{ mtls: strict, retries: 0 }} }}
services:
  web: {{ service-time: 1ms }}
traffic:
  a: {{ to: "http://web:8080/", rate: constant(20/s) }}
faults:
  - {{ at: 10s, for: 10s, clock: {{ service: a, {clock} }} }}
  - {{ at: 11s, for: 100ms, reset: web }}
"#
    ));
    assert_eq!(ran.fault().pods, 1);
    [(2.0, 10.9), (12.0, 19.9), (21.0, 29.0)].map(|(from, to)| {
        let mut seen: Vec<u64> = ran.within("a", from..to).iter().map(|r| r.status).collect();
        seen.dedup();
        seen
    })
}

#[test]
fn a_wall_clock_ahead_sees_expired_certificates_on_new_connections_until_it_is_right_again() {
    // Certificates last for 24 h. The connection that stands is not asked again.
    assert_eq!(
        broken_at_eleven("offset: 25h"),
        [vec![200], vec![503], vec![200]]
    );
    assert_eq!(
        broken_at_eleven("offset: 1h"),
        [vec![200], vec![200], vec![200]]
    );
}

#[test]
fn a_clock_that_jumped_stays_there() {
    assert_eq!(
        broken_at_eleven("jump: -25h"),
        [vec![200], vec![503], vec![503]]
    );
}
