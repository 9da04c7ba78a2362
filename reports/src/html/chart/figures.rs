//! The numbers of a chart as a table, and the key to its colours.

use maud::{Markup, html};

use super::{Chart, Line, Marks};
use crate::html::palette::Ink;
use crate::html::table::Table;
use crate::html::text;
use crate::record::Unit;
use crate::summary::table::NOTHING;
use crate::summary::unit;

/// The key to the colours, where the lines' ends do not say it.
pub(super) fn legend(chart: &Chart) -> Markup {
    match &chart.marks {
        Marks::Stacked(layers) => html! {
            ul.legend {
                @for layer in layers.iter().rev() {
                    li { span class=(format!("key {}", layer.ink.name())) {} (text::said(&layer.name)) }
                }
            }
        },
        Marks::Heat(map) => html! {
            p.legend.depth {
                "1 request "
                @for level in 0..=Ink::HEAT_MAX { span class=(format!("key {}", Ink::Heat(level).name())) {} }
                " " (unit::count(map.most)) " in a cell"
            }
        },
        Marks::Lines(lines) | Marks::Logarithmic(lines) => {
            // Names that have no room at the ends of their lines.
            html! {
                @if !chart.names_fit() {
                    ul.legend {
                        @for line in lines {
                            li { span class=(format!("key {}", line.ink.name())) {} (text::said(&line.name)) }
                        }
                    }
                }
            }
        }
    }
}

/// The table, folded away.
pub(super) fn table(chart: &Chart) -> Markup {
    let table = match &chart.marks {
        Marks::Lines(lines) | Marks::Logarithmic(lines) | Marks::Stacked(lines) => {
            of_lines(chart, lines)
        }
        Marks::Heat(map) => {
            // A cell knows what its requests took no closer than to its own height.
            let caption = format!("{}: to the bounds of the cells", chart.title);
            let mut table = Table::new(&caption)
                .head("from")
                .number("requests")
                .number("all at least")
                .number("most often at least")
                .number("all at most");
            for (i, column) in map.columns.iter().enumerate() {
                let sum: u64 = column.iter().map(|(_, n)| n).sum();
                let often = column.iter().max_by_key(|(_, n)| *n);
                let floor = |cell: Option<&(usize, u64)>, end: usize| match cell {
                    Some((bucket, _)) => unit::millis(map.floors_ms[bucket + end]),
                    None => NOTHING.into(),
                };
                table.row([
                    at(i, chart.window_s * map.windows as f64),
                    unit::count(sum),
                    floor(column.first(), 0),
                    floor(often, 0),
                    floor(column.last(), 1),
                ]);
            }
            table
        }
    };
    html! {
        details.figures {
            summary { "Figures" }
            (table.scrolled())
        }
    }
}

fn titled(chart: &Chart) -> Table {
    Table::new(&chart.title).head("from")
}

fn of_lines(chart: &Chart, lines: &[Line]) -> Table {
    let mut table = titled(chart);
    for line in lines {
        table = table.number(&line.name);
    }
    let windows = lines
        .iter()
        .map(|line| line.values.len())
        .max()
        .unwrap_or(0);
    for i in 0..windows {
        let value = |line: &Line| match line.values.get(i).copied().flatten() {
            Some(value) if value.is_finite() => short(value, chart.unit),
            _ => NOTHING.into(),
        };
        let cells = std::iter::once(at(i, chart.window_s)).chain(lines.iter().map(value));
        table.row(cells);
    }
    table
}

/// A number that is often 0.
fn short(value: f64, of: Unit) -> String {
    match of {
        _ if value == 0.0 => "0".into(),
        Unit::Number => unit::ratio(value),
        of => unit::measured(value, of),
    }
}

fn at(window: usize, window_s: f64) -> String {
    format!("{} s", unit::trimmed(window as f64 * window_s, 3))
}
