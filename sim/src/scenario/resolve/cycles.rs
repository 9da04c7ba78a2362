//! Calls that come back to where they began.
//!
//! A request to an endpoint whose script surely calls something that surely
//! calls it again never ends: each call holds a worker and makes another. Such
//! endpoints are the greatest set in which every member makes a certain call
//! all of whose possible answerers are members too. It is found by striking out:
//! an endpoint dies when its last call has died, and a call dies when one of its
//! answerers has. With "one of" replaced by "the last of", those remain that
//! *may* come back to themselves, by way of some version of a service: they are
//! worth a warning. Both take time linear in the size of the graph.

use std::collections::BTreeMap;

use mesh_core::document::Diagnostic;

use super::apps::{Apps, CallSite};
use super::directory::Directory;
use super::groups::Groups;
use crate::plan::EndpointPlan;
use crate::scenario::problems::Problems;

/// A larger graph is not checked: that would take longer than running it.
const EDGES_MAX: usize = 5_000_000;

/// An endpoint: its index among all endpoints of all groups.
type Point = usize;

/// Reports endless calls.
pub(super) fn check(
    groups: &Groups<'_>,
    directory: &Directory<'_>,
    apps: &Apps,
    problems: &mut Problems,
) {
    let Some(graph) = Graph::new(groups, directory, apps) else {
        problems.push(Diagnostic::warning(
            "there are too many calls to look for endless ones",
        ));
        return;
    };
    if let Some(round) = graph.round(Calls::Surely) {
        let (first, message) = graph.describe(&round, "never ends");
        let error = problems.error(&first.at, message);
        let error = along(error, &round, problems)
            .help("let the call be made with a `probability`, or end it at another path");
        return problems.push(error);
    }
    if let Some(round) = graph.round(Calls::Perhaps) {
        let (first, message) = graph.describe(&round, "may come back without end");
        let warning = problems.warning(&first.at, message);
        let warning = along(warning, &round, problems);
        problems.push(warning);
    }
}

/// Shows where a round begins and how it goes on.
fn along(diagnostic: Diagnostic, round: &[Step<'_>], problems: &Problems) -> Diagnostic {
    const SHOWN_MAX: usize = 8;
    let mut diagnostic = diagnostic.label("it begins here");
    let first = &round[0].call.at;
    for step in round.iter().skip(1).take(SHOWN_MAX) {
        if step.call.at != *first {
            diagnostic = problems.also(diagnostic, &step.call.at, "and goes on here");
        }
    }
    diagnostic
}

/// How strictly a call must stay within the set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calls {
    /// Whoever answers is in the set.
    Surely,
    /// Somebody who may answer is in the set.
    Perhaps,
}

/// What a call may reach. Calls of the same service, method and path share it.
#[derive(Default)]
struct Target {
    answerers: Vec<Point>,
    /// The endpoints that call it, once for each call.
    callers: Vec<Point>,
}

/// One call of a round, and the endpoint that makes it.
struct Step<'a> {
    point: Point,
    call: &'a CallSite,
}

struct Graph<'a> {
    /// The group of every endpoint.
    group_names: Vec<&'a str>,
    /// Certain calls of every endpoint.
    calls: Vec<Vec<(&'a CallSite, usize)>>,
    targets: Vec<Target>,
}

impl<'a> Graph<'a> {
    fn new(groups: &'a Groups<'_>, directory: &Directory<'_>, apps: &'a Apps) -> Option<Self> {
        let mut first_points = Vec::new();
        let mut graph = Self {
            group_names: Vec::new(),
            calls: Vec::new(),
            targets: Vec::new(),
        };
        for (group, endpoints) in groups.groups.iter().zip(&apps.calls) {
            first_points.push(graph.calls.len());
            for _ in endpoints {
                graph.group_names.push(&group.name);
                graph.calls.push(Vec::new());
            }
        }
        let mut known: BTreeMap<(usize, &str, &str), usize> = BTreeMap::new();
        let mut edges = 0;
        for (point, calls) in apps.calls.iter().flatten().enumerate() {
            let known_targets = graph.targets.len();
            for call in calls.iter().filter(|call| call.certain) {
                let key = (call.service, call.method.as_str(), call.path.as_str());
                let target = *known.entry(key).or_insert_with(|| {
                    graph.targets.push(Target {
                        answerers: answerers(call, groups, directory, apps, &first_points),
                        callers: Vec::new(),
                    });
                    graph.targets.len() - 1
                });
                edges += 1;
                graph.targets[target].callers.push(point);
                graph.calls[point].push((call, target));
            }
            edges += graph.targets[known_targets..]
                .iter()
                .map(|target| target.answerers.len())
                .sum::<usize>();
            if edges > EDGES_MAX {
                return None;
            }
        }
        Some(graph)
    }

