//! The SQL that a part of a list comes down to: the same for every list, since all of them are ordered by id.

use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::http::{cursor::Place, paging::Part};

/// Pushes ` and <id> > …`, if the part is one that goes on behind a row.
pub fn push_bound<DB: Database>(query: &mut QueryBuilder<DB>, id: &str, part: Part)
where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    if let Some(Place::After(place) | Place::Before(place)) = part.place() {
        let beyond = if part.rises() { ">" } else { "<" };
        query.push(format!(" and {id} {beyond} ")).push_bind(place);
    }
}

/// Pushes the order in which the part is read.
pub fn push_order<DB: Database>(query: &mut QueryBuilder<DB>, id: &str, part: Part) {
    let direction = if part.rises() { "" } else { " desc" };
    query.push(format!(" order by {id}{direction}"));
}

/// Pushes the order, and how many rows there are of it.
pub fn push_end<DB: Database>(query: &mut QueryBuilder<DB>, id: &str, part: Part)
where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    push_order(query, id, part);
    query.push(" limit ").push_bind(part.limit());
    query.push(" offset ").push_bind(part.offset());
}

/// The two ends of a list's query in one.
pub fn push_part<DB: Database>(query: &mut QueryBuilder<DB>, id: &str, part: Part)
where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    push_bound(query, id, part);
    push_end(query, id, part);
}
