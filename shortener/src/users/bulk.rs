//! `users.csv`.

use axum::{extract::State, http::StatusCode};

use super::{Email, Username, store};
use crate::{
    bulk::{self, BadRow, Imported, Loader, Record, Refused, Row, Upload},
    database::{Tx, timestamp::Timestamp},
    error::ApiError,
    http::extract::Json,
};

/// A line of the file.
#[derive(Clone, Debug)]
pub struct UserRow {
    pub id: i64,
    pub username: Username,
    pub email: Email,
    pub created_at: Timestamp,
}

impl Record for UserRow {
    const COLUMNS: &'static [&'static str] = &["id", "username", "email", "created_at"];
    type Rules = ();
    type Found = ();

    fn parse(row: &Row<'_>, (): &()) -> Result<Self, BadRow> {
        Ok(Self {
            id: row.read("id", bulk::id)?,
            username: row.read("username", Username::parse)?,
            email: row.read("email", Email::parse)?,
            created_at: row.read("created_at", bulk::time)?,
        })
    }

    /// A user refers to nothing.
    async fn find_dangling(_: &mut Tx, _: &[Self], (): &mut ()) -> sqlx::Result<Option<Refused>> {
        Ok(None)
    }

    async fn insert_all(tx: &mut Tx, batch: &[Self]) -> sqlx::Result<()> {
        store::insert_all(tx, batch).await
    }

    async fn advance_ids(tx: &mut Tx) -> sqlx::Result<()> {
        store::advance_ids(tx).await
    }
}

/// `POST /users/bulk`
pub async fn load(
    State(loader): State<Loader>,
    upload: Upload,
) -> Result<(StatusCode, Json<Imported>), ApiError> {
    let imported = loader.load::<UserRow>(upload, ()).await?;
    Ok((StatusCode::CREATED, Json(Imported { imported })))
}
