//! The rows of a sweep as they come.
//!
//! A line of JSON each, after a first line that says which sweep they belong
//! to. A row is put into the file by one `write`, so a killed process leaves
//! whole lines and perhaps a torn one at the end, which is cut off; a line that
//! cannot be read for any other reason is a row that is made again. Of a row
//! that is there twice the first counts; both are the same anyway.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use meshquake_reports::sweep::Cell;
use serde::{Deserialize, Serialize};

/// The version of the file.
const JOURNAL_SCHEMA: &str = "meshquake.sweep-journal/v1";

/// What tells a sweep from any other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    schema: String,
    meshquake_version: String,
    /// Of the scenario with the settings of the first point: any change to a file it is made of shows.
    fingerprint: String,
    settings: Vec<(String, Vec<String>)>,
    seeds: Vec<u64>,
    columns: Vec<String>,
}

impl Header {
    /// Of this version.
    pub(super) fn new(
        fingerprint: &str,
        settings: Vec<(String, Vec<String>)>,
        seeds: &[u64],
        columns: Vec<String>,
    ) -> Self {
        Self {
            schema: JOURNAL_SCHEMA.into(),
            meshquake_version: env!("CARGO_PKG_VERSION").into(),
            fingerprint: fingerprint.into(),
            settings,
            seeds: seeds.to_vec(),
            columns,
        }
    }

    /// BLAKE3 of it, 16 hexadecimal digits.
    pub fn id(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }

    /// In what another differs, for a person.
    fn differs(&self, other: &Self) -> Option<String> {
        let of = |a: &str, b: &str| (a != b).then(|| format!("{b}, and this is {a}"));
        if let Some(versions) = of(&self.meshquake_version, &other.meshquake_version) {
            return Some(format!("it was begun by meshquake {versions}"));
        }
        if self.settings != other.settings {
            let told = |header: &Self| -> String {
                let each = header
                    .settings
                    .iter()
                    .map(|(path, values)| format!("{path} ({})", values.len()));
                each.collect::<Vec<_>>().join(", ")
            };
            return Some(match of(&told(self), &told(other)) {
                Some(settings) => format!("it sweeps {settings}"),
                None => "it sweeps other values".into(),
            });
        }
        if self.seeds != other.seeds {
            return Some(format!(
                "it has {} seeds, and this has {}",
                other.seeds.len(),
                self.seeds.len()
            ));
        }
        (self != other).then(|| "the scenario, or a file it names, has changed since".into())
    }
}

/// Why a journal cannot be used.
#[derive(Debug)]
pub enum JournalError {
    /// It belongs to another sweep.
    Other(PathBuf, String),
    /// It cannot be read or written.
    Io(PathBuf, io::Error),
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(path, why) => write!(
                f,
                "{} is the journal of another sweep: {why}; --fresh starts over",
                path.display()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for JournalError {}

/// The rows that are there.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where the file ends.
    end: u64,
    /// Where each row stands; 0, where the header does, for those that are not there.
    places: Vec<u64>,
    there: u64,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    row: u64,
    cells: T,
}

impl Journal {
    /// Opens the journal at `path` of a sweep of `rows` rows, or begins it. `fresh` throws away what is there.
    ///
    /// # Errors
    /// When it belongs to another sweep, or cannot be read or written.
    pub fn open(
        path: &Path,
        header: &Header,
        rows: u64,
        fresh: bool,
    ) -> Result<Self, JournalError> {
        let io = |error: io::Error| JournalError::Io(path.to_owned(), error);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(fresh);
        let mut journal = Self {
            path: path.to_owned(),
            file: options.open(path).map_err(io)?,
            end: 0,
            places: vec![0; usize::try_from(rows).unwrap_or(0)],
            there: 0,
        };
        if !journal.scan(header)? {
            journal.begin(header).map_err(io)?;
        }
        Ok(journal)
    }

