//! Private targets: no URL leads into somebody's own network, unless a setting says that it may.

use harness::database::Database;
use harness::on_each_database;
use harness::service::Service;
use serde_json::json;

use crate::rows::{URLS, file, url};

/// One of each kind; the unit tests of the rule have them all.
const PRIVATE: [&str; 16] = [
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f.1:3000/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://0.0.0.0/",
    "http://10.1.2.3/admin",
    "http://172.16.0.1/",
    "http://192.168.0.1/reboot?now=1",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/",
    "http://[fd00::1]/",
    "https://localhost:1/",
    "https://printer.local./",
    "https://intranet/",
];

on_each_database! {
    async fn a_url_into_a_private_network_is_refused_by_a_sentence_that_names_the_setting(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/urls/{}", url["id"]);

        for original_url in PRIVATE {
            let new = json!({"user_id": user, "original_url": original_url});
            let created = service.post("/urls", new).await;
            let changed = service.put(&path, json!({"original_url": original_url})).await;
            for answer in [created, changed] {
                assert_eq!(answer.status, 422, "{original_url}: {}", answer.text());
                let problem = answer.assert_problem(422);
                let reason = problem["errors"]["original_url"].as_str().unwrap_or_default();
                assert!(reason.contains("SHORTENER_PRIVATE_TARGETS"), "{original_url}: {problem}");
            }
        }
        assert_eq!(service.get("/urls").await.json(), json!([url]));
    }

    async fn a_bulk_load_is_no_way_around(service: Service) {
        service.create_user().await;
        let row = url(1, "launch").replace("https://example.com/1", "http://169.254.169.254/");

        let problem = service.upload("/urls/bulk", file(URLS, &[row])).await.assert_problem(422);

        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("line 2") && detail.contains("SHORTENER_PRIVATE_TARGETS"), "{problem}");
        assert_eq!(service.get("/urls").await.json(), json!([]));
    }

    async fn a_setting_lets_them_in_and_a_later_start_without_it_lets_them_be(database: Database) {
        let service = Service::builder(&database).env("SHORTENER_PRIVATE_TARGETS", "allow").start().await;
        let user = service.create_user().await;
        for original_url in PRIVATE {
            service.create_url(user, original_url).await;
        }
        service.terminate().await;

        let service = Service::start(&database).await;
        let urls = service.get("/urls").await.json();
        for url in urls.as_array().expect("a list") {
            let code = url["short_code"].as_str().expect("a code");
            assert_eq!(service.get(&format!("/{code}")).await.status, 302, "{url}");
            let renamed = service.put(&format!("/urls/{}", url["id"]), json!({"title": "x"})).await;
            assert_eq!(renamed.status, 200, "{}", renamed.text());
        }
    }
}
