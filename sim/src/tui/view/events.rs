//! What happened, in order.

use meshquake_reports::summary::unit;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Canvas;
use super::signs::event_sign;
use crate::tui::film::Kind;
use crate::tui::state::State;
use crate::tui::text::{clock, fit, pad, pad_left};

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = canvas.theme;
    let film = state.film();
    let shown = state.shown().events().shown();
    let mut head = vec![Span::raw(format!(
        " {} events",
        unit::count(shown.len() as u64)
    ))];
    if film.entries_omitted > 0 {
        head.push(theme.warn(&format!(
            ", {} more found no room",
            unit::count(film.entries_omitted)
        )));
    }
    head.push(theme.dim(&match state.event_filter.as_str() {
        "" if area.width < 100 => "   / filters: fault pod ejection breaker config, text, all".to_owned(),
        "" => "   / filters by words: fault pod ejection breaker config identity mechanism, or any text; all".to_owned(),
        filter => format!("   filter: {}", fit(filter, 60)),
    }));
    let rest = canvas.line(area, super::cut(head, usize::from(area.width)));
    if shown.is_empty() {
        canvas.line(rest, theme.dim(" nothing has happened yet"));
        return;
    }
    let narrow = area.width < 100;
    canvas.list(rest, shown.len(), state.event_at(), |number| {
        let Some((at, kind, subject, text)) = shown[number].tell(film) else {
            return Line::default();
        };
        let sign = match kind {
            Kind::Fault | Kind::Ejection | Kind::Breaker => theme.warn(event_sign(kind)),
            Kind::Pod => theme.bad(event_sign(kind)),
            _ => theme.dim(event_sign(kind)),
        };
        let line = Line::from(vec![
            Span::raw(format!(" {}  ", pad_left(&clock(at), 11))),
            sign,
            theme.dim(&if narrow {
                " ".to_owned()
            } else {
                format!(" {} ", pad(kind.name(), 9))
            }),
            theme.strong(&format!("{} ", pad(&subject, if narrow { 22 } else { 30 }))),
            Span::raw(text),
        ]);
        match at > state.cursor {
            true => line.style(theme.dim_style()),
            false => line,
        }
    });
}
