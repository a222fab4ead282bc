//! Lists, a part at a time: numbered pages, or a walk from cursor to cursor.
//!
//! Both are told what comes next in `Link` (RFC 8288). A page is so many rows further on, so that rows which come and go
//! meanwhile shift it; a walk goes on behind the row where it was, and sees each row that stays exactly once.

use std::{fmt::Write as _, future::Future};

use axum::{
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    cursor::{Fingerprint, Place},
    extract::Json,
    fields::{Fields, Reported, digits, text},
};
use crate::error::ApiError;

pub const DEFAULT_SIZE: i64 = 20;
pub const MAX_SIZE: i64 = 100;

/// Totals are counted up to here and not told beyond: counting a large table takes as long as reading it.
pub const MAX_TOTAL: i64 = 10_000;

/// The order of a list, which is that of its rows' ids.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

/// Which part of a list was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    pub order: Order,
    size: i64,
    start: Start,
    /// The list and its filters.
    list: Fingerprint,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Start {
    /// A page by its number, from 1.
    Page(i64),
    /// The beginning of a walk.
    Beginning,
    /// Where a walk goes on.
    Place(Place),
}

impl Part {
    /// Reads `per_page` (20 by default, at most 100), and `page` (from 1) or `cursor`. To be asked when the list's filters have been
    /// read: a cursor holds for those. Parameters that nobody knows may change on the way.
    pub fn read(fields: &mut Fields, uri: &Uri, order: Order) -> Result<Self, Reported> {
        Self::read_any(fields, uri, order, None)
    }

    /// The same for a list which `walked` says, by the name of a parameter, cannot be had in numbered pages.
    pub fn read_any(
        fields: &mut Fields,
        uri: &Uri,
        order: Order,
        walked: Option<&'static str>,
    ) -> Result<Self, Reported> {
        let list = fingerprint_by(uri, |name| fields.knows(name));
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
        let cursor = fields.optional(
            "cursor",
            text(|text| match text {
                "" => Ok(Start::Beginning),
                text => Place::decode(text, list).map(Start::Place),
            }),
        );
        let (number, size, cursor) = (number?, size?, cursor?);
        let other = cursor.map(|_| "cursor").or(walked);
        let start = match (number, other) {
            (Some(_), Some(other)) => {
                let reason = format!("cannot be given together with `{other}`");
                return Err(fields.report("page", reason.into()));
            }
            (None, Some(_)) => cursor.unwrap_or(Start::Beginning),
            (number, None) => Start::Page(number.unwrap_or(1)),
        };
        Ok(Self {
            order,
            size: size.unwrap_or(DEFAULT_SIZE),
            start,
            list,
        })
    }

    /// The beginning of a walk, for whoever wants all of a list.
    pub fn beginning(order: Order) -> Self {
        Self {
            order,
            size: MAX_SIZE,
            start: Start::Beginning,
            list: Fingerprint::of("", std::iter::empty()),
        }
    }

    /// Where the walk goes on behind the row `id`.
    #[must_use]
    pub fn after(self, id: i64) -> Self {
        Self {
            start: Start::Place(Place::After(id)),
            ..self
        }
    }

    /// Where a walk goes on; none for a page, and at the beginning.
    pub fn place(self) -> Option<Place> {
        match self.start {
            Start::Place(place) => Some(place),
            Start::Page(_) | Start::Beginning => None,
        }
    }

    /// Whether rows are to be read with rising ids: the order of the list, or against it on the way back.
    pub fn rises(self) -> bool {
        let is_back = matches!(self.start, Start::Place(Place::Before(_)));
        (self.order == Order::OldestFirst) != is_back
    }

    /// How many rows are to be read: on a walk one more than are shown, which tells whether it goes on.
    pub fn limit(self) -> i64 {
        match self.start {
            Start::Page(_) => self.size,
            Start::Beginning | Start::Place(_) => self.size + 1,
        }
    }

    /// How many rows of the list come before those that are read.
    pub fn offset(self) -> i64 {
        match self.start {
            Start::Page(number) => (number - 1).saturating_mul(self.size),
            Start::Beginning | Start::Place(_) => 0,
        }
    }

    /// How many rows there are up to the last that is read.
    pub fn end(self) -> i64 {
        self.offset().saturating_add(self.limit())
    }
}

/// What a list is made of.
pub trait Listed: Serialize {
    fn id(&self) -> i64;
}

/// Rows on the way of a walk, in the order in which they were read.
#[derive(Debug)]
pub struct Stretch<T> {
    pub rows: Vec<T>,
    /// The id behind which the walk goes on, if there is, or may be, more.
    pub stopped_at: Option<i64>,
}

