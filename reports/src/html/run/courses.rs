//! Which charts there are: those with something to show, of the sources and services that matter most.

use maud::{Markup, html};

use crate::html::chart::{self, Chart, Course, HeatMap, Line, Marks, ratios};
use crate::html::palette::Ink;
use crate::html::text;
use crate::record::{
    Detail, EdgeReport, RunReport, Series, ServiceCourse, TrafficCourse, TrafficReport, Unit,
};
use crate::summary::{most, unit};

/// Traffic sources with charts of their own.
const SOURCES_MAX: usize = 3;
/// Lines in one chart.
const LINES_MAX: usize = 4;
/// Layers in one stack, the last of which is all others.
const LAYERS_MAX: usize = 6;
/// The colour of what is neither a success nor a failure.
const UNDECIDED: usize = 6;

pub(super) fn body(report: &RunReport) -> Markup {
    let course = Course::of(report);
    let detail = report.detail.as_deref();
    let sources = sources(report);
    let left_out = report.traffic.values().filter(|t| t.requests > 0).count() - sources.len();
    let mesh = mesh(report, detail);
    let several = sources.len() > 1;
    html! {
        @if !sources.is_empty() || !mesh.is_empty() {
            @if !course.shades.is_empty() {
                p.faint { "The shaded stretches are when faults were at work. A request belongs to the moment it was to be sent." }
            }
            @for (s, (name, traffic)) in sources.iter().enumerate() {
                @if several || !mesh.is_empty() { h3 { "What " (text::name(name)) " saw" } }
                div.charts {
                    @for (i, chart) in of_source(traffic, detail.and_then(|d| d.course.traffic.get(*name))).iter().enumerate() {
                        (chart::figure(&format!("source-{s}-{i}"), chart, &course))
                    }
                }
            }
            @if left_out > 0 {
                p.faint { "Charts are of the " (sources.len()) " sources with the most failures and requests; " (unit::counted(left_out as u64, "other")) " stand in the table of traffic." }
            }
            @if !mesh.is_empty() {
                h3 { "Inside the mesh" }
                div.charts {
                    @for (i, chart) in mesh.iter().enumerate() {
                        (chart::figure(&format!("mesh-{i}"), chart, &course))
                    }
                }
            }
        }
    }
}

/// The sources with the most failures, then the most requests, in the report's order.
fn sources(report: &RunReport) -> Vec<(&str, &TrafficReport)> {
    let all = report.traffic.iter().filter(|(_, t)| t.requests > 0);
    let all: Vec<(&str, &TrafficReport)> = all.map(|(name, t)| (name.as_str(), t)).collect();
    most(all, SOURCES_MAX, |(_, t)| (t.failed, t.requests))
}

fn of_source(traffic: &TrafficReport, course: Option<&TrafficCourse>) -> Vec<Chart> {
    let series = &traffic.series;
    let longest = traffic.latency_ms.map(|ms| ms.max);
    let heat = course.and_then(|c| HeatMap::new(&c.heat, longest));
    let all = [
        goodput(traffic),
        errors(traffic, course),
        latency(series, course),
        heat.map(|map| Chart {
            title: "Latency of every request".into(),
            about: "A cell is the darker the more requests took so long. Powers of ten.".into(),
            unit: Unit::Ms,
            at_least: 0.0,
            window_s: series.window_s,
            marks: Marks::Heat(map),
        }),
    ];
    all.into_iter().flatten().collect()
}

fn rates(counts: impl Iterator<Item = u64>, window_s: f64) -> Vec<Option<f64>> {
    counts.map(|n| Some(n as f64 / window_s)).collect()
}

