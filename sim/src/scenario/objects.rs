//! Values set in imported objects: `mesh:VirtualService/reviews.spec.http[0].timeout=1s`.
//!
//! An object is named by its kind and name, with its namespace in between where
//! several have the name; the path within it follows, as for the scenario
//! itself. Names of objects hold dots, so the longest name that fits is meant.
//! Manifests are reached like mesh configuration.

use mesh_core::document::{Diagnostic, Document, Node, Source, nearest};
use mesh_core::policy::NoteKind;

use super::inputs::Inputs;
use super::problems::Problems;
use crate::plan::Plan;

/// What such paths begin with.
const PREFIX: &str = "mesh:";

/// Whether a path leads into an imported object.
pub(super) fn is_object_path(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Sets the values of `set` that lie in imported objects.
pub(super) fn set(inputs: &mut Inputs, set: &[(String, String)], problems: &mut Problems) {
    for (path, value) in set.iter().filter(|(path, _)| is_object_path(path)) {
        match set_one(inputs, path, value) {
            Ok(overlay) => problems.know(&overlay),
            Err(error) => problems.push(error),
        }
    }
}

fn set_one(inputs: &mut Inputs, path: &str, value: &str) -> Result<Source, Diagnostic> {
    let named = path.strip_prefix(PREFIX).unwrap_or(path);
    let cannot = |why: String| Diagnostic::error(format!("cannot set `{path}`: {why}"));
    let names: Vec<String> = objects(inputs).map(name).collect();
    let found: Vec<(usize, &str)> = objects(inputs)
        .enumerate()
        .filter_map(|(index, document)| Some((index, within(document, named)?)))
        .collect();
    // `reviews.prod` is an object of that name rather than the field `prod` of one named `reviews`.
    let shortest = found.iter().map(|(_, rest)| rest.len()).min();
    let best: Vec<&(usize, &str)> = found
        .iter()
        .filter(|(_, rest)| Some(rest.len()) == shortest)
        .collect();
    let (index, rest) = match best.as_slice() {
        [] => {
            let wanted = named.split(['.', '[']).next().unwrap_or(named);
            let error = cannot(format!("no imported object is called `{wanted}`"));
            return Err(match nearest(wanted, names.iter().map(String::as_str)) {
                Some(near) => error.help(format!("did you mean `{PREFIX}{near}`?")),
                None if names.is_empty() => error.help("the scenario imports no objects"),
                None => error.help(format!("there are {}", listed(&names))),
            });
        }
        [(index, rest)] => (*index, *rest),
        [(first, _), (second, _), ..] => {
            let error = cannot("several imported objects are called so".into());
            let full =
                [*first, *second].map(|index| format!("`{PREFIX}{}`", full_name(inputs, index)));
            return Err(error.help(format!("name the namespace too: {}", full.join(", "))));
        }
    };
    if rest.is_empty() {
        return Err(cannot("it names an object and no field of it".into()));
    }
    let document = objects_mut(inputs)
        .nth(index)
        .ok_or_else(|| cannot("it is gone".into()))?;
    document.set_as(&format!("--set {path}"), rest, value)?;
    let overlay = document.overlays().last().cloned();
    overlay.ok_or_else(|| cannot("nothing was set".into()))
}

/// A field that the mesh does not know is a note when a file has it, and a mistake when somebody sets it.
pub(super) fn refuse_unknown(plan: &Plan, problems: &mut Problems) {
    let set = plan.mesh.notes.iter().filter(|note| note.at.is_set());
    let unknown: Vec<_> = set
        .filter(|note| note.kind == NoteKind::UnknownField)
        .collect();
    for note in unknown {
        let error = problems.error(&note.at, format!("{}: {}", note.object, note.message));
        problems.push(error);
    }
}

fn objects(inputs: &Inputs) -> impl Iterator<Item = &Document> {
    inputs.mesh.iter().chain(&inputs.kubernetes)
}

fn objects_mut(inputs: &mut Inputs) -> impl Iterator<Item = &mut Document> {
    inputs.mesh.iter_mut().chain(&mut inputs.kubernetes)
}

fn text<'a>(node: &'a Node, key: &str) -> &'a str {
    node.get(key).and_then(Node::as_str).unwrap_or_default()
}

fn metadata<'a>(document: &'a Document, key: &str) -> &'a str {
    document
        .root
        .get("metadata")
        .map_or("", |metadata| text(metadata, key))
}

