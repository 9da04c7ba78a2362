//! Whole configurations.

use proptest::prelude::*;

use super::*;
use crate::dialect::testing::{documents, notes, policy, refused};
use crate::document::{Node, Source, parse};
use crate::policy::{MeshPolicy, NoteKind};

const SHOP: &str = include_str!("fixtures/shop.yaml");

/// JSON for a person: places and durations in one word, nothing that says nothing.
fn brief(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::Array(items) => items.into_iter().map(brief).collect(),
        Value::Object(entries) => {
            let number = |name: &str| entries.get(name).and_then(Value::as_u64);
            if let Some(Value::Object(at)) = entries.get("written") {
                return format!("{}:{}", at["line"], at["column"]).into();
            }
            if let Some(Value::String(what)) = entries.get("default") {
                return format!("default: {what}").into();
            }
            if let (Some(secs), Some(nanos)) = (number("secs"), number("nanos")) {
                return format!("{:?}", std::time::Duration::new(secs, nanos as u32)).into();
            }
            entries
                .into_iter()
                .map(|(name, value)| (name, brief(value)))
                .filter(|(_, value)| {
                    let empty = value.as_array().is_some_and(Vec::is_empty)
                        || value.as_object().is_some_and(serde_json::Map::is_empty);
                    !empty && !value.is_null() && *value != Value::Bool(false)
                })
                .collect()
        }
        other => other,
    }
}

