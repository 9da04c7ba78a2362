//! Draws a [`State`]. Nothing here changes anything: what can be clicked is handed back with the picture.
//!
//! Nothing is told by colour alone: every state has a sign or a word of its own, so that the screen says the same
//! to those who do not see colours, and under `NO_COLOR`.

mod chart;
mod config;
mod detail;
mod events;
mod expectations;
mod overlay;
mod overview;
mod requests;
mod signs;
mod theme;
mod topology;
mod waterfall;

#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::state::{Action, SPEEDS, State, Subject, View};
use super::text::{clock, columns, fit, inert, percent};
use theme::Theme;

/// Below this there is no room to say anything.
const LEAST: (u16, u16) = (60, 16);

/// What a click on a place means. The last that holds the place counts.
pub(crate) type Hits = Vec<(Rect, Action)>;

/// A picture in the making.
pub(super) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    hits: &'a mut Hits,
    theme: Theme,
}

impl Canvas<'_> {
    /// Writes a line at the top of `area`, and gives back what is below it.
    fn line<'t>(&mut self, area: Rect, line: impl Into<Line<'t>>) -> Rect {
        if area.height > 0 {
            self.buffer
                .set_line(area.x, area.y, &line.into(), area.width);
        }
        below(area, 1)
    }

    /// Writes several lines.
    fn lines<'t>(&mut self, area: Rect, lines: impl IntoIterator<Item = Line<'t>>) -> Rect {
        lines
            .into_iter()
            .fold(area, |area, line| self.line(area, line))
    }

    /// A title over what follows.
    fn title(&mut self, area: Rect, title: &str) -> Rect {
        let rule = "─".repeat(usize::from(area.width).saturating_sub(columns(title) + 4));
        let spans = vec![
            self.theme.dim("─ "),
            self.theme.strong(title),
            self.theme.dim(&format!(" {rule}")),
        ];
        self.line(area, spans)
    }

    /// A list of `length` lines, as many around `chosen` as find room; a click picks one. The style of a line that is
    /// not chosen lies over those of its parts.
    fn list<'t>(
        &mut self,
        area: Rect,
        length: usize,
        chosen: Option<usize>,
        line: impl Fn(usize) -> Line<'t>,
    ) {
        let numbers = visible(length, chosen.unwrap_or(0), area.height);
        for (row, number) in numbers.enumerate() {
            let place = top(below(area, row as u16), 1);
            let line = line(number);
            let style = match Some(number) == chosen {
                true => self.theme.chosen_style(),
                false => line.style,
            };
            self.line(place, cut(line.spans, usize::from(area.width)));
            self.style(place, style);
            self.hit(place, Action::Pick(number));
        }
    }

    fn hit(&mut self, area: Rect, action: Action) {
        self.hits.push((area, action));
    }

    fn style(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area, style);
    }
}

/// What is left of an area below its first `lines`.
fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect {
        y: area.y + lines,
        height: area.height - lines,
        ..area
    }
}

/// The first `lines` of an area.
fn top(area: Rect, lines: u16) -> Rect {
    Rect {
        height: lines.min(area.height),
        ..area
    }
}

/// An area's left part and what is right of it, a column between them.
fn split(area: Rect, left: u16) -> (Rect, Rect) {
    let left = left.min(area.width);
    let right = Rect {
        x: area.x + (left + 1).min(area.width),
        width: area.width.saturating_sub(left + 1),
        ..area
    };
    (
        Rect {
            width: left,
            ..area
        },
        right,
    )
}

/// The lines of a list of `length` that are visible in `height`, with `chosen` among them.
fn visible(length: usize, chosen: usize, height: u16) -> std::ops::Range<usize> {
    let height = usize::from(height).max(1);
    let first = chosen
        .saturating_sub(height / 2)
        .min(length.saturating_sub(height));
    first..(first + height).min(length)
}

/// Draws everything, and says what a click means.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State) -> Hits {
    let mut hits = Hits::new();
    let area = frame.area();
    let theme = Theme::new(state.color);
    let mut canvas = Canvas {
        buffer: frame.buffer_mut(),
        hits: &mut hits,
        theme,
    };
    let caret = if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(&mut canvas, area);
        None
    } else {
        whole(&mut canvas, area, state)
    };
    // Whatever a file holds has been made inert where it was read; this is for what was forgotten.
    disarm(frame.buffer_mut());
    if let Some(caret) = caret {
        frame.set_cursor_position(caret);
    }
    hits
}

