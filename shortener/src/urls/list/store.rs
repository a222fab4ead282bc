//! Lists of URLs in the database, and searches in them. All SQL about them is in this file, and that about the index of their
//! words in `indexer/store.rs`.

use serde_json::json;
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{
    NEIGHBOURHOOD, UrlQuery,
    search::{Ahead, Front, Reach, SIFTED},
    words,
};
use crate::{
    database::{Db, Either, either, part::push_part},
    http::paging::{MAX_TOTAL, Part},
    urls::{ShortUrl, store::columns},
};

/// Pushes what every row of a list must be, as long as an index or the row itself tells.
macro_rules! push_filter {
    ($query:expr, $filter:expr) => {
        if let Some(user_id) = $filter.user_id {
            $query.push(" and user_id = ").push_bind(user_id);
        }
        match $filter.is_active {
            // As the partial index has it, and not a parameter, whose value the planner might not know.
            Some(true) => {
                $query.push(" and is_active");
            }
            Some(false) => {
                $query.push(" and not is_active");
            }
            None => {}
        }
        if let Some(short_code) = &$filter.short_code {
            $query
                .push(" and domain_id = 1 and short_code = ")
                .push_bind(short_code.clone());
        }
    };
}

/// Pushes when a row must have been made.
macro_rules! push_dates {
    ($query:expr, $filter:expr) => {
        if let Some(after) = $filter.created_after {
            $query.push(" and created_at >= ").push_bind(after);
        }
        if let Some(before) = $filter.created_before {
            $query.push(" and created_at < ").push_bind(before);
        }
    };
}

/// The URLs of a list by filters that indexes serve.
pub async fn list(db: &Db, filter: &UrlQuery, part: Part) -> sqlx::Result<Vec<ShortUrl>> {
    either!(db.reader(), pool => {
        let mut query = QueryBuilder::new(concat!("select ", columns!(), " from url where "));
        query.push(filter.presence());
        push_filter!(query, filter);
        push_part(&mut query, "id", part);
        query.build_query_as().fetch_all(pool).await
    })
}

/// Their number, or more than [`MAX_TOTAL`].
pub async fn count(db: &Db, filter: &UrlQuery) -> sqlx::Result<i64> {
    either!(db.reader(), pool => {
        let mut query = QueryBuilder::new("select count(*) from (select 1 from url where ");
        query.push(filter.presence());
        push_filter!(query, filter);
        query.push(" limit ").push_bind(MAX_TOTAL + 1).push(") as counted");
        query.build_query_scalar().fetch_one(pool).await
    })
}

/// How far the next [`SIFTED`] URLs go that the filters but for dates let through; `None` if there are none.
pub async fn reach(db: &Db, filter: &UrlQuery, front: Front) -> sqlx::Result<Option<Reach>> {
    let last = if front.rises { "max" } else { "min" };
    let (last, count): (Option<i64>, i64) = either!(db.reader(), pool => {
        let mut query = QueryBuilder::new(format!("select {last}(id), count(*) from ("));
        push_next(&mut query, "id", filter, front);
        push_filter!(query, filter);
        query.push(format!(" order by id{} limit {SIFTED}) as next", front.direction()));
        query.build_query_as().fetch_one(pool).await?
    });
    Ok(last.map(|last| Reach {
        last,
        has_more: count == SIFTED,
    }))
}

/// The first `limit` URLs up to `last` that were made in time and that the other filters let through.
pub async fn sifted(
    db: &Db,
    filter: &UrlQuery,
    front: Front,
    last: i64,
    limit: i64,
) -> sqlx::Result<Vec<ShortUrl>> {
    let up_to = if front.rises { "<=" } else { ">=" };
    either!(db.reader(), pool => {
        let mut query = QueryBuilder::new("");
        push_next(&mut query, columns!(), filter, front);
        query.push(format!(" and id {up_to} ")).push_bind(last);
        push_filter!(query, filter);
        push_dates!(query, filter);
        query.push(format!(" order by id{} limit ", front.direction())).push_bind(limit);
        query.build_query_as().fetch_all(pool).await
    })
}