#[test]
fn a_rich_file_compiles_to_this_policy() {
    let mut json = brief(serde_json::to_value(policy(SHOP)).unwrap());
    for part in ["profile", "notes"] {
        json.as_object_mut().unwrap().remove(part);
    }
    insta::assert_snapshot!("shop_policy", serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn a_rich_file_gives_these_notes() {
    let lines: Vec<String> = policy(SHOP)
        .notes
        .iter()
        .map(|note| {
            format!(
                "{} {:?}\n  {} {}\n  {}",
                note.at, note.kind, note.object, note.field, note.message
            )
        })
        .collect();
    insta::assert_snapshot!("shop_notes", lines.join("\n"));
}

#[test]
fn a_policy_survives_serialization() {
    let before = policy(SHOP);
    let json = serde_json::to_string(&before).unwrap();
    let after: MeshPolicy = serde_json::from_str(&json).unwrap();
    assert_eq!(before, after);
}

/// Keys of mappings with names of the author's choice, and what is not read by field.
const FREE: &[&str] = &[
    "metadata",
    "labels",
    "matchLabels",
    "match.headers",
    "withoutHeaders",
    "queryParams",
    "sourceLabels",
    "set",
    "add",
    "endpoints.ports",
    "portLevelMtls",
    "corsPolicy",
];

fn keys<'n>(node: &'n Node, path: &str, found: &mut Vec<(String, &'n Node)>) {
    for item in node.items() {
        keys(item, path, found);
    }
    for (key, value) in node.entries() {
        let name = key.as_str().unwrap_or_default();
        let below = format!("{path}.{name}");
        if !FREE.iter().any(|free| path.ends_with(free)) {
            found.push((below.clone(), key));
        }
        if !FREE
            .iter()
            .any(|free| ["metadata", "corsPolicy"].contains(free) && below.ends_with(free))
        {
            keys(value, &below, found);
        }
    }
}

#[test]
fn no_misspelt_field_is_dropped_in_silence() {
    let before = policy(SHOP);
    let documents = documents(SHOP);
    let mut tried = 0;
    for document in &documents {
        let kind = document.root.get("kind").and_then(Node::as_str);
        // Raw patches are searched for what is known, and the other kinds are not read.
        if matches!(kind, Some("EnvoyFilter" | "Telemetry" | "Service")) {
            continue;
        }
        let mut found = Vec::new();
        keys(&document.root, "", &mut found);
        for (path, key) in found {
            let mut text = SHOP.to_owned();
            text.insert(key.span.end.offset, 'x');
            let documents = parse(&Source::new("mesh.yaml", &text)).unwrap();
            tried += 1;
            if let Ok(after) = compile(&documents, &Profile::istio()) {
                let unknown = after
                    .notes
                    .iter()
                    .any(|note| note.kind == NoteKind::UnknownField);
                assert!(unknown, "{path} vanished: {:?}", before == after);
            }
        }
    }
    assert!(tried > 200, "{tried} keys tried");
}

#[test]
fn ordinary_objects_are_passed_over() {
    let yaml = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\n";
    let policy = policy(yaml);
    assert_eq!(policy, MeshPolicy::defaults(Profile::istio()));
    assert!(!is_mesh_config(&documents(yaml)[0]));
}

#[test]
fn what_is_no_object_is_refused() {
    assert_eq!(
        refused("a: 1\n"),
        ["1:1 this is not a Kubernetes object: it lacks `apiVersion` or `kind`"]
    );
    assert_eq!(refused("- 1\n").len(), 1);
    assert_eq!(
        refused("apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: {}\n"),
        ["1:1 this VirtualService has no `metadata.name`"]
    );
}

#[test]
fn lists_are_opened() {
    let yaml = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.istio.io/v1\n  kind: VirtualService\n  metadata: {name: v}\n  spec: {hosts: [v], http: [{route: [{destination: {host: v}}], tineout: 1s}]}\n";
    assert_eq!(policy(yaml).routes.len(), 1);
    assert_eq!(
        notes(yaml, NoteKind::UnknownField),
        ["7:65 spec.http[0].tineout: Istio has no field `tineout` here; did you mean `timeout`?"]
    );
    assert!(is_mesh_config(&documents(yaml)[0]));
    let mixed = format!("{yaml}- apiVersion: v1\n  kind: Service\n  metadata: {{name: v}}\n");
    assert_eq!(policy(&mixed).routes.len(), 1);
    assert!(!is_mesh_config(&documents(&mixed)[0]));
}

#[test]
fn of_two_objects_with_one_name_the_later_counts() {
    let service = |host: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v}}\nspec: {{hosts: [v], http: [{{route: [{{destination: {{host: {host}}}}}]}}]}}\n---\n"
        )
    };
    let other = service("x")
        .replace("name: v}", "name: other}")
        .replace("v1\n", "v1beta1\n");
    let yaml = service("old") + &other + &service("new").replace("v1\n", "v1alpha3\n");
    let policy = policy(&yaml);
    let names: Vec<_> = policy
        .routes
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    // It keeps the place of the first, as an object that is applied again does.
    assert_eq!(names, ["default/v", "default/other"]);
    let noted = notes(&yaml, NoteKind::NoEffect);
    assert_eq!(
        noted[0],
        "1:1 : replaced by the object of the same name at mesh.yaml:11:1"
    );
}

#[test]
fn kinds_that_are_not_simulated_get_one_note_each() {
    for (api, kind) in [
        ("networking.istio.io/v1", "Gateway"),
        ("networking.istio.io/v1", "Sidecar"),
        ("networking.istio.io/v1beta1", "WorkloadEntry"),
        ("security.istio.io/v1", "RequestAuthentication"),
        ("telemetry.istio.io/v1alpha1", "Telemetry"),
        ("extensions.istio.io/v1alpha1", "WasmPlugin"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("gateway.networking.k8s.io/v1", "GRPCRoute"),
        ("gateway.networking.k8s.io/v1alpha3", "BackendTLSPolicy"),
        ("future.istio.io/v7", "Anything"),
    ] {
        let yaml =
            format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{a: 1}}\n");
        let policy = policy(&yaml);
        assert_eq!(policy.notes.len(), 1, "{kind}");
        assert_eq!(policy.notes[0].kind, NoteKind::NotHonoured);
        assert_eq!(policy.notes[0].object, format!("{kind} default/x"));
        assert_eq!(policy.notes[0].at.line, 1);
        assert!(is_mesh_config(&documents(&yaml)[0]));
    }
}

