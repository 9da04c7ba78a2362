//! An exact account of every subject in every window that an expectation speaks of.
//!
//! A request belongs to the window of its start: a client's of the intended
//! one, a sidecar's of its headers, an app's of its arrival. Accounts of
//! windows after a fault begin anew when the fault comes back, so nothing has
//! to be kept for a later decision; accounts of windows that look ahead
//! (`before: cut - 2s`) hold back what is younger than that.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::record::quick::{Map, Set};
use mesh_core::seam::Instant;
use mesh_core::telemetry::{AttemptEvent, RequestEvent, ResponseFlag, ResponseFlags, TlsState};

use super::occurrence::Occurrences;
use super::span::Spans;
use super::tally::{Entry, Frame, Keeps, Tally, Work};
use crate::plan::{Demand, FaultWindow, Measure, Plan, Subject, Window};
use crate::record::{AppEvent, AppOutcome, FaultEvent, FaultPhase, failed, nanos, reached};

/// A request in flight at the end of the run has failed if it has waited for longer than this.
pub const GRACE: Duration = Duration::from_secs(1);

/// Traces of clients' requests remembered, to tell whose request an app works on.
const TRACES_MAX: usize = 200_000;

/// Accounts by subject and window.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    accounts: Vec<Account>,
    /// The account of each expectation, in plan order.
    of_expectation: Vec<Option<usize>>,
    of_traffic: Vec<Vec<usize>>,
    of_service: BTreeMap<String, Vec<usize>>,
    of_mesh: Vec<usize>,
    occurrences: Occurrences,
    endpoints: Set<Box<str>>,
    /// Endpoints by service, as the plan has them.
    replicas: BTreeMap<String, usize>,
    services: Set<Box<str>>,
    zones: BTreeMap<Box<str>, Box<str>>,
    /// The traffic source and the start of each request, by trace; kept where calls are counted.
    traces: Option<Map<u128, (usize, Instant)>>,
}

/// The account of one subject in one window.
#[derive(Clone, Debug)]
pub(super) struct Account {
    subject: Subject,
    window: Window,
    keeps: Keeps,
    tally: Tally,
    foresight: Duration,
    /// What it is too early to place.
    held_back: VecDeque<(Instant, Entry)>,
}

/// How a client's request ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientEnd<'a> {
    /// The traffic source's place in the plan.
    pub(crate) traffic: usize,
    /// The intended start, on the scenario's clock.
    pub(crate) intended: Instant,
    /// Its end, on the scenario's clock.
    pub(crate) ended: Instant,
    pub(crate) succeeded: bool,
    /// In nanoseconds, if it was answered.
    pub(crate) latency: Option<u64>,
    /// 0 is no answer.
    pub(crate) status: u16,
    /// The flags that its answer told, where no sidecar of its own logs them.
    pub(crate) flags: Option<&'a str>,
}

