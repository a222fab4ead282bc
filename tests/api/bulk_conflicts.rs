//! Bulk loads of what is there already: a conflict, with the line of the first row that is taken.

use harness::csv;
use harness::on_each_database;
use harness::service::Service;

use crate::bulk_refusals::{everything, fill, refused};
use crate::rows::{EVENTS, URLS, USERS, event, file, url, user};

on_each_database! {
    async fn a_value_that_stands_twice_in_a_file_is_a_conflict(service: Service) {
        fill(&service).await;
        let before = everything(&service).await;
        let same_email = user(11, "y").replace("y@", "x@");

        for (path, file, column) in [
            (
                "/users/bulk",
                file(USERS, &[user(10, "x"), user(10, "y")]),
                "id",
            ),
            (
                "/users/bulk",
                file(USERS, &[user(10, "x"), same_email]),
                "email",
            ),
            (
                "/urls/bulk",
                file(URLS, &[url(10, "x"), url(10, "y")]),
                "id",
            ),
            (
                "/urls/bulk",
                file(URLS, &[url(10, "x"), url(11, "x")]),
                "short_code",
            ),
            ("/events/bulk", file(EVENTS, &[event(10), event(10)]), "id"),
        ] {
            refused(&service, path, file, 409, 3, column).await;
        }
        assert_eq!(everything(&service).await, before);
    }

    async fn a_value_that_is_taken_already_is_a_conflict(service: Service) {
        fill(&service).await;
        let answer = service
            .upload("/events/bulk", file(EVENTS, &[event(1)]))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        service.delete("/urls/2").await;
        let before = everything(&service).await;

        for (path, file, column) in [
            (
                "/users/bulk",
                file(USERS, &[user(10, "x"), user(3, "y")]),
                "id",
            ),
            (
                "/users/bulk",
                file(USERS, &[user(10, "x"), user(11, "c")]),
                "email",
            ),
            ("/urls/bulk", file(URLS, &[url(10, "x"), url(1, "y")]), "id"),
            (
                "/urls/bulk",
                file(URLS, &[url(10, "x"), url(11, "first")]),
                "short_code",
            ),
            // The id and the code of a deleted URL stay taken.
            ("/urls/bulk", file(URLS, &[url(10, "x"), url(2, "y")]), "id"),
            (
                "/urls/bulk",
                file(URLS, &[url(10, "x"), url(11, "second")]),
                "short_code",
            ),
            ("/events/bulk", file(EVENTS, &[event(10), event(1)]), "id"),
        ] {
            refused(&service, path, file, 409, 3, column).await;
        }
        assert_eq!(everything(&service).await, before);
    }

    async fn loading_a_file_again_is_a_conflict_and_changes_nothing(service: Service) {
        let (users, urls) = (csv::users(40), csv::urls(60, 40));
        let events = csv::events(90, &urls);
        let files = [
            ("/users/bulk", users),
            ("/urls/bulk", urls),
            ("/events/bulk", events),
        ];
        for (path, file) in &files {
            assert_eq!(
                service.upload(path, file.as_str()).await.status,
                201,
                "{path}"
            );
        }
        let before = everything(&service).await;

        for (path, file) in &files {
            refused(&service, path, file, 409, 2, "").await;
        }

        assert_eq!(everything(&service).await, before);
        assert_eq!(service.create_user().await, 41);
    }
}
