//! The reference of every field, written from the definition itself: `make generated` keeps it in `docs/urlshortener.md`.

use serde_json::Value;

use crate::crd::definition::definition;

const HEAD: &str = "\
# UrlShortener

<!-- Written by `make generated` from `operator/src/crd`: change it there. -->

Every field of a `UrlShortener` (`urlshortener.dev/v1alpha1`). The API server refuses what breaks a rule, with the sentence
that stands here. [operator.md](operator.md) says how to install the operator, and what the conditions mean.
";

/// The reference, in Markdown.
pub fn markdown() -> anyhow::Result<String> {
    let definition = serde_json::to_value(definition())?;
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut text = HEAD.to_owned();
    rules(&mut text, schema, "The whole");
    section(&mut text, "spec", &schema["properties"]["spec"]);
    section(&mut text, "status", &schema["properties"]["status"]);
    Ok(text)
}

/// A table of the fields of one object, and then those of the objects in it.
fn section(text: &mut String, path: &str, schema: &Value) {
    text.push_str("\n## `");
    text.push_str(path);
    text.push_str("`\n\n");
    if let Some(description) = schema["description"].as_str() {
        text.push_str(&line(description));
        text.push_str("\n\n");
    }
    text.push_str("| Field | Type | Default | What it is |\n| --- | --- | --- | --- |\n");
    let required: Vec<_> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    for (name, field) in properties(schema) {
        let default = match &field["default"] {
            _ if required.iter().any(|required| *required == name.as_str()) => {
                "required".to_owned()
            }
            Value::Null => String::new(),
            Value::Object(_) => "see below".to_owned(),
            default => format!("`{default}`"),
        };
        let description = line(field["description"].as_str().unwrap_or_default());
        let described = if is_known(path, name) {
            "as in Kubernetes".to_owned()
        } else {
            description
        };
        let row = format!(
            "| `{name}` | {} | {default} | {described} |
",
            kind(field)
        );
        text.push_str(&row);
    }
    rules(text, schema, "Rules");
    for (name, field) in properties(schema) {
        rules(text, field_of_own(field), &format!("`{name}`"));
    }
    for (name, field) in properties(schema) {
        if is_known(path, name) {
            continue;
        }
        let (inner, suffix) = if field["type"] == "array" {
            (&field["items"], "[]")
        } else {
            (field, "")
        };
        if inner["properties"].is_object() {
            section(text, &format!("{path}.{name}{suffix}"), inner);
        }
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// What Kubernetes documents itself.
fn is_known(path: &str, name: &str) -> bool {
    name == "tolerations" || (path == "status" && name == "conditions")
}

/// A field whose rules stand in this section: one with fields has a section of its own.
fn field_of_own(field: &Value) -> &Value {
    if field["properties"].is_object() {
        &Value::Null
    } else {
        field
    }
}

fn rules(text: &mut String, schema: &Value, of: &str) {
    let rules = schema["x-kubernetes-validations"].as_array();
    let messages: Vec<_> = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["message"].as_str())
        .collect();
    if messages.is_empty() {
        return;
    }
    text.push('\n');
    text.push_str(of);
    text.push_str(":\n\n");
    for message in messages {
        text.push_str("- ");
        text.push_str(&line(message));
        text.push('\n');
    }
}

/// The type of a field with its bounds.
fn kind(field: &Value) -> String {
    if let Some(values) = field["enum"].as_array() {
        let names: Vec<_> = values
            .iter()
            .filter_map(Value::as_str)
            .map(|name| format!("`{name}`"))
            .collect();
        return names.join(", ");
    }
    if field["x-kubernetes-int-or-string"] == true {
        return "integer or string".to_owned();
    }
    match field["type"].as_str() {
        Some("integer") => match (&field["minimum"], &field["maximum"]) {
            (Value::Number(low), Value::Number(high)) => {
                format!("integer, {} to {}", whole(low), whole(high))
            }
            _ => "integer".to_owned(),
        },
        Some("array") => format!(
            "list of {}, at most {}",
            kind(&field["items"]),
            field["maxItems"]
        ),
        Some("object") if field["additionalProperties"].is_object() => "map of strings".to_owned(),
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    }
}

/// The number without the fraction that JSON schemas may carry.
fn whole(number: &serde_json::Number) -> String {
    number.to_string().trim_end_matches(".0").to_owned()
}

/// One line, that breaks no table.
fn line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_spec_has_a_section() {
        let text = markdown().unwrap();
        for part in ["spec", "spec.postgres.external", "spec.hosts[]", "status"] {
            assert!(text.contains(&format!("## `{part}`")), "{part} is missing");
        }
    }
}