impl Ledger {
    /// Empty accounts for all of a plan's expectations.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut replicas = BTreeMap::new();
        for pod in &plan.pods {
            *replicas.entry(pod.service.clone()).or_default() += 1;
        }
        let zone =
            |w: &mesh_core::control::Workload| (w.name.as_ref().into(), (*w.locality.zone).into());
        let mut ledger = Self {
            accounts: Vec::new(),
            of_expectation: Vec::new(),
            of_traffic: vec![Vec::new(); plan.traffic.len()],
            of_service: BTreeMap::new(),
            of_mesh: Vec::new(),
            occurrences: Occurrences::new(plan),
            endpoints: Set::default(),
            replicas,
            services: Set::default(),
            zones: plan.workloads().map(zone).collect(),
            traces: None,
        };
        for expectation in &plan.expectations {
            let account = match &expectation.demand {
                Demand::Measured { claim, window } => {
                    Some(ledger.open(plan, claim.subject(), window, claim.measure()))
                }
                Demand::Detects { .. } | Demand::Recovers { .. } => None,
            };
            ledger.of_expectation.push(account);
        }
        ledger
    }

    fn open(
        &mut self,
        plan: &Plan,
        subject: &Subject,
        window: &Window,
        measure: &Measure,
    ) -> usize {
        let same = |account: &Account| account.subject == *subject && account.window == *window;
        let index = match self.accounts.iter().position(same) {
            Some(index) => index,
            None => {
                self.accounts
                    .push(Account::new(subject.clone(), window.clone()));
                let index = self.accounts.len() - 1;
                self.lead(plan, subject, index);
                index
            }
        };
        let account = &mut self.accounts[index];
        account.keeps.for_measure(measure);
        account.tally = Tally::new(account.keeps);
        if let Measure::Calls(service) = measure {
            self.services.insert(service.as_str().into());
            self.traces.get_or_insert_default();
        }
        index
    }

    /// Leads the events of `subject` to account `index`.
    fn lead(&mut self, plan: &Plan, subject: &Subject, index: usize) {
        match subject {
            Subject::Traffic(name) => {
                let source = plan.traffic.iter().position(|t| t.name == *name);
                if let Some(accounts) = source.and_then(|source| self.of_traffic.get_mut(source)) {
                    accounts.push(index);
                }
            }
            Subject::Service(name) => self.of_service.entry(name.clone()).or_default().push(index),
            Subject::Mesh => self.of_mesh.push(index),
            // Edges come to be while the run goes on; each asks for its accounts then.
            Subject::Edge { .. } => {}
        }
    }

    /// The accounts of the edge from `from` to `to`.
    pub(crate) fn of_edge(&self, from: &str, to: &str) -> Box<[usize]> {
        let fits =
            |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
        let accounts = self.accounts.iter().enumerate();
        let own = accounts.filter(|(_, account)| match &account.subject {
            Subject::Edge { from: f, to: t } => fits(f, from) && fits(t, to),
            _ => false,
        });
        own.map(|(index, _)| index).collect()
    }

    /// When faults began and healed.
    pub(crate) const fn occurrences(&self) -> &Occurrences {
        &self.occurrences
    }

    /// A fault began or ended, at `at` on the scenario's clock.
    pub(crate) fn fault(&mut self, at: Instant, event: &FaultEvent<'_>) {
        self.occurrences.event(at, event);
        if event.phase == FaultPhase::Began {
            for account in &mut self.accounts {
                account.comes_back(event.index as usize);
            }
        }
    }

    fn add(&mut self, index: usize, start: Instant, now: Instant, entry: Entry) {
        if let Some(account) = self.accounts.get_mut(index) {
            account.add(&self.occurrences, start, now, entry);
        }
    }

    fn number(names: &mut Set<Box<str>>, name: &str) -> u32 {
        let index = names.get_index_of(name);
        index.unwrap_or_else(|| names.insert_full(name.into()).0) as u32
    }

    /// A client sent a request.
    pub(crate) fn sent(&mut self, traffic: usize, trace: u128, intended: Instant) {
        let wanted = self.traces.as_mut().filter(|_| trace != 0);
        let Some(traces) =
            wanted.filter(|_| !self.of_traffic.get(traffic).is_none_or(Vec::is_empty))
        else {
            return;
        };
        if traces.len() >= TRACES_MAX {
            // The older half goes at once, because taking one from the front moves all the others.
            traces.drain(..TRACES_MAX / 2);
        }
        traces.insert(trace, (traffic, intended));
    }

    /// A client's request ended.
    pub(crate) fn ended(&mut self, end: &ClientEnd<'_>) {
        let entry = Entry::Request {
            succeeded: end.succeeded,
            status: end.status,
            latency: end.latency,
        };
        let flags = end.flags.map(|text| Entry::Passed {
            flags: flags_of(text),
            attempts: 0,
        });
        for which in 0..self.clients(end.traffic) {
            let index = self.client(end.traffic, which);
            self.add(index, end.intended, end.ended, entry);
            if let Some(flags) = flags {
                self.add(index, end.intended, end.ended, flags);
            }
        }
    }

    /// Accounts that the requests of a traffic source count for.
    fn clients(&self, traffic: usize) -> usize {
        self.of_traffic.get(traffic).map_or(0, Vec::len) + self.of_mesh.len()
    }

    /// The `which`-th of them.
    fn client(&self, traffic: usize, which: usize) -> usize {
        let own = &self.of_traffic[traffic];
        own.get(which)
            .copied()
            .unwrap_or_else(|| self.of_mesh[which - own.len()])
    }

    /// A request of traffic source `traffic` was in flight when the run ended.
    pub(crate) fn in_flight(&mut self, traffic: usize, intended: Instant, end: Instant) {
        if intended + GRACE >= end {
            return;
        }
        for which in 0..self.clients(traffic) {
            let index = self.client(traffic, which);
            self.add(index, intended, end, Entry::Hung);
        }
    }

    /// A request passed the outbound side of a sidecar, over an edge with these accounts. `source` is the traffic source
    /// that it belongs to, if its pod is one's.
    pub(crate) fn outbound(
        &mut self,
        edge: &[usize],
        source: Option<usize>,
        pod: &str,
        start: Instant,
        event: &RequestEvent<'_>,
    ) {
        let now = start + event.duration;
        let bytes = self.bytes(edge, pod, event);
        let request = Entry::Request {
            succeeded: !failed(event.status),
            status: event.status,
            latency: (event.status != 0).then(|| nanos(event.duration)),
        };
        let flags = Entry::Passed {
            flags: event.flags,
            attempts: event.attempts,
        };
        for index in edge {
            self.add(*index, start, now, request);
            self.add(*index, start, now, flags);
        }
        if let Some(source) = source {
            for which in 0..self.clients(source) {
                let index = self.client(source, which);
                self.add(index, start, now, flags);
            }
        }
        if let Some(bytes) = bytes {
            edge.iter()
                .for_each(|index| self.add(*index, start, now, bytes));
            for which in 0..self.of_mesh.len() {
                self.add(self.of_mesh[which], start, now, bytes);
            }
        }
    }

    /// The bytes of a request's bodies, where anybody counts them. They go to the endpoint of the last attempt.
    fn bytes(&self, edge: &[usize], pod: &str, event: &RequestEvent<'_>) -> Option<Entry> {
        let counted = !edge.is_empty() || !self.of_mesh.is_empty();
        (counted && !event.upstream.is_empty()).then(|| Entry::Bytes {
            bytes: event.request_bytes + event.response_bytes,
            crossed: self.crosses(pod, event.upstream),
        })
    }

    /// Whether two pods are in different zones. One that is in none is in nobody's.
    fn crosses(&self, pod: &str, upstream: &str) -> bool {
        let zone = |pod: &str| self.zones.get(pod).filter(|zone| !zone.is_empty());
        match (zone(pod), zone(upstream)) {
            (Some(a), Some(b)) => a != b,
            (a, b) => a.is_some() || b.is_some(),
        }
    }

    /// An attempt over an edge with these accounts.
    pub(crate) fn attempt(
        &mut self,
        edge: &[usize],
        source: Option<usize>,
        pod: &str,
        start: Instant,
        event: &AttemptEvent<'_>,
    ) {
        let sources = source.map_or(0, |source| self.of_traffic.get(source).map_or(0, Vec::len));
        if event.mirror || edge.is_empty() && self.of_mesh.is_empty() && sources == 0 {
            return;
        }
        let picked = !event.upstream.is_empty();
        let entry = Entry::Attempt {
            endpoint: picked.then(|| Self::number(&mut self.endpoints, event.upstream)),
            crossed: picked && self.crosses(pod, event.upstream),
            plaintext: reached(event) && event.tls == TlsState::Plain,
        };
        let now = start + event.duration;
        edge.iter()
            .for_each(|index| self.add(*index, start, now, entry));
        for which in 0..sources {
            let index = self.of_traffic[source.unwrap_or_default()][which];
            self.add(index, start, now, entry);
        }
        // Of the whole mesh, plaintext is counted where it arrives.
        let Entry::Attempt {
            endpoint, crossed, ..
        } = entry
        else {
            return;
        };
        let entry = Entry::Attempt {
            endpoint,
            crossed,
            plaintext: false,
        };
        for which in 0..self.of_mesh.len() {
            self.add(self.of_mesh[which], start, now, entry);
        }
    }

    /// Whether anybody asks what comes in at `service`.
    pub(crate) fn watches(&self, service: &str) -> bool {
        !self.of_mesh.is_empty() || self.of_service.contains_key(service)
    }

    /// A request passed the inbound side of `pod`'s sidecar.
    pub(crate) fn inbound(
        &mut self,
        service: &str,
        pod: &str,
        start: Instant,
        event: &RequestEvent<'_>,
        unauthorised: bool,
    ) {
        let now = start + event.duration;
        let arrival = Entry::Arrival {
            endpoint: Self::number(&mut self.endpoints, pod),
            plaintext: event.downstream_tls == TlsState::Plain,
            unauthorised,
        };
        let request = Entry::Request {
            succeeded: !failed(event.status),
            status: event.status,
            latency: (event.status != 0).then(|| nanos(event.duration)),
        };
        for which in 0..self.of_service.get(service).map_or(0, Vec::len) {
            let index = self.of_service[service][which];
            self.add(index, start, now, request);
            let flags = event.flags;
            self.add(index, start, now, Entry::Passed { flags, attempts: 0 });
            self.add(index, start, now, arrival);
        }
        for which in 0..self.of_mesh.len() {
            self.add(self.of_mesh[which], start, now, arrival);
        }
    }

    /// An app is done with a request; `local` puts an instant on the scenario's clock.
    pub(crate) fn app(&mut self, event: &AppEvent<'_>, local: impl Fn(Instant) -> Instant) {
        self.call(event, &local);
        if !self.watches(event.service) {
            return;
        }
        let (arrived, ended) = (local(event.arrived), local(event.ended));
        let entry = Entry::Work(Work {
            busy: event.started.map_or(0, |s| nanos(event.ended.since(s))),
            wasted: event.outcome == AppOutcome::Wasted,
            wait: event.started.map(|s| nanos(s.since(event.arrived))),
            queue: event.queue,
        });
        for which in 0..self.of_service.get(event.service).map_or(0, Vec::len) {
            let index = self.of_service[event.service][which];
            self.add(index, arrived, ended, entry);
        }
        for which in 0..self.of_mesh.len() {
            self.add(self.of_mesh[which], arrived, ended, entry);
        }
    }

    fn call(&mut self, event: &AppEvent<'_>, local: &impl Fn(Instant) -> Instant) {
        let known = self
            .traces
            .as_ref()
            .and_then(|traces| traces.get(&event.trace));
        let Some((traffic, intended)) = known.copied() else {
            return;
        };
        let Some(service) = self.services.get_index_of(event.service) else {
            return;
        };
        let entry = Entry::Call {
            service: service as u32,
        };
        for which in 0..self.of_traffic[traffic].len() {
            let index = self.of_traffic[traffic][which];
            self.add(index, intended, local(event.ended), entry);
        }
    }

    /// The run is over: whatever was held back finds its place.
    pub(crate) fn close(&mut self) {
        for account in &mut self.accounts {
            account.settle(&self.occurrences, Instant::NEVER);
        }
    }

    /// What the plan's `index`-th expectation comes to in a run of this length.
    pub(super) fn account(&self, index: usize, length: u64) -> Option<Judged<'_>> {
        let account = self.accounts.get((*self.of_expectation.get(index)?)?)?;
        let spans = self.occurrences.spans(&account.window, length);
        Some(Judged {
            ledger: self,
            account,
            spans,
        })
    }
}

