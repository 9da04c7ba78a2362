//! The files a scenario is made of.

use std::collections::BTreeMap;
use std::path::Path;

use mesh_core::document::{Diagnostic, Document, Node, Source, nearest, parse};

use super::Overrides;
use super::file::{Placed, Scenario};
use super::glob;
use super::problems::Problems;

/// Most files that one scenario may name.
const FILES_MAX: usize = 2_000;

/// Most bytes that all of them may hold.
const BYTES_MAX: usize = 64 << 20;

/// What the files named by a scenario hold, sorted by what it is. Where a
/// document is found does not matter: a VirtualService in a manifest counts.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// The mesh's configuration.
    pub(super) mesh: Vec<Document>,
    /// Kubernetes objects.
    pub(super) kubernetes: Vec<Document>,
    /// isotope service graphs.
    pub(super) isotope: Vec<Document>,
    /// The mesh's configuration in files that faults name, by the fault's place among those of the file.
    pub(super) changes: BTreeMap<usize, Vec<Document>>,
}

/// BLAKE3 over everything that decides what a run is, but for the seed.
pub(super) struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// Of a scenario's text and the changes made to it.
    pub(super) fn new(scenario: &Source, overrides: &Overrides) -> Self {
        let mut fingerprint = Self(blake3::Hasher::new());
        fingerprint.add("scenario", &scenario.text);
        for (path, value) in &overrides.set {
            fingerprint.add(path, value);
        }
        if let Some(duration) = overrides.duration {
            fingerprint.add("duration", &duration.as_nanos().to_string());
        }
        fingerprint
    }

    fn add(&mut self, name: &str, text: &str) {
        for part in [name, text] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part.as_bytes());
        }
    }

    /// In hexadecimal.
    pub(super) fn finish(self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

/// Reads every file that the scenario names.
pub(super) fn read(
    scenario: &Scenario,
    directory: &Path,
    fingerprint: &mut Fingerprint,
    problems: &mut Problems,
) -> Inputs {
    let mut reader = InputReader {
        directory,
        fingerprint,
        problems,
        seen: Vec::new(),
        bytes: 0,
        inputs: Inputs::default(),
    };
    for pattern in scenario.topology.import.iter().chain(&scenario.mesh.config) {
        reader.pattern(pattern);
    }
    for (index, fault) in scenario.faults.iter().enumerate() {
        if let Some(config) = &fault.config {
            reader.change(index, &config.files.0);
        }
    }
    reader.inputs
}

struct InputReader<'a> {
    directory: &'a Path,
    fingerprint: &'a mut Fingerprint,
    problems: &'a mut Problems,
    seen: Vec<String>,
    bytes: usize,
    inputs: Inputs,
}

