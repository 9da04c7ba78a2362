//! The names that expectations use.

use std::collections::BTreeSet;

use mesh_core::document::Diagnostic;
use mesh_core::policy::Position;

use super::World;
use crate::plan::{FaultPlan, FaultSet, Subject};
use crate::scenario::file::{Placed, Scenario};
use crate::scenario::problems::Problems;
use crate::scenario::value::{EdgeName, FaultName};

/// Names listed in a message.
const LISTED_MAX: usize = 12;

/// Whom expectations may speak of.
pub(super) struct Names<'a> {
    /// Written traffic sources, whether or not they came to be.
    traffic: Vec<&'a str>,
    /// Names of services, as reports have them.
    services: BTreeSet<&'a str>,
    faults: &'a [FaultPlan],
    /// Names of written faults, whether or not they came to be.
    written: BTreeSet<&'a str>,
    /// How many faults are written.
    faults_written: usize,
}

impl<'a> Names<'a> {
    pub(super) fn new(scenario: &'a Scenario, world: &World<'a>) -> Self {
        let pods = world.pods.iter().map(|pod| pod.service.as_str());
        let services = world.services.iter().map(|service| &*service.name);
        let faults = scenario.faults.iter();
        Self {
            traffic: scenario
                .traffic
                .iter()
                .map(|(name, _)| name.0.as_str())
                .collect(),
            services: pods.chain(services).collect(),
            faults: world.faults,
            written: faults
                .filter_map(|fault| Some(fault.value().name.as_ref()?.value().as_str()))
                .collect(),
            faults_written: scenario.faults.len(),
        }
    }

    /// Whether no fault is written.
    pub(super) const fn no_faults(&self) -> bool {
        self.faults_written == 0
    }

    /// Whether there is such a traffic source, which is said if not.
    pub(super) fn traffic(&self, name: &Placed<String>, problems: &mut Problems) -> bool {
        let known = self.traffic.contains(&name.value().as_str());
        if !known {
            let message = format!("no traffic is called `{}`", name.value());
            let error = problems.error(name.at(), message);
            problems.push(among(error, name, self.traffic.iter().copied()));
        }
        known
    }

    /// The service of this name.
    pub(super) fn service(&self, name: &Placed<String>, problems: &mut Problems) -> Option<String> {
        if self.services.contains(name.value().as_str()) {
            return Some(name.value().clone());
        }
        let message = format!("no service is called `{}`", name.value());
        let error = problems.error(name.at(), message);
        problems.push(among(error, name, self.services.iter().copied()));
        None
    }

    /// The service that a plain text names.
    pub(super) fn service_of(&self, name: &str, at: &Position, problems: &mut Problems) -> bool {
        let placed = Placed::new(name.to_owned(), at.clone());
        self.service(&placed, problems).is_some()
    }

    /// The edge between two known ends.
    pub(super) fn edge(&self, edge: &Placed<EdgeName>, problems: &mut Problems) -> Option<Subject> {
        let callers: Vec<&str> = self.traffic.iter().chain(&self.services).copied().collect();
        let callees: Vec<&str> = self.services.iter().copied().collect();
        let ends = [
            (&edge.from, "no traffic and no service", callers),
            (&edge.to, "no service", callees),
        ];
        let mut known = true;
        for (name, what, names) in ends {
            let Some(name) = name.as_deref().filter(|name| !names.contains(name)) else {
                continue;
            };
            // A host outside the mesh has dots, and is not ours to know.
            if name.contains('.') {
                continue;
            }
            let message = format!("{what} is called `{name}`");
            let error = problems.error(edge.at(), message);
            problems.push(among(error, name, names.into_iter()));
            known = false;
        }
        known.then(|| Subject::Edge {
            from: edge.from.clone(),
            to: edge.to.clone(),
        })
    }

    /// The faults that a text names: `faults`, or those of that name.
    pub(super) fn fault(
        &self,
        name: &str,
        at: &Position,
        problems: &mut Problems,
    ) -> Option<FaultSet> {
        let name = match name {
            "faults" => FaultName::All,
            name => FaultName::Named(name.strip_prefix("fault ").unwrap_or(name).to_owned()),
        };
        self.faults(&name, at, problems)
    }

    /// The faults meant.
    pub(super) fn faults(
        &self,
        name: &FaultName,
        at: &Position,
        problems: &mut Problems,
    ) -> Option<FaultSet> {
        let (name, indices): (&str, Vec<usize>) = match name {
            FaultName::All => ("faults", (0..self.faults.len()).collect()),
            FaultName::Named(name) => {
                let faults = self.faults.iter().enumerate();
                let named = faults.filter(|(_, fault)| fault.name == *name);
                (name, named.map(|(index, _)| index).collect())
            }
        };
        if !indices.is_empty() {
            let name = name.to_owned();
            return Some(FaultSet { indices, name });
        }
        // One that is written but did not come to be has been complained of already.
        let complained = self.written.contains(name) || self.faults.len() < self.faults_written;
        if !complained {
            let names: Vec<&str> = self
                .faults
                .iter()
                .map(|fault| fault.name.as_str())
                .collect();
            let message = match name {
                _ if names.is_empty() => "there are no faults".to_owned(),
                name => format!("no fault is called `{name}`"),
            };
            let error = problems.error(at, message);
            problems.push(among(error, name, names.into_iter()));
        }
        None
    }
}

/// With the name that was probably meant, and those that there are.
fn among<'a>(error: Diagnostic, wanted: &str, names: impl Iterator<Item = &'a str>) -> Diagnostic {
    let mut names: Vec<&str> = names.collect();
    let error = error.did_you_mean(wanted, names.iter().copied());
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    if names.is_empty() {
        return error;
    }
    let more = names.len().saturating_sub(LISTED_MAX);
    names.truncate(LISTED_MAX);
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let rest = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let are = if quoted.len() == 1 { "is" } else { "are" };
    error.note(format!("there {are} {}{rest}", quoted.join(", ")))
}
