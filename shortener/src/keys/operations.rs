//! What `/openapi.json` says of API keys.

use schemars::json_schema;
use serde_json::json;

use super::{Key, KeyName, Scopes, http::NewKeyAnswer};
use crate::{
    database::timestamp::Timestamp,
    openapi::{Answer, Body, Operation, Slice, of},
};

pub fn slice() -> Slice {
    Slice {
        tag: "keys",
        description: "API keys: who may do what with whose URLs.",
        operations: vec![list(), create(), revoke()],
    }
}

fn list() -> Operation {
    Operation::get("/keys", "listKeys", "List keys")
        .describe("By id, revoked ones included. No key itself is in the list.")
        .query_id("user_id", "Only this user's")
        .answers_list::<Key>("Keys")
}

fn create() -> Operation {
    let user_id = json_schema!({"type": "integer", "format": "int64"});
    let body = Body::json("NewKey", "What a new key is made of")
        .required("name", of::<KeyName>(), "What people call it, on one line")
        .optional("user_id", user_id, "Whose key it is; left out for an admin's")
        .optional(
            "scopes",
            of::<Scopes>(),
            "`admin` alone is enough for an admin's key, and no user's key has it. A user's key has the other three unless told otherwise",
        )
        .optional("expires_at", of::<Timestamp>(), "In the future; null for a key that does not expire")
        .example(
            "of a user",
            json!({"name": "newsletter", "user_id": 1, "scopes": ["read", "write"]}),
        )
        .example("of an admin", json!({"name": "deployment", "scopes": ["admin"]}));
    Operation::post("/keys", "createKey", "Make a key")
        .describe("The key itself is in this answer and nowhere else.")
        .body(body)
        .answer(
            Answer::json::<NewKeyAnswer>(201, "The new key")
                .header("Cache-Control")
                .leads_to("revoke", "revokeKey", "id", "$response.body#/id"),
        )
        .refuses(404, "There is no such user")
}

fn revoke() -> Operation {
    Operation::delete("/keys/{id}", "revokeKey", "Revoke a key")
        .describe("Every replica obeys within a second.")
        .id("The key's")
        .answer(Answer::empty(204, "The key does not work any more"))
        .refuses(404, "There is no such key, or it was revoked before")
}
