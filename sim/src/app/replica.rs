//! What the requests of one app share.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use mesh_core::seam::{Instant, Seams, sleep};

use super::AppPod;
use super::answer::AnswerBody;
use super::body::FillBody;
use super::cache::Caches;
use super::client::HttpClient;
use super::knobs::{AppKnobs, Life};
use super::lever::stretched;
use super::luck::Fate;
use super::memory::Memory;
use super::observe::AppObserver;
use super::pool::WorkerPool;
use crate::plan::{AppPlan, EndpointPlan};

/// The header in which every answer of an app names the pod that gave it.
pub const UPSTREAM_HEADER: HeaderName = HeaderName::from_static("x-meshquake-upstream");

/// The header in which an app says why it failed, such as `call to ratings:9080: 503`.
pub const FAILURE_HEADER: HeaderName = HeaderName::from_static("x-meshquake-failure");

/// Idle connections an app keeps per authority (Go's `DefaultTransport.MaxIdleConns`).
const IDLE_CONNECTIONS_MAX: usize = 100;

/// One running instance of an app.
pub(super) struct Replica {
    pub(super) seams: Seams,
    pub(super) pod: Arc<str>,
    pub(super) service: Arc<str>,
    pub(super) plan: Arc<AppPlan>,
    pub(super) pool: WorkerPool,
    pub(super) fate: Fate,
    pub(super) client: HttpClient,
    pub(super) observer: Rc<dyn AppObserver>,
    pub(super) knobs: Rc<AppKnobs>,
    pub(super) caches: Rc<Caches>,
    pub(super) memory: Memory,
    /// When this process began.
    born: Instant,
    signature: Option<HeaderValue>,
}

impl Replica {
    pub(super) fn new(seams: Seams, pod: &AppPod, observer: Rc<dyn AppObserver>) -> Self {
        // A restarted app is not dealt the numbers of its first life again.
        let name = match pod.incarnation {
            0 => pod.name.to_string(),
            n => format!("{}#{n}", pod.name),
        };
        let pool = WorkerPool::new(&pod.plan);
        let caches = Rc::<Caches>::default();
        pod.knobs.live(Life {
            pool: pool.clone(),
            caches: caches.clone(),
        });
        Self {
            pool,
            caches,
            memory: Memory::new(pod.plan.process.memory),
            born: seams.now(),
            fate: Fate::new(&name, &pod.plan, &*seams.random),
            client: HttpClient::new(seams.clone(), pod.egress.clone(), IDLE_CONNECTIONS_MAX),
            seams,
            pod: pod.name.clone(),
            service: pod.service.clone(),
            plan: pod.plan.clone(),
            observer,
            knobs: pod.knobs.clone(),
            signature: HeaderValue::from_str(&pod.name).ok(),
        }
    }

    /// An answer without a body, signed.
    pub(super) fn response(&self, status: StatusCode) -> Response<AnswerBody> {
        let mut response = Response::new(AnswerBody::Whole(FillBody::new(0)));
        *response.status_mut() = status;
        if let Some(signature) = &self.signature {
            response
                .headers_mut()
                .insert(UPSTREAM_HEADER, signature.clone());
        }
        response
    }

    /// An answer that says why it is one.
    pub(super) fn failure(&self, status: StatusCode, why: &str) -> Response<AnswerBody> {
        let mut response = self.response(status);
        if let Ok(why) = HeaderValue::from_str(why) {
            response.headers_mut().insert(FAILURE_HEADER, why);
        }
        response
    }

    /// Waits.
    pub(super) async fn sleep(&self, span: Duration) {
        if !span.is_zero() {
            sleep(&*self.seams.clock, span).await;
        }
        // Whoever has waited goes on when the processor is there.
        self.run(Duration::ZERO).await;
    }

    /// Does the work of a request that takes `span` by its luck: longer in an app that is slow or cold.
    pub(super) async fn work(&self, span: Duration, method: &Method, path: &str) {
        let span = self.knobs.slowed(span, method.as_str(), path);
        let span = stretched(span, self.warmth());
        self.run(span).await;
    }

    /// How many times as long work takes because the process is young.
    fn warmth(&self) -> f64 {
        match self.plan.process.warm_up {
            Some(warm_up) if self.knobs.is_cold() => {
                let age = self.seams.now().since(self.born);
                warm_up.factor(age)
            }
            _ => 1.0,
        }
    }

    /// Uses the processor for `span`, as far as the app is let.
    async fn run(&self, span: Duration) {
        let mut throttle = self.knobs.throttle();
        let clock = &*self.seams.clock;
        let (mut left, mut stalled) = (span, false);
        loop {
            let now = clock.now();
            let rule = throttle.borrow_and_update().clone();
            let ends = match &rule {
                Some(rule) => rule.ends(now, left),
                None => now + left,
            };
            if let Some(rule) = rule.as_ref().filter(|_| !stalled && ends > now + left) {
                stalled = true;
                rule.touch();
            }
            if ends <= now {
                return;
            }
            let changed = std::pin::pin!(throttle.changed());
            match select(clock.sleep_until(ends), changed).await {
                Either::Left(_) => return,
                Either::Right(_) => {
                    let later = clock.now();
                    let done = match &rule {
                        Some(rule) => rule.done(now, later),
                        None => Duration::from_nanos(later.since(now).as_nanos() as u64),
                    };
                    left = left.saturating_sub(done);
                }
            }
        }
    }
}

impl AppPlan {
    /// The script for a request, and its number (the fallback comes after all others).
    pub(super) fn endpoint(&self, method: &Method, path: &str) -> (usize, &EndpointPlan) {
        let answers = |endpoint: &EndpointPlan| {
            path.starts_with(&endpoint.path_prefix)
                && endpoint
                    .method
                    .as_ref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
        };
        let index = self.endpoints.iter().position(answers);
        let index = index.unwrap_or(self.endpoints.len());
        (index, self.endpoint_at(index))
    }

    /// The script with this number.
    pub(super) fn endpoint_at(&self, index: usize) -> &EndpointPlan {
        self.endpoints.get(index).unwrap_or(&self.fallback)
    }
}
