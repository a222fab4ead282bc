//! A service that cannot run as it was told says so in one sentence, and ends.

use std::{
    fs::{self, OpenOptions},
    net::TcpListener,
};

use harness::{
    database::{Backend, Database},
    postgres::Cluster,
    service::{Service, ServiceBuilder},
};

/// Asserts that the service does not start, and that its only sentence names each of `clues`.
async fn refuses(builder: ServiceBuilder<'_>, clues: &[&str]) -> String {
    let failure = match builder.try_start().await {
        Ok(service) => panic!("it started:\n{}", service.output()),
        Err(failure) => failure,
    };
    assert!(failure.code.is_some(), "it ends by itself: {failure:#?}");
    assert_ne!(failure.code, Some(0), "{failure:#?}");

    let sentence = failure.stderr;
    assert_eq!(sentence.lines().count(), 1, "one sentence, not: {sentence}");
    for clue in clues {
        assert!(sentence.contains(clue), "no {clue:?} in: {sentence}");
    }
    sentence
}

async fn sqlite() -> Database {
    Database::fresh(Backend::Sqlite).await
}

#[tokio::test]
async fn an_address_that_is_none() {
    let database = sqlite().await;
    let service = Service::builder(&database).arg("--listen=nowhere");
    refuses(service, &["listen", "nowhere"]).await;
}

#[tokio::test]
async fn a_limit_or_a_choice_that_is_none() {
    let database = sqlite().await;
    for (flag, clues) in [
        ("--max-connections=many", ["max-connections", "many"]),
        ("--private-targets=maybe", ["private-targets", "maybe"]),
    ] {
        refuses(Service::builder(&database).arg(flag), &clues).await;
    }
}

#[tokio::test]
async fn a_port_that_somebody_else_has() {
    let database = sqlite().await;
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    for flag in ["--listen", "--management-listen"] {
        let service = Service::builder(&database).arg(format!("{flag}={taken}"));
        refuses(service, &[&taken, "in use"]).await;
    }
}

#[tokio::test]
async fn a_kind_of_database_that_nobody_knows() {
    let database = sqlite().await;
    let service = Service::builder(&database).env("DATABASE_URL", "mysql://localhost/shortener");
    refuses(service, &["DATABASE_URL", "sqlite:", "postgres:"]).await;
}

#[tokio::test]
async fn an_url_and_a_file_with_one() {
    let database = sqlite().await;
    let file = database.dir().join("url");
    fs::write(&file, database.url()).unwrap();
    let service = Service::builder(&database).env("DATABASE_URL_FILE", file.display().to_string());
    refuses(service, &["DATABASE_URL", "DATABASE_URL_FILE"]).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read() {
    let database = sqlite().await;
    let file = database.dir().join("missing").display().to_string();
    let service = Service::builder(&database)
        .env("DATABASE_URL", "")
        .env("DATABASE_URL_FILE", &file);
    refuses(service, &[&file]).await;
}

#[tokio::test]
async fn the_url_may_stand_in_a_file() {
    let database = sqlite().await;
    let file = database.dir().join("url");
    fs::write(&file, format!("{}\n", database.url())).unwrap();
    let service = Service::builder(&database)
        .env("DATABASE_URL", "")
        .env("DATABASE_URL_FILE", file.display().to_string())
        .start()
        .await;
    service.create_user().await;
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let database = sqlite().await;
    let file = database.dir().join("shortener.db");
    fs::write(
        &file,
        "not a database, and longer than its header would be. ".repeat(100),
    )
    .unwrap();

    refuses(Service::builder(&database), &["shortener.db"]).await;
    let kept = fs::read_to_string(&file).unwrap();
    assert!(
        kept.starts_with("not a database"),
        "the file is not ours to change"
    );
}

#[tokio::test]
async fn a_database_that_was_torn() {
    let database = sqlite().await;
    let service = Service::start(&database).await;
    service.create_user().await;
    let exit = service.terminate().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");

    let path = database.dir().join("shortener.db");
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length / 2).unwrap();
    refuses(Service::builder(&database), &["shortener.db"]).await;
}

#[tokio::test]
async fn a_redis_that_is_none() {
    let database = sqlite().await;
    for url in [
        "http://:guessed-wrongly@127.0.0.1:6379",
        "localhost:guessed-wrongly",
        "redis://:guessed-wrongly@",
    ] {
        let service = Service::builder(&database).env("REDIS_URL", url);
        let sentence = refuses(service, &["REDIS_URL"]).await;
        assert!(
            !sentence.contains("guessed-wrongly"),
            "it tells the password: {sentence}"
        );
    }
}

#[tokio::test]
async fn a_redis_and_a_file_with_one() {
    let database = sqlite().await;
    let file = database.dir().join("url");
    fs::write(&file, "redis://127.0.0.1").unwrap();
    let service = Service::builder(&database)
        .env("REDIS_URL", "redis://127.0.0.1")
        .env("REDIS_URL_FILE", file.display().to_string());
    refuses(service, &["REDIS_URL", "REDIS_URL_FILE"]).await;
}

#[tokio::test]
async fn an_authority_of_redis_that_cannot_be_read() {
    let database = sqlite().await;
    let (missing, wrong) = (database.dir().join("missing"), database.dir().join("wrong"));
    fs::write(&wrong, "no certificate").unwrap();
    for file in [missing, wrong] {
        let file = file.display().to_string();
        let service = Service::builder(&database)
            .env("REDIS_URL", "rediss://127.0.0.1")
            .env("SHORTENER_REDIS_CA_FILE", &file);
        refuses(service, &[&file]).await;
    }
}

#[tokio::test]
async fn a_limit_that_is_no_number() {
    let database = sqlite().await;
    for setting in [
        "cache-max-bytes",
        "stale-limit",
        "redirect-rate",
        "redirect-burst",
        "api-rate",
        "api-burst",
    ] {
        for value in ["many", "-1"] {
            let service = Service::builder(&database).arg(format!("--{setting}={value}"));
            refuses(service, &[setting, value]).await;
        }
    }
}

harness::on_each_postgres! {
    async fn a_database_that_does_not_exist(database: Database) {
        let cluster = Cluster::shared(database.backend()).await;
        let service = Service::builder(&database).env("DATABASE_URL", cluster.url("nowhere"));
        refuses(service, &["nowhere", "does not exist"]).await;
    }

    async fn a_password_that_is_wrong(database: Database) {
        let cluster = Cluster::shared(database.backend()).await;
        cluster.execute("postgres", "create role needs_password login password 'right'").await;
        let url = format!("postgres://needs_password:guessed-wrongly@{}/postgres", cluster.addr());
        let service = Service::builder(&database).env("DATABASE_URL", url);

        let sentence = refuses(service, &["password", "needs_password"]).await;
        assert!(!sentence.contains("guessed-wrongly"), "it tells the password: {sentence}");
    }
}
