//! Text from files, made safe to put on a terminal, and numbers for people.
//!
//! A terminal obeys what it is sent. A pod called `ESC ]0;…BEL` would set the window's title, a right-to-left
//! override would make a line read as another one, and a name of ten thousand letters would push away what stands
//! beside it. Whatever comes from a scenario or a run passes through [`inert`] before it is drawn: what controls
//! becomes something to look at, and what takes no room is dropped.

use std::ops::Deref;
use std::sync::Arc;

use meshquake_reports::summary::unit;
use unicode_width::UnicodeWidthChar as _;

/// Most columns of a name that are kept.
const COLUMNS_MAX: usize = 240;

/// A text that cannot do anything to a terminal, of bounded length.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label(Arc<str>);

impl Label {
    /// Of a text from anywhere.
    pub(crate) fn new(text: &str) -> Self {
        Self(fit(text, COLUMNS_MAX).into())
    }
}

impl Deref for Label {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Label {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// What is shown of a character; `None` for one that takes no room and would only confuse.
fn shown(c: char) -> Option<char> {
    Some(match c {
        '\n' | '\t' => ' ',
        // The pictures of control characters follow one another as the characters do.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        // Marks that turn the direction of what follows (Unicode, UAX 9), and invisible separators.
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            '\u{fffd}'
        }
        '\u{2028}' | '\u{2029}' => ' ',
        c if c.width().unwrap_or(0) == 0 => return None,
        c => c,
    })
}

/// `text` with nothing in it that a terminal would obey.
pub(crate) fn inert(text: &str) -> String {
    text.chars().filter_map(shown).collect()
}

/// `text`, inert, in at most `columns`; what is cut off is told by `…`.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    // The last place where the sign of omission still finds room.
    let mut cut = 0;
    for c in text.chars().filter_map(shown) {
        let width = c.width().unwrap_or(0);
        if used + width > columns {
            out.truncate(cut);
            if columns > 0 {
                out.push('…');
            }
            return out;
        }
        out.push(c);
        used += width;
        if used < columns {
            cut = out.len();
        }
    }
    out
}

/// Columns that an inert text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// `text` in exactly `columns`.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns);
    let missing = columns.saturating_sub(self::columns(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// `text` at the right end of `columns`.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let missing = columns.saturating_sub(self::columns(&text));
    format!("{}{text}", " ".repeat(missing))
}

/// An instant of the run, to the nearest millisecond: `31.240`, `1:31.240`, `2:01:31.240`.
pub(crate) fn clock(ns: u64) -> String {
    let ms = ns / 1_000_000 + u64::from(ns % 1_000_000 >= 500_000);
    let (s, ms) = (ms / 1_000, ms % 1_000);
    match (s / 3_600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s}.{ms:03}"),
        (0, m, s) => format!("{m}:{s:02}.{ms:03}"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}.{ms:03}"),
    }
}

/// A length of time, as pages and summaries have it: `1.23 ms`, `45.6 s`, `12.5 min`.
pub(crate) fn span(ns: u64) -> String {
    unit::millis(ns as f64 / 1e6)
}

/// A share of failures or of load in percent, rounded as pages have it: `0%`, `0.12%`, `99.9%`; never `0%` for what is
/// more.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = if percent < 1.0 { 2 } else { 1 };
    match percent {
        x if x > 0.0 && x < 0.01 => "<0.01%".into(),
        x => format!("{}%", unit::trimmed(x, decimals)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_controls_becomes_something_to_look_at() {
        assert_eq!(inert("\u{1b}]0;owned\u{7}"), "␛]0;owned␇");
        assert_eq!(inert("a\u{202e}cba\u{202c}"), "a\u{fffd}cba\u{fffd}");
        assert_eq!(inert("\u{9b}31m"), "\u{fffd}31m");
        assert_eq!(inert("two\r\nlines"), "two␍ lines");
        assert_eq!(inert("zero\u{200b}width"), "zerowidth");
        assert_eq!(inert("<script>"), "<script>");
        assert_eq!(inert("שלום"), "שלום");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        assert_eq!(fit("reviews", 7), "reviews");
        assert_eq!(fit("reviews", 6), "revie…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("x", 0), "");
        assert!(columns(&Label::new(&"x".repeat(10_000))) <= COLUMNS_MAX);
    }

    #[test]
    fn instants_are_rounded_as_everywhere_else() {
        let told = [
            (31_240_000_000, "31.240"),
            (31_240_499_999, "31.240"),
            (31_240_500_000, "31.241"),
            (59_999_600_000, "1:00.000"),
            (3_599_999_999_999, "1:00:00.000"),
            (3_691_500_000_000, "1:01:31.500"),
        ];
        for (ns, text) in told {
            assert_eq!(clock(ns), text);
            // Pages write instants below a minute as seconds with three decimals.
            if ns < 31_500_000_000 {
                assert_eq!(clock(ns), format!("{:.3}", ns as f64 / 1e9));
            }
        }
    }

    #[test]
    fn lengths_and_shares_are_those_of_pages() {
        assert_eq!(span(1_237_000), "1.24 ms");
        assert_eq!(span(999_600), "1.00 ms");
        assert_eq!(span(0), "0 ms");
        assert_eq!(span(750_000_000_000), "12.5 min");
        assert_eq!(percent(0.0), "0%");
        assert_eq!(percent(0.000_01), "<0.01%");
        assert_eq!(percent(0.001_26), "0.13%");
        assert_eq!(percent(0.5), "50%");
        assert_eq!(percent(0.123_46), "12.3%");
        assert_eq!(percent(1.0), "100%");
    }

    proptest! {
        #[test]
        fn nothing_is_obeyed_and_nothing_is_longer(text: String, width in 0usize..40) {
            let fitted = fit(&text, width);
            prop_assert!(columns(&fitted) <= width);
            let commands = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            let obeyed = fitted.chars().any(commands);
            prop_assert!(!obeyed);
            prop_assert_eq!(columns(&pad(&text, width)), width);
        }
    }
}
