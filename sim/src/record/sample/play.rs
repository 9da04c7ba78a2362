//! A whole small run, event by event.

use std::rc::Rc;
use std::time::Duration;

use mesh_core::telemetry::{
    AttemptEvent, ConfigEvent, ConnectionEvent, Direction, EjectionEvent, EjectionReason, Event,
    IdentityEvent, Mechanism, MechanismEvent, Observer, RequestEvent, ResponseFlag, TlsState,
};

use super::{REVIEWS, at, attempt, ended, in_app, sent, through_sidecar};
use crate::record::{
    AppArrival, AppEvent, Check, FaultEvent, FaultPhase, PodChange, PodEvent, Recorder,
    RequestEnded, TrafficEvent, TrafficOutcome,
};

/// Plays a whole small run to `recorder`: every family of events at least once.
pub(crate) fn play(recorder: &Rc<Recorder>) {
    let control = recorder.observer("istiod", "istiod");
    let shoppers = recorder.observer("client-shoppers", "shoppers");
    let probe = recorder.observer("client-probe", "probe");
    let reviews = recorder.observer("reviews-v1-1", "reviews");
    begin(&*control);
    first(recorder, &*shoppers, &*reviews);
    retried(recorder, &*shoppers, &*reviews);
    given_up(recorder, &*shoppers);
    recorder.traffic(at(59_900_000), &sent("shoppers", 3, 4, 59_900_000));
    script_begins(recorder, &*probe);
}

fn begin(control: &dyn Observer) {
    let identity = "spiffe://cluster.local/ns/default/sa/default";
    let issue = IdentityEvent {
        what: "issue",
        identity,
        not_after: 1_767_312_000,
        why: "",
    };
    control.observe(at(10), &Event::Identity(issue));
    for (us, what) in [(20, "push"), (1_120, "ack")] {
        let config = ConfigEvent {
            what,
            version: 1,
            workload: "client-shoppers",
            why: "",
        };
        control.observe(at(us), &Event::Config(config));
    }
}

/// Answered at once: 1 ms of queue, 4 ms of work, 0.5 ms of network, 0.25 ms of handshake, 0.25 ms of sidecar.
fn first(recorder: &Recorder, shoppers: &dyn Observer, reviews: &dyn Observer) {
    recorder.traffic(at(1_000_000), &sent("shoppers", 0, 1, 1_000_000));
    let connection = ConnectionEvent {
        cluster: REVIEWS,
        upstream: "reviews-v1-1",
        address: ([10, 0, 0, 2], 9080).into(),
        what: "open",
        why: "",
        duration: Duration::from_micros(250),
        tls: TlsState::Mutual,
    };
    shoppers.observe(at(1_000_250), &Event::Connection(connection));
    visit(
        recorder,
        &in_app("reviews-v1-1", 1, 1_000_500, 1_000, 4_000),
    );
    let_in(reviews, 1, 1_000_500, 5_000);
    shoppers.observe(
        at(1_005_750),
        &Event::Attempt(attempt(1, 1, 1_000_250, 5_500)),
    );
    let request = through_sidecar(1, 1_000_000, [0, 0, 250, 5_500, 250]);
    shoppers.observe(at(1_006_000), &Event::Request(request));
    let end = ended(
        "shoppers",
        0,
        1,
        1_000_000,
        6_000,
        TrafficOutcome::Answered(200),
    );
    recorder.traffic(at(1_006_000), &TrafficEvent::Ended(end));
}

/// The sidecar of reviews sends a request to its app, and its answer back.
fn let_in(reviews: &dyn Observer, trace: u128, start_us: u64, duration_us: u64) {
    let to_app = AttemptEvent {
        direction: Direction::Inbound,
        cluster: "inbound|9080||",
        tls: TlsState::Plain,
        ..attempt(trace, 1, start_us, duration_us)
    };
    let end = at(start_us + duration_us);
    reviews.observe(end, &Event::Attempt(to_app));
    let inbound = RequestEvent {
        direction: Direction::Inbound,
        cluster: "inbound|9080||",
        peer: "spiffe://cluster.local/ns/default/sa/default",
        downstream_tls: TlsState::Mutual,
        ..through_sidecar(trace, start_us, [0, 0, 0, duration_us, 0])
    };
    reviews.observe(end, &Event::Request(inbound));
}

