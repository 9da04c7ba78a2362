//! Colour that does not disturb layout.
//!
//! Text is marked with characters of no width (Unicode's invisible operators)
//! while it is laid out; at the end the marks become escape codes, or nothing.
//! Text from outside is cleaned of them and of control characters first, so a
//! name cannot speak to the terminal.

use anstyle::{AnsiColor, Style};

const END: char = '\u{2064}';

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As demanded.
    Good,
    /// Not as demanded.
    Bad,
    /// Of less weight.
    Faint,
    /// A heading.
    Strong,
}

impl Tone {
    const ALL: [Self; 4] = [Self::Good, Self::Bad, Self::Faint, Self::Strong];

    const fn mark(self) -> char {
        match self {
            Self::Good => '\u{2060}',
            Self::Bad => '\u{2061}',
            Self::Faint => '\u{2062}',
            Self::Strong => '\u{2063}',
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default().bold(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }

    /// Marks `text`.
    pub(crate) fn paint(self, text: &str) -> String {
        format!("{}{text}{END}", self.mark())
    }
}

const fn is_mark(c: char) -> bool {
    matches!(c, '\u{2060}'..='\u{2064}')
}

/// `text` in one line, without anything a terminal would obey.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !is_mark(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Columns that `text` takes, marks apart.
pub(crate) fn width(text: &str) -> usize {
    text.chars().filter(|c| !is_mark(*c)).count()
}

/// Cuts unmarked `text` to `columns`, in the middle, where names differ least.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= columns {
        return text.to_owned();
    }
    let kept = columns.saturating_sub(1);
    let head = kept.div_ceil(2);
    let tail = chars.len() - (kept - head);
    chars[..head]
        .iter()
        .chain(&['…'])
        .chain(&chars[tail..])
        .collect()
}

/// Turns marks into escape codes, or drops them.
pub(crate) fn finish(text: &str, color: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !is_mark(c) {
            out.push(c);
        } else if color {
            let tone = Tone::ALL.into_iter().find(|tone| tone.mark() == c);
            match tone {
                Some(tone) => out.push_str(&tone.style().render().to_string()),
                None => out.push_str(&anstyle::Reset.render().to_string()),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_codes_or_nothing() {
        let text = format!("a {} c", Tone::Bad.paint("b"));
        assert_eq!(width(&text), 5);
        assert_eq!(finish(&text, false), "a b c");
        assert_eq!(finish(&text, true), "a \u{1b}[1m\u{1b}[31mb\u{1b}[0m c");
    }

    #[test]
    fn names_cannot_speak_to_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{2061}"), "a [31mb c");
    }

    #[test]
    fn shortening_keeps_both_ends() {
        assert_eq!(shorten("productpage-v1-0", 9), "prod…v1-0");
        assert_eq!(shorten("short", 9), "short");
        assert_eq!(shorten("abc", 1), "…");
    }
}
