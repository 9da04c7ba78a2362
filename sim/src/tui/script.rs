//! The scenario behind a film, and what was changed in it by hand.
//!
//! Chaos by hand is writing: a fault is put into the scenario's text at the instant that is looked at, and the run
//! is recorded again from its beginning. What lies before that instant comes out the same, because a run is
//! deterministic and a fault changes nothing before it begins; so nobody sees the difference from interfering with
//! a run in progress, and what was done is a scenario that anybody can run again.

use std::io;
use std::path::{Path, PathBuf};

use mesh_core::document::{Diagnostic, Source};
use meshquake_reports::suite::quoted;

use crate::cli::{overridden, replace};
use crate::plan::Plan;
use crate::scenario::{Loaded, Overrides, load_source};

/// A scenario's text and the changes to it.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    path: PathBuf,
    text: String,
    overrides: Overrides,
    /// Changes of the text that are in no file.
    pub(crate) unsaved: usize,
    /// Whether anything was changed by hand.
    changed: bool,
    /// The file that holds the text as it is; `None` when there is none.
    saved: Option<PathBuf>,
}

impl Script {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Every mistake in it and in the files it names.
    pub(crate) fn open(
        path: &Path,
        overrides: Overrides,
    ) -> Result<(Self, Loaded), Vec<Diagnostic>> {
        let source = Source::read(path).map_err(|error| vec![error])?;
        let script = Self {
            path: path.to_owned(),
            text: source.text.to_string(),
            overrides,
            unsaved: 0,
            changed: false,
            saved: Some(path.to_owned()),
        };
        let loaded = script.load()?;
        Ok((script, loaded))
    }

    fn load(&self) -> Result<Loaded, Vec<Diagnostic>> {
        let source = Source::new(&self.path.display().to_string(), &self.text);
        let directory = self.path.parent().unwrap_or(Path::new(""));
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        load_source(&source, directory, &name, &self.overrides)
    }

    /// The same with one more fault, `fault` being its YAML on one line.
    ///
    /// # Errors
    /// Why that cannot be run, in a sentence.
    pub(crate) fn with_fault(&self, fault: &str) -> Result<(Self, Plan), String> {
        let before = self.load().map_err(|errors| first(&errors))?.plan;
        let mut script = self.clone();
        script.text = inserted(&self.text, fault)?;
        script.unsaved += 1;
        script.changed = true;
        script.saved = None;
        let plan = script.load().map_err(|errors| first(&errors))?.plan;
        let kept = plan.faults.len() == before.faults.len() + 1
            && before
                .faults
                .iter()
                .zip(&plan.faults)
                .all(|(a, b)| a.kind == b.kind);
        if !kept {
            return Err("that is not one fault of the scenario's language".into());
        }
        Ok((script, plan))
    }

    /// The same with a value set, as `--set` does it.
    ///
    /// # Errors
    /// Why that cannot be run, in a sentence.
    pub(crate) fn with_set(&self, path: &str, value: &str) -> Result<(Self, Plan), String> {
        let mut script = self.clone();
        script.changed = true;
        script
            .overrides
            .set
            .push((path.to_owned(), value.to_owned()));
        let plan = script.load().map_err(|errors| first(&errors))?.plan;
        Ok((script, plan))
    }

    /// The same with another seed.
    ///
    /// # Errors
    /// Why that cannot be run, in a sentence.
    pub(crate) fn with_seed(&self, seed: u64) -> Result<(Self, Plan), String> {
        let mut script = self.clone();
        script.changed = true;
        script.overrides.seed = Some(seed);
        let plan = script.load().map_err(|errors| first(&errors))?.plan;
        Ok((script, plan))
    }

