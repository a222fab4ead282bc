//! The API server's own record of who asked for what: the proof of what the operator wrote, and of what it did not.

use std::{fs, path::PathBuf};

use serde_json::Value;

/// The record of one control plane, from a moment on.
#[derive(Clone, Debug)]
pub struct Audit {
    path: PathBuf,
    /// How much of the file was there before.
    skipped: usize,
}

/// One request that was answered, or has been going on.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Request {
    pub verb: String,
    /// With its group: `apps/deployments`, `pods`, `apps/deployments/scale`. Empty for a path that is no resource.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub code: u64,
    pub user: String,
    /// The path and the query.
    pub uri: String,
}

impl Request {
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

impl Audit {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, skipped: 0 }
    }

    /// What is recorded after this call.
    #[must_use]
    pub fn from_now(&self) -> Self {
        let length = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        Self {
            path: self.path.clone(),
            skipped: usize::try_from(length).expect("a file in memory"),
        }
    }

    /// The requests whose user's name ends like this, as `:shortener-operator` does.
    pub fn requests_of(&self, user: &str) -> Vec<Request> {
        let text = fs::read(&self.path).unwrap_or_default();
        let text =
            String::from_utf8_lossy(text.get(self.skipped..).unwrap_or_default()).into_owned();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .map(|event: Value| request(&event))
            .filter(|request| request.user.ends_with(user))
            .collect()
    }

    /// What that user changed, or tried to, leaving leases and events aside: those are a heartbeat and a diary.
    pub fn writes_of(&self, user: &str) -> Vec<Request> {
        let asides = [
            "coordination.k8s.io/leases",
            "events.k8s.io/events",
            "events",
        ];
        let mut requests = self.requests_of(user);
        requests.retain(|request| request.is_write() && !asides.contains(&&*request.resource));
        requests
    }
}

fn request(event: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["objectRef"];
    let parts = [
        &object["apiGroup"],
        &object["resource"],
        &object["subresource"],
    ];
    let parts: Vec<_> = parts.into_iter().filter_map(Value::as_str).collect();
    Request {
        verb: text(&event["verb"]),
        resource: parts.join("/"),
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
        user: text(&event["user"]["username"]),
        uri: text(&event["requestURI"]),
    }
}
