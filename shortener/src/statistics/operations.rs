//! What `/openapi.json` says of statistics.

use schemars::json_schema;

use super::{Bucket, Summary, http};
use crate::openapi::{Answer, Operation, Slice, of};

pub fn slice() -> Slice {
    Slice {
        tag: "statistics",
        description: "Clicks over time, and by what they have in common.",
        operations: vec![of_url(), of_all()],
    }
}

fn of_url() -> Operation {
    let operation = Operation::get(
        "/urls/{id}/stats",
        "getUrlStatistics",
        "Show the statistics of a URL",
    )
    .id("The URL's");
    period(operation).refuses(404, "There is no such URL, or it is another user's")
}

fn of_all() -> Operation {
    let operation = Operation::get("/stats", "getStatistics", "Show the statistics of all URLs")
        .describe("A user's key shows those of that user's URLs.")
        .query_id(
            "user_id",
            "Only this user's URLs; up to 10,000 days on which one of them was visited",
        );
    period(operation)
}

fn period(operation: Operation) -> Operation {
    let time =
        || json_schema!({"type": "string", "examples": ["2026-01-31", "2026-01-31T12:00:00Z"]});
    let zone = json_schema!({"type": "string", "default": "UTC", "examples": ["Europe/Berlin"]});
    let top = json_schema!({
        "type": "integer",
        "minimum": 1,
        "maximum": http::MAX_TOP,
        "default": http::DEFAULT_TOP,
    });
    operation
        .query(
            "from",
            time(),
            "A day, which begins at midnight of the time zone, or a time; 30 days before `to` unless given",
        )
        .query(
            "to",
            time(),
            "A day or a time, after `from` and at most ten years; now unless given",
        )
        .query(
            "bucket",
            of::<Bucket>(),
            "What a point of the series adds up; at most 5,000 of them",
        )
        .query("time_zone", zone, "An IANA name")
        .query("top", top, "How many values of each kind are told apart")
        .answer(Answer::json::<Summary>(200, "Statistics"))
}
