use std::time::Duration;

use mesh_core::policy::Fraction;

use mesh_core::document::{Source, parse};

use super::*;
use crate::plan;

fn document(text: &str) -> Document {
    let mut documents = parse(&Source::new("graph.yaml", text)).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn imported(text: &str) -> ImportedTopology {
    import(&document(text), "default").unwrap_or_else(|errors| {
        let shown: Vec<String> = errors.iter().map(|e| e.render(false)).collect();
        panic!("{}", shown.join("\n"))
    })
}

/// Position and message of every error, and its whole rendering.
fn refused(text: &str) -> Vec<(String, String)> {
    import(&document(text), "default")
        .unwrap_err()
        .iter()
        .map(|error| {
            let at = error.position().unwrap();
            let place = format!("{}:{}", at.line, at.column);
            (place, error.message().to_owned())
        })
        .collect()
}

fn one_error(text: &str) -> (String, String) {
    let mut errors = refused(text);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn notes(topology: &ImportedTopology) -> Vec<String> {
    let line = |note: &Note| format!("{}: {}", note.at.line, note.message);
    topology.notes.iter().map(line).collect()
}

fn app<'a>(topology: &'a ImportedTopology, name: &str) -> &'a AppPlan {
    let mut found = topology.deployments.iter().filter(|d| d.name == name);
    found.next().unwrap().app.as_ref().unwrap()
}

fn steps<'a>(topology: &'a ImportedTopology, name: &str) -> &'a [plan::Step] {
    &app(topology, name).fallback.steps
}

fn plain_call(service: &str, bytes: u64) -> plan::Step {
    plan::Step::Call(CallPlan {
        authority: format!("{service}:8080"),
        service: service.into(),
        method: "GET".into(),
        path: "/".into(),
        headers: vec![],
        forward_headers: vec![],
        body_bytes: bytes,
        probability: Fraction::ONE,
        timeout: None,
        tries: 1,
        optional: false,
    })
}

fn sleep(ms: u64) -> plan::Step {
    plan::Step::Sleep(Distribution::Constant(Duration::from_millis(ms)))
}

#[test]
fn a_graph_is_known_by_its_list_of_services() {
    assert!(is_isotope(&document("services: [{name: a}]")));
    assert!(is_isotope(&document(
        "kind: MockServiceGraph\nservices: []"
    )));
    assert!(!is_isotope(&document("services: {a: {image: x}}"))); // docker compose
    assert!(!is_isotope(&document("kind: Service\nservices: []")));
    assert!(!is_isotope(&document("[1, 2]")));
}

#[test]
fn defaults_reach_services_and_calls() {
    let topology = imported(
        "
defaults:
  type: grpc
  errorRate: 1%
  requestSize: 2 KB
  responseSize: 100
  numReplicas: 3
  script:
  - sleep: 5ms
services:
- name: front
  isEntrypoint: true
  numReplicas: 1
  script:
  - call: back
  - call: {service: back, size: 7}
- name: back
  type: http
  responseSize: 0.5K
  errorRate: 0
",
    );
    assert_eq!(topology.entrypoints, ["front"]);
    let front = app(&topology, "front");
    assert_eq!(front.fallback.errors, ErrorInjection::EveryNth(100));
    assert_eq!(front.fallback.response_bytes, 100);
    assert_eq!(
        front.fallback.steps,
        [plain_call("back", 2048), plain_call("back", 7)]
    );
    let back = app(&topology, "back");
    assert_eq!(back.fallback.errors, ErrorInjection::None);
    assert_eq!(back.fallback.response_bytes, 512);
    assert_eq!(back.fallback.steps, [sleep(5)]);
    let replicas: Vec<u32> = topology.deployments.iter().map(|d| d.replicas).collect();
    assert_eq!(replicas, [1, 3]);
    let http2: Vec<bool> = topology.services.iter().map(|s| s.ports[0].http2).collect();
    assert_eq!(http2, [true, false]);
    assert_eq!(notes(&topology), Vec::<String>::new());
}

