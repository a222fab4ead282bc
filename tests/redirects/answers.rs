//! What a redirect says: its status, its target with the visitor's query, what `HEAD` and the preview show of it.

use harness::service::Service;
use serde_json::json;

use crate::links::{
    assert_is_kept_by_nobody, assert_leads_to, change, clicks, create, in_seconds, path, resource,
};

harness::on_each_database! {
    async fn a_redirect_has_the_status_of_its_url(service: Service) {
        let url = create(&service, "https://example.com/", json!({})).await;
        for status in [301, 302, 307, 308, 302] {
            change(&service, &url, json!({"status": status})).await;
            for path in [path(&url), format!("/urls{}/redirect", path(&url))] {
                for answer in [service.get(&path).await, service.head(&path).await] {
                    assert_eq!(answer.status, status, "{answer:?}");
                    assert_eq!(answer.header("location"), Some("https://example.com/"));
                    assert_is_kept_by_nobody(&answer);
                }
            }
        }
        let created = create(&service, "https://example.com/", json!({"status": 301})).await;
        assert_eq!(service.get(&path(&created)).await.status, 301);
    }

    async fn a_query_goes_on_to_the_target_if_its_url_says_so(service: Service) {
        for (target, query, location) in [
            ("https://example.com", "?a=b", "https://example.com/?a=b"),
            ("https://example.com/?x=1", "?a=b", "https://example.com/?x=1&a=b"),
            ("https://example.com/p#part", "?a=b", "https://example.com/p?a=b#part"),
            ("https://example.com/?x=1#part", "?a=b", "https://example.com/?x=1&a=b#part"),
            ("https://example.com/#part?no=1", "?a=b", "https://example.com/?a=b#part?no=1"),
            ("https://example.com/p", "?", "https://example.com/p"),
            ("https://example.com/p", "", "https://example.com/p"),
            ("https://example.com/?x=1#part", "?", "https://example.com/?x=1#part"),
            ("https://example.com/", "?x=%20%26&x=%C3%BC", "https://example.com/?x=%20%26&x=%C3%BC"),
            ("https://example.com/", "?a=%0d%0aevil:%201", "https://example.com/?a=%0d%0aevil:%201"),
            ("https://example.com/", "?a?b=c", "https://example.com/?a?b=c"),
        ] {
            let url = create(&service, target, json!({"forward_query": true})).await;
            // The first time and once it is remembered.
            for _ in 0..2 {
                for path in [path(&url), format!("/urls{}/redirect", path(&url))] {
                    let asked = format!("{path}{query}");
                    assert_leads_to(&service.get(&asked).await, location);
                    assert_leads_to(&service.head(&asked).await, location);
                }
            }
        }
    }

    async fn forwarding_ends_and_begins_when_it_is_told(service: Service) {
        let url = create(&service, "https://example.com/", json!({})).await;
        for is_on in [false, true, false] {
            change(&service, &url, json!({"forward_query": is_on})).await;
            let expected = if is_on { "https://example.com/?a=b" } else { "https://example.com/" };
            assert_leads_to(&service.get(&format!("{}?a=b", path(&url))).await, expected);
        }
    }

    async fn a_head_shows_where_it_leads_and_is_no_click(service: Service) {
        let url = create(&service, "https://example.com/", json!({})).await;
        for _ in 0..3 {
            let head = service.head(&path(&url)).await;
            assert_leads_to(&head, "https://example.com/");
            assert!(head.body.is_empty());
        }
        assert_eq!(clicks(&service, &url).await, 0);
        service.get(&path(&url)).await;
        assert_leads_to(&service.head(&path(&url)).await, "https://example.com/");
        assert_eq!(clicks(&service, &url).await, 1);
    }

    async fn a_preview_shows_the_target_and_is_no_click(service: Service) {
        let target = "https://example.com/a?b=c&d=e";
        let url = create(&service, target, json!({})).await;
        let preview = format!("{}+", path(&url));
        for _ in 0..2 {
            let page = service.get(&preview).await;
            assert_eq!(page.status, 200, "{page:?}");
            let media_type = page.header("content-type").unwrap_or_default();
            assert!(media_type.starts_with("text/html"), "{page:?}");
            assert_eq!(page.header("location"), None);
            assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
            assert!(page.header("cache-control").is_some_and(|value| value.contains("no-store")));
            assert!(page.text().contains("https://example.com/a?b=c&amp;d=e"), "{}", page.text());
            service.get(&path(&url)).await;
        }
        let head = service.head(&preview).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(clicks(&service, &url).await, 2, "those of the redirects");

        change(&service, &url, json!({"original_url": "https://example.com/new"})).await;
        assert!(service.get(&preview).await.text().contains("https://example.com/new"));
    }

    async fn a_preview_repeats_nothing_that_a_browser_would_run(service: Service) {
        let target = "https://example.com/?q='\"><script>alert(1)</script>&x=<img/src=x>#<script>alert(2)</script>";
        let url = create(&service, target, json!({"title": "<script>alert(3)</script>"})).await;
        let page = service.get(&format!("{}+", path(&url))).await.text();
        assert!(!page.contains("<script>alert") && !page.contains("<img/src=x"), "{page}");
    }

    async fn there_is_no_preview_of_what_does_not_lead_on(service: Service) {
        let url = create(&service, "https://example.com/secret", json!({})).await;
        let preview = format!("{}+", path(&url));
        for (fields, status) in [
            (json!({"is_active": false}), 404),
            (json!({"is_active": true, "starts_at": in_seconds(3_600)}), 404),
            (json!({"starts_at": null, "expires_at": in_seconds(-1)}), 410),
        ] {
            change(&service, &url, fields).await;
            let answer = service.get(&preview).await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert!(!answer.text().contains("secret"), "{answer:?}");
        }
        change(&service, &url, json!({"expires_at": null})).await;
        assert_eq!(service.get(&preview).await.status, 200);
        service.delete(&resource(&url)).await;
        assert_eq!(service.get(&preview).await.status, 404);
        assert_eq!(service.get("/nobody+").await.status, 404);
    }
}
