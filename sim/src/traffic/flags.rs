//! What a client cannot see of its own request: the response flags.
//!
//! Envoy keeps response flags for its access log and tells them to nobody
//! else, so a client only has them if its sidecar adds a header. A simulator
//! can do better: it overhears the sidecar's own report of the request, which
//! also covers requests that never got an answer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mesh_core::seam::Instant;
use mesh_core::telemetry::{AccessNotes, Direction, Event, Observer, RequestEvent, ResponseFlags};

use super::observe::TrafficObserver;
use crate::record::TrafficEvent;

/// Hears a source and its sidecar, passes everything on, and remembers the
/// response flags of requests in flight. It is the observer of both.
pub struct FlagProbe {
    sidecar: Rc<dyn Observer>,
    source: Rc<dyn TrafficObserver>,
    in_flight: RefCell<BTreeMap<u128, Option<ResponseFlags>>>,
}

impl FlagProbe {
    /// A probe that passes the sidecar's events on to `sidecar` and the source's to `source`.
    pub fn new(sidecar: Rc<dyn Observer>, source: Rc<dyn TrafficObserver>) -> Self {
        Self {
            sidecar,
            source,
            in_flight: RefCell::default(),
        }
    }
}

impl Observer for FlagProbe {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        if let Event::Request(request) = event
            && request.direction == Direction::Outbound
            && let Some(flags) = self.in_flight.borrow_mut().get_mut(&request.trace)
        {
            *flags = Some(request.flags);
        }
        self.sidecar.observe(at, event);
    }

    fn keeps_access_log(&self) -> bool {
        self.sidecar.keeps_access_log()
    }

    fn log_access(&self, pass: &RequestEvent<'_>, notes: &AccessNotes) {
        self.sidecar.log_access(pass, notes);
    }
}

impl TrafficObserver for FlagProbe {
    fn traffic(&self, at: Instant, event: &TrafficEvent<'_>) {
        match event {
            TrafficEvent::Sent(sent) => {
                self.in_flight.borrow_mut().insert(sent.trace, None);
            }
            TrafficEvent::Ended(ended) => {
                self.in_flight.borrow_mut().remove(&ended.trace);
            }
        }
        self.source.traffic(at, event);
    }

    fn hears_sidecar(&self) -> bool {
        true
    }

    fn flags(&self, trace: u128) -> Option<ResponseFlags> {
        self.in_flight.borrow().get(&trace).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use mesh_core::seam::Seams;
    use mesh_core::telemetry::{NullObserver, RequestTiming, ResponseFlag, TlsState};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::app::testbed::{Log, Testbed, direct, source};
    use crate::plan::{ExpectedOutcome, Load, ScriptedRequest};
    use crate::traffic::drive;

    const ADDRESS: &str = "127.0.0.1:15001";

    /// Answers one request with 503 and reports it a moment later, as a sidecar may.
    async fn sidecar(seams: Seams, probe: Rc<FlagProbe>, trace: u128) {
        let address: SocketAddr = ADDRESS.parse().unwrap();
        let mut listener = seams.network.listen(address).await.unwrap();
        let mut connection = listener.accept().await.unwrap();
        let mut head = [0; 1000];
        assert_ne!(connection.io.read(&mut head).await.unwrap(), 0);
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        connection.io.write_all(answer).await.unwrap();
        let event = RequestEvent {
            direction: Direction::Outbound,
            trace,
            start: seams.now(),
            duration: Duration::ZERO,
            method: "GET",
            authority: ADDRESS,
            path: "/",
            route: "",
            cluster: "",
            upstream: "",
            status: 503,
            flags: ResponseFlag::UpstreamOverflow.into(),
            details: "",
            attempts: 0,
            request_bytes: 0,
            response_bytes: 0,
            timing: RequestTiming::default(),
            peer: "",
            downstream_tls: TlsState::Plain,
        };
        probe.observe(seams.now(), &Event::Request(event));
    }

    #[test]
    fn a_client_learns_the_flags_of_its_failure() {
        let bed = Testbed::new(1);
        let log = Rc::new(Log::default());
        let probe = Rc::new(FlagProbe::new(Rc::new(NullObserver), log.clone()));
        let mut request = source(ADDRESS, Load::Script(Vec::new())).request;
        let traceparent = "00-0000000000000000000000000000002a-000000000000002b-01";
        request
            .headers
            .push(("traceparent".to_owned(), traceparent.to_owned()));
        let script = vec![ScriptedRequest {
            at: Duration::ZERO,
            request,
            expect: ExpectedOutcome {
                flags: Some("UO".to_owned()),
                at_most: Some(Duration::ZERO),
                ..ExpectedOutcome::default()
            },
            place: String::new(),
        }];
        bed.spawn(sidecar(bed.seams(), probe.clone(), 0x2a));
        let plan = source(ADDRESS, Load::Script(script));
        bed.spawn(drive(
            bed.seams(),
            plan,
            direct(),
            Instant::ZERO,
            Instant::NEVER,
            probe,
            Rc::default(),
        ));
        bed.run();
        let ended = &log.ended.borrow()[0];
        assert_eq!(
            (ended.trace, ended.flags.as_str(), ended.check.as_str()),
            (0x2a, "UO", "Met")
        );
    }
}