fn too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let lines = [
        "meshquake".to_owned(),
        format!("needs {} × {}", LEAST.0, LEAST.1),
        format!("has {} × {}", area.width, area.height),
        "q leaves".to_owned(),
    ];
    canvas.lines(area, lines.into_iter().map(Line::from));
}

fn whole(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Option<Position> {
    let rest = header(canvas, area, state);
    let rest = tabs(canvas, rest, state);
    let body = Rect {
        height: rest.height.saturating_sub(1),
        ..rest
    };
    match state.view {
        View::Overview => overview::draw(canvas, body, state),
        View::Topology => topology::draw(canvas, body, state),
        View::Detail => detail::draw(canvas, body, state),
        View::Requests if state.opened => waterfall::draw(canvas, body, state),
        View::Requests => requests::draw(canvas, body, state),
        View::Events => events::draw(canvas, body, state),
        View::Config => config::draw(canvas, body, state),
        View::Expectations => expectations::draw(canvas, body, state),
    }
    let foot = Rect {
        y: rest.y + body.height,
        height: rest.height.min(1),
        ..rest
    };
    footer(canvas, foot, state);
    overlay::draw(canvas, body, foot, state)
}

/// Which scenario, where in time, and how fast.
fn header(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    let speed = match SPEEDS[state.speed] {
        speed if speed.is_finite() => format!("{speed}×"),
        _ => "max".into(),
    };
    let sign = if state.playing { "▶" } else { "‖" };
    let time = format!("{} / {}", clock(state.cursor), clock(state.length()));
    let mut right = vec![
        theme.strong(&format!("{sign} {speed:<4} ")),
        theme.strong(&time),
    ];
    let waits = state.shown().retake;
    let shown = film.reached.min(film.length) as f64 / film.length.max(1) as f64;
    let recording = match (waits, film.is_done()) {
        (Some(reached), _) => Some(("again", reached as f64 / film.length.max(1) as f64)),
        (None, false) => Some(("rec", shown)),
        (None, true) => None,
    };
    if let Some((what, share)) = recording {
        right.insert(0, theme.warn(&format!("● {what} {:.0}%  ", share * 100.0)));
    }
    let width: usize = right.iter().map(|span| span.width()).sum();
    let room = usize::from(area.width).saturating_sub(width + 2);
    let mut name = film.title.to_string();
    if state.shown().unsaved > 0 {
        name.push_str(" *");
    }
    let mut left = vec![theme.accent(" meshquake "), theme.strong(&name)];
    if room > columns(&name) + 24 {
        left.push(theme.dim(&format!("  seed {}", film.seed)));
    }
    if state.sides.len() > 1 {
        left.push(theme.dim(&format!("  {} of A|B", side_letter(state.side))));
    }
    if film.from_record {
        left.push(theme.dim("  record"));
    }
    let line = cut(left, room);
    canvas.line(area, line);
    let x = area.x + area.width.saturating_sub(width as u16 + 1);
    canvas
        .buffer
        .set_line(x, area.y, &Line::from(right), area.right() - x);
    below(area, 1)
}

/// The letter of one of two films.
fn side_letter(side: usize) -> char {
    if side == 0 { 'A' } else { 'B' }
}

/// Spans in at most `room` columns.
fn cut<'a>(spans: Vec<Span<'a>>, room: usize) -> Line<'a> {
    let mut used = 0;
    let mut out = Vec::new();
    for span in spans {
        let width = span.width();
        if used + width > room {
            let text = fit(&span.content, room - used);
            out.push(Span::styled(text, span.style));
            break;
        }
        used += width;
        out.push(span);
    }
    Line::from(out)
}

/// `items` after `lead`, in as many lines of `width` as they take.
fn flow<'a>(lead: Span<'a>, items: Vec<Span<'a>>, width: usize) -> Vec<Line<'a>> {
    let indent = lead.width();
    let mut lines = Vec::new();
    let (mut line, mut used) = (vec![lead], indent);
    for item in items {
        let first = line.len() == 1;
        if !first && used + 3 + item.width() > width {
            lines.push(cut(std::mem::take(&mut line), width));
            line.push(Span::raw(" ".repeat(indent)));
            used = indent;
        } else if !first {
            line.push(Span::raw("   "));
            used += 3;
        }
        used += item.width();
        line.push(item);
    }
    lines.push(cut(line, width));
    lines
}

