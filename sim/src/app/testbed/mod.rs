//! One host in virtual time, for tests: an executor, an exact clock, and pipes for connections.

mod clock;
mod log;
mod pipes;
mod plans;
mod tasks;

pub(crate) use log::{Ended, Log, Told};
pub(crate) use plans::{app, source};

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use mesh_core::seam::{Instant, LocalBoxFuture, Randomness, Rng, Seams, Spawn};
use mesh_core::telemetry::NullObserver;
use tokio::io::AsyncReadExt;

use super::client::{Answer, CallError, HttpClient, request};
use super::{AppPod, Egress, Resolver, serve};
use crate::plan::{AppPlan, TrafficPlan};
use crate::traffic::{TrafficKnobs, drive};
use clock::TestClock;
use pipes::{PipeNetwork, Pipes};
use tasks::Tasks;

pub(crate) struct Testbed {
    clock: Arc<TestClock>,
    tasks: Rc<Tasks>,
    pub(crate) pipes: Rc<Pipes>,
    seed: u64,
    /// Those of every source.
    pub(crate) knobs: Rc<TrafficKnobs>,
}

impl Testbed {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            clock: Arc::default(),
            tasks: Rc::default(),
            pipes: Rc::default(),
            seed,
            knobs: Rc::default(),
        }
    }

    pub(crate) fn seams(&self) -> Seams {
        Seams {
            network: Rc::new(PipeNetwork(self.pipes.clone())),
            clock: self.clock.clone(),
            spawn: self.tasks.clone(),
            random: Rc::new(Seeded(self.seed)),
            observer: Rc::new(NullObserver),
            key_log: None,
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.spawn(Box::pin(task));
    }

    /// Runs until nothing is left that time could wake.
    pub(crate) fn run(&self) {
        self.run_until(Instant::NEVER);
    }

    /// Runs everything up to and including `end`.
    pub(crate) fn run_until(&self, end: Instant) {
        loop {
            self.tasks.settle();
            if !self.clock.advance(end) {
                return;
            }
        }
    }
}

/// When a call ended, and how.
pub(crate) type Call = (u64, Result<Answer, CallError>);

/// Authorities that are addresses.
struct Literal;

impl Resolver for Literal {
    fn resolve<'a>(&'a self, authority: &'a str) -> LocalBoxFuture<'a, Option<SocketAddr>> {
        Box::pin(std::future::ready(authority.parse().ok()))
    }
}

pub(crate) fn direct() -> Egress {
    Egress::Direct(Rc::new(Literal))
}

impl Testbed {
    /// Runs `plan` as pod `name` at `address`.
    pub(crate) fn start(&self, name: &str, address: &str, plan: AppPlan) -> Rc<Log> {
        let log = Rc::new(Log::default());
        let pod = AppPod {
            knobs: Default::default(),
            name: name.into(),
            service: name.into(),
            listen: vec![address.parse().unwrap()],
            plan: Arc::new(plan),
            egress: direct(),
            incarnation: 0,
        };
        let serving = serve(self.seams(), pod, log.clone());
        self.spawn(async move { serving.await.unwrap() });
        self.tasks.settle();
        log
    }

    /// What the first caller of `address` says; it gets no answer.
    pub(crate) fn listen_raw(&self, address: &str) -> Rc<RefCell<String>> {
        let heard = Rc::new(RefCell::new(String::new()));
        let (seams, text, address) = (self.seams(), heard.clone(), address.parse().unwrap());
        self.spawn(async move {
            let mut listener = seams.network.listen(address).await.unwrap();
            let mut connection = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let read = connection.io.read(&mut buffer).await.unwrap();
            text.borrow_mut()
                .push_str(&String::from_utf8_lossy(&buffer[..read]));
            std::future::pending().await
        });
        self.tasks.settle();
        heard
    }

    /// GETs of `paths` one after the other, each with its result and the millisecond it ended in.
    pub(crate) fn calls(&self, address: &'static str, paths: &'static [&'static str]) -> Vec<Call> {
        let seams = self.seams();
        let found = Rc::new(RefCell::new(Vec::new()));
        let results = found.clone();
        self.spawn(async move {
            let client = HttpClient::new(seams.clone(), direct(), 10);
            for path in paths {
                let request = request(address, "GET", path, &[], 0).unwrap();
                let result = client.exchange(address, request).await;
                let ended = seams.now().as_nanos() / 1_000_000;
                results.borrow_mut().push((ended, result));
            }
        });
        self.run();
        found.take()
    }

    /// Runs a traffic source.
    pub(crate) fn drive(&self, plan: TrafficPlan) -> Rc<Log> {
        let log = Rc::new(Log::default());
        let (origin, until) = (Instant::ZERO, Instant::NEVER);
        self.spawn(drive(
            self.seams(),
            plan,
            direct(),
            origin,
            until,
            log.clone(),
            self.knobs.clone(),
        ));
        log
    }
}

struct Seeded(u64);

impl Randomness for Seeded {
    fn stream(&self, name: &str) -> Rng {
        Rng::named(self.0, name)
    }
}