    /// Reads what is there; false when there is no whole line, not even the header.
    fn scan(&mut self, header: &Header) -> Result<bool, JournalError> {
        let io = |error: io::Error| JournalError::Io(self.path.clone(), error);
        let mut reader = BufReader::new(self.file.try_clone().map_err(io)?);
        let mut line = Vec::new();
        let mut begun = false;
        loop {
            line.clear();
            // A line longer than any row is none.
            let read = reader
                .by_ref()
                .take(1 << 20)
                .read_until(b'\n', &mut line)
                .map_err(io)?;
            if line.last() != Some(&b'\n') {
                if !begun {
                    self.check_torn(&line)?;
                }
                break;
            }
            line.pop();
            if !begun {
                self.check(header, &line)?;
                begun = true;
            } else if let Some(row) = row_of(&line, header.columns.len())
                && let Some(place) = usize::try_from(row)
                    .ok()
                    .and_then(|row| self.places.get_mut(row))
                && *place == 0
            {
                *place = self.end;
                self.there += 1;
            }
            self.end += read as u64;
        }
        if begun {
            self.file.set_len(self.end).map_err(io)?;
        }
        Ok(begun)
    }

    /// What was torn before its first line was whole must look like the beginning of one: anything else is
    /// somebody's file.
    fn check_torn(&self, begun: &[u8]) -> Result<(), JournalError> {
        let beginning = format!("{{\"schema\":\"{JOURNAL_SCHEMA}\"");
        let shared = begun.len().min(beginning.len());
        if begun[..shared] == beginning.as_bytes()[..shared] {
            return Ok(());
        }
        let why = "it does not begin as one of this version does".into();
        Err(JournalError::Other(self.path.clone(), why))
    }

    fn check(&self, header: &Header, line: &[u8]) -> Result<(), JournalError> {
        let other = |why: String| JournalError::Other(self.path.clone(), why);
        let found: Header = serde_json::from_slice(line)
            .map_err(|_| other("it does not begin as one of this version does".into()))?;
        header.differs(&found).map_or(Ok(()), |why| Err(other(why)))
    }

    fn begin(&mut self, header: &Header) -> io::Result<()> {
        self.file.set_len(0)?;
        self.end = 0;
        self.append(header)
    }

    fn append<T: Serialize>(&mut self, line: &T) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&text)?;
        self.end += text.len() as u64;
        Ok(())
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, row: u64, cells: &[Cell]) -> Result<(), JournalError> {
        let place = self.end;
        let line = Line { row, cells };
        self.append(&line)
            .map_err(|error| JournalError::Io(self.path.clone(), error))?;
        if let Some(known) = usize::try_from(row)
            .ok()
            .and_then(|row| self.places.get_mut(row))
        {
            self.there += u64::from(*known == 0);
            *known = place;
        }
        Ok(())
    }

    /// Whether a row is there.
    pub fn has(&self, row: u64) -> bool {
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        self.places.get(row).is_some_and(|place| *place > 0)
    }

    /// How many rows are there.
    pub fn len(&self) -> u64 {
        self.there
    }

    /// Whether no row is there.
    pub fn is_empty(&self) -> bool {
        self.there == 0
    }

    /// Whether all are.
    pub fn is_complete(&self) -> bool {
        self.there == self.places.len() as u64
    }

    /// Shows `each` the rows that are there, in their order, one at a time.
    ///
    /// # Errors
    /// When the journal cannot be read, or `each` fails.
    pub fn rows(&self, mut each: impl FnMut(u64, &[Cell]) -> io::Result<()>) -> io::Result<()> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        let mut line = Vec::new();
        let mut at = 0;
        for (row, place) in self
            .places
            .iter()
            .enumerate()
            .filter(|(_, place)| **place > 0)
        {
            // Rows come nearly in order, so most of what is sought is in the buffer already.
            let way = i64::try_from(*place).unwrap_or(i64::MAX) - i64::try_from(at).unwrap_or(0);
            reader.seek_relative(way)?;
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            at = *place + read as u64;
            let Line { cells, .. }: Line<Vec<Cell>> = serde_json::from_slice(&line)?;
            each(row as u64, &cells)?;
        }
        Ok(())
    }

    /// Removes the file: its rows have been written where they belong.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        drop(self.file);
        std::fs::remove_file(&self.path)
    }
}

