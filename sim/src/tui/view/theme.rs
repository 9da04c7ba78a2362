//! Colours, and what stands for them where there are none.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

/// How things look. The sixteen colours of the terminal's own palette are used, so that light and dark themes both
/// work; red and green never stand against each other without a sign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    color: bool,
}

impl Theme {
    pub(super) const fn new(color: bool) -> Self {
        Self { color }
    }

    pub(super) const fn has_color(self) -> bool {
        self.color
    }

    const fn ink(self, color: Color) -> Style {
        match self.color {
            true => Style::new().fg(color),
            false => Style::new(),
        }
    }

    pub(super) const fn bad_style(self) -> Style {
        self.ink(Color::LightRed).add_modifier(Modifier::BOLD)
    }

    pub(super) const fn warn_style(self) -> Style {
        self.ink(Color::Yellow)
    }

    pub(super) const fn good_style(self) -> Style {
        self.ink(Color::Cyan)
    }

    pub(super) const fn load_style(self) -> Style {
        self.ink(Color::Blue)
    }

    pub(super) const fn dim_style(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) const fn chosen_style(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Behind what happens while a fault is at work.
    pub(super) const fn shade_style(self) -> Style {
        match self.color {
            true => Style::new().bg(Color::DarkGray),
            false => Style::new(),
        }
    }

    pub(super) fn plain(self, text: &str) -> Span<'static> {
        Span::raw(text.to_owned())
    }

    pub(super) fn dim(self, text: &str) -> Span<'static> {
        Span::styled(text.to_owned(), self.dim_style())
    }

    pub(super) fn strong(self, text: &str) -> Span<'static> {
        Span::styled(text.to_owned(), Style::new().add_modifier(Modifier::BOLD))
    }

    pub(super) fn accent(self, text: &str) -> Span<'static> {
        let style = self.ink(Color::Cyan).add_modifier(Modifier::BOLD);
        Span::styled(text.to_owned(), style)
    }

    pub(super) fn good(self, text: &str) -> Span<'static> {
        Span::styled(text.to_owned(), self.good_style())
    }

    pub(super) fn warn(self, text: &str) -> Span<'static> {
        Span::styled(text.to_owned(), self.warn_style())
    }

    pub(super) fn bad(self, text: &str) -> Span<'static> {
        Span::styled(text.to_owned(), self.bad_style())
    }

    pub(super) fn chosen(self, text: &str) -> Span<'static> {
        Span::styled(text.to_owned(), self.chosen_style())
    }
}
