//! Bulk loads that are refused: nothing of the file stays, and the answer says which line and why.

use harness::csv;
use harness::on_each_database;
use harness::service::Service;
use serde_json::{Value, json};

use crate::rows::{EVENTS, TIME, URLS, USERS, event, file, url, user};

/// Loads `file` and expects a refusal that names `line` and, unless it is empty, `column`.
pub(crate) async fn refused(
    service: &Service,
    path: &str,
    file: impl AsRef<[u8]>,
    status: u16,
    line: usize,
    column: &str,
) {
    let shown = String::from_utf8_lossy(file.as_ref()).into_owned();
    let shown = shown.get(..1_000).unwrap_or(&shown);
    let answer = service.upload(path, file.as_ref()).await;
    assert_eq!(answer.status, status, "{shown}: {}", answer.text());
    let problem = answer.assert_problem(status);
    let detail = problem["detail"].as_str().expect("a detail");
    let told = detail.split_once("line ").map(|(_, rest)| {
        let end = rest.find(|character: char| !character.is_ascii_digit());
        &rest[..end.unwrap_or(rest.len())]
    });
    assert_eq!(told, Some(line.to_string().as_str()), "{shown}: {problem}");
    if !column.is_empty() {
        assert!(
            detail.contains(&format!("`{column}`")),
            "{shown}: {problem}"
        );
        let errors = problem["errors"].to_string();
        assert!(errors.contains(column), "{shown}: {problem}");
    }
}

/// Three users and two URLs, with the ids and codes that the tables below count on.
pub(crate) async fn fill(service: &Service) {
    let users = file(USERS, &[user(1, "a"), user(2, "b"), user(3, "c")]);
    let urls = file(URLS, &[url(1, "first"), url(2, "second")]);
    for (path, file) in [("/users/bulk", users), ("/urls/bulk", urls)] {
        let answer = service.upload(path, file).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    }
}

