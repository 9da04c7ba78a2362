//! Scenarios made of several files.

use std::fs;
use std::path::Path;

use super::shown;
use crate::plan::{ScriptedResponse, Step};
use crate::scenario::{Loaded, Overrides, load};

/// A small Bookinfo: one service of two versions, one of one, a page that calls both.
const MANIFEST: &str = "
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { ports: [{ port: 9080, name: http }], selector: { app: reviews } }
---
apiVersion: v1
kind: Service
metadata: { name: page }
spec: { ports: [{ port: 80, targetPort: 9080, name: http }], selector: { app: page } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: reviews-v1 }
spec:
  replicas: 2
  selector: { matchLabels: { app: reviews, version: v1 } }
  template:
    metadata: { labels: { app: reviews, version: v1 } }
    spec: { serviceAccountName: bookinfo-reviews, containers: [{ name: a, image: a, ports: [{ containerPort: 9080 }] }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: reviews-v2 }
spec:
  selector: { matchLabels: { app: reviews, version: v2 } }
  template:
    metadata: { labels: { app: reviews, version: v2 } }
    spec: { containers: [{ name: a, image: a, ports: [{ containerPort: 9080 }] }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: page }
spec:
  selector: { matchLabels: { app: page } }
  template:
    metadata: { labels: { app: page } }
    spec: { containers: [{ name: a, image: a, ports: [{ containerPort: 9080 }] }] }
";

const ROUTES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ route: [{ destination: { host: reviews } }], timeout: 1s }]
";

/// Writes files and loads the first; paths in messages begin with `DIR`.
fn try_load(files: &[(&str, &str)]) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    load(&directory.path().join(files[0].0), &Overrides::default())
        .map_err(|errors| shown(&errors).replace(&directory.path().display().to_string(), "DIR"))
}

fn loaded(files: &[(&str, &str)]) -> Loaded {
    try_load(files).unwrap_or_else(|errors| panic!("{errors}"))
}

fn scenario(body: &str) -> String {
    format!("meshquake: v1\nduration: 1m\n{body}")
}

#[test]
fn a_manifest_alone_answers_everything() {
    let scenario =
        scenario("topology: { import: ['k8s/*.yaml'] }\ntraffic: { t: { to: page, rate: 1/s } }\n");
    let plan = loaded(&[("s.yaml", &scenario), ("k8s/all.yaml", MANIFEST)]).plan;
    assert_eq!(plan.name, "s");
    let names: Vec<&str> = plan.pods.iter().map(|pod| &*pod.workload.name).collect();
    assert_eq!(
        names,
        ["reviews-v1-0", "reviews-v1-1", "reviews-v2-0", "page-0"]
    );
    assert_eq!(plan.pods[0].service, "reviews");
    assert_eq!(&*plan.pods[0].workload.service_account, "bookinfo-reviews");
    assert_eq!(plan.pods[3].ports, [9080]);
    assert!(
        plan.pods
            .iter()
            .all(|pod| pod.app.fallback.steps.is_empty())
    );
    assert_eq!(plan.traffic[0].request.authority, "page:80");
}

#[test]
fn behaviour_is_added_to_what_is_imported() {
    let scenario = scenario(
        "topology: { import: [k8s.yaml] }\nservices:\n  page: { replicas: 3, handles: { /: [call: reviews] } }\n  reviews:\n    workers: 4\n    versions: { v2: { responses: [503] } }\n  reviews-v1: { workers: 9 }\n",
    );
    let plan = loaded(&[("s.yaml", &scenario), ("k8s.yaml", MANIFEST)]).plan;
    assert_eq!(plan.pods.len(), 6);
    let (v1, v2) = (&plan.pods[0].app, &plan.pods[2].app);
    assert_eq!((v1.workers, v2.workers), (Some(9), Some(4)));
    assert_eq!(v2.fallback.responses, [ScriptedResponse::Status(503)]);
    let Step::Call(call) = &plan.pods[3].app.endpoints[0].steps[0] else {
        panic!("a call");
    };
    assert_eq!(call.authority, "reviews:9080");
}

