//! Tables.

use maud::{Markup, PreEscaped, html};

use super::text;

/// What the cells of a column are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    /// The name of the row.
    Head,
    /// Short text, in one line.
    Text,
    /// Sentences, which wrap.
    Words,
    Number,
}

/// A table: columns first, then rows with a cell for each of them.
pub(crate) struct Table {
    caption: String,
    columns: Vec<(Column, String)>,
    rows: Vec<(&'static str, Vec<Markup>)>,
}

/// What becomes a cell.
pub(crate) trait Cell {
    /// As markup.
    fn cell(self) -> Markup;
}

impl Cell for Markup {
    fn cell(self) -> Markup {
        self
    }
}

/// Words of our own, short.
impl Cell for String {
    fn cell(self) -> Markup {
        html! { (self) }
    }
}

impl Table {
    /// An empty one.
    pub(crate) fn new(caption: &str) -> Self {
        Self {
            caption: caption.to_owned(),
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn column(mut self, kind: Column, title: &str) -> Self {
        self.columns.push((kind, title.to_owned()));
        self
    }

    /// With a column of the rows' names.
    pub(crate) fn head(self, title: &str) -> Self {
        self.column(Column::Head, title)
    }

    /// With a column of text.
    pub(crate) fn text(self, title: &str) -> Self {
        self.column(Column::Text, title)
    }

    /// With a column of sentences.
    pub(crate) fn words(self, title: &str) -> Self {
        self.column(Column::Words, title)
    }

    /// With a column of numbers.
    pub(crate) fn number(self, title: &str) -> Self {
        self.column(Column::Number, title)
    }

    /// Adds a row.
    pub(crate) fn row<C: Cell>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.row_of("", cells);
    }

    /// Adds a row of a class.
    pub(crate) fn row_of<C: Cell>(
        &mut self,
        class: &'static str,
        cells: impl IntoIterator<Item = C>,
    ) {
        self.rows
            .push((class, cells.into_iter().map(Cell::cell).collect()));
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// In a frame that scrolls when it is narrower than the table.
    pub(crate) fn scrolled(&self) -> Markup {
        html! {
            div.scroll tabindex="0" role="group" aria-label=(text::plain(&self.caption)) { (self.markup()) }
        }
    }

    fn markup(&self) -> Markup {
        html! {
            table class=[self.of_numbers().then_some("nn")] {
                caption { (text::said(&self.caption)) }
                thead { tr {
                    @for (kind, title) in &self.columns {
                        th scope="col" class=[(*kind == Column::Number && !self.of_numbers()).then_some("n")] {
                            (text::name(title))
                        }
                    }
                } }
                tbody { (self.body()) }
            }
        }
    }

    /// Whether all cells but the rows' names are numbers: said once, and not for each of ten thousand cells.
    fn of_numbers(&self) -> bool {
        let Some(((head, _), rest)) = self.columns.split_first() else {
            return false;
        };
        *head == Column::Head && rest.iter().all(|(kind, _)| *kind == Column::Number)
    }

    /// Written by hand: half of a page are cells.
    fn body(&self) -> Markup {
        let mut out = String::new();
        let of_numbers = self.of_numbers();
        for (class, cells) in &self.rows {
            match *class {
                "" => out.push_str("<tr>"),
                class => {
                    out.push_str("<tr class=\"");
                    out.push_str(class);
                    out.push_str("\">");
                }
            }
            for (PreEscaped(cell), (kind, _)) in cells.iter().zip(&self.columns) {
                let (open, close) = match kind {
                    // A row that goes on with the one above has no name of its own.
                    Column::Head if cell.is_empty() => ("<td>", "</td>"),
                    Column::Head => ("<th scope=\"row\">", "</th>"),
                    Column::Text => ("<td>", "</td>"),
                    Column::Words => ("<td class=\"w\">", "</td>"),
                    Column::Number if of_numbers => ("<td>", "</td>"),
                    Column::Number => ("<td class=\"n\">", "</td>"),
                };
                out.push_str(open);
                out.push_str(cell);
                out.push_str(close);
            }
            out.push_str("</tr>\n");
        }
        PreEscaped(out)
    }
}
