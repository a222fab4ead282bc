//! `Idempotency-Key` over crowds, replicas and the death of the process: one URL, and one answer.

use std::{sync::Arc, time::Duration};

use harness::{
    answer::Answer,
    breakable::Breakable,
    database::{Backend, Database},
    eventually, on_each_database, on_each_postgres,
    service::Service,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

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

/// The body of the answer on this connection to a process that has ended; none if it came to no answer.
async fn answered(mut connection: TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    // A reset may follow what was sent.
    _ = connection.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).expect("an answer is a text");
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    Some(body.to_owned())
}

/// What is kept to be answered again.
async fn kept(database: &Database) -> Vec<String> {
    let kept = "select body from idempotency_key where status is not null order by created_at";
    database.texts(kept).await
}

/// Edits the URL of `answer`, so that what is answered again cannot be made of what there is.
async fn edit(service: &Service, answer: &str) {
    let url: Value = serde_json::from_str(answer).expect("a URL");
    let changed = service
        .put(&format!("/urls/{}", url["id"]), json!({"title": "edited"}))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text());
}

/// Has commits reach the disk and nobody hear of it, as those of a primary that waits for a standby. Returns when it is so.
async fn hold_commits(at: &Breakable) -> JoinSet<()> {
    at.database
        .execute("create table attempt (at timestamptz)")
        .await;
    at.database
        .execute("alter system set synchronous_standby_names = 'nobody'")
        .await;
    at.database.execute("select pg_reload_conf()").await;
    let mut other = at.database.connect().await;
    let mut trying = JoinSet::new();
    trying.spawn(async move {
        loop {
            other.execute("insert into attempt values (now())").await;
        }
    });
    held(&at.database, "insert%").await;
    trying
}

/// Waits for somebody whose commit is held.
async fn held(database: &Database, query: &str) {
    let waiting = format!(
        "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and query like '{query}'"
    );
    let is_held = async || database.integer(&waiting).await > 0;
    eventually::holds("a commit is held", PATIENCE, is_held).await;
}

async fn release_commits(at: &Breakable, mut trying: JoinSet<()>) {
    trying.abort_all();
    at.database
        .execute("alter system reset synchronous_standby_names")
        .await;
    at.database.execute("select pg_reload_conf()").await;
    let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    let are_none = async || at.database.integer(waiting).await == 0;
    eventually::holds("no commit is held", PATIENCE, are_none).await;
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

    async fn killed_between_commit_and_answer_the_repetition_gets_the_first_answer(at: Breakable) {
        let service = Service::start(&at.database).await;
        let body = body_of(service.create_user().await);
        // Nothing else is to be committed meanwhile: this waits until the log of changes is written.
        assert_eq!(service.get("/audit").await.status, 200);
        let trying = hold_commits(&at).await;

        let connection = post_and_look_away(&service, "once", &body).await;
        held(&at.database, "commit").await;
        service.kill().await;
        assert_eq!(answered(connection).await, None, "it was not answered");
        release_commits(&at, trying).await;
        let first = kept(&at.database).await;
        assert_eq!(first.len(), 1, "it was committed");

        let service = Service::start(&at.database).await;
        edit(&service, &first[0]).await;
        let again = post(&service, "once", &body).await;
        assert_eq!((again.status, again.text()), (201, first[0].clone()));
        assert_eq!((again.header("idempotency-replayed"), again.header("etag")), (Some("true"), Some("\"1\"")));
        assert_eq!(urls(&at.database).await, 1);
    }

    async fn a_refused_create_costs_no_connection(database: Database) {
        let service = Service::start(&database).await;
        let user = service.create_user().await;
        let taken = json!({"user_id": user, "original_url": "https://example.com/", "short_code": "taken"});
        assert_eq!(post(&service, "first", &taken).await.status, 201);
        // As many as there ever were, those of this test included.
        let connections = "select sessions from pg_stat_database where datname = current_database()";
        let before = database.integer(connections).await;

        let nobody = json!({"user_id": 999_999, "original_url": "https://example.com/"});
        for number in 0..20 {
            let key = format!("refused {number}");
            post(&service, &key, &taken).await.assert_problem(409);
            post(&service, &key, &nobody).await.assert_problem(404);
        }
        let opened = database.integer(connections).await - before;
        assert!(opened < 20, "{opened} connections for 40 refused creates");
    }
}

on_each_database! {
    async fn killed_after_the_commit_the_repetition_gets_the_first_answer(database: Database) {
        let mut service = Service::start(&database).await;
        let body = body_of(service.create_user().await);
        for round in 0..KILLS {
            let key = format!("round {round}");
            let connection = post_and_look_away(&service, &key, &body).await;
            let expected = i64::try_from(round).expect("few rounds") + 1;
            eventually::holds("it is committed", PATIENCE, async || urls(&database).await == expected).await;
            service.kill().await;
            let first = answered(connection).await;

            service = Service::start(&database).await;
            let kept = kept(&database).await.pop().expect("it is kept");
            edit(&service, &kept).await;
            let again = post(&service, &key, &body).await;
            assert_eq!((again.status, again.text()), (201, first.unwrap_or(kept)));
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
            assert_eq!(urls(&database).await, expected);
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