#[test]
fn mesh_configuration_may_stand_anywhere() {
    let both = format!("{MANIFEST}---{ROUTES}");
    let scenario = scenario("topology: { import: [all.yaml] }\n");
    let plan = loaded(&[("s.yaml", &scenario), ("all.yaml", &both)]).plan;
    assert_eq!(plan.mesh.routes.len(), 1);
    let listed = "{apiVersion: v1, kind: List, items: [{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: reviews}, spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}]}]}}]}";
    let scenario = self::scenario(
        "mesh: { config: [m/*.yaml] }\ntopology: { import: [k.yaml], namespace: shop }\n",
    );
    let plan = loaded(&[
        ("s.yaml", &scenario),
        ("k.yaml", MANIFEST),
        ("m/a.yaml", listed),
    ])
    .plan;
    assert_eq!(plan.mesh.routes[0].namespace, "shop");
    assert_eq!(&*plan.services[0].namespace, "shop");
}

#[test]
fn routes_of_hosts_that_are_not_there_are_noted() {
    let rule = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: slips }
spec:
  hosts: [reveiws]
  http:
  - match: [{ uri: { prefix: /old } }]
    route: [{ destination: { host: ratings } }]
  - route: [{ destination: { host: reviews } }]
";
    let scenario = scenario("mesh: { config: [m.yaml] }\ntopology: { import: [k.yaml] }\n");
    let files = |mesh| {
        [
            ("s.yaml", &*scenario),
            ("k.yaml", MANIFEST),
            ("m.yaml", mesh),
        ]
    };
    let notes = loaded(&files(rule)).plan.mesh.notes;
    let told: Vec<String> = notes
        .iter()
        .map(|note| {
            format!(
                "{} {:?} {}: {}",
                note.at.line, note.kind, note.object, note.message
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "2 NoEffect VirtualService default/slips: there is no service `reveiws.default.svc.cluster.local`: \
             its routes take no requests",
            "8 Suspicious VirtualService default/slips: there is no service `ratings.default.svc.cluster.local`: \
             requests routed there are answered 503",
        ]
    );
    let right = rule
        .replace("reveiws", "reviews")
        .replace("ratings", "reviews");
    assert_eq!(loaded(&files(&right)).plan.mesh.notes, []);
    let elsewhere = right.replacen(
        "{ host: reviews }",
        "{ host: reviews, port: { number: 1 } }",
        1,
    );
    let notes = loaded(&files(&elsewhere)).plan.mesh.notes;
    let [note] = notes.as_slice() else {
        panic!("{notes:?}");
    };
    assert!(
        note.message
            .starts_with("`reviews.default.svc.cluster.local` has no port 1, only "),
        "{}",
        note.message
    );
    let declared = format!(
        "{}---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{ name: out }}\nspec: {{ hosts: [ratings.default.svc.cluster.local, reveiws.default.svc.cluster.local], ports: [{{ number: 80, name: http, protocol: HTTP }}], resolution: DNS }}\n",
        rule
    );
    assert_eq!(loaded(&files(&declared)).plan.mesh.notes, []);
}

#[test]
fn an_isotope_graph_brings_its_scripts() {
    let graph = "services:\n- name: a\n  script: [{ call: b }]\n- name: b\n  errorRate: 10%\n";
    let scenario = scenario(
        "topology: { import: [graph.yaml] }\nservices: { b: { workers: 2 } }\ntraffic: { t: { to: a, rate: 1/s } }\n",
    );
    let plan = loaded(&[("s.yaml", &scenario), ("graph.yaml", graph)]).plan;
    assert!(matches!(&plan.pods[0].app.fallback.steps[0], Step::Call(call) if call.service == "b"));
    assert_eq!(plan.pods[1].app.workers, Some(2));
}

