//! Which files are scenarios.
//!
//! A folder is searched with all it holds. A scenario is a YAML document with
//! the key `meshquake`; mesh configuration and manifests lie beside scenarios
//! and are passed over in silence. A file that is named must be one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use mesh_core::document::{Source, parse};

/// Most files looked at.
const FILES_MAX: usize = 100_000;

/// Deepest folder looked into.
const DEPTH_MAX: usize = 32;

/// The scenarios that `paths` name, those of a folder in the order of their names, each once.
///
/// # Errors
/// A sentence: when a path does not exist, a folder holds none, or there are too many.
pub fn scenarios(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        let shown = path.display();
        let what = fs::metadata(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
        let mut here = Vec::new();
        if what.is_dir() {
            let mut walk = Walk {
                files: 0,
                found: &mut here,
            };
            walk.visit(path, 0)?;
            here.sort();
            if here.is_empty() {
                return Err(format!(
                    "`{shown}` holds no scenario: none of its YAML files has the key `meshquake`"
                ));
            }
        } else {
            here.push(path.clone());
        }
        for file in here {
            let file = plain(&file);
            let same = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if seen.insert(same) {
                found.push(file);
            }
        }
    }
    Ok(found)
}

/// Without `./` in front.
fn plain(path: &Path) -> PathBuf {
    let parts = path
        .components()
        .skip_while(|part| *part == Component::CurDir);
    let plain: PathBuf = parts.collect();
    if plain.as_os_str().is_empty() {
        path.to_owned()
    } else {
        plain
    }
}

struct Walk<'a> {
    files: usize,
    found: &'a mut Vec<PathBuf>,
}

impl Walk<'_> {
    fn visit(&mut self, folder: &Path, depth: usize) -> Result<(), String> {
        let shown = folder.display();
        let entries =
            fs::read_dir(folder).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
        for entry in entries.flatten() {
            self.files += 1;
            if self.files > FILES_MAX {
                return Err(format!(
                    "`{shown}` and the folders beside it hold more than {FILES_MAX} files"
                ));
            }
            let path = entry.path();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            // Links are followed to files only: a link to a folder may lead round in circles.
            if kind.is_dir() {
                if !hidden && depth < DEPTH_MAX {
                    self.visit(&path, depth + 1)?;
                }
            } else if is_yaml(&path) && is_scenario(&path) {
                self.found.push(path);
            }
        }
        Ok(())
    }
}

fn is_yaml(path: &Path) -> bool {
    let end = path.extension().and_then(|end| end.to_str());
    matches!(end, Some("yaml" | "yml"))
}

/// Whether a file means to be a scenario. One that is no YAML but has the key counts: it has a mistake to be told.
fn is_scenario(path: &Path) -> bool {
    let Ok(source) = Source::read(path) else {
        return false;
    };
    if !source.text.contains("meshquake") {
        return false;
    }
    match parse(&source) {
        Ok(documents) => documents
            .iter()
            .any(|document| document.root.get("meshquake").is_some()),
        Err(_) => source
            .text
            .lines()
            .any(|line| line.starts_with("meshquake:")),
    }
}

/// Which of the scenarios found are wanted.
#[derive(Debug)]
pub struct Filter(Kind);

#[derive(Debug)]
enum Kind {
    Part(String),
    Pattern(GlobMatcher),
}

impl Filter {
    /// A pattern when it has wildcards, and matches whole paths then, from any folder on; else a part of the path.
    ///
    /// # Errors
    /// A sentence, when the pattern is malformed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.contains(['*', '?', '[', '{']) {
            return Ok(Self(Kind::Part(text.to_owned())));
        }
        let anywhere = format!("{{{text},**/{text}}}");
        let glob = GlobBuilder::new(&anywhere)
            .literal_separator(true)
            .build()
            .map_err(|error| format!("`{text}` is not a pattern: {}", error.kind()))?;
        Ok(Self(Kind::Pattern(glob.compile_matcher())))
    }

    /// Whether `path` is wanted.
    pub fn takes(&self, path: &str) -> bool {
        match &self.0 {
            Kind::Part(part) => path.contains(part),
            Kind::Pattern(pattern) => pattern.is_match(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_told_by_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (file, text) in [
            ("b.yaml", "meshquake: v1\n"),
            ("a.yml", "{meshquake: v1}\n"),
            (
                "mesh/vs.yaml",
                "apiVersion: v1\nkind: VirtualService\n# meshquake: no\n",
            ),
            ("deep/er/c.yaml", "name: c\nmeshquake: v1\n"),
            ("broken.yaml", "meshquake: v1\nname: [\n"),
            ("broken-manifest.yaml", "name: [\n"),
            (".hidden/d.yaml", "meshquake: v1\n"),
            ("notes.txt", "meshquake: v1\n"),
            ("binary.yaml", "\u{0}"),
        ] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), text).unwrap();
        }
        let names = |paths: &[PathBuf]| -> Vec<String> {
            let found = scenarios(paths).unwrap();
            let below = found.iter().map(|path| path.strip_prefix(root).unwrap());
            below.map(|path| path.display().to_string()).collect()
        };
        let all = ["a.yml", "b.yaml", "broken.yaml", "deep/er/c.yaml"];
        assert_eq!(names(&[root.into()]), all);
        assert_eq!(names(&[root.join("b.yaml"), root.into()])[0], "b.yaml");
        assert_eq!(
            names(&[root.join("b.yaml"), root.into()]).len(),
            4,
            "each once"
        );
        let none = scenarios(&[root.join("mesh")]).unwrap_err();
        assert!(none.contains("holds no scenario"), "{none}");
        assert!(
            scenarios(&[root.join("nowhere")])
                .unwrap_err()
                .contains("cannot read")
        );
    }

    #[test]
    fn filters_are_parts_or_patterns() {
        let takes = |filter: &str, path: &str| Filter::parse(filter).unwrap().takes(path);
        assert!(takes("overload", "scenarios/overload/a.yaml"));
        assert!(!takes("overlord", "scenarios/overload/a.yaml"));
        assert!(takes("*-fragile.yaml", "scenarios/overload/a-fragile.yaml"));
        assert!(takes("scenarios/*/a*", "scenarios/overload/a.yaml"));
        assert!(!takes("*.yaml", "scenarios/overload/a.yml"));
        assert!(takes("{a,b}.yaml", "x/b.yaml"));
        assert!(Filter::parse("[").is_err());
    }

    #[test]
    fn paths_are_told_without_a_dot_in_front() {
        assert_eq!(plain(Path::new("./a/./b.yaml")), Path::new("a/b.yaml"));
        assert_eq!(plain(Path::new("../a.yaml")), Path::new("../a.yaml"));
    }
}
