//! The log and the clicks in the database. All SQL about events is in this file.

use serde_json::{json, value::RawValue};
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{CLICK, Event, NewEvent, bulk::EventRow};
use crate::{
    database::{
        Conn, Db, Either, Tx,
        copy::CopyText,
        either,
        part::{push_bound, push_end, push_order},
        timestamp::Timestamp,
    },
    http::paging::{MAX_TOTAL, Part},
    urls::ShortUrl,
};

/// Which events a list shows.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub url_id: Option<i64>,
    pub user_id: Option<i64>,
    pub event_type: Option<String>,
}

/// Why an event cannot be added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unknown {
    Url,
    User,
}

/// Adds an event that a caller reports, if its URL and its user exist.
pub async fn insert(
    tx: &mut Tx,
    new: &NewEvent,
    now: Timestamp,
) -> sqlx::Result<Result<Event, Unknown>> {
    let (has_url, has_user): (bool, bool) = either!(tx.conn(), conn => {
        sqlx::query_as(
            "select exists (select 1 from url where id = $1 and deleted_at is null),
                    exists (select 1 from app_user where id = $2 and deleted_at is null)",
        )
        .bind(new.url_id)
        .bind(new.user_id)
        .fetch_one(conn)
        .await?
    });
    if !has_url {
        return Ok(Err(Unknown::Url));
    }
    if !has_user {
        return Ok(Err(Unknown::User));
    }
    let row = either!(tx.conn(), conn => {
        sqlx::query_as::<_, EventRecord>(
            "insert into event (url_id, user_id, event_type, occurred_at, details)
             values ($1, $2, $3, $4, $5)
             returning id, url_id, user_id, event_type, occurred_at, details",
        )
        .bind(new.url_id)
        .bind(new.user_id)
        .bind(new.event_type.as_str())
        .bind(now)
        .bind(new.details.as_str())
        .fetch_one(conn)
        .await?
    });
    row.into_event().map(Ok)
}

/// Logs what happened to `url`.
pub async fn insert_for_url(
    tx: &mut Tx,
    url: &ShortUrl,
    event_type: &str,
    now: Timestamp,
    details: &str,
) -> sqlx::Result<()> {
    either!(tx.conn(), conn => {
        sqlx::query(
            "insert into event (url_id, user_id, event_type, occurred_at, details) values ($1, $2, $3, $4, $5)",
        )
        .bind(url.id)
        .bind(url.user_id)
        .bind(event_type)
        .bind(now)
        .bind(details)
        .execute(conn)
        .await?;
    });
    Ok(())
}

/// Logs that the URLs which a user still has are deleted with the user.
pub async fn insert_deleted_of_user(tx: &mut Tx, user_id: i64, now: Timestamp) -> sqlx::Result<()> {
    let details = json!({"reason": "user_deleted"}).to_string();
    either!(tx.conn(), conn => {
        sqlx::query(
            "insert into event (url_id, user_id, event_type, occurred_at, details)
             select id, user_id, 'deleted', $2, $3 from url
             where user_id = $1 and deleted_at is null order by id",
        )
        .bind(user_id)
        .bind(now)
        .bind(details)
        .execute(conn)
        .await?;
    });
    Ok(())
}

/// The log and the clicks together, newest first.
pub async fn list(db: &Db, filter: &EventFilter, part: Part) -> sqlx::Result<Vec<Event>> {
    let rows: Vec<EventRecord> = either!(db.reader(), pool => {
        let mut query = QueryBuilder::new("select * from (");
        push_sources(&mut query, filter, EVENT_COLUMNS, CLICK_COLUMNS, |source| {
            push_bound(source, "id", part);
            push_order(source, "id", part);
            // No row beyond the part's end can be in the part.
            source.push(" limit ").push_bind(part.end());
        });
        query.push(") as events");
        push_end(&mut query, "id", part);
        query.build_query_as().fetch_all(pool).await?
    });
    rows.into_iter().map(EventRecord::into_event).collect()
}

/// The number of events that `filter` lets through, or more than [`MAX_TOTAL`].
pub async fn count(db: &Db, filter: &EventFilter) -> sqlx::Result<i64> {
    either!(db.reader(), pool => {
        let mut query = QueryBuilder::new("select count(*) from (select 1 from (");
        push_sources(&mut query, filter, "id", "id", |source| {
            source.push(" order by id desc limit ").push_bind(MAX_TOTAL + 1);
        });
        query.push(") as events limit ").push_bind(MAX_TOTAL + 1).push(") as counted");
        query.build_query_scalar().fetch_one(pool).await
    })
}

/// Pushes the rows of each table that can hold what `filter` asks for; `push_end` ends the query of each.
fn push_sources<DB: Database>(
    query: &mut QueryBuilder<DB>,
    filter: &EventFilter,
    event_columns: &str,
    click_columns: &str,
    push_end: impl Fn(&mut QueryBuilder<DB>),
) where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
    for<'q> String: Encode<'q, DB> + Type<DB>,
{
    query.push(format!(
        "select * from (select {event_columns} from event where true"
    ));
    push_owners(query, filter);
    if let Some(event_type) = &filter.event_type {
        query
            .push(" and event_type = ")
            .push_bind(event_type.clone());
    }
    push_end(query);
    query.push(") as logged");
    if filter
        .event_type
        .as_deref()
        .is_none_or(|event_type| event_type == CLICK)
    {
        query.push(format!(
            " union all select * from (select {click_columns} from click where true"
        ));
        push_owners(query, filter);
        push_end(query);
        query.push(") as clicked");
    }
}

