//! `meshquake validate`.

use super::args::ValidateArgs;
use super::{Exit, output};

pub(crate) fn execute(args: &ValidateArgs) -> Exit {
    let mut exit = Exit::Held;
    for file in &args.files {
        match crate::scenario::load(file, &args.overrides.overrides()) {
            Ok(loaded) => {
                output::diagnostics(&loaded.warnings);
                println!("{}: {}", file.display(), describe(&loaded.plan));
                print_notes(&loaded.plan);
            }
            Err(problems) => {
                output::diagnostics(&problems);
                exit = Exit::Invalid;
            }
        }
    }
    exit
}

fn describe(plan: &crate::plan::Plan) -> String {
    let mesh = &plan.mesh;
    format!(
        "valid: {} services, {} pods, {} traffic sources, {} faults, {} expectations; mesh: {} route rules, {} destination rules, {} notes",
        plan.services.len(),
        plan.pods.len(),
        plan.traffic.len(),
        plan.faults.len(),
        plan.expectations.len(),
        mesh.routes.len(),
        mesh.destinations.len(),
        mesh.notes.len(),
    )
}

fn print_notes(plan: &crate::plan::Plan) {
    for note in &plan.mesh.notes {
        let field = match note.field.as_str() {
            "" => String::new(),
            field => format!(" {field}"),
        };
        println!("  {}: {}{field}: {}", note.at, note.object, note.message);
    }
}
