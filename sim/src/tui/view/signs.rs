//! Signs for what cannot be said in a word.

use ratatui::style::Style;

use super::theme::Theme;
use crate::tui::film::{Film, Kind, Life, PodId, Standing};

/// How a pod stands, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Down,
    Frozen,
    Absent,
    NotReady,
    Cut,
    Ejected,
    Ready,
}

impl Health {
    /// Of a pod.
    pub(super) fn of(film: &Film, standing: &Standing, pod: PodId) -> Self {
        match standing.of_pod(pod).life {
            Life::Crashed | Life::Off => Self::Down,
            Life::Frozen => Self::Frozen,
            Life::Absent => Self::Absent,
            Life::NotReady => Self::NotReady,
            Life::Ready if is_cut(film, standing, pod) => Self::Cut,
            Life::Ready if standing.is_ejected(pod) => Self::Ejected,
            Life::Ready => Self::Ready,
        }
    }

    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Down => "✗",
            Self::Frozen => "‖",
            Self::Absent => "·",
            Self::NotReady => "○",
            Self::Cut => "⌁",
            Self::Ejected => "◌",
            Self::Ready => "●",
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Frozen => "frozen",
            Self::Absent => "not started",
            Self::NotReady => "not ready",
            Self::Cut => "cut off",
            Self::Ejected => "ejected",
            Self::Ready => "ready",
        }
    }

    pub(super) const fn style(self, theme: Theme) -> Style {
        match self {
            Self::Down | Self::Cut => theme.bad_style(),
            Self::Frozen | Self::Ejected => theme.warn_style(),
            Self::Absent | Self::NotReady => theme.dim_style(),
            Self::Ready => theme.good_style(),
        }
    }
}

/// Whether a fault at work was written to cut a pod off.
fn is_cut(film: &Film, standing: &Standing, pod: PodId) -> bool {
    let faults = film.cast.faults.iter().zip(&standing.faults);
    let mut cutting = faults.filter(|(fault, state)| fault.cuts && state.active);
    cutting.any(|(fault, _)| fault.pods.contains(&pod))
}

/// The sign of a kind of event on the axis.
pub(super) const fn event_sign(kind: Kind) -> &'static str {
    match kind {
        Kind::Fault => "↯",
        Kind::Pod => "✗",
        Kind::Ejection => "◌",
        Kind::Breaker => "⊘",
        Kind::Config => "↓",
        Kind::Identity => "#",
        Kind::Mechanism => "·",
    }
}
