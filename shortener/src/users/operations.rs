//! What `/openapi.json` says of users.

use serde_json::json;

use super::{Email, User, Username};
use crate::{
    bulk::Imported,
    openapi::{Answer, Body, Operation, Slice, of},
};

const TAKEN: &str = "Another user has this e-mail address";
const MISSING: &str = "There is no such user, or the key is another user's";

pub fn slice() -> Slice {
    Slice {
        tag: "users",
        description: "Who URLs belong to.",
        operations: vec![
            list(),
            create(),
            load(),
            show(),
            update(),
            patch(),
            delete(),
        ],
    }
}

fn list() -> Operation {
    Operation::get("/users", "listUsers", "List users")
        .describe("By id. A user's key lists that user alone.")
        .answers_list::<User>("Users")
}

fn create() -> Operation {
    let body = Body::json("NewUser", "What a new user is made of")
        .required(
            "username",
            of::<Username>(),
            "On one line; two users may have the same",
        )
        .required(
            "email",
            of::<Email>(),
            "`name@host`; each belongs to one user",
        )
        .example(
            "ada",
            json!({"username": "Ada Lovelace", "email": "ada@example.com"}),
        );
    Operation::post("/users", "createUser", "Add a user")
        .body(body)
        .answer(
            Answer::json::<User>(201, "The new user")
                .tagged()
                .header("Idempotency-Replayed")
                .header("Location")
                .leads_to("show", "getUser", "id", "$response.body#/id")
                .leads_to("update", "updateUser", "id", "$response.body#/id")
                .leads_to("delete", "deleteUser", "id", "$response.body#/id")
                .leads_to("urls", "listUrls", "user_id", "$response.body#/id")
                .leads_to(
                    "statistics",
                    "getStatistics",
                    "user_id",
                    "$response.body#/id",
                )
                .feeds("shorten", "createUrl", "user_id", "$response.body#/id")
                .feeds("key", "createKey", "user_id", "$response.body#/id"),
        )
        .may_be_sent_again()
        .refuses(409, "Another user has this e-mail address, or a request with this Idempotency-Key is under way")
}

fn load() -> Operation {
    Operation::post("/users/bulk", "loadUsers", "Load a CSV file of users")
        .describe("The columns are `id`, `username`, `email` and `created_at`. The file is loaded as a whole or not at all.")
        .body(Body::csv_file("UsersFile", "A form with `users.csv`"))
        .answer(Answer::json::<Imported>(201, "All rows were added"))
        .refuses(409, "An id or e-mail address is taken; `errors` says in which line")
        .refuses(422, "A row cannot be accepted; `errors` says which and why")
}

fn show() -> Operation {
    Operation::get("/users/{id}", "getUser", "Show a user")
        .id("The user's")
        .answer(Answer::json::<User>(200, "The user").tagged())
        .reads_version()
        .refuses(404, MISSING)
}

fn changeable(body: Body) -> Body {
    body.given("username", of::<Username>(), "On one line")
        .given(
            "email",
            of::<Email>(),
            "`name@host`; each belongs to one user",
        )
}

fn patch() -> Operation {
    let body =
        Body::json("UserPatch", "A merge patch (RFC 7396)").of_type("application/merge-patch+json");
    let body = changeable(body).example("rename", json!({"username": "Ada King"}));
    Operation::patch("/users/{id}", "patchUser", "Patch a user")
        .describe("Fields that are not named stay. Others than these cannot be changed, and naming one is refused.")
        .id("The user's")
        .body(body)
        .answer(Answer::json::<User>(200, "The user as it is now").tagged())
        .changes_version()
        .refuses(404, MISSING)
        .refuses(409, TAKEN)
}

fn update() -> Operation {
    let body = Body::json("UserChange", "What is to be different; one field at least");
    let body = changeable(body)
        .needs_one()
        .example("rename", json!({"username": "Ada King"}));
    Operation::put("/users/{id}", "updateUser", "Change a user")
        .describe("Fields that are not named stay.")
        .id("The user's")
        .body(body)
        .changes_version()
        .answer(
            Answer::json::<User>(200, "The user as it is now")
                .tagged()
                .leads_to("show", "getUser", "id", "$response.body#/id"),
        )
        .refuses(404, MISSING)
        .refuses(409, TAKEN)
}

fn delete() -> Operation {
    Operation::delete("/users/{id}", "deleteUser", "Delete a user")
        .describe("The user's URLs are deleted, too, and no key of theirs works any more.")
        .id("The user's")
        .answer(Answer::empty(204, "The user is deleted"))
        .changes_version()
        .refuses(404, "There is no such user")
}
