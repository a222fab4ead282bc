//! The OpenAPI document: what is served is what is committed, to everybody; and the page that shows it.

use harness::on_each_database;
use harness::service::Service;
use reqwest::Method;

/// As `make generated` wrote it.
const COMMITTED: &str = include_str!("../../docs/openapi.json");

on_each_database! {
    async fn the_served_document_is_the_committed_one(service: Service) {
        for path in ["/api/v1/openapi.json", "/openapi.json"] {
            let answer = service.get(path).await;

            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.text(), COMMITTED, "{path}: run `make generated`");
        }
    }

    async fn a_page_shows_the_document(service: Service) {
        let answer = service.get("/docs").await;

        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = answer.header("content-security-policy");
        assert!(policy.is_some(), "{:?}", answer.headers);
        assert_eq!(policy, service.get("/").await.header("content-security-policy"));
    }

    async fn the_page_loads_nothing_from_elsewhere(service: Service) {
        let page = service.get("/docs").await.text();
        let mut loaded = vec!["/docs".to_owned()];
        for target in page.split('"').filter(|part| part.starts_with('/')) {
            let answer = service.get(target).await;
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            loaded.push(target.to_owned());
        }
        assert!(loaded.len() >= 4, "{loaded:?}");
        for path in loaded.iter().filter(|path| !path.ends_with(".json")) {
            let text = service.get(path).await.text();
            for elsewhere in ["http://", "https://", "src=\"//", "@import", "<script>", " onclick="] {
                assert!(!text.contains(elsewhere), "{elsewhere} in {path}");
            }
        }
    }

    async fn whoever_may_not_call_the_api_may_read_about_it(service: Service) {
        // As a proxy passes it on, whom the API would refuse.
        for path in ["/api/v1/openapi.json", "/docs", "/assets/docs.js", "/assets/docs.css"] {
            let request = service
                .request(Method::GET, path)
                .header("x-forwarded-for", "192.0.2.1");
            assert_eq!(service.send(request).await.status, 200, "{path}");
        }
    }
}
