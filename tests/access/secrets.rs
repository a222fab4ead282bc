//! No key, nor anything that stands for one, is in a log, a metric or an answer.

use harness::{
    database::{Backend, Database},
    eventually, on_each_database,
    service::{START, Service, ServiceBuilder},
};
use reqwest::Method;
use serde_json::json;

use crate::keyed::{ADMIN, Keyed, builder, call, text};

/// A service that says everything it can say.
fn talkative(database: &Database) -> ServiceBuilder<'_> {
    builder(database).env("SHORTENER_LOG", "trace")
}

on_each_database! {
    async fn keys_are_never_in_the_log(database: Database) {
        let service = talkative(&database).start().await;
        let keyed = Keyed { service, database };
        let user = keyed.user().await;
        let wrong = "usk_0000000000000000000000000000000000000000000";
        let to_revoke = keyed.key(json!({"name": "k", "scopes": ["admin"]})).await;
        let revoked = text(&to_revoke["key"]);
        let mut answers = String::new();
        for key in [ADMIN, &user.key, wrong, &revoked] {
            for (method, path, body) in [
                (Method::GET, "/urls", None),
                (Method::GET, "/audit", None),
                (Method::GET, "/keys", None),
                (Method::POST, "/urls", Some(json!({"user_id": user.id, "original_url": "nonsense"}))),
                (Method::POST, "/keys", Some(json!({"name": ""}))),
                (Method::DELETE, "/keys/999999", None),
            ] {
                answers += &call(&keyed.service, key, method, path, body).await.text();
            }
        }
        keyed.delete(ADMIN, &format!("/keys/{}", to_revoke["id"])).await;
        answers += &keyed.get(&revoked, "/urls").await.text();
        answers += &keyed.service.management("/metrics").await.text();

        let address = keyed.service.addr();
        let listed = Service::builder(&keyed.database)
            .arg("urls").arg("list")
            .env("SHORTENER_URL", format!("http://{address}"))
            .env("SHORTENER_KEY", wrong)
            .run()
            .await;
        answers += &listed.output;

        let hashes = keyed.database.texts(match keyed.database.backend() {
            Backend::Sqlite => "select lower(hex(hash)) from api_key",
            _ => "select encode(hash, 'hex') from api_key",
        }).await;
        let secret = keyed.database.texts(match keyed.database.backend() {
            Backend::Sqlite => "select lower(hex(secret)) from api_key_secret",
            _ => "select encode(secret, 'hex') from api_key_secret",
        }).await;
        assert_eq!(keyed.service.count(DROPPED).await, 0, "of what it said, all was heard");
        let exit = keyed.service.terminate().await;
        assert_eq!(exit.code, Some(0));
        assert!(exit.output.contains("TRACE"), "it said everything: {}", exit.output.len());
        for text in [&exit.output, &answers] {
            let text = text.to_lowercase();
            // Not even the half of one.
            for key in [ADMIN, &user.key[10..], &wrong[10..], &revoked[10..]] {
                assert!(!text.contains(&key[..key.len() / 2].to_lowercase()), "{key}");
            }
            for hash in hashes.iter().chain(&secret) {
                assert!(!text.contains(&hash[..16]), "{hash}");
            }
        }
        assert!(!exit.output.to_lowercase().contains("bearer"), "no header of a request");
    }
}

const DROPPED: &str = "shortener_log_lines_dropped_total";

/// Part of every secret below, and of nothing else.
const SECRET: &str = "s3cr3t-0f-th3-t3sts";

/// A builder that is given a secret in every variable that takes one.
fn with_secrets(database: &Database) -> ServiceBuilder<'_> {
    Service::builder(database)
        .env("SHORTENER_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .env("REDIS_URL", format!("redis://name:{SECRET}@127.0.0.1:1/0"))
        .env("SHORTENER_KEY", SECRET)
        .env("SHORTENER_URL", "http://127.0.0.1:1")
}

fn tells_nothing(what: &str, text: &str) {
    // Not even a part of it, nor in another letter case.
    let text = text.to_lowercase();
    for part in [&SECRET[..10], &SECRET[9..]] {
        assert!(!text.contains(part), "{what} tells a secret:\n{text}");
    }
}

#[tokio::test]
async fn no_command_tells_the_secrets_in_its_environment() {
    let database = Database::fresh(Backend::Sqlite).await;
    let postgres = format!("postgres://name:{SECRET}@127.0.0.1:1/shortener");
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["migrate", "--help"],
        &["keys", "create", "--help"],
        &["urls", "list", "--help"],
        &["settings"],
        &["routes"],
        &["completions", "bash"],
        &["healthcheck"],
        &["--no-such-flag"],
        &["--listen=nowhere"],
        &["--database-wait-seconds=0"],
        &["migrate", "--database-wait-seconds=0"],
        &["keys", "list"],
        &["urls", "list"],
    ] {
        for url in [
            postgres.as_str(),
            &postgres.replace("postgres:", "mysql:"),
            SECRET,
        ] {
            let mut builder = with_secrets(&database)
                .env("DATABASE_URL", url)
                .env("DATABASE_SESSION_URL", url)
                .env("SHORTENER_DATABASE_WAIT_SECONDS", "1");
            for argument in arguments {
                builder = builder.arg(*argument);
            }
            let exit = builder.spawn().exit(2 * START).await;
            tells_nothing(&format!("{arguments:?}"), &exit.output);
        }
    }
}

#[tokio::test]
async fn a_service_that_says_everything_tells_no_password_of_what_it_cannot_reach() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = with_secrets(&database).start().await;
    eventually::holds("it has tried Redis", START, async || {
        service.output().to_lowercase().contains("redis")
    })
    .await;
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    let code = url["short_code"].as_str().expect("a code").to_owned();
    for path in [
        "/health",
        "/urls",
        "/no/such/route",
        "/users/x",
        &format!("/{code}"),
    ] {
        let request = service
            .request(Method::GET, path)
            .header("authorization", format!("Basic {SECRET}"))
            .header("cookie", format!("session={SECRET}"))
            .header("proxy-authorization", format!("Bearer {SECRET}"));
        let answer = service.send(request).await;
        tells_nothing(path, &format!("{:?} {}", answer.headers, answer.text()));
    }
    tells_nothing("/metrics", &service.management("/metrics").await.text());
    tells_nothing("/readyz", &service.management("/readyz").await.text());
    let arguments = std::fs::read(format!("/proc/{}/cmdline", service.pid()));
    let arguments = arguments.expect("the process runs");
    tells_nothing(
        "the list of processes",
        &String::from_utf8_lossy(&arguments),
    );
    assert_eq!(
        service.count(DROPPED).await,
        0,
        "of what it said, all was heard"
    );
    let exit = service.terminate().await;
    assert!(exit.output.contains("TRACE"), "it said everything");
    tells_nothing("the log", &exit.output);
}
