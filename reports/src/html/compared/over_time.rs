//! One chart for each measure, with A and B on the same axes and the faults behind them.

use maud::{Markup, html};

use crate::html::chart::{self, Chart, Course, Line, Marks, Shade, ratios};
use crate::html::text;
use crate::record::{EdgeReport, RunReport, ServiceCourse, TrafficReport, Unit};

/// Sources with charts of their own.
const SOURCES_MAX: usize = 3;
/// Edges, and services, with charts of their own.
const OTHERS_MAX: usize = 2;

type Values = Vec<Option<f64>>;

pub(super) fn body(a: &RunReport, b: &RunReport) -> Markup {
    let course = course(a, b);
    let mut sources: Vec<(&String, &TrafficReport, &TrafficReport)> = a
        .traffic
        .iter()
        .filter_map(|(name, t)| Some((name, t, b.traffic.get(name)?)))
        .filter(|(_, a, b)| alike(a.series.window_s, b.series.window_s))
        .filter(|(_, a, _)| !a.series.requests.is_empty())
        .collect();
    let both = a
        .traffic
        .keys()
        .filter(|name| b.traffic.contains_key(*name));
    let apart = both.count() - sources.len();
    sources
        .sort_by_key(|(_, a, b)| std::cmp::Reverse((a.failed + b.failed, a.requests + b.requests)));
    sources.truncate(SOURCES_MAX);
    let mesh: Vec<Chart> = attempts(a, b).into_iter().chain(queues(a, b)).collect();
    html! {
        @if !sources.is_empty() || !mesh.is_empty() {
            p.faint {
                "A is the dashed line, B the solid one."
                @if !course.shades.is_empty() { " The shaded stretches are when faults were at work." }
            }
            @for (s, (name, first, second)) in sources.iter().enumerate() {
                h3 { "What " (text::name(name)) " saw" }
                div.charts.versus {
                    @for (i, chart) in of_source(first, second).iter().enumerate() {
                        (chart::figure(&format!("source-{s}-{i}"), chart, &course))
                    }
                }
            }
            @if !mesh.is_empty() {
                h3 { "Inside the mesh" }
                div.charts.versus {
                    @for (i, chart) in mesh.iter().enumerate() {
                        (chart::figure(&format!("mesh-{i}"), chart, &course))
                    }
                }
            }
        }
        @if apart > 0 {
            p.faint { "Sources whose windows differ in length between the runs are not drawn: their lines would not mean the same." }
        }
    }
}

fn alike(a: f64, b: f64) -> bool {
    a > 0.0 && (a - b).abs() < 1e-9
}

/// The longer of the two, with the faults of both: once where they are the same.
fn course(a: &RunReport, b: &RunReport) -> Course {
    let (first, second) = (Course::of(a).shades, Course::of(b).shades);
    let same = first.len() == second.len()
        && first
            .iter()
            .zip(&second)
            .all(|(a, b)| a.name == b.name && a.spans == b.spans);
    let of = |side: &str, shades: Vec<Shade>| -> Vec<Shade> {
        let named = shades.into_iter().map(|shade| Shade {
            name: format!("{side}: {}", shade.name),
            ..shade
        });
        named.collect()
    };
    Course {
        until_s: a.virtual_seconds.max(b.virtual_seconds),
        shades: match same {
            true => first,
            false => of("A", first).into_iter().chain(of("B", second)).collect(),
        },
    }
}

/// A chart of one measure of both, if either has anything but nothing.
fn versus(
    (title, about): (&str, &str),
    (unit, at_least): (Unit, f64),
    window_s: f64,
    (a, b): (Values, Values),
) -> Option<Chart> {
    let some = |values: &Values| values.iter().flatten().any(|v| v.is_finite() && *v != 0.0);
    if !some(&a) && !some(&b) {
        return None;
    }
    let wide = unit == Unit::Ms && spread(&a, &b) > 20.0;
    let lines = vec![Line::new("A", 0, a), Line::new("B", 1, b)];
    Some(Chart {
        title: title.into(),
        about: if wide {
            format!("{about} Scale of powers of ten.")
        } else {
            about.into()
        },
        unit,
        at_least,
        window_s,
        marks: if wide {
            Marks::Logarithmic(lines)
        } else {
            Marks::Lines(lines)
        },
    })
}

