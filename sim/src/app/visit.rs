//! One request at an app, from its last byte to its answer.
//!
//! A [`Visit`] owns whatever the request occupies: its worker, and the duty to
//! report how it ended. Whoever drops a visit early (hyper, because the caller
//! has gone) thereby frees the worker and reports the visit as abandoned; that
//! is cancel policy "stop". Under "finish" the work runs in a task of its own,
//! and nobody but the host's death can stop it.

use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use mesh_core::seam::Instant;
use mesh_core::telemetry::TraceContext;
use tokio::sync::oneshot;

use super::answer::{AnswerBody, SlowBody};
use super::body::{FillBody, drain};
use super::luck::Luck;
use super::pool::{Place, Worker};
use super::replica::{FAILURE_HEADER, Replica};
use super::script::Script;
use crate::plan::{CancelPolicy, EndpointPlan, ScriptedResponse};
use crate::record::{AppArrival, AppEvent, AppOutcome};

/// Why a request failed that a fault made fail.
const INJECTED: &str = "injected fault";

/// What the caller gets.
pub(super) enum Reply {
    /// An answer.
    Response(Response<AnswerBody>),
    /// The end of its connection.
    Hangup(Hangup),
}

/// Ways to end a connection without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hangup {
    /// Abruptly: what is not yet sent is lost, and TCP says RST.
    Reset,
    /// In order: TCP says FIN.
    Close,
    /// As `Close`, and the port stays closed for this long.
    Refuse(Duration),
}

/// How the work on a request ended.
enum Ending {
    Answer(Answer),
    Failed(String),
    Hangup(Hangup),
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    bytes: u64,
    /// Time from the first byte of the body to the last.
    over: Duration,
}

/// A request at an app.
pub(super) struct Visit {
    replica: Rc<Replica>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    trace: u128,
    arrived: Instant,
    /// Requests waiting for a worker at that time.
    queue: u32,
    started: Option<Instant>,
    worker: Option<Worker>,
    /// The status that a fault makes it be answered after its work.
    failing: Option<u16>,
    /// What to report when it is dropped; `None` once reported.
    if_dropped: Option<AppOutcome>,
}

/// Takes `request` from its first byte to its end.
///
/// # Errors
/// When the request itself is cut off.
pub(super) async fn serve(
    replica: Rc<Replica>,
    request: Request<Incoming>,
) -> Result<Reply, hyper::Error> {
    let (head, body) = request.into_parts();
    drain(body).await?;
    let mut visit = Visit::arrive(replica, head);
    let plan = visit.replica.plan.clone();
    let (index, endpoint) = plan.endpoint(&visit.method, visit.uri.path());
    let luck = visit.replica.fate.draw(index, endpoint);
    match visit.failure() {
        Some((status, true)) => return Ok(Reply::Response(visit.fail_at_once(status))),
        Some((status, false)) => visit.failing = Some(status),
        None => {}
    }
    let Ok(place) = visit.replica.pool.enter() else {
        let full = StatusCode::SERVICE_UNAVAILABLE;
        visit.report(AppOutcome::Rejected, full.as_u16());
        let response = visit.replica.failure(full, "the queue is full");
        return Ok(Reply::Response(response));
    };
    Ok(match plan.cancel {
        CancelPolicy::Stop => {
            let ending = visit.work(place, endpoint, luck).await;
            visit.conclude(ending)
        }
        CancelPolicy::Finish => visit.finish_regardless(place, index, luck).await,
    })
}

impl Visit {
    fn arrive(replica: Rc<Replica>, head: Parts) -> Self {
        if replica.memory.enter(replica.knobs.leaked_bytes()) {
            replica.knobs.run_out_of_memory();
        }
        let (arrived, queue) = (replica.seams.now(), replica.pool.load().waiting);
        let arrival = AppArrival {
            pod: &replica.pod,
            service: &replica.service,
            queue,
        };
        replica.observer.arrived(arrived, &arrival);
        Self {
            arrived,
            queue,
            trace: TraceContext::extract(&head.headers).map_or(0, |context| context.trace),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            started: None,
            worker: None,
            failing: None,
            if_dropped: Some(AppOutcome::Cancelled),
            replica,
        }
    }

    /// The status that a fault makes it be answered, and whether before any work.
    fn failure(&self) -> Option<(u16, bool)> {
        let knobs = &self.replica.knobs;
        knobs.failure(self.method.as_str(), self.uri.path())
    }