fn goodput(traffic: &TrafficReport) -> Option<Chart> {
    let series = &traffic.series;
    if series.requests.is_empty() || series.window_s <= 0.0 {
        return None;
    }
    let good = traffic.succeeded_over_time().into_iter();
    let offered = series.requests.iter().copied();
    Some(Chart {
        title: "Load and goodput".into(),
        about: "Offered: requests to be sent. Goodput: those that succeeded.".into(),
        unit: Unit::PerSecond,
        at_least: 0.0,
        window_s: series.window_s,
        marks: Marks::Lines(vec![
            Line {
                ink: Ink::Area(2),
                ..Line::new("goodput", 2, rates(good, series.window_s))
            },
            Line {
                name: "offered".into(),
                ink: Ink::Reference,
                values: rates(offered, series.window_s),
            },
        ]),
    })
}

/// The share that failed, by why; above it what had not ended, which is neither.
fn errors(traffic: &TrafficReport, course: Option<&TrafficCourse>) -> Option<Chart> {
    let series = &traffic.series;
    if series.failed.iter().sum::<u64>() == 0 {
        return None;
    }
    let mut causes: Vec<(String, Vec<u64>)> = course
        .map(|c| {
            c.failed
                .iter()
                .map(|(k, n)| (k.clone(), n.clone()))
                .collect()
        })
        .unwrap_or_default();
    causes.retain(|(_, counts)| counts.iter().any(|n| *n > 0));
    if causes.is_empty() {
        causes.push(("failed".into(), series.failed.clone()));
    }
    causes.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<u64>()));
    let ended = traffic.ended_over_time();
    let sent = series.requests.iter();
    let open: Vec<u64> = sent
        .zip(&ended)
        .map(|(n, e)| n.saturating_sub(*e))
        .collect();
    let some_open = open.iter().any(|n| *n > 0);
    let rest = causes.split_off(causes.len().min(LAYERS_MAX - 1 - usize::from(some_open)));
    match rest.as_slice() {
        [] => {}
        [_] => causes.extend(rest),
        _ => {
            let sum = |i: usize| rest.iter().filter_map(|(_, counts)| counts.get(i)).sum();
            let name = format!("{} other causes", rest.len());
            causes.push((name, (0..series.requests.len()).map(sum).collect()));
        }
    }
    // What is most frequent is at the bottom, in the colour of errors; what is no error is grey, and on top.
    let mut inks = vec![1, 3, 4, 0, 5, UNDECIDED];
    if some_open {
        inks.truncate(causes.len().min(LAYERS_MAX - 1));
        inks.push(UNDECIDED);
        causes.push(("still under way at the end".into(), open));
    }
    let layers = causes.into_iter().zip(inks).map(|((name, counts), ink)| {
        let share = |(i, n): (usize, &u64)| match series.requests.get(i) {
            None | Some(0) => None,
            Some(all) => Some(*n as f64 / *all as f64),
        };
        let name = match super::flags::words(&name) {
            Some(words) => format!("{name}: {words}"),
            None => name,
        };
        Line::new(name, ink, counts.iter().enumerate().map(share).collect())
    });
    Some(Chart {
        title: "Requests that failed".into(),
        about: "As a share of those sent, by what the mesh or the client said of them.".into(),
        unit: Unit::Ratio,
        at_least: 0.01,
        window_s: series.window_s,
        marks: Marks::Stacked(layers.collect()),
    })
}

fn latency(series: &Series, course: Option<&TrafficCourse>) -> Option<Chart> {
    let none = Vec::new();
    let (p90, p999) = course.map_or((&none, &none), |c| (&c.p90_ms, &c.p999_ms));
    let quantiles = [
        ("p50", 0, &series.p50_ms),
        ("p90", 2, p90),
        ("p99", 4, &series.p99_ms),
        ("p99.9", 1, p999),
    ];
    let lines: Vec<Line> = quantiles
        .into_iter()
        .filter(|(_, _, values)| values.iter().any(Option::is_some))
        .map(|(name, ink, values)| Line::new(name, ink, values.clone()))
        .collect();
    if lines.is_empty() {
        return None;
    }
    let all = || {
        lines
            .iter()
            .flat_map(|line| line.values.iter().flatten().copied())
    };
    let (least, greatest) = all().fold((f64::INFINITY, 0.0_f64), |(l, g), v| (l.min(v), g.max(v)));
    let wide = greatest > 20.0 * least.max(1e-6);
    Some(Chart {
        title: "Latency".into(),
        about: if wide {
            "Half were faster than p50, 99% than p99. Powers of ten.".into()
        } else {
            "Half were faster than p50, 99% than p99.".into()
        },
        unit: Unit::Ms,
        at_least: 0.0,
        window_s: series.window_s,
        marks: if wide {
            Marks::Logarithmic(lines)
        } else {
            Marks::Lines(lines)
        },
    })
}

