//! What stands over a view: the keys, the menu of faults, a line being typed.

use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::{Canvas, below, top};
use crate::tui::state::{Overlay, Purpose, State};
use crate::tui::text::{clock, columns, fit, inert, pad};
use crate::tui::wish::WISHES;

/// The keys, in groups.
pub(crate) const KEYS: &[(&str, &[(&str, &str)])] = &[
    (
        "time",
        &[
            ("space", "play, pause"),
            ("< >", "slower, faster: 0.1× to 100×, and max"),
            (
                "← →  h l",
                "scrub by 1 % of the axis; with shift, or H L, by 10 %",
            ),
            (". ,", "next event, event before"),
            ("r R", "next request, request before"),
            ("x X", "next failed request, failed request before"),
            ("f F", "next fault, fault before"),
            ("e E", "next ejection, ejection before"),
            ("p P", "next crash or return of a pod, the one before"),
            ("b B", "next breaker that opens, the one before"),
            ("m M", "next retry, overflow, time-out…, the one before"),
            ("Home End  0 $", "the beginning, the end"),
            ("+ -", "zoom the axis of time"),
            (": TIME", "go there: `:31.5s`, `:1m10s`"),
        ],
    ),
    (
        "views",
        &[
            (
                "1 … 7  Tab",
                "overview, topology, detail, requests, events, config, expectations",
            ),
            (
                "j k  ↓ ↑",
                "choose a line; in the overview a traffic source",
            ),
            ("g G  PgUp PgDn", "first, last, by screens"),
            (
                "Enter",
                "open: a service, a pod, an edge, a request's waterfall",
            ),
            ("Esc", "back; takes a filter away"),
            ("/", "filter requests or events"),
            ("PgUp PgDn", "in config: the settings of the chosen edge"),
            ("mouse", "tabs, lines (twice opens), charts, the wheel"),
            ("c  D", "two runs: look at the other; go to where they part"),
        ],
    ),
    (
        "chaos by hand",
        &[
            (
                "i",
                "inject a fault at the cursor: what, whom, then the line",
            ),
            (
                ": fault …",
                "the same in a line: `:fault for: 5s, crash: web-0`",
            ),
            (
                ": set …",
                "another value from the start: `:set mesh.defaults.retries=0`",
            ),
            (": seed N", "another seed"),
            ("w  : w FILE", "save the changed scenario as a new file"),
        ],
    ),
    (
        "leave",
        &[
            (
                "q  Ctrl-C",
                "close what is open, or quit; twice where something is not saved",
            ),
            ("?", "this"),
        ],
    ),
];

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    body: Rect,
    foot: Rect,
    state: &State,
) -> Option<Position> {
    match state.overlay.as_ref()? {
        Overlay::Help => {
            help(canvas, body, state);
            None
        }
        Overlay::Wish { at } => {
            let lines = WISHES.iter().map(|wish| (wish.name.to_owned(), wish.about));
            let title = format!("inject at {}", clock(state.cursor));
            menu(canvas, body, &title, &lines.collect::<Vec<_>>(), *at);
            None
        }
        Overlay::Target { wish, targets, at } => {
            let lines = targets.iter().map(|target| (inert(&target.name), ""));
            let title = format!("{} at {}: whom?", WISHES[*wish].name, clock(state.cursor));
            menu(canvas, body, &title, &lines.collect::<Vec<_>>(), *at);
            None
        }
        Overlay::Line(line) => {
            let theme = canvas.theme;
            let prompt = match line.purpose {
                Purpose::Command => ":",
                Purpose::Filter => "/",
                Purpose::Fault => "fault - ",
            };
            // The part around the caret.
            let room = usize::from(foot.width).saturating_sub(columns(prompt) + 2);
            let before: String = line.text.chars().take(line.at).collect();
            let before = inert(&before);
            let skip = columns(&before).saturating_sub(room);
            let shown: String = inert(&line.text).chars().skip(skip).collect();
            let hint = match line.purpose {
                Purpose::Command => "↵ does it  Esc leaves",
                Purpose::Fault => "↵ records again with it  Esc drops it",
                Purpose::Filter => "↵ keeps it  Esc closes",
            };
            let hint = match columns(&shown) + columns(hint) + 2 < room {
                true => hint,
                false => "",
            };
            let text = pad(&shown, room - columns(hint));
            let spans = vec![
                theme.accent(prompt),
                Span::raw(text),
                theme.dim(hint),
                Span::raw("  "),
            ];
            canvas.line(foot, spans);
            let x = foot.x as usize + columns(prompt) + columns(&before) - skip;
            Some(Position::new(
                x.min(usize::from(foot.right().saturating_sub(1))) as u16,
                foot.y,
            ))
        }
    }
}

