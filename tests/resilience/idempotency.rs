//! `Idempotency-Key` over crowds, replicas and the death of the process: one URL, and one answer.

use std::{sync::Arc, time::Duration};

use harness::{
    answer::Answer,
    database::{Backend, Database},
    eventually, on_each_database, on_each_postgres,
    service::Service,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

const CROWD: usize = 100;

/// How often the process is killed.
const KILLS: usize = 4;

const PATIENCE: Duration = Duration::from_secs(20);

async fn post(service: &Service, key: &str, body: &Value) -> Answer {
    let request = service
        .request(Method::POST, "/urls")
        .header("idempotency-key", key);
    service.send(request.json(body)).await
}

/// Sends a create and does not wait for its answer, which nobody reads while the connection lives.
async fn post_and_look_away(service: &Service, key: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut connection = TcpStream::connect(service.addr())
        .await
        .expect("it accepts");
    let request = format!(
        "POST /urls HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        service.addr(),
        body.len(),
    );
    connection
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    connection
}

async fn urls(database: &Database) -> i64 {
    database.integer("select count(*) from url").await
}

fn body_of(user: i64) -> Value {
    json!({"user_id": user, "original_url": "https://example.com/"})
}

on_each_postgres! {
    async fn a_hundred_creates_with_one_key_on_two_replicas_make_one_url(database: Database) {
        let services = [Service::start(&database).await, Service::start(&database).await];
        let body = body_of(services[0].create_user().await);
        let services = services.map(Arc::new);

        let mut crowd = JoinSet::new();
        for number in 0..CROWD {
            let (service, body) = (Arc::clone(&services[number % 2]), body.clone());
            crowd.spawn(async move { post(&service, "one key", &body).await });
        }
        let answers = crowd.join_all().await;

        for answer in &answers {
            assert_eq!(answer.status, 201, "{}", answer.text());
            assert_eq!(answer.text(), answers[0].text());
            assert_eq!(answer.header("etag"), answers[0].header("etag"));
        }
        assert_eq!(urls(&database).await, 1);
        let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_some());
        assert_eq!(replayed.count(), CROWD - 1);
    }

    async fn who_comes_while_another_is_at_it_is_told_to_come_back(database: Database) {
        let service = Service::start(&database).await;
        let body = body_of(service.create_user().await);
        let mut other = database.connect().await;
        // Somebody who stands still after the claim, as a frozen replica would.
        other.execute(
            "begin; insert into idempotency_key (caller, key, fingerprint, created_at)
             values ('anyone', 'slow', 'x', now())",
        ).await;

        let answer = post(&service, "slow", &body).await;
        answer.assert_problem(409);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(urls(&database).await, 0);

        other.execute("rollback").await;
        other.close().await;
        assert_eq!(post(&service, "slow", &body).await.status, 201);
    }
}

on_each_database! {
    async fn killed_between_commit_and_answer_the_repetition_gets_the_first_answer(database: Database) {
        let mut service = Service::start(&database).await;
        let body = body_of(service.create_user().await);
        for round in 0..KILLS {
            let key = format!("round {round}");
            let connection = post_and_look_away(&service, &key, &body).await;
            let expected = i64::try_from(round).expect("few rounds") + 1;
            eventually::holds("it is committed", PATIENCE, async || urls(&database).await == expected).await;
            service.kill().await;
            drop(connection);

            service = Service::start(&database).await;
            let again = post(&service, &key, &body).await;
            assert_eq!(again.status, 201, "{}", again.text());
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
            assert_eq!(urls(&database).await, expected);
            let url = again.json();
            assert_eq!(service.get(&format!("/urls/{}", url["id"])).await.json(), url);
        }
    }

    async fn killed_at_any_moment_one_url_is_made(database: Database) {
        let mut service = Service::start(&database).await;
        let body = body_of(service.create_user().await);
        for round in 0..KILLS {
            let key = format!("round {round}");
            let connection = post_and_look_away(&service, &key, &body).await;
            service.kill().await;
            drop(connection);

            service = Service::start(&database).await;
            let made = post(&service, &key, &body).await;
            assert_eq!(made.status, 201, "{}", made.text());
            assert_eq!(post(&service, &key, &body).await.text(), made.text());
            let expected = i64::try_from(round).expect("few rounds") + 1;
            assert_eq!(urls(&database).await, expected);
        }
    }

    async fn old_keys_are_forgotten(database: Database) {
        let service = Service::start(&database).await;
        let body = body_of(service.create_user().await);
        for key in ["old", "young"] {
            assert_eq!(post(&service, key, &body).await.status, 201);
        }
        drop(service);
        let long_ago = match database.backend() {
            Backend::Sqlite => "created_at - 86400000000",
            Backend::Postgres15 | Backend::Postgres18 => "created_at - interval '1 day'",
        };
        database
            .execute(&format!("update idempotency_key set created_at = {long_ago} where key = 'old'"))
            .await;

        // It is looked at the start, and every now and then.
        let service = Service::start(&database).await;
        eventually::holds("the old one is gone", PATIENCE, async || {
            database.texts("select key from idempotency_key").await == ["young"]
        })
        .await;
        let again = post(&service, "young", &body).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(post(&service, "old", &body).await.header("idempotency-replayed"), None);
        assert_eq!(urls(&database).await, 3);
    }
}