/// What is not of one source.
fn mesh(report: &RunReport, detail: Option<&Detail>) -> Vec<Chart> {
    let mut charts: Vec<Chart> = attempts(report).into_iter().collect();
    let Some(detail) = detail else {
        return charts;
    };
    let course = &detail.course;
    let window_s = course.window_s;
    let services: Vec<(&str, &ServiceCourse)> = course
        .services
        .iter()
        .map(|(name, s)| (name.as_str(), s))
        .collect();
    let chart = |title: &str, about: String, unit, lines: Vec<Line>| Chart {
        title: title.into(),
        about,
        unit,
        at_least: if unit == Unit::Ratio { 0.1 } else { 0.0 },
        window_s,
        marks: Marks::Lines(lines),
    };
    charts.extend(
        per_service(&services, |s| {
            s.queue_max.iter().map(|n| n.map(f64::from)).collect()
        })
        .map(|(lines, more)| {
            chart(
                "Waiting for a worker",
                format!("The longest line that an arriving request met, by service.{more}"),
                Unit::Count,
                lines,
            )
        }),
    );
    charts.extend(per_service(&services, |s| shares(&s.ejected, s.pods)).map(|(lines, more)| {
        chart("Ejected endpoints", format!("Share of a service’s endpoints that at least one sidecar sends nothing to.{more}"), Unit::Ratio, lines)
    }));
    charts.extend(
        per_service(&services, |s| shares(&s.down, s.pods)).map(|(lines, more)| {
            chart(
                "Pods not at work",
                format!("Share of a service’s pods that were down, frozen or not ready.{more}"),
                Unit::Ratio,
                lines,
            )
        }),
    );
    charts.extend(
        per_service(&services, |s| ratios(&s.errors, &s.arrivals)).map(|(lines, more)| {
            chart(
                "Errors of the apps",
                format!("Share of arrived requests that the app failed or never answered.{more}"),
                Unit::Ratio,
                lines,
            )
        }),
    );
    let whole = |values: Vec<Option<f64>>, name: &str, ink| {
        let some = values.iter().flatten().any(|v| *v != 0.0);
        some.then(|| vec![Line::new(name, ink, values)])
    };
    // A number that never changes is no chart.
    let varies = course.connections.windows(2).any(|pair| pair[0] != pair[1]);
    let connections = if varies {
        of(&course.connections)
    } else {
        Vec::new()
    };
    charts.extend(whole(connections, "open", 0).map(|lines| {
        chart(
            "Connections",
            "Connections of sidecars that were open.".into(),
            Unit::Count,
            lines,
        )
    }));
    charts.extend(whole(of(&course.stale_sidecars), "stale", 4).map(|lines| {
        chart(
            "Sidecars behind",
            "Sidecars that had not yet acknowledged the newest configuration.".into(),
            Unit::Count,
            lines,
        )
    }));
    let staleness = course.staleness_s.iter().map(|s| Some(*s)).collect();
    charts.extend(whole(staleness, "oldest", 4).map(|lines| {
        chart(
            "Age of the oldest configuration",
            "How long the sidecar furthest behind had been so.".into(),
            Unit::S,
            lines,
        )
    }));
    charts.extend(certificates(&course.certificate_s, window_s));
    charts
}