    fn fail_at_once(mut self, status: u16) -> Response<AnswerBody> {
        self.report(AppOutcome::Answered, status);
        let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.replica.failure(code, INJECTED)
    }

    async fn finish_regardless(self, place: Place, index: usize, luck: Luck) -> Reply {
        let (send, receive) = oneshot::channel();
        let seams = self.replica.seams.clone();
        seams.spawn(async move {
            let mut visit = self;
            let plan = visit.replica.plan.clone();
            let ending = visit.work(place, plan.endpoint_at(index), luck).await;
            // Whoever cannot be told any more drops the visit, and so reports it.
            visit.if_dropped = visit.if_dropped.map(|_| AppOutcome::Wasted);
            let _ = send.send((visit, ending));
        });
        match receive.await {
            Ok((visit, ending)) => visit.conclude(ending),
            // Only the death of the host ends the task early, and with it this one.
            Err(_) => std::future::pending().await,
        }
    }

    async fn work(&mut self, place: Place, endpoint: &EndpointPlan, luck: Luck) -> Ending {
        let mut worker = place.await;
        if self.replica.knobs.leaks() {
            worker.lose();
        }
        self.worker = Some(worker);
        self.started = Some(self.replica.seams.now());
        if luck.fails {
            return Ending::Failed("injected error".to_owned());
        }
        let replica = &self.replica;
        replica
            .work(luck.service_time, &self.method, self.uri.path())
            .await;
        if let Some(status) = self.failing {
            let why = [(FAILURE_HEADER.as_str().to_owned(), INJECTED.to_owned())];
            return answer(status, &why, 0, Duration::ZERO);
        }
        let script = Script::new(&self.replica, &self.headers, luck.script);
        if let Err(why) = script.run(&endpoint.steps).await {
            return Ending::Failed(why);
        }
        self.respond(endpoint, luck.response).await
    }

    async fn respond(&mut self, endpoint: &EndpointPlan, number: usize) -> Ending {
        let last = endpoint.responses.len().saturating_sub(1);
        let Some(scripted) = endpoint.responses.get(number.min(last)) else {
            return answer(200, &[], endpoint.response_bytes, Duration::ZERO);
        };
        match scripted {
            ScriptedResponse::Status(status) => {
                let success = (200..300).contains(status);
                let bytes = if success { endpoint.response_bytes } else { 0 };
                answer(*status, &[], bytes, Duration::ZERO)
            }
            ScriptedResponse::Reset => Ending::Hangup(Hangup::Reset),
            ScriptedResponse::Close => Ending::Hangup(Hangup::Close),
            ScriptedResponse::Refuse { during } => Ending::Hangup(Hangup::Refuse(*during)),
            ScriptedResponse::Hang => {
                self.report(AppOutcome::Abandoned, 0);
                std::future::pending().await
            }
            ScriptedResponse::SlowBody { bytes, over } => answer(200, &[], *bytes, *over),
            ScriptedResponse::Full {
                status,
                delay,
                headers,
                bytes,
            } => {
                self.replica.sleep(*delay).await;
                answer(*status, headers, *bytes, Duration::ZERO)
            }
        }
    }

    fn conclude(mut self, ending: Ending) -> Reply {
        match ending {
            Ending::Answer(answer) => Reply::Response(self.send(answer)),
            Ending::Failed(why) => {
                let failed = StatusCode::INTERNAL_SERVER_ERROR;
                self.report(AppOutcome::Answered, failed.as_u16());
                Reply::Response(self.replica.failure(failed, &why))
            }
            Ending::Hangup(hangup) => {
                self.report(AppOutcome::Abandoned, 0);
                Reply::Hangup(hangup)
            }
        }
    }

    fn send(mut self, answer: Answer) -> Response<AnswerBody> {
        let mut response = self.replica.response(answer.status);
        response.headers_mut().extend(answer.headers);
        *response.body_mut() = if answer.over.is_zero() || answer.bytes == 0 {
            self.report(AppOutcome::Answered, answer.status.as_u16());
            AnswerBody::Whole(FillBody::new(answer.bytes))
        } else {
            let clock = self.replica.seams.clock.clone();
            let body = SlowBody::new(clock, answer.bytes, answer.over, self);
            AnswerBody::Slow(Box::new(body))
        };
        response
    }

