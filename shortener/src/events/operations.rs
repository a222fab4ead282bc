//! What `/openapi.json` says of events.

use schemars::json_schema;
use serde_json::json;

use super::{Details, Event, EventType};
use crate::{
    bulk::Imported,
    openapi::{Answer, Body, Operation, Slice, of},
};

pub fn slice() -> Slice {
    Slice {
        tag: "events",
        description: "The log of what happened to URLs, clicks included.",
        operations: vec![list(), create(), load()],
    }
}

fn list() -> Operation {
    Operation::get("/events", "listEvents", "List events")
        .describe("Newest first, with every click that was answered before. A user's key lists what belongs to that user.")
        .query_id("url_id", "Only what happened to this URL")
        .query_id("user_id", "Only what belongs to this user")
        .query("event_type", of::<EventType>(), "Only events of this type")
        .answers_list::<Event>("Events")
}

fn create() -> Operation {
    let id = || json_schema!({"type": "integer", "format": "int64"});
    let body = Body::json("NewEvent", "What a new event is made of")
        .required("url_id", id(), "The URL that it happened to")
        .required("user_id", id(), "The user that it belongs to")
        .required(
            "event_type",
            of::<EventType>(),
            "On one line. The service itself writes `created`, `updated`, `deleted`, `restored` and `click`",
        )
        .optional("details", of::<Details>(), "Whatever else there is to say")
        .example(
            "scan",
            json!({"url_id": 1, "user_id": 1, "event_type": "scan", "details": {"place": "Berlin"}}),
        );
    Operation::post("/events", "createEvent", "Add an event")
        .describe("A user's key adds events of that user's own URLs.")
        .body(body)
        .may_be_sent_again()
        .refuses(409, "A request with this Idempotency-Key is under way")
        .answer(
            Answer::json::<Event>(201, "The new event")
                .header("Idempotency-Replayed")
                .leads_to("events", "listEvents", "url_id", "$response.body#/url_id"),
        )
        .refuses(404, "There is no such URL or user, or it is another user's")
}

fn load() -> Operation {
    Operation::post("/events/bulk", "loadEvents", "Load a CSV file of events")
        .describe("The columns are `id`, `url_id`, `user_id`, `event_type`, `timestamp` and `details`. The file is loaded as a whole or not at all.")
        .body(Body::csv_file("EventsFile", "A form with `events.csv`"))
        .answer(Answer::json::<Imported>(201, "All rows were added"))
        .refuses(409, "An id is taken; `errors` says in which line")
        .refuses(422, "A row cannot be accepted; `errors` says which and why")
}
