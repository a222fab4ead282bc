//! A link: what has to be known of a URL to send a visitor on.

use axum::http::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::{
    database::timestamp::Timestamp,
    urls::{original_url, redirect_status::RedirectStatus},
};

/// First byte of a packed link. One packed by another version is read from the database instead.
const VERSION: u8 = 1;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    pub url_id: i64,
    pub user_id: i64,
    /// Of the URL's row; grows with every change.
    pub version: i64,
    /// The target, in ASCII.
    pub location: HeaderValue,
    pub status: RedirectStatus,
    pub is_active: bool,
    /// Whether the visitor's query goes on to the target.
    pub forward_query: bool,
    pub starts_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// How many visitors get through; `None` for no limit.
    pub max_clicks: Option<i64>,
}

/// The columns of a [`LinkRow`].
macro_rules! link_columns {
    () => {
        "domain_id, short_code, id, user_id, version, original_url, redirect_status, is_active, forward_query, starts_at, expires_at, max_clicks"
    };
}
pub(crate) use link_columns;

/// A link's row in the database.
#[derive(Debug, sqlx::FromRow)]
pub struct LinkRow {
    pub domain_id: i64,
    pub short_code: String,
    id: i64,
    user_id: i64,
    version: i64,
    original_url: String,
    redirect_status: RedirectStatus,
    is_active: bool,
    forward_query: bool,
    starts_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    max_clicks: Option<i64>,
}

impl LinkRow {
    /// `None` if the target cannot be sent; it was accepted once, or it would not be stored.
    pub fn link(&self) -> Option<Link> {
        let location = original_url::location(&self.original_url)
            .and_then(|location| HeaderValue::try_from(location).ok());
        if location.is_none() {
            tracing::error!(url.id = self.id, "the stored target is no URL");
        }
        Some(Link {
            url_id: self.id,
            user_id: self.user_id,
            version: self.version,
            location: location?,
            status: self.redirect_status,
            is_active: self.is_active,
            forward_query: self.forward_query,
            starts_at: self.starts_at,
            expires_at: self.expires_at,
            max_clicks: self.max_clicks,
        })
    }
}

/// A link as Redis keeps it.
#[derive(Deserialize, Serialize)]
struct Packed<'a> {
    url_id: i64,
    user_id: i64,
    version: i64,
    location: &'a [u8],
    status: u16,
    is_active: bool,
    forward_query: bool,
    starts_at_micros: Option<i64>,
    expires_at_micros: Option<i64>,
    max_clicks: Option<i64>,
}

impl Link {
    /// Appends the link to `buffer`.
    pub(super) fn pack(&self, mut buffer: Vec<u8>) -> Vec<u8> {
        buffer.push(VERSION);
        let packed = Packed {
            url_id: self.url_id,
            user_id: self.user_id,
            version: self.version,
            location: self.location.as_bytes(),
            status: self.status.code().as_u16(),
            is_active: self.is_active,
            forward_query: self.forward_query,
            starts_at_micros: self.starts_at.map(Timestamp::micros),
            expires_at_micros: self.expires_at.map(Timestamp::micros),
            max_clicks: self.max_clicks,
        };
        postcard::to_extend(&packed, buffer).expect("a vector takes whatever comes")
    }

    /// `None` for what no [`Link::pack`] of this version has made.
    pub(super) fn unpack(bytes: &[u8]) -> Option<Self> {
        let (&VERSION, bytes) = bytes.split_first()? else {
            return None;
        };
        let packed: Packed<'_> = postcard::from_bytes(bytes).ok()?;
        // A moment that does not exist must not read as "never".
        let time = |micros: Option<i64>| match micros {
            Some(micros) => Timestamp::from_micros(micros).map(Some),
            None => Some(None),
        };
        Some(Self {
            url_id: packed.url_id,
            user_id: packed.user_id,
            version: packed.version,
            location: HeaderValue::from_bytes(packed.location).ok()?,
            status: RedirectStatus::parse(packed.status.into()).ok()?,
            is_active: packed.is_active,
            forward_query: packed.forward_query,
            starts_at: time(packed.starts_at_micros)?,
            expires_at: time(packed.expires_at_micros)?,
            max_clicks: packed.max_clicks,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn link() -> Link {
        Link {
            url_id: 7,
            user_id: 2,
            version: 3,
            location: HeaderValue::from_static("https://example.com/"),
            status: RedirectStatus::Found,
            is_active: true,
            forward_query: false,
            starts_at: None,
            expires_at: Timestamp::parse("2026-11-24T12:00:00Z"),
            max_clicks: Some(9),
        }
    }

    #[test]
    fn a_packed_link_comes_back_as_it_was() {
        assert_eq!(Link::unpack(&link().pack(Vec::new())), Some(link()));
    }

    #[test]
    fn what_is_no_packed_link_is_none() {
        let packed = link().pack(Vec::new());
        for bytes in [&[], &[9][..], &[VERSION], &packed[..packed.len() / 2]] {
            assert_eq!(Link::unpack(bytes), None, "{bytes:?}");
        }
    }
}
