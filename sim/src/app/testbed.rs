//! One host in virtual time, for tests: an executor, an exact clock, and pipes for connections.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mesh_core::control::{Locality, Workload, WorkloadState};
use mesh_core::seam::{
    BoxSleep, Clock, Connection, Instant, Listener, LocalBoxFuture, Network, Randomness, Rng,
    Seams, Sleep, Spawn,
};
use mesh_core::telemetry::NullObserver;
use tokio::io::AsyncReadExt;

use super::{AppObserver, AppPod, Egress, Resolver, serve};
use crate::plan::{
    AppPlan, CancelPolicy, EndpointPlan, Load, QueueOrder, RequestPlan, TrafficPlan,
};
use crate::record::{AppEvent, AppOutcome, RequestEnded, TrafficEvent, TrafficOutcome};
use crate::traffic::{TrafficObserver, drive};

pub(crate) struct Testbed {
    clock: Arc<TestClock>,
    tasks: Rc<Tasks>,
    pub(crate) pipes: Rc<Pipes>,
    seed: u64,
}

impl Testbed {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            clock: Arc::default(),
            tasks: Rc::default(),
            pipes: Rc::default(),
            seed,
        }
    }

    pub(crate) fn seams(&self) -> Seams {
        Seams {
            network: Rc::new(PipeNetwork(self.pipes.clone())),
            clock: self.clock.clone(),
            spawn: self.tasks.clone(),
            random: Rc::new(Seeded(self.seed)),
            observer: Rc::new(NullObserver),
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

/// An app that does `endpoint` with unlimited workers.
pub(crate) fn app(endpoint: EndpointPlan) -> AppPlan {
    AppPlan {
        workers: None,
        queue_max: None,
        queue_order: QueueOrder::Fifo,
        cancel: CancelPolicy::Stop,
        endpoints: Vec::new(),
        fallback: endpoint,
    }
}

/// A source that calls `authority`.
pub(crate) fn source(authority: &str, load: Load) -> TrafficPlan {
    TrafficPlan {
        name: "clients".to_owned(),
        workload: Workload {
            name: "clients".into(),
            namespace: "default".into(),
            ip: [10, 0, 0, 9].into(),
            labels: BTreeMap::new(),
            service_account: "default".into(),
            meshed: false,
            locality: Locality::default(),
            state: WorkloadState::Ready,
        },
        request: RequestPlan {
            authority: authority.to_owned(),
            service: "a".to_owned(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body_bytes: 0,
        },
        load,
        start: Duration::ZERO,
        stop: None,
        timeout: None,
    }
}

/// What apps and traffic sources told.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) apps: RefCell<Vec<Told>>,
    pub(crate) sent: Cell<u64>,
    pub(crate) ended: RefCell<Vec<Ended>>,
}

/// An [`AppEvent`], kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) arrived: u64,
    pub(crate) started: Option<u64>,
    pub(crate) ended: u64,
    pub(crate) outcome: AppOutcome,
    pub(crate) status: u16,
    pub(crate) queue: u32,
    pub(crate) trace: u128,
}

/// A [`RequestEnded`], kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) sequence: u64,
    pub(crate) trace: u128,
    pub(crate) intended: u64,
    pub(crate) ended: u64,
    pub(crate) outcome: TrafficOutcome,
    pub(crate) upstream: String,
    pub(crate) bytes: u64,
    pub(crate) flags: String,
    pub(crate) check: String,
}

impl AppObserver for Log {
    fn app(&self, at: Instant, event: &AppEvent<'_>) {
        assert_eq!(at, event.ended);
        self.apps.borrow_mut().push(Told {
            arrived: event.arrived.as_nanos(),
            started: event.started.map(Instant::as_nanos),
            ended: event.ended.as_nanos(),
            outcome: event.outcome,
            status: event.status,
            queue: event.queue,
            trace: event.trace,
        });
    }
}

impl TrafficObserver for Log {
    fn traffic(&self, _at: Instant, event: &TrafficEvent<'_>) {
        match event {
            TrafficEvent::Sent(_) => self.sent.set(self.sent.get() + 1),
            TrafficEvent::Ended(event) => self.ended.borrow_mut().push(kept(event)),
        }
    }
}

fn kept(event: &RequestEnded<'_>) -> Ended {
    Ended {
        sequence: event.sequence,
        trace: event.trace,
        intended: event.intended.as_nanos(),
        ended: event.ended.as_nanos(),
        outcome: event.outcome,
        upstream: event.upstream.to_owned(),
        bytes: event.response_bytes,
        flags: event.flags.to_owned(),
        check: format!("{:?}", event.check),
    }
}

/// Authorities that are addresses.
struct Literal;