#[test]
fn mistakes_in_names_of_imported_things() {
    let scenario = scenario(
        "topology: { import: [k8s.yaml] }\nservices:\n  reviews: { ports: [80], versions: { v3: { workers: 1 } } }\n  reviews-v1: { versions: { a: } }\n  page: { labels: { app: x } }\n",
    );
    let errors = try_load(&[("s.yaml", &scenario), ("k8s.yaml", MANIFEST)]).unwrap_err();
    insta::assert_snapshot!(errors, @r"
    error: `reviews` is an imported service: its ports are in its manifest
     --> DIR/s.yaml:5:22
      |
    5 |   reviews: { ports: [80], versions: { v3: { workers: 1 } } }
      |                      ^^

    error: no version `v3` of `reviews`
     --> DIR/s.yaml:5:39
      |
    5 |   reviews: { ports: [80], versions: { v3: { workers: 1 } } }
      |                                       ^^
      |
      = help: did you mean `v1`?
      = note: its pods have the versions v1, v2

    error: `reviews-v1` is an imported Deployment: it has no versions of its own
     --> DIR/s.yaml:6:29
      |
    6 |   reviews-v1: { versions: { a: } }
      |                             ^

    error: the pods of `page` have a label `app` already
     --> DIR/s.yaml:7:21
      |
    7 |   page: { labels: { app: x } }
      |                     ^^^
      |
      = help: services select pods by it: leave it as it is
    ");
}

#[test]
fn a_slip_in_a_name_is_suspected() {
    let scenario = scenario(
        "topology: { import: [k8s.yaml] }\nservices: { reveiws: { workers: 1 } }\ntraffic: { t: { to: page, rate: 1/s } }\n",
    );
    let loaded = loaded(&[("s.yaml", &scenario), ("k8s.yaml", MANIFEST)]);
    let shown = shown(&loaded.warnings);
    assert!(
        shown.contains("did you mean the imported `reviews`?"),
        "{shown}"
    );
}

#[test]
fn files_that_are_not_there() {
    let scenario = scenario(
        "topology:\n  import:\n    - k8.yaml\n    - deploy/*.yaml\nmesh: { config: ['['] }\n",
    );
    let errors = try_load(&[("s.yaml", &scenario), ("k8s.yaml", MANIFEST)]).unwrap_err();
    insta::assert_snapshot!(errors.replace("(os error 2)", ""), @r"
    error: cannot read `DIR/k8.yaml`: No such file or directory 
     --> DIR/s.yaml:5:7
      |
    5 |     - k8.yaml
      |       ^^^^^^^ named here
      |
      = help: there is a `k8s.yaml` beside it

    error: `deploy/*.yaml` matches no file
     --> DIR/s.yaml:6:7
      |
    6 |     - deploy/*.yaml
      |       ^^^^^^^^^^^^^

    error: `[` is not a pattern: unclosed character class; missing ']'
     --> DIR/s.yaml:7:18
      |
    7 | mesh: { config: ['['] }
      |                  ^^^
    ");
}

#[test]
fn files_that_are_something_else() {
    let scenario = scenario("topology: { import: [a.yaml, b.yaml, s.yaml, d.yaml, e.yaml] }\n");
    let errors = try_load(&[
        ("s.yaml", scenario.as_str()),
        ("a.yaml", "hello: world\n"),
        ("b.yaml", "a: [1\n"),
        (
            "d.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { ports: many }\n",
        ),
        ("e.yaml", ""),
    ])
    .unwrap_err();
    insta::assert_snapshot!(errors, @r"
    error: this is neither a Kubernetes object nor an isotope graph
     --> DIR/a.yaml:1:1
      |
    1 | hello: world
      | ^^^^^^^^^^^^
      |
     ::: DIR/s.yaml:3:22
      |
    3 | topology: { import: [a.yaml, b.yaml, s.yaml, d.yaml, e.yaml] }
      |                      ------ named here
      |
      = help: a Kubernetes object has `apiVersion` and `kind`; an isotope graph has a list `services`

    error: this is not valid YAML: while parsing a flow sequence, expected ',' or ']'
     --> DIR/b.yaml:2:1
      |
    2 |
      | ^

    error: this is a scenario, and scenarios cannot be imported
     --> DIR/s.yaml:1:1
      |
    1 | meshquake: v1
      | ^^^^^^^^^
    2 | duration: 1m
    3 | topology: { import: [a.yaml, b.yaml, s.yaml, d.yaml, e.yaml] }
      |                                      ------ named here
    ");
}

#[test]
fn an_enormous_file_is_refused() {
    let big = "#".repeat(50 << 20);
    let scenario = scenario("topology: { import: [big.yaml] }\n");
    let errors = try_load(&[("s.yaml", &scenario), ("big.yaml", &big)]).unwrap_err();
    assert!(
        errors.contains("`DIR/big.yaml` is larger than 16 MiB"),
        "{errors}"
    );
    assert!(
        try_load(&[("s.yaml", &big)])
            .unwrap_err()
            .contains("larger than 16 MiB")
    );
}

#[test]
fn the_scenario_itself_may_be_missing() {
    let errors = load(Path::new("no/such/scenario.yaml"), &Overrides::default()).unwrap_err();
    assert!(shown(&errors).contains("cannot read `no/such/scenario.yaml`"));
}

#[test]
fn a_fingerprint_covers_every_file() {
    let scenario = scenario("topology: { import: [k8s.yaml] }\n");
    let of = |manifest: &str| {
        loaded(&[("s.yaml", &scenario), ("k8s.yaml", manifest)])
            .plan
            .fingerprint
    };
    assert_eq!(of(MANIFEST), of(MANIFEST));
    assert_ne!(of(MANIFEST), of(&format!("{MANIFEST}# x")));
}
