//! What is demanded, and how it stands.

use meshquake_reports::summary::unit;
use meshquake_reports::{ExpectationReport, Failure, Verdict};
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::config::folded;
use super::theme::Theme;
use super::{Canvas, below, top};
use crate::tui::film::Film;
use crate::tui::state::{State, View};
use crate::tui::text::{columns, fit, inert, pad, pad_left};

/// How an expectation stands at an instant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Ahead,
    Measuring,
    Held,
    Failed,
}

fn stand(expectation: &ExpectationReport, cursor: u64, length: u64) -> Stand {
    let ns = |s: f64| (s * 1e9) as u64;
    let window = &expectation.window;
    if cursor < ns(window.from_s) {
        Stand::Ahead
    } else if cursor < ns(window.to_s).min(length) {
        Stand::Measuring
    } else if expectation.held {
        Stand::Held
    } else {
        Stand::Failed
    }
}

pub(super) fn length(state: &State) -> usize {
    state
        .film()
        .report
        .as_ref()
        .map_or(0, |report| report.expectations.len())
}

/// The verdict so far, in a line.
pub(super) fn summary(theme: Theme, film: &Film, cursor: u64) -> Vec<Span<'static>> {
    if let Some(why) = &film.broken {
        return vec![theme.bad("✗ the run broke: "), Span::raw(inert(why))];
    }
    let Some(report) = &film.report else {
        return vec![theme.dim("the verdict comes when the run is recorded")];
    };
    let stands: Vec<Stand> = report
        .expectations
        .iter()
        .map(|e| stand(e, cursor, film.length))
        .collect();
    let of = |wanted: Stand| stands.iter().filter(|stand| **stand == wanted).count();
    let (held, failed) = (of(Stand::Held), of(Stand::Failed));
    let rest = of(Stand::Ahead) + of(Stand::Measuring);
    let ended = cursor >= film.length;
    let mut spans = vec![match (ended, report.verdict, failed) {
        (true, Verdict::Held, _) => theme.good("✓ held"),
        (true, Verdict::Failed, _) => theme.bad("✗ failed"),
        (true, Verdict::Metastable, _) => theme.bad("✗ metastable: it stays broken"),
        (true, Verdict::Interrupted, _) => theme.warn("interrupted: nothing is judged"),
        (false, _, 0) => theme.good("✓ so far"),
        (false, _, _) => theme.bad("✗ so far"),
    }];
    let judged = format!("   {held} of {} expectations held", stands.len());
    if stands.is_empty() {
        spans.push(theme.dim("   the scenario expects nothing"));
    } else {
        spans.push(theme.plain(&judged));
    }
    if failed > 0 {
        spans.push(theme.bad(&format!(", {failed} failed")));
    }
    if rest > 0 {
        spans.push(theme.dim(&format!(", {rest} still open")));
    }
    if ended && let Some(first) = report.failures.first() {
        spans.push(theme.dim(&format!(
            "   {}",
            fit(&unit::with_signs(&first.message), 100)
        )));
    }
    spans
}

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = canvas.theme;
    let film = state.film();
    let mut head = vec![Span::raw(" ")];
    head.extend(summary(theme, film, state.cursor));
    let rest = canvas.line(area, super::cut(head, usize::from(area.width)));
    let Some(report) = &film.report else {
        return;
    };
    let expectations = &report.expectations;
    let chosen =
        state.chosen[View::Expectations as usize].min(expectations.len().saturating_sub(1));
    let widest = |of: &dyn Fn(&ExpectationReport) -> String, least: usize, most: usize| {
        let all = expectations
            .iter()
            .map(|expectation| columns(&of(expectation)));
        all.max().unwrap_or(0).clamp(least, most)
    };
    let wide = [
        widest(&|e| e.subject.clone(), 8, 30),
        widest(&when, 8, 26),
        widest(&|e| e.measure.clone(), 7, 16),
    ];
    let heading = format!(
        "             {} {} {} {} {}  {}",
        pad("of", wide[0]),
        pad("when", wide[1]),
        pad("what", wide[2]),
        pad_left("demanded", 12),
        pad_left("measured", 11),
        "where",
    );
    let rest = canvas.line(rest, theme.dim(&heading));
    let failures = why(&report.failures, usize::from(area.width));
    // The list keeps a line for each, and half of the room in any case.
    let half = usize::from(rest.height / 2);
    let kept = expectations.len().clamp(half.min(4), half.max(4));
    let most = usize::from(rest.height).saturating_sub(kept + 1);
    let shown = failures.len().min(most) as u16;
    let list = top(rest, rest.height - shown - u16::from(shown > 0));
    canvas.list(list, expectations.len(), Some(chosen), |number| {
        let expectation = &expectations[number];
        Line::from(row(theme, expectation, state.cursor, film.length, wide))
    });
    if shown > 0 {
        let rest = canvas.title(below(rest, list.height), "why it failed, at its end");
        canvas.lines(rest, failures);
    }
}

/// What did not come true, in lines of `width`.
fn why(failures: &[Failure], width: usize) -> Vec<Line<'static>> {
    let told = failures.iter().flat_map(|failure| {
        let place = match failure.place.as_str() {
            "" => String::new(),
            place => format!(" ({place})"),
        };
        let text = inert(&format!("{}{place}", unit::with_signs(&failure.message)));
        let pieces = folded(&text, width.saturating_sub(4))
            .into_iter()
            .enumerate();
        pieces.map(|(line, piece)| {
            let lead = if line == 0 { " " } else { "   " };
            Line::from(format!("{lead}{piece}"))
        })
    });
    told.collect()
}

fn row(
    theme: Theme,
    expectation: &ExpectationReport,
    cursor: u64,
    length: u64,
    wide: [usize; 3],
) -> Vec<Span<'static>> {
    let stand = stand(expectation, cursor, length);
    let (word, measured) = match stand {
        Stand::Ahead => (theme.dim(&pad("  ahead", 12)), None),
        Stand::Measuring => (theme.warn(&pad("… measuring", 12)), None),
        Stand::Held => (theme.good(&pad("✓ held", 12)), Some(expectation.measured)),
        Stand::Failed => (theme.bad(&pad("✗ failed", 12)), Some(expectation.measured)),
    };
    let demanded = expectation.bound();
    let measured = match measured {
        None => String::new(),
        Some(None) => "nothing".into(),
        Some(Some(value)) => unit::measured(value, expectation.unit),
    };
    let style = match stand {
        Stand::Failed => theme.bad_style(),
        _ => Default::default(),
    };
    vec![
        Span::raw(" "),
        word,
        Span::raw(format!("{} ", pad(&expectation.subject, wide[0]))),
        Span::raw(format!("{} ", pad(&when(expectation), wide[1]))),
        Span::raw(format!("{} ", pad(&expectation.measure, wide[2]))),
        Span::raw(format!("{} ", pad_left(&demanded, 12))),
        Span::styled(pad_left(&measured, 11), style),
        theme.dim(&format!("  {}", fit(&expectation.place, 60))),
    ]
}

/// The window, as it was written or in seconds.
fn when(expectation: &ExpectationReport) -> String {
    let window = &expectation.window;
    match window.text.as_str() {
        "" => format!(
            "{}s..{}s",
            unit::trimmed(window.from_s, 3),
            unit::trimmed(window.to_s, 3)
        ),
        text => text.to_owned(),
    }
}
