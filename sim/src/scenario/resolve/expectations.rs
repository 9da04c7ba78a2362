//! Expectations: what must hold of whom, and when.

mod claims;
mod names;
mod windows;

use crate::plan::{
    Bound, Claim, Comparison, Demand, Expectation, FaultPlan, Measure, PodPlan, Subject,
    SubjectKind, Window,
};

use super::{Frame, place};
use crate::scenario::file::{ExpectSpec, Placed, Scenario};
use crate::scenario::problems::Problems;
use names::Names;

/// Where no share is written, traffic recovers to this one.
const RECOVERED: f64 = 0.95;

/// Whom expectations may speak of.
pub(super) struct World<'a> {
    pub(super) pods: &'a [PodPlan],
    pub(super) services: &'a [mesh_core::control::Service],
    pub(super) faults: &'a [FaultPlan],
}

/// The expectations of a scenario, one for each demand, and how many more lie beyond the end of a run that was cut.
pub(super) fn plans(
    scenario: &Scenario,
    world: &World<'_>,
    frame: &Frame,
    problems: &mut Problems,
) -> (Vec<Expectation>, u64) {
    let names = Names::new(scenario, world);
    let mut reader = Reader {
        names,
        frame,
        problems,
        plans: Vec::new(),
        unjudged: 0,
    };
    for spec in scenario.expect.iter() {
        reader.read(spec);
    }
    (reader.plans, reader.unjudged)
}

struct Reader<'a, 'p> {
    names: Names<'a>,
    frame: &'a Frame,
    problems: &'p mut Problems,
    plans: Vec<Expectation>,
    unjudged: u64,
}

impl Reader<'_, '_> {
    fn read(&mut self, spec: &Placed<ExpectSpec>) {
        match (&spec.recovers, &spec.detects) {
            (None, None) => self.measured(spec),
            (Some(traffic), None) => self.recovers(spec, traffic),
            (None, Some(fault)) => self.detects(spec, fault),
            (Some(_), Some(detects)) => {
                let error = self
                    .problems
                    .error(detects.at(), "`detects` stands beside `recovers`")
                    .help("write one item of the list for each");
                self.problems.push(error);
            }
        }
    }

    fn measured(&mut self, spec: &Placed<ExpectSpec>) {
        for (key, at) in [
            ("within", spec.within.as_ref().map(Placed::at)),
            ("to", spec.to.as_ref().map(Placed::at)),
        ] {
            if let Some(at) = at {
                let message = format!("`{key}` belongs to `recovers` or `detects`");
                let error = self.problems.error(at, message);
                self.problems.push(error);
            }
        }
        let subject = self.subject(spec);
        let window = windows::window(spec, &self.names, self.frame, self.problems);
        let demands = claims::demands(spec, &self.names, self.problems);
        match (subject, window) {
            (Some(subject), Some(window)) => {
                for demand in demands {
                    self.claim(&subject, &window, demand);
                }
            }
            _ if self.frame.duration_overridden => self.unjudged += demands.len() as u64,
            _ => {}
        }
    }

    fn claim(&mut self, subject: &Subject, window: &Window, demand: claims::Written) {
        let claims::Written {
            key,
            measure,
            bound,
            at,
        } = demand;
        match Claim::new(subject.clone(), measure.clone()) {
            Some(claim) => self.plans.push(Expectation {
                demand: Demand::Measured {
                    claim,
                    window: window.clone(),
                },
                bound,
                place: place(&at),
            }),
            None => {
                let error = self
                    .problems
                    .error(&at, format!("{} has no `{key}`", article(subject.kind())))
                    .note(kinds(key, &measure));
                self.problems.push(error);
            }
        }
    }

    /// The one subject that is written.
    fn subject(&mut self, spec: &Placed<ExpectSpec>) -> Option<Subject> {
        let traffic = spec.traffic.as_ref().map(Placed::at);
        let edge = spec.edge.as_ref().map(Placed::at);
        let service = spec.service.as_ref().map(Placed::at);
        let mesh = spec.mesh.map(|_| spec.at());
        let given: Vec<_> = [traffic, edge, service, mesh]
            .into_iter()
            .flatten()
            .collect();
        match given.as_slice() {
            [] => {
                let error = self
                    .problems
                    .error(spec.at(), "of whom is this expected?")
                    .help(
                        "such as `traffic: NAME`, `edge: a -> b`, `service: NAME` or `mesh: all`",
                    );
                self.problems.push(error);
                return None;
            }
            [_] => {}
            [.., last] => {
                let error = self
                    .problems
                    .error(
                        last,
                        "an expectation is of one of `traffic`, `edge`, `service` and `mesh`",
                    )
                    .help("write one item of the list for each");
                self.problems.push(error);
                return None;
            }
        }
        if let Some(name) = &spec.traffic {
            let known = self.names.traffic(name, self.problems);
            return known.then(|| Subject::Traffic(name.value().clone()));
        }
        if let Some(name) = &spec.service {
            let known = self.names.service(name, self.problems);
            return known.map(Subject::Service);
        }
        if let Some(edge) = &spec.edge {
            return self.names.edge(edge, self.problems);
        }
        Some(Subject::Mesh)
    }

