//! The page that everything stands on.
//!
//! One file: style and script are inside, nothing is fetched, and the Content-Security-Policy (W3C CSP 3) makes the
//! browser hold us to it: no address is allowed at all, and of scripts only ours, by its hash. So a name that should
//! get past the escaping could still not run. Styles need `'unsafe-inline'` for none of our own elements' attributes,
//! but for browsers that put their own into the page, such as when printing.
//!
//! Without its script the page is complete; the script adds the numbers of an instant under the pointer, the filter of
//! requests and the button that copies.

use std::borrow::Cow;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::text;

const STYLE: &str = concat!(include_str!("page.css"), include_str!("many.css"));
const SCRIPT: &str = include_str!("page.js");
/// The SHA-256 of [`SCRIPT`], in Base64.
const SCRIPT_SHA256: &str = "oh0jQTW6Wg0SMSLmATIiPMo4EUSgDBx6uf4JFhps0bs=";

/// A part of the page under a heading.
pub(crate) struct Section {
    /// Its address in the page.
    pub(crate) id: Cow<'static, str>,
    /// Its heading.
    pub(crate) title: Cow<'static, str>,
    /// What leads to it: the heading, or a word where that is long.
    pub(crate) link: Cow<'static, str>,
    /// What stands under it.
    pub(crate) body: Markup,
}

impl Section {
    /// One with something in it.
    pub(crate) const fn new(id: &'static str, title: &'static str, body: Markup) -> Self {
        Self {
            id: Cow::Borrowed(id),
            title: Cow::Borrowed(title),
            link: Cow::Borrowed(title),
            body,
        }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.0.is_empty()
    }
}

/// A page.
pub(crate) struct Page<'a> {
    /// What the browser calls it.
    pub(crate) title: &'a str,
    /// What stands at its head, with the page's `<h1>`.
    pub(crate) head: Markup,
    /// Its parts; empty ones are left out.
    pub(crate) sections: Vec<Section>,
    /// What stands at its foot.
    pub(crate) foot: Markup,
}

impl Page<'_> {
    /// The whole file.
    pub(crate) fn html(&self) -> String {
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{SCRIPT_SHA256}'; base-uri 'none'; form-action 'none'"
        );
        let sections = || self.sections.iter().filter(|section| !section.is_empty());
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="generator" content=(concat!("meshquake ", env!("CARGO_PKG_VERSION")));
                    title { (text::plain(self.title)) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#main" { "Skip to the report" }
                    header { div.wide { (self.head) } }
                    @if sections().count() > 1 {
                        nav aria-label="Parts of the report" { ul.wide {
                            @for section in sections() {
                                li { a href=(format!("#{}", section.id)) { (text::name(&section.link)) } }
                            }
                        } }
                    }
                    main #main .wide tabindex="-1" {
                        @for section in sections() {
                            section #(section.id) aria-labelledby=(format!("{}-title", section.id)) {
                                h2 id=(format!("{}-title", section.id)) { (text::name(&section.title)) }
                                (section.body)
                            }
                        }
                    }
                    footer { div.wide { (self.foot) } }
                    // What waiting looks like, wherever it is drawn.
                    svg.defs aria-hidden="true" width="0" height="0" focusable="false" { defs {
                        @for ink in [0, 2, 4] {
                            pattern id=(format!("hatch-{ink}")) class=(format!("w{ink}")) width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                                rect.hatch-back width="6" height="6" {}
                                rect.hatch-line width="2.5" height="6" {}
                            }
                        }
                    } }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        text::inert(&page.0)
    }
}

/// A command with the button that copies it, and what stands beside; nothing where there is no command. The button says
/// `copy`, and is there when the script that makes it work is.
pub(crate) fn command(id: &str, command: &str, copy: &str, beside: &Markup) -> Markup {
    html! {
        @if !command.is_empty() {
            div.command {
                pre { code id=(id) { (text::whole(command)) } }
                button type="button" data-copies=(id) hidden { (copy) }
                (beside)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// Base64 (RFC 4648 §4) of what is three bytes and some more.
    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for i in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * i)) as usize & 63];
                out.push(if i <= chunk.len() {
                    letter as char
                } else {
                    '='
                });
            }
        }
        out
    }

    #[test]
    fn the_script_is_the_one_that_is_allowed() {
        assert_eq!(base64(&Sha256::digest(SCRIPT)), SCRIPT_SHA256);
    }

    #[test]
    fn style_and_script_do_not_end_early() {
        for text in [STYLE, SCRIPT] {
            assert!(
                !text.contains("</"),
                "it would end the element it stands in"
            );
            assert_eq!(
                text::inert(text),
                text,
                "nothing in it is changed on the page"
            );
        }
    }
}
