//! `events.csv`.

use axum::{extract::State, http::StatusCode};

use super::{Details, EventType, store};
use crate::{
    bulk::{self, BadRow, Imported, Known, Loader, Record, Refused, Row, Upload},
    database::{Tx, timestamp::Timestamp},
    error::ApiError,
    http::extract::Json,
    urls, users,
};

/// A line of the file.
#[derive(Clone, Debug)]
pub struct EventRow {
    pub id: i64,
    pub url_id: i64,
    pub user_id: i64,
    pub event_type: EventType,
    pub occurred_at: Timestamp,
    pub details: Details,
}

/// What a load has found of the things that its events are about.
#[derive(Debug, Default)]
pub struct Subjects {
    urls: Known,
    users: Known,
}

impl Subjects {
    async fn look_for(&mut self, tx: &mut Tx, batch: &[EventRow]) -> sqlx::Result<()> {
        let urls = self.urls.unknown(batch.iter().map(|row| row.url_id));
        if !urls.is_empty() {
            self.urls
                .add(urls::store::existing(tx.conn(), &urls).await?);
        }
        let users = self.users.unknown(batch.iter().map(|row| row.user_id));
        if !users.is_empty() {
            self.users
                .add(users::store::existing(tx.conn(), &users).await?);
        }
        Ok(())
    }
}

impl Record for EventRow {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "url_id",
        "user_id",
        "event_type",
        "timestamp",
        "details",
    ];
    type Rules = ();
    type Found = Subjects;

    fn parse(row: &Row<'_>, (): &()) -> Result<Self, BadRow> {
        Ok(Self {
            id: row.read("id", bulk::id)?,
            url_id: row.read("url_id", bulk::id)?,
            user_id: row.read("user_id", bulk::id)?,
            event_type: row.read("event_type", EventType::parse)?,
            occurred_at: row.read("timestamp", bulk::time)?,
            details: row.read("details", Details::parse)?,
        })
    }

    async fn find_dangling(
        tx: &mut Tx,
        batch: &[Self],
        found: &mut Subjects,
    ) -> sqlx::Result<Option<Refused>> {
        found.look_for(tx, batch).await?;
        let ids: Vec<i64> = batch.iter().map(|row| row.id).collect();
        let clicks = store::clicks_among(tx.conn(), &ids).await?;
        Ok(batch.iter().enumerate().find_map(|(place, row)| {
            let (column, reason, is_conflict) = if !found.urls.contains(row.url_id) {
                ("url_id", "is the id of no URL", false)
            } else if !found.users.contains(row.user_id) {
                ("user_id", "is the id of no user", false)
            } else if clicks.contains(&row.id) {
                ("id", "is taken already", true)
            } else {
                return None;
            };
            Some(Refused {
                place,
                column,
                reason,
                is_conflict,
            })
        }))
    }

    async fn insert_all(tx: &mut Tx, batch: &[Self]) -> sqlx::Result<()> {
        store::insert_all(tx, batch).await
    }

    async fn advance_ids(tx: &mut Tx) -> sqlx::Result<()> {
        store::advance_ids(tx).await
    }
}

/// `POST /events/bulk`
pub async fn load(
    State(loader): State<Loader>,
    upload: Upload,
) -> Result<(StatusCode, Json<Imported>), ApiError> {
    let imported = loader.load::<EventRow>(upload, ()).await?;
    Ok((StatusCode::CREATED, Json(Imported { imported })))
}
