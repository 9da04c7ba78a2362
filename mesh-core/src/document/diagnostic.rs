//! A problem in somebody's file, shown where it is.
//!
//! A message says what is wrong; the snippet says where; the label at the
//! snippet says what is wrong there; help says what to do.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};

use super::{Mark, Source, Span};
use crate::policy::Position;

/// Lines longer than this are not shown, only named.
const LINE_BYTES_MAX: usize = 16 << 10;

/// Two places of one file this close, in lines, are shown in one snippet.
const LINES_TOGETHER_MAX: u32 = 200;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It goes on, but look at it.
    Warning,
    /// It stops here.
    Error,
}

/// A problem in somebody's file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    /// The first is the primary one.
    places: Vec<Place>,
    footers: Vec<(Footer, String)>,
}

#[derive(Clone, Debug)]
struct Place {
    source: Source,
    span: Span,
    label: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Footer {
    Note,
    Help,
}

impl Diagnostic {
    /// An error. The message begins in lower case and has no full stop.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message.into())
    }

    /// A warning.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message.into())
    }

    fn new(severity: Severity, message: String) -> Self {
        Self {
            severity,
            message,
            places: Vec::new(),
            footers: Vec::new(),
        }
    }

    /// Points at the text to blame. The first place is the primary one.
    #[must_use]
    pub fn at(mut self, source: &Source, span: Span) -> Self {
        self.places.push(Place {
            source: source.clone(),
            span,
            label: None,
        });
        self
    }

    /// Points at the value that begins at a position of `source`.
    #[must_use]
    pub fn at_position(self, at: &Position, source: &Source) -> Self {
        let span = span_at(at, &source.text);
        self.at(source, span)
    }

    /// Labels the place added last.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(place) = self.places.last_mut() {
            place.label = Some(text.into());
        }
        self
    }

    /// Points at another place that belongs to the problem.
    #[must_use]
    pub fn also(self, source: &Source, span: Span, label: impl Into<String>) -> Self {
        self.at(source, span).label(label)
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.footers.push((Footer::Help, text.into()));
        self
    }

    /// Says what else is worth knowing.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.footers.push((Footer::Note, text.into()));
        self
    }

    /// "did you mean `x`?", when a known name is close to the wanted one.
    #[must_use]
    pub fn did_you_mean<'a>(self, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match super::nearest(wanted, known) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What help and notes say, one per line.
    #[cfg(test)]
    pub(super) fn help_text(&self) -> String {
        let lines: Vec<&str> = self.footers.iter().map(|(_, text)| text.as_str()).collect();
        lines.join("\n")
    }

    /// Where the primary place begins.
    pub fn position(&self) -> Option<Position> {
        self.places
            .first()
            .map(|place| place.source.position(place.span.start))
    }

    /// The whole of it, with snippets, for a terminal or a log; ends without a line break.
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group: Group<'_> =
            Group::with_title(level.primary_title(normalize_untrusted_str(&self.message)));
        for together in self.snippets() {
            group = match window(&together) {
                Some(window) => group.element(snippet(&together, window)),
                None => group.elements(together.iter().map(|(_, place)| {
                    Origin::path(place.source.name.to_string())
                        .line(place.span.start.line as usize)
                        .char_column(place.span.start.column as usize)
                })),
            };
        }
        for (kind, text) in &self.footers {
            let level = match kind {
                Footer::Note => Level::NOTE,
                Footer::Help => Level::HELP,
            };
            group = group.element(level.message(normalize_untrusted_str(text)));
        }
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group])
    }

    /// Places grouped into snippets, the primary one first.
    fn snippets(&self) -> Vec<Vec<(usize, &Place)>> {
        let mut groups: Vec<Vec<(usize, &Place)>> = Vec::new();
        for (index, place) in self.places.iter().enumerate() {
            let near = |(_, other): &(usize, &Place)| {
                other.source.name == place.source.name
                    && other.span.start.line.abs_diff(place.span.start.line) <= LINES_TOGETHER_MAX
            };
            match groups.iter_mut().find(|group| group.iter().all(near)) {
                Some(group) => group.push((index, place)),
                None => groups.push(vec![(index, place)]),
            }
        }
        groups
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position() {
            Some(at) => write!(f, "{at}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// The text of whole lines around some places.
struct Window<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
}

/// The lines from the first to the last place; `None` when they are too long to show.
fn window<'a>(places: &[(usize, &'a Place)]) -> Option<Window<'a>> {
    let (_, first) = places.iter().min_by_key(|(_, place)| place.span.start)?;
    let (_, last) = places.iter().max_by_key(|(_, place)| place.span.start)?;
    let text: &str = &first.source.text;
    let start = line_start(text, first.span.start.offset);
    let end = line_end(text, last.span.start.offset).max(start);
    let window = &text[start..end];
    let fits = window.split('\n').all(|line| line.len() <= LINE_BYTES_MAX);
    fits.then_some(Window {
        text: window,
        offset: start,
        line: first.span.start.line,
    })
}

