//! What the mesh was told to do with each edge's requests, and by whom; and what is to be known of the configuration.

use maud::{Markup, html};

use crate::html::table::Table;
use crate::html::text;
use crate::record::{NoteReport, PolicyReport, RunReport, SettingReport};
use crate::summary::unit;

/// Edges told.
const EDGES_MAX: usize = 200;
/// Notes told.
const NOTES_MAX: usize = 300;

pub(super) fn body(report: &RunReport) -> Markup {
    let policy = report.detail.as_ref().map_or(&[][..], |d| &d.policy);
    html! {
        @if !policy.is_empty() {
            p.faint { "For each edge the settings that applied, in the order in which a sidecar finds them, and the file or the default that each comes from." }
            @for edge in policy.iter().take(EDGES_MAX) { (edge_of(edge)) }
            @if policy.len() > EDGES_MAX {
                p.faint { "And " (unit::counted((policy.len() - EDGES_MAX) as u64, "more edge")) "." }
            }
        }
        (notes(&report.notes))
    }
}

fn edge_of(edge: &PolicyReport) -> Markup {
    let own = edge.settings.iter().filter(|s| written(s)).count();
    html! {
        details.settings {
            summary {
                (text::name(&edge.from)) " → " (text::name(&edge.to)) " "
                span.faint { (unit::counted(edge.settings.len() as u64, "setting")) ", " (own) " from files" }
            }
            p.place { "asked about: " code { (text::name(&edge.request)) } }
            (settings(edge))
        }
    }
}

/// Whether somebody wrote it, rather than the mesh having it by default.
fn written(setting: &SettingReport) -> bool {
    !setting.origin.is_empty() && !setting.origin.starts_with("default")
}

fn settings(edge: &PolicyReport) -> Markup {
    let mut table = Table::new(&format!("Settings of {} → {}", edge.from, edge.to))
        .head("setting")
        .words("value")
        .words("from");
    for setting in &edge.settings {
        let indent = format!("i{}", setting.depth.min(2));
        table.row([
            html! { span class=(indent) { @if setting.name.is_empty() { "…" } @else { (text::name(&setting.name)) } } },
            text::said(&setting.value),
            html! {
                @if written(setting) { (text::place(&setting.origin)) } @else { span.faint { (text::said(&setting.origin)) } }
            },
        ]);
    }
    table.scrolled()
}

fn notes(notes: &[NoteReport]) -> Markup {
    let mut table = Table::new("What is to be known of the configuration")
        .head("where")
        .text("kind")
        .text("object")
        .text("field")
        .words("note");
    for note in notes.iter().take(NOTES_MAX) {
        table.row([
            text::place(&note.place()),
            text::name(&note.kind.replace('_', " ")),
            text::name(&note.object),
            html! { code { (text::name(&note.field)) } },
            text::said(&note.message),
        ]);
    }
    let more = notes.len().saturating_sub(NOTES_MAX) as u64;
    html! {
        @if !table.is_empty() { (table.scrolled()) }
        @if more > 0 { p.faint { "And " (unit::counted(more, "more note")) "." } }
    }
}
