//! `/users`.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    Email, NewUser, User, UserChange, Username,
    store::{self, Updated},
};
use crate::{
    access::Caller,
    database::{
        Db,
        failure::{Taken, taken},
        timestamp::Timestamp,
    },
    error::ApiError,
    http::{
        conditional::{Conditions, Read, Tagged},
        extract::{Created, Id, JsonObject, MergePatch, Query},
        fields::{Fields, Reported, text},
        paging::{Listing, Order, Part},
    },
    idempotency::http::{Begun, Idempotency, Work},
    links::Links,
    shutdown::Tasks,
};

/// What can be changed about a user.
const CHANGEABLE: &[&str] = &["username", "email"];

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
    OriginalUri(uri): OriginalUri,
    idempotency: Idempotency,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let attempt = idempotency.attempt(&body);
    if let Some(answer) = attempt.recall(&db).await? {
        return Ok(answer);
    }
    let new = body.read(|fields| {
        let username = fields.required("username", text(Username::parse));
        let email = fields.required("email", text(Email::parse));
        Ok(NewUser {
            username: username?,
            email: email?,
        })
    })?;
    let mut work = match attempt.begin(&db).await? {
        Begun::Before(answer) => return Ok(answer),
        Begun::Now(work) => work,
    };
    let now = Timestamp::now();
    let made = match &mut work {
        Work::Plain(db) => store::insert(db, &new, now).await,
        Work::InTransaction(work) => store::insert_in(&mut work.tx, &new, now).await,
    };
    let user = match made {
        Ok(user) => user,
        Err(error) => return Err(work.refused(conflict(error)).await),
    };
    let created = Tagged(Created::below(&uri, user.id, user));
    work.commit(created.into_response()).await
}

/// `GET /users/{id}`
pub async fn show(
    caller: Caller,
    State(db): State<Db>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<Read<User>, ApiError> {
    must_be_in_reach(&caller, id)?;
    let user = store::find(&db, id).await?;
    conditions.read(user.ok_or(ApiError::NotFound("user"))?)
}

/// `PUT /users/{id}`
pub async fn update(
    caller: Caller,
    State(db): State<Db>,
    Id(id): Id,
    conditions: Conditions,
    JsonObject(body): JsonObject,
) -> Result<Tagged<User>, ApiError> {
    must_be_in_reach(&caller, id)?;
    let change = body.read(|fields| {
        fields.require_any(CHANGEABLE);
        change(fields)
    })?;
    carry_out(&db, id, &change, &conditions).await
}

/// `PATCH /users/{id}`
pub async fn patch(
    caller: Caller,
    State(db): State<Db>,
    Id(id): Id,
    conditions: Conditions,
    MergePatch(patch): MergePatch,
) -> Result<Tagged<User>, ApiError> {
    must_be_in_reach(&caller, id)?;
    if patch.are_none() {
        let user = store::find(&db, id).await?;
        let user = user.ok_or(ApiError::NotFound("user"))?;
        conditions.check_change(user.version)?;
        return Ok(Tagged(user));
    }
    let change = patch.read(|fields| {
        fields.refuse(&["id", "created_at", "version"]);
        fields.require_any(CHANGEABLE);
        change(fields)
    })?;
    carry_out(&db, id, &change, &conditions).await
}

fn change(fields: &mut Fields) -> Result<UserChange, Reported> {
    let username = fields.given("username", text(Username::parse));
    let email = fields.given("email", text(Email::parse));
    Ok(UserChange {
        username: username?,
        email: email?,
    })
}

async fn carry_out(
    db: &Db,
    id: i64,
    change: &UserChange,
    conditions: &Conditions,
) -> Result<Tagged<User>, ApiError> {
    match store::update(db, id, change, conditions, Timestamp::now()).await? {
        Updated::Done(user) => Ok(Tagged(user)),
        Updated::Missing => Err(ApiError::NotFound("user")),
        Updated::EmailTaken => Err(email_taken()),
    }
}

/// `DELETE /users/{id}`
pub async fn delete(
    State(db): State<Db>,
    State(links): State<Arc<Links>>,
    State(tasks): State<Tasks>,
    Id(id): Id,
    conditions: Conditions,
) -> Result<StatusCode, ApiError> {
    let now = Timestamp::now();
    let deleting = async move { store::delete(&db, &links, id, &conditions, now).await };
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
        Some(Taken::Email) => email_taken(),
        _ => error.into(),
    }
}

fn email_taken() -> ApiError {
    ApiError::Conflict {
        field: "email",
        reason: "another user has this address already".to_owned(),
    }
}