/// A frame in the middle of `body` with nothing behind it.
fn panel(canvas: &mut Canvas<'_>, body: Rect, width: u16, height: u16, title: &str) -> Rect {
    let theme = canvas.theme;
    let (width, height) = (width.min(body.width), height.min(body.height));
    let area = Rect {
        x: body.x + (body.width - width) / 2,
        y: body.y + (body.height - height) / 2,
        width,
        height,
    };
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            canvas.buffer[(x, y)].reset();
        }
    }
    let inner = usize::from(width).saturating_sub(2);
    let title = fit(title, inner.saturating_sub(4));
    let rule = "─".repeat(inner.saturating_sub(columns(&title) + 3));
    let head = vec![
        Span::raw("┌─ "),
        theme.strong(&title),
        Span::raw(format!(" {rule}┐")),
    ];
    canvas.line(area, head);
    for line in 1..height.saturating_sub(1) {
        let place = top(below(area, line), 1);
        canvas.line(place, format!("│{}│", " ".repeat(inner)));
    }
    let last = top(below(area, height.saturating_sub(1)), 1);
    canvas.line(last, format!("└{}┘", "─".repeat(inner)));
    Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: width.saturating_sub(4),
        height: height.saturating_sub(2),
    }
}

fn help(canvas: &mut Canvas<'_>, body: Rect, state: &State) {
    let theme = canvas.theme;
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (group, keys) in KEYS {
        lines.push(Line::from(theme.accent(group)));
        for (key, what) in *keys {
            let key = theme.strong(&format!("  {}", pad(key, 17)));
            lines.push(Line::from(vec![key, Span::raw((*what).to_owned())]));
        }
    }
    let height = (lines.len() as u16 + 2).min(body.height);
    let inner = panel(canvas, body, 88, height, "keys");
    let hidden = lines.len().saturating_sub(usize::from(inner.height));
    let first = state.scroll.min(hidden);
    let lines: Vec<_> = lines
        .into_iter()
        .skip(first)
        .take(usize::from(inner.height))
        .map(|line| super::cut(line.spans, usize::from(inner.width)))
        .collect();
    canvas.lines(inner, lines);
    if hidden > first {
        let place = Rect {
            x: inner.x,
            y: inner.bottom(),
            height: 1,
            ..inner
        };
        canvas.line(place, theme.strong(" j: more "));
    }
}

fn menu(canvas: &mut Canvas<'_>, body: Rect, title: &str, lines: &[(String, &str)], at: usize) {
    let theme = canvas.theme;
    let names = lines
        .iter()
        .map(|(name, _)| columns(name))
        .max()
        .unwrap_or(0)
        .min(50);
    let abouts = lines
        .iter()
        .map(|(_, about)| about.len())
        .max()
        .unwrap_or(0);
    let width = (names + abouts + 8).max(columns(title) + 8) as u16;
    let inner = panel(canvas, body, width, lines.len() as u16 + 2, title);
    canvas.list(inner, lines.len(), Some(at), |number| {
        let (name, about) = &lines[number];
        let name = Span::raw(format!("{}  ", pad(name, names)));
        Line::from(vec![name, theme.dim(about)])
    });
}
