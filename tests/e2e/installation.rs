//! A `UrlShortener` in a namespace, and its API as somebody in the cluster reaches it: by the Service's name, with the admin's key.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use harness::{
    eventually,
    kubernetes::{
        api::Api,
        kind::{SECRET, URL_SHORTENER},
    },
};
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, PATIENCE, text},
    visitors::{self, Visits},
};

/// The name that the samples give a resource.
pub(crate) const NAME: &str = "links";

/// The pods that serve.
pub(crate) const APP: &str = "app.kubernetes.io/instance=links,app.kubernetes.io/component=app";

/// The pod in which requests are sent.
const ASKER: &str = "asker";

/// A namespace with a service in it.
pub(crate) struct Installation<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) api: Api,
}

/// A link, and whoever made it.
pub(crate) struct Link {
    pub(crate) id: u64,
    pub(crate) user: u64,
    pub(crate) code: String,
    pub(crate) target: String,
}

/// What came of one request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl<'a> Installation<'a> {
    /// An empty namespace, with nothing but the pod that asks.
    pub(crate) async fn empty(cluster: &'a Cluster, namespace: &str) -> Self {
        let api = cluster.fresh_namespace(namespace).await;
        visitors::start(&api, ASKER, None, &["sleep", "infinity"]).await;
        visitors::until_running(&api, ASKER).await;
        Self { cluster, api }
    }

    /// Has the pod that asks run on a node that will not be broken.
    pub(crate) async fn ask_from(&self, node: &str) {
        self.cluster
            .kubectl(&["delete", "pod", "-n", self.api.namespace(), ASKER, "--wait"])
            .await;
        visitors::start(&self.api, ASKER, Some(node), &["sleep", "infinity"]).await;
        visitors::until_running(&self.api, ASKER).await;
    }

    /// With a service of this spec that is ready.
    pub(crate) async fn with(cluster: &'a Cluster, namespace: &str, spec: Value) -> Self {
        let installation = Self::empty(cluster, namespace).await;
        let resource = json!({"metadata": {"name": NAME}, "spec": spec});
        installation.api.apply(URL_SHORTENER, &resource).await;
        installation.settles().await;
        installation
    }

    /// Waits until the resource is ready, and nothing is under way.
    pub(crate) async fn settles(&self) {
        self.settles_within(PATIENCE).await;
    }

    pub(crate) async fn settles_within(&self, patience: Duration) {
        let mut last = Value::Null;
        let settled = eventually::try_some(patience, async || {
            last = self.api.find(URL_SHORTENER, NAME).await?;
            is_settled(&last).then_some(())
        });
        if settled.await.is_none() {
            let namespace = self.api.namespace();
            let pods = self
                .cluster
                .kubectl(&["get", "pods", "-n", namespace])
                .await;
            let status = serde_json::to_string_pretty(&last["status"]).unwrap_or_default();
            panic!("{NAME} does not settle within {patience:?}: {status}\n{pods}");
        }
    }

    /// Changes the spec, as `kubectl patch --type=merge` does, and waits until it holds.
    pub(crate) async fn change(&self, spec: Value) {
        let patch = json!({"spec": spec});
        self.api.merge(URL_SHORTENER, NAME, &patch).await;
        self.settles().await;
    }

    /// Where the Service is, for those inside.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{NAME}.{}.svc{path}", self.api.namespace())
    }

    pub(crate) async fn admin_key(&self) -> Option<String> {
        let secret = self.api.find(SECRET, &format!("{NAME}-admin-key")).await?;
        let encoded = text(&secret["data"]["key"], "the key");
        let key = STANDARD
            .decode(encoded)
            .expect("a Secret's value is Base64");
        Some(String::from_utf8(key).expect("a key is text"))
    }

    /// Sends a request from inside the cluster; none if it got no answer.
    pub(crate) async fn try_ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Option<Answer> {
        let key = self.admin_key().await?;
        let (namespace, url) = (self.api.namespace(), self.url(path));
        let body = body.map(|body| body.to_string());
        let mut arguments = vec![
            "exec", "-n", namespace, ASKER, "--", "visitors", "ask", method, &url,
        ];
        arguments.extend(["--key", &key]);
        if let Some(body) = &body {
            arguments.extend(["--body", body]);
        }
        let output = self.cluster.kubectl.run(&arguments).await;
        if !output.succeeded {
            return None;
        }
        let answer: Value = serde_json::from_str(&output.stdout).expect("it prints JSON");
        Some(Answer {
            status: answer["status"].as_u64().expect("a status"),
            location: answer["headers"]["location"].as_str().map(str::to_owned),
            body: serde_json::from_str(text(&answer["body"], "the body")).unwrap_or_default(),
        })
    }

    /// Sends a request from inside the cluster, and wants this status.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        status: u64,
    ) -> Answer {
        let answer = self.try_ask(method, path, body).await;
        let answer = answer.unwrap_or_else(|| panic!("{method} {path}: no answer"));
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        answer
    }

    /// Makes a user and a link that leads to `target`. A replica on a busy machine may ask to be tried again.
    pub(crate) async fn make_link(&self, target: &str) -> Link {
        eventually::some("a link can be made", PATIENCE, async || {
            self.try_make_link(target).await
        })
        .await
    }

    pub(crate) async fn try_make_link(&self, target: &str) -> Option<Link> {
        let user = json!({"username": "visitor", "email": format!("{}@example.com", self.count("/users").await?)});
        let user = self.try_ask("POST", "/users", Some(user)).await?;
        let user = user.body["id"].as_u64()?;
        let url = json!({"user_id": user, "original_url": target});
        let url = self.try_ask("POST", "/urls", Some(url)).await?.body;
        Some(Link {
            id: url["id"].as_u64()?,
            user,
            code: url["short_code"].as_str()?.to_owned(),
            target: target.to_owned(),
        })
    }

    async fn count(&self, path: &str) -> Option<usize> {
        let list = self
            .try_ask("GET", &format!("{path}?per_page=100"), None)
            .await?;
        list.body.as_array().map(Vec::len)
    }

    /// A number out of the managed Postgres, if it can be asked.
    pub(crate) async fn sql(&self, query: &str) -> Option<f64> {
        let pod = format!("{NAME}-postgres-0");
        let namespace = self.api.namespace();
        let exec = ["exec", "-n", namespace, &pod, "-c", "postgres", "--"];
        let psql = [
            "psql",
            "-h",
            "/var/run/postgresql",
            "-U",
            "shortener",
            "-tAc",
            query,
        ];
        let output = self
            .cluster
            .kubectl
            .run(&[&exec[..], &psql[..]].concat())
            .await;
        output
            .stdout
            .trim()
            .parse()
            .ok()
            .filter(|_| output.succeeded)
    }

    /// The number of migrations that the schema has had.
    pub(crate) async fn migrations(&self) -> f64 {
        let count = self
            .sql("select count(*) from _sqlx_migrations where success")
            .await;
        count.expect("the database is there")
    }

    /// Waits until every answered visit is recorded: answered ≤ recorded ≤ sent.
    pub(crate) async fn every_click_is_recorded(&self, link: &Link, visits: &Visits) -> u64 {
        let recorded = self.recorded_at_least(link, visits.answered).await;
        assert!(
            (visits.answered..=visits.sent).contains(&recorded),
            "{} answered, {recorded} recorded, {} sent",
            visits.answered,
            visits.sent
        );
        recorded
    }

    /// How many visits are recorded, once there are as many as that, or patience has ended.
    pub(crate) async fn recorded_at_least(&self, link: &Link, answered: u64) -> u64 {
        let mut recorded = 0;
        _ = eventually::try_some(PATIENCE, async || {
            recorded = self.recorded(link).await?;
            (recorded >= answered).then_some(())
        })
        .await;
        recorded
    }

    /// How many visits of a link are recorded, people's and programs'.
    pub(crate) async fn recorded(&self, link: &Link) -> Option<u64> {
        let statistics = self
            .try_ask("GET", &format!("/urls/{}/stats", link.id), None)
            .await?;
        let of = |kind: &str| statistics.body[kind].as_u64();
        Some(of("clicks")? + of("bots")?)
    }
}

/// Whether the resource is ready, and nothing is under way, for the spec that it has now.
pub(crate) fn is_settled(resource: &Value) -> bool {
    let status = &resource["status"];
    let is = |kind: &str, wanted: &str| {
        let conditions = status["conditions"].as_array();
        conditions.is_some_and(|conditions| {
            conditions
                .iter()
                .any(|condition| condition["type"] == kind && condition["status"] == wanted)
        })
    };
    status["observedGeneration"] == resource["metadata"]["generation"]
        && is("Ready", "True")
        && is("Progressing", "False")
}
