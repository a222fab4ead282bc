//! Strangers: fields that are missing, blank, of a wrong type or nonsense are refused by name.

use harness::on_each_database;
use harness::service::Service;
use reqwest::Method;
use serde_json::{Value, json};

/// Texts with nothing to read in them.
const BLANKS: [&str; 10] = [
    "", " ", "   ", "\t", "\n", "\r\n", " \t\n ", "\u{a0}", "\u{3000}", "\u{2003}",
];

/// Texts that no database holds.
const NULS: [&str; 2] = ["\u{0}", "a\u{0}b"];

/// Texts without a name, an `@` and a host.
const NOT_EMAILS: [&str; 14] = [
    "ada",
    "@",
    "ada@",
    "@example.com",
    " @ ",
    "ada@ ",
    " @example.com",
    "ada.example.com",
    "ada at example.com",
    "ada@\n",
    "\n@example.com",
    "ada@exam\nple.com",
    "ada\u{0}@example.com",
    "ada@example\u{0}.com",
];

/// The elements of a JSON array.
fn each(values: Value) -> Vec<Value> {
    values.as_array().expect("an array").clone()
}

fn not_texts() -> Vec<Value> {
    each(json!([0, 1, -1.5, 1e300, true, false, [], ["x"], {}, {"x": "y"}]))
}

fn not_ids() -> Vec<Value> {
    each(json!(["1", "", "abc", 1.5, -0.5, 1e300, true, false, null, [], [1], {}, {"id": 1}]))
}

fn not_booleans() -> Vec<Value> {
    each(json!([
        "true",
        "False",
        "maybe",
        "",
        0,
        1,
        1.5,
        [],
        [true],
        {}
    ]))
}

fn not_objects() -> Vec<Value> {
    each(json!(["x", "{}", "", [], [{}], 0, 1, 1.5, true, false]))
}

/// A call that is right but for what a test makes wrong about it.
struct Call<'a> {
    service: &'a Service,
    method: Method,
    path: &'a str,
    body: Value,
}

impl Call<'_> {
    /// Expects a refusal, by name and of nothing else, of each of `values` as the value of `field`.
    async fn refuses(&self, field: &str, values: impl IntoIterator<Item = impl Into<Value>>) {
        for value in values {
            let mut body = self.body.clone();
            body[field] = value.into();
            self.is_refused(field, &body).await;
        }
    }

    /// Expects a refusal of the call without `field`.
    async fn requires(&self, field: &str) {
        let mut body = self.body.clone();
        body.as_object_mut().expect("an object").remove(field);
        self.is_refused(field, &body).await;
    }

    async fn is_refused(&self, field: &str, body: &Value) {
        let request = self.service.request(self.method.clone(), self.path);
        let answer = self.service.send(request.json(body)).await;
        assert_eq!(
            answer.status,
            422,
            "{} {} {body}: {}",
            self.method,
            self.path,
            answer.text()
        );
        let problem = answer.assert_problem(422);
        let errors = problem["errors"].as_object().expect("an object");
        assert_eq!(
            errors.keys().collect::<Vec<_>>(),
            [field],
            "{body}: {problem}"
        );
        assert!(errors[field].is_string(), "{body}: {problem}");
    }
}

