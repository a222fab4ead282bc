//! The CustomResourceDefinition, as it is installed: what is derived from the types, made to fit the conventions of Kubernetes.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::{Map, Value, json};

use super::UrlShortener;

/// Bounds for what says none itself, so that the cost of each CEL rule can be known beforehand.
const MAX_TEXT: i64 = 1024;
const MAX_ITEMS: i64 = 32;
const MAX_PROPERTIES: i64 = 32;

/// The definition of `UrlShortener`.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = UrlShortener::crd();
    definition.metadata.annotations = None;
    for version in &mut definition.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|validation| validation.open_api_v3_schema.as_mut());
        let Some(schema) = schema else { continue };
        let mut value = serde_json::to_value(&*schema).expect("a schema is JSON");
        conform(&mut value);
        value["x-kubernetes-validations"] = name_rules();
        if let Some(spec) = value.pointer_mut("/properties/spec") {
            bound(spec);
        }
        *schema = serde_json::from_value(value).expect("it was a schema before");
    }
    definition
}

/// What a resource may be called.
fn name_rules() -> Value {
    json!([
        {
            "rule": "self.metadata.name.size() <= 40",
            "message": "use a name of at most 40 characters: the names of what is made for it are longer, and Kubernetes allows 63",
        },
        {
            "rule": "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "message": "use a name that starts with a letter and has only lower-case letters, digits and '-': Services are named after it",
        },
    ])
}

/// The definition as the text of a file.
pub fn yaml() -> anyhow::Result<String> {
    let text = serde_saphyr::to_string(&serde_json::to_value(definition())?)?;
    Ok(format!(
        "# Written by `make generated` from `operator/src/crd`: change it there.\n---\n{}\n",
        text.trim_end()
    ))
}

/// Takes out what the derived schema says of Rust and not of Kubernetes: `null` as a value, and formats of unsigned integers.
fn conform(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("nullable");
            let format = object.get("format").and_then(Value::as_str);
            if format.is_some_and(|format| format.starts_with("uint") || format == "int") {
                object.remove("format");
            }
            if let Some(Value::Array(values)) = object.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            object.values_mut().for_each(conform);
        }
        Value::Array(values) => values.iter_mut().for_each(conform),
        _ => {}
    }
}

/// Gives each text, list and map an upper bound.
fn bound(schema: &mut Value) {
    let Value::Object(object) = schema else {
        return;
    };
    match object.get("type").and_then(Value::as_str) {
        Some("string") if !object.contains_key("enum") => at_most(object, "maxLength", MAX_TEXT),
        Some("array") => at_most(object, "maxItems", MAX_ITEMS),
        Some("object") if object.contains_key("additionalProperties") => {
            at_most(object, "maxProperties", MAX_PROPERTIES);
        }
        _ => {}
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(name) {
            bound(inner);
        }
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(bound);
    }
}

fn at_most(object: &mut Map<String, Value>, name: &str, limit: i64) {
    object.entry(name).or_insert_with(|| json!(limit));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        let definition = serde_json::to_value(definition()).unwrap();
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    }

    /// Every schema within, with its path.
    fn each(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
        visit(path, schema);
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            each(inner, &format!("{path}.{name}"), visit);
        }
        for name in ["items", "additionalProperties"] {
            if schema[name].is_object() {
                each(&schema[name], &format!("{path}[]"), visit);
            }
        }
    }

    #[test]
    fn the_file_fits_the_annotation_of_kubectl_apply() {
        assert!(yaml().unwrap().len() < 200_000);
    }

    #[test]
    fn no_integer_is_unsigned_and_nothing_may_be_null() {
        each(&schema(), "", &mut |path, schema| {
            let format = schema["format"].as_str().unwrap_or_default();
            assert!(!format.starts_with('u'), "{path} has the format {format}");
            assert!(schema.get("nullable").is_none(), "{path} may be null");
        });
    }

    #[test]
    fn every_text_list_and_map_of_the_spec_is_bounded() {
        each(
            &schema()["properties"]["spec"],
            "spec",
            &mut |path, schema| {
                let bound = match schema["type"].as_str() {
                    Some("string") if schema.get("enum").is_none() => "maxLength",
                    Some("array") => "maxItems",
                    Some("object") if schema["additionalProperties"].is_object() => "maxProperties",
                    _ => return,
                };
                assert!(schema[bound].is_i64(), "{path} has no {bound}");
            },
        );
    }

    #[test]
    fn every_field_of_the_spec_is_described_and_every_rule_says_what_to_do() {
        each(
            &schema()["properties"]["spec"],
            "spec",
            &mut |path, schema| {
                let is_ours = !path.contains("tolerations[]") && !path.ends_with("[]");
                assert!(
                    !is_ours || schema["description"].is_string(),
                    "{path} has no description"
                );
                for rule in schema["x-kubernetes-validations"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    let message = rule["message"].as_str().unwrap_or_default();
                    assert!(message.len() > 20, "{path}: {rule} does not say what to do");
                }
            },
        );
    }
}
