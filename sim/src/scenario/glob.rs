//! Files by pattern, relative to a directory, in a fixed order.

use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// Most directory entries looked at for one pattern.
const ENTRIES_MAX: usize = 20_000;

/// Deepest directory looked into.
const DEPTH_MAX: usize = 16;

/// The files that `pattern` names, relative to `directory`, sorted. A pattern
/// without wildcards names one file, whether it exists or not.
///
/// # Errors
/// A sentence, when the pattern is malformed or matches nothing.
pub(super) fn files(directory: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    if pattern.is_empty() {
        return Err("a file name is missing".into());
    }
    if !pattern.contains(['*', '?', '[', '{']) {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let matcher = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| format!("`{pattern}` is not a pattern: {}", error.kind()))?
        .compile_matcher();
    let mut walk = Walk {
        directory,
        matcher,
        entries: 0,
        found: Vec::new(),
    };
    let prefix = literal_prefix(pattern);
    let levels = levels(pattern, prefix.components().count());
    walk.visit(&prefix, levels)?;
    walk.found.sort();
    if walk.found.is_empty() {
        return Err(format!("`{pattern}` matches no file"));
    }
    Ok(walk.found)
}

/// The directories before the first wildcard.
fn literal_prefix(pattern: &str) -> PathBuf {
    let wild = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    let end = pattern[..wild].rfind('/').map_or(0, |slash| slash + 1);
    PathBuf::from(&pattern[..end])
}

/// How many directories below the first ones a match can lie.
fn levels(pattern: &str, prefix: usize) -> usize {
    let free = pattern.contains("**") || pattern.contains('{');
    if free {
        return DEPTH_MAX;
    }
    (pattern.split('/').count() - 1)
        .saturating_sub(prefix)
        .min(DEPTH_MAX)
}

struct Walk<'a> {
    directory: &'a Path,
    matcher: GlobMatcher,
    entries: usize,
    found: Vec<PathBuf>,
}

impl Walk<'_> {
    fn visit(&mut self, relative: &Path, levels: usize) -> Result<(), String> {
        let here = self.directory.join(relative);
        let here = if here.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &here
        };
        // A directory that cannot be read holds no file we could read.
        let Ok(entries) = fs::read_dir(here) else {
            return Ok(());
        };
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(format!(
                    "the pattern searches more than {ENTRIES_MAX} files"
                ));
            }
            let path = relative.join(entry.file_name());
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            // Links are followed to files only: a link to a directory may lead round in circles.
            if kind.is_dir() && levels > 0 {
                self.visit(&path, levels - 1)?;
            } else if self.matcher.is_match(&path) && self.directory.join(&path).is_file() {
                self.found.push(path);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for file in ["b.yaml", "a.yaml", "c.txt", "x/d.yaml", "x/y/e.yaml"] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            files(root, pattern)
                .unwrap()
                .iter()
                .map(|path| path.to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(names("*.yaml"), ["a.yaml", "b.yaml"]);
        assert_eq!(
            names("**/*.yaml"),
            ["a.yaml", "b.yaml", "x/d.yaml", "x/y/e.yaml"]
        );
        assert_eq!(names("x/*.yaml"), ["x/d.yaml"]);
        assert_eq!(names("*/y/e.yaml"), ["x/y/e.yaml"]);
        let beside: Vec<_> = files(&root.join("x"), "../*.yaml").unwrap();
        assert_eq!(beside.len(), 2);
        assert_eq!(names("not-there.yaml"), ["not-there.yaml"]);
        assert_eq!(
            files(root, "*.json").unwrap_err(),
            "`*.json` matches no file"
        );
        assert!(files(root, "[").is_err());
        assert!(files(root, "").is_err());
    }
}