on_each_database! {
    async fn a_user_needs_a_name_and_an_email(service: Service) {
        let call = Call {
            service: &service,
            method: Method::POST,
            path: "/users",
            body: json!({"username": "ada", "email": "ada@example.com"}),
        };

        for field in ["username", "email"] {
            call.requires(field).await;
            call.refuses(field, not_texts()).await;
            call.refuses(field, BLANKS).await;
            call.refuses(field, NULS).await;
            call.refuses(field, [Value::Null]).await;
        }
        call.refuses("email", NOT_EMAILS).await;
        assert_eq!(
            service.get("/users").await.json(),
            json!([]),
            "a refused user is not kept"
        );
    }

    async fn a_change_of_a_user_is_as_picky_as_the_creation(service: Service) {
        let user = json!({"username": "ada", "email": "ada@example.com"});
        let before = service.post("/users", user).await.json();
        let path = format!("/users/{}", before["id"]);

        for body in [
            json!({}),
            json!({"username": "new", "email": "new@example.com"}),
        ] {
            let call = Call {
                service: &service,
                method: Method::PUT,
                path: &path,
                body,
            };
            for field in ["username", "email"] {
                call.refuses(field, not_texts()).await;
                call.refuses(field, BLANKS).await;
                call.refuses(field, NULS).await;
            }
            call.refuses("email", NOT_EMAILS).await;
        }
        assert_eq!(
            service.get(&path).await.json(),
            before,
            "a refused change changes nothing"
        );
    }

    async fn an_email_may_be_any_name_at_any_host(service: Service) {
        for email in [
            "name@host",
            "a@b.c",
            "first.last+tag@mail.example.co.uk",
            "UPPER@EXAMPLE.COM",
            "o'brien@example.com",
            "zoë@exämple.com",
        ] {
            let answer = service
                .post("/users", json!({"username": "x", "email": email}))
                .await;
            assert_eq!(answer.status, 201, "{email}: {}", answer.text());
            assert_eq!(answer.json()["email"], email);
        }
    }

    async fn a_url_needs_a_user_and_an_address(service: Service) {
        let user = service.create_user().await;
        let call = Call {
            service: &service,
            method: Method::POST,
            path: "/urls",
            body: json!({"user_id": user, "original_url": "https://example.com/", "title": "x"}),
        };

        call.requires("user_id").await;
        call.refuses("user_id", not_ids()).await;
        call.requires("original_url").await;
        call.refuses("original_url", not_texts()).await;
        call.refuses("original_url", BLANKS).await;
        call.refuses("original_url", NULS).await;
        call.refuses("original_url", [Value::Null]).await;
        call.refuses("title", not_texts()).await;
        call.refuses("title", NULS).await;
        assert_eq!(
            service.get("/urls").await.json(),
            json!([]),
            "a refused URL is not kept"
        );
        assert_eq!(service.get("/events").await.json(), json!([]), "nor logged");
    }

    async fn a_change_of_a_url_is_as_picky_as_the_creation(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/urls/{}", url["id"]);
        let right =
            json!({"title": "new", "original_url": "https://x.example/", "is_active": false});

        for body in [json!({}), right] {
            let call = Call {
                service: &service,
                method: Method::PUT,
                path: &path,
                body,
            };
            call.refuses("title", not_texts()).await;
            call.refuses("title", NULS).await;
            call.refuses("original_url", not_texts()).await;
            call.refuses("original_url", BLANKS).await;
            call.refuses("is_active", not_booleans()).await;
        }
        assert_eq!(
            service.get(&path).await.json(),
            url,
            "a refused change changes nothing"
        );
    }

    async fn an_event_needs_a_type_a_url_a_user_and_an_object(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let call = Call {
            service: &service,
            method: Method::POST,
            path: "/events",
            body: json!({
                "event_type": "click", "url_id": url["id"], "user_id": user, "details": {},
            }),
        };

        for field in ["event_type", "url_id", "user_id"] {
            call.requires(field).await;
        }
        call.refuses("event_type", not_texts()).await;
        call.refuses("event_type", BLANKS).await;
        call.refuses("event_type", NULS).await;
        call.refuses("event_type", [Value::Null]).await;
        call.refuses("url_id", not_ids()).await;
        call.refuses("user_id", not_ids()).await;
        call.refuses("details", not_objects()).await;
        let events = service.get("/events").await.json();
        assert_eq!(
            events.as_array().map(Vec::len),
            Some(1),
            "only the creation is logged"
        );
    }

    async fn text_of_any_script_comes_back_as_it_went_in(service: Service) {
        let user = service.create_user().await;
        for text in [
            "Zoë",
            "李小龍",
            "مرحبا",
            "👩‍👩‍👧",
            "'; drop table \"user\"; --",
            "<b>&amp;</b>",
            "%s %n {} ${x}",
            "\\",
            "a\u{301}",
            "a, \"b\"; c",
        ] {
            let url = service
                .post(
                    "/urls",
                    json!({"user_id": user, "original_url": "https://example.com/", "title": text}),
                )
                .await;
            assert_eq!(url.status, 201, "{text:?}: {}", url.text());
            let found = service.get(&format!("/urls/{}", url.json()["id"])).await;
            assert_eq!(found.json()["title"], text);
        }
    }
}
