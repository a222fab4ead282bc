//! Whether a link may be followed. Pure: no clock, no network, no database.

use crate::{database::timestamp::Timestamp, links::link::Link};

/// What a visitor gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    Redirect,
    /// On, if fewer visitors than allowed have come before: only the database knows.
    Limited,
    /// Nothing that a visitor should know of.
    NotFound,
    /// It was there, and is over.
    Gone,
}

/// Decides what a visitor gets who follows `link` at `now`.
pub fn decide(link: &Link, now: Timestamp) -> Outcome {
    if !link.is_active || link.starts_at.is_some_and(|start| now < start) {
        return Outcome::NotFound;
    }
    if link.expires_at.is_some_and(|end| now >= end) {
        return Outcome::Gone;
    }
    if link.max_clicks.is_some() {
        return Outcome::Limited;
    }
    Outcome::Redirect
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::link::tests::link;

    /// Active or not, starts, expires, limit, and what a visitor gets at noon.
    #[test]
    fn a_visitor_gets_what_the_table_says() {
        const BEFORE: Option<&str> = Some("2026-11-24T11:59:59Z");
        const NOON: Option<&str> = Some("2026-11-24T12:00:00Z");
        const AFTER: Option<&str> = Some("2026-11-24T12:00:01Z");
        let table = [
            (true, None, None, None, Outcome::Redirect),
            (true, BEFORE, AFTER, None, Outcome::Redirect),
            // A link is there from its start on, and until just before its end.
            (true, NOON, AFTER, None, Outcome::Redirect),
            (true, BEFORE, NOON, None, Outcome::Gone),
            (true, None, BEFORE, None, Outcome::Gone),
            (true, AFTER, None, None, Outcome::NotFound),
            (true, None, None, Some(5), Outcome::Limited),
            (true, BEFORE, AFTER, Some(5), Outcome::Limited),
            (true, AFTER, None, Some(5), Outcome::NotFound),
            (true, None, BEFORE, Some(5), Outcome::Gone),
            // What is switched off tells nothing of itself.
            (false, None, None, None, Outcome::NotFound),
            (false, None, BEFORE, None, Outcome::NotFound),
            (false, None, None, Some(5), Outcome::NotFound),
        ];
        let time = |text: Option<&str>| text.map(|text| Timestamp::parse(text).unwrap());
        for (is_active, starts_at, expires_at, max_clicks, expected) in table {
            let case = Link {
                is_active,
                starts_at: time(starts_at),
                expires_at: time(expires_at),
                max_clicks,
                ..link()
            };
            let outcome = decide(&case, time(NOON).unwrap());
            assert_eq!(outcome, expected, "{case:?}");
        }
    }
}