#[test]
fn a_service_that_says_nothing_echoes() {
    let topology = imported("services:\n- {name: a, isEntrypoint: true}\n");
    assert_eq!(app(&topology, "a").fallback, EndpointPlan::echo());
    let deployment = &topology.deployments[0];
    assert_eq!(
        (deployment.replicas, &deployment.ports[..]),
        (1, &[8080][..])
    );
    assert_eq!(deployment.service_account, "default");
    let service = &topology.services[0];
    assert_eq!(&*service.host, "a.default.svc.cluster.local");
    assert_eq!(
        (service.ports[0].port, service.ports[0].target),
        (8080, 8080)
    );
    for (key, value) in &service.selector {
        assert_eq!(deployment.labels.get(key), Some(value));
    }
}

#[test]
fn scripts_are_sequential_but_for_lists_in_them() {
    let topology = imported(
        "
services:
- name: d
  isEntrypoint: true
  script:
  - sleep: 1.5s
  - - call: a
    - sleep: 10ms
    - call:
        service: b
        hostname: b.other.svc.cluster.local:8080
        extra-header: {x-tenant: gold}
        probability: 30
  - call: {service: a, probability: 0, hostname: a.default}
- name: a
- name: b
",
    );
    let mut other = plain_call("b", 0);
    if let plan::Step::Call(call) = &mut other {
        call.authority = "b.other.svc.cluster.local:8080".into();
        call.headers = vec![("x-tenant".into(), "gold".into())];
        call.probability = Fraction::from_percent(30.0).unwrap();
    }
    let mut always = plain_call("a", 0);
    if let plan::Step::Call(call) = &mut always {
        call.authority = "a.default:8080".into();
    }
    assert_eq!(
        steps(&topology, "d"),
        [
            sleep(1500),
            plan::Step::Parallel(vec![plain_call("a", 0), sleep(10), other]),
            always,
        ]
    );
}

#[test]
fn namespaces_are_kept_and_crossing_them_is_noted() {
    let topology = imported(
        "
services:
- name: a
  namespace: one
  isEntrypoint: true
  script:
  - call: b
  - call: {service: b, hostname: b.two.svc.cluster.local:8080}
- name: b
  namespace: two
  cluster: west
",
    );
    assert_eq!(topology.entrypoints, ["a.one"]);
    assert_eq!(&*topology.services[1].host, "b.two.svc.cluster.local");
    assert_eq!(
        notes(&topology),
        [
            "7: `b` is in namespace `two`; `a` in `one` does not reach it without a `hostname`",
            "11: all services run in one cluster",
        ]
    );
}

#[test]
fn what_isotope_ignores_is_noted() {
    let topology = imported(
        "
apiVersion: v1alpha1
kind: MockServiceGraph
default: {requestSize: 1 KB}
defaults: {numRbacPolicies: 3}
services:
- name: a
  isEntryPoint: true
  script:
  - call: {service: b, payloadSize: 1 KB}
- name: b
  colour: red
",
    );
    assert_eq!(
        notes(&topology),
        [
            "4: isotope ignores `default`; it reads `defaults`",
            "5: no RBAC policies are made up; write AuthorizationPolicies instead",
            "7: no service has `isEntrypoint: true`",
            "8: isotope ignores `isEntryPoint`; did you mean `isEntrypoint`?",
            "10: isotope ignores `payloadSize`; it reads `size`",
            "12: isotope ignores `colour`",
        ]
    );
    assert_eq!(
        topology.notes[4].field,
        "services[0].script[0].call.payloadSize"
    );
}

#[test]
fn endless_recursion_is_noted_unless_chance_ends_it() {
    let topology = imported(
        "
services:
- {name: a, isEntrypoint: true, script: [{call: b}]}
- {name: b, script: [[{call: c}, {sleep: 1ms}]]}
- {name: c, script: [{call: b}]}
- {name: d, script: [{call: {service: d, probability: 99}}]}
",
    );
    let endless = |name: &str| {
        format!(
            "`{name}` always calls itself, directly or by way of others: no request to it ever ends"
        )
    };
    assert_eq!(
        notes(&topology),
        [
            format!("4: {}", endless("b")),
            format!("5: {}", endless("c"))
        ]
    );
}

#[test]
fn a_coarse_error_rate_is_noted() {
    let topology = imported("services:\n- name: a\n  isEntrypoint: true\n  errorRate: 0.4\n");
    assert_eq!(
        notes(&topology),
        ["4: isotope fails every k-th request; 40% becomes k = 2, which is 50.00%"]
    );
}