    /// A round of calls, if there is one.
    fn round(&self, how: Calls) -> Option<Vec<Step<'a>>> {
        let alive = self.survivors(how);
        let start = alive.iter().position(|alive| *alive)?;
        let mut walked: Vec<Step<'a>> = Vec::new();
        let mut seen = vec![None; self.calls.len()];
        let mut here = start;
        loop {
            if let Some(again) = seen[here] {
                return Some(walked.split_off(again));
            }
            seen[here] = Some(walked.len());
            let (call, next) = self.calls[here].iter().find_map(|(call, target)| {
                let answerers = &self.targets[*target].answerers;
                let inside = |point: &Point| alive[*point];
                let next = answerers.iter().copied().find(|point| inside(point))?;
                let stays = how == Calls::Perhaps || answerers.iter().all(inside);
                stays.then_some((*call, next))
            })?;
            walked.push(Step { point: here, call });
            here = next;
        }
    }

    /// For every endpoint, whether it is left when all is struck out that must be.
    fn survivors(&self, how: Calls) -> Vec<bool> {
        let mut alive = vec![true; self.calls.len()];
        let mut live_calls: Vec<usize> = self.calls.iter().map(Vec::len).collect();
        // How many answerers may still die before the target does.
        let mut spare: Vec<usize> = self
            .targets
            .iter()
            .map(|target| match how {
                Calls::Surely => target.answerers.len().min(1),
                Calls::Perhaps => target.answerers.len(),
            })
            .collect();
        let mut reached_by: Vec<Vec<usize>> = vec![Vec::new(); self.calls.len()];
        for (index, target) in self.targets.iter().enumerate() {
            for point in &target.answerers {
                reached_by[*point].push(index);
            }
        }
        let mut dying: Vec<Point> = Vec::new();
        let mut dead_targets: Vec<usize> = (0..spare.len())
            .filter(|index| spare[*index] == 0)
            .collect();
        dying.extend((0..live_calls.len()).filter(|point| live_calls[*point] == 0));
        loop {
            while let Some(index) = dead_targets.pop() {
                for caller in &self.targets[index].callers {
                    live_calls[*caller] -= 1;
                    if live_calls[*caller] == 0 {
                        dying.push(*caller);
                    }
                }
            }
            let Some(point) = dying.pop() else {
                return alive;
            };
            alive[point] = false;
            for index in &reached_by[point] {
                if spare[*index] > 0 {
                    spare[*index] -= 1;
                    if spare[*index] == 0 {
                        dead_targets.push(*index);
                    }
                }
            }
        }
    }

    /// The first call of a round, and the round in words.
    fn describe(&self, round: &[Step<'a>], what: &str) -> (&'a CallSite, String) {
        let mut names: Vec<&str> = round
            .iter()
            .map(|step| self.group_names[step.point])
            .collect();
        names.extend(names.first().copied());
        (
            round[0].call,
            format!("the call {} {what}", names.join(" → ")),
        )
    }
}

/// The endpoints that may answer a call: in each group of the service, the first that takes it.
fn answerers(
    call: &CallSite,
    groups: &Groups<'_>,
    directory: &Directory<'_>,
    apps: &Apps,
    first_points: &[Point],
) -> Vec<Point> {
    groups
        .of(directory.service(call.service))
        .map(|(group, _)| {
            let endpoints = &apps.plans[group].endpoints;
            let taker = endpoints.iter().position(|endpoint| takes(endpoint, call));
            first_points[group] + taker.unwrap_or(endpoints.len())
        })
        .collect()
}

fn takes(endpoint: &EndpointPlan, call: &CallSite) -> bool {
    call.path.starts_with(&endpoint.path_prefix)
        && endpoint
            .method
            .as_ref()
            .is_none_or(|method| *method == call.method)
}
