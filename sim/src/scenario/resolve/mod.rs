//! From what is written to the plan: every reference found, every default filled in.
//!
//! The order is that of dependence: the mesh's profile gives the names their
//! suffix; zones place pods; services and pods make the directory in which
//! calls are looked up; calls complete the apps; traffic, faults and
//! expectations refer to all of these. Every part reports all its mistakes and
//! goes on with what it could understand.

mod apps;
mod cycles;
mod directory;
mod expectations;
mod faults;
mod groups;
mod layout;
mod load;
mod mesh;
mod pods;
mod requests;
mod selectors;
mod traffic;
mod unknown;

use std::time::Duration;

use mesh_core::policy::Position;

use crate::plan::Plan;

use super::file::Scenario;
use super::inputs::Inputs;
use super::problems::Problems;
use apps::Apps;
use directory::Directory;
use groups::Groups;
use layout::Layout;

/// 2026-01-01T00:00:00Z: any fixed time does, and a recent one keeps dates in logs plausible.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// What the run is called and how long it lasts.
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) duration: Duration,
    /// Whether the command line cut the run: what lies beyond its end is then no mistake of the file's.
    pub(super) duration_overridden: bool,
    pub(super) fingerprint: String,
}

impl Frame {
    /// Says that what is written at `at`, in `object`, lies beyond the end of the run: a mistake, unless the command line
    /// has cut the run; then it is told in the run's report too.
    fn beyond(&self, at: &Position, object: &str, message: String, problems: &mut Problems) {
        if self.duration_overridden {
            problems.cut(at, object, message);
        } else {
            problems.push(problems.error(at, message));
        }
    }
}

/// Resolves a scenario. The result is only of use when `problems` holds no error.
pub(super) fn plan(
    scenario: &Scenario,
    inputs: &Inputs,
    frame: Frame,
    problems: &mut Problems,
) -> Plan {
    let layout = Layout::new(&scenario.topology, problems);
    let mut mesh = mesh::policy(&scenario.mesh, inputs, &layout.namespace, problems);
    let imported = mesh::import(inputs, &layout.namespace, problems);
    mesh.notes.extend(imported.notes.iter().cloned());
    let groups = Groups::new(
        scenario,
        &imported,
        &layout,
        &mesh.profile.cluster_domain,
        problems,
    );
    let directory = Directory::new(&groups, &mesh, &layout.namespace);
    let mut unknown = unknown::notes(&mesh.routes, &directory);
    let apps = Apps::new(&groups, &directory, problems);
    cycles::check(&groups, &directory, &apps, problems);
    let spares = faults::spares(scenario, &groups, problems);
    let mut pods = pods::plans(&groups, &apps, &spares, layout.nodes, problems);
    let mut traffic = traffic::plans(scenario, &directory, &layout, &frame, problems);
    unknown.extend(unknown::clusters(&mesh.destinations, &directory, &pods));
    mesh.notes.extend(unknown);
    pods::number(&mut pods, &mut traffic, problems);
    traffic::check_upstreams(scenario, &pods, problems);
    let facts = faults::mesh(scenario, inputs, &mesh.profile, &layout.namespace, problems);
    let faults = faults::plans(scenario, &pods, &traffic, &groups, facts, &frame, problems);
    let services = groups.services();
    let world = expectations::World {
        pods: &pods,
        services: &services,
        faults: &faults,
    };
    let (expectations, unjudged) = expectations::plans(scenario, &world, &frame, problems);
    if scenario.traffic.is_empty() {
        let nothing =
            mesh_core::document::Diagnostic::warning("nothing calls: there is no `traffic`");
        problems.push(nothing);
    }
    mesh.notes.extend(problems.take_cut());
    Plan {
        name: frame.name,
        about: scenario.about.clone().unwrap_or_default().trim().to_owned(),
        seed: scenario.seed.unwrap_or(1),
        duration: frame.duration,
        epoch: scenario.epoch.map_or(EPOCH, |moment| moment.0),
        mesh,
        services,
        pods,
        links: layout.links,
        traffic,
        faults,
        expectations,
        unjudged,
        declared: scenario.verdict.unwrap_or_default().into(),
        fingerprint: frame.fingerprint,
    }
}

/// `file:line`, as the plan keeps places for messages.
fn place(at: &Position) -> String {
    format!("{}:{}", at.file, at.line)
}
