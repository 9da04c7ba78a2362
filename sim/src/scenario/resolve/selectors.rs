//! Which pods a fault is for.

use globset::GlobBuilder;
use mesh_core::control::Workload;
use mesh_core::document::Diagnostic;

use crate::plan::{PodPlan, PodSelector, TrafficPlan};
use crate::scenario::file::{Placed, PodsSpec};
use crate::scenario::problems::Problems;

use super::groups::Groups;

/// A pod, as selectors see it.
pub(super) struct Candidate<'a> {
    workload: &'a Workload,
    /// Services it belongs to; a traffic source has its own name here.
    services: Vec<&'a str>,
    /// Whether it is a traffic source.
    pub(super) is_source: bool,
}

/// Every pod of the plan, apps first.
pub(super) fn candidates<'a>(
    pods: &'a [PodPlan],
    traffic: &'a [TrafficPlan],
    groups: &'a Groups<'_>,
) -> Vec<Candidate<'a>> {
    let apps = pods.iter().map(|pod| Candidate {
        workload: &pod.workload,
        services: services_of(pod, groups),
        is_source: false,
    });
    let sources = traffic.iter().map(|source| Candidate {
        workload: &source.workload,
        services: vec![&source.name],
        is_source: true,
    });
    apps.chain(sources).collect()
}

fn services_of<'a>(pod: &'a PodPlan, groups: &'a Groups<'_>) -> Vec<&'a str> {
    let workload = &pod.workload;
    let mut services: Vec<&str> = groups
        .services
        .iter()
        .map(|(service, _)| service)
        .filter(|service| {
            service.namespace == workload.namespace
                && !service.selector.is_empty()
                && service
                    .selector
                    .iter()
                    .all(|(key, value)| workload.labels.get(key) == Some(value))
        })
        .map(|service| &*service.name)
        .collect();
    if services.is_empty() {
        services.push(&pod.service);
    }
    services
}

/// The pods for which everything in `spec` holds.
pub(super) fn select(
    spec: &PodsSpec,
    at: &mesh_core::policy::Position,
    candidates: &[Candidate<'_>],
    problems: &Problems,
) -> Result<PodSelector, Diagnostic> {
    if spec.is_empty() {
        return Err(problems
            .error(at, "which pods?")
            .help("such as `service: reviews`, `pod: reviews-v1-*` or `zone: a`"));
    }
    let mut chosen: Vec<&Candidate<'_>> = candidates.iter().collect();
    let mut words = Vec::new();
    for (key, wanted) in spec.parts() {
        let Some(wanted) = wanted else { continue };
        let test = Test::new(key, wanted, problems)?;
        if !candidates.iter().any(|candidate| test.holds(candidate)) {
            return Err(nothing_has(key, wanted, candidates, problems));
        }
        chosen.retain(|candidate| test.holds(candidate));
        words.push(if key == "pod" {
            wanted.value().clone()
        } else {
            format!("{key} {}", wanted.value())
        });
    }
    let text = words.join(", ");
    if chosen.is_empty() {
        return Err(problems.error(at, format!("no pod is all of this: {text}")));
    }
    Ok(PodSelector {
        pods: chosen
            .iter()
            .map(|candidate| candidate.workload.name.to_string())
            .collect(),
        text,
    })
}

/// One demand on pods.
enum Test<'a> {
    Service(&'a str),
    Version(&'a str),
    Name(globset::GlobMatcher),
    Zone(&'a str),
    Region(&'a str),
    Namespace(&'a str),
}

impl<'a> Test<'a> {
    fn new(key: &str, wanted: &'a Placed<String>, problems: &Problems) -> Result<Self, Diagnostic> {
        let text = wanted.value().as_str();
        Ok(match key {
            "service" => Self::Service(text),
            "version" => Self::Version(text),
            "zone" => Self::Zone(text),
            "region" => Self::Region(text),
            "namespace" => Self::Namespace(text),
            _ => {
                let glob = GlobBuilder::new(text).build().map_err(|error| {
                    let message = format!("`{text}` is not a pattern: {}", error.kind());
                    problems.error(wanted.at(), message)
                })?;
                Self::Name(glob.compile_matcher())
            }
        })
    }

    fn holds(&self, candidate: &Candidate<'_>) -> bool {
        let workload = candidate.workload;
        match self {
            Self::Service(name) => candidate.services.iter().any(|service| {
                service == name || *name == format!("{service}.{}", workload.namespace)
            }),
            Self::Version(version) => workload
                .labels
                .get("version")
                .is_some_and(|own| own == version),
            Self::Name(glob) => glob.is_match(&*workload.name),
            Self::Zone(zone) => *workload.locality.zone == **zone,
            Self::Region(region) => *workload.locality.region == **region,
            Self::Namespace(namespace) => *workload.namespace == **namespace,
        }
    }
}

fn nothing_has(
    key: &str,
    wanted: &Placed<String>,
    candidates: &[Candidate<'_>],
    problems: &Problems,
) -> Diagnostic {
    let known: Vec<&str> = candidates
        .iter()
        .flat_map(|candidate| match key {
            "service" => candidate.services.clone(),
            "version" => candidate
                .workload
                .labels
                .get("version")
                .map(String::as_str)
                .into_iter()
                .collect(),
            "zone" => vec![&*candidate.workload.locality.zone],
            "region" => vec![&*candidate.workload.locality.region],
            "namespace" => vec![&*candidate.workload.namespace],
            _ => vec![&*candidate.workload.name],
        })
        .filter(|name| !name.is_empty())
        .collect();
    let message = if key == "pod" {
        format!("no pod's name matches `{}`", wanted.value())
    } else {
        format!("no pod has the {key} `{}`", wanted.value())
    };
    problems
        .error(wanted.at(), message)
        .did_you_mean(wanted, known.iter().copied())
        .note(listed(key, known))
}

fn listed(key: &str, mut names: Vec<&str>) -> String {
    const LISTED_MAX: usize = 12;
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return format!("no pod has a {key}");
    }
    let more = names.len().saturating_sub(LISTED_MAX);
    names.truncate(LISTED_MAX);
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("there are {}{rest}", quoted.join(", "))
}
