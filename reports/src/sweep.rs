//! Rows over a grid of settings: one run each.
//!
//! All rows of a sweep have the same columns, settings first and the digest
//! last, so that the file loads into a data frame as it is.

use std::io;

use serde::{Deserialize, Serialize};

use crate::summary::paint::{clean, finish};
use crate::summary::table::{Kind, NOTHING, Table};

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its title.
    pub name: String,
    /// What its cells hold.
    pub kind: ColumnKind,
}

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Text.
    Text,
    /// Whole numbers.
    Count,
    /// Numbers.
    Number,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// There was nothing to measure.
    Empty,
    /// A whole number.
    Count(u64),
    /// A number.
    Number(f64),
    /// Text.
    Text(String),
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::Empty, Self::Number)
    }
}

impl Cell {
    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Count(n) => Some(*n as f64),
            Self::Number(n) => Some(*n),
            Self::Empty | Self::Text(_) => None,
        }
    }

    fn read(text: &str) -> Self {
        if text.is_empty() {
            return Self::Empty;
        }
        let count = text.parse().ok().map(Self::Count);
        // A digest may look like a number: only what a number is written as is one.
        let plain = |text: &str| text.len() < 32 && !text.starts_with(char::is_alphabetic);
        let number = || {
            plain(text)
                .then(|| text.parse().ok().map(Self::Number))
                .flatten()
        };
        count
            .or_else(number)
            .unwrap_or_else(|| Self::Text(text.to_owned()))
    }

    const fn kind(&self) -> Option<ColumnKind> {
        match self {
            Self::Empty => None,
            Self::Count(_) => Some(ColumnKind::Count),
            Self::Number(_) => Some(ColumnKind::Number),
            Self::Text(_) => Some(ColumnKind::Text),
        }
    }

    /// As a file of text has it: numbers with all digits they need, nothing for nothing.
    pub fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Count(n) => n.to_string(),
            Self::Number(n) => n.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Takes rows one after the other and keeps none.
pub trait RowWriter {
    /// Writes a row.
    ///
    /// # Errors
    /// When it cannot be written.
    fn row(&mut self, cells: &[Cell]) -> io::Result<()>;

    /// Writes what comes after the last row.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Comma-separated values (RFC 4180, with `\n`), titles first.
pub struct CsvRows<W: io::Write>(csv::Writer<W>);

impl<W: io::Write> CsvRows<W> {
    /// Writes the titles to `out`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn begin(columns: &[Column], out: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(columns.iter().map(|column| &column.name))?;
        Ok(Self(writer))
    }
}

impl<W: io::Write> RowWriter for CsvRows<W> {
    fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        Ok(self.0.write_record(cells.iter().map(Cell::text))?)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

/// Columns and rows of a sweep's CSV, as [`CsvRows`] writes it: settings are text, the rest what it looks like.
///
/// # Errors
/// When it is no CSV, or no sweep: without a column `seed`, or with a row of another length.
pub fn read_csv(text: &str) -> io::Result<(Vec<Column>, Vec<Vec<Cell>>)> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let titles: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let Some(settings) = titles.iter().position(|title| title == "seed") else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not a sweep: it has no column `seed`",
        ));
    };
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let cells = record.iter().enumerate();
        rows.push(
            cells
                .map(|(i, text)| match i < settings {
                    true => Cell::Text(text.to_owned()),
                    false => Cell::read(text),
                })
                .collect::<Vec<Cell>>(),
        );
    }
    let kind = |i: usize| {
        let mut kinds = rows.iter().filter_map(|row: &Vec<Cell>| row.get(i)?.kind());
        match kinds.next() {
            _ if i < settings => ColumnKind::Text,
            None => ColumnKind::Number,
            Some(first) => kinds.fold(first, |all, one| match (all, one) {
                (all, one) if all == one => all,
                (ColumnKind::Text, _) | (_, ColumnKind::Text) => ColumnKind::Text,
                _ => ColumnKind::Number,
            }),
        }
    };
    let columns = titles.iter().enumerate().map(|(i, name)| Column {
        name: name.clone(),
        kind: kind(i),
    });
    Ok((columns.collect(), rows))
}

/// One JSON object per line.
pub struct JsonRows<W: io::Write> {
    columns: Vec<Column>,
    out: W,
}

impl<W: io::Write> JsonRows<W> {
    /// Rows with these columns, to `out`.
    pub fn new(columns: &[Column], out: W) -> Self {
        Self {
            columns: columns.to_vec(),
            out,
        }
    }
}