#[test]
fn unknown_kinds_and_versions_are_refused() {
    let object = |api: &str, kind: &str| {
        refused(&format!(
            "apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\n"
        ))
    };
    assert_eq!(
        object("networking.istio.io/v1", "VirtualServce"),
        ["1:1 `networking.istio.io` has no kind `VirtualServce`"]
    );
    assert_eq!(
        object("networking.istio.io/v2", "VirtualService"),
        ["1:1 `networking.istio.io` has no version `v2`"]
    );
}

#[test]
fn every_mistake_of_every_document_is_told() {
    let service = |weight: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v{weight}}}\nspec: {{hosts: [v], http: [{{route: [{{destination: {{host: v}}, weight: {weight}}}]}}]}}\n---\n"
        )
    };
    assert_eq!(
        refused(&(service("-1") + &service("-2") + &service("3"))).len(),
        2
    );
}

/// A change somebody could make to a file by accident.
#[derive(Clone, Debug)]
enum Slip {
    DropLine(usize),
    RepeatLine(usize),
    Indent(usize),
    Cut(usize),
    Replace(usize, &'static str),
}

fn slip() -> impl Strategy<Value = Slip> {
    let words = prop::sample::select(vec![
        "null",
        "-1",
        "0",
        "99999999999999999999",
        "1.5",
        "true",
        "[]",
        "{}",
        "''",
        "'*'",
        "a",
        "0s",
        "-5s",
        "1h",
        "'('",
        "%",
        "[[]]",
        "{a: b}",
        "\"\\u0000\"",
        "é",
        ".",
        "~",
    ]);
    let place = 0..10_000usize;
    prop_oneof![
        place.clone().prop_map(Slip::DropLine),
        place.clone().prop_map(Slip::RepeatLine),
        place.clone().prop_map(Slip::Indent),
        place.clone().prop_map(Slip::Cut),
        (place, words).prop_map(|(at, word)| Slip::Replace(at, word)),
    ]
}

fn apply(text: &str, slip: &Slip) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let count = lines.len().max(1);
    match slip {
        Slip::DropLine(at) if !lines.is_empty() => {
            lines.remove(at % count);
        }
        Slip::RepeatLine(at) if !lines.is_empty() => {
            let line = lines[at % count].clone();
            lines.insert(at % count, line);
        }
        Slip::Indent(at) if !lines.is_empty() => lines[at % count].insert_str(0, "  "),
        Slip::Cut(at) => {
            let end = at * text.len() / 10_000;
            let end = (0..=end)
                .rev()
                .find(|end| text.is_char_boundary(*end))
                .unwrap_or(0);
            return text[..end].to_owned();
        }
        Slip::Replace(at, word) => {
            // The value after a colon.
            let colons: Vec<usize> = text
                .match_indices(": ")
                .map(|(colon, _)| colon + 2)
                .collect();
            if let Some(start) = colons.get(at % colons.len().max(1)) {
                let rest = &text[*start..];
                let length = rest.find(['\n', ',', '}', ']']).unwrap_or(rest.len());
                return format!("{}{word}{}", &text[..*start], &rest[length..]);
            }
        }
        _ => {}
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn nothing_a_person_writes_makes_it_panic(slips in prop::collection::vec(slip(), 1..6)) {
        let text = slips.iter().fold(SHOP.to_owned(), |text, slip| apply(&text, slip));
        if let Ok(documents) = parse(&Source::new("mesh.yaml", &text)) {
            match compile(&documents, &Profile::istio()) {
                Ok(policy) => prop_assert!(policy.notes.windows(2).all(|pair| pair[0] < pair[1])),
                Err(errors) => {
                    prop_assert!(!errors.is_empty());
                    for error in errors {
                        prop_assert!(error.position().is_some(), "{}", error.message());
                        error.render(false);
                    }
                }
            }
        }
    }
}
