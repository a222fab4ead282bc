//! Health and metrics: what probes and Prometheus ask, and where the public gets no answer.

use harness::on_each_database;
use harness::service::{Service, client};
use serde_json::json;

on_each_database! {
    async fn health_is_ok(service: Service) {
        for path in ["/health", "/api/v1/health"] {
            let answer = service.get(path).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json(), json!({"status": "ok"}));

            let head = service.head(path).await;
            assert_eq!((head.status, head.body.len()), (200, 0));
        }
    }

    async fn a_running_service_lives_and_is_ready(service: Service) {
        for path in ["/livez", "/readyz"] {
            assert_eq!(service.management(path).await.status, 200, "{path}");
        }
    }

    async fn management_has_no_place_on_the_public_listener(service: Service) {
        for path in [
            "/metrics",
            "/livez",
            "/readyz",
            "/api/v1/metrics",
            "/api/v1/livez",
            "/api/v1/readyz",
        ] {
            service.get(path).await.assert_problem(404);
        }
    }

    async fn the_api_has_no_place_on_the_management_listener(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;

        for path in [
            "/users".to_owned(),
            "/urls".to_owned(),
            "/api/v1/users".to_owned(),
            format!("/{}", url["short_code"].as_str().expect("a code")),
        ] {
            assert_eq!(service.management(&path).await.status, 404, "{path}");
        }
        for path in ["/metrics", "/livez", "/readyz"] {
            let url = format!("http://{}{path}", service.management_addr());
            assert_eq!(service.send(client().post(url)).await.status, 405, "{path}");
        }
    }

    async fn metrics_are_in_the_format_that_prometheus_reads(service: Service) {
        let answer = service.management("/metrics").await;

        assert_eq!(answer.status, 200);
        assert!(
            answer
                .header("content-type")
                .is_some_and(|value| value.starts_with("text/plain; version=0.0.4")),
            "{:?}",
            answer.headers
        );
        let text = answer.text();
        let mut samples = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a name and a value");
            value
                .parse::<f64>()
                .unwrap_or_else(|_| panic!("not a number: {line}"));
            let name = series.split('{').next().expect("a name");
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| {
                    name.strip_suffix(suffix)
                        .filter(|family| text.contains(&format!("# TYPE {family} histogram")))
                })
                .unwrap_or(name);
            assert!(
                text.contains(&format!("# HELP {family} ")),
                "{name} is not explained"
            );
            assert!(
                text.contains(&format!("# TYPE {family} ")),
                "{name} has no type"
            );
            samples += 1;
        }
        assert!(samples > 0, "{text}");
        assert!(text.ends_with('\n'));
    }

    async fn metrics_tell_the_version_the_readiness_and_the_process(service: Service) {
        let text = service.management("/metrics").await.text();

        for start in [
            "shortener_build_info{version=\"",
            "shortener_ready 1",
            "process_resident_memory_bytes ",
            "process_cpu_seconds_total ",
        ] {
            assert!(
                text.lines().any(|line| line.starts_with(start)),
                "{start} is missing in {text}"
            );
        }
    }

    async fn requests_are_counted_by_kind_and_outcome(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let redirects = "shortener_http_requests_total{code=\"3xx\",route=\"redirect\"}";
        let failures = "shortener_http_requests_total{code=\"4xx\",route=\"redirect\"}";
        let before = (
            service.metric(redirects).await,
            service.metric(failures).await,
        );

        for _ in 0..3 {
            service
                .get(&format!("/{}", url["short_code"].as_str().expect("a code")))
                .await;
        }
        service.get("/nobody").await;

        let after = (
            service.metric(redirects).await,
            service.metric(failures).await,
        );
        assert_eq!(
            after,
            (
                before.0.map(|count| count + 3.0),
                before.1.map(|count| count + 1.0)
            )
        );
        assert!(
            before.0.is_some() && before.1.is_some(),
            "every series is there from the start"
        );
    }

    async fn what_clients_choose_makes_no_series_of_its_own(service: Service) {
        let user = service.create_user().await;
        let web = "https://example.com/";
        let body = json!({"user_id": user, "original_url": web, "short_code": "rarest"});
        service.post("/urls", body).await;
        service.get("/rarest").await;
        let before = service.management("/metrics").await.text().lines().count();

        for number in 0..20 {
            service.get(&format!("/rarest-{number}")).await;
            service.get(&format!("/rarest/{number}")).await;
            service
                .get(&format!("/users/{number}?rarest={number}"))
                .await;
            let method = format!("RAREST{number}").parse().expect("a method");
            service.send(service.request(method, "/users")).await;
        }

        let text = service.management("/metrics").await.text();
        assert!(!text.to_lowercase().contains("rarest"), "{text}");
        assert_eq!(text.lines().count(), before);
    }
}
