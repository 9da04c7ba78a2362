//! What happened when: a lane for each kind of happening, and the same as a table.

use maud::{Markup, html};

use crate::html::chart::{Course, clock};
use crate::html::table::Table;
use crate::html::text;
use crate::record::{FaultReport, Happening, RunReport, TimelineEntry};
use crate::summary::paint::shorten;
use crate::summary::unit;

/// Entries in the table.
const ROWS_MAX: usize = 1_000;
/// Lanes of faults.
const FAULTS_MAX: usize = 12;
/// Stretches drawn of one fault.
const SPANS_MAX: usize = 100;

/// The drawing: names on the left, time to the right of them, in units.
const WIDTH: i32 = 1_160;
const LEFT: i32 = 190;
const RIGHT: i32 = WIDTH - 24;
const LANE: i32 = 26;
const NAME_MAX: usize = 22;

/// A lane of one kind of happening.
struct Lane {
    name: &'static str,
    ink: &'static str,
    /// From when to when; instants begin and end at once.
    spans: Vec<[f64; 2]>,
}

pub(super) fn body(report: &RunReport) -> Markup {
    let lanes = lanes(report);
    if report.faults.is_empty() && lanes.is_empty() {
        return Markup::default();
    }
    html! {
        (faults(report))
        (picture(report, &lanes))
        (table(report))
    }
}

/// The kinds of which something happened.
fn lanes(report: &RunReport) -> Vec<Lane> {
    let of = |name, ink, kind| {
        let these = report.timeline.iter().filter(|entry| entry.kind == kind);
        let span = |entry: &TimelineEntry| [entry.at_s, entry.at_s + entry.for_s.unwrap_or(0.0)];
        Lane {
            name,
            ink,
            spans: these.map(span).collect(),
        }
    };
    let mut lanes = vec![
        of("pods come and go", "s4", Happening::Pod),
        of("ejections and returns", "s1", Happening::Ejection),
        of("breakers open", "s3", Happening::Breaker),
        of("pushes", "s0", Happening::Push),
        of("configuration trouble", "s3", Happening::Config),
        of("identity trouble", "s6", Happening::Identity),
    ];
    lanes.retain(|lane| lane.spans.iter().any(|[_, until]| *until >= 0.0));
    lanes
}

fn faults(report: &RunReport) -> Markup {
    let mut table = Table::new("Faults")
        .head("fault")
        .number("from")
        .text("how long")
        .text("touched")
        .text("written at");
    for fault in &report.faults {
        let class = if fault.inert || !fault.began {
            "missed"
        } else {
            ""
        };
        table.row_of(
            class,
            [
                html! {
                    (text::name(&fault.name))
                    @if let Some(what) = fault.explained() { span.faint { " " (text::name(what)) } }
                },
                html! { (unit::span(fault.at_s)) },
                html! { (lasting(fault, report.virtual_seconds)) },
                html! { (touched(fault)) },
                text::place(&fault.place),
            ],
        );
    }
    html! { @if !table.is_empty() { (table.scrolled()) } }
}

fn lasting(fault: &FaultReport, end_s: f64) -> String {
    match (fault.times, fault.for_s, fault.over_s) {
        (2.., _, Some(over)) => format!("{} times in {}", fault.times, unit::span(over)),
        (_, Some(s), _) => unit::span(s),
        (_, None, Some(over)) if fault.at_s + over < end_s => unit::span(over),
        _ => "to the end".into(),
    }
}

fn touched(fault: &FaultReport) -> Markup {
    if !fault.began {
        return html! { span.no { "it never began" } };
    }
    if fault.inert {
        return html! { span.no { "nothing" } };
    }
    let of = |n, noun| (n > 0).then(|| unit::counted(n, noun));
    let parts = [
        of(fault.pods, "pod"),
        of(fault.packets, "packet"),
        of(fault.requests, "request"),
    ];
    html! { (parts.into_iter().flatten().collect::<Vec<_>>().join(", ")) }
}

fn x(at_s: f64, until_s: f64) -> i32 {
    let share = (at_s / until_s.max(1e-9)).clamp(0.0, 1.0);
    LEFT + (f64::from(RIGHT - LEFT) * share).round() as i32
}

