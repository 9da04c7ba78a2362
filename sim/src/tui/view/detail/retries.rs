//! Retries in flight against what sidecars allow.

use meshquake_reports::summary::unit;
use ratatui::text::Span;

use crate::tui::film::{Film, Life, Limit, Pool, Retries, Standing};
use crate::tui::text::percent;
use crate::tui::view::theme::Theme;

/// Retries of several sidecars' clusters together. Each counts by itself: what one has left is of no use to another.
struct Sum {
    now: u64,
    most: u64,
    /// `None` when one of them has no limit.
    allowed: Option<u64>,
    full: usize,
}

fn sum(told: &[Retries]) -> Sum {
    let allowed: Option<Vec<u64>> = told.iter().map(Retries::allowed).collect();
    let full = told.iter().filter(|told| {
        let allowed = told.allowed();
        allowed.is_some_and(|allowed| u64::from(told.flight.now) >= allowed)
    });
    Sum {
        now: told.iter().map(|told| u64::from(told.flight.now)).sum(),
        most: told.iter().map(|told| u64::from(told.flight.most)).sum(),
        allowed: allowed.map(|allowed| allowed.iter().sum()),
        full: full.count(),
    }
}

/// Of the wanted clusters of sidecars that live.
fn living(
    film: &Film,
    standing: &Standing,
    cursor: u64,
    wanted: impl Fn(&Pool) -> bool,
) -> Vec<Retries> {
    film.retries(cursor, |pool| {
        let state = standing.pods.get(pool.by as usize);
        let dead = state.is_some_and(|pod| matches!(pod.life, Life::Crashed | Life::Off));
        !dead && wanted(pool)
    })
}

/// In a line; `None` when nobody has called anybody yet.
pub(super) fn retries(
    theme: Theme,
    film: &Film,
    (standing, cursor): (&Standing, u64),
    wanted: impl Fn(&Pool) -> bool,
) -> Option<Vec<Span<'static>>> {
    let told = living(film, standing, cursor, wanted);
    let first = told.first()?;
    let Sum {
        now,
        most,
        allowed,
        full,
    } = sum(&told);
    let mut spans = vec![
        theme.dim(" retries "),
        Span::raw(match now {
            0 => "none in flight".to_owned(),
            now => format!("{} in flight", unit::count(now)),
        }),
    ];
    let peak = (most > now).then(|| format!(", up to {} in this moment", unit::count(most)));
    let peak = theme.dim(&peak.unwrap_or_default());
    let Some(allowed) = allowed else {
        spans.push(peak);
        spans.push(theme.dim("   no limit"));
        return Some(spans);
    };
    spans.push(Span::raw(format!(" of {} allowed", unit::count(allowed))));
    spans.push(peak);
    let alike = told.iter().all(|told| told.pool.limit == first.pool.limit);
    let rule = match first.pool.limit {
        _ if !alike => "by several rules".to_owned(),
        Limit::None => String::new(),
        Limit::Fixed(retries) => format!("maxRetries {retries}"),
        Limit::Budget { ppm, least } => {
            let active: u64 = told.iter().map(|told| told.active).sum();
            format!(
                "budget: {} of {} requests in flight, at least {least}",
                percent(f64::from(ppm) / 1e6),
                unit::count(active)
            )
        }
    };
    let each = match told.len() {
        1 => String::new(),
        sidecars => format!(", in each of {sidecars}"),
    };
    spans.push(theme.dim(&format!("   {rule}{each}")));
    if full > 0 {
        spans.push(theme.warn(&match told.len() {
            1 => "   full".to_owned(),
            sidecars => format!("   full in {full} of {sidecars}"),
        }));
    }
    Some(spans)
}

/// In a word, where there are any in flight.
pub(super) fn briefly(
    film: &Film,
    (standing, cursor): (&Standing, u64),
    wanted: impl Fn(&Pool) -> bool,
) -> Option<String> {
    let sum = sum(&living(film, standing, cursor, wanted));
    if sum.most == 0 {
        return None;
    }
    Some(match sum.allowed {
        Some(allowed) => format!("{} retries of {allowed}", sum.now),
        None => format!("{} retries", sum.now),
    })
}
