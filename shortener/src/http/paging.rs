//! Lists, a page at a time.

use std::fmt::Write as _;

use axum::{
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    extract::Json,
    fields::{Fields, Reported, digits, text},
};

pub const DEFAULT_SIZE: i64 = 20;
pub const MAX_SIZE: i64 = 100;

/// Totals are counted up to here and not told beyond: counting a large table takes as long as reading it.
pub const MAX_TOTAL: i64 = 10_000;

/// Which part of a list was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Page {
    number: i64,
    pub size: i64,
}

impl Page {
    /// Reads `page` (from 1) and `per_page` (20 by default, at most 100).
    pub fn read(fields: &mut Fields) -> Result<Self, Reported> {
        let number = fields.optional(
            "page",
            text(|text| match digits(text)? {
                0 => Err("starts at 1".into()),
                number => Ok(number),
            }),
        );
        let size = fields.optional(
            "per_page",
            text(|text| match digits(text)? {
                size @ 1..=MAX_SIZE => Ok(size),
                _ => Err(format!("must be from 1 to {MAX_SIZE}").into()),
            }),
        );
        Ok(Self {
            number: number?.unwrap_or(1),
            size: size?.unwrap_or(DEFAULT_SIZE),
        })
    }

    /// Every page of a list, for whoever wants all of it.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..).map(|number| Self {
            number,
            size: MAX_SIZE,
        })
    }

    /// How many rows come before this page.
    pub fn offset(self) -> i64 {
        (self.number - 1).saturating_mul(self.size)
    }

    /// How many rows there are up to the end of this page.
    pub fn end(self) -> i64 {
        self.offset().saturating_add(self.size)
    }
}

/// A page of a list as it is answered: an array, its neighbours in `Link` (RFC 8288), the number of all rows in
/// `X-Total-Count` as long as that is cheap to know.
#[derive(Debug)]
pub struct Listing<T> {
    pub rows: Vec<T>,
    /// All rows of the list, or more than [`MAX_TOTAL`].
    pub total: i64,
    pub page: Page,
    pub uri: Uri,
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        let is_full = i64::try_from(self.rows.len()) == Ok(self.page.size);
        let links = links(&self.uri, self.page, self.total, is_full);
        let mut response = Json(self.rows).into_response();
        let headers = response.headers_mut();
        if let Ok(links) = HeaderValue::try_from(links) {
            headers.insert(header::LINK, links);
        }
        if self.total <= MAX_TOTAL {
            headers.insert("x-total-count", self.total.into());
        }
        response
    }
}

fn links(uri: &Uri, page: Page, total: i64, is_full: bool) -> String {
    let is_counted = total <= MAX_TOTAL;
    let mut links = link(uri, page.size, 1, "first");
    if page.number > 1 {
        let mut previous = page.number - 1;
        if is_counted {
            let last = (total + page.size - 1) / page.size;
            previous = previous.min(last.max(1));
        }
        links.push_str(", ");
        links.push_str(&link(uri, page.size, previous, "prev"));
    }
    let has_next = if is_counted {
        page.end() < total
    } else {
        is_full
    };
    if has_next {
        links.push_str(", ");
        links.push_str(&link(uri, page.size, page.number + 1, "next"));
    }
    links
}

/// The same list, another page: every other parameter stays.
fn link(uri: &Uri, size: i64, number: i64, relation: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != "page" && name != "per_page" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("page", &number.to_string());
    query.append_pair("per_page", &size.to_string());
    let mut link = String::new();
    write!(
        link,
        "<{}?{}>; rel=\"{relation}\"",
        uri.path(),
        query.finish()
    )
    .expect("writing to a string cannot fail");
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: i64, total: i64, expected: &[&str]) {
        let uri = "/urls?user_id=7&page=3".parse().unwrap();
        let links = links(&uri, Page { number, size: 20 }, total, true);
        let expected: Vec<_> = expected
            .iter()
            .map(|link| {
                let (relation, number) = link.split_once(' ').unwrap();
                format!("</urls?user_id=7&page={number}&per_page=20>; rel=\"{relation}\"")
            })
            .collect();
        assert_eq!(links, expected.join(", "));
    }

    #[test]
    fn a_page_links_to_its_neighbours() {
        check(1, 5, &["first 1"]);
        check(1, 21, &["first 1", "next 2"]);
        check(2, 60, &["first 1", "prev 1", "next 3"]);
        check(3, 60, &["first 1", "prev 2"]);
    }

    #[test]
    fn a_page_far_past_the_end_links_back_to_the_last_one() {
        check(1_000_000, 60, &["first 1", "prev 3"]);
    }

    #[test]
    fn the_largest_page_number_does_not_overflow() {
        let page = Page {
            number: i64::MAX,
            size: 100,
        };
        assert_eq!(page.offset(), i64::MAX);
        assert_eq!(page.end(), i64::MAX);
    }
}
