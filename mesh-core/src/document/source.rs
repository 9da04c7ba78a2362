//! Named texts.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::{Diagnostic, Mark};
use crate::policy::Position;

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// A named text. Clones share it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the user gave it.
    pub name: Arc<str>,
    /// The text, without a byte order mark.
    pub text: Arc<str>,
}

impl Source {
    /// `text` under a name; a leading byte order mark is dropped.
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: Arc::from(name),
            text: Arc::from(text.strip_prefix('\u{feff}').unwrap_or(text)),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is larger than [`FILE_BYTES_MAX`], or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let name = path.display().to_string();
        let cannot =
            |error: std::io::Error| Diagnostic::error(format!("cannot read `{name}`: {error}"));
        let file = File::open(path).map_err(cannot)?;
        if file.metadata().map_err(cannot)?.is_dir() {
            return Err(Diagnostic::error(format!(
                "`{name}` is a directory, not a file"
            )));
        }
        let mut bytes = Vec::new();
        // The limit is on what is read, not on what metadata says: a pipe has no size.
        file.take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(cannot)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(Diagnostic::error(format!(
                "`{name}` is larger than {} MiB",
                FILE_BYTES_MAX >> 20
            ))
            .help("split it, or check that this is the file you meant"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(&name, &text)),
            Err(error) => Err(Diagnostic::error(format!(
                "`{name}` is not UTF-8 text: byte {} is invalid",
                error.utf8_error().valid_up_to()
            ))),
        }
    }

    /// A mark of this text, as a position.
    pub fn position(&self, mark: Mark) -> Position {
        Position {
            file: self.name.clone(),
            line: mark.line,
            column: mark.column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let error = Source::read(Path::new("no/such.yaml")).unwrap_err();
        assert!(error.message().starts_with("cannot read `no/such.yaml`"));
    }

    #[test]
    fn a_byte_order_mark_is_not_content() {
        assert_eq!(&*Source::new("a", "\u{feff}b: 1").text, "b: 1");
    }
}
