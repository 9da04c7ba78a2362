//! The page's style sheet, for a drawing alone.
//!
//! A page's colours are variables, so that they change with the reader's scheme, and an ink is a variable that a class
//! sets and its descendants use. What reads a drawing alone knows neither. Here the variables of `:root` become their
//! values, those of the first scheme, which is the light one; and an ink becomes the property `color`, which descends
//! just so (CSS Color 4 §4.2: `currentcolor`). All else that says nothing of shapes and letters is left out, with every
//! `@media`: paper, dark and small screens.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::html::palette::Ink;

/// What a drawing understands (SVG 2, "Styling").
const DRAWN: [&str; 13] = [
    "fill",
    "opacity",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-linecap",
    "stroke-linejoin",
    "font",
    "font-size",
    "font-weight",
    "paint-order",
    "text-anchor",
    "font-variant-numeric",
];
/// Variables that a class sets for what is in it.
const INKS: [&str; 2] = ["--ink", "--state"];
/// How the page picks areas, which are the only shapes whose ink begins with this letter.
const AREAS: &str = "[class*=\" a\"]";

/// What only a picture has: the page around its drawings.
const SHEET: &str = "
.sheet { fill: var(--page); }
svg text.sheet-title { font-size: 15px; font-weight: 600; fill: var(--text); }
svg text.sheet-of { font-size: 14px; fill: var(--text); }
svg text.sheet-about { font-size: 12px; }
svg text.sheet-key { font-size: 12.5px; fill: var(--text); }
svg text.sheet-foot { font-size: 11px; }
.key { fill: var(--ink); }
";

/// The rules of `css` that drawings need, without variables.
pub(super) fn of_drawings(css: &str) -> String {
    let css = format!("{}{SHEET}", without_comments(css));
    let rules = rules(&css);
    let mut palette = BTreeMap::new();
    if let Some((_, body)) = rules.iter().find(|(selector, _)| *selector == ":root") {
        palette.extend(declarations(body).filter(|(name, _)| name.starts_with("--")));
    }
    let mut out = String::new();
    for (selectors, body) in rules {
        let body = drawn(body, &palette);
        if body.is_empty() {
            continue;
        }
        for selector in selectors.split(',').map(str::trim) {
            // States of a page in a browser: under the pointer, in focus.
            if selector.contains(':') {
                continue;
            }
            for selector in spelled_out(selector) {
                let _ = writeln!(out, "{selector} {{{body}}}");
            }
        }
    }
    out
}

/// The declarations of `body` that a drawing understands.
fn drawn(body: &str, palette: &BTreeMap<&str, &str>) -> String {
    let mut out = String::new();
    for (name, value) in declarations(body) {
        let name = match name {
            ink if INKS.contains(&ink) => "color",
            name if DRAWN.contains(&name) => name,
            _ => continue,
        };
        if let Some(value) = value_of(value, palette) {
            let _ = write!(out, " {name}: {value};");
        }
    }
    out
}

/// `value` without variables; `None` where one of them has no value, or one that only a browser can work out.
fn value_of(value: &str, palette: &BTreeMap<&str, &str>) -> Option<String> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("var(") {
        let (name, after) = after.split_once(')')?;
        out.push_str(before);
        out.push_str(match INKS.contains(&name) {
            true => "currentColor",
            false => palette.get(name)?,
        });
        rest = after;
    }
    out.push_str(rest);
    (!out.contains("color-mix(")).then_some(out)
}

fn declarations(body: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = body.split(';').filter_map(|pair| pair.split_once(':'));
    pairs.map(|(name, value)| (name.trim(), value.trim()))
}

/// `selector` in the words of CSS 2, which has no way to ask for a part of an attribute.
fn spelled_out(selector: &str) -> Vec<String> {
    if !selector.contains(AREAS) {
        return vec![selector.to_owned()];
    }
    let area = |n| selector.replace(AREAS, &format!(".{}", Ink::Area(n).name()));
    (0..Ink::SERIES).map(area).collect()
}

/// Selectors and bodies of the rules of `css` that are not inside of an `@media`.
fn rules(css: &str) -> Vec<(&str, &str)> {
    let mut all = Vec::new();
    let mut rest = css;
    while let Some((head, after)) = rest.split_once('{') {
        let (head, end) = (head.trim(), block(after));
        if !head.starts_with('@') {
            all.push((head, &after[..end]));
        }
        rest = after.get(end + 1..).unwrap_or_default();
    }
    all
}

/// Where the block that `text` begins in ends.
fn block(text: &str) -> usize {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn without_comments(css: &str) -> String {
    let mut out = String::new();
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(include_str!("../page.css"), include_str!("../many.css"));

    #[test]
    fn nothing_is_left_that_only_a_browser_knows() {
        let style = of_drawings(PAGE);
        for unknown in ["var(", "color-mix(", "--", "@", ":root", "*=", "/*"] {
            assert!(!style.contains(unknown), "{unknown} in {style}");
        }
    }

    #[test]
    fn every_ink_has_its_light_colour() {
        let style = of_drawings(PAGE);
        let light: BTreeMap<&str, &str> = {
            let root = PAGE.split_once('{').unwrap().1;
            declarations(&root[..root.find('}').unwrap()]).collect()
        };
        for n in 0..Ink::SERIES {
            let color = light[format!("--s{n}").as_str()];
            for ink in [Ink::Series(n), Ink::Area(n)] {
                let rule = format!(".{} {{ color: {color};}}", ink.name());
                assert!(style.contains(&rule), "{rule} in {style}");
            }
        }
        assert!(style.contains(".l { fill: none;") && style.contains("stroke: currentColor;"));
        assert!(style.contains(&format!(".f.fault {{ fill: {};", light["--fault"])));
        assert!(
            style.contains(&format!("{{ opacity: {};}}", light["--fill"])),
            "stacks"
        );
    }

    #[test]
    fn media_and_states_are_left_out() {
        let css = ":root { --a: #111; } @media print { :root { --a: #222; } .x { fill: red; } }
            /* .x { fill: blue; } */ .x:hover { fill: green; } .x, .y { margin: 0; fill: var(--a); stroke: var(--b); }";
        let style = of_drawings(css);
        assert!(
            style.starts_with(".x { fill: #111;}\n.y { fill: #111;}\n"),
            "{style}"
        );
        for other in ["red", "blue", "green", "margin", "stroke: var", "#222"] {
            assert!(!style.contains(other), "{other} in {style}");
        }
    }
}