impl Resolver for Literal {
    fn resolve(&self, authority: &str) -> Option<SocketAddr> {
        authority.parse().ok()
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

#[derive(Default)]
struct Tasks {
    all: RefCell<Vec<Option<LocalBoxFuture<'static, ()>>>>,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

struct TaskWaker {
    index: usize,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.push_back(self.index);
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        let mut all = self.all.borrow_mut();
        let index = all.len();
        all.push(Some(task));
        self.ready.lock().unwrap().push_back(index);
    }
}

impl Tasks {
    fn settle(&self) {
        for polls in 0.. {
            assert!(polls < 2_000_000, "livelock: the instant never ends");
            let Some(index) = self.ready.lock().unwrap().pop_front() else {
                return;
            };
            let Some(mut task) = self.all.borrow_mut()[index].take() else {
                continue;
            };
            let ready = self.ready.clone();
            let waker = Waker::from(Arc::new(TaskWaker { index, ready }));
            if task
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
            {
                self.all.borrow_mut()[index] = Some(task);
            }
        }
    }
}

#[derive(Default)]
struct TestClock(Arc<Mutex<Timers>>);

#[derive(Default)]
struct Timers {
    now: u64,
    next: u64,
    pending: BTreeMap<(u64, u64), Waker>,
}

struct TestSleep {
    timers: Arc<Mutex<Timers>>,
    deadline: u64,
    key: Option<(u64, u64)>,
}

impl TestClock {
    /// Jumps to the next timer not after `end` and fires it, with all others of that instant.
    fn advance(&self, end: Instant) -> bool {
        let mut due = Vec::new();
        {
            let mut timers = self.0.lock().unwrap();
            let Some((&(at, _), _)) = timers.pending.first_key_value() else {
                return false;
            };
            if at > end.as_nanos() {
                timers.now = end.as_nanos();
                return false;
            }
            timers.now = at;
            while let Some(entry) = timers.pending.first_entry() {
                if entry.key().0 > at {
                    break;
                }
                due.push(entry.remove());
            }
        }
        due.into_iter().for_each(Waker::wake);
        true
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.lock().unwrap().now)
    }

    fn sleep_until(&self, deadline: Instant) -> BoxSleep {
        Box::pin(TestSleep {
            timers: self.0.clone(),
            deadline: deadline.as_nanos(),
            key: None,
        })
    }

    fn unix_time(&self) -> Duration {
        self.now().elapsed()
    }
}

impl TestSleep {
    fn cancel(&mut self) {
        if let Some(key) = self.key.take() {
            let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
            timers.pending.remove(&key);
        }
    }
}

impl Future for TestSleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.cancel();
        let timers = self.timers.clone();
        let mut timers = timers.lock().unwrap();
        if timers.now >= self.deadline {
            return Poll::Ready(());
        }
        if self.deadline != u64::MAX {
            let key = (self.deadline, timers.next);
            timers.next += 1;
            timers.pending.insert(key, cx.waker().clone());
            self.key = Some(key);
        }
        Poll::Pending
    }
}

impl Sleep for TestSleep {
    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.cancel();
        self.deadline = deadline.as_nanos();
    }
}

impl Drop for TestSleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Connections as in-memory pipes without latency.
#[derive(Default)]
pub(crate) struct Pipes {
    listeners: RefCell<BTreeMap<SocketAddr, Rc<Backlog>>>,
    /// Connections made so far.
    pub(crate) opened: Cell<u32>,
}

#[derive(Default)]
struct Backlog {
    queue: RefCell<VecDeque<Connection>>,
    waker: RefCell<Option<Waker>>,
}

struct PipeListener {
    address: SocketAddr,
    backlog: Rc<Backlog>,
    pipes: Rc<Pipes>,
}

impl Pipes {
    fn dial(&self, peer: SocketAddr) -> io::Result<Connection> {
        let listeners = self.listeners.borrow();
        let backlog = listeners
            .get(&peer)
            .ok_or(io::ErrorKind::ConnectionRefused)?;
        self.opened.set(self.opened.get() + 1);
        let local = SocketAddr::from(([127, 0, 0, 1], 1));
        let (near, far) = tokio::io::duplex(64 << 10);
        backlog.queue.borrow_mut().push_back(Connection {
            io: Box::new(far),
            local: peer,
            peer: local,
        });
        if let Some(waker) = backlog.waker.take() {
            waker.wake();
        }
        Ok(Connection {
            io: Box::new(near),
            local,
            peer,
        })
    }
}

struct PipeNetwork(Rc<Pipes>);

impl Network for PipeNetwork {
    fn connect(&self, peer: SocketAddr) -> LocalBoxFuture<'static, io::Result<Connection>> {
        let pipes = self.0.clone();
        Box::pin(async move { pipes.dial(peer) })
    }

    fn listen(
        &self,
        address: SocketAddr,
    ) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let pipes = self.0.clone();
        Box::pin(async move {
            let backlog = Rc::new(Backlog::default());
            let mut listeners = pipes.listeners.borrow_mut();
            if listeners.contains_key(&address) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            listeners.insert(address, backlog.clone());
            drop(listeners);
            Ok(Box::new(PipeListener {
                address,
                backlog,
                pipes,
            }) as Box<dyn Listener>)
        })
    }
}

impl Listener for PipeListener {
    fn local_addr(&self) -> SocketAddr {
        self.address
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        match self.backlog.queue.borrow_mut().pop_front() {
            Some(connection) => Poll::Ready(Ok(connection)),
            None => {
                *self.backlog.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for PipeListener {
    fn drop(&mut self) {
        self.pipes.listeners.borrow_mut().remove(&self.address);
    }
}
