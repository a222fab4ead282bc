//! What `/openapi.json` says of URLs.

use schemars::json_schema;
use serde_json::json;

use super::{
    ShortUrl, Title,
    batch::{MAX_OPERATIONS, http::BatchAnswer},
    original_url::OriginalUrl,
    redirect_status::RedirectStatus,
    short_code::ShortCode,
};
use crate::{
    bulk::Imported,
    database::timestamp::Timestamp,
    openapi::{Answer, Body, Operation, Slice, of},
};

const MISSING: &str = "There is no such URL, or it is another user's";

const TARGET: &str = "`http` or `https` with a host, without blanks, user name or password; at most 8 KiB unless a setting says otherwise. Neither an address of this service nor, unless a setting allows it, one in a private network";

pub fn slice() -> Slice {
    Slice {
        tag: "urls",
        description: "What is shortened, by whom, under which code.",
        operations: vec![
            list(),
            create(),
            load(),
            batch(),
            show(),
            update(),
            patch(),
            delete(),
            restore(),
        ],
    }
}

fn list() -> Operation {
    let flag = json_schema!({"type": "boolean"});
    let deleted = json_schema!({"type": "boolean", "default": false});
    let text = json_schema!({"type": "string", "minLength": 1});
    let order = json_schema!({"type": "string", "pattern": "^(-?id)?$"});
    Operation::get("/urls", "listUrls", "List and find URLs")
        .describe("A user's key lists that user's. With `q`, `host`, `created_after` or `created_before` there is no `page`: a part may be short, or empty, and the list still go on; it ends when there is no `next` in `Link`.")
        .query(
            "deleted",
            deleted,
            "Deleted ones instead; `updated_at` says since when",
        )
        .query_id("user_id", "Only this user's")
        .query(
            "is_active",
            flag,
            "Only those that can be followed, or cannot",
        )
        .query("short_code", of::<ShortCode>(), "The one with this code")
        .query("q", text.clone(), "Only those with all these words, eight at most, in title, short code, host or path, in any case; the newest first")
        .query("host", text.clone(), "Only those that lead to this host, as it was given but for the case")
        .query("created_after", text.clone(), "Only those made at this time, such as 2026-11-24T12:00:00Z, or later")
        .query("created_before", text, "Only those made before this time")
        .query("sort", order, "In the order of their ids, `id`, or the newest first, `-id`")
        .answers_list::<ShortUrl>("URLs")
}

fn create() -> Operation {
    let user_id = json_schema!({"type": "integer", "format": "int64"});
    let body = Body::json("NewUrl", "What a new URL is made of")
        .required("user_id", user_id, "The owner")
        .required("original_url", of::<OriginalUrl>(), TARGET)
        .optional("title", of::<Title>(), "What people call it, on one line")
        .optional(
            "short_code",
            of::<ShortCode>(),
            "Case-sensitive; six letters and digits are drawn if it is left out. Words that the service keeps for itself, such as `api`, are refused",
        );
    let body = options(body)
        .example(
            "least",
            json!({"user_id": 1, "original_url": "https://example.com/page"}),
        )
        .example(
            "campaign",
            json!({
                "user_id": 1,
                "original_url": "https://example.com/launch?utm_source=poster",
                "title": "Poster",
                "short_code": "launch",
                "expires_at": "2030-01-31T12:00:00Z",
                "status": 307,
                "forward_query": true,
            }),
        );
    let id = "$response.body#/id";
    Operation::post("/urls", "createUrl", "Shorten a URL")
        .describe("The same `original_url` may be shortened any number of times: each gets a code of its own.")
        .body(body)
        .answer(
            Answer::json::<ShortUrl>(201, "The new URL")
                .tagged()
                .header("Idempotency-Replayed")
                .header("Location")
                .leads_to("show", "getUrl", "id", id)
                .leads_to("update", "updateUrl", "id", id)
                .leads_to("delete", "deleteUrl", "id", id)
                .leads_to("statistics", "getUrlStatistics", "id", id)
                .leads_to("follow", "followUrl", "short_code", "$response.body#/short_code")
                .leads_to("events", "listEvents", "url_id", id)
                .feeds("log", "createEvent", "url_id", id),
        )
        .refuses(404, "There is no such user, or the key is another user's")
        .may_be_sent_again()
        .refuses(409, "The short code is taken, or a request with this Idempotency-Key is under way")
}

fn load() -> Operation {
    Operation::post("/urls/bulk", "loadUrls", "Load a CSV file of URLs")
        .describe("The columns are `id`, `user_id`, `short_code`, `original_url`, `title`, `is_active`, `created_at` and `updated_at`. The file is loaded as a whole or not at all.")
        .body(Body::csv_file("UrlsFile", "A form with `urls.csv`"))
        .answer(Answer::json::<Imported>(201, "All rows were added"))
        .refuses(409, "An id or short code is taken; `errors` says in which line")
        .refuses(422, "A row cannot be accepted; `errors` says which and why")
}