/// An account at the end of the run.
pub(super) struct Judged<'a> {
    ledger: &'a Ledger,
    account: &'a Account,
    /// What its window came to.
    pub(super) spans: Spans,
}

impl Judged<'_> {
    /// How many things `measure` is made of.
    pub(super) fn counted(&self, measure: &Measure) -> u64 {
        self.account.tally.counted(&self.account.subject, measure)
    }

    /// What `measure` comes to, in its unit; `None` when there is nothing to measure.
    pub(super) fn measure(&self, measure: &Measure) -> Option<f64> {
        let callee = match &self.account.subject {
            Subject::Edge { to, .. } => to.as_ref(),
            Subject::Service(name) => Some(name),
            Subject::Traffic(_) | Subject::Mesh => None,
        };
        let called = match measure {
            Measure::Calls(service) => self.ledger.services.get_index_of(service.as_str()),
            _ => None,
        };
        let frame = Frame {
            seconds: self.spans.length() as f64 / 1e9,
            endpoints: callee
                .and_then(|name| self.ledger.replicas.get(name))
                .copied()
                .unwrap_or_default(),
            callee: called.map(|index| index as u32),
        };
        self.account
            .tally
            .measure(&self.account.subject, measure, &frame)
    }
}

impl Account {
    fn new(subject: Subject, window: Window) -> Self {
        Self {
            subject,
            foresight: window.foresight(),
            window,
            keeps: Keeps::default(),
            tally: Tally::default(),
            held_back: VecDeque::new(),
        }
    }

