//! The drawings in a page, and what stands around each.
//!
//! The page is our own and maud has written it: text and attributes hold no `<`, `>` or quotation mark that is not
//! escaped, and every element is closed but those that HTML never closes. So its tags are found without a parser of
//! HTML, and nothing that came from outside can be taken for one.
//!
//! A drawing is an `<svg>` with a `viewBox` and a `<title>`. Bars in the rows of a table are none: they mean nothing
//! without their row; neither is the hidden one with the patterns.

/// A page, taken apart.
#[derive(Debug, Default)]
pub(super) struct Page<'a> {
    /// What the browser calls it.
    title: String,
    /// Its first heading.
    heading: String,
    /// Its style sheet.
    pub(super) style: &'a str,
    /// Its drawings, from the top.
    pub(super) drawings: Vec<Drawing<'a>>,
}

/// A drawing.
#[derive(Debug, Default)]
pub(super) struct Drawing<'a> {
    /// What is in its `<svg>`, as written.
    pub(super) inside: &'a str,
    /// Its `viewBox`.
    pub(super) view: [f32; 4],
    /// Classes of the elements around what is in it, from the outermost: the style sheet goes by them.
    pub(super) around: Vec<&'a str>,
    /// What is shown.
    pub(super) title: String,
    /// How to read it.
    pub(super) about: String,
    /// How to read all drawings of this part of the page.
    pub(super) note: String,
    /// Of which run and which source, where the headings say so.
    pub(super) of: Vec<String>,
    /// The key to its colours.
    pub(super) key: Vec<Entry<'a>>,
}

/// An entry of a key.
pub(super) type Entry<'a> = Vec<Part<'a>>;

/// A part of it.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    /// A square in the ink of these classes.
    Ink(&'a str),
    /// Words beside it.
    Words(String),
}

impl Page<'_> {
    /// What it is of: as the browser calls it, or its heading where that has it in full.
    pub(super) fn of(&self) -> &str {
        if self.title.contains('…') && !self.heading.is_empty() {
            &self.heading
        } else {
            &self.title
        }
    }
}

/// A piece of the page.
enum Piece<'a> {
    Open(&'a str, &'a str),
    Close(&'a str),
    Text(&'a str),
}

/// Elements that HTML never closes (HTML Standard §13.1.2), as far as pages have them.
const VOID: [&str; 6] = ["meta", "link", "input", "br", "hr", "img"];

/// Takes `page` apart.
pub(super) fn page(page: &str) -> Page<'_> {
    let mut reader = Reader::default();
    let mut rest = page;
    while let Some((piece, after)) = next(rest) {
        rest = reader.take(piece, after);
    }
    reader.page
}

/// The first piece of `text`, and what follows.
fn next(text: &str) -> Option<(Piece<'_>, &str)> {
    let Some(tag) = text.strip_prefix('<') else {
        let end = text.find('<').unwrap_or(text.len());
        let (words, after) = text.split_at(end);
        return (!words.is_empty()).then_some((Piece::Text(words), after));
    };
    let (tag, after) = tag.split_once('>')?;
    if let Some(name) = tag.strip_prefix('/') {
        return Some((Piece::Close(name), after));
    }
    let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    Some((Piece::Open(name, attributes), after))
}

/// The value of an attribute, as written.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        let (before, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        // Before it may stand others that have no value.
        if before.rsplit(' ').next() == Some(name) {
            return Some(value);
        }
        rest = after;
    }
}

/// `text` without escapes, as maud writes them.
fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&quot;", "\"").replace("&amp;", "&")
}

/// Where the reader stands.
#[derive(Default)]
struct Reader<'a> {
    page: Page<'a>,
    /// Names and classes of the elements that are open.
    open: Vec<(&'a str, &'a str)>,
    /// The run that this part of the page is of, on a page of several.
    run: Option<String>,
    /// Whom the last heading names.
    of: Vec<String>,
    /// The last note in this part of the page.
    note: String,
    /// The figure that is being read.
    figure: Option<Drawing<'a>>,
    /// Whether the heading that is open is of a run, or of a part of the page, when it is one of those.
    heading: Heading,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Heading {
    #[default]
    Other,
    Run,
    Part,
}

