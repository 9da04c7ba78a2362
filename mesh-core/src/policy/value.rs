//! The small values policies are made of.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A place in a file that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The file, as the user named it. Where it is sent or hashed it is the bare name: a run must not
    /// depend on the folder it was started from.
    #[serde(serialize_with = "bare_name")]
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

/// What the name of a "file" begins with that is a value set by path: its place is the path, whole.
const SET: &str = "--set ";

fn bare_name<S: Serializer>(file: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let name = file.rsplit(['/', '\\']).next();
    let name = name.filter(|_| !file.starts_with(SET));
    serializer.serialize_str(name.unwrap_or(file))
}

impl Position {
    /// Whether it is a value set by path (`--set PATH`) rather than a place in a file.
    pub fn is_set(&self) -> bool {
        self.file.starts_with(SET)
    }
}

/// `mesh.yaml:3:5`, or `--set PATH`: that value has one line, and whoever reads it knows it.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_set() {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody wrote it.
    Written(Position),
    /// A default: whose, and which (for example `Istio 1.24+: two retries on connection failures`).
    Default(Arc<str>),
    /// Somebody wrote it, and values within it have been set by path since.
    Amended {
        /// Where it is written.
        at: Position,
        /// What set the values, each once: `--set PATH`.
        by: Vec<Arc<str>>,
    },
}

impl Origin {
    /// A default described by `what`.
    pub fn default_of(what: &str) -> Self {
        Self::Default(Arc::from(what))
    }

    /// Written at `at`, with values within it set by each of `by`.
    pub fn amended(at: Position, by: Vec<Arc<str>>) -> Self {
        match by.is_empty() {
            true => Self::Written(at),
            false => Self::Amended { at, by },
        }
    }

    /// As this, for a value that `other` has a part in: told with what was set by path there, too.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        let (at, mut by) = match self {
            Self::Written(at) => (at, Vec::new()),
            Self::Amended { at, by } => (at, by),
            Self::Default(_) => return self,
        };
        let (there, within) = match other {
            Self::Written(there) => (Some(there), [].as_slice()),
            Self::Amended { at, by } => (Some(at), by.as_slice()),
            Self::Default(_) => (None, [].as_slice()),
        };
        let set = there
            .filter(|there| there.is_set())
            .map(|there| &there.file);
        for name in set.into_iter().chain(within) {
            if *name != at.file && !by.contains(name) {
                by.push(name.clone());
            }
        }
        Self::amended(at, by)
    }

    /// Where it is written, if anybody wrote it.
    pub fn at(&self) -> Option<&Position> {
        match self {
            Self::Written(at) | Self::Amended { at, .. } => Some(at),
            Self::Default(_) => None,
        }
    }
}

/// What set the values, named on one line; more than these are counted.
const NAMED_MAX: usize = 4;

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(at) => at.fmt(f),
            Self::Default(what) => write!(f, "default ({what})"),
            Self::Amended { at, by } => {
                write!(f, "{at}")?;
                for name in by.iter().take(NAMED_MAX) {
                    write!(f, " and {name}")?;
                }
                match by.len().saturating_sub(NAMED_MAX) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sourced<T> {
    /// The value in force.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// `value`, written at `origin`.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// `value`, which nobody wrote: `what` says whose default it is.
    pub fn default_of(value: T, what: &str) -> Self {
        Self::new(value, Origin::default_of(what))
    }
}

/// A share in parts per million, Envoy's finest denominator.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Fraction(u32);

impl Fraction {
    /// None.
    pub const ZERO: Self = Self(0);
    /// All.
    pub const ONE: Self = Self(1_000_000);

    /// From parts per million; more than all is all.
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(if ppm > 1_000_000 { 1_000_000 } else { ppm })
    }

    /// From a percentage; `None` outside 0 to 100.
    pub fn from_percent(percent: f64) -> Option<Self> {
        (0.0..=100.0)
            .contains(&percent)
            .then(|| Self((percent * 10_000.0).round() as u32))
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// As a number from 0 to 1.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10_000.0)
    }
}

/// A regular expression in RE2's language that must match a whole string.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: Arc<str>,
    whole: regex::Regex,
}

impl Pattern {
    /// Compiles `source`, anchored at both ends as Envoy anchors it.
    ///
    /// # Errors
    /// When `source` is not a valid expression, or compiles to more than 1 MiB.
    pub fn new(source: &str) -> Result<Self, regex::Error> {
        regex::Regex::new(source)?; // so that errors speak of what the user wrote
        let whole = regex::RegexBuilder::new(&format!("^(?:{source})$"))
            .size_limit(1 << 20)
            .build()?;
        Ok(Self {
            source: Arc::from(source),
            whole,
        })
    }

    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        Self::new(&source).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_string() {
        let pattern = Pattern::new("a|b").unwrap();
        assert!(pattern.matches("a") && pattern.matches("b"));
        assert!(!pattern.matches("ab") && !pattern.matches("xa"));
    }

    #[test]
    fn what_was_set_by_path_is_told_with_its_path() {
        let file = |file: &str| Position {
            file: file.into(),
            line: 3,
            column: 5,
        };
        let written = Origin::Written(file("a/mesh.yaml"));
        assert_eq!(written.to_string(), "a/mesh.yaml:3:5");
        let set = Origin::Written(file("--set a.b[0].c"));
        assert_eq!(set.to_string(), "--set a.b[0].c");
        let both = written.clone().with(&set).with(&set);
        assert_eq!(both.to_string(), "a/mesh.yaml:3:5 and --set a.b[0].c");
        // Of itself it is told once, and a part that nobody set adds nothing.
        assert_eq!(set.clone().with(&set), set);
        assert_eq!(both.clone().with(&written), both);
        let default = Origin::default_of("Istio");
        assert_eq!(default.clone().with(&set), default);
        let many = (0..6).map(|n| format!("--set p{n}").into()).collect();
        let many = Origin::amended(file("m"), many).to_string();
        assert!(many.ends_with("and --set p3 and 2 more"), "{many}");
    }

    #[test]
    fn percentages_round_to_parts_per_million() {
        assert_eq!(Fraction::from_percent(0.1).unwrap().ppm(), 1000);
        assert_eq!(Fraction::from_percent(100.0), Some(Fraction::ONE));
        assert_eq!(Fraction::from_percent(100.1), None);
        assert_eq!(Fraction::from_ppm(25_000).to_string(), "2.5%");
    }
}
