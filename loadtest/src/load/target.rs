//! The service under load: how it is reached, and what one request comes to.

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use goose_reqwest::{
    Client, ClientBuilder, Error, Method, RequestBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION},
    redirect::Policy,
};
use serde_json::{Value, json};

use crate::{
    arguments::Service,
    links::Links,
    mix::Kind,
    record::{Failure, Outcome},
};

/// What the service says in answers to whom it limits.
const RATE_LIMIT: &str = "ratelimit";

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Where requests go to, and with what.
#[derive(Debug)]
pub(crate) struct Target {
    base: Url,
    headers: HeaderMap,
    timeout: Duration,
    first_address: Option<Ipv4Addr>,
    http: Client,
}

impl Target {
    /// Asks for health and for a list, so that a run does not begin with what cannot work.
    pub(crate) async fn reach(service: &Service) -> anyhow::Result<Self> {
        let base = service.base_url.clone();
        ensure!(
            matches!(base.scheme(), "http" | "https") && base.has_host(),
            "--base-url wants an address such as http://127.0.0.1:8080, not {base}"
        );
        let mut headers = HeaderMap::new();
        if let Some(key) = &service.api_key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .context("--api-key is no key: it has letters that no header may have")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut target = Self {
            base,
            headers,
            timeout: service.timeout,
            first_address: (!service.no_forwarding).then_some(service.first_address),
            http: Client::new(),
        };
        target.http = target.client().build()?;
        target.check().await?;
        Ok(target)
    }

    async fn check(&self) -> anyhow::Result<()> {
        let base = &self.base;
        let health = self.request(Method::GET, "/health", 0)?.send().await;
        let health = health.map_err(|error| {
            let why = innermost(&error);
            anyhow::anyhow!("nothing answers at {base}: {why}. Is the service running there? --base-url says where it is")
        })?;
        ensure!(
            health.status() == StatusCode::OK,
            "{base}health is answered by {}: is that a URL shortener?",
            health.status()
        );
        let list = self.request(Method::GET, "/urls?per_page=1", 0)?;
        let list = list.send().await?;
        match list.status() {
            StatusCode::OK => {
                if !list.headers().contains_key(RATE_LIMIT) {
                    eprintln!(
                        "note: no rate limit applies to this run. Either the service has none, or it does not believe \
                         X-Forwarded-For from here: SHORTENER_TRUSTED_PROXIES"
                    );
                }
                Ok(())
            }
            StatusCode::UNAUTHORIZED => {
                bail!("{base} asks for an API key: --api-key, or LOADTEST_API_KEY")
            }
            StatusCode::FORBIDDEN if self.first_address.is_some() => bail!(
                "{base} refuses requests that name a client address: {}. Start it with SHORTENER_AUTH=off and \
                 SHORTENER_TRUSTED_PROXIES=127.0.0.0/8, or give --no-forwarding, with which all users share one address",
                detail(list).await
            ),
            status => bail!(
                "{base} answers a list of URLs by {status}: {}",
                detail(list).await
            ),
        }
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// A client of its own, with connections of its own, for one user.
    pub(crate) fn client(&self) -> ClientBuilder {
        let builder = Client::builder()
            .default_headers(self.headers.clone())
            .redirect(Policy::none())
            .no_proxy()
            .timeout(self.timeout)
            .tcp_nodelay(true);
        // Reading the certificates that the system trusts takes longer than everything else here.
        builder.tls_built_in_root_certs(self.base.scheme() == "https")
    }

    /// For a user, whose number decides its address.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        user: u32,
    ) -> anyhow::Result<RequestBuilder> {
        let request = self.http.request(method, self.base.join(path)?);
        Ok(self.signed(request, user))
    }

    /// With the address of a user, if users have one.
    pub(crate) fn signed(&self, request: RequestBuilder, user: u32) -> RequestBuilder {
        match self.first_address {
            Some(first) => {
                let address = Ipv4Addr::from_bits(first.to_bits().wrapping_add(user));
                request.header(FORWARDED_FOR, address.to_string())
            }
            None => request,
        }
    }

    /// The link of the answer to a create.
    pub(crate) async fn created(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.send().await?;
        let status = answer.status();
        ensure!(
            status == StatusCode::CREATED,
            "{}: {}",
            status,
            detail(answer).await
        );
        Ok(answer.json().await?)
    }
}

/// A request to be sent, and what its answer has to be.
pub(crate) struct Question {
    pub kind: Kind,
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    /// Where a redirect has to lead.
    pub leads_to: Option<Arc<str>>,
}

impl Question {
    pub(crate) fn new(kind: Kind, links: &Links, drawn: usize, number: u64) -> Self {
        let link = links.get(drawn);
        let (method, path, body) = match kind {
            Kind::Redirect => (Method::GET, format!("/{}", link.code), None),
            Kind::List => {
                let page = drawn / 20 + 1;
                (Method::GET, format!("/urls?page={page}"), None)
            }
            Kind::Create => {
                let body = json!({
                    "user_id": links.user_id,
                    "original_url": format!("https://example.com/created/{number}"),
                    "title": "Made by a load test",
                });
                (Method::POST, "/urls".to_owned(), Some(body))
            }
            Kind::Health => (Method::GET, "/health".to_owned(), None),
            Kind::Statistics => (Method::GET, format!("/urls/{}/stats", link.id), None),
        };
        Self {
            kind,
            method,
            path,
            body,
            leads_to: (kind == Kind::Redirect).then(|| Arc::clone(&link.original_url)),
        }
    }

    /// Reads the answer to its end.
    pub(crate) async fn judge(&self, since: Instant, answer: Result<Response, Error>) -> Outcome {
        let failure = match answer {
            Ok(answer) => self.find_failure(answer).await,
            Err(error) => Some(Failure::of(&error)),
        };
        Outcome {
            kind: self.kind,
            latency: since.elapsed(),
            failure,
        }
    }

    async fn find_failure(&self, answer: Response) -> Option<Failure> {
        let status = answer.status().as_u16();
        let location = answer.headers().get(LOCATION).cloned();
        if let Err(error) = answer.bytes().await {
            return Some(Failure::of(&error));
        }
        if status != self.kind.status() {
            return Some(Failure::Status(status));
        }
        let wanted = self.leads_to.as_deref()?;
        let leads_elsewhere = location.is_none_or(|location| location != wanted);
        leads_elsewhere.then_some(Failure::WrongLocation)
    }
}

/// What a problem document says, or the beginning of whatever else there is.
async fn detail(answer: Response) -> String {
    let text = answer.text().await.unwrap_or_default();
    let problem: Option<Value> = serde_json::from_str(&text).ok();
    let detail = problem.and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()));
    detail.unwrap_or_else(|| text.chars().take(200).collect())
}

/// The first cause, which says most.
pub(crate) fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
