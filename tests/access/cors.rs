//! Pages of other sites: those that a setting names may use the API from a browser, and no others.

use harness::{
    answer::Answer,
    database::{Backend, Database},
    service::Service,
};
use reqwest::Method;

use crate::keyed::{self, ADMIN};

const APP: &str = "https://app.example.com";

async fn ask(service: &Service, method: Method, origin: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = service.request(method, "/urls").header("origin", origin);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.send(request).await
}

/// What a browser asks before it sends a change.
async fn preflight(service: &Service, origin: &str) -> Answer {
    let headers = [
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type,idempotency-key",
        ),
    ];
    ask(service, Method::OPTIONS, origin, &headers).await
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn a_named_site_may_and_others_may_not() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = keyed::builder(&database)
        .env(
            "SHORTENER_CORS_ORIGINS",
            format!("{APP},http://localhost:3000"),
        )
        .start()
        .await;

    let beforehand = preflight(&service, APP).await;
    assert_eq!((beforehand.status, allowed(&beforehand)), (200, Some(APP)));
    let headers = beforehand
        .header("access-control-allow-headers")
        .unwrap_or_default();
    for name in ["authorization", "if-match", "idempotency-key"] {
        assert!(headers.contains(name), "{headers}");
    }
    assert_eq!(beforehand.header("access-control-allow-credentials"), None);

    let key = format!("Bearer {ADMIN}");
    let answer = ask(&service, Method::GET, APP, &[("authorization", &key)]).await;
    assert_eq!((answer.status, allowed(&answer)), (200, Some(APP)));
    let exposed = answer
        .header("access-control-expose-headers")
        .unwrap_or_default();
    for name in ["etag", "link", "ratelimit", "x-total-count"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    // A page has to be able to read why it was refused.
    let answer = ask(&service, Method::GET, APP, &[]).await;
    answer.assert_problem(401);
    assert_eq!(allowed(&answer), Some(APP));

    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.com:8443",
    ] {
        assert_eq!(
            allowed(&preflight(&service, origin).await),
            None,
            "{origin}"
        );
        let answer = ask(&service, Method::GET, origin, &[("authorization", &key)]).await;
        assert_eq!(allowed(&answer), None, "{origin}");
    }
    let wrong = service
        .request(Method::PATCH, "/urls")
        .header("origin", APP);
    service.send(wrong).await.assert_problem(405);
}

#[tokio::test]
async fn without_the_setting_nobody_may() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = keyed::start(&database).await;
    let answer = preflight(&service, APP).await;
    assert_eq!((answer.status, allowed(&answer)), (405, None));
}

#[tokio::test]
async fn where_everybody_may_pages_of_other_sites_change_nothing() {
    let database = Database::fresh(Backend::Sqlite).await;
    let open = || Service::builder(&database).env("SHORTENER_AUTH", "off");
    let service = open().env("SHORTENER_CORS_ORIGINS", APP).start().await;
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    // Needs neither a body nor a header that a browser would ask about beforehand.
    let path = format!("/urls/{}/restore", url["id"]);
    let restore = async |headers: &[(&str, &str)]| {
        let mut request = service.request(Method::POST, &path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        service.send(request).await
    };

    let own = format!("http://{}", service.addr());
    for headers in [
        &[][..],
        &[("origin", own.as_str())],
        &[("origin", APP), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(restore(headers).await.status, 200, "{headers:?}");
    }
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("origin", own.as_str()), ("sec-fetch-site", "same-site")],
    ] {
        restore(headers).await.assert_problem(403);
    }
    // What a page can read, everybody who reaches the service can.
    let reading = ask(&service, Method::GET, "https://evil.example", &[]).await;
    assert_eq!((reading.status, allowed(&reading)), (200, None));
}

#[tokio::test]
async fn where_everybody_may_a_name_that_was_led_here_changes_nothing() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = Service::builder(&database)
        .env("SHORTENER_AUTH", "off")
        .env("SHORTENER_PUBLIC_HOSTS", "go.example.com")
        .start()
        .await;
    for (name, status) in [("go.example.com", 422), ("rebound.example", 403)] {
        let request = service
            .request(Method::POST, "/users")
            .header("host", name)
            .header("origin", format!("http://{name}"))
            .json(&serde_json::json!({}));
        service.send(request).await.assert_problem(status);
    }
}

#[tokio::test]
async fn where_no_key_is_asked_for_only_pages_of_this_machine_may() {
    let database = Database::fresh(Backend::Sqlite).await;
    let auto = || Service::builder(&database).env("SHORTENER_AUTH", "auto");
    for origin in [APP, "*"] {
        let failure = auto()
            .env("SHORTENER_CORS_ORIGINS", origin)
            .try_start()
            .await;
        let failure = failure.expect_err("it does not start");
        assert!(
            failure.stderr.contains("SHORTENER_CORS_ORIGINS"),
            "{failure:?}"
        );
    }
    let local = "http://localhost:3000";
    let service = auto().env("SHORTENER_CORS_ORIGINS", local).start().await;
    let answer = ask(&service, Method::GET, local, &[]).await;
    assert_eq!((answer.status, allowed(&answer)), (200, Some(local)));
    let answer = ask(&service, Method::GET, APP, &[]).await;
    answer.assert_problem(403);
    assert_eq!(allowed(&answer), None);
}
