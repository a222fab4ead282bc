//! `shortener urls`: what a person uses instead of curl.

use std::fs;

use harness::{database::Backend, on_each_database, process::Exit, service::Service};
use serde_json::{Value, json};

use crate::keyed::{ADMIN, Keyed, User, number, text};

/// A service, and a user at a terminal.
struct Terminal {
    keyed: Keyed,
    user: User,
}

impl Terminal {
    async fn fresh(backend: Backend) -> Self {
        let keyed = Keyed::fresh(backend).await;
        let user = keyed.user().await;
        Self { keyed, user }
    }

    async fn run_as(&self, key: &str, arguments: &[&str]) -> Exit {
        let mut builder = Service::builder(&self.keyed.database)
            .arg("urls")
            .env(
                "SHORTENER_URL",
                format!("http://{}", self.keyed.service.addr()),
            )
            .env("SHORTENER_KEY", key);
        for argument in arguments {
            builder = builder.arg(*argument);
        }
        builder.run().await
    }

    async fn run(&self, arguments: &[&str]) -> Exit {
        self.run_as(&self.user.key, arguments).await
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let exit = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        serde_json::from_str(&exit.output).unwrap_or_else(|error| panic!("{error}: {exit:?}"))
    }
}

#[track_caller]
fn check(exit: &Exit, code: i32, clues: &[&str]) {
    assert_eq!(exit.code, Some(code), "{exit:?}");
    // Columns are as wide as they need to be.
    let words: Vec<_> = exit.output.split_whitespace().collect();
    let text = words.join(" ");
    for clue in clues {
        assert!(text.contains(clue), "no {clue:?} in {}", exit.output);
    }
}

on_each_database! {
    async fn a_url_is_made_shown_changed_and_deleted(at: Terminal) {
        let exit = at.run(&["create", "https://example.com/a", "--code=launch", "--title=The launch"]).await;
        let short_url = format!("http://{}/launch", at.keyed.service.addr());
        check(&exit, 0, &[&short_url, "https://example.com/a", "The launch"]);
        let list = at.json(&["list"]).await;
        let id = list[0]["id"].to_string();
        assert_eq!(list[0]["user_id"], at.user.id, "it is the key's user's");

        check(&at.run(&["list"]).await, 0, &["SHORT URL", &short_url, "yes", "The launch"]);
        check(&at.run(&["show", &id]).await, 0, &[&short_url, "is active yes"]);
        assert_eq!(at.json(&["show", &id]).await, list[0]);

        assert_eq!(at.keyed.service.get("/launch").await.status, 302);
        let stats = at.json(&["stats", &id, "--bucket=month"]).await;
        assert_eq!(number(&stats["clicks"]) + number(&stats["bots"]), 1);
        check(&at.run(&["stats", &id]).await, 0, &["clicks", "visitors", "UTC"]);

        let edited = at.json(&["edit", &id, "--title=", "--active=false", "--original-url=https://example.com/b"]).await;
        assert_eq!(edited["title"], json!(null));
        assert_eq!(edited["is_active"], false);
        assert_eq!(edited["original_url"], "https://example.com/b");
        let inactive = at.json(&["list", "--active=false"]).await;
        assert_eq!(inactive, json!([edited]));
        assert_eq!(at.json(&["list", "--active=true"]).await, json!([]));

        check(&at.run(&["delete", &id]).await, 0, &["deleted"]);
        check(&at.run(&["show", &id]).await, 3, &["no such URL"]);
    }

    async fn the_options_of_a_link_are_set_and_taken_back(at: Terminal) {
        let made = at.json(&[
            "create", "https://example.com/", "--status=307", "--forward-query=true",
            "--starts-at=2026-01-01T00:00:00Z", "--expires-at=2100-01-01T00:00:00Z", "--max-clicks=3",
        ]).await;
        assert_eq!(made["status"], 307);
        assert_eq!(made["forward_query"], true);
        assert_eq!(made["starts_at"], "2026-01-01T00:00:00Z");
        assert_eq!(made["expires_at"], "2100-01-01T00:00:00Z");
        assert_eq!(made["max_clicks"], 3);
        let id = made["id"].to_string();
        let edited = at.json(&["edit", &id, "--expires-at=", "--max-clicks="]).await;
        assert!(edited["expires_at"].is_null() && edited["max_clicks"].is_null(), "{edited}");
        assert_eq!(edited["status"], 307);
        check(&at.run(&["edit", &id, "--max-clicks=many"]).await, 2, &["--max-clicks"]);
        check(&at.run(&["edit", &id, "--status=200"]).await, 5, &["status"]);
    }

    async fn urls_are_searched_for_and_all_of_them_listed(at: Terminal) {
        for number in 0..7 {
            let title = format!("--title=Number {number}");
            at.json(&["create", "https://www.example.com/", &title]).await;
        }
        let found = at.json(&["list", "--search=number 3"]).await;
        assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
        assert_eq!(found[0]["title"], "Number 3");
        let all = at.json(&["list", "--all", "--per-page=2", "--host=www.example.com"]).await;
        assert_eq!(all.as_array().unwrap().len(), 7, "{all}");
        check(&at.run(&["list", "--search=number", "--per-page=2"]).await, 0, &["Number 6", "--all"]);
        check(&at.run(&["list", "--search=number", "--page=2"]).await, 2, &["--page"]);
        check(&at.run(&["list", "--search=-"]).await, 5, &["a letter"]);
    }

    async fn failures_are_told_apart_by_exit_code(at: Terminal) {
        check(&at.run(&["show", "999999"]).await, 3, &["no such URL"]);
        check(&at.run(&["create", "nonsense"]).await, 5, &["original_url"]);
        check(&at.run(&["list", "--per-page=1000"]).await, 5, &["per_page"]);
        check(&at.run(&["edit", "1"]).await, 2, &["--title"]);
        check(&at.run(&["fly"]).await, 2, &["fly"]);
        check(&at.run_as("", &["list"]).await, 4, &["API key", "SHORTENER_KEY"]);
        check(&at.run_as("usk_0000000000000000000000000000000000000000000", &["list"]).await, 4, &["not known"]);
        check(&at.run_as("short", &["list"]).await, 2, &["SHORTENER_KEY", "32"]);
        let narrow = at.keyed.key(json!({"name": "k", "user_id": at.user.id, "scopes": ["read"]})).await;
        check(&at.run_as(&text(&narrow["key"]), &["delete", "1"]).await, 4, &["write"]);
    }

    async fn an_admin_says_whose_url_it_is(at: Terminal) {
        check(&at.run_as(ADMIN, &["create", "https://example.com/"]).await, 0, &["http://"]);
        let other = at.keyed.user().await;
        check(&at.run_as(ADMIN, &["create", "https://example.com/"]).await, 2, &["--user"]);
        let user = format!("--user={}", other.id);
        check(&at.run_as(ADMIN, &["create", "https://example.com/", &user]).await, 0, &["http://"]);
        check(&at.run_as(ADMIN, &["list", &user, "--per-page=1"]).await, 0, &["example.com"]);
        check(&at.run_as(ADMIN, &["list", "--per-page=1"]).await, 0, &["--page 2"]);
    }
}

