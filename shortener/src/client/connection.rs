//! Talks HTTP to a service.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, HttpConnector},
    },
    rt::TokioExecutor,
};
use serde_json::Value;
use url::Url;

use super::{Failure, arguments::ConnectionArguments};
use crate::{config::Secret, keys::secret::KeyText};

/// Longer than the service itself takes before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// No answer of the API is larger.
const MAX_ANSWER: usize = 64 << 20;

/// A service, and the key to it.
#[derive(Debug)]
pub(super) struct Connection {
    base: Url,
    key: Option<HeaderValue>,
}

/// What the service answered, if it was a success.
#[derive(Debug)]
pub(super) struct Answer {
    pub headers: HeaderMap,
    /// Null if there was no body.
    pub body: Value,
}

impl Connection {
    pub(super) fn new(arguments: &ConnectionArguments) -> anyhow::Result<Self> {
        let wrong = |reason: &str| {
            Failure::Command(format!(
                "SHORTENER_URL must be an address such as http://127.0.0.1:8080: {reason}"
            ))
        };
        let base = Url::parse(&arguments.service_url).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("it begins with neither http nor https").into());
        }
        let key = Secret::resolve(
            "SHORTENER_KEY",
            arguments.key.as_ref(),
            arguments.key_file.as_ref(),
        )?;
        let key = key.map(|key| authorization(&key)).transpose()?;
        Ok(Self { base, key })
    }

    /// What a visitor is given.
    pub(super) fn short_url(&self, code: &str) -> String {
        format!("{}/{code}", self.base.as_str().trim_end_matches('/'))
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> Result<Answer, Failure> {
        let base = self.base.as_str().trim_end_matches('/');
        let mut url = Url::parse(&format!("{base}/api/v1{path}"))
            .map_err(|error| Failure::Command(format!("SHORTENER_URL: {error}")))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("shortener/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::Command(format!("SHORTENER_URL: {error}")))?;
        let asking = async {
            if url.scheme() == "https" {
                let connector = HttpsConnectorBuilder::new()
                    .with_native_roots()
                    .map_err(|error| {
                        Failure::Service(format!("this machine has no certificates: {error}"))
                    })?
                    .https_only()
                    .enable_http1()
                    .build();
                self.ask(connector, request).await
            } else {
                self.ask(HttpConnector::new(), request).await
            }
        };
        let answered = tokio::time::timeout(PATIENCE, asking).await;
        answered.unwrap_or_else(|_| Err(self.unreachable("no answer in time")))
    }

    async fn ask<C>(&self, connector: C, request: Request<Full<Bytes>>) -> Result<Answer, Failure>
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let response = client
            .request(request)
            .await
            .map_err(|error| self.unreachable(&innermost(&error)))?;
        let (head, body) = response.into_parts();
        let bytes = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?
            .to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        if !head.status.is_success() {
            return Err(Failure::told(head.status.as_u16(), &body));
        }
        Ok(Answer {
            headers: head.headers,
            body,
        })
    }

    fn unreachable(&self, reason: &str) -> Failure {
        Failure::Service(format!(
            "{} cannot be reached: {reason}. SHORTENER_URL says where the service is",
            self.base
        ))
    }
}

fn authorization(key: &Secret) -> Result<HeaderValue, Failure> {
    let wrong = |reason: String| Failure::Command(format!("SHORTENER_KEY {reason}"));
    let key = KeyText::parse(key.expose()).map_err(wrong)?;
    let mut value = HeaderValue::from_bytes(format!("Bearer {}", key.expose()).as_bytes())
        .map_err(|_| wrong("cannot be sent".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What lies at the bottom of an error: "Connection refused" tells more than "client error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