/// The life that the certificate that ends first has left; what is beyond its end is 0.
fn certificates(left_s: &[Option<f64>], window_s: f64) -> Option<Chart> {
    // Only where one is rotated or ends: that the time passes is no news.
    let known: Vec<f64> = left_s.iter().flatten().copied().collect();
    let rotated = known.windows(2).any(|pair| pair[1] > pair[0]);
    if !rotated && known.iter().all(|left| *left > 0.0) {
        return None;
    }
    let expired = left_s.iter().flatten().any(|s| *s < 0.0);
    let values = left_s.iter().map(|s| s.map(|s| s.max(0.0))).collect();
    Some(Chart {
        title: "Certificates".into(),
        about: if expired {
            "Time left until the first certificate in use ends. At 0 it has ended.".into()
        } else {
            "Time left until the first certificate in use ends.".into()
        },
        unit: Unit::S,
        at_least: 0.0,
        window_s,
        marks: Marks::Lines(vec![Line::new("left", 3, values)]),
    })
}

fn of<N: Copy + Into<u64>>(counts: &[N]) -> Vec<Option<f64>> {
    counts.iter().map(|n| Some((*n).into() as f64)).collect()
}

fn shares(counts: &[u32], all: u32) -> Vec<Option<f64>> {
    let all = f64::from(all.max(1));
    counts.iter().map(|n| Some(f64::from(*n) / all)).collect()
}

/// A line for each service that has something to show, and a word on those left out.
fn per_service(
    services: &[(&str, &ServiceCourse)],
    values: impl Fn(&ServiceCourse) -> Vec<Option<f64>>,
) -> Option<(Vec<Line>, String)> {
    let all = services
        .iter()
        .map(|(name, service)| (*name, values(service)));
    lines(
        all.filter(|(_, values)| values.iter().flatten().any(|v| *v > 0.0)),
        0.0,
    )
}

/// The lines that go furthest from `usual`, each of a colour, and a word on those left out.
fn lines<'a>(
    all: impl Iterator<Item = (&'a str, Vec<Option<f64>>)>,
    usual: f64,
) -> Option<(Vec<Line>, String)> {
    let all: Vec<_> = all.collect();
    let count = all.len();
    if count == 0 {
        return None;
    }
    let area = |values: &[Option<f64>]| -> u64 {
        let sum: f64 = values.iter().flatten().map(|v| (v - usual).abs()).sum();
        (sum * 1e6) as u64
    };
    let shown = most(all, LINES_MAX, |(_, values)| area(values));
    let more = count - shown.len();
    let inks = [0, 1, 2, 3];
    let lines = shown
        .into_iter()
        .zip(inks)
        .map(|((name, values), ink)| Line::new(name, ink, values));
    let more = match more {
        0 => String::new(),
        n => format!(" The {LINES_MAX} with the most are shown; {n} more have less."),
    };
    Some((lines.collect(), more))
}

/// Attempts for each request, of the edges that retried.
fn attempts(report: &RunReport) -> Option<Chart> {
    let told = |edge: &&EdgeReport| edge.retries > 0;
    let names: Vec<(String, &Series)> = report
        .edges
        .iter()
        .filter(told)
        .filter_map(|edge| {
            Some((
                format!("{} → {}", edge.from, edge.to),
                edge.series.as_ref()?,
            ))
        })
        .collect();
    let window_s = names.first().map(|(_, series)| series.window_s)?;
    let all = names
        .iter()
        .map(|(name, s)| (name.as_str(), ratios(&s.attempts, &s.requests)));
    let (lines, more) = lines(all, 1.0)?;
    Some(Chart {
        title: "Attempts for each request".into(),
        about: format!("1 is no retry. A retry counts where its request began.{more}"),
        unit: Unit::Number,
        at_least: 2.0,
        window_s,
        marks: Marks::Lines(lines),
    })
}