/// `Kind/name`.
fn name(document: &Document) -> String {
    format!(
        "{}/{}",
        text(&document.root, "kind"),
        metadata(document, "name")
    )
}

/// `Kind/namespace/name`.
fn full_name(inputs: &Inputs, index: usize) -> String {
    objects(inputs)
        .nth(index)
        .map_or_else(String::new, |document| {
            let (kind, namespace) = (
                text(&document.root, "kind"),
                metadata(document, "namespace"),
            );
            let namespace = if namespace.is_empty() {
                "default"
            } else {
                namespace
            };
            format!("{kind}/{namespace}/{}", metadata(document, "name"))
        })
}

/// The path within `document`, when `named` begins with its name.
fn within<'a>(document: &Document, named: &'a str) -> Option<&'a str> {
    let rest = named
        .strip_prefix(text(&document.root, "kind"))?
        .strip_prefix('/')?;
    let (namespace, name) = (metadata(document, "namespace"), metadata(document, "name"));
    let namespace = if namespace.is_empty() {
        "default"
    } else {
        namespace
    };
    let after = |name: &str| {
        let after = rest.strip_prefix(name)?;
        match after.chars().next() {
            None => Some(""),
            Some('.') => Some(&after[1..]),
            Some('[') => Some(after),
            Some(_) => None,
        }
    };
    after(name).or_else(|| after(&format!("{namespace}/{name}")))
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{PREFIX}{name}`"))
        .collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mesh_core::policy::RouteAction;

    use super::super::{Overrides, load};

    const SCENARIO: &str = "\
meshquake: v1
duration: 1s
mesh: { config: [mesh.yaml] }
services: { reviews: { ports: [80] } }
traffic: { users: { to: \"http://reviews/\", rate: 1/s } }
";

    const MESH: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }] }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews.default }
spec: { host: reviews }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: twice, namespace: a }
spec: { host: nowhere }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: twice, namespace: b }
spec: { host: nowhere }
";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s.yaml"), SCENARIO).unwrap();
        std::fs::write(folder.path().join("mesh.yaml"), MESH).unwrap();
        folder
    }

    fn set(folder: &Path, path: &str, value: &str) -> Result<crate::plan::Plan, String> {
        let overrides = Overrides {
            set: vec![(path.into(), value.into())],
            ..Overrides::default()
        };
        let loaded = load(&folder.join("s.yaml"), &overrides);
        loaded.map(|loaded| loaded.plan).map_err(|problems| {
            let texts: Vec<String> = problems
                .iter()
                .map(|problem| problem.render(false))
                .collect();
            texts.join("\n")
        })
    }

    #[test]
    fn a_field_of_an_object_can_be_set() {
        let folder = folder();
        let plan = set(
            folder.path(),
            "mesh:VirtualService/reviews.spec.http[0].timeout",
            "1s",
        )
        .unwrap();
        let route = &plan.mesh.routes[0].routes[0].route;
        assert_eq!(route.timeout.value, Some(std::time::Duration::from_secs(1)));
        let pool = "mesh:DestinationRule/reviews.default.spec.trafficPolicy.connectionPool.http.maxRetries";
        let plan = set(folder.path(), pool, "3").unwrap();
        let pool = plan.mesh.destinations[0].policy.pool.clone();
        let rules = plan
            .mesh
            .destinations
            .iter()
            .filter_map(|rule| rule.policy.pool.as_ref());
        assert!(rules.chain(&pool).any(|pool| pool.value.retries_max == 3));
        assert!(
            set(
                folder.path(),
                "mesh:DestinationRule/a/twice.spec.host",
                "reviews"
            )
            .is_ok()
        );
        let base = set(folder.path(), "name", "s").unwrap().fingerprint;
        assert_ne!(base, plan.fingerprint);
    }

    const WRITTEN: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
  - timeout: 9s
    retries: { attempts: 1, perTryTimeout: 2s }
    mirror: { host: reviews }
    rewrite: { uri: /a }
    route:
    - { destination: { host: reviews }, weight: 60 }
    - { destination: { host: ratings }, weight: 40 }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  trafficPolicy:
    connectionPool: { tcp: { maxConnections: 3 }, http: { maxRetries: 1 } }
    outlierDetection: { interval: 1s }
    tls: { mode: DISABLE }
";

    /// What was set is told where it governs, and nowhere else.
    #[test]
    fn a_value_that_was_set_is_told_with_its_path() {
        const ROUTE: &str = "mesh:VirtualService/reviews.spec.http[0]";
        const POLICY: &str = "mesh:DestinationRule/reviews.spec.trafficPolicy";
        let folder = folder();
        std::fs::write(folder.path().join("mesh.yaml"), WRITTEN).unwrap();
        let origins = |path: &str, value: &str| {
            let plan = set(folder.path(), path, value).unwrap();
            let route = &plan.mesh.routes[0].routes[0].route;
            let RouteAction::Forward(forward) = &route.action else {
                panic!("it forwards")
            };
            let policy = &plan.mesh.destinations[0].policy;
            let origins = [
                &route.origin,
                &route.timeout.origin,
                &route.retry.origin,
                &route.mirrors[0].origin,
                &forward.destinations[0].origin,
                &forward.destinations[1].origin,
                &policy.pool.as_ref().unwrap().origin,
                &policy.outlier.as_ref().unwrap().origin,
                &policy.tls.as_ref().unwrap().origin,
            ];
            origins.map(|origin| {
                let folder = format!("{}/", folder.path().display());
                origin.to_string().replace(&folder, "")
            })
        };
        let plain = origins("name", "s");
        assert_eq!(plain[2], "mesh.yaml:8:14");
        let cases = [
            (
                0,
                format!("{ROUTE}.rewrite.uri"),
                "/b",
                "mesh.yaml:7:5 and ",
            ),
            (1, format!("{ROUTE}.timeout"), "1s", ""),
            (
                2,
                format!("{ROUTE}.retries.attempts"),
                "5",
                "mesh.yaml:8:14 and ",
            ),
            (2, format!("{ROUTE}.retries"), "{attempts: 5}", ""),
            (
                3,
                format!("{ROUTE}.mirrorPercentage.value"),
                "5",
                "mesh.yaml:9:13 and ",
            ),
            (
                4,
                format!("{ROUTE}.route[0].weight"),
                "90",
                "mesh.yaml:12:7 and ",
            ),
            (
                6,
                format!("{POLICY}.connectionPool.http.maxRetries"),
                "7",
                "mesh.yaml:21:21 and ",
            ),
            (
                7,
                format!("{POLICY}.outlierDetection.consecutive5xxErrors"),
                "7",
                "mesh.yaml:22:23 and ",
            ),
            (
                8,
                format!("{POLICY}.tls.mode"),
                "ISTIO_MUTUAL",
                "mesh.yaml:23:10 and ",
            ),
        ];
        for (index, path, value, before) in cases {
            let mut expected = plain.clone();
            expected[index] = format!("{before}--set {path}");
            assert_eq!(origins(&path, value), expected, "{path}");
        }
    }

    /// A sidecar is pushed the whole path, although of a file only the name.
    #[test]
    fn a_path_survives_being_sent() {
        let folder = folder();
        let path = "mesh:VirtualService/reviews.spec.http[0].timeout";
        let plan = set(folder.path(), path, "1s").unwrap();
        let timeout = &plan.mesh.routes[0].routes[0].route.timeout;
        let sent = serde_json::to_string(&timeout.origin).unwrap();
        assert!(sent.contains(&format!("--set {path}")), "{sent}");
        let route = serde_json::to_string(&plan.mesh.routes[0].routes[0].route.origin).unwrap();
        assert!(route.contains("\"file\":\"mesh.yaml\""), "{route}");
    }

    #[test]
    fn mistakes_are_told() {
        let folder = folder();
        let why = |path: &str| set(folder.path(), path, "1s").unwrap_err();
        let near = why("mesh:VirtualService/review.spec.http[0].timeout");
        assert!(
            near.contains("did you mean `mesh:VirtualService/reviews`?"),
            "{near}"
        );
        let twice = why("mesh:DestinationRule/twice.spec.host");
        assert!(twice.contains("mesh:DestinationRule/b/twice"), "{twice}");
        let object = why("mesh:VirtualService/reviews");
        assert!(object.contains("no field"), "{object}");
        let unknown = why("mesh:VirtualService/reviews.spec.http[0].timeot");
        assert!(unknown.contains("timeot"), "{unknown}");
        let index = why("mesh:VirtualService/reviews.spec.http[9].timeout");
        assert!(index.contains("past the end"), "{index}");
    }
}
