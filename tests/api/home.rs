//! The page at `/`: a person sees what this is, and the browser is told what it may do.

use harness::on_each_database;
use harness::service::Service;
use reqwest::Method;

on_each_database! {
    async fn the_home_page_is_html(service: Service) {
        let answer = service.get("/").await;

        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let page = answer.text().to_lowercase();
        assert!(page.trim_start().starts_with("<!doctype html>"), "{page}");
        assert!(page.contains("<title>") && page.contains("lang="), "{page}");
    }

    async fn the_home_page_may_load_nothing_from_elsewhere_nor_be_framed(service: Service) {
        let answer = service.get("/").await;

        let policy = answer.header("content-security-policy").expect("a policy");
        let directive = |name: &str| {
            policy
                .split(';')
                .map(str::trim)
                .find(|directive| directive.split(' ').next() == Some(name))
        };
        assert_eq!(
            directive("default-src"),
            Some("default-src 'none'"),
            "{policy}"
        );
        assert_eq!(
            directive("frame-ancestors"),
            Some("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(directive("base-uri"), Some("base-uri 'none'"), "{policy}");
        for loophole in [
            "unsafe-inline",
            "unsafe-eval",
            "*",
            "http:",
            "https:",
            "data:",
        ] {
            assert!(!policy.contains(loophole), "{loophole} in {policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }

    async fn the_home_page_keeps_to_its_own_policy(service: Service) {
        let page = service.get("/").await.text();

        for forbidden in [
            "<script>",
            "<style>",
            " style=",
            " onclick=",
            " onload=",
            "javascript:",
            "src=\"http",
            "src=\"//",
        ] {
            assert!(!page.contains(forbidden), "{forbidden} in {page}");
        }
    }

    async fn what_the_home_page_links_to_is_there(service: Service) {
        let page = service.get("/").await.text();

        let targets = page
            .split(['"', '\''])
            .filter(|part| part.starts_with('/') && !part.starts_with("//"));
        for target in targets.filter(|target| !target.contains(['{', ' ', '<'])) {
            let answer = service.get(target).await;
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        }
    }

    async fn the_page_of_a_dead_link_is_as_careful(service: Service) {
        let request = service
            .request(Method::GET, "/nobody")
            .header("accept", "text/html");
        let answer = service.send(request).await;

        assert_eq!(answer.status, 404);
        for header in [
            "content-security-policy",
            "x-frame-options",
            "referrer-policy",
        ] {
            assert_eq!(
                answer.header(header),
                service.get("/").await.header(header),
                "{header}"
            );
            assert!(answer.header(header).is_some(), "{header}");
        }
    }

    async fn the_home_page_is_read_only(service: Service) {
        let head = service.head("/").await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(
            head.header("content-type"),
            Some("text/html; charset=utf-8")
        );

        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = service
                .send(service.request(method.parse().expect("a method"), "/"))
                .await;
            answer.assert_problem(405);
            assert!(
                answer
                    .header("allow")
                    .is_some_and(|allow| allow.contains("GET")),
                "{method}: {:?}",
                answer.headers
            );
        }
    }
}