fn picture(report: &RunReport, lanes: &[Lane]) -> Markup {
    let until_s = report.virtual_seconds;
    let shades = Course::of(report).shades;
    let bands = shades.len().min(FAULTS_MAX);
    let height = (bands + lanes.len()) as i32 * LANE + 34;
    let bottom = height - 26;
    if bands + lanes.len() == 0 {
        return Markup::default();
    }
    html! {
        div.scroll.lanes tabindex="0" role="group" aria-label="The timeline as a picture" {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) width=(WIDTH) height=(height) role="img" aria-labelledby="lanes-title" aria-describedby="lanes-about" {
                title #lanes-title { "Timeline" }
                desc #lanes-about { "Stretches of faults and instants of everything else, over the time of the run. The tables have the same." }
                @for (i, shade) in shades.iter().take(bands).enumerate() {
                    @let y = i as i32 * LANE;
                    text.on x="0" y=(y + 17) { (shorten(&text::plain(&shade.name), NAME_MAX)) }
                    line.lane x1=(LEFT) x2=(RIGHT) y1=(y + LANE) y2=(y + LANE) {}
                    @for [from, to] in shade.spans.iter().take(SPANS_MAX) {
                        @let (left, right) = (x(*from, until_s), x(*to, until_s));
                        rect.fault-band x=(left) y=(y + 4) width=((right - left).max(2)) height=(LANE - 8) rx="2" {}
                    }
                }
                @for (i, lane) in lanes.iter().enumerate() {
                    @let y = (bands + i) as i32 * LANE;
                    text.on x="0" y=(y + 17) { (lane.name) }
                    line.lane x1=(LEFT) x2=(RIGHT) y1=(y + LANE) y2=(y + LANE) {}
                    g class=(lane.ink) { @for [left, right] in places(&lane.spans, until_s) {
                        rect.mark x=(left - 1) y=(y + 5) width=(right - left + 3) height=(LANE - 10) rx="1" {}
                    } }
                }
                @for (at_s, label) in clock(until_s) {
                    @let at = x(at_s, until_s);
                    line.lane x1=(at) x2=(at) y1=(bottom - 8) y2=(bottom) {}
                    text x=(at) y=(bottom + 18) text-anchor="middle" { (label) }
                }
            }
        }
    }
}

/// Where marks are; those that touch are one.
fn places(spans: &[[f64; 2]], until_s: f64) -> Vec<[i32; 2]> {
    let mut marks: Vec<[i32; 2]> = spans
        .iter()
        .filter(|[_, until]| *until >= 0.0)
        .map(|span| span.map(|at| x(at, until_s)))
        .collect();
    marks.sort_unstable();
    marks.dedup_by(|next, kept| {
        let one = next[0] <= kept[1];
        if one {
            kept[1] = kept[1].max(next[1]);
        }
        one
    });
    marks
}

fn table(report: &RunReport) -> Markup {
    let mut table = Table::new("Everything that happened, in order")
        .number("at")
        .text("kind")
        .head("what")
        .words("happened");
    // What is told is bounded: pushes are many and say least.
    let all = || report.timeline.iter();
    let crowded = report.timeline.len() > ROWS_MAX;
    let shown: Vec<&TimelineEntry> = all()
        .filter(|e| !crowded || e.kind != Happening::Push)
        .take(ROWS_MAX)
        .collect();
    for entry in &shown {
        table.row([
            html! { (format!("{:.3} s", entry.at_s)) },
            html! { (kind(entry.kind)) },
            text::name(&entry.subject),
            text::said(&entry.text),
        ]);
    }
    let more = (report.timeline.len() - shown.len()) as u64 + report.timeline_omitted;
    html! {
        @if !table.is_empty() {
            details {
                summary { (unit::counted(shown.len() as u64, "happening")) " as a table" }
                (table.scrolled())
                @if more > 0 { p.faint { "And " (unit::count(more)) " more that are not told one by one." } }
            }
        }
    }
}

const fn kind(kind: Happening) -> &'static str {
    match kind {
        Happening::Fault => "fault",
        Happening::Pod => "pod",
        Happening::Ejection => "ejection",
        Happening::Breaker => "breaker",
        Happening::Push => "push",
        Happening::Config => "configuration",
        Happening::Identity => "identity",
    }
}
