//! Bulk loads: CSV files in, every row kept as it was written, and life goes on after the last id.

use harness::answer::Answer;
use harness::csv;
use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

use crate::rows::{EVENTS, TIME, URLS, USERS, event, file, url, user};

/// Loads `file` and expects `rows` of it to be counted.
async fn load(service: &Service, path: &str, file: impl AsRef<[u8]>, rows: usize) {
    let answer = service.upload(path, file.as_ref()).await;
    assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    assert_eq!(answer.json()["imported"], rows, "{path}: {}", answer.text());
}

/// One user with one URL, loaded from files of one row.
async fn load_one_url(service: &Service) {
    load(service, "/users/bulk", file(USERS, &[user(1, "ada")]), 1).await;
    load(service, "/urls/bulk", file(URLS, &[url(1, "launch")]), 1).await;
}

fn rows(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().expect("an array").clone()
}

on_each_database! {
    async fn the_files_of_the_contest_are_loaded_whole(service: Service) {
        for (list, file, count) in [
            ("/users", csv::users(400), 400),
            ("/urls", csv::urls(2_000, 400), 2_000),
            ("/events", csv::events(3_422, &csv::urls(2_000, 400)), 3_422),
        ] {
            load(&service, &format!("{list}/bulk"), file, count).await;
            let answer = service.get(list).await;
            assert_eq!(
                answer.header("x-total-count"),
                Some(count.to_string().as_str()),
                "{list}"
            );
        }
    }

    async fn a_loaded_user_is_answered_as_the_file_has_it(service: Service) {
        let ada = "1,ada,ada@example.com,2025-11-02 16:29:04";
        let quoted = "7,\"Lovelace, Ada\",lovelace@example.com,2024-02-29 00:00:00";
        load(&service, "/users/bulk", file(USERS, &[ada, quoted]), 2).await;

        let expected = json!({
            "id": 1,
            "username": "ada",
            "email": "ada@example.com",
            "created_at": "2025-11-02T16:29:04Z",
        });
        assert_eq!(service.get("/users/1").await.json(), expected);
        assert_eq!(
            service.get("/users/7").await.json()["username"],
            "Lovelace, Ada"
        );
        service.get("/users/2").await.assert_problem(404);
    }

    async fn a_loaded_url_is_answered_as_the_file_has_it_and_leads_on(service: Service) {
        load(&service, "/users/bulk", csv::users(2), 2).await;
        let times = "2025-06-09 11:24:49,2025-07-15 11:30:38";
        let on = format!("3,2,OvfxQA,https://example.com/a,Road map,True,{times}");
        let off = format!("5,1,x5QfF6,http://example.com/b,,False,{times}");
        load(&service, "/urls/bulk", file(URLS, &[on, off]), 2).await;

        let url = service.get("/urls/3").await.json();
        for (member, value) in [
            ("id", json!(3)),
            ("user_id", json!(2)),
            ("short_code", json!("OvfxQA")),
            ("original_url", json!("https://example.com/a")),
            ("title", json!("Road map")),
            ("is_active", json!(true)),
            ("created_at", json!("2025-06-09T11:24:49Z")),
            ("updated_at", json!("2025-07-15T11:30:38Z")),
        ] {
            assert_eq!(url[member], value, "{member}");
        }
        assert_eq!(service.get("/urls/5").await.json()["is_active"], false);
        assert_eq!(
            service.get("/OvfxQA").await.header("location"),
            Some("https://example.com/a")
        );
        service.get("/x5QfF6").await.assert_problem(404);
    }

    async fn a_loaded_event_is_answered_as_the_file_has_it(service: Service) {
        load_one_url(&service).await;
        let details = r#""{""field"":""is_active"",""new_value"":""boosted""}""#;
        let row = format!("4,1,1,updated,2025-06-09 11:24:49,{details}");
        load(&service, "/events/bulk", file(EVENTS, &[row]), 1).await;

        let expected = json!({
            "id": 4,
            "url_id": 1,
            "user_id": 1,
            "event_type": "updated",
            "timestamp": "2025-06-09T11:24:49Z",
            "details": {"field": "is_active", "new_value": "boosted"},
        });
        assert_eq!(service.get("/events").await.json(), json!([expected]));
    }

    async fn a_load_writes_no_events_of_its_own(service: Service) {
        load(&service, "/users/bulk", csv::users(10), 10).await;
        load(&service, "/urls/bulk", csv::urls(50, 10), 50).await;

        let answer = service.get("/events").await;

        assert_eq!(answer.json(), json!([]));
        assert_eq!(answer.header("x-total-count"), Some("0"));
    }

    async fn a_loaded_deletion_is_history_and_deletes_nothing(service: Service) {
        load_one_url(&service).await;
        let row = r#"1,1,1,deleted,2025-06-09 11:24:49,"{""reason"":""expired""}""#;
        load(&service, "/events/bulk", file(EVENTS, &[row]), 1).await;

        assert_eq!(service.get("/urls/1").await.status, 200);
        assert_eq!(service.get("/launch").await.status, 302);
    }

    async fn the_next_id_follows_the_highest_one_loaded(service: Service) {
        load(&service, "/users/bulk", csv::users(40), 40).await;
        load(&service, "/urls/bulk", csv::urls(200, 40), 200).await;
        load(
            &service,
            "/events/bulk",
            csv::events(300, &csv::urls(200, 40)),
            300,
        )
        .await;

        assert_eq!(service.create_user().await, 41);
        let url = service.create_url(41, "https://example.com/").await;
        assert_eq!(url["id"], 201);
        let created = rows(&service.get("/events?url_id=201").await);
        assert_eq!(created[0]["event_type"], "created");
        assert!(created[0]["id"].as_i64() > Some(300), "{created:?}");

        service
            .get(&format!("/{}", url["short_code"].as_str().expect("a code")))
            .await;
        let click = &rows(&service.get("/events?url_id=201").await)[0];
        assert_eq!(click["event_type"], "click");
        assert!(click["id"].as_i64() > created[0]["id"].as_i64(), "{click}");
    }

    async fn the_next_id_follows_a_file_of_the_first_id_alone(service: Service) {
        load(&service, "/users/bulk", file(USERS, &[user(1, "ada")]), 1).await;
        load(&service, "/urls/bulk", file(URLS, &[url(1, "launch")]), 1).await;
        load(&service, "/events/bulk", file(EVENTS, &[event(1)]), 1).await;

        let body = json!({"username": "bob", "email": "bob@example.com"});
        let user = service.post("/users", body).await;
        assert_eq!(
            (user.status, &user.json()["id"]),
            (201, &json!(2)),
            "{}",
            user.text()
        );
        let body = json!({"user_id": 1, "original_url": "https://example.com/"});
        let url = service.post("/urls", body).await;
        assert_eq!(
            (url.status, &url.json()["id"]),
            (201, &json!(2)),
            "{}",
            url.text()
        );
        let body = json!({"event_type": "updated", "url_id": 1, "user_id": 1, "details": {}});
        let event = service.post("/events", body).await;
        assert_eq!(event.status, 201, "{}", event.text());
        assert_eq!(service.get("/launch").await.status, 302);
        assert_eq!(rows(&service.get("/events").await).len(), 4);
    }

    async fn the_next_id_follows_the_highest_one_wherever_it_stands_in_the_file(service: Service) {
        let file = file(USERS, &[user(90, "a"), user(7, "b")]);
        load(&service, "/users/bulk", file, 2).await;

        assert_eq!(service.create_user().await, 91);
    }

    async fn ids_never_move_back(service: Service) {
        load(&service, "/users/bulk", file(USERS, &[user(1_000, "a")]), 1).await;
        load(&service, "/users/bulk", file(USERS, &[user(5, "b")]), 1).await;

        assert_eq!(service.create_user().await, 1_001);
    }

    async fn the_highest_id_that_a_file_may_hold_is_two_to_the_53(service: Service) {
        let highest = 1_i64 << 53;
        load(
            &service,
            "/users/bulk",
            file(USERS, &[user(highest, "a")]),
            1,
        )
        .await;

        let found = service.get(&format!("/users/{highest}")).await;
        assert_eq!(found.json()["id"], highest);
        assert_eq!(service.create_user().await, highest + 1);
    }

    async fn a_username_may_stand_in_a_file_many_times(service: Service) {
        let same = |id| user(id, &format!("x{id}")).replace(&format!(",x{id},"), ",same,");
        let file = file(USERS, &[same(1), same(2), same(3)]);

        load(&service, "/users/bulk", file, 3).await;

        assert_eq!(service.get("/users/1").await.json()["username"], "same");
        assert_eq!(service.get("/users/3").await.json()["username"], "same");
    }

    async fn a_byte_order_mark_is_skipped(service: Service) {
        let file = format!("\u{feff}{}", file(USERS, &[user(1, "ada")]));

        load(&service, "/users/bulk", file, 1).await;

        assert_eq!(service.get("/users/1").await.json()["username"], "ada");
    }

    async fn line_ends_of_windows_are_no_part_of_the_data(service: Service) {
        let users = file(USERS, &[user(1, "ada"), user(2, "bob")]).replace('\n', "\r\n");
        load(&service, "/users/bulk", users, 2).await;
        let urls = file(URLS, &[url(1, "launch")]).replace('\n', "\r\n");
        load(&service, "/urls/bulk", urls, 1).await;

        // The last column is the one that a line end would stick to.
        let found = service.get("/urls/1").await.json();
        assert_eq!(found["updated_at"], "2025-01-01T00:00:00Z");
        assert_eq!(
            service.get("/users/2").await.json()["created_at"],
            "2025-01-01T00:00:00Z"
        );
    }

    async fn the_last_line_may_lack_its_end(service: Service) {
        load(&service, "/users/bulk", csv::users(3).trim_end(), 3).await;
    }

    async fn a_quoted_field_may_hold_commas_and_quotes_and_span_lines(service: Service) {
        load(&service, "/users/bulk", csv::users(1), 1).await;
        let row = url(1, "launch").replace("Title", "\"one, \"\"two\"\", three\"");
        load(&service, "/urls/bulk", file(URLS, &[row]), 1).await;
        let details =
            "\"{\r\n  \"\"field\"\": \"\"title\"\",\n\n  \"\"new_value\"\": \"\"x\"\"\n}\"";
        let spanning = format!("1,1,1,updated,{TIME},{details}");
        load(
            &service,
            "/events/bulk",
            file(EVENTS, &[spanning, event(2)]),
            2,
        )
        .await;

        assert_eq!(
            service.get("/urls/1").await.json()["title"],
            "one, \"two\", three"
        );
        let events = rows(&service.get("/events").await);
        assert_eq!(
            events[1]["details"],
            json!({"field": "title", "new_value": "x"})
        );
    }

    async fn columns_may_stand_in_any_order(service: Service) {
        let file = "created_at,email,id,username\n2025-01-01 00:00:00,ada@example.com,9,ada\n";
        load(&service, "/users/bulk", file, 1).await;

        let user = service.get("/users/9").await.json();
        assert_eq!(user["username"], "ada");
        assert_eq!(user["email"], "ada@example.com");
    }

    async fn a_file_of_a_header_alone_holds_no_rows(service: Service) {
        for (path, header) in [
            ("/users/bulk", USERS),
            ("/urls/bulk", URLS),
            ("/events/bulk", EVENTS),
        ] {
            load(&service, path, format!("{header}\n"), 0).await;
        }
        assert_eq!(service.create_user().await, 1);
    }

    async fn a_file_may_be_larger_than_any_json_body(service: Service) {
        let file = csv::users(25_000);
        assert!(file.len() > 1 << 20, "{} bytes are no test", file.len());

        load(&service, "/users/bulk", &file, 25_000).await;

        assert_eq!(service.create_user().await, 25_001);
    }

    async fn a_loaded_user_owns_their_email_and_a_loaded_url_its_code(service: Service) {
        load_one_url(&service).await;

        service
            .post(
                "/users",
                json!({"username": "eve", "email": "ada@example.com"}),
            )
            .await
            .assert_problem(409);
        let body =
            json!({"user_id": 1, "original_url": "https://example.com/", "short_code": "launch"});
        service.post("/urls", body).await.assert_problem(409);
    }

    async fn a_loaded_url_may_be_changed_and_deleted(service: Service) {
        load_one_url(&service).await;

        let changed = service
            .put("/urls/1", json!({"title": "Landing"}))
            .await
            .json();
        assert_eq!(changed["created_at"], "2025-01-01T00:00:00Z");
        assert_ne!(changed["updated_at"], "2025-01-01T00:00:00Z");
        assert_eq!(service.delete("/urls/1").await.status, 204);
        service.get("/launch").await.assert_problem(404);
    }

    async fn a_second_file_adds_to_the_first(service: Service) {
        load(&service, "/users/bulk", file(USERS, &[user(1, "a")]), 1).await;
        load(&service, "/users/bulk", file(USERS, &[user(2, "b")]), 1).await;

        assert_eq!(rows(&service.get("/users").await).len(), 2);
    }
}
