//! What was done to the mesh, and what the mesh did about it.

use super::paint::{Tone, clean};
use super::{unit, wrapped};
use crate::record::{FaultReport, Happening, RunReport, TimelineEntry};

/// Ejections, pod changes and refusals shown one by one.
const SHOWN_MAX: usize = 10;

/// Faults and happenings in order, then counts. Pushes are too many to tell one by one.
pub(super) fn lines(report: &RunReport, width: usize) -> Vec<String> {
    let mut moments: Vec<(f64, String)> = report
        .faults
        .iter()
        .map(|f| fault(f, report.virtual_seconds))
        .collect();
    let others: Vec<&TimelineEntry> = report
        .timeline
        .iter()
        .filter(|entry| !matches!(entry.kind, Happening::Fault | Happening::Push))
        .collect();
    let shown = others.iter().take(SHOWN_MAX);
    moments.extend(shown.map(|entry| (entry.at_s, happening(entry))));
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut lines = Vec::new();
    for (at_s, text) in moments {
        let lead = Tone::Faint.paint(&format!("  {:>10}  ", moment(at_s)));
        lines.extend(wrapped(&lead, &text, width));
    }
    let more = others.len().saturating_sub(SHOWN_MAX) as u64 + report.timeline_omitted;
    if more > 0 {
        let rest = format!("  {:>10}  and {} more such moments", "…", unit::count(more));
        lines.push(Tone::Faint.paint(&rest));
    }
    for (name, text) in [("mesh", mechanisms(report)), ("control", control(report))] {
        if !text.is_empty() {
            let lead = Tone::Faint.paint(&format!("  {name:>10}  "));
            lines.extend(wrapped(&lead, &text, width));
        }
    }
    lines
}

fn fault(fault: &FaultReport, end_s: f64) -> (f64, String) {
    let lasting = lasting(fault, end_s);
    let touched = if !fault.began {
        Tone::Bad.paint("never began")
    } else if fault.inert {
        Tone::Bad.paint("touched nothing")
    } else {
        touched(fault)
    };
    let name = Tone::Strong.paint(&clean(&fault.name));
    let what = fault
        .explained()
        .map_or(String::new(), |what| format!("{}; ", clean(what)));
    (fault.at_s, format!("{name} {lasting}: {what}{touched}"))
}

/// Seconds, or hours, minutes and seconds once there are hours.
fn moment(at_s: f64) -> String {
    if at_s.abs() < 3_600.0 {
        return format!("{at_s:.3} s");
    }
    let sign = if at_s < 0.0 { "-" } else { "" };
    let ms = (at_s.abs() * 1e3).round() as u64;
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, ms) = (ms / 1_000 % 60, ms % 1_000);
    format!("{sign}{hours}:{minutes:02}:{seconds:02}.{ms:03}")
}

/// How long it lasted, and how often.
fn lasting(fault: &FaultReport, end_s: f64) -> String {
    let ended_s = fault.over_s.map(|over| fault.at_s + over);
    match (fault.times, fault.for_s, fault.over_s, ended_s) {
        (2.., _, Some(over), _) => format!("{} times in {}", fault.times, unit::span(over)),
        (_, Some(s), ..) => format!("for {}", unit::span(s)),
        (_, None, Some(over), Some(ended)) if ended < end_s => format!("for {}", unit::span(over)),
        _ => "to the end".into(),
    }
}

fn touched(fault: &FaultReport) -> String {
    let of = |n, noun| (n > 0).then(|| unit::counted(n, noun));
    let pods = of(fault.pods, "pod").map(|pods| match fault.drawn.as_slice() {
        [] => pods,
        drawn => format!("{pods} ({})", clean(&drawn.join(", "))),
    });
    let parts = [
        pods,
        of(fault.packets, "packet"),
        of(fault.requests, "request"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn happening(entry: &TimelineEntry) -> String {
    format!("{} {}", clean(&entry.subject), clean(&entry.text))
}

fn mechanisms(report: &RunReport) -> String {
    let mut counts: Vec<(&String, &u64)> = report.mechanisms.iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let told = counts
        .into_iter()
        .map(|(name, n)| format!("{} ×{}", clean(&name.replace('_', " ")), unit::count(*n)));
    told.collect::<Vec<_>>().join(" · ")
}

fn control(report: &RunReport) -> String {
    let plane = &report.control_plane;
    if plane.pushes + plane.svids_issued + plane.connects == 0 {
        return String::new();
    }
    let nacks = format!("NACK ×{}", unit::count(plane.nacks));
    let mut parts = vec![
        format!("push ×{}", unit::count(plane.pushes)),
        format!("ACK ×{}", unit::count(plane.acks)),
    ];
    if plane.nacks > 0 {
        parts.push(Tone::Bad.paint(&nacks));
    }
    if let Some(ms) = plane.push_to_ack_ms {
        parts.push(format!("push to ACK p99 {}", unit::millis(ms.p99)));
    }
    parts.push(format!("SVID ×{}", unit::count(plane.svids_issued)));
    // What the control plane refuses, a sidecar fails to get.
    let trouble = plane.svids_refused.max(plane.svids_failed);
    if trouble > 0 {
        parts.push(Tone::Bad.paint(&format!("SVID trouble ×{}", unit::count(trouble))));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn hours_are_told_as_such() {
        assert_eq!(moment(59.0625), "59.062 s");
        assert_eq!(moment(-2.5), "-2.500 s");
        assert_eq!(moment(90_000.001), "25:00:00.001");
    }
}
