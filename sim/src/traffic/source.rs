//! A traffic source: sends requests as its load says, and tells how they fared.
//!
//! An open loop sends at its intended times whatever the answers, a closed
//! loop has users who wait. Each request in flight is one task, and nothing
//! else is kept of it. Latency counts from the intended time to the last byte.
//!
//! A client that gives up drops its request, and with HTTP/1.1 that closes the
//! connection; the server sees its caller go, as it would in the real world.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use mesh_core::seam::{Instant, Rng, Seams};

use super::arrivals::{Schedule, rate_at};
use super::draws::{Draws, Keys};
use super::knobs::{SourceLever, TrafficKnobs};
use super::observe::TrafficObserver;
use super::request::Turn;
use super::surge;
use crate::app::{Egress, HttpClient};
use crate::plan::{
    ClientPlan, Distribution, ExpectedOutcome, Load, RateProfile, RequestPlan, ScriptedRequest,
    TrafficPlan,
};

/// A user who gets an answer in no time and needs no time to think would send
/// for ever in one instant; this is how long it then takes to press the button.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// Sends what `plan` says; its times count from `origin` (those of a script
/// too, whatever the plan's start), and nothing is sent at `until` or later. Returns when the load has ended; requests of an open
/// loop or a script that are then still in flight go on as tasks of the host.
///
/// Random streams are `traffic/<name>/…`: `arrivals`, `traces`, and one `think` per user.
pub async fn drive(
    seams: Seams,
    plan: TrafficPlan,
    egress: Egress,
    origin: Instant,
    until: Instant,
    observer: Rc<dyn TrafficObserver>,
    knobs: Rc<TrafficKnobs>,
) {
    let end = plan.stop.map_or(until, |stop| until.min(origin + stop));
    let keys = plan.client.keys.as_ref().and_then(Keys::new);
    let source = Rc::new(Source {
        // As many idle connections as were ever needed at once.
        client: HttpClient::new(seams.clone(), egress, usize::MAX),
        draws: Rc::new(Draws::of_source(&seams, &plan.name)),
        seams,
        name: plan.name,
        request: plan.request,
        client_plan: plan.client,
        keys,
        timeout: plan.timeout,
        observer,
        origin,
        start: origin + plan.start,
        end,
        knobs,
        next: Cell::new(0),
        next_added: Cell::new(surge::FIRST),
    });
    let load = Rc::new(plan.load);
    source.seams.spawn(source.clone().heed_faults(load.clone()));
    match &*load {
        Load::Open { rate, arrivals } => {
            let rng = stream(&source.seams, &source.name, "arrivals");
            let schedule = Schedule::new(rate, *arrivals, plan.start, rng);
            source.open_loop(schedule, rate).await;
        }
        Load::Closed { users, think } => source.closed_loop(*users, think).await,
        Load::Script(requests) => source.script(requests).await,
    }
}

pub(super) fn stream(seams: &Seams, name: &str, what: &str) -> Rng {
    seams.random.stream(&format!("traffic/{name}/{what}"))
}

/// A user's seat, and whether it may be taken.
pub(super) enum Seat {
    /// One of the load's own users.
    Own {
        /// Which, from 0.
        number: u32,
        /// Of how many.
        users: u32,
    },
    /// One that a fault adds.
    Added {
        /// Which, from 0.
        number: u32,
        /// How many users the load has without it.
        own: u32,
        /// The fault.
        lever: Rc<SourceLever>,
    },
}

pub(super) struct Source {
    pub(super) seams: Seams,
    pub(super) name: String,
    pub(super) client: HttpClient,
    pub(super) timeout: Option<Duration>,
    pub(super) observer: Rc<dyn TrafficObserver>,
    /// What open and closed loops send.
    request: RequestPlan,
    /// How they go about it.
    pub(super) client_plan: ClientPlan,
    pub(super) keys: Option<Keys>,
    draws: Rc<Draws>,
    /// Where the plan's times count from.
    pub(super) origin: Instant,
    /// Nothing is sent before.
    pub(super) start: Instant,
    /// Nothing is sent from here on.
    pub(super) end: Instant,
    pub(super) knobs: Rc<TrafficKnobs>,
    next: Cell<u64>,
    /// The number of the next request that a fault adds.
    next_added: Cell<u64>,
}

