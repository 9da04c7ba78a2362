//! What can be done to a host and to the links: the powers faults are made of.
//!
//! Everything made so far is swept before the world changes, so that a packet
//! sent before a fault never meets it.

use mesh_core::seam::{Instant, LocalBoxFuture};
use tokio::task::LocalSet;
use turmoil_net::{NetstatState, Packet, netstat};

use super::connections::EndRef;
use super::packet::{RST, control_packet};
use super::rule::{Effect, PacketScope, RuleId};
use super::wire::Wire;
use super::{Fabric, HostId};
use crate::plan::Distribution;

impl Fabric {
    /// Powers `host` on if need be and starts `main` as a task of it. A host
    /// that died starts again with an empty kernel; its names and clocks go on.
    pub fn start(
        &mut self,
        host: HostId,
        main: impl FnOnce() -> LocalBoxFuture<'static, ()> + 'static,
    ) {
        let entry = self.core.host(host);
        entry.tasks.borrow_mut().get_or_insert_with(LocalSet::new);
        self.core.wire(|wire| {
            wire.flush();
            wire.powered[host.index()] = true;
        });
        self.core.spawn(host, Box::pin(async move { main().await }));
    }

    /// Whether the host's process runs (a frozen one does).
    pub fn is_up(&self, host: HostId) -> bool {
        self.core.host(host).tasks.borrow().is_some()
    }

    /// Kills the process: its tasks are dropped, the kernel resets its
    /// connections and refuses new ones.
    pub fn crash(&mut self, host: HostId) {
        self.die(host, true);
    }

    /// Cuts the power: the host falls silent, and its peers learn of it by their own timeouts.
    pub fn power_off(&mut self, host: HostId) {
        self.die(host, false);
    }

    fn die(&mut self, host: HostId, kernel_lives: bool) {
        let entry = self.core.host(host);
        let orphans = self.core.wire(|wire| {
            wire.flush();
            let orphans = wire.disown(host);
            wire.reset_sockets(host, entry.spec.ip);
            orphans
        });
        let tasks = entry.tasks.borrow_mut().take();
        self.core.on(host, || drop(tasks));
        let backlogs = entry.loopback.borrow_mut().close_all();
        drop(backlogs);
        entry.frozen.set(false);
        entry.missed_wake.set(false);
        self.core.wire(|wire| {
            wire.powered[host.index()] = kernel_lives;
            wire.bury(host, orphans.unwrap_or_default(), kernel_lives);
        });
    }

    /// Stops the host's process, as SIGSTOP does: its kernel still answers, and
    /// its clocks go on.
    pub fn freeze(&mut self, host: HostId) {
        self.core.host(host).frozen.set(true);
    }

    /// Lets a frozen process go on. Timers that came due meanwhile fire now.
    pub fn thaw(&mut self, host: HostId) {
        let entry = self.core.host(host);
        entry.frozen.set(false);
        if entry.missed_wake.take() {
            entry.waker.wake_by_ref();
        }
    }

    /// From now on the host's monotonic clock gains `ppb` nanoseconds per second
    /// of true time (negative: loses). Pending timers follow.
    pub fn set_clock_rate(&mut self, host: HostId, ppb: i64) {
        self.core.host(host).clock.set_rate(ppb);
    }

    /// Moves the host's wall clock by `offset_ns`. Timers do not notice.
    pub fn step_wall_clock(&mut self, host: HostId, offset_ns: i64) {
        self.core.host(host).clock.step_wall(offset_ns);
    }

    /// Puts a rule in force.
    pub fn add_rule(&mut self, scope: PacketScope, effect: Effect) -> RuleId {
        let mut wire = self.core.wire.borrow_mut();
        let wire = wire
            .as_mut()
            .expect("the world lives as long as its fabric");
        wire.flush();
        let birth = wire.next_ordinal();
        wire.rules.add(scope, effect, birth)
    }

    /// Changes what a rule does to packets from now on.
    pub fn change_rule(&mut self, rule: RuleId, effect: Effect) {
        self.core.wire(|wire| {
            wire.flush();
            wire.rules.change(rule, effect);
        });
    }

    /// Adds latency to packets in `scope`.
    pub fn add_latency(&mut self, scope: PacketScope, by: Distribution) -> RuleId {
        self.add_rule(scope, Effect::Latency(by))
    }

    /// Stops every packet in `scope`, in silence.
    pub fn partition(&mut self, scope: PacketScope) -> RuleId {
        self.add_rule(scope, Effect::Partition)
    }

    /// Takes a rule out of force.
    pub fn remove(&mut self, rule: RuleId) {
        self.core.wire(|wire| {
            wire.flush();
            wire.rules.remove(rule);
        });
    }

    /// How many packets the rule has delayed, lost, stopped or reset so far.
    pub fn touched(&self, rule: RuleId) -> u64 {
        self.core
            .wire(|wire| wire.rules.touched(rule))
            .unwrap_or_default()
    }

    /// Schedules `action` for `at` on the global clock (at once when that is past).
    /// It comes before everything else that is due at that instant.
    pub fn at(&mut self, at: Instant, action: impl FnOnce(&mut Self) + 'static) {
        let at = at.max(self.now()).as_nanos();
        let index = self.actions.insert(Box::new(action));
        let class = super::queue::Class::Action;
        self.core.shared.queue().push(at, class, index);
    }
}

impl Wire {
    /// Takes every connection from the host's process; those whose peer has not been told.
    fn disown(&mut self, host: HostId) -> Vec<EndRef> {
        let mut ends = self.conns.of_host(host);
        ends.retain(|end| {
            self.conns.get(end.conn).is_some_and(|conn| {
                let own = &mut conn.ends[end.side];
                let orphan = own.alive();
                own.dead = true;
                conn.closing = true;
                conn.dirs[end.side].discard();
                orphan
            })
        });
        ends
    }

    /// Resets every connection in the host's own kernel, so that closing it
    /// says nothing. Half-open children stay: only their listener can remove them.
    fn reset_sockets(&mut self, host: HostId, ip: std::net::IpAddr) {
        debug_assert_eq!(self.host_of(ip), Some(host));
        for entry in netstat(ip).entries {
            let open = !matches!(
                entry.state,
                Some(NetstatState::Listen | NetstatState::SynReceived)
            );
            if let Some(peer) = entry.peer.filter(|_| open) {
                self.guard
                    .deliver(control_packet(peer, entry.local, 0, 0, RST));
            }
        }
    }

    /// The host's process is gone: what its kernel still says is replaced by
    /// a reset of every connection, or by silence.
    fn bury(&mut self, host: HostId, orphans: Vec<EndRef>, kernel_lives: bool) {
        let mut egress: Vec<Packet> = Vec::new();
        self.guard.egress_all(&mut egress);
        egress.retain(|packet| self.host_of(packet.src) != Some(host));
        debug_assert!(egress.is_empty(), "everything was flushed before");
        if kernel_lives {
            for end in orphans {
                self.send_reset(end);
            }
        }
        for end in self.conns.of_host(host) {
            if let Some(conn) = self.conns.get(end.conn) {
                conn.ends[end.side].held &= !conn.ends[end.side].dead;
            }
            self.conns.forget_if_over(end.conn);
        }
    }
}
