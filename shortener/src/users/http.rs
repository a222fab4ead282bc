//! `/users`.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::StatusCode,
};

use super::{Email, NewUser, User, UserChange, Username, store};
use crate::{
    access::Caller,
    database::{
        Db,
        failure::{Taken, taken},
        timestamp::Timestamp,
    },
    error::ApiError,
    http::{
        extract::{Created, Id, Json, JsonObject, Query},
        fields::text,
        paging::{Listing, Order, Part},
    },
    links::Links,
    shutdown::Tasks,
};

/// `GET /users`
pub async fn list(
    caller: Caller,
    State(db): State<Db>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query,
) -> Result<Listing<User>, ApiError> {
    let part = query.read(|fields| Part::read(fields, &uri, Order::OldestFirst))?;
    let only = caller.user();
    let (rows, count) = (store::list(&db, only, part), store::count(&db, only));
    Listing::read(part, &uri, rows, count).await
}

/// `POST /users`
pub async fn create(
    State(db): State<Db>,
    JsonObject(body): JsonObject,
) -> Result<Created<User>, ApiError> {
    let new = body.read(|fields| {
        let username = fields.required("username", text(Username::parse));
        let email = fields.required("email", text(Email::parse));
        Ok(NewUser {
            username: username?,
            email: email?,
        })
    })?;
    let user = store::insert(&db, &new, Timestamp::now())
        .await
        .map_err(conflict)?;
    Ok(Created {
        id: user.id,
        body: user,
    })
}

/// `GET /users/{id}`
pub async fn show(
    caller: Caller,
    State(db): State<Db>,
    Id(id): Id,
) -> Result<Json<User>, ApiError> {
    must_be_in_reach(&caller, id)?;
    let user = store::find(&db, id).await?;
    user.map(Json).ok_or(ApiError::NotFound("user"))
}

/// `PUT /users/{id}`
pub async fn update(
    caller: Caller,
    State(db): State<Db>,
    Id(id): Id,
    JsonObject(body): JsonObject,
) -> Result<Json<User>, ApiError> {
    must_be_in_reach(&caller, id)?;
    let change = body.read(|fields| {
        fields.require_any(&["username", "email"]);
        let username = fields.given("username", text(Username::parse));
        let email = fields.given("email", text(Email::parse));
        Ok(UserChange {
            username: username?,
            email: email?,
        })
    })?;
    let user = store::update(&db, id, &change, Timestamp::now())
        .await
        .map_err(conflict)?;
    user.map(Json).ok_or(ApiError::NotFound("user"))
}

/// `DELETE /users/{id}`
pub async fn delete(
    State(db): State<Db>,
    State(links): State<Arc<Links>>,
    State(tasks): State<Tasks>,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    let now = Timestamp::now();
    let deleting = async move { store::delete(&db, &links, id, now).await };
    if tasks.carry_out(deleting).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("user"))
    }
}

/// To a user's key, there are no other users.
pub fn must_be_in_reach(caller: &Caller, id: i64) -> Result<(), ApiError> {
    if caller.reaches(id) {
        Ok(())
    } else {
        Err(ApiError::NotFound("user"))
    }
}

fn conflict(error: sqlx::Error) -> ApiError {
    match taken(&error) {
        Some(Taken::Email) => ApiError::Conflict {
            field: "email",
            reason: "another user has this address already".to_owned(),
        },
        _ => error.into(),
    }
}
