//! A drawing with what belongs to it, as one SVG file: title, how to read it, the drawing, its key, and below, smaller,
//! the note on all drawings of its kind and what the page is of, so that a picture pasted somewhere still says which run it shows.
//!
//! SVG does not break lines. So every word is measured, by laying it out once beside the others, and the lines are
//! broken here.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};
use resvg::usvg::Tree;

use super::cut::{Drawing, Part};
use super::{NotDrawn, read};
use crate::summary::paint::shorten;

/// Free space at every side, in units of the drawing.
const MARGIN: f32 = 16.0;
/// Text gets at least this width, however narrow the drawing is.
const WIDTH_MIN: f32 = 420.0;
/// From one line to the next.
const LINE: f32 = 17.0;
/// Between two words, and between two entries of a key.
const SPACE: f32 = 3.6;
const ENTRIES: f32 = 16.0;
/// A side of the square in a key, and what follows it.
const SQUARE: f32 = 10.0;
const SQUARE_STEP: f32 = 12.0;
/// Characters of a word or a name, of a title or an entry of a key, and of what the page is called, that are shown.
const WORD_MAX: usize = 48;
const ENTRY_MAX: usize = 64;
const PAGE_MAX: usize = 160;

/// The file of `drawing` from a page called `page`, under the rules of `style`.
pub(super) fn sheet(drawing: &Drawing<'_>, page: &str, style: &str) -> Result<String, NotDrawn> {
    let page = &shorten(page, PAGE_MAX);
    let words = Words::measured(drawing, page, style)?;
    let [left, top, width, height] = drawing.view;
    let mut sheet = Sheet {
        words: &words,
        right: MARGIN + width.max(WIDTH_MIN),
        y: MARGIN,
        out: String::new(),
    };
    sheet.head(drawing);
    let mut inside = drawing.inside.to_owned();
    for class in drawing.around.iter().rev() {
        inside = format!("<g class=\"{class}\">{inside}</g>");
    }
    let _ = write!(
        sheet.out,
        "<g transform=\"translate({} {})\">{inside}</g>",
        MARGIN - left,
        sheet.y - top,
    );
    sheet.y += height + 2.0;
    sheet.key(drawing);
    sheet.y += 4.0;
    sheet.paragraph("sheet-foot", &drawing.note);
    sheet.paragraph("sheet-foot", page);
    let (width, height) = (sheet.right + MARGIN, sheet.y + MARGIN - 6.0);
    let (width, height) = (width.ceil(), height.ceil());
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
         <style>{style}</style><rect class=\"sheet\" width=\"{width}\" height=\"{height}\"/>{}</svg>",
        sheet.out
    ))
}

/// A sheet in the making.
struct Sheet<'a> {
    words: &'a Words,
    /// Where lines end.
    right: f32,
    /// Where the last line stands, or the last thing ends.
    y: f32,
    out: String,
}