fn push_owners<DB: Database>(query: &mut QueryBuilder<DB>, filter: &EventFilter)
where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    if let Some(url_id) = filter.url_id {
        query.push(" and url_id = ").push_bind(url_id);
    }
    if let Some(user_id) = filter.user_id {
        query.push(" and user_id = ").push_bind(user_id);
    }
}

/// The columns of both tables, in one order.
const EVENT_COLUMNS: &str = "id, url_id, user_id, event_type, occurred_at, details, cast(null as smallint) as kind,
    null as referrer, null as browser, null as os, null as device, null as country, null as utm_source, null as utm_medium,
    null as utm_campaign, null as utm_term, null as utm_content";
const CLICK_COLUMNS: &str =
    "id, url_id, user_id, 'click' as event_type, occurred_at, null as details, kind, referrer,
    browser, os, device, country, utm_source, utm_medium, utm_campaign, utm_term, utm_content";

/// A row of either table.
#[derive(sqlx::FromRow)]
struct EventRecord {
    id: i64,
    url_id: i64,
    user_id: i64,
    event_type: String,
    occurred_at: Timestamp,
    /// `None` for a click, whose details are its columns.
    details: Option<String>,
    #[sqlx(flatten, default)]
    click: ClickDetails,
}

/// What is told of a click: all but who it was.
#[derive(Debug, Default, serde::Serialize, sqlx::FromRow)]
#[sqlx(default)]
struct ClickDetails {
    /// 0 a person, 1 a bot, 2 a link preview, 3 a prefetch.
    #[serde(serialize_with = "kind_name")]
    kind: Option<i16>,
    referrer: Option<String>,
    browser: Option<String>,
    os: Option<String>,
    device: Option<String>,
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_medium: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_term: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utm_content: Option<String>,
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that serde asks for"
)]
fn kind_name<S: serde::Serializer>(kind: &Option<i16>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match kind {
        Some(1) => "bot",
        Some(2) => "preview",
        Some(3) => "prefetch",
        _ => "person",
    })
}

impl EventRecord {
    fn into_event(self) -> sqlx::Result<Event> {
        let details = match self.details {
            Some(details) => RawValue::from_string(details),
            None => serde_json::value::to_raw_value(&self.click),
        };
        Ok(Event {
            id: self.id,
            url_id: self.url_id,
            user_id: self.user_id,
            event_type: self.event_type,
            occurred_at: self.occurred_at,
            details: details.map_err(|error| sqlx::Error::Decode(error.into()))?,
        })
    }
}

/// Which of `ids` are taken by a click. Clicks and events share their numbers, but not an index that would say so.
pub async fn clicks_among(conn: Conn<'_>, ids: &[i64]) -> sqlx::Result<Vec<i64>> {
    match conn {
        Either::Postgres(conn) => {
            sqlx::query_scalar("select id from click where id = any($1)")
                .bind(ids)
                .fetch_all(conn)
                .await
        }
        Either::Sqlite(conn) => {
            sqlx::query_scalar("select id from click where id in (select value from json_each($1))")
                .bind(json!(ids).to_string())
                .fetch_all(conn)
                .await
        }
    }
}

/// Adds events with the ids they bring.
pub async fn insert_all(tx: &mut Tx, rows: &[EventRow]) -> sqlx::Result<()> {
    match tx.conn() {
        Either::Postgres(conn) => {
            let mut text = CopyText::default();
            for row in rows {
                text.plain(row.id)
                    .plain(row.url_id)
                    .plain(row.user_id)
                    .text(row.event_type.as_str())
                    .plain(row.occurred_at)
                    .text(row.details.as_str())
                    .end_row();
            }
            let mut copy = conn
                .copy_in_raw(
                    "copy event (id, url_id, user_id, event_type, occurred_at, details) from stdin",
                )
                .await?;
            copy.send(text.into_bytes()).await?;
            copy.finish().await?;
        }
        Either::Sqlite(conn) => {
            let mut query = QueryBuilder::new(
                "insert into event (id, url_id, user_id, event_type, occurred_at, details) ",
            );
            query.push_values(rows, |mut values, row| {
                values
                    .push_bind(row.id)
                    .push_bind(row.url_id)
                    .push_bind(row.user_id)
                    .push_bind(row.event_type.as_str())
                    .push_bind(row.occurred_at)
                    .push_bind(row.details.as_str());
            });
            query.build().execute(conn).await?;
        }
    }
    Ok(())
}

/// Has the next id given out follow the highest one there is. SQLite does so by itself.
pub async fn advance_ids(tx: &mut Tx) -> sqlx::Result<()> {
    if let Either::Postgres(conn) = tx.conn() {
        // Nobody may take an id between the look at the sequence and its change, or it could move back.
        sqlx::query("lock table event, click in share row exclusive mode")
            .execute(&mut *conn)
            .await?;
        sqlx::query(
            "select setval('event_id_seq', highest) from (select max(id) as highest from event) as ids,
             event_id_seq where highest >= last_value",
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}
