//! Every route with every kind of caller: who gets which status. A new route without a row fails here.

use std::collections::BTreeSet;

use harness::{on_each_database, service::Service};
use reqwest::{
    Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::json;

use crate::keyed::{ADMIN, Keyed, User, new_user, next, number, text};

/// Who calls, in the order of the columns below.
#[derive(Clone, Copy, Debug)]
enum Caller {
    NoKey,
    /// A key of the owner, for everything but what the route asks for.
    WrongScope,
    AnotherUser,
    Revoked,
    Expired,
    Owner,
    Admin,
}

const CALLERS: [Caller; 7] = [
    Caller::NoKey,
    Caller::WrongScope,
    Caller::AnotherUser,
    Caller::Revoked,
    Caller::Expired,
    Caller::Owner,
    Caller::Admin,
];

/// The route, the scope it asks for, and each caller's status. To whom a thing does not belong, it does not exist; lists show
/// what is one's own, so that they are for everybody (`ownership.rs` looks into them).
#[rustfmt::skip]
const TABLE: [(&str, &str, [u16; 7]); 35] = [
    //                                            none wrong other revoked expired owner admin
    ("GET /",                      "public",     [200, 200, 200, 200, 200, 200, 200]),
    ("GET /assets/home.css",       "public",     [200, 200, 200, 200, 200, 200, 200]),
    ("GET /assets/home.js",        "public",     [200, 200, 200, 200, 200, 200, 200]),
    ("GET /docs",                  "public",     [200, 200, 200, 200, 200, 200, 200]),
    ("GET /assets/docs.css",       "public",     [200, 200, 200, 200, 200, 200, 200]),
    ("GET /assets/docs.js",        "public",     [200, 200, 200, 200, 200, 200, 200]),
    ("GET /{short_code}",          "public",     [302, 302, 302, 302, 302, 302, 302]),
    ("GET /urls/{id}/redirect",    "public",     [302, 302, 302, 302, 302, 302, 302]),
    ("GET /health",                "public",     [200, 200, 200, 200, 200, 200, 200]),
    ("GET /openapi.json",          "public",     [200, 200, 200, 200, 200, 200, 200]),
    ("GET /users",                 "read",       [401, 403, 200, 401, 401, 200, 200]),
    ("POST /users",                "admin",      [401, 403, 403, 401, 401, 403, 201]),
    ("POST /users/bulk",           "admin",      [401, 403, 403, 401, 401, 403, 201]),
    ("GET /users/{id}",            "read",       [401, 403, 404, 401, 401, 200, 200]),
    ("PUT /users/{id}",            "write",      [401, 403, 404, 401, 401, 200, 200]),
    ("PATCH /users/{id}",          "write",      [401, 403, 404, 401, 401, 200, 200]),
    ("DELETE /users/{id}",         "admin",      [401, 403, 403, 401, 401, 403, 204]),
    ("GET /urls",                  "read",       [401, 403, 200, 401, 401, 200, 200]),
    ("POST /urls",                 "write",      [401, 403, 404, 401, 401, 201, 201]),
    ("POST /urls/bulk",            "admin",      [401, 403, 403, 401, 401, 403, 201]),
    ("GET /urls/{id}",             "read",       [401, 403, 404, 401, 401, 200, 200]),
    ("PUT /urls/{id}",             "write",      [401, 403, 404, 401, 401, 200, 200]),
    ("PATCH /urls/{id}",           "write",      [401, 403, 404, 401, 401, 200, 200]),
    ("DELETE /urls/{id}",          "write",      [401, 403, 404, 401, 401, 204, 204]),
    ("POST /urls/{id}/restore",    "write",      [401, 403, 404, 401, 401, 200, 200]),
    // What is not one's own is refused operation by operation: `ownership.rs`.
    ("POST /urls/batch",           "write",      [401, 403, 200, 401, 401, 200, 200]),
    ("GET /events",                "read",       [401, 403, 200, 401, 401, 200, 200]),
    ("POST /events",               "write",      [401, 403, 404, 401, 401, 201, 201]),
    ("POST /events/bulk",          "admin",      [401, 403, 403, 401, 401, 403, 201]),
    ("GET /urls/{id}/stats",       "statistics", [401, 403, 404, 401, 401, 200, 200]),
    ("GET /stats",                 "statistics", [401, 403, 200, 401, 401, 200, 200]),
    ("GET /keys",                  "admin",      [401, 403, 403, 401, 401, 403, 200]),
    ("POST /keys",                 "admin",      [401, 403, 403, 401, 401, 403, 201]),
    ("DELETE /keys/{id}",          "admin",      [401, 403, 403, 401, 401, 403, 204]),
    ("GET /audit",                 "admin",      [401, 403, 403, 401, 401, 403, 200]),
];

/// What is not served under `/api/v1` too.
const AT_THE_ROOT_ONLY: [&str; 7] = [
    "GET /",
    "GET /assets/home.css",
    "GET /assets/home.js",
    "GET /docs",
    "GET /assets/docs.css",
    "GET /assets/docs.js",
    "GET /{short_code}",
];

/// Everybody who calls.
struct World {
    keyed: Keyed,
    owner: User,
    stranger: User,
    revoked: String,
    expired: String,
}

impl World {
    async fn fresh(backend: harness::database::Backend) -> Self {
        let keyed = Keyed::fresh(backend).await;
        let (owner, stranger) = (keyed.user().await, keyed.user().await);
        let of_owner = || keyed.key(json!({"name": "once", "user_id": owner.id}));
        let (revoked, expired) = (of_owner().await, of_owner().await);
        let answer = keyed
            .delete(ADMIN, &format!("/keys/{}", revoked["id"]))
            .await;
        assert_eq!(answer.status, 204, "{answer:?}");
        // Nobody can make a key that has expired.
        let expire = format!(
            "update api_key set expires_at = created_at where id = {}",
            expired["id"]
        );
        keyed.database.execute(&expire).await;
        Self {
            revoked: text(&revoked["key"]),
            expired: text(&expired["key"]),
            keyed,
            owner,
            stranger,
        }
    }

    async fn key(&self, caller: Caller, scope: &str) -> String {
        match caller {
            Caller::NoKey => String::new(),
            Caller::WrongScope => {
                let scopes: Vec<_> = ["read", "write", "statistics"]
                    .into_iter()
                    .filter(|other| *other != scope)
                    .collect();
                let key = json!({"name": "narrow", "user_id": self.owner.id, "scopes": scopes});
                text(&self.keyed.key(key).await["key"])
            }
            Caller::AnotherUser => self.stranger.key.clone(),
            Caller::Revoked => self.revoked.clone(),
            Caller::Expired => self.expired.clone(),
            Caller::Owner => self.owner.key.clone(),
            Caller::Admin => ADMIN.to_owned(),
        }
    }

    /// A proper request to a route, about something that is the owner's and was not there before.
    async fn request(&self, route: &str, mount: &str) -> RequestBuilder {
        let (method, path) = route.split_once(' ').expect("a method and a path");
        let owner = self.owner.id;
        let id = match path {
            "/users/{id}" if method == "DELETE" => self.keyed.user_without_key().await.to_string(),
            path if path.starts_with("/users/") => owner.to_string(),
            path if path.starts_with("/keys/") => {
                let key = self
                    .keyed
                    .key(json!({"name": "to go", "user_id": owner}))
                    .await;
                key["id"].to_string()
            }
            "/{short_code}" | "/urls/{id}/redirect" => {
                text(&self.keyed.url(owner).await["short_code"])
            }
            _ => number(&self.keyed.url(owner).await["id"]).to_string(),
        };
        let path = path.replace("{id}", &id).replace("{short_code}", &id);
        let method: Method = method.parse().expect("a method");
        let request = self
            .keyed
            .service
            .request(method, &format!("{mount}{path}"));
        match route {
            "POST /users" => request.json(&new_user()),
            "PUT /users/{id}" | "PATCH /users/{id}" => request.json(&json!({"username": "renamed"})),
            "POST /urls" => {
                request.json(&json!({"user_id": owner, "original_url": "https://example.com/"}))
            }
            "PUT /urls/{id}" | "PATCH /urls/{id}" => request.json(&json!({"title": "renamed"})),
            "POST /urls/batch" => request.json(&json!({"operations": [{"op": "delete", "id": 999_999}]})),
            "POST /events" => request.json(&json!({"url_id": id.parse::<i64>().expect("an id"), "user_id": owner, "event_type": "seen"})),
            "POST /keys" => request.json(&json!({"name": "new", "user_id": owner})),
            "POST /users/bulk" => request.multipart(csv(&format!(
                "id,username,email,created_at\n{0},bulk,bulk{0}@example.com,2026-01-31 23:59:59\n",
                far_id()
            ))),
            "POST /urls/bulk" => request.multipart(csv(&format!(
                "id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n\
                 {0},{owner},bulk{0},https://example.com/,,True,2026-01-31 23:59:59,2026-01-31 23:59:59\n",
                far_id()
            ))),
            "POST /events/bulk" => request.multipart(csv(&format!(
                "id,url_id,user_id,event_type,timestamp,details\n{},{id},{owner},seen,2026-01-31 23:59:59,{{}}\n",
                far_id()
            ))),
            _ => request,
        }
    }
}

/// An id that no row has: beyond it, the service goes on to count.
fn far_id() -> u64 {
    next() * 1_000_000
}

fn csv(text: &str) -> Form {
    let part = Part::bytes(text.as_bytes().to_vec()).file_name("data.csv");
    Form::new().part("file", part)
}

on_each_database! {
    async fn every_route_lets_in_whom_it_should(world: World) {
        let mut wrong = Vec::new();
        for (route, scope, statuses) in TABLE {
            for mount in ["", "/api/v1"] {
                if !mount.is_empty() && AT_THE_ROOT_ONLY.contains(&route) {
                    continue;
                }
                for (caller, expected) in CALLERS.into_iter().zip(statuses) {
                    let key = world.key(caller, scope).await;
                    let mut request = world.request(route, mount).await;
                    if !key.is_empty() {
                        request = request.bearer_auth(key);
                    }
                    let answer = world.keyed.service.send(request).await;
                    if answer.status != expected {
                        wrong.push(format!("{route} at {mount:?}, {caller:?}: {} instead of {expected}: {}", answer.status, answer.text()));
                        continue;
                    }
                    let challenge = answer.header("www-authenticate").unwrap_or_default();
                    match expected {
                        401 => {
                            answer.assert_problem(401);
                            assert!(challenge.starts_with("Bearer"), "{route}: {challenge}");
                        }
                        403 => {
                            answer.assert_problem(403);
                            let told = format!("error=\"insufficient_scope\", scope=\"{scope}\"");
                            assert!(challenge.contains(&told), "{route}: {challenge}");
                        }
                        _ => assert_eq!(challenge, "", "{route}"),
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[tokio::test]
async fn every_route_has_a_row() {
    let database = harness::database::Database::fresh(harness::database::Backend::Sqlite).await;
    let exit = Service::builder(&database).arg("routes").run().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let routes: BTreeSet<_> = exit.output.lines().map(str::to_owned).collect();
    let rows = TABLE
        .iter()
        .map(|(route, scope, _)| format!("{route} {scope}"));
    assert_eq!(
        routes,
        rows.collect(),
        "the program's routes, and this test's rows"
    );
}
