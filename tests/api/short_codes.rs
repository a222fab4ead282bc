//! Short codes: how they are made up, which may be chosen, and that nobody gets a used one.

use std::collections::HashSet;

use harness::answer::Answer;
use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

/// Words that are, or may become, the first segment of a path of the service.
const RESERVED: [&str; 24] = [
    "api",
    "users",
    "urls",
    "events",
    "health",
    "metrics",
    "dashboard",
    "login",
    "logout",
    "static",
    "assets",
    "docs",
    "openapi",
    "robots",
    "favicon",
    "well-known",
    "qr",
    "domains",
    "tags",
    "keys",
    "webhooks",
    "URLS",
    "Health",
    "mEtRiCs",
];

async fn claim(service: &Service, user: i64, short_code: impl Into<Value>) -> Answer {
    let short_code = short_code.into();
    service
        .post(
            "/urls",
            json!({
                "user_id": user, "original_url": "https://example.com/", "short_code": short_code,
            }),
        )
        .await
}

on_each_database! {
    async fn a_generated_code_is_six_letters_and_digits(service: Service) {
        let user = service.create_user().await;

        let mut codes = HashSet::new();
        for _ in 0..64 {
            let url = service.create_url(user, "https://example.com/").await;
            let code = url["short_code"].as_str().expect("a code").to_owned();
            assert_eq!(code.len(), 6, "{code}");
            assert!(
                code.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{code}"
            );
            codes.insert(code);
        }
        assert_eq!(codes.len(), 64, "no code is given out twice");
    }

    async fn generated_codes_cannot_be_guessed_from_their_neighbours(service: Service) {
        let user = service.create_user().await;

        // A counter, however it is written down, leaves most places of neighbouring codes alone.
        let mut seen = vec![HashSet::new(); 6];
        for _ in 0..64 {
            let url = service.create_url(user, "https://example.com/").await;
            for (place, byte) in url["short_code"]
                .as_str()
                .expect("a code")
                .bytes()
                .enumerate()
            {
                seen[place].insert(byte);
            }
        }

        for (place, bytes) in seen.iter().enumerate() {
            assert!(bytes.len() > 16, "place {place} has only {bytes:?}");
        }
    }

    async fn a_chosen_code_is_kept_and_leads_on(service: Service) {
        let user = service.create_user().await;
        let longest = "x".repeat(64);

        for code in [
            "a",
            "7",
            "launch",
            "Launch-2026",
            "_",
            "-",
            "a_b-C",
            "usersX",
            "api2",
            longest.as_str(),
        ] {
            let answer = claim(&service, user, code).await;
            assert_eq!(answer.status, 201, "{code}: {}", answer.text());
            assert_eq!(answer.json()["short_code"], code);
            assert_eq!(service.get(&format!("/{code}")).await.status, 302, "{code}");
            assert_eq!(
                service.get(&format!("/urls/{code}/redirect")).await.status,
                302,
                "{code}"
            );
        }
    }

    async fn a_code_of_digits_is_not_taken_for_an_id(service: Service) {
        let user = service.create_user().await;
        let first = service.create_url(user, "https://example.com/first").await;
        let digits = first["id"].to_string();

        let web = "https://example.com/digits";
        let body = json!({"user_id": user, "original_url": web, "short_code": digits});
        let answer = service.post("/urls", body).await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        for path in [format!("/{digits}"), format!("/urls/{digits}/redirect")] {
            assert_eq!(
                service.get(&path).await.header("location"),
                Some(web),
                "{path}"
            );
        }
        assert_eq!(service.get(&format!("/urls/{digits}")).await.json(), first);
    }

    async fn the_case_of_a_code_matters(service: Service) {
        let user = service.create_user().await;

        assert_eq!(claim(&service, user, "launch").await.status, 201);
        service.get("/Launch").await.assert_problem(404);
        assert_eq!(claim(&service, user, "Launch").await.status, 201);
    }

    async fn a_code_of_null_is_the_same_as_none(service: Service) {
        let user = service.create_user().await;

        let answer = claim(&service, user, Value::Null).await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.json()["short_code"].as_str().map(str::len), Some(6));
    }

    async fn a_code_that_cannot_be_one_is_refused(service: Service) {
        let user = service.create_user().await;
        let too_long = "x".repeat(65);

        for code in [
            "",
            " ",
            "a b",
            " a",
            "a ",
            "a\n",
            "a/b",
            "a.b",
            "a+b",
            "a?b",
            "a#b",
            "a%62",
            "ä",
            "😀",
            "a\u{0}",
            "..",
            "<a>",
            too_long.as_str(),
        ] {
            let problem = claim(&service, user, code).await.assert_problem(422);
            assert!(
                problem["errors"]["short_code"].is_string(),
                "{code:?}: {problem}"
            );
        }
        for code in [
            json!(1),
            json!(1.5),
            json!(true),
            json!([]),
            json!(["a"]),
            json!({}),
        ] {
            let problem = claim(&service, user, code.clone())
                .await
                .assert_problem(422);
            assert!(
                problem["errors"]["short_code"].is_string(),
                "{code}: {problem}"
            );
        }
        assert_eq!(service.get("/urls").await.json(), json!([]));
    }

    async fn a_reserved_word_is_nobodys_code(service: Service) {
        let user = service.create_user().await;

        for word in RESERVED {
            let problem = claim(&service, user, word).await.assert_problem(422);
            assert!(
                problem["errors"]["short_code"].is_string(),
                "{word}: {problem}"
            );
        }
    }

    async fn a_taken_code_is_a_conflict_for_everybody(service: Service) {
        let (ada, bob) = (service.create_user().await, service.create_user().await);
        let first = claim(&service, ada, "launch").await.json();

        claim(&service, ada, "launch").await.assert_problem(409);
        claim(&service, bob, "launch").await.assert_problem(409);

        assert_eq!(service.get("/urls").await.json(), json!([first]));
    }

    async fn a_generated_code_cannot_be_claimed(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        claim(&service, user, url["short_code"].clone())
            .await
            .assert_problem(409);
    }

    async fn the_code_of_a_url_that_is_switched_off_stays_taken(service: Service) {
        let user = service.create_user().await;
        let url = claim(&service, user, "launch").await.json();
        service
            .put(&format!("/urls/{}", url["id"]), json!({"is_active": false}))
            .await;

        claim(&service, user, "launch").await.assert_problem(409);
    }

    async fn the_code_of_a_deleted_url_stays_taken(service: Service) {
        let (ada, bob) = (service.create_user().await, service.create_user().await);
        let first = claim(&service, ada, "launch").await.json();
        claim(&service, bob, "start").await;
        service.delete(&format!("/urls/{}", first["id"])).await;
        service.delete(&format!("/users/{bob}")).await;

        for code in ["launch", "start"] {
            claim(&service, ada, code).await.assert_problem(409);
            service.get(&format!("/{code}")).await.assert_problem(404);
        }
    }

    async fn a_code_is_not_changed_later(service: Service) {
        let user = service.create_user().await;
        let url = claim(&service, user, "launch").await.json();
        let path = format!("/urls/{}", url["id"]);

        service
            .put(&path, json!({"short_code": "landing"}))
            .await
            .assert_problem(422);
        let answer = service
            .put(&path, json!({"short_code": "landing", "title": "x"}))
            .await;

        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["short_code"], "launch");
        assert_eq!(service.get("/launch").await.status, 302);
        service.get("/landing").await.assert_problem(404);
    }
}