impl<'a> Reader<'a> {
    /// Takes a piece, and says where to read on in `after`.
    fn take(&mut self, piece: Piece<'a>, after: &'a str) -> &'a str {
        match piece {
            Piece::Open("!DOCTYPE", _) => {}
            Piece::Open(raw @ ("style" | "script"), _) => return self.raw(raw, after),
            Piece::Open("svg", attributes) => return self.svg(attributes, after),
            Piece::Open(name, attributes) => self.begin(name, attributes),
            Piece::Close(name) => self.end(name),
            Piece::Text(text) => self.text(text),
        }
        after
    }

    fn raw(&mut self, name: &str, after: &'a str) -> &'a str {
        let end = after.find("</").unwrap_or(after.len());
        if name == "style" {
            self.page.style = &after[..end];
        }
        after[end..].split_once('>').map_or("", |(_, after)| after)
    }

    fn svg(&mut self, attributes: &'a str, after: &'a str) -> &'a str {
        let (inside, after) = after.split_once("</svg>").unwrap_or((after, ""));
        let view = attribute(attributes, "viewBox").and_then(view);
        let (Some(view), Some(title)) = (view, title(inside)) else {
            return after;
        };
        let classes = self.open.iter().map(|(_, class)| *class);
        let own = attribute(attributes, "class").unwrap_or_default();
        let around = classes.chain([own]).filter(|class| !class.is_empty());
        let drawing = Drawing {
            inside,
            view,
            around: around.collect(),
            title,
            note: self.note.trim().to_owned(),
            of: self.run.iter().chain(&self.of).cloned().collect(),
            ..Drawing::default()
        };
        match &mut self.figure {
            Some(figure) => {
                let about = std::mem::take(&mut figure.about);
                *figure = Drawing { about, ..drawing };
            }
            None => self.page.drawings.push(drawing),
        }
        after
    }

    fn begin(&mut self, name: &'a str, attributes: &'a str) {
        let class = attribute(attributes, "class").unwrap_or_default();
        match name {
            "figure" => self.figure = Some(Drawing::default()),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let id = attribute(attributes, "id").unwrap_or_default();
                self.of.clear();
                self.heading = match id {
                    id if id.starts_with("run-") => Heading::Run,
                    "" => Heading::Part,
                    _ => Heading::Other,
                };
                if name <= "h2" {
                    self.run = None;
                }
            }
            "section" | "div" if attribute(attributes, "id").is_some() => self.note.clear(),
            "p" if class == "faint" => self.note.clear(),
            // A key is a list, or a single paragraph.
            "li" | "p" if self.within("legend") || has(class, "legend") => {
                if let Some(figure) = &mut self.figure {
                    figure.key.push(Entry::new());
                }
            }
            "span" if has(class, "key") => self.part(Part::Ink(class)),
            _ => {}
        }
        if !VOID.contains(&name) && !attributes.ends_with('/') {
            self.open.push((name, class));
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "figure" => {
                let figure = self.figure.take().filter(|f| !f.inside.is_empty());
                self.page.drawings.extend(figure);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.heading = Heading::Other,
            _ => {}
        }
        if let Some(at) = self.open.iter().rposition(|(open, _)| *open == name) {
            self.open.truncate(at);
        }
    }

    fn text(&mut self, text: &str) {
        let last = self.open.last().map_or("", |(name, _)| *name);
        if last == "title" {
            self.page.title = plain(text);
        } else if self.open.iter().any(|(name, _)| *name == "h1") {
            self.page.heading.push_str(&plain(text));
        } else if last == "bdi" && self.heading == Heading::Run {
            self.run = Some(plain(text));
        } else if last == "bdi" && self.heading == Heading::Part {
            self.of.push(plain(text));
        } else if self.within("how") {
            if let Some(figure) = &mut self.figure {
                figure.about.push_str(&plain(text));
            }
        } else if self.open.contains(&("p", "faint")) {
            self.note.push_str(&plain(text));
        } else if self.within("legend") {
            self.part(Part::Words(plain(text)));
        }
    }

    /// Adds to the entry of the key that is being read.
    fn part(&mut self, part: Part<'a>) {
        if let Some(entry) = self.figure.as_mut().and_then(|f| f.key.last_mut()) {
            entry.push(part);
        }
    }

    fn within(&self, class: &str) -> bool {
        self.open.iter().any(|(_, classes)| has(classes, class))
    }
}