    /// Its answer, a 200, has been handed over to the last byte.
    pub(super) fn answered(mut self) {
        self.report(AppOutcome::Answered, StatusCode::OK.as_u16());
    }

    fn report(&mut self, outcome: AppOutcome, status: u16) {
        if self.if_dropped.take().is_none() {
            return;
        }
        let ended = self.replica.seams.now();
        let event = AppEvent {
            pod: &self.replica.pod,
            service: &self.replica.service,
            trace: self.trace,
            arrived: self.arrived,
            started: self.started,
            ended,
            outcome,
            status,
            queue: self.queue,
        };
        self.replica.observer.app(ended, &event);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.replica.memory.leave();
        if let Some(outcome) = self.if_dropped {
            self.report(outcome, 0);
        }
    }
}

fn answer(status: u16, headers: &[(String, String)], bytes: u64, over: Duration) -> Ending {
    // These have no body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
    let bytes = if matches!(status, 204 | 205 | 304) {
        0
    } else {
        bytes
    };
    match checked(status, headers) {
        Ok((status, headers)) => Ending::Answer(Answer {
            status,
            headers,
            bytes,
            over,
        }),
        Err(why) => Ending::Failed(why),
    }
}

/// A scripted head as HTTP has it. 1xx cannot be a final answer (RFC 9110, section 15.2).
fn checked(status: u16, headers: &[(String, String)]) -> Result<(StatusCode, HeaderMap), String> {
    let code = StatusCode::from_u16(status)
        .ok()
        .filter(|code| !code.is_informational());
    let code = code.ok_or_else(|| format!("{status} is no final status"))?;
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        let parsed = parsed.zip(HeaderValue::from_str(value).ok());
        let (key, value) = parsed.ok_or_else(|| format!("header {name:?} is not valid"))?;
        map.append(key, value);
    }
    Ok((code, map))
}

#[cfg(test)]
mod tests {
    use mesh_core::seam::timeout_at;

    use super::super::client::{CallError, HttpClient, request};
    use super::super::testbed::{Testbed, app, direct};
    use super::*;
    use crate::app::Answer as Whole;
    use crate::plan::{AppPlan, Distribution, ErrorInjection};

    const ADDRESS: &str = "10.0.0.1:80";

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn responding(responses: Vec<ScriptedResponse>) -> AppPlan {
        let mut endpoint = EndpointPlan::echo();
        endpoint.responses = responses;
        app(endpoint)
    }

    fn broken(result: &Result<Whole, CallError>) -> bool {
        matches!(result, Err(CallError::Broken(_)))
    }

    #[test]
    fn scripted_responses_come_in_turn() {
        let bed = Testbed::new(1);
        let full = ScriptedResponse::Full {
            status: 503,
            delay: ms(40),
            headers: vec![("retry-after".to_owned(), "1".to_owned())],
            bytes: 10,
        };
        let log = bed.start(
            "a-0",
            ADDRESS,
            responding(vec![
                ScriptedResponse::Status(201),
                full,
                ScriptedResponse::Reset,
                ScriptedResponse::Close,
                ScriptedResponse::Status(42),
                ScriptedResponse::Status(204),
            ]),
        );
        let found = bed.calls(ADDRESS, &["/", "/", "/", "/", "/", "/", "/"]);
        let status = |i: usize| found[i].1.as_ref().map_or(0, |a| a.status.as_u16());
        let all: Vec<_> = (0..7).map(status).collect();
        assert_eq!(all, [201, 503, 0, 0, 500, 204, 204]);
        assert_eq!(found[1].0, 40);
        let full = found[1].1.as_ref().ok().unwrap();
        assert_eq!(
            (full.bytes, &full.headers["retry-after"]),
            (10, &"1".parse().unwrap())
        );
        assert!(broken(&found[2].1) && broken(&found[3].1));
        let failure = &found[4].1.as_ref().ok().unwrap().headers["x-meshquake-failure"];
        assert_eq!(failure, "42 is no final status");
        let outcomes: Vec<_> = log.apps.borrow().iter().map(|t| t.outcome).collect();
        assert_eq!(outcomes[2..4], [AppOutcome::Abandoned; 2]);
    }