/// The first `limit` URLs at `places` that may have the words: all that have them, and some that have them within longer
/// ones.
pub async fn rows_at(
    db: &Db,
    filter: &UrlQuery,
    front: Front,
    places: &[i64],
    limit: usize,
) -> sqlx::Result<Vec<ShortUrl>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match db.reader() {
        // Rows place by place and no other way: a planner that takes the limit for reached soon would go through all URLs.
        Either::Postgres(pool) => {
            let mut query = QueryBuilder::new(concat!("select ", columns!(), " from unnest("));
            query.push_bind(places);
            query.push("::bigint[]) as place cross join lateral (");
            push_next(&mut query, "*", filter, front);
            query.push(format!(
                " and id >= place * {NEIGHBOURHOOD} and id < (place + 1) * {NEIGHBOURHOOD}"
            ));
            push_filter!(query, filter);
            push_dates!(query, filter);
            // Postgres' own `C` folds ASCII letters alone, and fast.
            push_certain(&mut query, filter, "::text collate \"C\" ilike ");
            query.push(format!(
                " order by id{} limit {NEIGHBOURHOOD}) as url order by id{} limit ",
                front.direction(),
                front.direction()
            ));
            query.push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        }
        Either::Sqlite(pool) => {
            let mut query = QueryBuilder::new(concat!(
                "select ",
                columns!(),
                " from (select value as place from json_each(",
            ));
            query.push_bind(json!(places).to_string());
            query.push(")) cross join url where ");
            query.push(filter.presence()).push(" and id");
            query.push(front.beyond()).push_bind(front.id);
            query.push(format!(
                " and id >= place * {NEIGHBOURHOOD} and id < (place + 1) * {NEIGHBOURHOOD}"
            ));
            push_filter!(query, filter);
            push_dates!(query, filter);
            push_certain(&mut query, filter, " like ");
            query.push(format!(" order by id{} limit ", front.direction()));
            query.push_bind(limit);
            query.build_query_as().fetch_all(pool).await
        }
    }
}

/// How many steps one query makes at most.
const WALK: i64 = 128;

/// The next `most` places where the index has all the words, in at most so many steps.
///
/// Each step asks for each word where it is next. If they agree, that is such a place, and the search goes on behind it; if
/// not, nothing can be before the farthest of them, and it goes on there. So a rare word carries the search past all places
/// of a frequent one.
pub async fn places(
    db: &Db,
    filter: &UrlQuery,
    front: Front,
    most: usize,
    steps: i64,
) -> sqlx::Result<Ahead> {
    let steps = steps.min(WALK);
    let enough = i64::try_from(most).unwrap_or(i64::MAX);
    let found: Vec<(i64, Option<i64>, Option<i64>)> = match db.reader() {
        Either::Postgres(pool) => {
            let mut query = QueryBuilder::new("");
            push_walk(
                &mut query,
                filter,
                front,
                [steps, enough],
                ["least", "greatest"],
            );
            query.build_query_as().fetch_all(pool).await?
        }
        Either::Sqlite(pool) => {
            let mut query = QueryBuilder::new("");
            push_walk(&mut query, filter, front, [steps, enough], ["min", "max"]);
            query.build_query_as().fetch_all(pool).await?
        }
    };
    let mut ahead = Ahead {
        places: Vec::new(),
        next: None,
        steps: 0,
    };
    for (_, place, next) in found {
        ahead.steps += 1;
        ahead.next = next;
        ahead.places.extend(place);
    }
    Ok(ahead)
}

/// Pushes a query for steps: their number, the place if all words are there, and where to go on, if anywhere. It ends after
/// so many steps, or when enough places were found.
fn push_walk<DB: Database>(
    query: &mut QueryBuilder<DB>,
    filter: &UrlQuery,
    front: Front,
    [steps, enough]: [i64; 2],
    [least, greatest]: [&str; 2],
) where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
    for<'q> String: Encode<'q, DB> + Type<DB>,
{
    let count = filter.words.len() + usize::from(filter.indexed_user().is_some());
    let columns: Vec<String> = (0..count).map(|at| format!("p{at}")).collect();
    let all = columns.join(", ");
    let are_known: Vec<_> = columns
        .iter()
        .map(|column| format!("{column} is not null"))
        .collect();
    let are_known = are_known.join(" and ");
    // Both dialects take one argument for an aggregate, or not at all.
    let (farthest, nearest) = match (count, front.rises) {
        (1, _) => (all.clone(), all.clone()),
        (_, true) => (format!("{greatest}({all})"), format!("{least}({all})")),
        (_, false) => (format!("{least}({all})"), format!("{greatest}({all})")),
    };
    let onward = if front.rises { "+" } else { "-" };
    let next = format!(
        "case when {are_known} then case when {farthest} = {nearest} then {farthest} {onward} 1 else {farthest} end end"
    );
    query.push(format!(
        "with recursive step (number, found, {all}) as (select 1, 0, "
    ));
    push_probes(query, filter, front, "start.place");
    query.push(" from (select cast(");
    query.push_bind(front.place());
    let found = format!("found + case when {farthest} = {nearest} then 1 else 0 end");
    query.push(format!(
        " as bigint) as place) as start union all select number + 1, {found}, "
    ));
    push_probes(query, filter, front, &next);
    query.push(format!(
        " from step where {are_known} and number < {steps} and {found} < {enough})
         select cast(number as bigint), case when {are_known} and {farthest} = {nearest} then {farthest} end, {next}
         from step order by number"
    ));
}

