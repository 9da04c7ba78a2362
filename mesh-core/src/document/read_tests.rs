//! Tests of reading types out of documents.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;

use super::*;
use crate::document::{Recover, Source, Spanned, parse};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Shop {
    name: String,
    replicas: Option<u32>,
    #[serde(default)]
    labels: IndexMap<String, String>,
    #[serde(default)]
    ports: BTreeMap<u16, Mode>,
    weight: Option<f64>,
    #[serde(default)]
    steps: Vec<Step>,
    at: Option<Spanned<String>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Mode {
    Strict,
    Permissive,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    Sleep(String),
    Call { service: String },
    Stop,
}

fn document(yaml: &str) -> Document {
    parse(&Source::new("shop.yaml", yaml)).unwrap().remove(0)
}

fn shop(yaml: &str) -> Result<Shop, Diagnostic> {
    let document = document(yaml);
    read(&document, &document.root)
}

fn refused(yaml: &str) -> String {
    shop(yaml).unwrap_err().render(false)
}

#[test]
fn every_kind_of_field_is_read() {
    let shop = shop(
        "name: a\nreplicas:\nlabels: {z: x, a: y}\nports: {80: STRICT, '90': PERMISSIVE}\nweight: 3\nsteps:\n- sleep: 5ms\n- call: {service: b}\n- stop\n- stop:\nat: here\n",
    )
    .unwrap();
    assert_eq!(shop.replicas, None);
    assert_eq!(shop.labels.keys().collect::<Vec<_>>(), ["z", "a"]);
    assert_eq!(shop.ports[&90], Mode::Permissive);
    assert_eq!(shop.weight, Some(3.0));
    assert_eq!(shop.steps.len(), 4);
    assert_eq!(shop.at.unwrap().at.to_string(), "shop.yaml:11:5");
}

#[test]
fn an_unknown_field_gets_the_nearest_name() {
    insta::assert_snapshot!(refused("name: a\nreplcas: 3\n"), @r"
    error: unknown field `replcas`
     --> shop.yaml:2:1
      |
    2 | replcas: 3
      | ^^^^^^^
      |
      = help: did you mean `replicas`?
      = note: valid here: `name`, `replicas`, `labels`, `ports`, `weight`, `steps`, `at`
    ");
}

#[test]
fn a_number_where_text_is_wanted_is_blamed_where_it_stands() {
    insta::assert_snapshot!(refused("name: a\nlabels:\n  app: x\n  version: 1\n"), @r#"
    error: expected text, found the number 1
     --> shop.yaml:4:12
      |
    4 |   version: 1
      |            ^
      |
      = help: put it in quotes: "1", or give it its unit if it is a time: 1s
    "#);
}

#[test]
fn a_wrong_variant_gets_the_nearest_name() {
    insta::assert_snapshot!(refused("name: a\nports:\n  80: STRCT\n"), @r"
    error: unknown value `STRCT`
     --> shop.yaml:3:7
      |
    3 |   80: STRCT
      |       ^^^^^
      |
      = help: did you mean `STRICT`?
      = note: valid here: `STRICT`, `PERMISSIVE`
    ");
}

#[test]
fn a_missing_field_points_at_its_mapping() {
    insta::assert_snapshot!(refused("name: a\nsteps:\n- call:\n    servise: b\n"), @r"
    error: the field `service` is missing
     --> shop.yaml:4:5
      |
    4 |     servise: b
      |     ^^^^^^^^^^
    ");
    insta::assert_snapshot!(refused("replicas: 1\nlabels: {}\n"), @r"
    error: the field `name` is missing
     --> shop.yaml:1:1
      |
    1 | replicas: 1
      | ^^^^^^^^
    ");
}

#[test]
fn words_for_people_stand_in_for_types() {
    let message = |yaml: &str| shop(yaml).unwrap_err().message().to_owned();
    assert_eq!(
        message("name: a\nreplicas: many"),
        "expected a whole number from 0 to 4294967295, found `many`"
    );
    assert_eq!(
        message("name: a\nreplicas: -1"),
        "expected a whole number from 0 to 4294967295, found the number -1"
    );
    assert_eq!(message("name: [a]"), "expected text, found a list");
    assert_eq!(message("[a]"), "expected a mapping, found a list");
    assert_eq!(
        message("name: a\nsteps: [sleep]"),
        "`sleep` needs a value: write `sleep: …`"
    );
    assert_eq!(
        message("name: a\nsteps: [{stop: 1}]"),
        "`stop` takes no value"
    );
    assert_eq!(
        message("name: a\nsteps: [{stop: , sleep: x}]"),
        "expected one of `sleep`, `call`, `stop`, found a mapping of 2"
    );
    assert_eq!(
        message("name: a\nports: {x: STRICT}"),
        "expected a whole number from 0 to 65535, found `x`"
    );
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Street {
    shops: IndexMap<String, Recover<Shop>>,
}

#[test]
fn every_mistake_is_found_at_once() {
    let document = document(
        "shops:\n  a: {name: 1}\n  b: {name: b}\n  c: {name: c, colour: red, replicas: x}\nhouses: 3\n",
    );
    let errors = read_all::<Street>(&document, &document.root).unwrap_err();
    let messages: Vec<&str> = errors.iter().map(Diagnostic::message).collect();
    assert_eq!(
        messages,
        [
            "expected text, found the number 1",
            "unknown field `colour`",
            "expected a whole number from 0 to 4294967295, found `x`",
            "unknown field `houses`"
        ]
    );
    let first = read::<Street>(&document, &document.root).unwrap_err();
    assert_eq!(first.message(), messages[0]);
}

#[test]
fn recovered_values_are_there() {
    let document = document("shops: {a: {name: a}}");
    let street: Street = read_all(&document, &document.root).unwrap();
    assert_eq!(street.shops["a"].get().unwrap().name, "a");
}

#[derive(Debug, Deserialize)]
struct Loose {
    spec: LooseSpec,
}

#[derive(Debug, Deserialize)]
struct LooseSpec {
    #[serde(default)]
    http: Vec<LooseRoute>,
}

#[derive(Debug, Deserialize)]
struct LooseRoute {
    name: String,
}

#[test]
fn ignored_fields_come_with_path_and_place() {
    let document =
        document("kind: x\nspec:\n  http:\n  - name: a\n    corsPolicy:\n      allow: all\n");
    let (loose, ignored): (Loose, _) = read_lenient(&document, &document.root).unwrap();
    assert_eq!(loose.spec.http[0].name, "a");
    let found: Vec<String> = ignored
        .iter()
        .map(|field| format!("{} {}", field.at, field.path))
        .collect();
    assert_eq!(
        found,
        [
            "shop.yaml:1:1 kind",
            "shop.yaml:5:5 spec.http[0].corsPolicy"
        ]
    );
}

#[test]
fn null_is_an_empty_mapping_and_an_empty_list() {
    let document = document("spec:\n  http:\n");
    let (loose, _): (Loose, _) = read_lenient(&document, &document.root).unwrap();
    assert!(loose.spec.http.is_empty());
}

#[test]
fn a_mistake_in_a_value_that_was_set_shows_that_value() {
    let mut document = document("name: a\nreplicas: 3\n");
    document.set("replicas", "lots").unwrap();
    let shown = read::<Shop>(&document, &document.root)
        .unwrap_err()
        .render(false);
    insta::assert_snapshot!(shown, @r"
    error: expected a whole number from 0 to 4294967295, found `lots`
     --> --set replicas:1:1
      |
    1 | lots
      | ^^^^
    ");
}
