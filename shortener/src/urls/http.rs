//! `/urls`.

use std::sync::Arc;

use axum::{
    extract::{FromRef, OriginalUri, State},
    http::{HeaderMap, StatusCode},
};

use super::{
    NewUrl, ShortUrl, Title, UrlChange,
    options::{OptionsChange, RedirectOptions},
    original_url::{OriginalUrl, UrlRules},
    redirect_status::RedirectStatus,
    short_code::ShortCode,
    store::{self, Updated, UrlFilter},
};
use crate::{
    access::Caller,
    app::Hosts,
    config::LimitsConfig,
    database::{
        Db,
        failure::{Taken, taken},
        timestamp::Timestamp,
    },
    error::ApiError,
    http::{
        extract::{Created, Id, Json, JsonObject, Query},
        fields::{Fields, Reported, boolean, digits, flag, integer, positive, text, time},
        paging::{Listing, Page},
    },
    links::Links,
    shutdown::Tasks,
    users::http::must_be_in_reach,
};

/// A generated code is taken once in 57 billion per URL there is: more collisions than this are no accident.
const MAX_TRIES: usize = 10;

/// What an original URL is judged by.
#[derive(Clone, Debug, FromRef)]
pub struct Judgement {
    pub hosts: Arc<Hosts>,
    pub limits: LimitsConfig,
}

impl Judgement {
    /// Reads a field that holds an original URL, for a request with these headers.
    fn original_url(
        &self,
        headers: &HeaderMap,
    ) -> impl FnOnce(&serde_json::Value) -> Result<OriginalUrl, crate::invalid::Invalid> {
        let own_hosts = self.hosts.of_request(headers);
        let max_bytes = LimitsConfig::or_none(self.limits.max_url_bytes);
        let private_targets = self.limits.private_targets;
        text(move |text| {
            OriginalUrl::parse(
                text,
                UrlRules {
                    max_bytes,
                    own_hosts: &own_hosts,
                    private_targets,
                },
            )
        })
    }
}

/// `GET /urls`
pub async fn list(
    caller: Caller,
    State(db): State<Db>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query,
) -> Result<Listing<ShortUrl>, ApiError> {
    let (filter, page) = query.read(|fields| {
        let user_id = fields.optional("user_id", text(digits));
        let is_active = fields.optional("is_active", text(flag));
        let page = Page::read(fields);
        let filter = UrlFilter {
            user_id: caller.narrow(user_id?),
            is_active: is_active?,
        };
        Ok((filter, page?))
    })?;
    let (rows, total) =
        tokio::try_join!(store::list(&db, filter, page), store::count(&db, filter))?;
    Ok(Listing {
        rows,
        total,
        page,
        uri,
    })
}

