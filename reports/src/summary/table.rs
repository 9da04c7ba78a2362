//! Tables that fit: when a line is too long, the least important columns go
//! first, then the widest names are shortened. Spare columns that say nothing
//! in any row are left out at any width.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table as Grid, presets};

use super::paint::{Tone, shorten, width};

/// Spaces left of every line.
const INDENT: usize = 2;
/// Spaces between columns.
const GAP: u16 = 2;
/// Names are not shortened below this.
const NAME_MIN: usize = 12;

/// A cell that says nothing.
pub(crate) const NOTHING: &str = "–";

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Words, flush left; shortened when the line is too long.
    Name,
    /// Words, flush left, never shortened.
    Text,
    /// Numbers, flush right.
    Number,
}

/// A column.
#[derive(Clone, Debug)]
struct Column {
    title: String,
    kind: Kind,
    /// 0 stays; the highest goes first.
    spare: u8,
}

/// A table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a column that always stays.
    pub(crate) fn column(self, title: impl Into<String>, kind: Kind) -> Self {
        self.spare(title, kind, 0)
    }

    /// Adds a column that may go; those with the highest `spare` go first.
    pub(crate) fn spare(mut self, title: impl Into<String>, kind: Kind, spare: u8) -> Self {
        let title = title.into();
        self.columns.push(Column { title, kind, spare });
        self
    }

    /// Adds a row: one cell per column. Cells of a [`Kind::Name`] column carry no marks.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, each at most `columns` wide if that is possible at all.
    pub(crate) fn lines(mut self, columns: usize) -> Vec<String> {
        self.drop_idle();
        while self.width() > columns && self.drop_one() {}
        self.shorten_names(self.width().saturating_sub(columns));
        self.set()
    }

    fn column_width(&self, index: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(index));
        let widest = cells.map(|cell| width(cell)).max().unwrap_or(0);
        widest.max(self.columns[index].title.chars().count())
    }

    fn width(&self) -> usize {
        let gaps = usize::from(GAP) * self.columns.len().saturating_sub(1);
        let cells: usize = (0..self.columns.len()).map(|i| self.column_width(i)).sum();
        INDENT + gaps + cells
    }

    /// Drops the columns that may go and say nothing.
    fn drop_idle(&mut self) {
        for index in (0..self.columns.len()).rev() {
            let idle = self.rows.iter().all(|row| row[index] == NOTHING);
            if idle && self.columns[index].spare > 0 {
                self.remove(index);
            }
        }
    }

    fn drop_one(&mut self) -> bool {
        let spares = self.columns.iter().enumerate();
        let Some((index, _)) = spares
            .filter(|(_, column)| column.spare > 0)
            .max_by_key(|(_, column)| column.spare)
        else {
            return false;
        };
        self.remove(index);
        true
    }

    fn remove(&mut self, index: usize) {
        self.columns.remove(index);
        for row in &mut self.rows {
            row.remove(index);
        }
    }

    /// Takes `excess` columns from names, one after the other from the widest.
    fn shorten_names(&mut self, excess: usize) {
        let names = (0..self.columns.len()).filter(|&i| self.columns[i].kind == Kind::Name);
        let mut widths: Vec<(usize, usize)> = names.map(|i| (i, self.column_width(i))).collect();
        for _ in 0..excess {
            let widest = widths.iter_mut().max_by_key(|(_, width)| *width);
            if let Some((_, width)) = widest.filter(|(_, width)| *width > NAME_MIN) {
                *width -= 1;
            }
        }
        for (index, width) in widths {
            for row in &mut self.rows {
                row[index] = shorten(&row[index], width);
            }
        }
    }

    fn set(self) -> Vec<String> {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        if self.columns.iter().any(|column| !column.title.is_empty()) {
            let titles = self.columns.iter().map(|column| &column.title);
            grid.set_header(titles.map(|title| Cell::new(Tone::Faint.paint(title))));
        }
        for row in self.rows {
            grid.add_row(row);
        }
        for (index, column) in self.columns.iter().enumerate() {
            if let Some(set) = grid.column_mut(index) {
                set.set_padding((0, GAP));
                set.set_cell_alignment(match column.kind {
                    Kind::Number => CellAlignment::Right,
                    Kind::Name | Kind::Text => CellAlignment::Left,
                });
            }
        }
        grid.lines()
            .map(|line| format!("{:INDENT$}{}", "", line.trim_end()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::paint::finish;

    fn sample() -> Table {
        let mut table = Table::default()
            .column("name", Kind::Name)
            .column("p50", Kind::Number)
            .spare("p90", Kind::Number, 1);
        table.row(vec![
            "a-long-name-of-a-service".into(),
            Tone::Bad.paint("1 ms"),
            "2 ms".into(),
        ]);
        table.row(vec!["b".into(), "10 ms".into(), "20 ms".into()]);
        table
    }

    fn plain(width: usize) -> Vec<String> {
        let lines = sample().lines(width);
        lines.iter().map(|line| finish(line, false)).collect()
    }

    #[test]
    fn numbers_stand_flush_right_whatever_their_colour() {
        assert_eq!(
            plain(80),
            [
                "  name                        p50    p90",
                "  a-long-name-of-a-service   1 ms   2 ms",
                "  b                         10 ms  20 ms",
            ]
        );
    }

    #[test]
    fn names_share_what_is_missing() {
        let mut table = Table::default()
            .column("from", Kind::Name)
            .column("→ to", Kind::Name);
        let name = "recommendationservice";
        table.row(vec![name.into(), format!("→ {name}")]);
        let lines = table.lines(40);
        assert_eq!(lines[1], "  recommend…nservice  → recomme…nservice");
    }

    #[test]
    fn a_spare_column_must_say_something() {
        let mut table =
            Table::default()
                .column("name", Kind::Name)
                .spare("mirrored", Kind::Number, 1);
        table.row(vec!["a".into(), NOTHING.into()]);
        let lines = table.lines(80);
        assert!(!lines[0].contains("mirrored"), "{lines:?}");
    }

    #[test]
    fn columns_go_before_names_are_cut() {
        assert_eq!(plain(34)[0], "  name                        p50");
        assert_eq!(plain(24)[1], "  a-long-…service   1 ms");
    }
}