#[tokio::test]
async fn the_key_may_stand_in_a_file() {
    let at = Terminal::fresh(Backend::Sqlite).await;
    let file = at.keyed.database.dir().join("key");
    fs::write(&file, format!("{}\n", at.user.key)).unwrap();
    let exit = Service::builder(&at.keyed.database)
        .arg("urls")
        .arg("list")
        .env(
            "SHORTENER_URL",
            format!("http://{}/", at.keyed.service.addr()),
        )
        .env("SHORTENER_KEY_FILE", file.display().to_string())
        .run()
        .await;
    check(&exit, 0, &["SHORT URL"]);
}

#[tokio::test]
async fn a_service_that_is_away_is_named() {
    let at = Terminal::fresh(Backend::Sqlite).await;
    for (address, code, clues) in [
        ("http://127.0.0.1:1", 1, ["127.0.0.1:1", "refused"]),
        ("https://127.0.0.1:1", 1, ["127.0.0.1:1", "refused"]),
        ("go.example.com", 2, ["SHORTENER_URL", "http"]),
        ("ftp://example.com", 2, ["SHORTENER_URL", "https"]),
    ] {
        let exit = Service::builder(&at.keyed.database)
            .arg("urls")
            .arg("list")
            .env("SHORTENER_URL", address)
            .run()
            .await;
        check(&exit, code, &clues);
        assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
    }
}

#[tokio::test]
async fn shells_complete_its_commands() {
    let at = Terminal::fresh(Backend::Sqlite).await;
    for shell in ["bash", "zsh", "fish"] {
        let exit = Service::builder(&at.keyed.database)
            .arg("completions")
            .arg(shell)
            .run()
            .await;
        check(&exit, 0, &["original-url", "revoke", "healthcheck"]);
    }
}