impl Source {
    async fn open_loop(self: &Rc<Self>, schedule: Schedule, rate: &RateProfile) {
        for at in schedule {
            let intended = self.origin + at;
            if intended >= self.end {
                break;
            }
            self.seams.clock.sleep_until(intended).await;
            // A request that is left out keeps its number and its luck to itself.
            let (source, turn) = (self.clone(), self.next_turn(&self.draws, intended));
            if !self.knobs.is_sent(rate_at(rate, at)) {
                continue;
            }
            self.seams.spawn(async move {
                source.send_planned(turn).await;
            });
        }
    }

    /// All users begin at once, as a load generator's do.
    async fn closed_loop(&self, users: u32, think: &Distribution) {
        self.seams.clock.sleep_until(self.start).await;
        let user = |number| {
            let rng = stream(&self.seams, &self.name, &format!("user-{number}/think"));
            let seat = Seat::Own { number, users };
            self.user(self.start, think, rng, &self.draws, seat)
        };
        join_all((0..users).map(user)).await;
    }

    /// One user, from the first request on.
    pub(super) async fn user(
        &self,
        start: Instant,
        think: &Distribution,
        mut rng: Rng,
        draws: &Draws,
        seat: Seat,
    ) {
        let mut at = start;
        while at < self.end {
            self.seams.clock.sleep_until(at).await;
            if !self.is_free(&seat) {
                if seat.is_gone() || self.knobs.changes().changed().await.is_err() {
                    return;
                }
                at = at.max(self.seams.now());
                continue;
            }
            let ended = self.send_planned(self.next_turn(draws, at)).await;
            let next = ended + think.sample(&mut rng);
            at = if next > at { next } else { at + PAUSE_MIN };
        }
    }

    /// Whether a user may sit down for a request.
    fn is_free(&self, seat: &Seat) -> bool {
        match seat {
            Seat::Own { number, users } => {
                let free = *number < self.knobs.users(*users);
                if !free {
                    self.knobs.touch_load();
                }
                free
            }
            Seat::Added { number, own, lever } => {
                let free = *number < lever.users_more(*own);
                if free {
                    lever.touch();
                }
                free
            }
        }
    }

    async fn script(self: &Rc<Self>, requests: &[ScriptedRequest]) {
        // A request's number is its place in the script, whatever order its instant gives it.
        let mut numbered: Vec<_> = (0u64..).zip(requests.iter().cloned()).collect();
        numbered.sort_by_key(|(_, scripted)| scripted.at);
        for (sequence, scripted) in numbered {
            let turn = self.turn(&self.draws, sequence, self.origin + scripted.at);
            if turn.intended >= self.end {
                break;
            }
            self.seams.clock.sleep_until(turn.intended).await;
            let source = self.clone();
            self.seams.spawn(async move {
                source.send(turn, &scripted.request, &scripted.expect).await;
            });
        }
    }

    pub(super) async fn send_planned(&self, turn: Turn) -> Instant {
        let part = turn.part.and_then(|part| self.client_plan.mix.get(part));
        let request = part.map_or(&self.request, |part| &part.request);
        self.send(turn, request, &ExpectedOutcome::default()).await
    }

    pub(super) fn next_turn(&self, draws: &Draws, intended: Instant) -> Turn {
        let next = if draws.added {
            &self.next_added
        } else {
            &self.next
        };
        let sequence = next.replace(next.get() + 1);
        self.turn(draws, sequence, intended)
    }
}