impl<T: Listed> Stretch<T> {
    /// From rows that were read up to `part.limit()`.
    pub fn of(mut rows: Vec<T>, part: Part) -> Self {
        let size = usize::try_from(part.size).unwrap_or(usize::MAX);
        let has_more = rows.len() > size;
        rows.truncate(size);
        let stopped_at = rows.last().map(Listed::id).filter(|_| has_more);
        Self { rows, stopped_at }
    }
}

/// A part of a list as it is answered: an array, its neighbours in `Link`, and the number of all rows in `X-Total-Count`,
/// with a page and as long as that is cheap to know.
#[derive(Debug)]
pub struct Listing<T> {
    rows: Vec<T>,
    links: Vec<(&'static str, String)>,
    total: Option<i64>,
}

impl<T: Listed> Listing<T> {
    /// Lists the rows that `list` reads for `part`, out of as many as `count` counts, which is only asked for a page.
    pub async fn read(
        part: Part,
        uri: &Uri,
        list: impl Future<Output = sqlx::Result<Vec<T>>>,
        count: impl Future<Output = sqlx::Result<i64>>,
    ) -> Result<Self, ApiError> {
        let Start::Page(number) = part.start else {
            return Ok(Self::walked(part, uri, Stretch::of(list.await?, part)));
        };
        let (rows, total) = tokio::try_join!(list, count)?;
        let is_full = i64::try_from(rows.len()) == Ok(part.size);
        let neighbours = neighbours(number, part, total, is_full);
        let link = |(relation, number): (_, i64)| (relation, ("page", number.to_string()));
        Ok(Self {
            rows,
            links: links(uri, part.size, neighbours.into_iter().map(link)),
            total: Some(total).filter(|total| *total <= MAX_TOTAL),
        })
    }

    /// A part of a walk.
    pub fn walked(part: Part, uri: &Uri, stretch: Stretch<T>) -> Self {
        let Stretch {
            mut rows,
            stopped_at,
        } = stretch;
        let is_back = matches!(part.place(), Some(Place::Before(_)));
        if is_back {
            rows.reverse();
        }
        let ends = rows.first().zip(rows.last());
        let places = around(
            part,
            ends.map(|(first, last)| [first.id(), last.id()]),
            stopped_at,
        );
        let neighbours = std::iter::once(("first", String::new())).chain(
            places
                .into_iter()
                .map(|(relation, place)| (relation, place.encode(part.list))),
        );
        let link = |(relation, cursor)| (relation, ("cursor", cursor));
        Self {
            rows,
            links: links(uri, part.size, neighbours.map(link)),
            total: None,
        }
    }
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.rows).into_response();
        let mut links = String::new();
        for (relation, target) in self.links {
            let separator = if links.is_empty() { "" } else { ", " };
            write!(links, "{separator}<{target}>; rel=\"{relation}\"")
                .expect("writing to a string cannot fail");
        }
        let headers = response.headers_mut();
        if let Ok(links) = HeaderValue::try_from(links) {
            headers.insert(header::LINK, links);
        }
        if let Some(total) = self.total {
            headers.insert("x-total-count", total.into());
        }
        response
    }
}

/// The pages that page `number` leads to.
fn neighbours(
    number: i64,
    part: Part,
    total: i64,
    is_full: bool,
) -> impl IntoIterator<Item = (&'static str, i64)> {
    let is_counted = total <= MAX_TOTAL;
    let previous = (number > 1).then(|| {
        let last = (total + part.size - 1) / part.size;
        if is_counted {
            (number - 1).min(last.max(1))
        } else {
            number - 1
        }
    });
    let has_next = if is_counted {
        part.end() < total
    } else {
        is_full
    };
    let next = has_next.then(|| number + 1);
    [("first", Some(1)), ("prev", previous), ("next", next)]
        .into_iter()
        .filter_map(|(relation, number)| Some((relation, number?)))
}

/// The places that a part of a walk leads to. `ends` are the ids of its first and last row.
fn around(
    part: Part,
    ends: Option<[i64; 2]>,
    stopped_at: Option<i64>,
) -> impl IntoIterator<Item = (&'static str, Place)> {
    let (previous, next) = match part.place() {
        None => (None, stopped_at.map(Place::After)),
        Some(place @ Place::After(_)) => {
            let back =
                ends.map_or_else(|| turned(part.order, place), |ends| Place::Before(ends[0]));
            (Some(back), stopped_at.map(Place::After))
        }
        Some(place @ Place::Before(_)) => {
            let on = ends.map_or_else(|| turned(part.order, place), |ends| Place::After(ends[1]));
            (stopped_at.map(Place::Before), Some(on))
        }
    };
    [("prev", previous), ("next", next)]
        .into_iter()
        .filter_map(|(relation, place)| Some((relation, place?)))
}

