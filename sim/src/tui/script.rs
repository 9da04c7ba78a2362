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

use super::written;
use crate::cli::{overridden, replace};
use crate::plan::Plan;
use crate::scenario::{Loaded, Overrides, load_source};

/// What a path begins with that leads into an imported object (`scenario::objects`).
const IMPORTED: &str = "mesh:";

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
    saved: Option<Saved>,
}

/// A file that makes the run, with what is to be set beside it.
#[derive(Clone, Debug)]
struct Saved {
    path: PathBuf,
    set: Vec<(String, String)>,
    /// Paths of those that the file does not hold.
    beside: Vec<String>,
    /// Whether a value of the scenario was set since it was written.
    behind: bool,
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
            unsaved: 0,
            changed: false,
            saved: Some(Saved {
                path: path.to_owned(),
                set: overrides.set.clone(),
                beside: Vec::new(),
                behind: false,
            }),
            overrides,
        };
        let loaded = script.load()?;
        Ok((script, loaded))
    }

    fn load(&self) -> Result<Loaded, Vec<Diagnostic>> {
        load_text(&self.path, &self.text, &self.overrides)
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
        let set = (path.to_owned(), value.to_owned());
        if let Some(saved) = &mut script.saved {
            saved.set.push(set.clone());
            saved.behind |= !path.starts_with(IMPORTED);
        }
        script.overrides.set.push(set);
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

    /// Writes the scenario, with the values that were set in it, to a file: a new one beside it, or `to`, which must
    /// be new unless `force`. A bare name is of a file beside it too. Files that it names are named so that they are
    /// found from there.
    ///
    /// # Errors
    /// When the file is there already, or cannot be written, or would not be a scenario any more.
    pub(crate) fn save(&mut self, to: Option<&Path>, force: bool) -> io::Result<PathBuf> {
        let path = match to {
            Some(path) => self.meant(path),
            None => self.free_name(),
        };
        if path.exists() && !force {
            let message = format!(
                "{} is there already; `:w! NAME` replaces it",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        let (text, set, beside) = self.written();
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let text = written::moved(&text, folder(&self.path), folder(&path)).map_err(invalid)?;
        // What would not run is not written.
        let overrides = Overrides {
            set: set.clone(),
            ..self.overrides.clone()
        };
        load_text(&path, &text, &overrides).map_err(|errors| invalid(first(&errors)))?;
        replace(&path, text.as_bytes())?;
        self.unsaved = 0;
        self.saved = Some(Saved {
            path: path.clone(),
            set,
            beside,
            behind: false,
        });
        Ok(path)
    }

    /// The text with all values in it that were set and can be; what the command sets beside it; and the paths of what
    /// is only there: values in imported objects. Values are set one after the other, so what follows one that cannot
    /// be written stays outside too.
    ///
    /// What the mesh itself is told is in both: a place where it was told so is pushed to sidecars with it, and they
    /// count its bytes. The file alone makes the same run under another digest.
    fn written(&self) -> (String, Vec<(String, String)>, Vec<String>) {
        let mut text = self.text.clone();
        let (mut set, mut beside) = (Vec::new(), Vec::new());
        let mut stuck = false;
        for (path, value) in &self.overrides.set {
            let imported = path.starts_with(IMPORTED);
            let with = match imported || stuck {
                true => None,
                false => written::with_value(&text, path, value),
            };
            if with.is_none() || path.starts_with("mesh") {
                set.push((path.clone(), value.clone()));
            }
            match with {
                Some(with) => text = with,
                None => {
                    stuck |= !imported;
                    beside.push(path.clone());
                }
            }
        }
        (text, set, beside)
    }

    /// The file that somebody means: a bare name is beside the scenario, and a scenario's name ends as such names do.
    fn meant(&self, path: &Path) -> PathBuf {
        let bare = path.components().count() == 1 && path.file_name() == Some(path.as_os_str());
        let path = match bare {
            true => self.path.with_file_name(path),
            false => path.to_owned(),
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => path,
            _ => {
                let mut name = path.into_os_string();
                name.push(".yaml");
                name.into()
            }
        }
    }

    /// Whether a value of the scenario was set that its file does not hold.
    pub(crate) fn sets(&self) -> bool {
        self.saved.as_ref().is_none_or(|saved| saved.behind)
    }

    /// The values that are in the command alone, by their paths.
    pub(crate) fn only_in_command(&self) -> impl Iterator<Item = &str> {
        let saved = self.saved.iter();
        saved.flat_map(|saved| saved.beside.iter().map(String::as_str))
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
        let saved = self.saved.as_ref()?;
        let file = quoted(&saved.path.display().to_string());
        let changes = overridden(self.overrides.duration, &saved.set);
        Some(format!("meshquake run {file} --seed {seed}{changes}"))
    }
}

/// A scenario whose text is, or will be, in the file `path`.
fn load_text(path: &Path, text: &str, overrides: &Overrides) -> Result<Loaded, Vec<Diagnostic>> {
    let source = Source::new(&path.display().to_string(), text);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    load_source(&source, folder(path), &name, overrides)
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
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

    /// A scenario in files of several folders.
    fn imported() -> (tempfile::TempDir, Script) {
        let folder = tempfile::tempdir().unwrap();
        let at = |file: &str| folder.path().join(file);
        for (file, text) in [
            ("shop/small.yaml", format!("{SMALL}mesh: {{ config: [mesh/*.yaml] }}\n")),
            (
                "shop/mesh/web.yaml",
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: web }\nspec: { hosts: [web], http: [{ timeout: 1s, route: [{ destination: { host: web } }] }] }\n".to_owned(),
            ),
        ] {
            std::fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            std::fs::write(at(file), text).unwrap();
        }
        std::fs::create_dir(at("other")).unwrap();
        let (script, _) = Script::open(&at("shop/small.yaml"), Overrides::default()).unwrap();
        (folder, script)
    }

    /// What the printed command would run.
    fn printed(script: &Script) -> Plan {
        let saved = script.saved.as_ref().unwrap();
        let overrides = Overrides {
            set: saved.set.clone(),
            seed: script.overrides.seed,
            ..Overrides::default()
        };
        let (_, loaded) = Script::open(&saved.path, overrides).unwrap();
        loaded.plan
    }

    fn digest(plan: &Plan) -> String {
        let report = crate::world::run(plan, crate::world::RunOptions::default());
        report.unwrap().digest
    }

    #[test]
    fn what_is_saved_makes_the_same_run() {
        let (folder, script) = imported();
        let (script, _) = script
            .with_fault("{ at: 2s, for: 1s, freeze: web-1 }")
            .unwrap();
        let (script, _) = script.with_set("mesh.defaults.retries", "0").unwrap();
        let (script, _) = script.with_set("services.web.service-time", "3ms").unwrap();
        let object = "mesh:VirtualService/web.spec.http[0].timeout";
        let (script, plan) = script.with_set(object, "700ms").unwrap();
        let wanted = digest(&plan);
        for to in ["mine", "../other/mine"] {
            let mut script = script.clone();
            let to = match to {
                "mine" => PathBuf::from(to),
                to => folder.path().join("shop").join(to),
            };
            let path = script.save(Some(&to), false).unwrap();
            assert!(path.ends_with("mine.yaml"), "{}", path.display());
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                text.contains("retries: 0") && text.contains("service-time: 3ms"),
                "{text}"
            );
            let command = script.reproduce(3).unwrap();
            assert!(
                command.contains(object) && !command.contains("service-time"),
                "{command}"
            );
            assert_eq!(script.only_in_command().collect::<Vec<_>>(), [object]);
            assert_eq!(digest(&printed(&script)), wanted, "{text}");
        }
        assert!(
            folder.path().join("shop/mine.yaml").exists(),
            "beside the scenario"
        );
        assert!(folder.path().join("other/mine.yaml").exists());
    }

    #[test]
    fn what_is_set_after_it_was_saved_is_in_the_command() {
        let (_folder, script) = script(SMALL);
        let (mut script, _) = script.with_set("services.web.replicas", "3").unwrap();
        assert!(script.sets());
        script.save(None, false).unwrap();
        assert!(!script.sets());
        assert!(!script.reproduce(3).unwrap().contains("--set"));
        let (script, plan) = script.with_set("services.web.replicas", "1").unwrap();
        let command = script.reproduce(3).unwrap();
        assert!(
            command.contains("small-by-hand.yaml --seed 3 --set services.web.replicas=1"),
            "{command}"
        );
        assert_eq!(printed(&script).pods.len(), plan.pods.len());
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