/// How many times the least of all values the greatest is.
fn spread(a: &Values, b: &Values) -> f64 {
    let all = || a.iter().chain(b).flatten().copied();
    let least = all().fold(f64::INFINITY, f64::min);
    all().fold(0.0, f64::max) / least.max(1e-6)
}

fn of_source(a: &TrafficReport, b: &TrafficReport) -> Vec<Chart> {
    let window_s = a.series.window_s;
    let goodput = |t: &TrafficReport| -> Values {
        let good = t.succeeded_over_time().into_iter();
        good.map(|n| Some(n as f64 / window_s)).collect()
    };
    // Where nothing has ended there is no share: what is under way has neither failed nor succeeded.
    let failed = |t: &TrafficReport| ratios(&t.series.failed, &t.ended_over_time());
    let mut charts: Vec<Chart> = versus(
        (
            "Goodput",
            "Requests that succeeded, by when they were to be sent.",
        ),
        (Unit::PerSecond, 0.0),
        window_s,
        (goodput(a), goodput(b)),
    )
    .into_iter()
    .collect();
    charts.extend(versus(
        (
            "Requests that failed",
            "As a share of those that ended, by when they were to be sent.",
        ),
        (Unit::Ratio, 0.01),
        window_s,
        (failed(a), failed(b)),
    ));
    charts.extend(versus(
        ("Latency, p50", "Half of the answered requests were faster."),
        (Unit::Ms, 0.0),
        window_s,
        (a.series.p50_ms.clone(), b.series.p50_ms.clone()),
    ));
    charts.extend(versus(
        ("Latency, p99", "99% of the answered requests were faster."),
        (Unit::Ms, 0.0),
        window_s,
        (a.series.p99_ms.clone(), b.series.p99_ms.clone()),
    ));
    charts
}

/// The charts of the pairs that lie furthest apart.
fn furthest(mut pairs: Vec<(f64, Chart)>) -> Vec<Chart> {
    pairs.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    pairs.truncate(OTHERS_MAX);
    pairs.into_iter().map(|(_, chart)| chart).collect()
}

/// How far two lines lie apart over all windows.
fn distance(a: &Values, b: &Values) -> f64 {
    let of = |(a, b): (&Option<f64>, &Option<f64>)| (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs();
    a.iter().zip(b).map(of).filter(|d| d.is_finite()).sum()
}

/// Attempts for each request, of the edges where the two differ most.
fn attempts(a: &RunReport, b: &RunReport) -> Vec<Chart> {
    let pair = |edge: &EdgeReport| {
        let other = b
            .edges
            .iter()
            .find(|e| e.from == edge.from && e.to == edge.to)?;
        let (first, second) = (edge.series.as_ref()?, other.series.as_ref()?);
        let retried = edge.retries + other.retries > 0;
        if !alike(first.window_s, second.window_s) || !retried {
            return None;
        }
        let lines = (
            ratios(&first.attempts, &first.requests),
            ratios(&second.attempts, &second.requests),
        );
        let title = format!("Attempts for each request, {} → {}", edge.from, edge.to);
        let apart = distance(&lines.0, &lines.1);
        let chart = versus(
            (
                &title,
                "1 is no retry. A retry counts where its request began.",
            ),
            (Unit::Number, 2.0),
            first.window_s,
            lines,
        )?;
        Some((apart, chart))
    };
    furthest(a.edges.iter().filter_map(pair).collect())
}

/// Lines before workers, of the services where the two differ most.
fn queues(a: &RunReport, b: &RunReport) -> Vec<Chart> {
    let (Some(first), Some(second)) = (a.detail.as_ref(), b.detail.as_ref()) else {
        return Vec::new();
    };
    if !alike(first.course.window_s, second.course.window_s) {
        return Vec::new();
    }
    let of =
        |s: &ServiceCourse| -> Values { s.queue_max.iter().map(|n| n.map(f64::from)).collect() };
    let pair = |(name, service): (&String, &ServiceCourse)| {
        let lines = (of(service), of(second.course.services.get(name)?));
        let apart = distance(&lines.0, &lines.1);
        let title = format!("Waiting for a worker of {name}");
        let chart = versus(
            (&title, "The longest line that an arriving request met."),
            (Unit::Count, 0.0),
            first.course.window_s,
            lines,
        )?;
        Some((apart, chart))
    };
    furthest(first.course.services.iter().filter_map(pair).collect())
}
