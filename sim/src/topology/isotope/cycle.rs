//! Services whose calls come back to them.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::policy::Fraction;

use super::graph::{Command, Step};

/// The services that call themselves, directly or by way of others, in every
/// request: no request to them ends. A call that is made by chance may end it.
pub(super) fn endless_services<'a>(
    scripts: impl Iterator<Item = (&'a str, &'a [Step])>,
) -> BTreeSet<&'a str> {
    let calls: BTreeMap<&str, Vec<&str>> = scripts
        .map(|(name, script)| (name, certain_callees(script)))
        .collect();
    let names = calls.keys().copied();
    names.filter(|name| reaches_itself(name, &calls)).collect()
}

fn certain_callees(script: &[Step]) -> Vec<&str> {
    script
        .iter()
        .flat_map(Step::commands)
        .filter_map(|command| match command {
            Command::Call(call) if call.probability.0 == Fraction::ONE => {
                Some(call.service.as_str())
            }
            _ => None,
        })
        .collect()
}

fn reaches_itself(start: &str, edges: &BTreeMap<&str, Vec<&str>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        for &next in edges.get(name).into_iter().flatten() {
            if next == start {
                return true;
            }
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}
