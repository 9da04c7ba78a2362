//! Pods that have a sidecar.

use mesh_core::document::Diagnostic;
use mesh_core::policy::Position;

use super::Context;
use crate::plan::{PodSelector, Take};
use crate::scenario::file::PodsSpec;
use crate::scenario::problems::Problems;
use crate::scenario::resolve::selectors::{Candidate, Kind, select, take};

impl Context<'_> {
    /// Chosen pods and traffic sources that have a sidecar; all that have one when nothing is demanded of them.
    pub(super) fn sidecars(
        &self,
        spec: &PodsSpec,
        at: &Position,
        problems: &Problems,
    ) -> Result<PodSelector, Diagnostic> {
        let workloads = self.of_kind(|kind| kind != Kind::Control);
        let meshed: Vec<&Candidate<'_>> = workloads
            .iter()
            .filter(|candidate| candidate.workload.meshed)
            .copied()
            .collect();
        if spec.is_empty() {
            return every(spec, at, &meshed, problems);
        }
        match select(spec, at, &meshed, problems) {
            Err(_) if select(spec, at, &workloads, problems).is_ok() => {
                Err(problems.error(at, "none of these pods has a sidecar"))
            }
            selected => selected,
        }
    }
}

/// All, or so many of them.
fn every(
    spec: &PodsSpec,
    at: &Position,
    meshed: &[&Candidate<'_>],
    problems: &Problems,
) -> Result<PodSelector, Diagnostic> {
    if meshed.is_empty() {
        return Err(problems.error(at, "no pod has a sidecar"));
    }
    let take = take(spec, meshed.len(), problems)?;
    let text = match take {
        Take::All => "every sidecar".to_owned(),
        Take::Count(count) => format!("{count} sidecars at random"),
        Take::Share(share) => format!("{}% of sidecars at random", f64::from(share.ppm()) / 1e4),
    };
    let names = meshed
        .iter()
        .map(|candidate| candidate.workload.name.to_string());
    Ok(PodSelector {
        pods: names.collect(),
        take,
        text,
    })
}