impl Part<'_> {
    /// The words, if it is any.
    pub(super) fn words(&self) -> Option<&str> {
        match self {
            Self::Words(words) => Some(words.trim()),
            Self::Ink(_) => None,
        }
    }
}

fn has(classes: &str, class: &str) -> bool {
    classes.split_whitespace().any(|one| one == class)
}

fn view(value: &str) -> Option<[f32; 4]> {
    let numbers: Result<Vec<f32>, _> = value.split(' ').map(str::parse).collect();
    let view: [f32; 4] = numbers.ok()?.try_into().ok()?;
    (view[2] > 0.0 && view[3] > 0.0).then_some(view)
}

/// What a drawing calls itself.
fn title(inside: &str) -> Option<String> {
    let (_, title) = inside.strip_prefix("<title")?.split_once('>')?;
    Some(plain(title.split_once('<')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>Held: a &amp; b</title>\
        <style>.x { fill: red; }</style></head><body><main class=\"wide\" id=\"main\">\
        <h1>All <bdi>runs</bdi></h1>\
        <h2 id=\"run-1-title\"><bdi>one</bdi></h2><div id=\"r1-course\"><h3>Over time</h3><p class=\"faint\">Of <bdi>A</bdi>.</p><h4>What <bdi>a &lt;svg&gt;</bdi> saw</h4>\
        <div class=\"charts versus\"><figure class=\"chart\" id=\"f\"><figcaption><span class=\"what\"><bdi>Load</bdi></span>\
        <span class=\"how\"><bdi>How to read it.</bdi></span></figcaption>\
        <svg viewBox=\"0 0 560 232\" class=\"stack\"><title id=\"t\">Load</title><path class=\"l s0\" d=\"M0 0\"/></svg>\
        <ul class=\"legend\"><li><span class=\"key a0\"></span><bdi>one &amp; two</bdi></li><li><span class=\"key a1\"></span>three</li></ul>\
        </figure></div><table><tr><td><svg class=\"bar\"><rect></rect></svg></td></tr></table></div>\
        <div id=\"r1-graph\"><h3>Who called whom</h3><div class=\"scroll graph\"><svg viewBox=\"0 0 10 20\" width=\"10\"><title>Call graph</title></svg></div></div>\
        <svg class=\"defs\"><defs></defs></svg><script>if (a < b) {}</script></main></body></html>";

    #[test]
    fn drawings_are_cut_out_with_what_stands_around() {
        let page = page(PAGE);
        assert_eq!(
            (page.of(), page.heading.as_str()),
            ("Held: a & b", "All runs")
        );
        assert_eq!(page.style, ".x { fill: red; }");
        let [load, graph] = page.drawings.as_slice() else {
            panic!("{:?}", page.drawings)
        };
        assert_eq!(load.title, "Load");
        assert_eq!(load.about, "How to read it.");
        assert_eq!((load.note.as_str(), graph.note.as_str()), ("Of A.", ""));
        assert_eq!(load.of, ["one", "a <svg>"]);
        assert_eq!(load.view, [0.0, 0.0, 560.0, 232.0]);
        assert_eq!(load.around, ["wide", "charts versus", "chart", "stack"]);
        assert!(load.inside.ends_with("<path class=\"l s0\" d=\"M0 0\"/>"));
        let words = |text: &str| Part::Words(text.into());
        assert_eq!(
            load.key,
            [
                vec![Part::Ink("key a0"), words("one & two")],
                vec![Part::Ink("key a1"), words("three")]
            ]
        );
        assert_eq!((graph.title.as_str(), graph.view[3]), ("Call graph", 20.0));
        assert_eq!(graph.around, ["wide", "scroll graph"]);
        assert_eq!(graph.of, ["one"]);
    }

    #[test]
    fn attributes_are_found_by_their_whole_name() {
        let attributes = "data-id=\"x\" hidden id=\"y\" title=\"\"";
        assert_eq!(attribute(attributes, "id"), Some("y"));
        assert_eq!(attribute(attributes, "title"), Some(""));
        assert_eq!(attribute(attributes, "class"), None);
    }

    #[test]
    fn what_is_no_page_has_no_drawings() {
        for text in [
            "",
            "<",
            "<svg",
            "<svg viewBox=\"0 0 0 0\">",
            "</p>",
            "<style>",
            "text",
        ] {
            assert!(page(text).drawings.is_empty(), "{text}");
        }
    }
}