fn tabs(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Rect {
    let theme = canvas.theme;
    // Names in full, or their beginnings where the terminal is narrow.
    let room = usize::from(area.width);
    let names: usize = View::ALL.iter().map(|view| view.name().len()).sum();
    let beside = |gap: usize| names + View::ALL.len() * (gap + 2);
    let gap = if beside(2) <= room { " " } else { "" };
    let most = match (beside(1) <= room, beside(1) <= room + 6) {
        (true, _) => usize::MAX,
        (false, true) => 8,
        (false, false) => 4,
    };
    let mut x = area.x;
    for (number, view) in View::ALL.into_iter().enumerate() {
        // Only the longest name has to give way where little is missing.
        let name = match view {
            View::Expectations if most < usize::MAX => "Expect",
            view => view.name(),
        };
        let name: String = name.chars().take(most.max(4)).collect();
        let text = format!(" {} {name}{gap}", number + 1);
        let width = (columns(&text) as u16).min(area.right().saturating_sub(x));
        let place = Rect {
            x,
            width,
            ..top(area, 1)
        };
        let span = match view == state.view {
            true => theme.chosen(&text),
            false => theme.dim(&text),
        };
        canvas.line(place, span);
        canvas.hit(place, Action::Look(view));
        x += width;
    }
    below(area, 1)
}

fn footer(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = canvas.theme;
    if let Some(message) = &state.message {
        let text = format!(" {}", inert(&message.text));
        let span = if message.wrong {
            theme.bad(&text)
        } else {
            theme.accent(&text)
        };
        canvas.line(area, span);
        return;
    }
    let recorded = state.shown().plan.is_none();
    let own: &[(&str, &str)] = match state.view {
        View::Overview if state.sides.len() > 1 => &[("D", "first difference"), ("c", "other run")],
        View::Overview => &[("f e x", "fault, ejection, failure"), ("i", "inject")],
        View::Topology => &[("↵", "open"), ("i", "inject")],
        View::Detail => &[("↵", "open"), ("Esc", "back")],
        View::Requests if state.opened => &[("r x", "next, failed"), ("Esc", "back")],
        View::Requests => &[("/", "filter"), ("↵", "waterfall"), ("x", "next failure")],
        View::Events => &[("/", "filter"), ("↵", "open"), (". ,", "step")],
        View::Config => &[("j k", "edge"), ("PgUp PgDn", "read on")],
        View::Expectations => &[("↵", "go there")],
    };
    let span = |(key, what): &(&str, &str)| [theme.strong(key), theme.dim(&format!(" {what}  "))];
    let last: Vec<Span<'_>> = [("?", "help"), ("q", "quit")]
        .iter()
        .flat_map(span)
        .collect();
    let last_width: usize = last.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(last_width + 1);
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    let own = own.iter().filter(|(key, _)| *key != "i" || !recorded);
    for key in [("space", "play"), ("← →", "scrub")].iter().chain(own) {
        let pair = span(key);
        let width: usize = pair.iter().map(Span::width).sum();
        if used + width <= room {
            used += width;
            spans.extend(pair);
        }
    }
    spans.extend(last);
    canvas.line(area, spans);
}

/// Replaces whatever a terminal would obey.
fn disarm(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if symbol.is_ascii() && !symbol.bytes().any(|byte| byte.is_ascii_control()) {
            continue;
        }
        let safe = inert(symbol);
        if safe != symbol {
            let safe = if safe.width() == 1 {
                safe
            } else {
                "\u{fffd}".to_owned()
            };
            cell.set_symbol(&safe);
        }
    }
}

/// Lines in the list of the view that is looked at.
pub(crate) fn list_length(state: &State) -> usize {
    match state.view {
        // All of them, and each by itself where there are several.
        View::Overview => match state.film().cast.sources {
            0 | 1 => 1,
            sources => sources + 1,
        },
        View::Topology => topology::rows(state).len(),
        View::Detail => detail::rows(state).len(),
        View::Requests => state.shown().requests().shown().len(),
        View::Events => state.shown().events().shown().len(),
        View::Config => config::length(state),
        View::Expectations => expectations::length(state),
    }
}

/// Lines that the settings of the chosen edge take at most.
pub(crate) fn config_lines(state: &State) -> usize {
    config::lines(state)
}

/// What stands on a line of the topology.
pub(crate) fn topology_subject(state: &State, line: usize) -> Option<Subject> {
    topology::rows(state).get(line).copied()
}

/// What stands on a line of the detail.
pub(crate) fn detail_subject(state: &State, line: usize) -> Option<Subject> {
    detail::rows(state).get(line).copied()
}

/// A share of errors: what it is, as bad as it is.
fn error_span(theme: Theme, share: Option<f64>) -> Span<'static> {
    match share {
        None => theme.dim("–"),
        Some(0.0) => theme.plain("0%"),
        Some(share) if share < 0.01 => theme.warn(&percent(share)),
        Some(share) => theme.bad(&percent(share)),
    }
}
