//! The steps of an endpoint's script, with isotope's semantics.
//!
//! Steps run one after the other and the first failure ends the script; a
//! parallel step starts everything, waits for everything, and then fails if
//! anything failed (istio/tools, `isotope/service/pkg/srv/executable.go`).
//! isotope fails a call on any answer but 200; since other apps also answer
//! 201 or 304, here an answer below 400 is a success.
//!
//! All of a step's chances are drawn when it starts, so that what happens
//! meanwhile elsewhere cannot change the order of draws.

use std::cell::RefCell;

use futures_util::future::join_all;
use http::{HeaderMap, Request};
use mesh_core::seam::{Instant, LocalBoxFuture, Rng, timeout_at};

use super::body::FillBody;
use super::cache::{Fetching, Found, Key};
use super::client::{Answer, CallError, request};
use super::keys::Draws;
use super::luck::hits;
use super::replica::Replica;
use super::trace::propagate;
use crate::plan::{CacheHits, CacheKey, CachePlan, CallPlan, Step};

/// A script on behalf of one request.
pub(super) struct Script<'a> {
    replica: &'a Replica,
    /// The request's headers.
    incoming: &'a HeaderMap,
    rng: RefCell<Rng>,
}

impl<'a> Script<'a> {
    pub(super) fn new(replica: &'a Replica, incoming: &'a HeaderMap, rng: Rng) -> Self {
        let rng = RefCell::new(rng);
        Self {
            replica,
            incoming,
            rng,
        }
    }

    /// Runs `steps` to their end or to the first failure.
    ///
    /// # Errors
    /// Says which step failed and why.
    pub(super) async fn run(&self, steps: &[Step]) -> Result<(), String> {
        for step in steps {
            self.start(step).await?;
        }
        Ok(())
    }

    fn start<'s>(&'s self, step: &'s Step) -> LocalBoxFuture<'s, Result<(), String>> {
        match step {
            Step::Sleep(time) => {
                let time = time.sample(&mut self.rng.borrow_mut());
                Box::pin(async move {
                    self.replica.sleep(time).await;
                    Ok(())
                })
            }
            Step::Call(plan) => {
                let word = self.rng.borrow_mut().bits();
                let skipped = !hits(word, plan.probability);
                Box::pin(async move {
                    if skipped {
                        Ok(())
                    } else {
                        self.call(plan).await
                    }
                })
            }
            Step::Cache(plan) => {
                let key = self.key(plan);
                let hit = match &plan.hits {
                    CacheHits::Ratio(share) => Some(hits(self.rng.borrow_mut().bits(), *share)),
                    CacheHits::Keys { .. } => None,
                };
                Box::pin(async move {
                    match (key, hit) {
                        (Some(key), _) => self.through_cache(plan, key).await,
                        (None, Some(true)) => Ok(()),
                        _ => self.run(&plan.miss).await,
                    }
                })
            }
            Step::Parallel(steps) => {
                let started: Vec<_> = steps.iter().map(|step| self.start(step)).collect();
                Box::pin(async move { join_all(started).await.into_iter().collect() })
            }
        }
    }

    /// The key of a look-up, if the cache has keys.
    fn key(&self, plan: &CachePlan) -> Option<Key> {
        let CacheHits::Keys { key, .. } = &plan.hits else {
            return None;
        };
        Some(match key {
            CacheKey::Drawn(draw) => {
                let cache = self.replica.caches.get(plan.number);
                let draws = cache.draws(|| Draws::new(draw));
                Key::Number(draws.key(self.rng.borrow_mut().bits()))
            }
            CacheKey::Header(name) => {
                let value = self.incoming.get(name.as_str());
                Key::Text(value.map_or(&b""[..], |value| value.as_bytes()).into())
            }
        })
    }

