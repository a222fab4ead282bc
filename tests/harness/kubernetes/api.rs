//! Asks the API server for objects as they are, and changes them, as people with kubectl would.

use std::fmt;

use http::{Request, header::CONTENT_TYPE};
use kube::{Client, Error};
use serde_json::{Value, json};

use super::kind::Kind;

/// The field manager of what the tests themselves apply.
pub const MANAGER: &str = "test";

/// What the API server makes of a patch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Patch {
    /// A JSON merge patch.
    Merge,
    /// A server-side apply that takes fields from whoever has them.
    Apply,
}

/// A refusal, in the server's own words.
#[derive(Clone, Debug)]
pub struct Refused {
    pub code: u16,
    pub reason: String,
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.reason, self.message)
    }
}

/// A client of one namespace, with an administrator's rights unless it was made with another's.
#[derive(Clone)]
pub struct Api {
    client: Client,
    namespace: String,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Api {
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
        }
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The same client for another namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        Self::new(self.client.clone(), namespace)
    }

    /// The object, or nothing where there is none, or no such kind.
    pub async fn find(&self, kind: Kind, name: &str) -> Option<Value> {
        match self.ask("GET", &self.path(kind, name), None, "").await {
            Ok(object) => Some(object),
            Err(refused) if refused.code == 404 => None,
            Err(refused) => panic!("{} {name}: {refused}", kind.kind),
        }
    }

    pub async fn get(&self, kind: Kind, name: &str) -> Value {
        let found = self.find(kind, name).await;
        found.unwrap_or_else(|| panic!("there is no {} {name}", kind.kind))
    }

    /// All objects of a kind in the namespace; none where there is no such kind.
    pub async fn list(&self, kind: Kind) -> Vec<Value> {
        self.select(kind, "").await
    }

    /// The objects with these labels.
    pub async fn select(&self, kind: Kind, labels: &str) -> Vec<Value> {
        let path = format!("{}?labelSelector={labels}", self.collection(kind));
        match self.ask("GET", &path, None, "").await {
            Ok(mut list) => match list["items"].take() {
                Value::Array(items) => items,
                _ => Vec::new(),
            },
            Err(refused) if refused.code == 404 => Vec::new(),
            Err(refused) => panic!("{}: {refused}", kind.plural),
        }
    }

    /// Every object of a kind, in any namespace.
    pub async fn list_everywhere(&self, kind: Kind) -> Vec<Value> {
        let list = self.ask("GET", &kind.collection(None), None, "").await;
        let mut list = list.unwrap_or_else(|refused| panic!("{}: {refused}", kind.plural));
        match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        }
    }

    pub async fn create(&self, kind: Kind, object: &Value) -> Result<Value, Refused> {
        let path = self.collection(kind);
        self.ask(
            "POST",
            &path,
            Some(&typed(kind, object)),
            "application/json",
        )
        .await
    }

    /// What the server says of an object that it is not to keep, with unknown fields refused.
    pub async fn try_out(&self, kind: Kind, object: &Value) -> Result<Value, Refused> {
        let path = format!(
            "{}?dryRun=All&fieldValidation=Strict",
            self.collection(kind)
        );
        self.ask(
            "POST",
            &path,
            Some(&typed(kind, object)),
            "application/json",
        )
        .await
    }

    /// Applies an object in the tests' own name, as `kubectl apply --server-side` does.
    pub async fn apply(&self, kind: Kind, object: &Value) -> Value {
        let name = object["metadata"]["name"]
            .as_str()
            .expect("objects have names");
        self.try_patch(kind, name, Patch::Apply, &typed(kind, object))
            .await
            .unwrap_or_else(|refused| panic!("{} {name}: {refused}", kind.kind))
    }

    /// Applies an object as somebody else: fields of theirs that it does not name are let go.
    pub async fn apply_as(&self, manager: &str, kind: Kind, object: &Value) -> Value {
        let name = object["metadata"]["name"]
            .as_str()
            .expect("objects have names");
        let path = format!(
            "{}?fieldManager={manager}&force=true",
            self.path(kind, name)
        );
        let content = "application/apply-patch+yaml";
        self.ask("PATCH", &path, Some(&typed(kind, object)), content)
            .await
            .unwrap_or_else(|refused| panic!("{} {name}: {refused}", kind.kind))
    }

    pub async fn merge(&self, kind: Kind, name: &str, patch: &Value) -> Value {
        self.try_patch(kind, name, Patch::Merge, patch)
            .await
            .unwrap_or_else(|refused| panic!("{} {name}: {refused}", kind.kind))
    }

    pub async fn try_patch(
        &self,
        kind: Kind,
        name: &str,
        patch: Patch,
        body: &Value,
    ) -> Result<Value, Refused> {
        self.send_patch(&self.path(kind, name), patch, body).await
    }

    /// Changes what an object reports, or its scale, which are resources of their own.
    pub async fn merge_part(
        &self,
        kind: Kind,
        name: &str,
        part: &str,
        body: &Value,
    ) -> Result<Value, Refused> {
        let path = format!("{}/{part}", self.path(kind, name));
        self.send_patch(&path, Patch::Merge, body).await
    }

    async fn send_patch(&self, uri: &str, patch: Patch, body: &Value) -> Result<Value, Refused> {
        let (options, content) = match patch {
            Patch::Merge => ("", "application/merge-patch+json"),
            Patch::Apply => ("&force=true", "application/apply-patch+yaml"),
        };
        let uri = format!("{uri}?fieldManager={MANAGER}{options}");
        self.ask("PATCH", &uri, Some(body), content).await
    }

    /// Deletes an object, and what it owns later; one that is not there is no matter.
    pub async fn delete(&self, kind: Kind, name: &str) {
        let options = json!({"propagationPolicy": "Background"});
        let path = self.path(kind, name);
        match self
            .ask("DELETE", &path, Some(&options), "application/json")
            .await
        {
            Ok(_) => {}
            Err(refused) if refused.code == 404 => {}
            Err(refused) => panic!("{} {name}: {refused}", kind.kind),
        }
    }

    /// A token for a service account of this namespace, as its pods would get.
    pub async fn token(&self, account: &str) -> String {
        let path = format!(
            "/api/v1/namespaces/{}/serviceaccounts/{account}/token",
            self.namespace
        );
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 7200}});
        let answer = self
            .ask("POST", &path, Some(&request), "application/json")
            .await;
        let answer = answer.unwrap_or_else(|refused| panic!("a token of {account}: {refused}"));
        let token = answer["status"]["token"].as_str();
        token.expect("the answer has a token").to_owned()
    }

    /// Whether the server answers `path` with success.
    pub async fn answers(&self, path: &str) -> bool {
        let request = Request::get(path).body(Vec::new()).expect("a path");
        self.client.request_text(request).await.is_ok()
    }

    /// Any request: the way to what has no kind.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        content: &str,
    ) -> Result<Value, Refused> {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, content);
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(body.into_bytes()).expect("a path and a body");
        self.client
            .request(request)
            .await
            .map_err(|error| match error {
                Error::Api(status) => Refused {
                    code: status.code,
                    reason: status.reason.clone(),
                    message: status.message.clone(),
                },
                error => Refused {
                    code: 0,
                    reason: "Unreachable".to_owned(),
                    message: error.to_string(),
                },
            })
    }

    fn collection(&self, kind: Kind) -> String {
        kind.collection(Some(&self.namespace))
    }

    fn path(&self, kind: Kind, name: &str) -> String {
        format!("{}/{name}", self.collection(kind))
    }
}

/// The object with its kind, which a test need not repeat.
fn typed(kind: Kind, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = kind.api_version.into();
    object["kind"] = kind.kind.into();
    object
}