impl<W: io::Write> RowWriter for JsonRows<W> {
    fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.out.write_all(b"{")?;
        for (index, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
            if index > 0 {
                self.out.write_all(b",")?;
            }
            serde_json::to_writer(&mut self.out, &column.name)?;
            self.out.write_all(b":")?;
            serde_json::to_writer(&mut self.out, cell)?;
        }
        self.out.write_all(b"}\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// The points of a sweep, for a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    /// The settings' paths.
    pub settings: Vec<String>,
    /// The measures' names.
    pub measures: Vec<String>,
    /// One row per combination of settings.
    pub rows: Vec<GridRow>,
}

/// A combination of settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridRow {
    /// Their values.
    pub settings: Vec<String>,
    /// How many seeds held, and among how many.
    pub held: (u64, u64),
    /// Means over the seeds, with their units; `None` where there was nothing to measure.
    pub measures: Vec<Option<String>>,
}

impl Grid {
    /// A table of at most `width` columns, if that is possible.
    pub fn told(&self, width: usize, color: bool) -> String {
        let mut table = Table::default();
        // A path is told by what tells it apart from the others: its end.
        for path in &self.settings {
            table = table.column(short(path), Kind::Name);
        }
        table = table.column("held", Kind::Number);
        for measure in &self.measures {
            table = table.spare(measure, Kind::Number, 1);
        }
        for row in &self.rows {
            let mut cells: Vec<String> = row.settings.iter().map(|value| clean(value)).collect();
            cells.push(format!("{} of {}", row.held.0, row.held.1));
            let measures = row.measures.iter();
            cells.extend(measures.map(|told| told.clone().unwrap_or_else(|| NOTHING.into())));
            table.row(cells);
        }
        finish(
            &(table.lines(width.clamp(60, 160)).join("\n") + "\n"),
            color,
        )
    }
}

/// The last two steps of a path.
pub(crate) fn short(path: &str) -> &str {
    let mut dots = path.rmatch_indices('.');
    match dots.nth(1) {
        Some((at, _)) => &path[at + 1..],
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        let column = |name: &str, kind| Column {
            name: name.into(),
            kind,
        };
        vec![
            column("a, b", ColumnKind::Text),
            column("n", ColumnKind::Count),
            column("x", ColumnKind::Number),
        ]
    }

    fn row() -> Vec<Cell> {
        vec![
            Cell::Text("say \"hi\"".into()),
            Cell::Count(3),
            Cell::Number(0.1),
        ]
    }

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        let mut out = Vec::new();
        let mut rows = Box::new(CsvRows::begin(&columns(), &mut out).unwrap());
        rows.row(&row()).unwrap();
        rows.row(&[Cell::Empty, Cell::Count(0), Cell::from(None)])
            .unwrap();
        rows.finish().unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a, b\",n,x\n\"say \"\"hi\"\"\",3,0.1\n,0,\n"
        );
    }

    #[test]
    fn csv_is_read_back() {
        let text = "rate,seed,verdict,success,digest\n10,1,held,1,5e10\n10,2,failed,0.5,ab\n20,1,held,,ab\n";
        let (columns, rows) = read_csv(text).unwrap();
        let kinds: Vec<ColumnKind> = columns.iter().map(|c| c.kind).collect();
        use ColumnKind::{Count, Number, Text};
        assert_eq!(kinds, [Text, Count, Text, Number, Text]);
        assert_eq!(rows[0][0], Cell::Text("10".into()), "settings are text");
        assert_eq!(rows[2][3], Cell::Empty);
        let mut out = Vec::new();
        let mut again = Box::new(CsvRows::begin(&columns, &mut out).unwrap());
        rows.iter().skip(1).for_each(|row| again.row(row).unwrap());
        again.finish().unwrap();
        assert!(
            String::from_utf8(out)
                .unwrap()
                .ends_with("10,2,failed,0.5,ab\n20,1,held,,ab\n")
        );
        assert!(read_csv("a,b\n1,2\n").is_err());
        assert!(read_csv("a,seed\n1\n").is_err());
    }

    #[test]
    fn json_has_an_object_per_line() {
        let mut out = Vec::new();
        let mut rows = Box::new(JsonRows::new(&columns(), &mut out));
        rows.row(&row()).unwrap();
        rows.finish().unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"a, b\":\"say \\\"hi\\\"\",\"n\":3,\"x\":0.1}\n"
        );
    }

    #[test]
    fn cells_come_back_as_they_were() {
        let cells = [
            Cell::Empty,
            Cell::Count(7),
            Cell::Number(7.0),
            Cell::Number(1e-9),
            Cell::Text("7".into()),
        ];
        let text = serde_json::to_string(&cells).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Cell>>(&text).unwrap(), cells);
    }
}
