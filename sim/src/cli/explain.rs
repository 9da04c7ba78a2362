//! `meshquake explain`.

use std::io::{self, IsTerminal as _};

use mesh_core::control::{Compiler, ExplainRequest, Registry, Service, Workload, explain};
use mesh_core::document::nearest;

use super::args::ExplainArgs;
use super::{Exit, invalid, output};
use crate::plan::Plan;

/// Lines are not broken below this.
const COLUMNS_MIN: usize = 60;

pub(crate) fn execute(args: &ExplainArgs) -> Exit {
    let request = match ExplainRequest::parse(&args.request, &args.headers) {
        Ok(request) => request,
        Err(error) => return invalid(&error.to_string()),
    };
    let plan = match crate::scenario::load(&args.file, &args.overrides.overrides()) {
        Ok(loaded) => loaded.plan,
        Err(problems) => {
            output::diagnostics(&problems);
            return Exit::Invalid;
        }
    };
    let Some(caller) = caller(&plan, args.from.as_deref()) else {
        return invalid(&unknown_caller(&plan, args.from.as_deref()));
    };
    let registry = plan.registry();
    let request = match only_port(&registry, &caller, &request) {
        Some(port) => request.on_port(port),
        None => request,
    };
    let snapshot = Compiler::default().compile(&plan.mesh, &registry, &caller, &[], 1);
    let explanation = explain(&snapshot, &request);
    let text = match args.json {
        true => serde_json::to_string_pretty(&explanation).unwrap_or_default() + "\n",
        false => {
            let text = format!(
                "from {} ({})\n{explanation}\n",
                caller.name, caller.namespace
            );
            match output::columns(io::stdout().is_terminal()) {
                Some(columns) => folded(&text, columns.max(COLUMNS_MIN)),
                None => text,
            }
        }
    };
    match output::print(&text) {
        Ok(()) => Exit::Held,
        Err(error) => invalid(&format!("cannot print: {error}")),
    }
}

/// `text` with long lines broken at spaces; what follows stands below the value, which two spaces part from its label.
fn folded(text: &str, columns: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let indent = value_column(line).min(columns / 2);
        let mut used = 0;
        for word in line.split_inclusive(' ') {
            let length = word.trim_end().chars().count();
            if used > indent && length > 0 && used + length > columns {
                out.truncate(out.trim_end().len());
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                used = indent;
            }
            out.push_str(word);
            used += word.chars().count();
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}

/// Where the value of a line begins.
fn value_column(line: &str) -> usize {
    let label = line.len() - line.trim_start().len();
    let gap = line[label..].find("  ").map(|at| label + at);
    let Some(gap) = gap else {
        return label.max(2);
    };
    let value = line[gap..].trim_start();
    line[..line.len() - value.len()].chars().count()
}

/// The port of the service that `request` calls without naming one, if it has just one: as scenarios take such a URL.
fn only_port(registry: &Registry, caller: &Workload, request: &ExplainRequest) -> Option<u16> {
    let host = request.host_without_port()?;
    let is_called = |service: &&Service| {
        let (name, namespace) = (&*service.name, &*service.namespace);
        let local = host == name && namespace == &*caller.namespace;
        local || host == &*service.host || host.split_once('.') == Some((name, namespace))
    };
    match registry.services.values().find(is_called)?.ports.as_slice() {
        [only] => Some(only.port),
        _ => None,
    }
}

/// The calling workload: a pod, a pod of a service, or a traffic source.
fn caller(plan: &Plan, name: Option<&str>) -> Option<Workload> {
    let Some(name) = name else {
        let first = plan.traffic.first().map(|traffic| &traffic.workload);
        return first
            .or_else(|| plan.pods.first().map(|pod| &pod.workload))
            .cloned();
    };
    let traffic = plan.traffic.iter().find(|traffic| traffic.name == name);
    let pod = plan
        .pods
        .iter()
        .find(|pod| &*pod.workload.name == name || pod.service == name);
    let traffic = traffic.map(|traffic| &traffic.workload);
    traffic.or(pod.map(|pod| &pod.workload)).cloned()
}

fn unknown_caller(plan: &Plan, name: Option<&str>) -> String {
    let Some(name) = name else {
        return "the scenario has no traffic source and no pod to ask from".into();
    };
    let sources = plan.traffic.iter().map(|traffic| traffic.name.as_str());
    let services = plan.pods.iter().map(|pod| pod.service.as_str());
    match nearest(name, sources.chain(services)) {
        Some(near) => {
            format!("there is no service, pod or traffic source `{name}`; did you mean `{near}`?")
        }
        None => format!("there is no service, pod or traffic source `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn values_stay_in_their_column() {
        let text = "GET http://a/\n  end-user: jason\nretry         2 retries on connect-failure,refused-stream, back-off 25ms  [default]\n";
        let expected = "\
GET http://a/
  end-user: jason
retry         2 retries on
              connect-failure,refused-stream,
              back-off 25ms  [default]
";
        assert_eq!(folded(text, 46), expected);
        assert_eq!(folded(text, 200), text);
        let long = "x".repeat(100);
        assert_eq!(folded(&long, 60), format!("{long}\n"));
    }
}
