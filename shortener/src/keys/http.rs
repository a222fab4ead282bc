//! `/keys`, for admins.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Key, KeyName, NewKey, Right, Scope, Scopes, expiry,
    secret::{Hasher, KeyText},
    store::{self, KeyFilter},
};
use crate::{
    access::Access,
    database::{Db, timestamp::Timestamp},
    error::ApiError,
    http::{
        extract::{Created, Id, JsonObject, Query},
        fields::{digits, integer, text},
        paging::{Listing, Order, Part},
    },
    idempotency::http::Idempotency,
    invalid::Invalid,
};

/// A key as answered to whoever made it: the one time that it is shown.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "KeyWithSecret")]
pub struct NewKeyAnswer {
    #[serde(flatten)]
    pub about: Key,
    /// What is sent as `Authorization: Bearer <key>`.
    pub key: String,
}

/// `GET /keys`
pub async fn list(
    State(db): State<Db>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query,
) -> Result<Listing<Key>, ApiError> {
    let (filter, part) = query.read(|fields| {
        let user_id = fields.optional("user_id", text(digits));
        let part = Part::read(fields, &uri, Order::OldestFirst);
        Ok((KeyFilter { user_id: user_id? }, part?))
    })?;
    let (rows, count) = (store::list(&db, filter, part), store::count(&db, filter));
    Listing::read(part, &uri, rows, count).await
}

/// `POST /keys`
pub async fn create(
    State(db): State<Db>,
    State(access): State<Arc<Access>>,
    idempotency: Idempotency,
    JsonObject(body): JsonObject,
) -> Result<([(HeaderName, HeaderValue); 1], Created<NewKeyAnswer>), ApiError> {
    // To answer the same again, the key itself would have to be kept.
    idempotency.refuse("is not taken here, since a key is shown once and kept nowhere: look for it in the list of keys")?;
    let now = Timestamp::now();
    let (name, user_id, scopes, expires_at) = body.read(|fields| {
        let name = fields.required("name", text(KeyName::parse));
        let user_id = fields.optional("user_id", integer);
        let scopes = fields.optional("scopes", scopes);
        let expires_at = fields.optional("expires_at", text(|text| expiry(text, now)));
        Ok((name?, user_id?, scopes?, expires_at?))
    })?;
    let scopes = match (scopes, user_id) {
        (Some(scopes), _) => scopes,
        (None, Some(_)) => Scopes(Scope::OF_A_USER.to_vec()),
        (None, None) => return Err(ApiError::invalid("scopes", "is missing")),
    };
    let right = Right::new(user_id, scopes)
        .map_err(|reason| ApiError::invalid("scopes", reason.to_string()))?;
    let new = NewKey {
        name,
        right,
        expires_at,
    };
    let (about, key) = make(&db, access.keyring.hasher(), &new, now)
        .await?
        .ok_or(ApiError::NotFound("user"))?;
    let id = about.id;
    let key = key.expose().to_owned();
    let created = Created::new(id, NewKeyAnswer { about, key });
    // Nobody on the way may keep it.
    let kept_by_nobody = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((kept_by_nobody, created))
}

/// Draws a key and stores what is kept of it; `None` if it is to be that of a user who does not exist.
pub(super) async fn make(
    db: &Db,
    hasher: &Hasher,
    new: &NewKey,
    now: Timestamp,
) -> sqlx::Result<Option<(Key, KeyText)>> {
    let key = KeyText::generate();
    let hash = hasher.hash(key.expose().as_bytes());
    let about = store::insert(db, new, hash, key.prefix(), now).await?;
    Ok(about.map(|about| (about, key)))
}

/// `DELETE /keys/{id}`
pub async fn revoke(
    State(db): State<Db>,
    State(access): State<Arc<Access>>,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let is_revoked = store::revoke(&db, id, Timestamp::now()).await?;
    access.keyring.forget();
    if is_revoked {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("key"))
    }
}

/// A JSON array of the names of scopes.
fn scopes(value: &serde_json::Value) -> Result<Scopes, Invalid> {
    const SHAPE: &str = "must be an array of `read`, `write`, `statistics` and `admin`";
    let names = value.as_array().ok_or(SHAPE)?;
    let scope = |name: &serde_json::Value| name.as_str().ok_or(SHAPE)?.parse::<Scope>();
    Scopes::new(names.iter().map(scope).collect::<Result<_, _>>()?)
}
