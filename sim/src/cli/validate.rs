//! `meshquake validate`.

use super::args::ValidateArgs;
use super::{Exit, invalid, output};
use crate::plan::Plan;

pub(crate) fn execute(args: &ValidateArgs) -> Exit {
    let mut exit = Exit::Held;
    for file in &args.files {
        match crate::scenario::load(file, &args.overrides.overrides()) {
            Ok(loaded) => {
                output::diagnostics(&loaded.warnings);
                let told = describe(&file.display().to_string(), &loaded.plan);
                if let Err(error) = output::print(&told) {
                    return invalid(&format!("cannot print: {error}"));
                }
            }
            Err(problems) => {
                output::diagnostics(&problems);
                exit = Exit::Invalid;
            }
        }
    }
    exit
}

/// What a valid scenario consists of, and the notes on its mesh configuration.
fn describe(file: &str, plan: &Plan) -> String {
    let mesh = &plan.mesh;
    let world = counted(&[
        (plan.services.len(), "service"),
        (plan.pods.len(), "pod"),
        (plan.traffic.len(), "traffic source"),
        (plan.faults.len(), "fault"),
        (plan.expectations.len(), "expectation"),
    ]);
    let configuration = counted(&[
        (mesh.routes.len(), "route rule"),
        (mesh.destinations.len(), "destination rule"),
        (mesh.notes.len(), "note"),
    ]);
    let mut text = format!("{file}: valid\n  {world}\n");
    if !configuration.is_empty() {
        text.push_str(&format!("  mesh: {configuration}\n"));
    }
    for note in &mesh.notes {
        let field = match note.field.as_str() {
            "" => String::new(),
            field => format!(" {field}"),
        };
        text.push_str(&format!(
            "  {}: {}{field}\n    {}\n",
            note.at, note.object, note.message
        ));
    }
    text
}

/// `2 services, 1 pod`: what there is, and nothing of what there is not.
fn counted(parts: &[(usize, &str)]) -> String {
    let some = parts.iter().filter(|(count, _)| *count > 0);
    let words = some.map(|(count, noun)| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    });
    words.collect::<Vec<_>>().join(", ")
}
