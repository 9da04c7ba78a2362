//! Faults: when, where and what. One file for each family.

mod capacity;
mod clock;
mod control;
mod identity;
mod network;
mod process;
mod schedule;
mod sidecars;
mod traffic;

use mesh_core::document::Diagnostic;
use mesh_core::policy::Position;

use super::groups::Groups;
use super::selectors::{Candidate, Kind, candidates, select};
use super::{Frame, place};
use crate::plan::{
    EdgeSelector, FarEnd, FaultKind, FaultPlan, PodPlan, PodSelector, Take, TrafficPlan,
};
use crate::scenario::file::{EdgeSpec, FaultSpec, Placed, PodsSpec, Scenario, Short};
use crate::scenario::problems::Problems;

pub(super) use control::{Mesh, mesh};
pub(super) use process::spares;

/// What faults refer to.
pub(super) struct Context<'a> {
    pub(super) candidates: Vec<Candidate<'a>>,
    pub(super) groups: &'a Groups<'a>,
    pub(super) pods: &'a [PodPlan],
    pub(super) traffic: &'a [TrafficPlan],
    pub(super) scenario: &'a Scenario,
    /// The names of all faults, in plan order.
    pub(super) names: Vec<String>,
    pub(super) mesh: Mesh,
}

/// One kind of fault as given: its key, where, and how it is resolved into the kind and the words of a name for it.
struct Given<'a> {
    key: &'static str,
    at: &'a Position,
    resolve: Resolve<'a>,
}

type Resolve<'a> =
    Box<dyn Fn(&Context<'_>, &Problems) -> Result<(FaultKind, String), Diagnostic> + 'a>;

/// Notes that a kind is given; `resolve` makes a fault of its family, and the words of a name for it.
fn push<'a, F: Into<FaultKind>>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    at: &'a Position,
    resolve: impl Fn(&Context<'_>, &Problems) -> Result<(F, String), Diagnostic> + 'a,
) {
    let resolve = move |context: &Context<'_>, problems: &Problems| {
        let (fault, words) = resolve(context, problems)?;
        Ok((fault.into(), words))
    };
    all.push(Given {
        key,
        at,
        resolve: Box::new(resolve),
    });
}

/// The faults of a scenario.
pub(super) fn plans(
    scenario: &Scenario,
    pods: &[PodPlan],
    traffic: &[TrafficPlan],
    groups: &Groups<'_>,
    mesh: Mesh,
    frame: &Frame,
    problems: &mut Problems,
) -> Vec<FaultPlan> {
    let mut context = Context {
        candidates: candidates(pods, traffic, groups),
        groups,
        pods,
        traffic,
        scenario,
        names: Vec::new(),
        mesh,
    };
    let faults = scenario.faults.iter();
    let timely: Vec<_> = faults
        .filter(|fault| !schedule::is_late(fault, frame, problems))
        .collect();
    let mut plans = Vec::new();
    // Names first: a schedule may speak of any fault.
    for fault in timely {
        match kind(fault, &context, problems) {
            Ok((kind, words)) => {
                let what = match kind.strength() {
                    Some(strength) => format!("{words} ({strength})"),
                    None => words.clone(),
                };
                let name = fault.name.as_ref();
                let name = name.map_or(words, |name| name.value().clone());
                let known = context.names.contains(&name);
                if let (true, Some(name)) = (known, &fault.name) {
                    let message = format!("two faults are called `{}`", name.value());
                    problems.push(problems.error(name.at(), message));
                }
                context.names.push(name);
                plans.push((fault, kind, what));
            }
            Err(error) => problems.push(error),
        }
    }
    let written: Vec<&Placed<FaultSpec>> = plans.iter().map(|(fault, ..)| *fault).collect();
    let mut told = Vec::new();
    for (index, (fault, kind, what)) in plans.into_iter().enumerate() {
        match schedule::plan(fault, &kind, &context, frame, problems) {
            Ok((schedule, ramp)) => told.push(FaultPlan {
                name: context.names[index].clone(),
                what,
                schedule,
                ramp,
                kind,
                place: place(fault.at()),
            }),
            Err(error) => problems.push(error),
        }
    }
    if told.len() == written.len() {
        schedule::check_order(&told, &written, problems);
    }
    told
}