#[test]
fn calls_to_nobody_are_errors() {
    let text = "
services:
- name: reviews
  script:
  - call: ratngs
  - - call: {service: billing}
- name: ratings
- name: ratings
";
    assert_eq!(
        refused(text),
        [
            (
                "8:9".into(),
                "the service `ratings` is defined twice".into()
            ),
            ("5:11".into(), "there is no service `ratngs`".into()),
            ("6:23".into(), "there is no service `billing`".into()),
        ]
    );
    let errors = import(&document(text), "default").unwrap_err();
    assert!(errors[1].render(false).contains("did you mean `ratings`?"));
    assert!(errors[0].render(false).contains("first here"));
}

#[test]
fn a_bad_default_script_is_one_error() {
    let text = "defaults: {script: [{call: x}]}\nservices: [{name: a}, {name: b}]\n";
    assert_eq!(one_error(text).1, "there is no service `x`");
}

#[test]
fn mistakes_are_named_where_they_are() {
    let script = |line: &str| one_error(&format!("services:\n- name: a\n  script:\n  {line}\n"));
    assert_eq!(
        script("- - sleep: 1ms\n    - - call: a"),
        ("5:7".into(), "concurrent commands may not be nested".into())
    );
    assert_eq!(
        script("- slep: 1ms"),
        ("4:5".into(), "unknown value `slep`".into())
    );
    assert_eq!(
        script("- sleep: 10"),
        (
            "4:12".into(),
            "expected a time with a unit, such as `10ms`, found the number 10".into()
        )
    );
    assert_eq!(
        script("- {sleep: 1ms, call: a}"),
        (
            "4:5".into(),
            "two commands in one step: write each as a list item of its own".into()
        )
    );
    assert_eq!(
        script("- call: {service: a, size: 10 kilo}"),
        (
            "4:30".into(),
            "`10 kilo` is not a size: a number, then at most one of `B`, `K`, `KB`, `KiB` (1024 bytes each), `M`, `G`, `T`, `P`".into()
        )
    );
    assert_eq!(
        script("- call: {service: a, probability: 101}").1,
        "a probability is from 0 to 100"
    );
    let field = |line: &str| one_error(&format!("services:\n- name: a\n  {line}\n"));
    assert_eq!(
        field("errorRate: 5"),
        (
            "3:14".into(),
            "an error rate is from 0 to 1, or from 0% to 100%".into()
        )
    );
    assert_eq!(field("errorRate: '5'").1, "`5` lacks its `%`");
    assert_eq!(
        field("errorRate: 101%").1,
        "an error rate is from 0 to 1, or from 0% to 100%"
    );
    assert_eq!(
        field("errorRate: 0.001%").1,
        "isotope cannot fail fewer requests than 0.01%: it divides by zero"
    );
    assert_eq!(field("responseSize: -1").1, "a size cannot be negative");
    assert_eq!(field("type: tcp").1, "unknown value `tcp`");
    assert_eq!(
        one_error("services: [{type: http}]").1,
        "the field `name` is missing"
    );
    assert_eq!(one_error("services:\n- name: A_b\n").0, "2:9");
}

#[test]
fn a_damaged_graph_is_read_or_refused() {
    let text = "
defaults: {type: grpc, errorRate: 1%, requestSize: 2 KB, numReplicas: 3, script: [{sleep: 5ms}]}
services:
- {name: a, isEntrypoint: true, script: [{call: b}, [{sleep: 1ms}, {call: {service: b, probability: 5}}]]}
- {name: b, labels: {x: y}, numRbacPolicies: 1}
";
    imported(text);
    for (at, _) in text.char_indices() {
        for replacement in ["", "x", "{", "]", ":", "-", "0", " "] {
            let damaged = format!("{}{replacement}{}", &text[..at], &text[at + 1..]);
            for document in parse(&Source::new("graph.yaml", &damaged)).unwrap_or_default() {
                if let Err(errors) = import(&document, "default") {
                    assert!(errors.iter().all(|error| !error.render(false).is_empty()));
                }
            }
        }
    }
}