/// `POST /urls`
pub async fn create(
    caller: Caller,
    State(db): State<Db>,
    State(links): State<Arc<Links>>,
    State(judgement): State<Judgement>,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Created<ShortUrl>, ApiError> {
    let (new, chosen) = body.read(|fields| {
        let user_id = fields.required("user_id", integer);
        let original_url = fields.required("original_url", judgement.original_url(&headers));
        let title = fields.optional("title", text(Title::parse));
        let short_code = fields.optional("short_code", text(ShortCode::choose));
        let options = new_options(fields);
        let new = NewUrl {
            user_id: user_id?,
            original_url: original_url?,
            title: title?,
            options: options?,
        };
        Ok((new, short_code?))
    })?;
    must_be_in_reach(&caller, new.user_id)?;
    let url = insert(&db, &new, chosen).await?;
    links.created(&url.short_code);
    Ok(Created {
        id: url.id,
        body: url,
    })
}

/// Adds `new` under the code that was chosen, or under a generated one that is free.
async fn insert(db: &Db, new: &NewUrl, chosen: Option<ShortCode>) -> Result<ShortUrl, ApiError> {
    let now = Timestamp::now();
    let mut tries = 0;
    loop {
        let short_code = chosen.clone().unwrap_or_else(ShortCode::generate);
        tries += 1;
        match store::insert(db, new, &short_code, now).await {
            Ok(url) => return url.ok_or(ApiError::NotFound("user")),
            Err(error) if taken(&error) == Some(Taken::ShortCode) => {
                if chosen.is_some() {
                    return Err(ApiError::Conflict {
                        field: "short_code",
                        reason: "this short code is taken already".to_owned(),
                    });
                }
                if tries == MAX_TRIES {
                    return Err(anyhow::anyhow!("{MAX_TRIES} generated codes were taken").into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// `GET /urls/{id}`
pub async fn show(
    caller: Caller,
    State(db): State<Db>,
    Id(id): Id,
) -> Result<Json<ShortUrl>, ApiError> {
    must_exist(&caller, &db, id).await.map(Json)
}

/// The URL, if there is one and it is the caller's.
pub async fn must_exist(caller: &Caller, db: &Db, id: i64) -> Result<ShortUrl, ApiError> {
    let url = store::find(db, id).await?;
    url.filter(|url| caller.reaches(url.user_id))
        .ok_or(ApiError::NotFound("URL"))
}

/// Refuses a URL that is not the caller's. The owner of a URL never changes, so that this need not be asked in the
/// transaction that goes on to change it.
pub async fn must_own(caller: &Caller, db: &Db, id: i64) -> Result<(), ApiError> {
    if caller.user().is_none() {
        return Ok(());
    }
    must_exist(caller, db, id).await.map(drop)
}

/// `PUT /urls/{id}`
#[expect(
    clippy::too_many_arguments,
    reason = "each is a thing that the handler asks for by its type"
)]
pub async fn update(
    caller: Caller,
    State(db): State<Db>,
    State(links): State<Arc<Links>>,
    State(judgement): State<Judgement>,
    State(tasks): State<Tasks>,
    Id(id): Id,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Json<ShortUrl>, ApiError> {
    let change = body.read(|fields| {
        fields.require_any(&[
            "title",
            "is_active",
            "original_url",
            "status",
            "forward_query",
            "starts_at",
            "expires_at",
            "max_clicks",
        ]);
        let title = fields.change("title", text(Title::parse));
        let is_active = fields.given("is_active", boolean);
        let original_url = fields.given("original_url", judgement.original_url(&headers));
        let options = options_change(fields);
        Ok(UrlChange {
            title: title?,
            is_active: is_active?,
            original_url: original_url?,
            options: options?,
        })
    })?;
    must_own(&caller, &db, id).await?;
    let now = Timestamp::now();
    let updating = async move { store::update(&db, &links, id, &change, now).await };
    match tasks.carry_out(updating).await? {
        Updated::Done(url) => Ok(Json(url)),
        Updated::Missing => Err(ApiError::NotFound("URL")),
        Updated::Refused(field, reason) => Err(ApiError::invalid(field, reason.to_string())),
    }
}

/// `DELETE /urls/{id}`
pub async fn delete(
    caller: Caller,
    State(db): State<Db>,
    State(links): State<Arc<Links>>,
    State(tasks): State<Tasks>,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    must_own(&caller, &db, id).await?;
    let now = Timestamp::now();
    let deleting = async move { store::delete(&db, &links, id, now).await };
    if tasks.carry_out(deleting).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("URL"))
    }
}

/// The options that a body gives for a new URL.
fn new_options(fields: &mut Fields) -> Result<RedirectOptions, Reported> {
    let options = options_change(fields)?.apply(&RedirectOptions::default());
    match options.check() {
        Ok(()) => Ok(options),
        Err(reason) => Err(fields.report("starts_at", reason)),
    }
}

/// The options that a body gives, or takes back with null.
fn options_change(fields: &mut Fields) -> Result<OptionsChange, Reported> {
    let status = fields.given("status", |value| RedirectStatus::parse(integer(value)?));
    let forward_query = fields.given("forward_query", boolean);
    let starts_at = fields.change("starts_at", text(time));
    let expires_at = fields.change("expires_at", text(time));
    let max_clicks = fields.change("max_clicks", positive);
    Ok(OptionsChange {
        status: status?,
        forward_query: forward_query?,
        starts_at: starts_at?,
        expires_at: expires_at?,
        max_clicks: max_clicks?,
    })
}
