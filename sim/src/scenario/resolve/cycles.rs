//! Calls that come back to where they began.
//!
//! A request to an endpoint whose script surely calls something that surely
//! calls it again never ends: each call holds a worker and makes another. Such
//! endpoints are the greatest set in which every member makes a certain call
//! all of whose possible answerers are members too; it is found by starting
//! from all endpoints and striking out those that fail the condition until none
//! does. With "all" weakened to "some", and the probability disregarded, the
//! set of those that *may* come back remains: they are worth a warning.

use std::collections::BTreeSet;

use mesh_core::document::Diagnostic;

use super::apps::{Apps, CallSite};
use super::directory::Directory;
use super::groups::Groups;
use crate::plan::EndpointPlan;
use crate::scenario::problems::Problems;

/// An endpoint: group, and index among the group's endpoints (the fallback last).
type Point = (usize, usize);

/// Reports endless calls.
pub(super) fn check(
    groups: &Groups<'_>,
    directory: &Directory<'_>,
    apps: &Apps,
    problems: &mut Problems,
) {
    let graph = Graph::new(groups, directory, apps);
    let all = graph.points();
    let surely = graph.survivors(&all, |call, alive| call.is_inside(alive, true));
    if let Some(start) = surely.first() {
        let cycle = graph.cycle(*start, &surely, true);
        let mut error = graph.diagnose(&cycle, problems, "never ends", true);
        error = error.help("let the call be made with a `probability`, or end it at another path");
        return problems.push(error);
    }
    let perhaps = graph.survivors(&all, |call, alive| call.is_inside(alive, false));
    if let Some(start) = perhaps.first() {
        let cycle = graph.cycle(*start, &perhaps, false);
        let warning = graph.diagnose(&cycle, problems, "may come back without end", false);
        problems.push(warning);
    }
}

/// A call and the endpoints that may answer it.
struct Edge<'a> {
    site: &'a CallSite,
    answerers: Vec<Point>,
}

impl Edge<'_> {
    /// Whether the call is sure to be answered, or may be answered, by one of `points`.
    fn is_inside(&self, points: &BTreeSet<Point>, surely: bool) -> bool {
        let mut answerers = self.answerers.iter();
        let inside = |point: &Point| points.contains(point);
        self.site.certain
            && if surely {
                !self.answerers.is_empty() && answerers.all(inside)
            } else {
                answerers.any(inside)
            }
    }
}

struct Graph<'a> {
    groups: &'a Groups<'a>,
    edges: Vec<Vec<Vec<Edge<'a>>>>,
}

impl<'a> Graph<'a> {
    fn new(groups: &'a Groups<'a>, directory: &Directory<'_>, apps: &'a Apps) -> Self {
        let answerers = |call: &CallSite| -> Vec<Point> {
            groups
                .of(directory.service(call.service))
                .map(|(group, _)| {
                    let endpoints = &apps.plans[group].endpoints;
                    let taker = endpoints.iter().position(|endpoint| takes(endpoint, call));
                    (group, taker.unwrap_or(endpoints.len()))
                })
                .collect()
        };
        let edge = |site: &'a CallSite| Edge {
            answerers: answerers(site),
            site,
        };
        let edges = apps
            .calls
            .iter()
            .map(|endpoints| {
                endpoints
                    .iter()
                    .map(|calls| calls.iter().map(edge).collect())
                    .collect()
            })
            .collect();
        Self { groups, edges }
    }

    fn points(&self) -> BTreeSet<Point> {
        self.edges
            .iter()
            .enumerate()
            .flat_map(|(group, endpoints)| {
                (0..endpoints.len()).map(move |endpoint| (group, endpoint))
            })
            .collect()
    }

    fn calls(&self, (group, endpoint): Point) -> &[Edge<'a>] {
        &self.edges[group][endpoint]
    }

    /// The greatest set whose members all make a call that `holds` within the set.
    fn survivors(
        &self,
        all: &BTreeSet<Point>,
        holds: impl Fn(&Edge<'_>, &BTreeSet<Point>) -> bool,
    ) -> BTreeSet<Point> {
        let mut alive = all.clone();
        loop {
            let dead: Vec<Point> = alive
                .iter()
                .copied()
                .filter(|point| !self.calls(*point).iter().any(|call| holds(call, &alive)))
                .collect();
            if dead.is_empty() {
                return alive;
            }
            for point in dead {
                alive.remove(&point);
            }
        }
    }

    /// The calls of one round, beginning where the round begins.
    fn cycle(
        &self,
        start: Point,
        within: &BTreeSet<Point>,
        surely: bool,
    ) -> Vec<(Point, &'a CallSite)> {
        let mut walked: Vec<(Point, &CallSite)> = Vec::new();
        let mut here = start;
        loop {
            if let Some(again) = walked.iter().position(|(point, _)| *point == here) {
                return walked.split_off(again);
            }
            let next = self.calls(here).iter().find_map(|call| {
                let keeps_on = call.is_inside(within, surely);
                let mut answerers = call.answerers.iter();
                let next = answerers.find(|point| within.contains(point))?;
                keeps_on.then_some((call.site, *next))
            });
            let Some((call, next)) = next else {
                return walked;
            };
            walked.push((here, call));
            here = next;
        }
    }

    fn diagnose(
        &self,
        cycle: &[(Point, &CallSite)],
        problems: &Problems,
        what: &str,
        error: bool,
    ) -> Diagnostic {
        let name = |(group, _): &Point| self.groups.groups[*group].name.as_str();
        let mut names: Vec<&str> = cycle.iter().map(|(point, _)| name(point)).collect();
        names.extend(cycle.first().map(|(point, _)| name(point)));
        let message = format!("the call {} {what}", names.join(" → "));
        let mut places = cycle.iter().map(|(_, call)| &call.at);
        let Some(first) = places.next() else {
            return Diagnostic::error(message);
        };
        let mut diagnostic = if error {
            problems.error(first, message)
        } else {
            problems.warning(first, message)
        }
        .label("it begins here");
        for at in places.take(8).filter(|at| *at != first) {
            diagnostic = problems.also(diagnostic, at, "and goes on here");
        }
        diagnostic
    }
}

fn takes(endpoint: &EndpointPlan, call: &CallSite) -> bool {
    call.path.starts_with(&endpoint.path_prefix)
        && endpoint
            .method
            .as_ref()
            .is_none_or(|method| *method == call.method)
}