/// The pod crashes, the attempt to it fails, a second one succeeds; the pod is ejected.
fn retried(recorder: &Recorder, shoppers: &dyn Observer, reviews: &dyn Observer) {
    let crash = |phase, pods| FaultEvent {
        drawn: &[],
        index: 0,
        name: "crash reviews-v1-0",
        phase,
        pods,
        packets: 0,
        requests: 0,
    };
    recorder.fault(at(10_000_000), &crash(FaultPhase::Began, 1));
    let pod = PodEvent {
        pod: "reviews-v1-0",
        change: PodChange::Crashed,
    };
    recorder.pod(at(10_000_000), &pod);
    recorder.traffic(at(11_000_000), &sent("shoppers", 1, 2, 11_000_000));
    let failed = AttemptEvent {
        upstream: "reviews-v1-0",
        status: 0,
        flags: ResponseFlag::UpstreamConnectionFailure.into(),
        tls: TlsState::Plain,
        ..attempt(2, 1, 11_000_000, 500)
    };
    shoppers.observe(at(11_000_500), &Event::Attempt(failed));
    let retry = MechanismEvent {
        mechanism: Mechanism::Retry,
        subject: REVIEWS,
        detail: "",
    };
    shoppers.observe(at(11_000_500), &Event::Mechanism(retry));
    let ejection = EjectionEvent {
        cluster: REVIEWS,
        upstream: "reviews-v1-0",
        reason: Some(EjectionReason::ConsecutiveLocal),
        ejected_for: Duration::from_secs(30),
        ejected_now: 1,
        endpoints: 2,
    };
    shoppers.observe(at(11_000_500), &Event::Ejection(ejection));
    visit(recorder, &in_app("reviews-v1-1", 2, 11_025_750, 0, 4_250));
    let_in(reviews, 2, 11_025_750, 4_250);
    shoppers.observe(
        at(11_030_250),
        &Event::Attempt(attempt(2, 2, 11_025_500, 4_750)),
    );
    let request = RequestEvent {
        attempts: 2,
        ..through_sidecar(2, 11_000_000, [0, 25_000, 500, 4_750, 0])
    };
    shoppers.observe(at(11_030_250), &Event::Request(request));
    let end = ended(
        "shoppers",
        1,
        2,
        11_000_000,
        30_250,
        TrafficOutcome::Answered(200),
    );
    recorder.traffic(at(11_030_250), &TrafficEvent::Ended(end));
    recorder.fault(at(15_000_000), &crash(FaultPhase::Ended, 1));
}

/// The client gives up after 2 s; its sidecar learns of it afterwards.
fn given_up(recorder: &Recorder, shoppers: &dyn Observer) {
    recorder.traffic(at(20_000_000), &sent("shoppers", 2, 3, 20_000_000));
    let end = ended(
        "shoppers",
        2,
        3,
        20_000_000,
        2_000_000,
        TrafficOutcome::Timeout,
    );
    let end = RequestEnded {
        upstream: "",
        ..end
    };
    recorder.traffic(at(22_000_000), &TrafficEvent::Ended(end));
    let gone = ResponseFlag::DownstreamConnectionTermination;
    let attempt = AttemptEvent {
        status: 0,
        flags: gone.into(),
        ..attempt(3, 1, 20_000_000, 2_000_000)
    };
    shoppers.observe(at(22_000_000), &Event::Attempt(attempt));
    let request = RequestEvent {
        status: 0,
        flags: gone.into(),
        details: "downstream_remote_disconnect",
        ..through_sidecar(3, 20_000_000, [0, 0, 0, 2_000_000, 0])
    };
    shoppers.observe(at(22_000_000), &Event::Request(request));
}

/// A demanded 503 came; then a 503 where a 200 was demanded; the third request lies beyond the run.
fn script_begins(recorder: &Recorder, probe: &dyn Observer) {
    for (sequence, check) in [
        (0, Check::Met),
        (1, Check::Missed("the status was 503, not 200")),
    ] {
        let start = (sequence + 1) * 1_000_000;
        let trace = 100 + u128::from(sequence);
        recorder.traffic(at(start), &sent("probe", sequence, trace, start));
        let request = RequestEvent {
            status: 503,
            flags: ResponseFlag::NoHealthyUpstream.into(),
            details: "no_healthy_upstream",
            upstream: "",
            attempts: 0,
            ..through_sidecar(trace, start, [0; 5])
        };
        probe.observe(at(start), &Event::Request(request));
        let end = RequestEnded {
            flags: "UH",
            upstream: "",
            check,
            ..ended(
                "probe",
                sequence,
                trace,
                start,
                0,
                TrafficOutcome::Answered(503),
            )
        };
        recorder.traffic(at(start), &TrafficEvent::Ended(end));
    }
}

/// A request that came to an app, and that it is done with.
fn visit(recorder: &Recorder, event: &AppEvent<'_>) {
    let arrival = AppArrival {
        pod: event.pod,
        service: event.service,
        queue: event.queue,
    };
    recorder.arrived(event.arrived, &arrival);
    recorder.app(event.ended, event);
}
