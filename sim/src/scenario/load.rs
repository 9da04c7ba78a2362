//! Files → plan.

use std::path::Path;
use std::time::Duration;

use mesh_core::document::{Diagnostic, Document, Source, parse, read_all};

use super::cut::cut_values;
use super::file::Scenario;
use super::inputs::{self, Content, Fingerprint};
use super::objects;
use super::problems::Problems;
use super::resolve::{self, Frame};
use super::words::WORDS;
use crate::plan::Plan;

/// Changes to a scenario from outside its file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Another seed.
    pub seed: Option<u64>,
    /// Another length of the run. What lies beyond its end is left out, with a warning.
    pub duration: Option<Duration>,
    /// Values by path, such as `("traffic.shoppers.rate", "100/s")`; see
    /// [`Node::set_path`](mesh_core::document::Node::set_path) for paths. A path may lead into an imported object:
    /// `mesh:VirtualService/reviews.spec.http[0].timeout`.
    pub set: Vec<(String, String)>,
}

/// A scenario that can run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What runs.
    pub plan: Plan,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Loads a scenario and every file it names.
///
/// # Errors
/// Every mistake that could be found, in the scenario and in the files it names.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, Vec<Diagnostic>> {
    let source = Source::read(path).map_err(|error| vec![error])?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    load_source(&source, directory, &name, overrides)
}

/// Loads a scenario from a text; the files it names are relative to `directory`.
pub(crate) fn load_source(
    source: &Source,
    directory: &Path,
    default_name: &str,
    overrides: &Overrides,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    problems.know(source);
    let document = document(source, overrides, &mut problems).map_err(|error| vec![error])?;
    problems.extend(cut_values(&document));
    if problems.failed() {
        return Err(problems.conclude().err().unwrap_or_default());
    }
    let scenario: Scenario = read_all(&document, &document.root)?;
    check_lengths(&scenario).map_err(|error| vec![error])?;
    let mut fingerprint = Fingerprint::new(source, overrides);
    let mut inputs = inputs::read(&scenario, directory, &mut fingerprint, &mut problems);
    if !problems.failed() {
        objects::set(&mut inputs, &overrides.set, &mut problems);
    }
    if scenario.duration.0.is_zero() && overrides.duration.is_none() {
        let error = problems.error(scenario.duration.at(), "the run must last for some time");
        problems.push(error);
    }
    // What a missing file would have declared is missed everywhere: those errors would mislead.
    if problems.failed() {
        return Err(problems.conclude().err().unwrap_or_default());
    }
    let frame = Frame {
        name: scenario
            .name
            .clone()
            .unwrap_or_else(|| default_name.to_owned()),
        duration: overrides.duration.unwrap_or(scenario.duration.0),
        duration_overridden: overrides.duration.is_some(),
        fingerprint: fingerprint.finish(),
    };
    let mut plan = resolve::plan(&scenario, &inputs, frame, &mut problems);
    plan.seed = overrides.seed.unwrap_or(plan.seed);
    objects::refuse_unknown(&plan, &mut problems);
    let warnings = problems.conclude()?;
    Ok(Loaded { plan, warnings })
}

/// Most entries of one part of a scenario.
const ENTRIES_MAX: usize = 10_000;

/// Refuses parts so long that checking them would take minutes.
fn check_lengths(scenario: &Scenario) -> Result<(), Diagnostic> {
    let parts = [
        ("services", scenario.services.len()),
        ("traffic", scenario.traffic.len()),
        ("faults", scenario.faults.len()),
        ("expect", scenario.expect.len()),
    ];
    match parts.iter().find(|(_, length)| *length > ENTRIES_MAX) {
        Some((part, length)) => Err(Diagnostic::error(format!(
            "`{part}` has {length} entries; {ENTRIES_MAX} are the most"
        ))),
        None => Ok(()),
    }
}

/// The scenario's document, with values set from outside.
fn document(
    source: &Source,
    overrides: &Overrides,
    problems: &mut Problems,
) -> Result<Document, Diagnostic> {
    let mut documents = parse(source)?;
    let beginning = "a scenario begins with `meshquake: v1`";
    if documents.is_empty() {
        return Err(Diagnostic::error(format!("`{}` is empty", source.name)).help(beginning));
    }
    // Most manifests are of several documents: what they are counts before how many.
    let content = inputs::content(&documents[0].root);
    if let Content::Mesh | Content::Kubernetes | Content::Isotope = content {
        let error = documents[0].error(
            documents[0].root.place(),
            "this is a manifest, not a scenario",
        );
        return Err(error.help(match content {
            Content::Mesh => "list it under `mesh.config` of a scenario",
            _ => "list it under `topology.import` of a scenario",
        }));
    }
    if let [_, second, ..] = documents.as_slice() {
        return Err(second
            .error(
                second.root.place(),
                "a scenario is one document, and here a second one begins",
            )
            .help("remove the `---`, or put manifests into files of their own"));
    }
    let mut document = documents.remove(0);
    document.words = WORDS;
    if content == Content::Unknown && document.root.get("meshquake").is_none() {
        return Err(document
            .error(document.root.place(), "this is not a scenario")
            .help(beginning));
    }
    let own = overrides.set.iter();
    for (path, value) in own.filter(|(path, _)| !objects::is_object_path(path)) {
        if let Err(error) = document.set(path, value) {
            problems.push(error);
        }
    }
    for overlay in document.overlays() {
        problems.know(overlay);
    }
    Ok(document)
}
