//! Lists of URLs: which ones are wanted, and by which way they are found.
//!
//! Every way ends soon, however many URLs there are. What an index serves is read from there. What is searched for by words
//! is found through an index of words by [neighbourhood](NEIGHBOURHOOD). What no index tells is looked for among so many
//! rows and no more; the answer then has fewer rows than it could, and a cursor from which to go on.

pub mod indexer;
pub mod search;
pub mod store;
pub mod words;

use axum::http::Uri;

use super::short_code::ShortCode;
use crate::{
    access::Caller,
    database::{Db, timestamp::Timestamp},
    error::ApiError,
    http::{
        fields::{Fields, Reported, digits, flag, text, time},
        host::Host,
        paging::{Listing, Order, Part},
        totals::Totals,
    },
    invalid::Invalid,
    urls::ShortUrl,
};

/// So many ids in a row are one place in the index of words, which has each word once for all of them.
///
/// More ids to a place make the index smaller and writes cheaper, since most words of a URL are those of its neighbours,
/// too. Fewer make searches cheaper: whatever is at a place that has the words must be read to find out which URL it is.
pub const NEIGHBOURHOOD: i64 = 128;

/// More words than anybody types; each costs a look into the index at every step.
const MAX_WORDS: usize = 8;

/// Which URLs a list shows.
#[derive(Clone, Debug, Default)]
pub struct UrlQuery {
    pub user_id: Option<i64>,
    pub is_active: Option<bool>,
    /// Deleted ones instead of those that are there.
    pub is_deleted: bool,
    pub short_code: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// What the index of words has of them.
    pub words: Vec<String>,
}

impl UrlQuery {
    /// Reads the parameters of a list, and which part of it is wanted.
    pub fn read(fields: &mut Fields, uri: &Uri, caller: &Caller) -> Result<(Self, Part), Reported> {
        let user_id = fields.optional("user_id", text(digits));
        let is_active = fields.optional("is_active", text(flag));
        let is_deleted = fields.optional("deleted", text(flag));
        let short_code = fields.optional("short_code", text(ShortCode::parse));
        let created_after = fields.optional("created_after", text(time));
        let created_before = fields.optional("created_before", text(time));
        let host = fields.optional("host", text(host));
        let sought = fields.optional("q", text(sought));
        let sort = fields.optional("sort", text(order));
        let (created_after, created_before) = (created_after?, created_before?);
        let (host, sought) = (host?, sought?);
        let walked = [
            ("q", sought.is_some()),
            ("host", host.is_some()),
            ("created_after", created_after.is_some()),
            ("created_before", created_before.is_some()),
        ];
        let walked = walked
            .iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| *name);
        let usual = if sought.is_some() {
            Order::NewestFirst
        } else {
            Order::OldestFirst
        };
        let part = Part::read_any(fields, uri, sort?.flatten().unwrap_or(usual), walked);
        let query = Self {
            user_id: caller.narrow(user_id?),
            is_active: is_active?,
            is_deleted: is_deleted?.unwrap_or(false),
            short_code: short_code?.map(|code| code.as_str().to_owned()),
            created_after,
            created_before,
            words: sought.into_iter().flatten().chain(host).collect(),
        };
        Ok((query, part?))
    }

    fn is_dated(&self) -> bool {
        self.created_after.is_some() || self.created_before.is_some()
    }
}

/// The part of the list of URLs that a request asks for.
pub async fn read(
    db: &Db,
    query: &UrlQuery,
    part: Part,
    uri: &Uri,
    totals: &Totals,
) -> Result<Listing<ShortUrl>, ApiError> {
    if !query.words.is_empty() {
        let stretch = search::search(db, query, part).await?;
        return Ok(Listing::walked(part, uri, stretch));
    }
    if query.is_dated() {
        let stretch = search::sift(db, query, part).await?;
        return Ok(Listing::walked(part, uri, stretch));
    }
    let rows = store::list(db, query, part);
    let count = totals.count(uri, query.user_id, store::count(db, query));
    Listing::read(part, uri, rows, count).await
}

/// Words to search for.
fn sought(text: &str) -> Result<Vec<String>, Invalid> {
    let words = words::of_text(text);
    match words.len() {
        0 => Err("must have a letter or a digit".into()),
        1..=MAX_WORDS => Ok(words.into_iter().collect()),
        _ => Err(format!("must be at most {MAX_WORDS} words").into()),
    }
}

fn host(text: &str) -> Result<String, Invalid> {
    match Host::parse(text) {
        // The index has no ports.
        Ok(host) if !host.has_port() => Ok(words::whole_host(text)),
        _ => Err("must be a host without a port, such as www.example.com".into()),
    }
}

/// `id` or `-id`; nothing is as good as no word at all.
fn order(text: &str) -> Result<Option<Order>, Invalid> {
    match text {
        "" => Ok(None),
        "id" => Ok(Some(Order::OldestFirst)),
        "-id" => Ok(Some(Order::NewestFirst)),
        _ => Err("must be `id`, or `-id` for the newest first".into()),
    }
}
