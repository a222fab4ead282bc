//! `shortener keys`, on the database itself.

use harness::{
    database::{Backend, Database},
    on_each_database,
    process::Exit,
    service::Service,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::keyed::{self, ADMIN, Keyed, call, text};

async fn keys(database: &Database, arguments: &[&str]) -> Exit {
    let mut builder = Service::builder(database).arg("keys");
    for argument in arguments {
        builder = builder.arg(*argument);
    }
    builder.run().await
}

#[track_caller]
fn succeeded(exit: &Exit) {
    assert_eq!(exit.code, Some(0), "{exit:?}");
}

on_each_database! {
    async fn a_key_from_the_command_line_opens_the_service(database: Database) {
        // Before the first start: the command makes the tables.
        let exit = keys(&database, &["create", "--admin", "--name=mine", "--json"]).await;
        succeeded(&exit);
        let made: Value = serde_json::from_str(exit.output.trim()).unwrap();
        let key = text(&made["key"]);
        assert_eq!(made["scopes"], json!(["admin"]));

        let service = keyed::start(&database).await;
        assert_eq!(call(&service, &key, Method::GET, "/keys", None).await.status, 200);
        let user = call(&service, &key, Method::POST, "/users", Some(keyed::new_user())).await;
        let user = keyed::id(&user);
        let log = call(&service, &key, Method::GET, "/audit", None).await.json();
        assert_eq!(log[1]["actor"], "command_line", "{log}");
        assert_eq!(log[1]["route"], "keys create");
        assert_eq!(service.terminate().await.code, Some(0));

        let exit = keys(&database, &["create", "--name=hers", &format!("--user={user}"), "--scopes=read,statistics", "--expires-at=2100-01-01T00:00:00Z"]).await;
        succeeded(&exit);
        let hers = exit.output.lines().find(|line| line.starts_with("usk_")).unwrap();
        assert!(!exit.stderr.contains(hers), "the key alone is on standard output");

        let listed = keys(&database, &["list"]).await;
        succeeded(&listed);
        for clue in ["mine", "hers", "read statistics", "admin", "2100-01-01", &hers[..10]] {
            assert!(listed.output.contains(clue), "{clue}: {}", listed.output);
        }
        assert!(!listed.output.contains(&hers[10..]));

        succeeded(&keys(&database, &["revoke", "1"]).await);
        let again = keys(&database, &["revoke", "1"]).await;
        assert_eq!(again.code, Some(1), "{again:?}");
        assert!(!keys(&database, &["list"]).await.output.contains("mine"));
        let all = keys(&database, &["list", "--all", "--json"]).await;
        let all: Value = serde_json::from_str(all.output.trim()).unwrap();
        assert!(all[0]["revoked_at"].is_string() && all[1]["revoked_at"].is_null(), "{all}");

        let service = keyed::start(&database).await;
        assert_eq!(call(&service, &key, Method::GET, "/urls", None).await.status, 401);
        assert_eq!(call(&service, hers, Method::GET, "/urls", None).await.status, 200);
        assert_eq!(call(&service, hers, Method::POST, "/urls", Some(json!({}))).await.status, 403);
    }

    async fn what_makes_no_key_is_told_in_a_sentence(database: Database) {
        for (arguments, clue) in [
            (&["create", "--name=k", "--user=999999"][..], "no such user"),
            (&["create", "--name= ", "--admin"], "blank"),
            (&["create", "--name=k", "--admin", "--expires-at=yesterday"], "--expires-at"),
            (&["create", "--name=k", "--user=1", "--scopes=admin"], "admin"),
            (&["create", "--name=k"], "--user"),
            (&["revoke", "7"], "no key 7"),
        ] {
            let exit = keys(&database, arguments).await;
            assert!(exit.code.is_some_and(|code| code != 0), "{arguments:?}: {exit:?}");
            assert!(exit.stderr.contains(clue), "{arguments:?}: {}", exit.stderr);
        }
    }
}

#[tokio::test]
async fn on_sqlite_a_running_service_is_to_be_asked_instead() {
    let keyed = Keyed::fresh(Backend::Sqlite).await;
    let exit = keys(&keyed.database, &["list"]).await;
    assert_eq!(exit.code, Some(1));
    for clue in ["running service", "/api/v1/keys"] {
        assert!(exit.stderr.contains(clue), "{}", exit.stderr);
    }
    assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
}

harness::on_each_postgres! {
    async fn on_postgres_a_running_service_obeys_at_once(keyed: Keyed) {
        let exit = keys(&keyed.database, &["create", "--admin", "--name=mine"]).await;
        succeeded(&exit);
        let key = exit.output.lines().find(|line| line.starts_with("usk_")).unwrap();
        assert_eq!(keyed.get(key, "/keys").await.status, 200);
        assert_eq!(keyed.get(ADMIN, "/keys").await.status, 200);
    }
}
