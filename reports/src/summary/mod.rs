//! A report for a person at a terminal.
//!
//! The verdict comes first, then the evidence in the order in which questions
//! come up: what did clients see, between whom, what was done to the mesh, and
//! how far was each demand from being met. The last line makes the run again.

pub(crate) mod causes;
mod evidence;
mod happened;
mod judged;
pub(crate) mod paint;
mod recovered;
pub(crate) mod table;
pub mod unit;

use crate::record::RunReport;
use paint::Tone;

/// How a summary is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
    /// Columns of the terminal; less than 60 counts as 60, more than 120 as 120.
    pub width: usize,
}

/// `report` for a person.
pub fn summary(report: &RunReport, style: Style) -> String {
    let width = style.width.clamp(60, 120);
    let notes = unit::counted(report.notes.len() as u64, "note");
    let noted = format!("Configuration: {notes}");
    let sections = [
        judged::verdict(report, width),
        section("Traffic", evidence::traffic(report, width)),
        section("Edges", evidence::edges(report, width)),
        section("Apps", evidence::apps(report, width)),
        section("What happened", happened::lines(report, width)),
        section("Recovery", recovered::lines(report, width)),
        section("Expectations", judged::expectations(report, width)),
        section("Script", judged::script(report, width)),
        section(&noted, judged::notes(report, width)),
        judged::again(report),
    ];
    let present = sections.iter().filter(|lines| !lines.is_empty());
    let blocks: Vec<String> = present.map(|lines| lines.join("\n")).collect();
    let mut text = paint::finish(&blocks.join("\n\n"), style.color);
    text.push('\n');
    text
}

/// `lines` under a heading; nothing when there are none.
fn section(title: &str, mut lines: Vec<String>) -> Vec<String> {
    if !lines.is_empty() {
        lines.insert(0, Tone::Strong.paint(title));
    }
    lines
}

/// The `n` of `items` with the greatest `key`, in their own order.
pub(crate) fn most<T, K: Ord>(
    items: impl IntoIterator<Item = T>,
    n: usize,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let mut ranked: Vec<(usize, T)> = items.into_iter().enumerate().collect();
    ranked.sort_by_key(|(_, item)| std::cmp::Reverse(key(item)));
    ranked.truncate(n);
    ranked.sort_by_key(|(i, _)| *i);
    ranked.into_iter().map(|(_, item)| item).collect()
}

/// `text` broken at spaces into lines of at most `width` columns; `first` leads, and its width indents the rest.
pub(crate) fn wrapped(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = paint::width(first);
    let mut lines = vec![first.to_owned()];
    let mut used = indent;
    for word in text.split_whitespace() {
        let len = paint::width(word);
        let fresh = used == indent;
        if !fresh && used + 1 + len > width {
            lines.push(" ".repeat(indent));
            used = indent;
        }
        let line = lines.last_mut().expect("there is always a first line");
        if used > indent {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += len;
    }
    lines
}