/// The way back from a place where nothing was found: it begins with the row at that place, if there is one.
fn turned(order: Order, place: Place) -> Place {
    let rises = order == Order::OldestFirst;
    match place {
        Place::After(id) if rises => Place::Before(id.saturating_add(1)),
        Place::After(id) => Place::Before(id.saturating_sub(1)),
        Place::Before(id) if rises => Place::After(id.saturating_sub(1)),
        Place::Before(id) => Place::After(id.saturating_add(1)),
    }
}

/// The parameters that say which part of a list is wanted, not of which list.
const OF_A_PART: [&str; 3] = ["page", "per_page", "cursor"];

fn filters(uri: &Uri) -> Vec<(String, String)> {
    url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .filter(|(name, _)| !OF_A_PART.contains(&name.as_str()))
        .collect()
}

/// Which list `uri` asks for, whichever part of it.
pub fn fingerprint(uri: &Uri) -> Fingerprint {
    fingerprint_by(uri, |_| true)
}

/// The same, by those parameters alone that the list knows.
fn fingerprint_by(uri: &Uri, is_known: impl Fn(&str) -> bool) -> Fingerprint {
    let filters = filters(uri);
    let filters = filters.iter().map(|(name, value)| (&**name, &**value));
    let filters = filters.filter(|(name, _)| is_known(name));
    Fingerprint::of(uri.path(), filters)
}

/// The same list, other parts: every other parameter stays.
fn links(
    uri: &Uri,
    size: i64,
    targets: impl Iterator<Item = (&'static str, (&'static str, String))>,
) -> Vec<(&'static str, String)> {
    let filters = filters(uri);
    let link = |(name, value): (&str, String)| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&filters);
        query.append_pair(name, &value);
        query.append_pair("per_page", &size.to_string());
        format!("{}?{}", uri.path(), query.finish())
    };
    targets
        .map(|(relation, target)| (relation, link(target)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(order: Order, start: Start) -> Part {
        Part {
            size: 20,
            start,
            ..Part::beginning(order)
        }
    }

    #[track_caller]
    fn check(number: i64, total: i64, expected: &[(&str, i64)]) {
        let part = part(Order::OldestFirst, Start::Page(number));
        let found: Vec<_> = neighbours(number, part, total, true).into_iter().collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_page_links_to_its_neighbours() {
        check(1, 5, &[("first", 1)]);
        check(1, 21, &[("first", 1), ("next", 2)]);
        check(2, 60, &[("first", 1), ("prev", 1), ("next", 3)]);
        check(3, 60, &[("first", 1), ("prev", 2)]);
    }

    #[test]
    fn a_page_far_past_the_end_links_back_to_the_last_one() {
        check(1_000_000, 60, &[("first", 1), ("prev", 3)]);
    }

    #[test]
    fn the_largest_page_number_does_not_overflow() {
        let part = part(Order::OldestFirst, Start::Page(i64::MAX));
        assert_eq!(part.offset(), i64::MAX);
        assert_eq!(part.end(), i64::MAX);
    }

    #[test]
    fn a_link_keeps_every_other_parameter() {
        let uri = "/urls?user_id=7&page=3&cursor=&q=a%20b".parse().unwrap();
        let targets = [("next", ("page", "4".to_owned()))];
        assert_eq!(
            links(&uri, 20, targets.into_iter()),
            [(
                "next",
                "/urls?user_id=7&q=a+b&page=4&per_page=20".to_owned()
            )]
        );
    }

    #[test]
    fn a_walk_reads_against_the_order_on_its_way_back() {
        for (order, start, rises) in [
            (Order::OldestFirst, Start::Beginning, true),
            (Order::OldestFirst, Start::Place(Place::After(5)), true),
            (Order::OldestFirst, Start::Place(Place::Before(5)), false),
            (Order::NewestFirst, Start::Page(3), false),
            (Order::NewestFirst, Start::Place(Place::Before(5)), true),
        ] {
            assert_eq!(part(order, start).rises(), rises, "{order:?} {start:?}");
        }
    }

    #[test]
    fn a_walk_can_turn_where_it_found_nothing() {
        use Order::{NewestFirst, OldestFirst};
        assert_eq!(turned(OldestFirst, Place::After(9)), Place::Before(10));
        assert_eq!(turned(NewestFirst, Place::After(9)), Place::Before(8));
        assert_eq!(turned(OldestFirst, Place::Before(9)), Place::After(8));
        assert_eq!(turned(NewestFirst, Place::Before(9)), Place::After(10));
    }
}
