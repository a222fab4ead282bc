//! Several processes on one database, and databases that are not ready yet.

use std::time::Duration;

use harness::{
    answer::Answer,
    database::Database,
    eventually,
    process::Process,
    service::{START, Service, client, ready, try_send},
};

const SOON: Duration = Duration::from_secs(10);

harness::on_each_postgres! {
    async fn two_services_that_start_at_once_agree(database: Database) {
        let services = tokio::join!(Service::start(&database), Service::start(&database));
        agree(&[services.0, services.1]).await;
    }

    async fn four_services_that_start_at_once_agree(database: Database) {
        let services = tokio::join!(
            Service::start(&database),
            Service::start(&database),
            Service::start(&database),
            Service::start(&database),
        );
        agree(&[services.0, services.1, services.2, services.3]).await;
    }

    async fn without_migrating_a_service_waits_for_its_schema(database: Database) {
        let waiting = Service::builder(&database).arg("--migrate=off").spawn();
        let answer = first_readiness(&waiting).await;
        assert_eq!(answer.status, 503, "{answer:?}");

        let exit = Service::builder(&database).arg("migrate").run().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let service = ready(waiting, SOON).await.expect("it comes up by itself");
        service.create_user().await;
    }

    async fn an_index_that_was_left_unfinished_is_built_by_the_next_migration(database: Database) {
        let exit = Service::builder(&database).arg("migrate").run().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let interrupted = "update pg_index set indisvalid = false where indexrelid = 'url_inactive_index'::regclass";
        database.execute(interrupted).await;
        let exit = Service::builder(&database).arg("migrate").run().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let unfinished = "select count(*) from pg_index where not indisvalid";
        assert_eq!(database.integer(unfinished).await, 0, "{exit:?}");
    }

    async fn an_index_of_a_large_table_is_built_behind_writers_and_holds_none_up(database: Database) {
        let exit = Service::builder(&database).arg("migrate").run().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        // As a database is that was not migrated for a while; and somebody writes, or dumps it, for long.
        database.execute("drop index url_deleted_index; delete from _sqlx_migrations where version = 9").await;
        let mut writer = database.connect().await;
        let url = "insert into url (user_id, short_code, original_url, created_at, updated_at)
                   values (1, 'a', 'https://example.com/', now(), now())";
        writer.execute("insert into app_user (username, email, created_at, updated_at) values ('a', 'a@b', now(), now())").await;
        writer.execute(&format!("begin; {url}")).await;
        let migrating = Service::builder(&database).arg("migrate").spawn();
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'
                       and query like '%create index concurrently%'";
        eventually::holds("it waits for the writer", START, async || database.integer(waiting).await > 0).await;

        database.execute(&format!("set lock_timeout = '5s'; {}", url.replace("'a'", "'b'"))).await;
        // Longer than a migration waits that holds others up.
        let since = "select count(*) from pg_stat_activity where datname = current_database() and query like '%create index concurrently%'
                     and pid <> pg_backend_pid() and now() - query_start > interval '11 s'";
        eventually::holds("it goes on waiting", START, async || database.integer(since).await > 0).await;
        writer.execute("commit").await;

        let exit = migrating.exit(START).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let built = "select count(*) from pg_index where indexrelid = 'url_deleted_index'::regclass and indisvalid";
        assert_eq!(database.integer(built).await, 1);
        writer.close().await;
    }
}

harness::on_each_database! {
    async fn a_migrated_database_needs_nothing_at_the_start(database: Database) {
        for _ in 0..2 {
            let exit = Service::builder(&database).arg("migrate").run().await;
            assert_eq!(exit.code, Some(0), "{exit:?}");
        }
        let service = Service::builder(&database).arg("--migrate=off").start().await;
        service.create_user().await;
    }
}

#[tokio::test]
async fn a_second_process_on_one_sqlite_file_is_refused() {
    let database = Database::fresh(harness::database::Backend::Sqlite).await;
    let first = Service::start(&database).await;

    let second = Service::builder(&database).try_start().await;
    let refusal = second.expect_err("two processes would not see each other's edits");
    assert_ne!(refusal.code, Some(0), "{refusal:?}");
    assert!(refusal.code.is_some(), "it ends by itself: {refusal:?}");
    assert_eq!(refusal.stderr.lines().count(), 1, "{refusal:?}");
    assert!(refusal.stderr.contains("shortener.db"), "{refusal:?}");

    first.create_user().await;
    first.kill().await;
    Service::start(&database).await.create_user().await;
}

/// What one of them stores, each of the others shows.
async fn agree(services: &[Service]) {
    for writer in services {
        let user = writer.create_user().await;
        for reader in services {
            assert_eq!(reader.get(&format!("/users/{user}")).await.status, 200);
        }
    }
}

/// What `/readyz` answers as soon as there is somebody to ask.
pub(crate) async fn first_readiness(process: &Process) -> Answer {
    let http = client();
    let ask = async || {
        let addr = process.listener("management")?;
        let readyz = http.get(format!("http://{addr}/readyz"));
        try_send(readyz).await.ok()
    };
    match eventually::try_some(START, ask).await {
        Some(answer) => answer,
        None => panic!(
            "the management listener never answered:\n{}",
            process.output()
        ),
    }
}
