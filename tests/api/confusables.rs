//! Confusables: a URL whose host can be taken for another is made, and its answers say so.

use harness::{on_each_database, service::Service};
use serde_json::json;

on_each_database! {
    async fn a_host_that_looks_like_another_is_told_in_every_answer(service: Service) {
        let user = service.create_user().await;
        for (host, code) in [
            ("аpple.com", "mixed_scripts"),
            ("xn--pple-43d.com", "mixed_scripts"),
            ("аррӏе.com", "looks_latin"),
            ("ɡoogle.com", "uncommon_characters"),
        ] {
            let url = service.create_url(user, &format!("https://{host}/")).await;
            let warnings = url["warnings"].as_array().expect("a list");
            assert_eq!(warnings.len(), 1, "{url}");
            assert_eq!(warnings[0]["code"], code, "{url}");
            let detail = warnings[0]["detail"].as_str().unwrap_or_default();
            assert!(detail.contains("xn--") && detail.is_ascii(), "{url}");

            let path = format!("/urls/{}", url["id"]);
            assert_eq!(service.get(&path).await.json(), url);
            let renamed = service.put(&path, json!({"title": "x"})).await.json();
            assert_eq!(renamed["warnings"], url["warnings"]);
            let moved = service.put(&path, json!({"original_url": "https://apple.com/"})).await;
            assert_eq!(moved.json()["warnings"], json!([]));
            let back = service.put(&path, json!({"original_url": format!("https://{host}/")})).await;
            assert_eq!(back.json()["warnings"], url["warnings"]);
        }
        let listed = service.get("/urls").await.json();
        let listed = listed.as_array().expect("a list");
        assert!(listed.iter().all(|url| url["warnings"][0]["code"].is_string()), "{listed:?}");
    }

    async fn a_name_in_a_script_of_its_own_is_told_nothing_of(service: Service) {
        let user = service.create_user().await;
        for host in ["example.com", "例え.jp", "münchen.de", "xn--r8jz45g.jp", "192.0.2.1"] {
            let url = service.create_url(user, &format!("https://{host}/")).await;
            assert_eq!(url["warnings"], json!([]), "{url}");
        }
    }
}