    fn add(&mut self, occurrences: &Occurrences, start: Instant, now: Instant, entry: Entry) {
        if self.foresight.is_zero() {
            if occurrences.covers(&self.window, start) {
                self.tally.add(entry);
            }
            return;
        }
        self.held_back.push_back((start, entry));
        self.settle(occurrences, now);
    }

    /// Places what is old enough at `now`.
    fn settle(&mut self, occurrences: &Occurrences, now: Instant) {
        let foresight = self.foresight;
        while let Some((start, entry)) = self.held_back.front().copied() {
            if start + foresight >= now {
                return;
            }
            self.held_back.pop_front();
            if occurrences.covers(&self.window, start) {
                self.tally.add(entry);
            }
        }
    }

    /// A fault begins again: what came after it was not after its last occurrence.
    fn comes_back(&mut self, fault: usize) {
        let after = |part: &FaultWindow| match part {
            FaultWindow::After { faults, .. } => faults.indices.contains(&fault),
            FaultWindow::Each { .. } | FaultWindow::Before { .. } => false,
        };
        if self.window.faults.iter().any(after) {
            self.tally = Tally::new(self.keeps);
        }
    }
}

/// Flags as an answer's header has them: `URX,UF`.
fn flags_of(text: &str) -> ResponseFlags {
    let mut flags = ResponseFlags::NONE;
    for flag in ResponseFlag::ALL {
        if text.split(',').any(|letters| letters == flag.as_str()) {
            flags.insert(*flag);
        }
    }
    flags
}