fn show() -> Operation {
    Operation::get("/urls/{id}", "getUrl", "Show a URL")
        .id("The URL's")
        .answer(Answer::json::<ShortUrl>(200, "The URL").tagged())
        .reads_version()
        .refuses(404, MISSING)
}

fn changeable(body: Body) -> Body {
    let flag = json_schema!({"type": "boolean"});
    let body = body
        .given("original_url", of::<OriginalUrl>(), TARGET)
        .optional("title", of::<Title>(), "On one line; null takes it away")
        .given("is_active", flag, "Whether it can be followed");
    options(body)
}

fn patch() -> Operation {
    let body =
        Body::json("UrlPatch", "A merge patch (RFC 7396)").of_type("application/merge-patch+json");
    let body = changeable(body).example("for ever", json!({"expires_at": null}));
    Operation::patch("/urls/{id}", "patchUrl", "Patch a URL")
        .describe("Fields that are not named stay. Others than these cannot be changed, and naming one is refused. When this is answered, every replica obeys it.")
        .id("The URL's")
        .body(body)
        .answer(Answer::json::<ShortUrl>(200, "The URL as it is now").tagged())
        .changes_version()
        .refuses(404, MISSING)
}

fn restore() -> Operation {
    Operation::post("/urls/{id}/restore", "restoreUrl", "Restore a deleted URL")
        .describe("Its short code was kept for it. One that is not deleted stays as it is. When this is answered, every replica obeys it.")
        .id("The URL's")
        .answer(Answer::json::<ShortUrl>(200, "The URL, deleted no more").tagged())
        .changes_version()
        .refuses(404, MISSING)
        .refuses(409, "Its user was deleted")
}

fn batch() -> Operation {
    let operations = json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_OPERATIONS,
        "items": {
            "type": "object",
            "properties": {
                "op": {"type": "string", "enum": ["create", "update", "delete"]},
                "id": {"type": "integer", "format": "int64", "description": "The URL that is updated or deleted"},
                "version": {"type": "integer", "format": "int64", "minimum": 1, "description": "The version that it must have"},
                "url": {"type": "object", "description": "What is created, as `NewUrl`, or the change, as `UrlChange`"},
            },
            "required": ["op"],
        },
    });
    let body = Body::json("UrlBatch", "What is to be done")
        .required("operations", operations, "In this order")
        .example(
            "three",
            json!({"operations": [
                {"op": "create", "url": {"user_id": 1, "original_url": "https://example.com/"}},
                {"op": "update", "id": 7, "version": 3, "url": {"title": "Launch"}},
                {"op": "delete", "id": 8},
            ]}),
        );
    Operation::post("/urls/batch", "changeUrls", "Create, change and delete many URLs")
        .describe("Each operation has a result in the same place, with the status that a call of its own would have had. One that is refused leaves nothing and stops no other. All that succeed are committed together, and when this is answered, every replica obeys them.")
        .body(body)
        .may_be_sent_again()
        .answer(
            Answer::json::<BatchAnswer>(200, "What became of each operation")
                .header("Idempotency-Replayed"),
        )
        .refuses(409, "A request with this Idempotency-Key is under way")
}

fn update() -> Operation {
    let body = Body::json("UrlChange", "What is to be different; one field at least");
    let body = changeable(body)
        .needs_one()
        .example("switch off", json!({"is_active": false}))
        .example(
            "end",
            json!({"expires_at": "2030-01-31T12:00:00Z", "title": null}),
        );
    Operation::put("/urls/{id}", "updateUrl", "Change a URL")
        .changes_version()
        .describe("Fields that are not named stay. When this is answered, every replica obeys it.")
        .id("The URL's")
        .body(body)
        .answer(
            Answer::json::<ShortUrl>(200, "The URL as it is now")
                .tagged()
                .leads_to("show", "getUrl", "id", "$response.body#/id"),
        )
        .refuses(404, MISSING)
}

fn delete() -> Operation {
    Operation::delete("/urls/{id}", "deleteUrl", "Delete a URL")
        .describe("Its short code is never given out again. When this is answered, every replica obeys it.")
        .id("The URL's")
        .answer(Answer::empty(204, "The URL is deleted"))
        .changes_version()
        .refuses(404, MISSING)
}

/// How a URL is followed.
fn options(body: Body) -> Body {
    let flag = json_schema!({"type": "boolean"});
    let visits = json_schema!({"type": "integer", "format": "int64", "minimum": 1});
    body.given(
        "status",
        of::<RedirectStatus>(),
        "What visitors are answered with; 302 for a new URL",
    )
    .given(
        "forward_query",
        flag,
        "Whether the visitor's query is appended to the target's own; false for a new URL",
    )
    .optional(
        "starts_at",
        of::<Timestamp>(),
        "Before this time the link answers 404; null for no such time",
    )
    .optional(
        "expires_at",
        of::<Timestamp>(),
        "From this time on the link answers 410; null for no such time. After `starts_at`",
    )
    .optional(
        "max_clicks",
        visits,
        "How many visitors get through, over all replicas; null for any number",
    )
}
