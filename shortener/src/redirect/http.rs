//! `/{short_code}`, `/{short_code}+` and `/urls/{short_code}/redirect`: every case, the slow ones included.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, Method, Uri, header},
    response::{IntoResponse as _, Response},
};
use tokio::sync::Semaphore;

use super::{
    answer,
    decide::{Outcome, decide},
    limited, page,
};
use crate::{
    clicks::{Clicks, Visitor},
    database::{Db, timestamp::Timestamp},
    error::ApiError,
    http::{
        envelope::{ClientAddress, PointOfNoReturn, page_headers},
        extract::Segment,
    },
    links::{Links, key::LinkRef, link::Link},
    rate_limit::RateLimits,
    urls::{self, short_code::ShortCode},
};

/// What a short code names.
const LINK: &str = "link";

/// What redirects are answered with.
#[derive(Clone, Debug)]
pub struct Redirects {
    pub db: Db,
    pub links: Arc<Links>,
    pub clicks: Arc<Clicks>,
    pub limits: Arc<RateLimits>,
    /// How many visits of links with a limit are counted at a time: they wait for each other anyway, and must not take
    /// every connection along.
    pub counting: Arc<Semaphore>,
}

/// `GET` and `HEAD` of a short URL. Only a `GET` is a click.
///
/// The click is on disk before the answer leaves.
pub async fn follow(
    State(redirects): State<Redirects>,
    Extension(client): Extension<ClientAddress>,
    Extension(no_return): Extension<PointOfNoReturn>,
    Segment(segment): Segment,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    redirects.limits.check_redirect(client)?;
    let now = Timestamp::now();
    if let Some(code) = segment.strip_suffix('+') {
        return redirects.preview(code, now).await;
    }
    // What is no code names nothing.
    let code = ShortCode::parse(&segment).map_err(|_| ApiError::NotFound(LINK))?;
    let key = LinkRef::new(code.as_str());
    let link = redirects.links.find(key).await?;
    let link = link.ok_or(ApiError::NotFound(LINK))?;
    let visitor = (method == Method::GET).then(|| Visitor::new(client.0, uri.query(), &headers));
    match decide(&link, now) {
        Outcome::Redirect => Ok(redirects.send_on(&link, visitor, uri.query(), now)),
        Outcome::Limited => {
            redirects
                .follow_limited(key, visitor, uri.query(), now, no_return)
                .await
        }
        refused => Err(refusal(refused)),
    }
}

impl Redirects {
    /// Appends the click, if it is one, and sends the visitor on.
    fn send_on(
        &self,
        link: &Link,
        visitor: Option<Visitor<'_>>,
        query: Option<&str>,
        now: Timestamp,
    ) -> Response {
        if let Some(visitor) = visitor {
            self.clicks.append(link, visitor, now);
        }
        answer::redirect(link, query)
    }

    /// Asks the database whether one more may come. Who does not count does not learn the target.
    async fn follow_limited(
        &self,
        key: LinkRef<'_>,
        visitor: Option<Visitor<'_>>,
        query: Option<&str>,
        now: Timestamp,
        no_return: PointOfNoReturn,
    ) -> Result<Response, ApiError> {
        let looked = limited::look(&self.db, key, now).await?;
        let (link, outcome) = looked.ok_or(ApiError::NotFound(LINK))?;
        match (outcome, visitor) {
            (Outcome::Limited, None) => Ok(answer::without_target(&link)),
            (Outcome::Limited, Some(visitor)) => {
                let _turn = self.counting.acquire().await;
                let used = limited::use_up(&self.db, &self.clicks, &link, visitor, now, no_return);
                if used.await? {
                    Ok(answer::redirect(&link, query))
                } else {
                    Err(refusal(Outcome::Gone))
                }
            }
            // It has none any more.
            (Outcome::Redirect, visitor) => Ok(self.send_on(&link, visitor, query, now)),
            (refused, _) => Err(refusal(refused)),
        }
    }

    /// A page that says where a link leads, to whoever could follow it.
    async fn preview(&self, code: &str, now: Timestamp) -> Result<Response, ApiError> {
        let missing = || ApiError::NotFound(LINK);
        let code = ShortCode::parse(code).map_err(|_| missing())?;
        let key = LinkRef::new(code.as_str());
        // Whoever tries one code after another is answered from memory.
        self.links.find(key).await?.ok_or_else(missing)?;
        let looked = limited::look(&self.db, key, now).await?;
        let (link, outcome) = looked.ok_or_else(missing)?;
        if !matches!(outcome, Outcome::Redirect | Outcome::Limited) {
            return Err(refusal(outcome));
        }
        let url = urls::store::find(&self.db, link.url_id).await?;
        let page = page::preview(&url.ok_or_else(missing)?, &link);
        let headers = [(header::CACHE_CONTROL, answer::CACHE_CONTROL)];
        Ok((page_headers(), headers, page).into_response())
    }
}

fn refusal(outcome: Outcome) -> ApiError {
    match outcome {
        Outcome::Gone => ApiError::Gone(LINK),
        _ => ApiError::NotFound(LINK),
    }
}
