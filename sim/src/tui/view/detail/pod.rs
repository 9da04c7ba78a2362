//! A pod by itself, and among others.

use meshquake_reports::summary::unit;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::retries::retries;
use crate::tui::film::{Film, PodCell, PodId, PodState, Pool, What};
use crate::tui::state::State;
use crate::tui::text::{clock, pad, pad_left, percent, span};
use crate::tui::view::signs::Health;
use crate::tui::view::theme::Theme;
use crate::tui::view::topology::Now;
use crate::tui::view::{Canvas, cut, error_span};

pub(super) fn pod_head(
    canvas: &mut Canvas<'_>,
    area: Rect,
    state: &State,
    now: &Now,
    pod: PodId,
) -> Rect {
    let theme = canvas.theme;
    let film = state.film();
    let Some(known) = film.cast.pods.get(pod as usize) else {
        return canvas.line(area, theme.dim(" this run has no such pod"));
    };
    let health = Health::of(film, &now.standing, pod);
    let place = |name: &str, value: &str| match value {
        "" => String::new(),
        value => format!("   {name} {value}"),
    };
    let sidecar = if known.meshed { "" } else { "   no sidecar" };
    let about = format!(
        "   {}{}{}{}{sidecar}",
        film.cast.part_name(known.part),
        place("version", &known.version),
        place("zone", &known.zone),
        place("node", &known.node),
    );
    let spans = vec![
        theme.dim(" pod "),
        theme.strong(&known.name),
        Span::styled(
            format!("   {} {}", health.sign(), health.word()),
            health.style(theme),
        ),
        theme.dim(&about),
    ];
    let rest = canvas.line(area, cut(spans, usize::from(area.width)));
    let standing = now.standing.of_pod(pod);
    if film.from_record {
        let told = " its configuration and certificate are not in the record";
        return canvas.line(rest, theme.dim(told));
    }
    let spans = vec![
        theme.dim(" configuration "),
        configuration(theme, &standing, state.cursor),
        theme.dim("   certificate "),
        certificate(theme, film, &standing, state.cursor),
    ];
    let rest = canvas.line(rest, cut(spans, usize::from(area.width)));
    let own = |pool: &Pool| pool.by == pod;
    match retries(theme, film, (&now.standing, state.cursor), own) {
        Some(spans) => canvas.line(rest, cut(spans, usize::from(area.width))),
        None => rest,
    }
}

fn configuration(theme: Theme, pod: &PodState, cursor: u64) -> Span<'static> {
    let (pushed, at) = pod.pushed;
    if pod.lost {
        return theme.bad(&format!("v{}, and no control plane", pod.acked));
    }
    if pod.refused {
        return theme.bad(&format!("v{}, refuses v{pushed}", pod.acked));
    }
    if pushed > pod.acked {
        let waiting = span(cursor.saturating_sub(at));
        return theme.warn(&format!("v{}, v{pushed} pushed {waiting} ago", pod.acked));
    }
    match pod.acked {
        0 => theme.dim("none"),
        version => theme.plain(&format!("v{version}")),
    }
}

fn certificate(theme: Theme, film: &Film, pod: &PodState, cursor: u64) -> Span<'static> {
    let Some((not_after, since)) = pod.certificate else {
        return theme.dim("none");
    };
    let now = u128::from(film.cast.epoch_s) * 1_000_000_000 + u128::from(cursor);
    let end = u128::from(not_after) * 1_000_000_000;
    let age = span(cursor.saturating_sub(since));
    match end.checked_sub(now) {
        None => theme.bad(&format!("expired, {age} old")),
        Some(left) => {
            let left = u64::try_from(left).unwrap_or(u64::MAX);
            let text = format!("{age} old, {} left", span(left));
            if left < 600_000_000_000 {
                theme.warn(&text)
            } else {
                theme.plain(&text)
            }
        }
    }
}

pub(super) fn pods_heading(canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    let theme = canvas.theme;
    let heading = format!(
        "   {} {} {}{}{}{}  {}",
        pad("pod", 24),
        pad("zone", 8),
        pad_left("share", 7),
        pad_left("attempts", 10),
        pad_left("errors", 8),
        pad_left("queue", 7),
        "state",
    );
    canvas.line(area, theme.dim(&heading))
}