impl InputReader<'_> {
    /// Reads the files that a fault puts in force. They may be in force already, or be named by several faults.
    fn change(&mut self, index: usize, patterns: &[Placed<String>]) {
        let seen = std::mem::take(&mut self.seen);
        let others = std::mem::take(&mut self.inputs);
        patterns.iter().for_each(|pattern| self.pattern(pattern));
        let read = std::mem::replace(&mut self.inputs, others);
        for stranger in read.kubernetes.iter().chain(&read.isotope) {
            let message = "this is no configuration of the mesh";
            let error = stranger.error(stranger.root.place(), message);
            let named = patterns.first().map(Placed::at);
            let error = match named {
                Some(at) => self.problems.also(error, at, "put in force here"),
                None => error,
            };
            self.problems.push(error);
        }
        self.inputs.changes.insert(index, read.mesh);
        self.seen = seen;
    }

    fn pattern(&mut self, pattern: &Placed<String>) {
        let files = match glob::files(self.directory, pattern) {
            Ok(files) => files,
            Err(message) => {
                let error = self.problems.error(pattern.at(), message);
                return self.problems.push(error);
            }
        };
        for file in files {
            let name = file.to_string_lossy().replace('\\', "/");
            // Two patterns may name one file: it counts once.
            if self.seen.contains(&name) {
                continue;
            }
            if self.seen.len() >= FILES_MAX {
                let message = format!("more than {FILES_MAX} files are named");
                let error = self.problems.error(pattern.at(), message);
                return self.problems.push(error);
            }
            self.seen.push(name.clone());
            if let Err(diagnostic) = self.file(&file, &name, pattern) {
                self.problems.push(diagnostic);
            }
        }
    }

    fn file(
        &mut self,
        file: &Path,
        name: &str,
        pattern: &Placed<String>,
    ) -> Result<(), Diagnostic> {
        let path = self.directory.join(file);
        let source = Source::read(&path).map_err(|diagnostic| {
            let diagnostic = self.problems.also(diagnostic, pattern.at(), "named here");
            match similar_file(&path) {
                Some(similar) => diagnostic.help(format!("there is a `{similar}` beside it")),
                None => diagnostic,
            }
        })?;
        self.bytes += source.text.len();
        if self.bytes > BYTES_MAX {
            let message = format!("the files named hold more than {} MiB", BYTES_MAX >> 20);
            return Err(self.problems.error(pattern.at(), message));
        }
        self.fingerprint.add(name, &source.text);
        self.problems.know(&source);
        let documents = parse(&source)?;
        if documents.is_empty() {
            let warning = self
                .problems
                .warning(pattern.at(), format!("`{}` holds nothing", source.name));
            self.problems.push(warning);
        }
        for document in documents {
            self.sort(document, pattern);
        }
        Ok(())
    }

    fn sort(&mut self, document: Document, pattern: &Placed<String>) {
        match content(&document.root) {
            Content::Kubernetes if is_list(&document.root) => {
                for item in document
                    .root
                    .get("items")
                    .map(Node::items)
                    .unwrap_or_default()
                {
                    self.sort(document.part(item), pattern);
                }
            }
            Content::Mesh => self.inputs.mesh.push(document),
            Content::Kubernetes => self.inputs.kubernetes.push(document),
            Content::Isotope => self.inputs.isotope.push(document),
            Content::Scenario => {
                let error = document.error(
                    document.root.place(),
                    "this is a scenario, and scenarios cannot be imported",
                );
                let error = self.problems.also(error, pattern.at(), "named here");
                self.problems.push(error);
            }
            Content::Unknown => {
                let error = document
                    .error(document.root.place(), "this is neither a Kubernetes object nor an isotope graph")
                    .help("a Kubernetes object has `apiVersion` and `kind`; an isotope graph has a list `services`");
                let error = self.problems.also(error, pattern.at(), "named here");
                self.problems.push(error);
            }
        }
    }
}

/// A file of the same directory whose name is close.
fn similar_file(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut names: Vec<String> = std::fs::read_dir(directory.unwrap_or(Path::new(".")))
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    nearest(&wanted, names.iter().map(String::as_str))
        .filter(|name| *name != wanted)
        .map(str::to_owned)
}

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Mesh,
    Kubernetes,
    Isotope,
    Scenario,
    Unknown,
}

/// Tells a document by its content.
pub(super) fn content(root: &Node) -> Content {
    let api = root.get("apiVersion").and_then(Node::as_str);
    let kind = root.get("kind").and_then(Node::as_str);
    match (api, kind) {
        _ if root.get("meshquake").is_some() => Content::Scenario,
        // isotope's README writes these; its example files leave them out.
        (_, Some("MockServiceGraph")) => Content::Isotope,
        (Some(api), Some(_)) if is_mesh_group(api) => Content::Mesh,
        (Some(_), Some(_)) => Content::Kubernetes,
        _ if root.get("services").is_some_and(Node::is_sequence) => Content::Isotope,
        _ => Content::Unknown,
    }
}

/// Whether this is a `List`, as `kubectl get -o yaml` prints them.
fn is_list(root: &Node) -> bool {
    root.get("kind").and_then(Node::as_str) == Some("List")
}

fn is_mesh_group(api: &str) -> bool {
    let group = api.split('/').next().unwrap_or(api);
    group.ends_with("istio.io") || group == "gateway.networking.k8s.io"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_by_their_content() {
        let of = |yaml: &str| content(&parse(&Source::new("t", yaml)).unwrap()[0].root);
        assert_eq!(of("{apiVersion: v1, kind: Service}"), Content::Kubernetes);
        assert_eq!(
            of("{apiVersion: networking.istio.io/v1, kind: VirtualService}"),
            Content::Mesh
        );
        assert_eq!(
            of("{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute}"),
            Content::Mesh
        );
        assert_eq!(of("{services: [{name: a}]}"), Content::Isotope);
        assert_eq!(
            of("{apiVersion: v1alpha1, kind: MockServiceGraph}"),
            Content::Isotope
        );
        assert_eq!(of("{meshquake: v1, services: {}}"), Content::Scenario);
        assert_eq!(of("{services: {}}"), Content::Unknown);
        assert_eq!(of("[1]"), Content::Unknown);
    }
}