    /// Writes the text to a file: a new one beside the scenario, or `to`, which must be new unless `force`.
    ///
    /// # Errors
    /// When the file is there already, or cannot be written.
    pub(crate) fn save(&mut self, to: Option<&Path>, force: bool) -> io::Result<PathBuf> {
        let path = match to {
            Some(path) => path.to_owned(),
            None => self.free_name(),
        };
        if path.exists() && !force {
            let message = format!(
                "{} is there already; `:w! NAME` replaces it",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        replace(&path, self.text.as_bytes())?;
        self.unsaved = 0;
        self.saved = Some(path.clone());
        Ok(path)
    }

    /// Beside the scenario, so that the files it names are still found.
    fn free_name(&self) -> PathBuf {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let name = |suffix: &str| {
            self.path
                .with_file_name(format!("{stem}-by-hand{suffix}.yaml"))
        };
        let numbered = (2..10_000).map(|n| name(&format!("-{n}")));
        let mut names = std::iter::once(name("")).chain(numbered);
        names
            .find(|path| !path.exists())
            .unwrap_or_else(|| name("-last"))
    }

    /// Whether it is another run than the file and the command line said.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    /// The command that makes this run again; `None` while its scenario is in no file.
    pub(crate) fn reproduce(&self, seed: u64) -> Option<String> {
        let path = self.saved.as_ref()?;
        let file = quoted(&path.display().to_string());
        let changes = overridden(self.overrides.duration, &self.overrides.set);
        Some(format!("meshquake run {file} --seed {seed}{changes}"))
    }
}

fn first(errors: &[Diagnostic]) -> String {
    let Some(error) = errors.first() else {
        return "it cannot be read".into();
    };
    // The first line of a rendered diagnostic is its message.
    let text = error.render(false);
    let mut lines = text.lines();
    let message = lines
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned();
    match lines.find_map(|line| {
        line.trim_start_matches([' ', '=', '|'])
            .strip_prefix("help: ")
    }) {
        Some(help) => format!("{message} ({help})"),
        None => message,
    }
}

/// `text` with `fault` at the end of its list of faults.
///
/// # Errors
/// When the list is written in a way that cannot be added to.
fn inserted(text: &str, fault: &str) -> Result<String, String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let key = lines.iter().position(|line| {
        line.strip_prefix("faults:")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
    });
    let Some(key) = key else {
        let gap = if text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{gap}\nfaults:\n  - {fault}\n"));
    };
    let value = lines[key]["faults:".len()..].trim();
    let before: usize = lines[..key].iter().map(|line| line.len()).sum();
    match value.chars().next() {
        None | Some('#') => {}
        Some('[') => return flow(text, before + "faults:".len(), fault),
        Some(_) => return Err("`faults:` is not written as a list".into()),
    }
    // The block lasts to the next key of the same depth; `- ` may stand at that depth too.
    let belongs = |line: &str| {
        let text = line.trim_end();
        text.is_empty()
            || line.starts_with([' ', '\t', '#'])
            || text.starts_with('-') && !text.starts_with("---")
    };
    let length = lines[key + 1..]
        .iter()
        .take_while(|line| belongs(line))
        .count();
    let block = &lines[key + 1..key + 1 + length];
    let said = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let indent = block
        .iter()
        .find(said)
        .map_or("  ", |line| &line[..line.len() - line.trim_start().len()]);
    let used = block
        .iter()
        .rposition(|line| said(&line))
        .map_or(0, |last| last + 1);
    let mut out: String = lines[..key + 1 + used].concat();
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&format!("{indent}- {fault}\n"));
    out.push_str(&lines[key + 1 + used..].concat());
    Ok(out)
}