    fn recovers(&mut self, spec: &Placed<ExpectSpec>, traffic: &Placed<String>) {
        let known = self.names.traffic(traffic, self.problems);
        let alone = self.alone(spec, "recovers", &["within", "to"]);
        if self.names.no_faults() {
            let error = self
                .problems
                .error(traffic.at(), "there is no fault to recover from");
            self.problems.push(error);
            return;
        }
        let Some(within) = self.within(spec, traffic) else {
            return;
        };
        let share = spec
            .to
            .as_ref()
            .map_or(RECOVERED, |share| f64::from(share.0.ppm()) / 1e6);
        if share <= 0.0 {
            let at = spec.to.as_ref().map_or(spec.at(), Placed::at);
            let error = self
                .problems
                .error(at, "nothing is always there: recovers to what share?");
            self.problems.push(error);
            return;
        }
        if known && alone {
            self.plans.push(Expectation {
                demand: Demand::Recovers {
                    traffic: traffic.value().clone(),
                    share,
                },
                bound: within,
                place: place(traffic.at()),
            });
        }
    }

    fn detects(&mut self, spec: &Placed<ExpectSpec>, fault: &Placed<String>) {
        let faults = self.names.fault(fault, fault.at(), self.problems);
        let service = match &spec.service {
            None => Some(None),
            Some(name) => self.names.service(name, self.problems).map(Some),
        };
        let alone = self.alone(spec, "detects", &["within", "service"]);
        let within = self.within(spec, fault);
        if let (Some(faults), Some(service), Some(bound), true) = (faults, service, within, alone) {
            self.plans.push(Expectation {
                demand: Demand::Detects { faults, service },
                bound,
                place: place(fault.at()),
            });
        }
    }

    fn within(&mut self, spec: &Placed<ExpectSpec>, of: &Placed<String>) -> Option<Bound> {
        let Some(within) = &spec.within else {
            let error = self
                .problems
                .error(of.at(), "within what time?")
                .help("such as `within: 5s`");
            self.problems.push(error);
            return None;
        };
        Some(Bound {
            comparison: Comparison::AtMost,
            value: within.0.as_secs_f64(),
        })
    }

    /// Whether nothing else stands beside `key`.
    fn alone(&mut self, spec: &Placed<ExpectSpec>, key: &str, with: &[&str]) -> bool {
        let mut others = vec![
            ("traffic", spec.traffic.as_ref().map(Placed::at)),
            ("edge", spec.edge.as_ref().map(Placed::at)),
            ("service", spec.service.as_ref().map(Placed::at)),
            ("mesh", spec.mesh.map(|_| spec.at())),
            ("to", spec.to.as_ref().map(Placed::at)),
            ("during", spec.during.as_ref().map(Placed::at)),
            ("before", spec.before.as_ref().map(Placed::at)),
            ("after", spec.after.as_ref().map(Placed::at)),
            ("slo", spec.slo.as_ref().map(Placed::at)),
        ];
        let demands = claims::written(spec);
        others.extend(demands.iter().map(|demand| (demand.key, Some(&demand.at))));
        let stray = others
            .into_iter()
            .filter(|(other, _)| !with.contains(other))
            .find_map(|(other, at)| at.map(|at| (other, at)));
        if let Some((other, at)) = stray {
            let with: Vec<String> = with.iter().map(|key| format!("`{key}`")).collect();
            let error = self
                .problems
                .error(at, format!("`{other}` says nothing beside `{key}`"))
                .help(format!("`{key}` takes {}", with.join(" and ")));
            self.problems.push(error);
        }
        stray.is_none()
    }
}

const fn article(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Traffic => "traffic",
        SubjectKind::Edge => "an edge",
        SubjectKind::Service => "a service",
        SubjectKind::Mesh => "the whole mesh",
    }
}

/// Which kinds of subject have a measure.
fn kinds(key: &str, measure: &Measure) -> String {
    let kinds: Vec<String> = measure
        .subjects()
        .iter()
        .map(|kind| format!("`{}`", kind.key()))
        .collect();
    format!("`{key}` is a measure of {}", kinds.join(", "))
}