pub(crate) async fn everything(service: &Service) -> Vec<Value> {
    let mut lists = Vec::new();
    for list in ["/users", "/urls", "/events"] {
        let answer = service.get(&format!("{list}?per_page=100")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        lists.push(answer.json());
    }
    lists
}

on_each_database! {
    async fn a_wrong_user_is_refused_with_line_and_column(service: Service) {
        fill(&service).await;
        let before = everything(&service).await;

        for (fields, column) in [
            (["", "x", "x@example.com", TIME], "id"),
            (["abc", "x", "x@example.com", TIME], "id"),
            (["1.5", "x", "x@example.com", TIME], "id"),
            (["0", "x", "x@example.com", TIME], "id"),
            (["-4", "x", "x@example.com", TIME], "id"),
            (["9007199254740993", "x", "x@example.com", TIME], "id"),
            (["99999999999999999999", "x", "x@example.com", TIME], "id"),
            (["11", "", "x@example.com", TIME], "username"),
            (["11", "\"  \"", "x@example.com", TIME], "username"),
            (["11", "x\u{0}y", "x@example.com", TIME], "username"),
            (["11", "x", "", TIME], "email"),
            (["11", "x", "x", TIME], "email"),
            (["11", "x", "@example.com", TIME], "email"),
            (["11", "x", "x@", TIME], "email"),
            (["11", "x", "x@example.com", ""], "created_at"),
            (["11", "x", "x@example.com", "yesterday"], "created_at"),
            (
                ["11", "x", "x@example.com", "2025-13-01 00:00:00"],
                "created_at",
            ),
            (
                ["11", "x", "x@example.com", "2025-02-29 00:00:00"],
                "created_at",
            ),
            (
                ["11", "x", "x@example.com", "2025-01-01 24:00:01"],
                "created_at",
            ),
        ] {
            let file = file(
                USERS,
                &[user(10, "good"), fields.join(","), user(12, "better")],
            );
            refused(&service, "/users/bulk", file, 422, 3, column).await;
        }
        assert_eq!(everything(&service).await, before);
    }

    async fn a_wrong_url_is_refused_with_line_and_column(service: Service) {
        fill(&service).await;
        let before = everything(&service).await;
        let web = "https://example.com/";

        for (fields, column) in [
            (["x", "1", "code", web, "T", "True", TIME, TIME], "id"),
            (["11", "", "code", web, "T", "True", TIME, TIME], "user_id"),
            (
                ["11", "True", "code", web, "T", "True", TIME, TIME],
                "user_id",
            ),
            (
                ["11", "999", "code", web, "T", "True", TIME, TIME],
                "user_id",
            ),
            (["11", "1", "", web, "T", "True", TIME, TIME], "short_code"),
            (
                ["11", "1", "a b", web, "T", "True", TIME, TIME],
                "short_code",
            ),
            (
                ["11", "1", "Metrics", web, "T", "True", TIME, TIME],
                "short_code",
            ),
            (
                ["11", "1", "code", web, "T", "maybe", TIME, TIME],
                "is_active",
            ),
            (["11", "1", "code", web, "T", "", TIME, TIME], "is_active"),
            (
                ["11", "1", "code", web, "T", "True", "never", TIME],
                "created_at",
            ),
            (
                ["11", "1", "code", web, "T", "True", TIME, ""],
                "updated_at",
            ),
        ] {
            let file = file(
                URLS,
                &[url(10, "good"), fields.join(","), url(12, "better")],
            );
            refused(&service, "/urls/bulk", file, 422, 3, column).await;
        }
        assert_eq!(everything(&service).await, before);
        service.get("/good").await.assert_problem(404);
    }

    async fn a_wrong_original_url_is_refused_with_line_and_column(service: Service) {
        fill(&service).await;
        let before = everything(&service).await;

        for original_url in [
            "",
            "example.com",
            "javascript:alert(1)",
            "ftp://example.com/",
            "http://",
            "\"https://example.com/\nb\"",
        ] {
            let bad = url(11, "bad").replace("https://example.com/11", original_url);
            let file = file(URLS, &[url(10, "good"), bad, url(12, "better")]);
            refused(&service, "/urls/bulk", file, 422, 3, "original_url").await;
        }
        assert_eq!(everything(&service).await, before);
    }

    async fn a_wrong_event_is_refused_with_line_and_column(service: Service) {
        fill(&service).await;
        let before = everything(&service).await;

        for (fields, column) in [
            (["x", "1", "1", "updated", TIME, "{}"], "id"),
            (["11", "x", "1", "updated", TIME, "{}"], "url_id"),
            (["11", "999", "1", "updated", TIME, "{}"], "url_id"),
            (["11", "1", "", "updated", TIME, "{}"], "user_id"),
            (["11", "1", "999", "updated", TIME, "{}"], "user_id"),
            (["11", "1", "1", "", TIME, "{}"], "event_type"),
            (["11", "1", "1", "\" \"", TIME, "{}"], "event_type"),
            (["11", "1", "1", "updated", "soon", "{}"], "timestamp"),
            (["11", "1", "1", "updated", TIME, "{"], "details"),
            (["11", "1", "1", "updated", TIME, "[]"], "details"),
            (["11", "1", "1", "updated", TIME, "text"], "details"),
            (
                ["11", "1", "1", "updated", TIME, "\"\"\"text\"\"\""],
                "details",
            ),
            (["11", "1", "1", "updated", TIME, "1"], "details"),
        ] {
            let file = file(EVENTS, &[event(10), fields.join(","), event(12)]);
            refused(&service, "/events/bulk", file, 422, 3, column).await;
        }
        assert_eq!(everything(&service).await, before);
    }

    async fn a_row_of_the_wrong_length_is_refused_with_its_line(service: Service) {
        for row in [
            "2,b",
            "2",
            "2,b,b@example.com,2025-01-01 00:00:00,more",
            ",,,,,,,",
        ] {
            let file = file(USERS, &[&user(1, "a"), row]);
            refused(&service, "/users/bulk", file, 422, 3, "").await;
        }
        assert_eq!(service.get("/users").await.json(), json!([]));
    }

    async fn a_row_that_is_not_utf_8_is_refused_with_its_line(service: Service) {
        let mut file = file(USERS, &[user(1, "a")]).into_bytes();
        file.extend_from_slice(b"2,\xff\xfe,b@example.com,2025-01-01 00:00:00\n");

        refused(&service, "/users/bulk", file, 422, 3, "").await;

        assert_eq!(service.get("/users").await.json(), json!([]));
    }

    async fn a_line_is_counted_as_an_editor_counts_it(service: Service) {
        fill(&service).await;
        let wrong = event(11).replace(TIME, "soon");
        // The details of this event span three lines.
        let spanning = format!("10,1,1,updated,{TIME},\"{{\n\"\"field\"\": 1\n}}\"");

        for (rows, line) in [([event(10), wrong.clone()], 3), ([spanning, wrong], 5)] {
            let unix = file(EVENTS, &rows);
            let windows = unix.replace('\n', "\r\n");
            for file in [&unix, &windows, &format!("\u{feff}{windows}")] {
                refused(&service, "/events/bulk", file, 422, line, "timestamp").await;
            }
        }
    }

    async fn the_last_row_of_a_long_file_is_checked_as_the_first(service: Service) {
        let file = csv::users(5_000) + "5001,x,wrong,2025-01-01 00:00:00\n";

        refused(&service, "/users/bulk", file, 422, 5_002, "email").await;

        let answer = service.get("/users").await;
        assert_eq!(answer.json(), json!([]));
        assert_eq!(answer.header("x-total-count"), Some("0"));
    }

    async fn a_refusal_half_way_through_a_file_harms_no_later_request(service: Service) {
        // So long that its first rows are being stored when its last one is read.
        let file = csv::users(5_000) + "5001,x,wrong,2025-01-01 00:00:00\n";

        for _ in 0..10 {
            refused(&service, "/users/bulk", &file, 422, 5_002, "email").await;
            for _ in 0..5 {
                let answer = service.get("/users").await;
                assert_eq!(
                    answer.status,
                    200,
                    "{}\n{}",
                    answer.text(),
                    service.output()
                );
            }
        }
    }

    async fn a_refused_file_does_not_keep_a_good_one_out(service: Service) {
        let bad = file(USERS, &[user(1, "a"), user(2, "b").replace('@', " at ")]);
        refused(&service, "/users/bulk", &bad, 422, 3, "email").await;

        let answer = service
            .upload("/users/bulk", bad.replace(" at ", "@"))
            .await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(service.create_user().await, 3);
    }
}
