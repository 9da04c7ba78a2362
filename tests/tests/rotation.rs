//! A day and an hour of a mesh's life: certificates of a day are replaced at
//! half time, and no request notices.
//!
//! Istio gives a workload a certificate of 24 h (`DefaultWorkloadCertTTL`,
//! security/pkg/cmd/constants.go) and renews it at half its life, 1 % earlier
//! or later (`SECRET_GRACE_PERIOD_RATIO` 0.5 and its jitter 0.01,
//! pilot/cmd/pilot-agent/options/options.go). So the first renewal of every workload is due between
//! 11 h 45.6 min and 12 h 14.4 min after its first certificate, and the second
//! within twice that margin of 24 h.

use std::time::Duration;

use meshquake::plan::{Distribution, Plan};
use meshquake_tests::mesh::{self, Ran, observe};

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// Four pods: two of a service, and two clients with sidecars of their own.
const WORKLOADS: u64 = 4;

/// One client is never idle for long. The other comes every 70 minutes, and a
/// sidecar closes what was idle for an hour (Envoy's `idle_timeout`), so it
/// needs a handshake each time.
fn mesh_for(duration: Duration) -> Plan {
    let link = Distribution::Constant(Duration::from_micros(500));
    let mut plan = mesh::empty(24, link, duration);
    mesh::add_service(&mut plan, "web", 2, mesh::echo());
    mesh::add_client(&mut plan, "regular", "web", mesh::evenly(0.02));
    mesh::add_client(&mut plan, "rare", "web", mesh::evenly(1.0 / 4200.0));
    plan
}

fn days_of(duration: Duration) -> Ran {
    let ran = observe(&mesh_for(duration));
    for (name, traffic) in &ran.report.traffic {
        assert_eq!(traffic.failed, 0, "{name}: {:?}", traffic.unanswered);
        assert_eq!(traffic.succeeded, traffic.requests, "{name}");
    }
    let plane = &ran.report.control_plane;
    assert_eq!(
        plane.svids_issued,
        WORKLOADS + plane.svids_rotated,
        "each starts with one"
    );
    assert_eq!((plane.svids_refused, plane.svids_failed), (0, 0));
    ran
}

/// No workload can renew twice in half an hour, so a count that grows by the number of workloads between two points half
/// an hour apart, and not at all before and after, is one renewal of each.
#[test]
fn every_certificate_is_rotated_at_half_its_life() {
    let rotated = |duration| days_of(duration).report.control_plane.svids_rotated;
    assert_eq!(rotated(minutes(11 * 60 + 45)), 0);
    assert_eq!(rotated(minutes(12 * 60 + 15)), WORKLOADS);
    assert_eq!(rotated(minutes(23 * 60 + 31)), WORKLOADS);
}

#[test]
fn a_day_and_an_hour_pass_without_a_failed_request() {
    let Ran { report, requests } = days_of(minutes(25 * 60));
    assert_eq!(report.control_plane.svids_rotated, 2 * WORKLOADS);
    assert!(report.traffic["regular"].requests >= 1790);

    // Handshakes went on after the first certificates had expired: both ends show what they got since.
    let expired = Duration::from_secs(24 * 3600).as_nanos();
    let fresh = requests.iter().filter(|request| {
        let handshake = request.split().pool_ns > 0;
        handshake && request.traffic == "rare" && u128::from(request.intended_ns) > expired
    });
    assert!(fresh.count() >= 1);
    let rare = requests.iter().filter(|request| request.traffic == "rare");
    assert!(rare.clone().count() >= 20);
    assert!(
        rare.into_iter().all(|request| request.split().pool_ns > 0),
        "each of them finds its connection gone"
    );
}