    /// Looks a key up, and does the steps of a miss if it is not there.
    async fn through_cache(&self, plan: &CachePlan, key: Key) -> Result<(), String> {
        let CacheHits::Keys {
            capacity,
            ttl,
            coalesce,
            ..
        } = &plan.hits
        else {
            return self.run(&plan.miss).await;
        };
        let cache = self.replica.caches.get(plan.number);
        let now = || self.replica.seams.now();
        loop {
            match cache.look_up(&key, now(), *coalesce) {
                Found::Hit => return Ok(()),
                Found::Miss => break,
                Found::Wait(result) => {
                    // Without a result whoever fetched it has gone: look again.
                    if let Ok(result) = result.await {
                        return result;
                    }
                }
            }
        }
        let fetching = coalesce.then(|| Fetching::new(cache.clone(), key.clone()));
        let result = self.run(&plan.miss).await;
        if result.is_ok() {
            cache.fill(&key, now(), *ttl, *capacity);
        }
        if let Some(fetching) = fetching {
            fetching.ended(&result);
        }
        result
    }

    async fn call(&self, plan: &CallPlan) -> Result<(), String> {
        let mut failure = String::new();
        for _ in 0..plan.tries.max(1) {
            match self.attempt(plan).await {
                Ok(answer) if answer.status.as_u16() < 400 => return Ok(()),
                Ok(answer) => failure = answer.status.as_u16().to_string(),
                Err(error) => failure = error.to_string(),
            }
        }
        if plan.optional {
            return Ok(());
        }
        Err(format!("call to {}: {failure}", plan.authority))
    }

    async fn attempt(&self, plan: &CallPlan) -> Result<Answer, CallError> {
        let request = self.request(plan)?;
        let clock = &*self.replica.seams.clock;
        let deadline = plan
            .timeout
            .map_or(Instant::NEVER, |after| clock.now() + after);
        let exchange = self.replica.client.exchange(&plan.authority, request);
        let answer = timeout_at(clock, deadline, exchange).await;
        answer.unwrap_or(Err(CallError::TimedOut))
    }