/// Adds to a list in brackets that begins after `from`.
fn flow(text: &str, from: usize, fault: &str) -> Result<String, String> {
    let mut depth = 0_u32;
    let mut quote = None;
    let mut comment = false;
    let mut last = ' ';
    // Where the last thing that is no comment ends, and whether it was a comma or the bracket that opens the list.
    let mut content = (from, true);
    for (at, c) in text[from..].char_indices() {
        let before = std::mem::replace(&mut last, c);
        if comment {
            comment = c != '\n';
            continue;
        }
        match (quote, c) {
            (Some(open), c) if c == open && before != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if !before.is_alphanumeric() => quote = Some(c),
            (None, '#') if before.is_whitespace() => {
                comment = true;
                continue;
            }
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if depth == 0 && matches!(c, ']' | '}') && quote.is_none() {
            let (head, tail) = text.split_at(content.0);
            let comma = if content.1 { "" } else { "," };
            return Ok(format!("{head}{comma} {fault}{tail}"));
        }
        if !c.is_whitespace() {
            let open = depth == 1 && matches!(c, '[' | ',') && quote.is_none();
            content = (from + at + c.len_utf8(), open);
        }
    }
    Err("the list of faults has no end".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SMALL: &str = "\
meshquake: v1
name: small
seed: 3
duration: 5s
services: { web: { ports: [80], replicas: 2 } }
traffic: { users: { to: \"http://web/\", rate: 20/s, timeout: 1s } }
";

    fn script(text: &str) -> (tempfile::TempDir, Script) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.yaml");
        std::fs::write(&path, text).unwrap();
        let (script, _) = Script::open(&path, Overrides::default()).unwrap();
        (folder, script)
    }

    #[test]
    fn a_fault_finds_its_place_however_the_list_is_written() {
        let ways = [
            "",
            "faults:\n  - { at: 1s, for: 1s, crash: web-0 }\nexpect: []\n",
            "faults:\n- at: 1s\n  for: 1s\n  crash: web-0\n\n# the rest\nexpect: []\n",
            "faults: [ { at: 1s, for: 1s, crash: web-0 } ]\n",
            "faults: []\nexpect: []\n",
            "faults: [\n  { at: 1s, for: 1s, crash: web-0 }, # ]\n]\n",
            "faults:   # what goes wrong\n    # by night\n    - { at: 1s, for: 1s, crash: \"web-0\" }",
        ];
        for way in ways {
            let (_folder, script) = script(&format!("{SMALL}{way}"));
            let fault = "{ at: 2s, for: 1s, freeze: { pod: web-1 } }";
            let (first, plan) = script
                .with_fault(fault)
                .unwrap_or_else(|e| panic!("{way}: {e}"));
            let (_, again) = first
                .with_fault(fault)
                .unwrap_or_else(|e| panic!("{way}: {e}"));
            assert_eq!(again.faults.len(), plan.faults.len() + 1, "{way}");
            let comments = way
                .lines()
                .filter_map(|line| Some(&line[line.find("# ")?..]));
            for kept in comments {
                assert!(first.text.contains(kept), "comments stay: {}", first.text);
            }
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_in_a_sentence() {
        let (_folder, script) = script(SMALL);
        let wrong = script.with_fault("{ at: 2s, crush: web-0 }").unwrap_err();
        assert!(wrong.contains("crush"), "{wrong}");
        let wrong = script.with_fault("{ at: 2s, crash: nobody }").unwrap_err();
        assert!(wrong.contains("nobody"), "{wrong}");
        assert!(script.with_fault("} }\nexpect: [").is_err());
        assert!(script.with_set("seed", "{").is_err());
    }

    #[test]
    fn no_file_is_ever_lost() {
        let (folder, script) = script(SMALL);
        let (mut script, _) = script.with_fault("{ at: 2s, crash: web-0 }").unwrap();
        assert_eq!(
            script.reproduce(3),
            None,
            "what is in no file cannot be run again"
        );
        let original = folder.path().join("small.yaml");
        assert!(script.save(Some(&original), false).is_err());
        assert_eq!(std::fs::read_to_string(&original).unwrap(), SMALL);
        let first = script.save(None, false).unwrap();
        let second = script.save(None, false).unwrap();
        assert!(first.ends_with("small-by-hand.yaml") && second.ends_with("small-by-hand-2.yaml"));
        let command = script.reproduce(3).unwrap();
        assert!(
            command.contains("small-by-hand-2.yaml --seed 3"),
            "{command}"
        );
        script.save(Some(&first), true).unwrap();
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, fault in "\\PC{0,40}") {
            let _either = inserted(&text, &fault);
            let _either = inserted(&format!("faults: {text}"), &fault);
            let _either = inserted(&format!("faults:\n{text}"), &fault);
        }
    }
}