/// Pushes where each word is next, and the user has something next, from `place` on.
fn push_probes<DB: Database>(
    query: &mut QueryBuilder<DB>,
    filter: &UrlQuery,
    front: Front,
    place: &str,
) where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
    for<'q> String: Encode<'q, DB> + Type<DB>,
{
    let (first, from) = if front.rises {
        ("min", ">=")
    } else {
        ("max", "<=")
    };
    for (at, word) in filter.words.iter().enumerate() {
        let separator = if at == 0 { "" } else { ", " };
        query.push(format!(
            "{separator}(select {first}(place) from url_word where word = "
        ));
        query.push_bind(word.clone());
        query.push(format!(" and place {from} {place})"));
    }
    if let Some(user_id) = filter.indexed_user() {
        let bound = if front.rises {
            format!(">= ({place}) * {NEIGHBOURHOOD}")
        } else {
            format!("< ({place} + 1) * {NEIGHBOURHOOD}")
        };
        query.push(format!(
            ", (select {first}(id) / {NEIGHBOURHOOD} from url where user_id = "
        ));
        query.push_bind(user_id);
        query.push(format!(" and deleted_at is null and id {bound})"));
    }
}

/// The next `most` places with URLs whose words are not in the index yet.
pub async fn unindexed_places(db: &Db, front: Front, most: usize) -> sqlx::Result<Vec<i64>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let (first, from, onward) = if front.rises {
        ("min", ">=", format!(">= (place + 1) * {NEIGHBOURHOOD}"))
    } else {
        ("max", "<", format!("< place * {NEIGHBOURHOOD}"))
    };
    let start = if front.rises {
        front.id.saturating_add(1)
    } else {
        front.id
    };
    // From one place to the next, however many URLs of the same place wait.
    either!(db.reader(), pool => {
        let mut query = QueryBuilder::new(format!(
            "with recursive waiting (number, place) as (
                 select 1, (select {first}(url_id) / {NEIGHBOURHOOD} from url_unindexed where url_id {from} "
        ));
        query.push_bind(start);
        query.push(format!(
            ") union all
                 select number + 1, (select {first}(url_id) / {NEIGHBOURHOOD} from url_unindexed where url_id {onward})
                 from waiting where place is not null and number < "
        ));
        query.push_bind(most);
        query.push(") select place from waiting where place is not null order by number");
        query.build_query_scalar().fetch_all(pool).await
    })
}

/// Pushes the beginning of a query for the URLs that lie ahead.
fn push_next<DB: Database>(
    query: &mut QueryBuilder<DB>,
    columns: &str,
    filter: &UrlQuery,
    front: Front,
) where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    query.push(format!(
        "select {columns} from url where {} and id{}",
        filter.presence(),
        front.beyond()
    ));
    query.push_bind(front.id);
}

/// Pushes what the text of a row has if it has the words, so far as that can be said.
fn push_certain<DB: Database>(query: &mut QueryBuilder<DB>, filter: &UrlQuery, like: &str)
where
    for<'q> String: Encode<'q, DB> + Type<DB>,
{
    for text in filter
        .words
        .iter()
        .filter_map(|word| words::certain_text(word))
    {
        query.push(format!(
            " and (original_url || ' ' || short_code || ' ' || coalesce(title, '')){like}"
        ));
        query.push_bind(format!("%{text}%"));
    }
}

impl UrlQuery {
    /// The condition of being in the list at all.
    fn presence(&self) -> &'static str {
        if self.is_deleted {
            "deleted_at is not null"
        } else {
            "deleted_at is null"
        }
    }

    /// The user whose URLs are sought, if an index has these.
    pub(super) fn indexed_user(&self) -> Option<i64> {
        self.user_id.filter(|_| !self.is_deleted)
    }
}

impl Front {
    fn direction(self) -> &'static str {
        if self.rises { "" } else { " desc" }
    }

    fn beyond(self) -> &'static str {
        if self.rises { " > " } else { " < " }
    }
}