impl Sheet<'_> {
    fn line(&mut self) {
        self.y += LINE;
    }

    fn text(&mut self, class: &str, x: f32, text: &str) {
        let y = self.y;
        let text: Markup = html! { text class=(class) x=(x) y=(y) { (text) } };
        self.out.push_str(&text.0);
    }

    /// Title, whose drawing it is, and how to read it.
    fn head(&mut self, drawing: &Drawing<'_>) {
        self.y -= 3.0;
        self.line();
        let title = title(drawing);
        self.text("sheet-title", MARGIN, &title);
        let of = of(drawing);
        if !of.is_empty() {
            let x = MARGIN + self.words.of("sheet-title", &title) + 2.0 * SPACE;
            let fits = x + self.words.of("sheet-of", &of) <= self.right;
            if !fits {
                self.line();
            }
            self.text("sheet-of", if fits { x } else { MARGIN }, &of);
        }
        self.paragraph("sheet-about", &drawing.about);
        self.y += 10.0;
    }

    /// As many words in a line as fit.
    fn paragraph(&mut self, class: &'static str, text: &str) {
        let mut line = String::new();
        let mut x = MARGIN;
        for word in words(text) {
            let width = self.words.of(class, &word);
            if x + width > self.right && !line.is_empty() {
                self.line();
                self.text(class, MARGIN, &std::mem::take(&mut line));
                x = MARGIN;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
            x += width + SPACE;
        }
        if !line.is_empty() {
            self.line();
            self.text(class, MARGIN, &line);
        }
    }

    /// The key, as many entries in a line as fit.
    fn key(&mut self, drawing: &Drawing<'_>) {
        let mut x = MARGIN;
        for (i, entry) in drawing.key.iter().enumerate() {
            let width: f32 = entry.iter().map(|part| self.width(part)).sum();
            if i == 0 || x + width > self.right {
                self.line();
                x = MARGIN;
            }
            // Words that begin an entry stand at its edge, others a little away from the square before.
            if matches!(entry.first(), Some(Part::Words(_))) {
                x -= SPACE;
            }
            for part in entry {
                self.part(part, x);
                x += self.width(part);
            }
            x += ENTRIES;
        }
    }

    fn width(&self, part: &Part<'_>) -> f32 {
        match part {
            Part::Ink(_) => SQUARE_STEP,
            Part::Words(_) => self.words.of("sheet-key", &entry(part)) + 2.0 * SPACE,
        }
    }

    fn part(&mut self, part: &Part<'_>, x: f32) {
        let y = self.y;
        match part {
            Part::Ink(class) if class.ends_with(" reference") => {
                let d = format!("M{x} {}h{SQUARE}", y - 4.0);
                let line: Markup = html! { path class="l reference" d=(d) {} };
                self.out.push_str(&line.0);
            }
            Part::Ink(class) => {
                // Classes are attributes of the page: escaped.
                let class = PreEscaped(class);
                let square: Markup = html! { rect class=(class) x=(x) y=(y - 9.0) width=(SQUARE) height=(SQUARE) rx="2" {} };
                self.out.push_str(&square.0);
            }
            Part::Words(_) => self.text("sheet-key", x + SPACE, &entry(part)),
        }
    }
}

fn of(drawing: &Drawing<'_>) -> String {
    let names = drawing.of.iter().map(|name| shorten(name, WORD_MAX));
    names.collect::<Vec<_>>().join(" · ")
}

fn title(drawing: &Drawing<'_>) -> String {
    shorten(&drawing.title, ENTRY_MAX)
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(|word| shorten(word, WORD_MAX))
}

fn entry(part: &Part<'_>) -> String {
    shorten(part.words().unwrap_or_default(), ENTRY_MAX)
}

/// How wide words are.
struct Words(std::collections::BTreeMap<(&'static str, String), f32>);

impl Words {
    /// The words around `drawing`, laid out as they will be.
    fn measured(drawing: &Drawing<'_>, page: &str, style: &str) -> Result<Self, NotDrawn> {
        let mut all = vec![("sheet-title", title(drawing)), ("sheet-of", of(drawing))];
        all.extend(words(&drawing.about).map(|word| ("sheet-about", word)));
        for foot in [&drawing.note, page] {
            all.extend(words(foot).map(|word| ("sheet-foot", word)));
        }
        let parts = drawing.key.iter().flatten();
        all.extend(parts.map(|part| ("sheet-key", entry(part))));
        let texts: Markup = html! {
            @for (i, (class, word)) in all.iter().enumerate() {
                text id=(format!("w{i}")) class=(class) { (word) }
            }
        };
        let (start, end) = ("<svg xmlns=\"http://www.w3.org/2000/svg\"", "</svg>");
        let tree = read(&format!(
            "{start} width=\"1\" height=\"1\"><style>{style}</style>{}{end}",
            texts.0
        ))?;
        let width = |i: usize| width(&tree, &format!("w{i}"));
        let all = all.into_iter().enumerate();
        Ok(Self(all.map(|(i, word)| (word, width(i))).collect()))
    }

    fn of(&self, class: &'static str, word: &str) -> f32 {
        self.0
            .get(&(class, word.to_owned()))
            .copied()
            .unwrap_or_default()
    }
}

fn width(tree: &Tree, id: &str) -> f32 {
    let node = tree.node_by_id(id);
    node.map_or(0.0, |node| node.abs_bounding_box().width())
}
