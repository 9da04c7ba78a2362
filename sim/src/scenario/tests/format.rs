//! The format as documented: schema, reference and loader say the same.

use serde_json::Value;

use super::{shown, try_load};
use crate::scenario::{schema, starter};

/// The example scenario of the module's documentation.
fn documented() -> String {
    let text = include_str!("../mod.rs");
    let begin = text.find("//! ```yaml\n").expect("an example") + "//! ```yaml\n".len();
    let end = begin + text[begin..].find("//! ```\n").expect("its end");
    text[begin..end]
        .lines()
        .map(|line| line.strip_prefix("//!").unwrap_or(line))
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect()
}

#[test]
fn the_documented_example_loads() {
    let loaded = try_load(&documented()).unwrap_or_else(|errors| panic!("{}", shown(&errors)));
    assert!(loaded.warnings.is_empty(), "{}", shown(&loaded.warnings));
}

/// Every schema with a description, and the path to those without.
fn undocumented(schema: &Value, path: &str, found: &mut Vec<String>) {
    let Some(object) = schema.as_object() else {
        return;
    };
    if let Some(properties) = object.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            if property.get("description").is_none() {
                found.push(format!("{path}.{name}"));
            }
            undocumented(property, &format!("{path}.{name}"), found);
        }
    }
    for key in ["items", "additionalProperties", "propertyNames"] {
        if let Some(inner) = object.get(key) {
            undocumented(inner, path, found);
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for inner in object
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            undocumented(inner, path, found);
        }
    }
}

#[test]
fn every_key_is_documented() {
    let schema = schema();
    let mut found = Vec::new();
    undocumented(&schema, "", &mut found);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        assert!(
            definition.get("description").is_some() || definition.get("oneOf").is_some(),
            "{name}"
        );
        undocumented(definition, name, &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_schema_closes_every_mapping() {
    fn check(schema: &Value, path: &str) {
        match schema {
            Value::Object(object) => {
                if object.contains_key("properties") {
                    assert_eq!(
                        object.get("additionalProperties"),
                        Some(&Value::Bool(false)),
                        "{path}"
                    );
                }
                object
                    .iter()
                    .for_each(|(key, inner)| check(inner, &format!("{path}/{key}")));
            }
            Value::Array(items) => items.iter().for_each(|inner| check(inner, path)),
            _ => {}
        }
    }
    check(&schema(), "");
}

/// Whether a value satisfies a schema, for the keywords that ours uses.
fn satisfies(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let Some(schema) = schema.as_object() else {
        return if schema == &Value::Bool(false) {
            Err(format!("{value} is not allowed"))
        } else {
            Ok(())
        };
    };
    for (keyword, wanted) in schema {
        let holds = match keyword.as_str() {
            "$ref" => {
                let name = wanted.as_str().unwrap().trim_start_matches("#/$defs/");
                satisfies(value, &root["$defs"][name], root)?;
                true
            }
            "type" => is_of(value, wanted),
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "anyOf" | "oneOf" => {
                let options = wanted.as_array().unwrap();
                let errors: Vec<String> = options
                    .iter()
                    .filter_map(|option| satisfies(value, option, root).err())
                    .collect();
                if errors.len() == options.len() {
                    return Err(errors.join(" | "));
                }
                true
            }
            "allOf" => {
                for option in wanted.as_array().unwrap() {
                    satisfies(value, option, root)?;
                }
                true
            }
            "pattern" => value.as_str().is_none_or(|text| {
                regex::Regex::new(wanted.as_str().unwrap())
                    .unwrap()
                    .is_match(text)
            }),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= wanted.as_f64().unwrap()),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "minProperties" => value
                .as_object()
                .is_none_or(|entries| entries.len() as u64 >= wanted.as_u64().unwrap()),
            "maxProperties" => value
                .as_object()
                .is_none_or(|entries| entries.len() as u64 <= wanted.as_u64().unwrap()),
            "required" => wanted
                .as_array()
                .unwrap()
                .iter()
                .all(|key| value.get(key.as_str().unwrap()).is_some()),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    satisfies(item, wanted, root)?;
                }
                true
            }
            "propertyNames" => {
                for key in value.as_object().into_iter().flatten().map(|(key, _)| key) {
                    satisfies(&Value::String(key.clone()), wanted, root)?;
                }
                true
            }
            "properties" => {
                for (key, inner) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        satisfies(value, inner, root)?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (key, inner) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(key)) {
                        satisfies(inner, wanted, root)
                            .map_err(|error| format!("{key}: {error}"))?;
                    }
                }
                true
            }
            "$schema" | "$defs" | "title" | "description" | "examples" | "format" | "default" => {
                true
            }
            other => panic!("the keyword `{other}` is not checked"),
        };
        if !holds {
            return Err(format!("{value} fails `{keyword}: {wanted}`"));
        }
    }
    Ok(())
}

fn is_of(value: &Value, wanted: &Value) -> bool {
    if let Some(options) = wanted.as_array() {
        return options.iter().any(|option| is_of(value, option));
    }
    match wanted.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type `{other}`"),
    }
}

/// A scenario as the editor's validator sees it.
fn as_json(yaml: &str) -> Value {
    use mesh_core::document::{Source, parse, read};
    let document = parse(&Source::new("t", yaml)).unwrap().remove(0);
    read(&document, &document.root).unwrap()
}

#[test]
fn what_loads_satisfies_the_schema() {
    let schema = schema();
    for yaml in [documented(), starter("x")] {
        satisfies(&as_json(&yaml), &schema, &schema).unwrap();
    }
}

#[test]
fn what_the_schema_refuses_does_not_load() {
    let schema = schema();
    let documented = documented();
    for (from, to) in [
        ("duration: 2m", "duration: 2"),
        ("rate: poisson(50/s)", "rate: often"),
        ("zones: [a, b, c]", "zones: [A]"),
        ("replicas: 3", "replicas: -3"),
        ("meshquake: v1", "meshquake: v0"),
        ("service-time:", "servicetime:"),
    ] {
        let broken = documented.replacen(from, to, 1);
        assert_ne!(broken, documented, "{from}");
        assert!(
            satisfies(&as_json(&broken), &schema, &schema).is_err(),
            "{to}"
        );
        assert!(try_load(&broken).is_err(), "{to}");
    }
}