fn snippet<'a>(
    places: &[(usize, &'a Place)],
    window: Window<'a>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let annotations = places.iter().map(|(index, place)| {
        let kind = if *index == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        kind.span(within(place.span, &window))
            .label(place.label.as_deref())
    });
    let path = places
        .first()
        .map(|(_, place)| place.source.name.to_string());
    Snippet::source(window.text)
        .line_start(window.line as usize)
        .path(path)
        .annotations(annotations)
}

/// The part of a span on its first line, as bytes of the window.
fn within(span: Span, window: &Window<'_>) -> Range<usize> {
    let text = window.text;
    let start = floor_boundary(text, span.start.offset.saturating_sub(window.offset));
    let line_end = line_end(text, start);
    let mut end = floor_boundary(text, span.end.offset.saturating_sub(window.offset));
    if end > line_end {
        end = start + text[start..line_end].trim_end().len();
    }
    start..end.max(start)
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

fn line_start(text: &str, offset: usize) -> usize {
    let offset = floor_boundary(text, offset);
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

fn line_end(text: &str, offset: usize) -> usize {
    let offset = floor_boundary(text, offset);
    text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at)
}

/// The stretch of the scalar or bracket that begins at a position, on its line.
fn span_at(at: &Position, text: &str) -> Span {
    let lines_before = at.line.saturating_sub(1) as usize;
    let line_offset = if lines_before == 0 {
        0
    } else {
        text.match_indices('\n')
            .nth(lines_before - 1)
            .map_or(text.len(), |(at, _)| at + 1)
    };
    let line = &text[line_offset..line_end(text, line_offset)];
    let column = at.column.saturating_sub(1) as usize;
    let from = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(offset, _)| offset);
    let token = token(&line[from..]);
    let start = Mark {
        offset: line_offset + from,
        line: at.line,
        column: at.column,
    };
    let end = Mark {
        offset: start.offset + token.len(),
        line: at.line,
        column: at.column + token.chars().count() as u32,
    };
    Span { start, end }
}

/// The YAML token at the beginning of `rest`: a quoted text, a bracket with its inside, or plain text.
fn token(rest: &str) -> &str {
    if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let end = rest[1..].find(quote).map_or(rest.len(), |at| at + 2);
        return &rest[..end];
    }
    let mut open = 0usize;
    let mut before = ' ';
    let mut end = rest.len();
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' if open > 0 => {
                open -= 1;
                if open == 0 && rest.starts_with(['[', '{']) {
                    end = at + 1;
                    break;
                }
            }
            ',' | ']' | '}' if open == 0 => {
                end = at;
                break;
            }
            ':' if open == 0 && next.is_none_or(char::is_whitespace) => {
                end = at;
                break;
            }
            '#' if before.is_whitespace() && at > 0 => {
                end = at;
                break;
            }
            _ => {}
        }
        before = c;
    }
    rest[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn at(line: u32, column: u32) -> Position {
        Position {
            file: Arc::from("t.yaml"),
            line,
            column,
        }
    }

    #[test]
    fn a_diagnostic_shows_its_places_and_its_help() {
        let source = Source::new("t.yaml", "a: 1\nb:\n  rate: 5 # five\n  rate: 6\n");
        let shown = Diagnostic::error("the key `rate` is given twice")
            .at_position(&at(4, 3), &source)
            .label("again here")
            .at_position(&at(3, 3), &source)
            .label("first here")
            .help("remove one")
            .render(false);
        insta::assert_snapshot!(shown, @r"
        error: the key `rate` is given twice
         --> t.yaml:4:3
          |
        3 |   rate: 5 # five
          |   ---- first here
        4 |   rate: 6
          |   ^^^^ again here
          |
          = help: remove one
        ");
    }

    #[test]
    fn a_token_ends_where_a_reader_would_end_it() {
        assert_eq!(token("uniform(1ms, 3ms), b: c"), "uniform(1ms, 3ms)");
        assert_eq!(token("\"a, b\": c"), "\"a, b\"");
        assert_eq!(token("http://a:80/b # c"), "http://a:80/b");
        assert_eq!(token("[a, {b: c}], d"), "[a, {b: c}]");
        assert_eq!(token("key: value"), "key");
        assert_eq!(token("1ms }"), "1ms");
    }

    #[test]
    fn a_place_outside_the_text_is_survived() {
        let source = Source::new("t", "é");
        for (line, column) in [(0, 0), (9, 9), (1, 2), (u32::MAX, u32::MAX - 1)] {
            let diagnostic = Diagnostic::error("x").at_position(&at(line, column), &source);
            assert!(diagnostic.render(true).contains('x'));
        }
    }

    #[test]
    fn a_very_long_line_is_named_and_not_shown() {
        let source = Source::new("t", &"x".repeat(LINE_BYTES_MAX + 1));
        let shown = Diagnostic::error("long")
            .at(&source, Span::default())
            .render(false);
        assert!(shown.contains("t:1:1"), "{shown}");
        assert!(shown.len() < 200);
    }
}
