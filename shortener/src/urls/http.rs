//! `/urls`.

use std::sync::Arc;

use axum::{
    extract::{FromRef, OriginalUri, State},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};

use super::{
    NewUrl, ShortUrl, Title,
    creator::Creator,
    list::{self, UrlQuery},
    options::{OptionsChange, RedirectOptions},
    original_url::{OriginalUrl, UrlRules},
    redirect_status::RedirectStatus,
    short_code::ShortCode,
    store,
};
use crate::{
    access::Caller,
    app::{AppState, Hosts},
    config::LimitsConfig,
    database::{
        Db, Tx,
        failure::{Taken, taken},
        timestamp::Timestamp,
    },
    error::ApiError,
    http::{
        conditional::{Conditions, Read, Tagged},
        extract::{Created, Id, JsonObject, Query},
        fields::{Fields, Reported, boolean, integer, positive, text, time},
        paging::Listing,
        totals::Totals,
    },
    idempotency::http::{Begun, Idempotency, Work},
    links::Links,
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
    /// A new URL, and the code that was chosen for it.
    pub(super) fn read_new(
        &self,
        fields: &mut Fields,
        headers: &HeaderMap,
    ) -> Result<(NewUrl, Option<ShortCode>), Reported> {
        let user_id = fields.required("user_id", integer);
        let original_url = fields.required("original_url", self.original_url(headers));
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
    }

    /// Reads a field that holds an original URL, for a request with these headers.
    pub(super) fn original_url(
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
    State(totals): State<Arc<Totals>>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query,
) -> Result<Listing<ShortUrl>, ApiError> {
    let (query, part) = query.read(|fields| UrlQuery::read(fields, &uri, &caller))?;
    list::read(&db, &query, part, &uri, &totals).await
}

/// What making URLs takes.
#[derive(Clone, Debug)]
pub struct Maker {
    creator: Arc<Creator>,
    links: Arc<Links>,
    judgement: Judgement,
}

impl FromRef<AppState> for Maker {
    fn from_ref(state: &AppState) -> Self {
        Self {
            creator: Arc::clone(&state.creator),
            links: Arc::clone(&state.links),
            judgement: state.judgement.clone(),
        }
    }
}

/// `POST /urls`
pub async fn create(
    caller: Caller,
    State(maker): State<Maker>,
    OriginalUri(uri): OriginalUri,
    idempotency: Idempotency,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let Maker {
        creator,
        links,
        judgement,
    } = maker;
    let attempt = idempotency.attempt(&body);
    if let Some(answer) = attempt.recall(&creator.db).await? {
        return Ok(answer);
    }
    let (new, chosen) = body.read(|fields| judgement.read_new(fields, &headers))?;
    must_be_in_reach(&caller, new.user_id)?;
    let mut work = match attempt.begin(&creator.db).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(work) => work,
    };
    let made = match &mut work {
        Work::Plain(_) => creator.create(&new, chosen).await,
        Work::InTransaction(work) => insert(Place::In(&mut work.tx), &new, chosen).await,
    };
    let url = match made {
        Ok(url) => url,
        Err(refusal) => return Err(work.refused(refusal).await),
    };
    let code = url.short_code.clone();
    let created = Tagged(Created::below(&uri, url.id, url));
    let answer = work.commit(created.into_response()).await?;
    links.created(&code);
    Ok(answer)
}

/// Where a URL is added.
pub(super) enum Place<'a> {
    Anywhere(&'a Db),
    In(&'a mut Tx),
}

/// Adds `new` under the code that was chosen, or under a generated one that is free.
pub(super) async fn insert(
    mut place: Place<'_>,
    new: &NewUrl,
    chosen: Option<ShortCode>,
) -> Result<ShortUrl, ApiError> {
    let now = Timestamp::now();
    let mut tries = 0;
    loop {
        let short_code = chosen.clone().unwrap_or_else(ShortCode::generate);
        tries += 1;
        let inserted = match &mut place {
            Place::Anywhere(db) => store::insert(db, new, &short_code, now).await,
            Place::In(tx) => store::insert_in(tx, new, &short_code, now).await,
        };
        match inserted {
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
    conditions: Conditions,
) -> Result<Read<ShortUrl>, ApiError> {
    conditions.read(must_exist(&caller, &db, id).await?)
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

/// The options that a body gives for a new URL.
fn new_options(fields: &mut Fields) -> Result<RedirectOptions, Reported> {
    let options = options_change(fields)?.apply(&RedirectOptions::default());
    match options.check() {
        Ok(()) => Ok(options),
        Err(reason) => Err(fields.report("starts_at", reason)),
    }
}

/// The options that a body gives, or takes back with null.
pub(super) fn options_change(fields: &mut Fields) -> Result<OptionsChange, Reported> {
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
