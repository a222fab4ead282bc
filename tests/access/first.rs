//! The first admin's key: from a file, or made at the first start and left in one.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use harness::{
    database::{Backend, Database},
    on_each_database,
    service::{Service, ServiceBuilder},
};
use reqwest::Method;

use crate::keyed::{ADMIN, admin_key_file, builder, call};

/// A service that is given no key, with a data folder of its own.
fn without_file<'a>(database: &'a Database, folder: &Path) -> ServiceBuilder<'a> {
    Service::builder(database)
        .env("SHORTENER_AUTH", "keys")
        .env("SHORTENER_DATA_DIR", folder.display().to_string())
}

fn folder(database: &Database, name: &str) -> PathBuf {
    database.dir().join(name)
}

fn key_in(folder: &Path) -> String {
    fs::read_to_string(folder.join("admin-key"))
        .expect("a key was left in the folder")
        .trim_end()
        .to_owned()
}

async fn status(service: &Service, key: &str) -> u16 {
    call(service, key, Method::GET, "/keys", None).await.status
}

async fn sqlite() -> Database {
    Database::fresh(Backend::Sqlite).await
}

on_each_database! {
    async fn the_first_start_leaves_a_key_and_later_ones_keep_it(database: Database) {
        let folder = folder(&database, "data");
        let service = without_file(&database, &folder).start().await;
        let file = folder.join("admin-key");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
        let key = key_in(&folder);
        assert!(key.starts_with("usk_"));
        assert_eq!(status(&service, &key).await, 200);
        let output = service.output();
        assert!(output.contains("admin-key"), "it tells where the key is: {output}");
        assert!(!output.contains(&key[4..]), "but not the key");
        assert_eq!(service.terminate().await.code, Some(0));

        let service = without_file(&database, &folder).start().await;
        assert_eq!(key_in(&folder), key);
        assert_eq!(status(&service, &key).await, 200);
        assert_eq!(service.terminate().await.code, Some(0));

        // Whoever has put the key elsewhere may take the file away.
        fs::remove_file(&file).unwrap();
        let service = without_file(&database, &folder).start().await;
        assert!(!file.exists());
        assert_eq!(status(&service, &key).await, 200);
    }

    async fn a_start_that_was_cut_short_goes_on_with_the_file(database: Database) {
        // As if it had been killed between writing the file and storing the key.
        let folder = folder(&database, "data");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("admin-key"), format!("{ADMIN}\n")).unwrap();
        let service = without_file(&database, &folder).start().await;
        assert_eq!(status(&service, ADMIN).await, 200);
        assert_eq!(key_in(&folder), ADMIN);
    }

    async fn once_an_admin_has_a_key_none_is_made(database: Database) {
        let made = Service::builder(&database)
            .arg("keys").arg("create").arg("--admin").arg("--name=mine");
        let exit = made.run().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let folder = folder(&database, "data");
        let service = without_file(&database, &folder).start().await;
        assert!(!folder.join("admin-key").exists());
        let key = exit.output.lines().find(|line| line.starts_with("usk_")).unwrap();
        assert_eq!(status(&service, key).await, 200);
    }

    async fn another_file_at_the_next_start_is_another_key(database: Database) {
        let other = "another key of the admin, long enough";
        let service = builder(&database).start().await;
        assert_eq!(status(&service, ADMIN).await, 200);
        assert_eq!(status(&service, other).await, 401);
        admin_key_file(&database, other);
        assert_eq!(status(&service, ADMIN).await, 200, "obeyed at the next start, not before");
        assert_eq!(service.terminate().await.code, Some(0));

        let file = admin_key_file(&database, other).display().to_string();
        let service = Service::builder(&database)
            .env("SHORTENER_AUTH", "keys")
            .env("SHORTENER_ADMIN_KEY_FILE", file)
            .start()
            .await;
        assert_eq!(status(&service, other).await, 200);
        assert_eq!(status(&service, ADMIN).await, 401);
    }

    async fn with_a_file_no_key_is_made(database: Database) {
        let service = builder(&database).start().await;
        assert_eq!(status(&service, ADMIN).await, 200);
        assert_eq!(database.integer("select count(*) from api_key").await, 0);
    }
}

harness::on_each_postgres! {
    async fn replicas_that_start_at_once_make_one_key_between_them(database: Database) {
        let folders: Vec<_> = ["one", "two", "three"].map(|name| folder(&database, name)).into();
        let services = tokio::join!(
            without_file(&database, &folders[0]).start(),
            without_file(&database, &folders[1]).start(),
            without_file(&database, &folders[2]).start(),
        );
        assert_eq!(database.integer("select count(*) from api_key").await, 1);
        let with_key: Vec<_> = folders.iter().filter(|folder| folder.join("admin-key").exists()).collect();
        assert_eq!(with_key.len(), 1, "{with_key:?}");
        let key = key_in(with_key[0]);
        for service in [&services.0, &services.1, &services.2] {
            assert_eq!(status(service, &key).await, 200);
        }
    }
}

#[tokio::test]
async fn on_this_machine_alone_no_key_is_made() {
    for auth in ["auto", "off"] {
        let database = sqlite().await;
        let folder = folder(&database, "data");
        let service = without_file(&database, &folder)
            .env("SHORTENER_AUTH", auth)
            .start()
            .await;
        assert_eq!(service.get("/users").await.status, 200);
        assert!(!folder.join("admin-key").exists());
    }
}

#[tokio::test]
async fn a_key_file_that_holds_no_key_stops_the_start() {
    for (contents, clue) in [
        (Some("too short a secret".to_owned()), "32"),
        (Some(String::new()), "32"),
        (
            Some(format!("{}\n{}", "x".repeat(40), "y".repeat(40))),
            "one line",
        ),
        (None, "could not read"),
    ] {
        let database = sqlite().await;
        let file = database.dir().join("key");
        if let Some(contents) = &contents {
            fs::write(&file, contents).unwrap();
        }
        let failure = Service::builder(&database)
            .env("SHORTENER_AUTH", "keys")
            .env("SHORTENER_ADMIN_KEY_FILE", file.display().to_string())
            .try_start()
            .await
            .expect_err("it does not start");
        let sentence = &failure.stderr;
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        assert!(sentence.contains("SHORTENER_ADMIN_KEY_FILE"), "{sentence}");
        assert!(sentence.contains(clue), "{sentence}");
        if let Some(contents) = contents.filter(|contents| !contents.is_empty()) {
            assert!(!failure.output.contains(&contents), "{failure:?}");
        }
    }
}