/// The number of the row on a line, when the line is one.
fn row_of(line: &[u8], columns: usize) -> Option<u64> {
    let line: Line<Vec<Cell>> = serde_json::from_slice(line).ok()?;
    (line.cells.len() == columns).then_some(line.row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(seeds: &[u64]) -> Header {
        let settings = vec![("a".to_owned(), vec!["1".to_owned(), "2".to_owned()])];
        Header::new("f", settings, seeds, vec!["x".into(), "y".into()])
    }

    fn cells(row: u64) -> Vec<Cell> {
        vec![Cell::Count(row), Cell::Text(format!("row\n{row}"))]
    }

    fn told(journal: &Journal) -> Vec<(u64, Vec<Cell>)> {
        let mut all = Vec::new();
        journal
            .rows(|row, cells| {
                all.push((row, cells.to_vec()));
                Ok(())
            })
            .unwrap();
        all
    }

    #[test]
    fn another_sweep_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        Journal::open(&path, &header(&[1]), 2, false)
            .unwrap()
            .add(0, &cells(0))
            .unwrap();
        assert_eq!(
            Journal::open(&path, &header(&[1]), 2, false).unwrap().len(),
            1
        );
        let why = |header: &Header| {
            Journal::open(&path, header, 2, false)
                .unwrap_err()
                .to_string()
        };
        assert!(why(&header(&[1, 2])).contains("it has 1 seeds, and this has 2"));
        let mut changed = header(&[1]);
        changed.fingerprint = "g".into();
        assert!(
            why(&changed).contains("has changed since; --fresh starts over"),
            "{}",
            why(&changed)
        );
        changed.meshquake_version = "9".into();
        assert!(why(&changed).contains("begun by meshquake"));
        let mut other = header(&[1]);
        other.settings[0].1[1] = "3".into();
        assert!(why(&other).contains("other values"));
        assert_eq!(
            Journal::open(&path, &other, 2, true).unwrap().len(),
            0,
            "fresh"
        );
        std::fs::write(&path, "my thesis\n").unwrap();
        assert!(why(&header(&[1])).contains("does not begin"));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "my thesis\n",
            "and it is left alone"
        );
        std::fs::write(&path, "my thesis").unwrap();
        assert!(why(&header(&[1])).contains("does not begin"));
    }

    proptest! {
        /// Cut the file anywhere, put garbage into its tail: what is left is whole, and nothing comes twice.
        #[test]
        fn a_torn_journal_goes_on(
            order in Just((0..12u64).collect::<Vec<_>>()).prop_shuffle(),
            done in 0usize..12,
            cut in 0.0f64..1.0,
            garbage in "[a-z\\[{\"]{0,9}",
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("j");
            let mut journal = Journal::open(&path, &header(&[1]), 12, false).unwrap();
            for row in &order[..done] {
                journal.add(*row, &cells(*row)).unwrap();
            }
            drop(journal);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.truncate((bytes.len() as f64 * cut) as usize);
            let torn = bytes.last() != Some(&b'\n') && bytes.contains(&b'\n');
            if torn {
                bytes.extend(garbage.as_bytes());
            }
            std::fs::write(&path, &bytes).unwrap();
            let mut journal = Journal::open(&path, &header(&[1]), 12, false).unwrap();
            for row in 0..12 {
                if !journal.has(row) {
                    journal.add(row, &cells(row)).unwrap();
                }
            }
            prop_assert!(journal.is_complete());
            let expected: Vec<_> = (0..12).map(|row| (row, cells(row))).collect();
            prop_assert_eq!(told(&journal), expected.clone());
            drop(journal);
            let again = Journal::open(&path, &header(&[1]), 12, false).unwrap();
            prop_assert_eq!(told(&again), expected);
        }
    }
}
