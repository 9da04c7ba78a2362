//! The window of an expectation.

use std::time::Duration;

use super::names::Names;
use crate::plan::{FaultWindow, Mark, Offset, Turn, Window};
use crate::scenario::file::{ExpectSpec, Placed};
use crate::scenario::problems::Problems;
use crate::scenario::resolve::Frame;
use crate::scenario::value::{Boundary, During, FaultMoment, written};

/// The window meant. What it says of the clock must lie inside the run.
pub(super) fn window(
    spec: &ExpectSpec,
    names: &Names<'_>,
    frame: &Frame,
    problems: &mut Problems,
) -> Option<Window> {
    let mut window = Window::clock(Duration::ZERO, frame.duration);
    let mut known = true;
    let mut said = Vec::new();
    if let Some(during) = &spec.during {
        match during.value() {
            During::Clock { from, to } => {
                (window.from, window.to) = clock(during, *from, *to, frame, problems)?;
            }
            relative => {
                let part = relation(relative, during, names, problems);
                known &= part.is_some();
                window.faults.extend(part);
                said.push(told_during(relative));
            }
        }
    }
    for (key, boundary) in [("after", &spec.after), ("before", &spec.before)] {
        let Some(boundary) = boundary else { continue };
        match boundary.value() {
            Boundary::Clock(at) if *at >= frame.duration => {
                beyond(boundary, frame, problems);
                known &= frame.duration_overridden && key == "before";
            }
            Boundary::Clock(at) if key == "after" => window.from = window.from.max(*at),
            Boundary::Clock(at) => window.to = window.to.min(*at),
            Boundary::Fault { name, offset } => {
                let Some(faults) = names.faults(name, boundary.at(), problems) else {
                    known = false;
                    continue;
                };
                said.push(format!("{key} {}{}", faults.name, told_offset(*offset)));
                let offset = *offset;
                window.faults.push(match key {
                    "after" => FaultWindow::After { faults, offset },
                    _ => FaultWindow::Before { faults, offset },
                });
            }
        }
    }
    if known && window.to <= window.from {
        let at = [&spec.after, &spec.before].into_iter().flatten().next();
        if let Some(boundary) = at {
            let error = problems.error(boundary.at(), "this window ends before it begins");
            problems.push(error);
        }
        return None;
    }
    window.text = said.join(", ");
    known.then_some(window)
}

fn clock(
    during: &Placed<During>,
    from: Duration,
    to: Option<Duration>,
    frame: &Frame,
    problems: &mut Problems,
) -> Option<(Duration, Duration)> {
    let end = frame.duration;
    let to = to.unwrap_or(end);
    if to <= end && from < end {
        return Some((from, to));
    }
    beyond(during, frame, problems);
    (frame.duration_overridden && from < end).then_some((from, end))
}

/// Says that a window lies beyond the end of the run.
fn beyond<T>(at: &Placed<T>, frame: &Frame, problems: &mut Problems) {
    let message = format!(
        "this window goes beyond the run, which ends after {}",
        written(frame.duration)
    );
    frame.beyond(at.at(), "expectation", message, problems);
}

fn relation(
    during: &During,
    at: &Placed<During>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Option<FaultWindow> {
    let mark = |turn, offset| Mark { turn, offset };
    match during {
        During::Clock { .. } => None,
        During::Fault(name) => Some(FaultWindow::Each {
            faults: names.faults(name, at.at(), problems)?,
            from: mark(Turn::Begin, Offset::default()),
            to: Some(mark(Turn::Heal, Offset::default())),
        }),
        During::Moments { from, to } => Some(FaultWindow::Each {
            faults: names.faults(&from.name, at.at(), problems)?,
            from: mark(from.turn, from.offset),
            to: to.as_ref().map(|to| mark(to.turn, to.offset)),
        }),
    }
}

fn told_during(during: &During) -> String {
    use crate::scenario::value::FaultName;
    let name = |name: &FaultName| match name {
        FaultName::All => "faults".to_owned(),
        FaultName::Named(name) => name.clone(),
    };
    let moment = |moment: &FaultMoment| {
        let end = match moment.turn {
            Turn::Begin => "",
            Turn::Heal => "end of ",
        };
        format!("{end}{}{}", name(&moment.name), told_offset(moment.offset))
    };
    match during {
        During::Clock { .. } => String::new(),
        During::Fault(fault) => format!("during {}", name(fault)),
        During::Moments { from, to } => {
            let to = to.as_ref().map_or_else(String::new, moment);
            format!("{}..{to}", moment(from))
        }
    }
}

/// ` + 5s`, ` - 2s`, or nothing.
fn told_offset(offset: Offset) -> String {
    let back = offset.back();
    let on = Duration::from_nanos(offset.apply(0));
    match (back.is_zero(), on.is_zero()) {
        (true, true) => String::new(),
        (true, false) => format!(" + {}", written(on)),
        (false, _) => format!(" - {}", written(back)),
    }
}
