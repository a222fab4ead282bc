//! What `/openapi.json` says of following a short URL.

use schemars::{Schema, json_schema};

use crate::{
    openapi::{Answer, Operation, Slice},
    urls::short_code,
};

const MISSING: &str = "There is no such link, or it is not active, or not yet";

const TEXT: &str = "The visit is a click, and on the disk before the answer leaves. With a `+` after the code, a page says where the link leads: that is no click. A browser, which accepts `text/html`, is refused with a page.";

pub fn slice() -> Slice {
    Slice {
        tag: "redirects",
        description: "Following a short URL. Redirects need no key, and are limited by address.",
        operations: vec![
            follow(Operation::get(
                "/{short_code}",
                "followShortUrl",
                "Follow a short URL",
            ))
            .head("checkShortUrl"),
            follow(Operation::get(
                "/urls/{id}/redirect",
                "followUrl",
                "Follow a short URL, within the API",
            ))
            .shown_as("/urls/{short_code}/redirect")
            .head("checkUrl"),
        ],
    }
}

fn follow(operation: Operation) -> Operation {
    let sent_on = |status, description| {
        Answer::empty(status, description)
            .header("Location")
            .header("Cache-Control")
    };
    operation
        .describe(TEXT)
        .segment("short_code", code(), "The code of the URL; case-sensitive")
        .answer(Answer::page(
            200,
            "A page that says where the link leads, where the code ends with `+`",
        ))
        .answer(sent_on(301, "To the target, for a URL with this status"))
        .answer(sent_on(302, "To the target"))
        .answer(sent_on(307, "To the target, for a URL with this status"))
        .answer(sent_on(308, "To the target, for a URL with this status"))
        .refuses(404, MISSING)
        .refuses(410, "The link has expired, or has been used up")
        .refuses(429, "Too many links were followed from this address")
        .has_pages()
}

fn code() -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": short_code::MAX_LEN + 1,
        "pattern": r"^[0-9A-Za-z_-]+\+?$",
        "examples": ["launch"],
    })
}
