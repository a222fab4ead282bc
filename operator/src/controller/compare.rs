//! Whether an object is what it should be: everything that we ask for is there, whatever the API server and others have added.
//! Writing only when it is not keeps the steady state free of writes.

use serde_json::Value;

use crate::crd::quantity;

/// Lists that server-side apply merges by a key: others may add to them.
const MERGED: [(&str, &str); 9] = [
    ("containers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("ports", "name"),
    ("imagePullSecrets", "name"),
    ("ownerReferences", "uid"),
    ("topologySpreadConstraints", "topologyKey"),
    ("groups", "name"),
];

/// The path of the first difference, if there is one.
pub fn difference(desired: &Value, live: &Value) -> Option<String> {
    within(desired, live, "", "")
}

fn within(desired: &Value, live: &Value, path: &str, name: &str) -> Option<String> {
    let differs = || Some(path.to_owned());
    match (desired, live) {
        // The API server does not store what is empty.
        (Value::Object(desired), Value::Null) if desired.is_empty() => None,
        (Value::Array(desired), Value::Null) if desired.is_empty() => None,
        (Value::Object(desired), Value::Object(live)) => {
            desired.iter().find_map(|(name, desired)| {
                let live = live.get(name).unwrap_or(&Value::Null);
                within(desired, live, &format!("{path}.{name}"), name)
            })
        }
        (Value::Array(desired), Value::Array(live)) => list(desired, live, path, name),
        (Value::String(desired), Value::String(live)) => {
            let (asked, given) = (quantity::value(desired), quantity::value(live));
            let is_same = desired == live || (asked.is_some() && asked == given);
            if is_same { None } else { differs() }
        }
        (Value::Number(desired), Value::Number(live)) if desired.as_f64() == live.as_f64() => None,
        _ if desired == live => None,
        _ => differs(),
    }
}

fn list(desired: &[Value], live: &[Value], path: &str, name: &str) -> Option<String> {
    let key = MERGED
        .iter()
        .find(|(list, _)| *list == name)
        .map(|(_, key)| *key);
    let key = key.filter(|key| desired.iter().all(|item| item.get(key).is_some()));
    if let Some(key) = key {
        return desired.iter().find_map(|item| {
            let path = format!("{path}[{}]", item[key].as_str().unwrap_or_default());
            match live.iter().find(|other| other[key] == item[key]) {
                Some(live) => within(item, live, &path, ""),
                None => Some(path),
            }
        });
    }
    if desired.len() != live.len() {
        return Some(path.to_owned());
    }
    let pairs = desired.iter().zip(live).enumerate();
    pairs
        .into_iter()
        .find_map(|(at, (desired, live))| within(desired, live, &format!("{path}[{at}]"), ""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(desired: Value, live: Value, expected: Option<&str>) {
        assert_eq!(difference(&desired, &live).as_deref(), expected);
    }

    #[test]
    fn what_others_add_is_no_difference() {
        check(
            json!({"spec": {"containers": [{"name": "a", "image": "x"}]}}),
            json!({"spec": {"containers": [{"name": "sidecar"}, {"name": "a", "image": "x", "stdin": false}], "more": 1}}),
            None,
        );
    }

    #[test]
    fn what_is_changed_or_gone_is_named() {
        check(
            json!({"spec": {"replicas": 2}}),
            json!({"spec": {"replicas": 3}}),
            Some(".spec.replicas"),
        );
        check(json!({"labels": {"a": "b"}}), json!({}), Some(".labels"));
        check(
            json!({"env": [{"name": "A", "value": "1"}]}),
            json!({"env": [{"name": "A", "value": "2"}]}),
            Some(".env[A].value"),
        );
        check(
            json!({"args": ["a"]}),
            json!({"args": ["a", "b"]}),
            Some(".args"),
        );
    }

    #[test]
    fn amounts_and_emptiness_are_compared_by_what_they_mean() {
        check(
            json!({"cpu": "1000m", "memory": "1024Mi"}),
            json!({"cpu": "1", "memory": "1Gi"}),
            None,
        );
        check(json!({"resources": {}, "list": []}), json!({}), None);
        check(json!({"cpu": "1"}), json!({"cpu": "2"}), Some(".cpu"));
    }
}
