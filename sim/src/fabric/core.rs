//! What a fabric's parts share: the hosts, the wire, the clock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use mesh_core::seam::{LocalBoxFuture, Spawn};
use tokio::task::LocalSet;

use super::clock::{ClockState, HostWaker, Shared};
use super::loopback::Loopback;
use super::panic::Guarded;
use super::wire::Wire;
use super::{HostId, HostSpec};

/// A host: a kernel, and while it runs, a process with its tasks.
pub(super) struct Host {
    pub(super) spec: HostSpec,
    /// Its kernel.
    pub(super) net: turmoil_net::HostId,
    /// Its tasks while it is up.
    pub(super) tasks: RefCell<Option<LocalSet>>,
    pub(super) wake: Arc<HostWaker>,
    pub(super) waker: Waker,
    pub(super) clock: Arc<ClockState>,
    pub(super) loopback: RefCell<Loopback>,
    /// Its process does not run, but its kernel does.
    pub(super) frozen: Cell<bool>,
    /// It was woken while frozen.
    pub(super) missed_wake: Cell<bool>,
    /// The instant it was last polled at, and how often then.
    pub(super) polls: Cell<(u64, u32)>,
}

/// Everything behind a fabric's handles.
pub(super) struct Core {
    pub(super) seed: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) hosts: Vec<Host>,
    /// `None` once the world has ended; handles may outlive it.
    pub(super) wire: RefCell<Option<Wire>>,
    current: Cell<Option<HostId>>,
    polling: Cell<bool>,
}

impl Core {
    /// A world of `hosts` around `wire`.
    pub(super) fn new(seed: u64, shared: Arc<Shared>, hosts: Vec<Host>, wire: Wire) -> Self {
        Self {
            seed,
            shared,
            hosts,
            wire: RefCell::new(Some(wire)),
            current: Cell::new(None),
            polling: Cell::new(false),
        }
    }

    /// The host with this number.
    pub(super) fn host(&self, host: HostId) -> &Host {
        &self.hosts[host.index()]
    }

    /// Works on the wire, unless the world has ended.
    pub(super) fn wire<T>(&self, work: impl FnOnce(&mut Wire) -> T) -> Option<T> {
        self.wire.borrow_mut().as_mut().map(work)
    }

    /// Runs `work` with `host` as the one whose kernel answers system calls.
    pub(super) fn on<T>(&self, host: HostId, work: impl FnOnce() -> T) -> T {
        let before = self.current.replace(Some(host));
        if before != Some(host) {
            turmoil_net::set_current(self.host(host).net);
        }
        let result = work();
        if let Some(before) = before.filter(|&before| before != host) {
            turmoil_net::set_current(self.host(before).net);
        }
        self.current.set(before.or(Some(host)));
        result
    }

    /// Runs `work` on `host` as part of a poll of its tasks.
    pub(super) fn poll_on<T>(&self, host: HostId, work: impl FnOnce() -> T) -> T {
        self.polling.set(true);
        let result = self.on(host, work);
        self.polling.set(false);
        result
    }

    fn is_polling(&self, host: HostId) -> bool {
        self.polling.get() && self.current.get() == Some(host)
    }
}

/// Starts tasks on one host.
pub(super) struct HostSpawn {
    pub(super) core: Rc<Core>,
    pub(super) host: HostId,
}

impl Spawn for HostSpawn {
    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.core.spawn(self.host, task);
    }
}

impl Core {
    /// Starts a task of `host`; without effect when its process does not run.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is what seam::Spawn is made of"
    )]
    pub(super) fn spawn(&self, host: HostId, task: LocalBoxFuture<'static, ()>) {
        let task = Guarded::new(task, self.host(host).wake.clone());
        if self.is_polling(host) {
            tokio::task::spawn_local(task);
            return;
        }
        let tasks = self.host(host).tasks.try_borrow();
        if let Some(tasks) = tasks.ok().as_deref().and_then(Option::as_ref) {
            tasks.spawn_local(task);
            self.host(host).waker.wake_by_ref();
        }
    }
}
