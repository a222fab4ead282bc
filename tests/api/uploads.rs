//! Uploads: a bulk load is one CSV file with its columns in the form field `file`, or a refusal.

use harness::database::Database;
use harness::on_each_database;
use harness::service::Service;
use reqwest::Method;
use serde_json::json;

use crate::rows::{EVENTS, URLS, USERS, file, user};

const PATHS: [(&str, &str); 3] = [
    ("/users/bulk", USERS),
    ("/urls/bulk", URLS),
    ("/events/bulk", EVENTS),
];

const FORM: &str = "multipart/form-data; boundary=x";

/// A form with one part, up to its end.
fn form(name: &str, content: &str) -> String {
    format!(
        "--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"data.csv\"\r\n\r\n\
         {content}\r\n--x--\r\n"
    )
}

on_each_database! {
    async fn a_file_is_taken_whatever_it_is_called(service: Service) {
        let content = file(USERS, &[user(1, "a")]);
        let body = form("file", &content).replace("; filename=\"data.csv\"", "");
        let request = service.request(Method::POST, "/users/bulk");
        let answer = service
            .send(request.header("content-type", FORM).body(body))
            .await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.json()["imported"], 1);
    }

    async fn a_part_that_nobody_asked_for_is_ignored(service: Service) {
        let content = file(USERS, &[user(1, "a")]);
        let note = "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n";
        let body = format!("{note}{}", form("file", &content));
        let request = service.request(Method::POST, "/users/bulk");
        let answer = service
            .send(request.header("content-type", FORM).body(body))
            .await;

        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(service.get("/users/1").await.status, 200);
    }

    async fn a_file_without_one_of_its_columns_is_refused(service: Service) {
        for (path, header) in PATHS {
            for column in header.split(',') {
                let shorter: Vec<_> = header.split(',').filter(|name| *name != column).collect();
                let answer = service
                    .upload(path, format!("{}\n", shorter.join(",")))
                    .await;
                assert_eq!(
                    answer.status,
                    422,
                    "{path} without {column}: {}",
                    answer.text()
                );
                let problem = answer.assert_problem(422);
                assert!(
                    problem.to_string().contains(column),
                    "{path} without {column}: {problem}"
                );
            }
        }
    }

    async fn what_is_no_such_file_is_refused(service: Service) {
        for (path, _) in PATHS {
            for content in [
                "",
                "\n",
                "\u{feff}",
                "1,2,3\n",
                "{\"id\":1}",
                "\u{0}\u{0}",
                "%PDF-1.7\n",
            ] {
                let answer = service.upload(path, content).await;
                assert_eq!(answer.status, 422, "{path} {content:?}: {}", answer.text());
                answer.assert_problem(422);
            }
        }
    }

    async fn what_is_no_form_with_a_file_is_refused(service: Service) {
        for (path, header) in PATHS {
            for (media_type, body, status) in [
                (None, header.to_owned(), 415),
                (Some("text/csv"), header.to_owned(), 415),
                (Some("application/json"), "{}".to_owned(), 415),
                (
                    Some("application/x-www-form-urlencoded"),
                    "file=x".to_owned(),
                    415,
                ),
                (Some(FORM), form("attachment", header), 422),
                (Some(FORM), "--x--\r\n".to_owned(), 422),
            ] {
                let mut request = service.request(Method::POST, path).body(body);
                if let Some(media_type) = media_type {
                    request = request.header("content-type", media_type);
                }
                let answer = service.send(request).await;
                assert_eq!(
                    answer.status,
                    status,
                    "{path} {media_type:?}: {}",
                    answer.text()
                );
                answer.assert_problem(status);
            }
        }
    }

    async fn a_form_that_breaks_off_is_the_clients_fault_and_leaves_nothing(service: Service) {
        let whole = form("file", &file(USERS, &[user(1, "a")]));
        let broken_off = whole.trim_end_matches("\r\n--x--\r\n").to_owned();

        for (media_type, body) in [
            ("multipart/form-data", whole.clone()),
            ("multipart/form-data; boundary=another", whole),
            (FORM, broken_off),
            (FORM, String::new()),
        ] {
            let request = service.request(Method::POST, "/users/bulk");
            let request = request.header("content-type", media_type).body(body);
            let answer = service.send(request).await;
            let text = answer.text();
            assert!(
                matches!(answer.status, 400 | 415 | 422),
                "{media_type}: {} {text}",
                answer.status
            );
            answer.assert_problem(answer.status);
        }
        assert_eq!(service.get("/users").await.json(), json!([]));
    }

    async fn a_file_above_the_limit_is_too_large_and_leaves_nothing(database: Database) {
        let service = Service::builder(&database)
            .arg("--max-bulk-bytes=10000")
            .start()
            .await;
        let users: Vec<_> = (1..1_000)
            .map(|id| user(id, &format!("user{id}")))
            .collect();

        let answer = service.upload("/users/bulk", file(USERS, &users)).await;

        assert_eq!(answer.status, 413, "{}", answer.text());
        answer.assert_problem(413);
        assert_eq!(service.get("/users").await.json(), json!([]));
        let answer = service
            .upload("/users/bulk", file(USERS, &users[..50]))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}
