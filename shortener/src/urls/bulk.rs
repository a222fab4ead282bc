//! `urls.csv`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};

use super::{
    Title,
    http::Judgement,
    original_url::{OriginalUrl, UrlRules},
    private_target::PrivateTargets,
    short_code::ShortCode,
    store,
};
use crate::{
    bulk::{self, BadRow, Imported, Known, Loader, Record, Refused, Row, Upload},
    config::LimitsConfig,
    database::{Tx, timestamp::Timestamp},
    error::ApiError,
    http::{extract::Json, host::Host},
    links::Links,
    users,
};

/// A line of the file.
#[derive(Clone, Debug)]
pub struct UrlRow {
    pub id: i64,
    pub user_id: i64,
    pub short_code: ShortCode,
    pub original_url: OriginalUrl,
    pub title: Option<Title>,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What original URLs are judged by.
#[derive(Clone, Debug)]
pub struct Rules {
    pub max_url_bytes: u64,
    pub own_hosts: Vec<Host>,
    pub private_targets: PrivateTargets,
}

impl Record for UrlRow {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "user_id",
        "short_code",
        "original_url",
        "title",
        "is_active",
        "created_at",
        "updated_at",
    ];
    type Rules = Rules;
    type Found = Known;

    fn parse(row: &Row<'_>, rules: &Rules) -> Result<Self, BadRow> {
        let original_url = |text: &str| {
            OriginalUrl::parse(
                text,
                UrlRules {
                    max_bytes: rules.max_url_bytes,
                    own_hosts: &rules.own_hosts,
                    private_targets: rules.private_targets,
                },
            )
        };
        let title = row.read("title", Title::parse)?;
        Ok(Self {
            id: row.read("id", bulk::id)?,
            user_id: row.read("user_id", bulk::id)?,
            short_code: row.read("short_code", ShortCode::choose)?,
            original_url: row.read("original_url", original_url)?,
            title: Some(title).filter(|title| !title.as_str().is_empty()),
            is_active: row.read("is_active", bulk::boolean)?,
            created_at: row.read("created_at", bulk::time)?,
            updated_at: row.read("updated_at", bulk::time)?,
        })
    }

    async fn find_dangling(
        tx: &mut Tx,
        batch: &[Self],
        owners: &mut Known,
    ) -> sqlx::Result<Option<Refused>> {
        let unknown = owners.unknown(batch.iter().map(|row| row.user_id));
        if !unknown.is_empty() {
            owners.add(users::store::existing(tx.conn(), &unknown).await?);
        }
        let stray = batch.iter().position(|row| !owners.contains(row.user_id));
        Ok(stray.map(|place| Refused {
            place,
            column: "user_id",
            reason: "is the id of no user",
            is_conflict: false,
        }))
    }

    async fn insert_all(tx: &mut Tx, batch: &[Self]) -> sqlx::Result<()> {
        store::insert_all(tx, batch).await
    }

    async fn advance_ids(tx: &mut Tx) -> sqlx::Result<()> {
        store::advance_ids(tx).await
    }
}

/// `POST /urls/bulk`
pub async fn load(
    State(loader): State<Loader>,
    State(judgement): State<Judgement>,
    State(links): State<Arc<Links>>,
    headers: HeaderMap,
    upload: Upload,
) -> Result<(StatusCode, Json<Imported>), ApiError> {
    let rules = Rules {
        max_url_bytes: LimitsConfig::or_none(judgement.limits.max_url_bytes),
        own_hosts: judgement.hosts.of_request(&headers),
        private_targets: judgement.limits.private_targets,
    };
    let imported = loader.load::<UrlRow>(upload, rules).await?;
    links.forget_missing();
    Ok((StatusCode::CREATED, Json(Imported { imported })))
}