    fn request(&self, plan: &CallPlan) -> Result<Request<FillBody>, CallError> {
        let mut request = request(
            &plan.authority,
            &plan.method,
            &plan.path,
            &plan.headers,
            plan.body_bytes,
        )?;
        propagate(self.incoming, &plan.forward_headers, request.headers_mut());
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use mesh_core::policy::Fraction;

    use crate::app::testbed::{Ended, Log, Testbed, app, source};
    use crate::plan::{
        CallPlan, Distribution, EndpointPlan, ErrorInjection, Load, ScriptedRequest,
        ScriptedResponse, Step,
    };
    use crate::record::TrafficOutcome;

    const FRONT: &str = "10.0.0.1:80";
    const BACK: &str = "10.0.0.2:80";

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sleep(time: u64) -> Step {
        Step::Sleep(Distribution::Constant(ms(time)))
    }

    fn call() -> CallPlan {
        CallPlan {
            authority: BACK.to_owned(),
            service: "back".to_owned(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            forward_headers: Vec::new(),
            body_bytes: 1000,
            probability: Fraction::ONE,
            timeout: None,
            tries: 1,
            optional: false,
        }
    }

    fn back() -> EndpointPlan {
        let mut endpoint = EndpointPlan::echo();
        endpoint.service_time = Distribution::Constant(ms(10));
        endpoint
    }

    /// One request a second to an app with this script, which calls `back`.
    fn run(steps: Vec<Step>, back: EndpointPlan, requests: u64) -> (Vec<Ended>, Rc<Log>) {
        let bed = Testbed::new(2);
        let mut front = EndpointPlan::echo();
        front.steps = steps;
        bed.start("front-0", FRONT, app(front));
        let log = bed.start("back-0", BACK, app(back));
        let script = (0..requests).map(|i| ScriptedRequest {
            at: Duration::from_secs(i),
            request: source(FRONT, Load::Script(Vec::new())).request,
            expect: crate::plan::ExpectedOutcome::default(),
            place: String::new(),
        });
        let clients = bed.drive(source(FRONT, Load::Script(script.collect())));
        bed.run();
        (clients.ended.take(), log)
    }

    /// Status and milliseconds of a request.
    fn seen(ended: &Ended) -> (u16, u64) {
        let TrafficOutcome::Answered(status) = ended.outcome else {
            return (0, 0);
        };
        (status, (ended.ended - ended.intended) / 1_000_000)
    }

    #[test]
    fn steps_add_up_and_parallel_ones_overlap() {
        let steps = vec![
            sleep(5),
            Step::Parallel(vec![Step::Call(call()), sleep(30), Step::Call(call())]),
            Step::Call(call()),
        ];
        let (ended, log) = run(steps, back(), 1);
        assert_eq!(seen(&ended[0]), (200, 45));
        let told = log.apps.borrow();
        assert_eq!(told.len(), 3);
        assert!(
            told.iter()
                .all(|t| t.trace == ended[0].trace && t.trace != 0)
        );
    }

    #[test]
    fn a_parallel_step_waits_for_all_and_then_fails() {
        let mut failing = back();
        failing.errors = ErrorInjection::EveryNth(1);
        let steps = vec![
            Step::Parallel(vec![Step::Call(call()), sleep(30)]),
            sleep(100),
        ];
        let (ended, _) = run(steps, failing, 1);
        assert_eq!(seen(&ended[0]), (500, 30));
    }

    #[test]
    fn an_app_tries_again_and_then_gives_up() {
        let responses = vec![
            ScriptedResponse::Close,
            ScriptedResponse::Status(503),
            ScriptedResponse::Status(201),
        ];
        let with = |tries, optional| {
            let mut back = back();
            back.responses = responses.clone();
            let mut call = call();
            (call.tries, call.optional) = (tries, optional);
            run(vec![Step::Call(call)], back, 1).0
        };
        assert_eq!(seen(&with(3, false)[0]), (200, 30));
        assert_eq!(seen(&with(2, false)[0]), (500, 20));
        assert_eq!(seen(&with(2, true)[0]), (200, 20));
    }

    #[test]
    fn each_try_has_its_own_timeout() {
        let mut slow = back();
        slow.service_time = Distribution::Constant(ms(50));
        let mut call = call();
        (call.tries, call.timeout) = (2, Some(ms(20)));
        let (ended, log) = run(vec![Step::Call(call)], slow, 1);
        assert_eq!(seen(&ended[0]), (500, 40));
        assert_eq!(log.apps.borrow().len(), 2);
    }

    #[test]
    fn some_calls_are_made_with_a_probability() {
        let mut call = call();
        call.probability = Fraction::from_percent(25.0).unwrap();
        let (ended, log) = run(vec![Step::Call(call)], back(), 2000);
        assert_eq!(ended.len(), 2000);
        // Five standard deviations of a binomial(2000, 0.25) are 97.
        assert!(log.apps.borrow().len().abs_diff(500) < 97);
    }

    #[test]
    fn what_cannot_be_called_fails_the_request() {
        for authority in ["nowhere", "10.0.0.3:80", "not an authority\n"] {
            let mut call = call();
            call.authority = authority.to_owned();
            let (ended, _) = run(vec![Step::Call(call)], back(), 1);
            assert_eq!(seen(&ended[0]), (500, 0));
        }
    }

    #[test]
    fn named_headers_are_passed_on() {
        let bed = Testbed::new(2);
        let mut to_middle = call();
        to_middle.forward_headers = vec!["end-user".to_owned()];
        let mut front = EndpointPlan::echo();
        front.steps = vec![Step::Call(to_middle)];
        bed.start("front-0", FRONT, app(front));
        let heard = bed.listen_raw(BACK);
        let mut plan = source(FRONT, Load::Script(Vec::new()));
        let headers = [
            ("end-user", "jason"),
            ("cookie", "x"),
            ("x-request-id", "7"),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        plan.request.headers = headers.map(own).to_vec();
        plan.load = Load::Closed {
            users: 1,
            think: Distribution::ZERO,
        };
        bed.drive(plan);
        bed.run_until(mesh_core::seam::Instant::ZERO);
        let head = heard.borrow().to_ascii_lowercase();
        for wanted in [
            "end-user: jason",
            "x-request-id: 7",
            "traceparent: 00-",
            "host: 10.0.0.2:80",
        ] {
            assert!(head.contains(wanted), "{wanted} in {head}");
        }
        assert!(!head.contains("cookie"), "{head}");
    }
}