impl Seat {
    /// Whether nobody will ever take it again.
    fn is_gone(&self) -> bool {
        match self {
            Self::Own { .. } => false,
            Self::Added { lever, .. } => !lever.is_in_force(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testbed::{Ended, Log, Testbed, Told, app, source};
    use crate::plan::{
        AppPlan, Arrivals, CancelPolicy, EndpointPlan, RatePoint, RateProfile, ScriptedResponse,
    };
    use crate::record::{AppOutcome, TrafficOutcome};

    const ADDRESS: &str = "10.0.0.1:80";

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn open(per_second: f64, arrivals: Arrivals) -> Load {
        let rate = RateProfile(vec![RatePoint {
            at: Duration::ZERO,
            per_second,
        }]);
        Load::Open { rate, arrivals }
    }

    fn working(service_time: Distribution, workers: u32) -> AppPlan {
        let mut endpoint = EndpointPlan::echo();
        endpoint.service_time = service_time;
        let mut plan = app(endpoint);
        plan.workers = Some(workers);
        plan
    }

    /// An app under an open loop for some virtual time.
    fn run(
        plan: AppPlan,
        load: Load,
        timeout: Option<Duration>,
        length: Duration,
    ) -> (Rc<Log>, Rc<Log>) {
        let bed = Testbed::new(4);
        let apps = bed.start("a-0", ADDRESS, plan);
        let mut plan = source(ADDRESS, load);
        plan.stop = Some(length);
        plan.timeout = timeout;
        let clients = bed.drive(plan);
        bed.run();
        (apps, clients)
    }

    fn by_arrival(log: &Log) -> Vec<Told> {
        let mut told = log.apps.borrow().clone();
        told.sort_by_key(|t| t.arrived);
        told
    }

    fn by_sequence(log: &Log) -> Vec<Ended> {
        let mut ended = log.ended.borrow().clone();
        ended.sort_by_key(|e| e.sequence);
        ended
    }

    /// Every request through real HTTP starts exactly when the recursion of
    /// Kiefer and Wolfowitz (of Lindley, for one worker) says, for the same draws.
    #[track_caller]
    fn is_the_textbook_queue(workers: u32) {
        let mean = Duration::from_millis(2);
        let rate = 0.8 * f64::from(workers) / mean.as_secs_f64();
        let service = Distribution::Exponential { mean };
        let load = open(rate, Arrivals::Poisson);
        let length = Duration::from_secs_f64(5000.0 / rate);
        let (apps, clients) = run(working(service.clone(), workers), load, None, length);
        let (told, ended) = (by_arrival(&apps), by_sequence(&clients));
        assert_eq!(told.len(), ended.len());
        assert!(told.len().abs_diff(5000) < 400, "{}", told.len());
        let mut draws = Rng::named(4, "app/a-0/service-time");
        let mut free_at = vec![0; workers as usize];
        for (told, ended) in told.iter().zip(ended) {
            assert_eq!(told.arrived, ended.intended);
            free_at.sort_unstable();
            let start = told.arrived.max(free_at[0]);
            let end = start + u64::try_from(service.sample(&mut draws).as_nanos()).unwrap();
            free_at[0] = end;
            assert_eq!(
                (told.started, told.ended, ended.ended),
                (Some(start), end, end)
            );
        }
    }

    #[test]
    fn one_worker_behind_http_is_lindley_to_the_nanosecond() {
        is_the_textbook_queue(1);
    }

    #[test]
    fn four_workers_behind_http_are_kiefer_wolfowitz_to_the_nanosecond() {
        is_the_textbook_queue(4);
    }

    #[test]
    fn policies_change_neither_arrivals_nor_service_times() {
        let service = Distribution::Exponential { mean: ms(10) };
        let load = open(150.0, Arrivals::Poisson);
        let plain = run(working(service.clone(), 1), load.clone(), None, ms(2000));
        let mut patient = working(service, 3);
        patient.cancel = CancelPolicy::Finish;
        let other = run(patient, load, Some(ms(5)), ms(2000));
        let arrivals = |log: &Log| {
            by_arrival(log)
                .iter()
                .map(|t| t.arrived)
                .collect::<Vec<_>>()
        };
        assert_eq!(arrivals(&plain.0), arrivals(&other.0));
        let work = |log: &Log| {
            let told = by_arrival(log);
            told.iter()
                .map(|t| t.ended - t.started.unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(work(&plain.0), work(&other.0));
        let traces = |log: &Log| by_sequence(log).iter().map(|e| e.trace).collect::<Vec<_>>();
        assert_eq!(traces(&plain.1), traces(&other.1));
    }

    #[test]
    fn a_client_gives_up_exactly_in_time() {
        let plan = working(Distribution::Constant(ms(100)), 1);
        let (apps, clients) = run(plan, open(10.0, Arrivals::Constant), Some(ms(30)), ms(250));
        for ended in by_sequence(&clients) {
            assert_eq!(ended.outcome, TrafficOutcome::Timeout);
            assert_eq!(ended.ended, ended.intended + 30_000_000);
        }
        // HTTP/1.1 cancels by closing, so the app hears of it in the same instant and stops.
        let told = by_arrival(&apps);
        assert_eq!(told.len(), 3);
        assert!(told.iter().all(|t| t.outcome == AppOutcome::Cancelled));
        assert!(told.iter().all(|t| t.ended == t.arrived + 30_000_000));
    }

    #[test]
    fn what_is_in_flight_at_the_end_was_sent_and_has_not_ended() {
        let bed = Testbed::new(1);
        bed.start("a-0", ADDRESS, working(Distribution::Constant(ms(25)), 10));
        let clients = bed.drive(source(ADDRESS, open(100.0, Arrivals::Constant)));
        bed.run_until(Instant::ZERO + ms(100));
        // Sent at 0, 10, …, 100; ended those sent until 75 before the end.
        assert_eq!((clients.sent.get(), clients.ended.borrow().len()), (11, 8));
    }

    #[test]
    fn connections_are_as_many_as_requests_in_flight() {
        let bed = Testbed::new(1);
        bed.start("a-0", ADDRESS, working(Distribution::Constant(ms(25)), 10));
        bed.drive(source(ADDRESS, open(100.0, Arrivals::Constant)));
        bed.run_until(Instant::ZERO + ms(2000));
        assert_eq!(bed.pipes.opened.get(), 3);
    }

    #[test]
    fn users_wait_and_think() {
        let bed = Testbed::new(1);
        bed.start("a-0", ADDRESS, working(Distribution::Constant(ms(5)), 1));
        let think = Distribution::Constant(ms(10));
        let mut plan = source(ADDRESS, Load::Closed { users: 2, think });
        (plan.start, plan.stop) = (ms(100), Some(ms(131)));
        let clients = bed.drive(plan);
        bed.run();
        let mut seen: Vec<_> = by_sequence(&clients)
            .iter()
            .map(|e| (e.intended / 1_000_000, e.ended / 1_000_000))
            .collect();
        seen.sort_unstable();
        assert_eq!(
            seen,
            [(100, 105), (100, 110), (115, 120), (120, 125), (130, 135)]
        );
        assert_eq!(bed.pipes.opened.get(), 2, "one connection per user");
    }

    #[test]
    fn a_user_who_fails_at_once_does_not_stop_time() {
        let bed = Testbed::new(1);
        let think = Distribution::ZERO;
        let mut plan = source(ADDRESS, Load::Closed { users: 1, think });
        plan.stop = Some(ms(5));
        let clients = bed.drive(plan);
        bed.run();
        let ended = by_sequence(&clients);
        assert_eq!(ended.len(), 5);
        assert!(
            ended
                .iter()
                .all(|e| e.outcome == TrafficOutcome::ConnectFailed)
        );
    }

    #[test]
    fn a_user_without_pause_keeps_one_connection() {
        let bed = Testbed::new(1);
        let mut plan = working(Distribution::Constant(ms(1)), 1);
        plan.fallback.response_bytes = 100_000;
        bed.start("a-0", ADDRESS, plan);
        let think = Distribution::ZERO;
        let mut plan = source(ADDRESS, Load::Closed { users: 1, think });
        plan.stop = Some(ms(50));
        plan.request.body_bytes = 100_000;
        let clients = bed.drive(plan);
        bed.run();
        assert_eq!(
            (by_sequence(&clients).len(), bed.pipes.opened.get()),
            (50, 1)
        );
    }

    #[test]
    fn a_script_is_sent_and_checked_request_by_request() {
        let bed = Testbed::new(1);
        let mut endpoint = EndpointPlan::echo();
        endpoint.responses = vec![
            ScriptedResponse::Status(200),
            ScriptedResponse::Status(503),
            ScriptedResponse::Close,
        ];
        bed.start("a-0", ADDRESS, app(endpoint));
        let request = |at, status, upstream: Option<&str>| ScriptedRequest {
            at: ms(at),
            request: source(ADDRESS, Load::Script(Vec::new())).request,
            expect: ExpectedOutcome {
                status: Some(status),
                upstream: upstream.map(str::to_owned),
                at_most: Some(Duration::ZERO),
                ..ExpectedOutcome::default()
            },
            place: "script.yaml:1".to_owned(),
        };
        let script = vec![
            request(20, 200, None),
            request(10, 200, Some("a")),
            request(30, 0, None),
            request(40, 500, Some("b")),
        ];
        let clients = bed.drive(source(ADDRESS, Load::Script(script)));
        bed.run();
        let ended = by_sequence(&clients);
        let checks: Vec<_> = ended.iter().map(|e| e.check.as_str()).collect();
        assert_eq!(checks[0], "Missed(\"the status was 503, not 200\")");
        assert_eq!(checks[1..3], ["Met", "Met"]);
        assert_eq!(checks[3], "Missed(\"no answer came, and 500 should have\")");
        assert_eq!(ended[1].upstream, "a-0");
        assert_eq!(ended[2].outcome, TrafficOutcome::Broken);
    }
}
