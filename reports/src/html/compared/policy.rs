//! Settings that differ, each with where it comes from.
//!
//! A setting is known by its place: the edge, the destination under it, its name, and its number among those of that
//! name. Edges that differ in the same way are told once.

use indexmap::IndexMap;
use maud::{Markup, html};

use super::pairs::{Pair, pairs};
use crate::html::table::Table;
use crate::html::text;
use crate::record::{PolicyReport, RunReport, SettingReport};
use crate::summary::unit;

/// Differences told.
const TOLD_MAX: usize = 200;
/// Edges named for each.
const EDGES_MAX: usize = 4;

/// A setting under the name of its place.
type Placed<'a> = (String, &'a SettingReport);

pub(super) fn body(a: &RunReport, b: &RunReport) -> Markup {
    let (Some(first), Some(second)) = (a.detail.as_ref(), b.detail.as_ref()) else {
        return html! {};
    };
    let edges = pairs(&first.policy, &second.policy, |p| {
        format!("{} → {}", p.from, p.to)
    });
    let both = edges
        .iter()
        .filter(|(_, a, b)| a.is_some() && b.is_some())
        .count();
    let mut told: IndexMap<(String, Side, Side), Vec<String>> = IndexMap::new();
    for (edge, in_a, in_b) in &edges {
        let (Some(in_a), Some(in_b)) = (in_a, in_b) else {
            continue;
        };
        for (what, was, is) in differences(in_a, in_b) {
            let edges = told.entry((what, Side::of(was), Side::of(is))).or_default();
            edges.push(edge.clone());
        }
    }
    if both == 0 {
        return html! {};
    }
    let mut table = Table::new("Settings that differ, and where each comes from")
        .head("setting")
        .words("in A")
        .words("in B")
        .words("on");
    for ((what, was, is), edges) in told.iter().take(TOLD_MAX) {
        table.row([
            text::name(what),
            was.markup(),
            is.markup(),
            named(edges, both),
        ]);
    }
    let more = told.len().saturating_sub(TOLD_MAX) as u64;
    html! {
        @if table.is_empty() {
            p { "No setting of the mesh differs on the " (unit::counted(both as u64, "edge")) " that both runs used: what differs is not in the mesh’s policy." }
        } @else { (table.scrolled()) }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more difference")) "." } }
    }
}

/// A setting in one run: its value and its origin; `None` when it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Side(Option<(String, String)>);

impl Side {
    fn of(setting: Option<&SettingReport>) -> Self {
        Self(setting.map(|s| (s.value.clone(), s.origin.clone())))
    }

    fn markup(&self) -> Markup {
        let Some((value, origin)) = &self.0 else {
            return html! { span.faint { "not set" } };
        };
        html! {
            (text::said(value))
            @if !origin.is_empty() { br; span.place { (text::said(origin)) } }
        }
    }
}

/// Every setting of an edge under the name of its place.
fn placed(policy: &PolicyReport) -> Vec<Placed<'_>> {
    let mut seen: IndexMap<String, usize> = IndexMap::new();
    let (mut above, mut last) = (String::new(), String::new());
    let mut destinations = 0;
    let all = policy.settings.iter().map(|setting| {
        let name = match setting.name.as_str() {
            "" => last.clone(),
            name => name.to_owned(),
        };
        if setting.depth == 0 {
            above = String::new();
        }
        if name == "to" && setting.depth == 0 {
            destinations += 1;
        }
        if setting.depth > 0 && destinations > 1 {
            above = format!(" of destination {destinations}");
        }
        last.clone_from(&name);
        let place = format!("{name}{above}");
        let nth = seen.entry(place.clone()).or_default();
        *nth += 1;
        match *nth {
            1 => (place, setting),
            n => (format!("{place}, {n}"), setting),
        }
    });
    all.collect()
}

/// Settings of an edge whose values differ. Who says so may differ: it is told, but is no difference of its own.
fn differences<'a>(a: &'a PolicyReport, b: &'a PolicyReport) -> Vec<Pair<'a, SettingReport>> {
    let (first, second) = (placed(a), placed(b));
    let all = pairs(&first, &second, |(place, _)| place.clone());
    let setting = |placed: Option<&Placed<'a>>| placed.map(|(_, s)| *s);
    let told = all
        .into_iter()
        .map(|(what, a, b)| (what, setting(a), setting(b)));
    told.filter(|(_, a, b)| a.map(|s| &s.value) != b.map(|s| &s.value))
        .collect()
}

fn named(edges: &[String], all: usize) -> Markup {
    if edges.len() == all && all > EDGES_MAX {
        return html! { "every edge" };
    }
    let more = edges.len().saturating_sub(EDGES_MAX) as u64;
    html! {
        @for (i, edge) in edges.iter().take(EDGES_MAX).enumerate() {
            @if i > 0 { ", " }
            (text::name(edge))
        }
        @if more > 0 { " and " (unit::count(more)) " more" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(settings: &[(u8, &str, &str)]) -> PolicyReport {
        let setting = |(depth, name, value): &(u8, &str, &str)| SettingReport {
            depth: *depth,
            name: (*name).into(),
            value: (*value).into(),
            origin: "mesh.yaml:3:1".into(),
        };
        PolicyReport {
            from: "a".into(),
            to: "b".into(),
            request: "GET http://b/".into(),
            settings: settings.iter().map(setting).collect(),
        }
    }

    fn told(a: &[(u8, &str, &str)], b: &[(u8, &str, &str)]) -> Vec<(String, String, String)> {
        let value = |s: Option<&SettingReport>| s.map_or("-".to_owned(), |s| s.value.clone());
        let (a, b) = (policy(a), policy(b));
        let all = differences(&a, &b).into_iter();
        all.map(|(what, a, b)| (what, value(a), value(b))).collect()
    }

    #[test]
    fn settings_are_known_by_their_place() {
        let a = [
            (0, "timeout", "1s"),
            (0, "to", "x"),
            (1, "pool", "4"),
            (0, "to", "y"),
            (1, "pool", "4"),
        ];
        let b = [
            (0, "timeout", "2s"),
            (0, "to", "x"),
            (1, "pool", "4"),
            (0, "to", "y"),
            (1, "pool", "9"),
            (1, "ejection", "off"),
        ];
        let expected = [
            ("timeout", "1s", "2s"),
            ("pool of destination 2", "4", "9"),
            ("ejection of destination 2", "-", "off"),
        ];
        let expected: Vec<_> = expected
            .map(|(n, a, b)| (n.into(), a.into(), b.into()))
            .into();
        assert_eq!(told(&a, &b), expected);
        assert!(told(&a, &a).is_empty());
    }

    #[test]
    fn a_line_without_a_name_belongs_to_the_one_above() {
        let a = [(0, "retry", "2"), (0, "", "budget 20%")];
        let b = [(0, "retry", "2"), (0, "", "budget 10%")];
        assert_eq!(
            told(&a, &b),
            [("retry, 2".into(), "budget 20%".into(), "budget 10%".into())]
        );
    }
}