/// What is given, which must be one thing.
fn kind(
    fault: &Placed<FaultSpec>,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<(FaultKind, String), Diagnostic> {
    let mut given = Vec::new();
    network::given(fault, &mut given);
    process::given(fault, &mut given);
    capacity::given(fault, &mut given);
    traffic::given(fault, &mut given);
    clock::given(fault, &mut given);
    identity::given(fault, &mut given);
    control::given(fault, &mut given);
    match given.as_slice() {
        [] => Err(problems
            .error(fault.at(), "what goes wrong?")
            .help("such as `crash: reviews`, `latency: { add: 200ms, to: ratings }` or `partition: { zone: a }`")),
        [one] => {
            let (kind, subject) = (one.resolve)(context, problems)?;
            Ok((kind, format!("{} {subject}", one.key)))
        }
        [one, other, ..] => Err(problems
            .error(
                other.at,
                format!("a fault is one thing, but `{}` and `{}` are given", one.key, other.key),
            )
            .help("write one item of the list for each fault")),
    }
}

impl Context<'_> {
    /// Pods that run apps: a traffic source does not die.
    fn apps(
        &self,
        pods: &PodsSpec,
        at: &Position,
        problems: &Problems,
    ) -> Result<PodSelector, Diagnostic> {
        let apps = self.of_kind(|kind| kind == Kind::App);
        select(pods, at, &apps, problems)
    }

    /// Pods that run apps or are traffic sources, but not the control plane.
    fn workloads(
        &self,
        pods: &PodsSpec,
        at: &Position,
        problems: &Problems,
    ) -> Result<PodSelector, Diagnostic> {
        let workloads = self.of_kind(|kind| kind != Kind::Control);
        select(pods, at, &workloads, problems)
    }

    /// All pods, and the control plane.
    fn hosts(
        &self,
        pods: &PodsSpec,
        at: &Position,
        problems: &Problems,
    ) -> Result<PodSelector, Diagnostic> {
        select(pods, at, &self.of_kind(|_| true), problems)
    }

    fn of_kind(&self, wanted: impl Fn(Kind) -> bool) -> Vec<&Candidate<'_>> {
        let all = self.candidates.iter();
        all.filter(|candidate| wanted(candidate.kind)).collect()
    }

    /// Packets between pods.
    fn edge(
        &self,
        spec: &EdgeSpec,
        at: &Position,
        problems: &Problems,
    ) -> Result<EdgeSelector, Diagnostic> {
        let all = self.of_kind(|_| true);
        let from = match (spec.direct.is_empty(), &spec.from) {
            (false, Some(from)) => {
                return Err(problems.error(
                    from.at(),
                    "`from` stands beside another selector; keep one of them",
                ));
            }
            (false, None) => select(&spec.direct, at, &all, problems)?,
            (true, Some(from)) => select(from, from.at(), &all, problems)?,
            (true, None) if spec.to.is_some() => PodSelector {
                pods: all
                    .iter()
                    .map(|pod| pod.workload.name.to_string())
                    .collect(),
                take: Take::All,
                text: "anyone".into(),
            },
            (true, None) => {
                return Err(problems.error(at, "which packets?").help(
                    "such as `zone: a`, `to: reviews`, or `from: productpage` and `to: reviews`",
                ));
            }
        };
        let to = match &spec.to {
            Some(to) => FarEnd::Pods(select(to, to.at(), &all, problems)?),
            None => FarEnd::Others,
        };
        let nobody = match &to {
            FarEnd::Pods(to) => to.pods == from.pods && from.pods.len() == 1,
            _ => from.pods.len() == self.candidates.len() - 1 && from.take == Take::All,
        };
        if nobody {
            return Err(problems.error(
                at,
                "no packet is on this way: there is nobody at its other end",
            ));
        }
        Ok(EdgeSelector {
            from,
            to,
            both_ways: !spec.one_way,
            port: spec.port.as_ref().map(|port| *port.value()),
        })
    }
}

/// An edge as told in names.
fn told(on: &EdgeSelector) -> String {
    let port = on.port.map_or(String::new(), |port| format!(":{port}"));
    match &on.to {
        FarEnd::Pods(to) if on.both_ways => format!("{} ↔ {}{port}", on.from.text, to.text),
        FarEnd::Pods(to) => format!("{} → {}{port}", on.from.text, to.text),
        FarEnd::Others | FarEnd::Everybody => format!("{}{port}", on.from.text),
    }
}

/// A part that chooses pods and nothing else.
type Pods = Placed<Short<PodsSpec>>;
