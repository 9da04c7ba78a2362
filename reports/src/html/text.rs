//! Text from outside.
//!
//! Names come from scenario files, mesh configuration and answers, and may be anything. Three things keep them inert:
//!
//! 1. maud escapes whatever is put into markup, in text and in attributes alike; there is no other way to put it there.
//! 2. [`inert`] goes over the finished page and makes visible every character that is an order and not a letter:
//!    controls, which a terminal or a parser obeys, and Unicode's bidirectional controls, with which text shows in
//!    another order than it has (CVE-2021-42574, "Trojan Source"). The page itself uses none of them, so there is no
//!    place where one could be overlooked.
//! 3. Every name stands in a `<bdi>`, so that right-to-left letters, which are letters and stay, do not reorder what
//!    stands beside them (HTML Standard §4.5.24).
//!
//! Of a long name both ends are shown, where names differ, and a bounded part of it when pointed at.

use std::fmt::Write;

use maud::{Markup, html};

use crate::summary::paint::shorten;

/// Characters of a name that are shown.
const NAME_MAX: usize = 48;
/// Characters of a path that are shown: it is read to be opened.
const PLACE_MAX: usize = 160;
/// Characters of a sentence that are shown.
const SAID_MAX: usize = 600;
/// Characters of either that are shown when pointed at.
const WHOLE_MAX: usize = 1_000;

/// A name.
pub(crate) fn name(text: &str) -> Markup {
    bounded(text, NAME_MAX)
}

/// A path where it is what a row is of: whole, unless it is very long.
pub(crate) fn path(text: &str) -> Markup {
    bounded(text, PLACE_MAX)
}

/// A sentence, or a value in words.
pub(crate) fn said(text: &str) -> Markup {
    bounded(text, SAID_MAX)
}

/// A name where there can be no elements: in titles and attributes.
pub(crate) fn plain(text: &str) -> String {
    shorten(&head(text), NAME_MAX)
}

/// A sentence where there can be no elements.
pub(crate) fn description(text: &str) -> String {
    shorten(&head(text), SAID_MAX)
}

/// Where something is written; nothing when that is not known.
pub(crate) fn place(place: &str) -> Markup {
    html! { @if !place.is_empty() { span.place { code { (bounded(place, PLACE_MAX)) } } } }
}

/// A command, whole: half of one does something else.
pub(crate) fn whole(text: &str) -> Markup {
    html! { bdi { (head(text)) } }
}

fn bounded(text: &str, most: usize) -> Markup {
    if text.chars().nth(most).is_none() {
        return html! { bdi { (text) } };
    }
    html! { bdi title=(shorten(text, WHOLE_MAX)) { (shorten(text, most)) } }
}

/// `shorten` looks at every character; a name of megabytes is cut first.
fn head(text: &str) -> String {
    text.chars().take(64 * 1024).collect()
}

/// Whether `c` changes the direction or the order of the text around it (Unicode Standard Annex 9, §2), or ends a line
/// where none is seen to end.
const fn is_order(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Whether HTML has no such character (HTML Standard §13.2.3.5), controls apart.
const fn is_none(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32) & 0xfffe == 0xfffe
}

/// `page` with every character that is an order made visible.
pub(crate) fn inert(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    for c in page.chars() {
        match c {
            '\n' => out.push(c),
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('\u{2421}'),
            c if c.is_control() || is_order(c) => {
                let _ = write!(out, "⟨U+{:04X}⟩", c as u32);
            }
            c if is_none(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn orders_are_made_visible() {
        let told = [
            ("a\u{1b}[31mb", "a␛[31mb"),
            ("evil\u{202e}gnp.exe", "evil⟨U+202E⟩gnp.exe"),
            ("\u{9b}2J\u{7f}\r\n", "⟨U+009B⟩2J␡␍\n"),
            ("שלום 👩‍🚀", "שלום 👩‍🚀"),
            ("\u{fdd0}\u{1ffff}", "\u{fffd}\u{fffd}"),
        ];
        for (text, shown) in told {
            assert_eq!(inert(text), shown);
        }
    }

    #[test]
    fn long_names_are_shown_by_their_ends() {
        let long = format!("{}{}", "a".repeat(9_000), "z".repeat(9_000));
        let shown = name(&long).into_string();
        assert!(shown.len() < 1_200, "{}", shown.len());
        assert!(shown.starts_with("<bdi title=\"aaa") && shown.ends_with("zzz</bdi>"));
        assert_eq!(name("short").into_string(), "<bdi>short</bdi>");
    }

    proptest! {
        #[test]
        fn nothing_gets_out_of_its_place(text in any::<String>()) {
            let page = inert(&html! { p title=(text) { (name(&text)) (said(&text)) } }.into_string());
            prop_assert_eq!(page.matches('<').count(), 6, "only our own tags: {}", page);
            let c = |c: char| c == '\n' || !(c.is_control() || is_order(c) || is_none(c));
            prop_assert!(page.chars().all(c));
        }
    }
}
