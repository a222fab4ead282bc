//! Versions: one API at the root and under `/api/v1`, and short codes at the root alone.

use harness::csv;
use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

const V1: &str = "/api/v1";

/// What two answers must have in common: all but the id of the request.
async fn same_at_both(service: &Service, method: &str, path: &str, status: u16) {
    let mut answers = Vec::new();
    for prefix in ["", V1] {
        let request = service.request(
            method.parse().expect("a method"),
            &format!("{prefix}{path}"),
        );
        let answer = service.send(request).await;
        assert_eq!(
            answer.status,
            status,
            "{method} {prefix}{path}: {}",
            answer.text()
        );
        answers.push(answer);
    }
    let [root, v1] = &answers[..] else {
        unreachable!("two prefixes give two answers")
    };
    assert_eq!(root.text(), v1.text(), "{method} {path}");
    for header in [
        "content-type",
        "location",
        "cache-control",
        "allow",
        "x-total-count",
    ] {
        assert_eq!(
            root.header(header),
            v1.header(header),
            "{header} of {method} {path}"
        );
    }
}

on_each_database! {
    async fn what_is_read_is_the_same_at_the_root_and_under_v1(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let code = url["short_code"].as_str().expect("a code");

        for (method, path, status) in [
            ("GET", "/health".to_owned(), 200),
            ("GET", "/users".to_owned(), 200),
            ("GET", format!("/users/{user}"), 200),
            ("GET", "/urls".to_owned(), 200),
            ("GET", format!("/urls/{}", url["id"]), 200),
            ("GET", "/events".to_owned(), 200),
            ("GET", "/users/999999".to_owned(), 404),
            ("GET", "/urls/999999".to_owned(), 404),
            ("DELETE", "/urls/999999".to_owned(), 404),
            ("GET", "/urls?page=0".to_owned(), 422),
            ("GET", "/urls/nobody/redirect".to_owned(), 404),
            ("HEAD", format!("/urls/{code}/redirect"), 302),
            ("GET", format!("/urls/{code}/redirect"), 302),
            ("PATCH", "/users".to_owned(), 405),
            ("PATCH", format!("/urls/{}", url["id"]), 415),
            ("PATCH", "/urls".to_owned(), 405),
            ("PUT", "/events".to_owned(), 405),
            ("POST", "/health".to_owned(), 405),
            ("POST", "/users".to_owned(), 415),
            ("POST", "/urls".to_owned(), 415),
            ("POST", "/events".to_owned(), 415),
            ("PUT", format!("/users/{user}"), 415),
            ("PUT", format!("/urls/{}", url["id"]), 415),
            ("POST", "/users/bulk".to_owned(), 415),
            ("POST", "/urls/bulk".to_owned(), 415),
            ("POST", "/events/bulk".to_owned(), 415),
            ("GET", "/users/1/2/3".to_owned(), 404),
        ] {
            same_at_both(&service, method, &path, status).await;
        }
    }

    async fn what_is_made_under_one_is_seen_under_the_other(service: Service) {
        for (here, there) in [("", V1), (V1, "")] {
            let ada = json!({"username": "ada", "email": format!("ada{}@example.com", here.len())});
            let user = service.post(&format!("{here}/users"), ada).await.json();
            let user_path = format!("/users/{}", user["id"]);
            assert_eq!(
                service.get(&format!("{there}{user_path}")).await.json(),
                user
            );

            let body = json!({"user_id": user["id"], "original_url": "https://example.com/"});
            let url = service.post(&format!("{here}/urls"), body).await.json();
            let url_path = format!("/urls/{}", url["id"]);
            assert_eq!(service.get(&format!("{there}{url_path}")).await.json(), url);

            let body = json!({
                "event_type": "click", "url_id": url["id"], "user_id": user["id"], "details": {},
            });
            let event = service.post(&format!("{here}/events"), body).await.json();
            assert_eq!(
                service.get(&format!("{there}/events")).await.json()[0],
                event
            );
        }
        assert_eq!(
            service.get("/users").await.json().as_array().map(Vec::len),
            Some(2)
        );
        assert_eq!(
            service.get("/urls").await.json().as_array().map(Vec::len),
            Some(2)
        );
    }

    async fn what_is_changed_or_deleted_under_one_is_so_under_the_other(service: Service) {
        for (here, there) in [("", V1), (V1, "")] {
            let user = service.create_user().await;
            let url = service.create_url(user, "https://example.com/").await;
            let (user, url) = (format!("/users/{user}"), format!("/urls/{}", url["id"]));

            let answer = service
                .put(&format!("{here}{url}"), json!({"title": "x"}))
                .await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(
                service.get(&format!("{there}{url}")).await.json()["title"],
                "x"
            );
            let answer = service
                .put(&format!("{here}{user}"), json!({"username": "x"}))
                .await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(
                service.get(&format!("{there}{user}")).await.json()["username"],
                "x"
            );

            for path in [url, user] {
                assert_eq!(service.delete(&format!("{here}{path}")).await.status, 204);
                service
                    .get(&format!("{there}{path}"))
                    .await
                    .assert_problem(404);
            }
        }
    }

    async fn files_are_loaded_under_v1_too(service: Service) {
        for (path, file, rows) in [
            ("/users/bulk", csv::users(10), 10),
            ("/urls/bulk", csv::urls(20, 10), 20),
            ("/events/bulk", csv::events(30, &csv::urls(20, 10)), 30),
        ] {
            let answer = service
                .upload(&format!("{V1}{path}"), file.as_bytes())
                .await;
            assert_eq!(answer.status, 201, "{path}: {}", answer.text());
            assert_eq!(answer.json()["imported"], rows, "{path}");
        }
        assert_eq!(service.get("/users/10").await.status, 200);
    }

    async fn the_links_of_a_list_stay_under_their_version(service: Service) {
        for _ in 0..3 {
            service.create_user().await;
        }

        for (path, start) in [
            ("/users?per_page=1", "/users?"),
            ("/api/v1/users?per_page=1", "/api/v1/users?"),
        ] {
            let answer = service.get(path).await;
            let link = answer.header("link").expect("a link to the next page");
            let target = link
                .split(['<', '>'])
                .nth(1)
                .expect("a link stands in angle brackets");
            let target = target
                .strip_prefix(&format!("http://{}", service.addr()))
                .unwrap_or(target);
            assert!(target.starts_with(start), "{path}: {link}");
        }
    }

    async fn a_short_code_is_at_the_root_alone(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let code = url["short_code"].as_str().expect("a code");

        assert_eq!(service.get(&format!("/{code}")).await.status, 302);
        service
            .get(&format!("{V1}/{code}"))
            .await
            .assert_problem(404);
        assert_eq!(service.head(&format!("{V1}/{code}")).await.status, 404);
        let clicks = service.get("/events?event_type=click").await.json();
        assert_eq!(clicks.as_array().map(Vec::len), Some(1), "{clicks}");
    }

    async fn there_is_no_other_version(service: Service) {
        for path in [
            "/api/v0/users",
            "/api/v2/users",
            "/api/users",
            "/v1/users",
            "/api/v1/api/v1/users",
            "/API/V1/users",
        ] {
            let problem = service.get(path).await.assert_problem(404);
            assert_ne!(problem["detail"], Value::Null, "{path}");
        }
    }
}
