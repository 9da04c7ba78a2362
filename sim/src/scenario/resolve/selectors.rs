//! Which pods a fault is for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use globset::GlobBuilder;
use mesh_core::control::{Locality, Workload, WorkloadState};
use mesh_core::document::Diagnostic;

use crate::plan::{PodPlan, PodSelector, Take, TrafficPlan};
use crate::scenario::file::{Placed, PodsSpec};
use crate::scenario::problems::Problems;
use crate::world::CONTROL_HOST;

use super::groups::Groups;

/// What runs in a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An app.
    App,
    /// A traffic source.
    Source,
    /// The control plane.
    Control,
}

/// A pod, as selectors see it.
pub(super) struct Candidate<'a> {
    pub(super) workload: Cow<'a, Workload>,
    /// Services it belongs to; a traffic source has its own name here.
    pub(super) services: Vec<&'a str>,
    /// The node it runs on; a traffic source has none.
    node: &'a str,
    pub(super) kind: Kind,
}

/// The control plane's host as a pod. It is in no zone, so that no fault of a zone touches it by chance.
fn control_plane() -> Workload {
    Workload {
        name: CONTROL_HOST.into(),
        namespace: "istio-system".into(),
        ip: std::net::Ipv4Addr::UNSPECIFIED.into(),
        labels: BTreeMap::from([("app".to_owned(), CONTROL_HOST.to_owned())]),
        service_account: CONTROL_HOST.into(),
        meshed: false,
        locality: Locality::default(),
        state: WorkloadState::Ready,
    }
}

/// Every pod of the plan, apps first, the control plane last.
pub(super) fn candidates<'a>(
    pods: &'a [PodPlan],
    traffic: &'a [TrafficPlan],
    groups: &'a Groups<'_>,
) -> Vec<Candidate<'a>> {
    let apps = pods.iter().map(|pod| Candidate {
        workload: Cow::Borrowed(&pod.workload),
        services: services_of(pod, groups),
        node: &pod.node,
        kind: Kind::App,
    });
    let sources = traffic.iter().map(|source| Candidate {
        workload: Cow::Borrowed(&source.workload),
        services: vec![&source.name],
        node: "",
        kind: Kind::Source,
    });
    let control = Candidate {
        workload: Cow::Owned(control_plane()),
        services: vec![CONTROL_HOST],
        node: "",
        kind: Kind::Control,
    };
    apps.chain(sources).chain([control]).collect()
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
    candidates: &[&Candidate<'_>],
    problems: &Problems,
) -> Result<PodSelector, Diagnostic> {
    if spec.is_empty() {
        return Err(problems
            .error(at, "which pods?")
            .help("such as `service: reviews`, `pod: reviews-v1-*` or `zone: a`"));
    }
    let mut chosen: Vec<&Candidate<'_>> = candidates.to_vec();
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
    for (key, wanted) in spec.labels.iter() {
        let has = |candidate: &&Candidate<'_>| {
            candidate.workload.labels.get(key.value()) == Some(wanted.value())
        };
        if !candidates.iter().any(has) {
            return Err(no_label(key, wanted, candidates, problems));
        }
        chosen.retain(has);
        words.push(format!("{}={}", key.value(), wanted.value()));
    }
    let take = take(spec, chosen.len(), problems)?;
    match take {
        Take::All => {}
        Take::Count(count) => words.push(format!("{count} at random")),
        Take::Share(share) => words.push(format!("{}% at random", f64::from(share.ppm()) / 1e4)),
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
        take,
        text,
    })
}

/// How many of `count` pods are meant.
pub(super) fn take(spec: &PodsSpec, count: usize, problems: &Problems) -> Result<Take, Diagnostic> {
    match (&spec.random, &spec.share) {
        (None, None) => Ok(Take::All),
        (Some(_), Some(share)) => Err(problems.error(
            share.at(),
            "`random` and `share` both say how many; keep one of them",
        )),
        (Some(random), None) => match *random.value() {
            0 => Err(problems.error(random.at(), "0 pods are none")),
            n if n as usize > count => Err(problems.error(
                random.at(),
                format!("there are only {count} such pods to draw {n} from"),
            )),
            n => Ok(Take::Count(n)),
        },
        (None, Some(share)) if share.0.ppm() == 0 => {
            Err(problems.error(share.at(), "0% of the pods are none"))
        }
        (None, Some(share)) => Ok(Take::Share(share.0)),
    }
}

fn no_label(
    key: &Placed<String>,
    wanted: &Placed<String>,
    candidates: &[&Candidate<'_>],
    problems: &Problems,
) -> Diagnostic {
    let labels = || {
        candidates
            .iter()
            .flat_map(|candidate| &candidate.workload.labels)
    };
    let values: Vec<&str> = labels()
        .filter(|(name, _)| *name == key.value())
        .map(|(_, value)| value.as_str())
        .collect();
    if values.is_empty() {
        let names = labels().map(|(name, _)| name.as_str());
        return problems
            .error(key.at(), format!("no pod has a label `{}`", key.value()))
            .did_you_mean(key, names);
    }
    let message = format!("no pod has the label `{}={}`", key.value(), wanted.value());
    let error = problems.error(wanted.at(), message);
    error.did_you_mean(wanted, values.iter().copied())
}

/// One demand on pods.
enum Test<'a> {
    Service(&'a str),
    Version(&'a str),
    Name(globset::GlobMatcher),
    Zone(&'a str),
    Region(&'a str),
    Namespace(&'a str),
    Node(&'a str),
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
            "node" => Self::Node(text),
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
        let workload = &candidate.workload;
        match self {
            // A text alone may also be a pod's whole name.
            Self::Service(name) => {
                *workload.name == **name
                    || candidate.services.iter().any(|service| {
                        service == name || *name == format!("{service}.{}", workload.namespace)
                    })
            }
            Self::Version(version) => workload
                .labels
                .get("version")
                .is_some_and(|own| own == version),
            Self::Name(glob) => glob.is_match(&*workload.name),
            Self::Zone(zone) => *workload.locality.zone == **zone,
            Self::Region(region) => *workload.locality.region == **region,
            Self::Namespace(namespace) => *workload.namespace == **namespace,
            Self::Node(node) => candidate.node == *node,
        }
    }
}

fn nothing_has(
    key: &str,
    wanted: &Placed<String>,
    candidates: &[&Candidate<'_>],
    problems: &Problems,
) -> Diagnostic {
    if problems.is_full() {
        return problems.error(wanted.at(), "no pod is selected");
    }
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
            "node" => vec![candidate.node],
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