    #[test]
    fn a_slow_body_takes_its_time_and_its_worker() {
        let bed = Testbed::new(1);
        let mut plan = responding(vec![ScriptedResponse::SlowBody {
            bytes: 1000,
            over: ms(500),
        }]);
        plan.workers = Some(1);
        let log = bed.start("a-0", ADDRESS, plan);
        let found = bed.calls(ADDRESS, &["/", "/"]);
        assert_eq!((found[0].0, found[1].0), (500, 1000));
        assert!(
            found
                .iter()
                .all(|(_, r)| r.as_ref().is_ok_and(|a| a.bytes == 1000))
        );
        assert_eq!(log.apps.borrow()[0].ended, 500_000_000);
    }

    #[test]
    fn injected_errors_come_before_the_work() {
        let bed = Testbed::new(1);
        let mut endpoint = EndpointPlan::echo();
        endpoint.service_time = Distribution::Constant(ms(10));
        endpoint.errors = ErrorInjection::EveryNth(2);
        bed.start("a-0", ADDRESS, app(endpoint));
        let found = bed.calls(ADDRESS, &["/", "/", "/"]);
        let seen: Vec<_> = found
            .iter()
            .map(|(at, r)| (*at, r.as_ref().ok().unwrap().status.as_u16()))
            .collect();
        assert_eq!(seen, [(10, 200), (10, 500), (20, 200)]);
    }

    /// Three callers who give up after 15 ms, at an app with one worker that needs 10 ms.
    fn impatient(cancel: CancelPolicy) -> Vec<(AppOutcome, Option<u64>, u64)> {
        let bed = Testbed::new(1);
        let mut endpoint = EndpointPlan::echo();
        endpoint.service_time = Distribution::Constant(ms(10));
        let mut plan = app(endpoint);
        plan.workers = Some(1);
        plan.cancel = cancel;
        let log = bed.start("a-0", ADDRESS, plan);
        for _ in 0..3 {
            let seams = bed.seams();
            bed.spawn(async move {
                let client = HttpClient::new(seams.clone(), direct(), 10);
                let call = client.exchange(ADDRESS, request(ADDRESS, "GET", "/", &[], 0).unwrap());
                timeout_at(&*seams.clock, Instant::ZERO + ms(15), call).await;
            });
        }
        bed.run();
        let told = log.apps.borrow();
        told.iter()
            .map(|t| {
                (
                    t.outcome,
                    t.started.map(|s| s / 1_000_000),
                    t.ended / 1_000_000,
                )
            })
            .collect()
    }

    #[test]
    fn work_stops_when_its_caller_goes() {
        use AppOutcome::{Answered, Cancelled};
        let mut found = impatient(CancelPolicy::Stop);
        found.sort_by_key(|t| (t.2, t.1.is_none()));
        assert_eq!(found[0], (Answered, Some(0), 10));
        // Which of the two the worker, freed at 15, is offered to is nobody's business: both have gone.
        assert!(
            found[1..].iter().all(|t| t.0 == Cancelled && t.2 == 15),
            "{found:?}"
        );
    }

    #[test]
    fn or_goes_on_as_a_zombie() {
        use AppOutcome::{Answered, Wasted};
        let found = impatient(CancelPolicy::Finish);
        let expected = [
            (Answered, Some(0), 10),
            (Wasted, Some(10), 20),
            (Wasted, Some(20), 30),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_hanging_answer_never_comes_and_a_full_line_says_so() {
        let bed = Testbed::new(1);
        let mut plan = responding(vec![ScriptedResponse::Hang, ScriptedResponse::Status(200)]);
        plan.workers = Some(1);
        plan.queue_max = Some(0);
        let log = bed.start("a-0", ADDRESS, plan);
        let seams = bed.seams();
        bed.spawn(async move {
            let client = HttpClient::new(seams, direct(), 10);
            let _ = client
                .exchange(ADDRESS, request(ADDRESS, "GET", "/", &[], 0).unwrap())
                .await;
            panic!("nothing ends this call");
        });
        bed.run();
        let found = bed.calls(ADDRESS, &["/"]);
        let rejected = found[0].1.as_ref().ok().unwrap();
        assert_eq!(rejected.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(rejected.headers["x-meshquake-upstream"], "a-0");
        assert_eq!(rejected.headers["x-meshquake-failure"], "the queue is full");
        let outcomes: Vec<_> = log.apps.borrow().iter().map(|t| t.outcome).collect();
        assert_eq!(outcomes, [AppOutcome::Abandoned, AppOutcome::Rejected]);
    }
}