pub(super) fn pod_line(
    theme: Theme,
    state: &State,
    now: &Now,
    pod: PodId,
    (attempts, wide): (u32, bool),
) -> Vec<Span<'static>> {
    let film = state.film();
    // A record does not tell of the load of one pod among several.
    let known_of = |text: String| match film.tells_pod(pod) {
        true => text,
        false => "–".to_owned(),
    };
    let health = Health::of(film, &now.standing, pod);
    let known = &film.cast.pods[pod as usize];
    let idle = PodCell::default();
    let cell = now.pods.get(&pod).unwrap_or(&idle);
    let share = match attempts {
        0 => "–".into(),
        _ if !film.tells_pod(pod) => "–".into(),
        all => percent(f64::from(cell.attempts) / f64::from(all)),
    };
    // Nor of how attempts at a pod ended.
    let failed = (cell.attempts > 0 && !film.from_record)
        .then(|| f64::from(cell.failed) / f64::from(cell.attempts));
    let errors = error_span(theme, failed);
    let queue = match film.from_record {
        true => film.queue(known.part, now.stretch),
        false => Some(cell.queue),
    };
    let queue = queue.map_or("–".into(), |queue| queue.to_string());
    let standing = now.standing.of_pod(pod);
    let ejected = now.standing.ejected_by(pod).count();
    let mut spans = vec![
        Span::styled(format!(" {} ", health.sign()), health.style(theme)),
        Span::raw(pad(&known.name, 24)),
        theme.dim(&format!(" {} ", pad(&known.zone, 8))),
        Span::raw(pad_left(&share, 7)),
        Span::raw(pad_left(
            &known_of(unit::per_second(f64::from(cell.attempts) / now.seconds)),
            10,
        )),
        Span::styled(pad_left(&errors.content, 8), errors.style),
        Span::raw(pad_left(&known_of(queue), 7)),
        Span::styled(format!("  {}", health.word()), health.style(theme)),
    ];
    if ejected > 0 {
        spans.push(theme.warn(&format!(", ejected by {ejected}")));
    }
    if known.meshed && !film.from_record && wide {
        spans.push(theme.dim("  config "));
        spans.push(configuration(theme, &standing, state.cursor));
        spans.push(theme.dim("  cert "));
        spans.push(certificate(theme, film, &standing, state.cursor));
    }
    spans
}

pub(super) fn ejection(
    theme: Theme,
    state: &State,
    now: &Now,
    pod: PodId,
    by: PodId,
) -> Vec<Span<'static>> {
    let until = now.standing.ejected_by(pod).find(|(known, _)| *known == by);
    let left = until.map_or(0, |(_, until)| until.saturating_sub(state.cursor));
    vec![
        theme.warn(" ◌ "),
        Span::raw(pad(state.film().cast.pod_name(by), 30)),
        theme.dim(&match left {
            0 => " may be taken back".to_owned(),
            left => format!(" for {} more at least", span(left)),
        }),
    ]
}

/// What happened to a pod up to the cursor, the newest first.
pub(super) fn pod_events(canvas: &mut Canvas<'_>, area: Rect, state: &State, pod: PodId) {
    let theme = canvas.theme;
    let film = state.film();
    let rest = canvas.title(area, "happened to it");
    let until = film
        .entries
        .partition_point(|entry| entry.at <= state.cursor);
    let own = film.entries[..until]
        .iter()
        .rev()
        .filter(|entry| match &entry.what {
            What::Pod { pod: id, .. }
            | What::Ejected { pod: id, .. }
            | What::Returned { pod: id, .. } => *id == pod,
            What::Opened { by, .. } => *by == pod,
            What::Config { pod: id, .. } | What::Certificate { pod: id, .. } => *id == Some(pod),
            _ => false,
        });
    let lines = own.take(usize::from(rest.height)).map(|entry| {
        let (_, text) = entry.what.tell(film);
        let spans = vec![
            theme.dim(&format!(" {:>10}  ", clock(entry.at))),
            Span::raw(text),
        ];
        cut(spans, usize::from(area.width))
    });
    let lines: Vec<Line<'_>> = lines.collect();
    if lines.is_empty() {
        canvas.line(rest, theme.dim(" nothing yet"));
        return;
    }
    canvas.lines(rest, lines);
}
