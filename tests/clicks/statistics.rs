//! `/urls/{id}/stats` and `/stats`: who is counted, what is refused, and where the numbers come from.

use harness::service::Service;
use reqwest::Method;
use serde_json::{Value, json};

use crate::visitors::{path, some_urls};

pub(crate) const FIREFOX: &str =
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// A click with these headers.
pub(crate) async fn click(service: &Service, link: &str, headers: &[(&str, &str)]) {
    let mut request = service.request(Method::GET, link);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = service.send(request).await;
    assert_eq!(answer.status, 302, "{answer:?}");
}

pub(crate) async fn stats_of(service: &Service, url: &Value, query: &str) -> Value {
    let answer = service
        .get(&format!("/urls/{}/stats{query}", url["id"]))
        .await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

pub(crate) async fn stats_of_all(service: &Service, query: &str) -> Value {
    let answer = service.get(&format!("/stats{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

harness::on_each_database! {
    async fn a_url_that_nobody_followed_has_statistics_of_nothing(service: Service) {
        let urls = some_urls(&service).await;
        for stats in [stats_of(&service, &urls[0], "").await, stats_of_all(&service, "").await] {
            for number in ["clicks", "bots", "unique_visitors"] {
                assert_eq!(stats[number], 0, "{stats}");
            }
            for shares in ["referrers", "countries", "browsers", "operating_systems", "devices"] {
                assert_eq!(stats[shares], json!([]), "{shares}: {stats}");
            }
            let series = stats["series"].as_array().unwrap();
            assert!((30..=32).contains(&series.len()), "the last 30 days: {series:?}");
        }
    }

    async fn people_count_and_machines_count_apart(service: Service) {
        let urls = some_urls(&service).await;
        let link = path(&urls[0]);
        let machines = [
            [("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), ("accept", "*/*")],
            [("user-agent", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"), ("accept", "*/*")],
            [("user-agent", "curl/8.14.1"), ("accept", "*/*")],
            [("user-agent", FIREFOX), ("sec-purpose", "prefetch")],
            [("user-agent", FIREFOX), ("sec-purpose", "prefetch;prerender")],
            [("user-agent", FIREFOX), ("purpose", "preview")],
        ];
        for headers in machines {
            click(&service, &link, &headers).await;
        }
        click(&service, &link, &[]).await;
        for _ in 0..3 {
            click(&service, &link, &[("user-agent", FIREFOX)]).await;
        }

        let stats = stats_of(&service, &urls[0], "").await;
        assert_eq!(stats["clicks"], 3, "{stats}");
        assert_eq!(stats["bots"], 7, "who sends no user agent is no person: {stats}");
        assert_eq!(stats["unique_visitors"], 1, "{stats}");
        assert_eq!(stats["browsers"], json!([{"value": "Firefox", "clicks": 3}]), "{stats}");
        let events = service.get("/events?event_type=click&per_page=100").await.json();
        assert_eq!(events.as_array().unwrap().len(), 10, "the log has them all: {events}");
    }

    async fn a_head_and_a_link_that_is_not_there_are_no_clicks(service: Service) {
        let urls = some_urls(&service).await;
        assert_eq!(service.head(&path(&urls[0])).await.status, 302);
        assert_eq!(service.get("/nothing-here").await.status, 404);
        let off = json!({"is_active": false});
        assert_eq!(service.put(&format!("/urls/{}", urls[1]["id"]), off).await.status, 200);
        let inactive = service.get(&path(&urls[1])).await.status;
        assert!(inactive == 404 || inactive == 410, "{inactive}");

        let stats = stats_of_all(&service, "").await;
        assert_eq!((&stats["clicks"], &stats["bots"]), (&json!(0), &json!(0)), "{stats}");
        assert_eq!(service.get("/events?event_type=click").await.json(), json!([]));
    }

    async fn both_ways_to_a_redirect_are_clicks(service: Service) {
        let urls = some_urls(&service).await;
        click(&service, &path(&urls[0]), &[("user-agent", FIREFOX)]).await;
        let long_way = format!("/urls{}/redirect", path(&urls[0]));
        click(&service, &long_way, &[("user-agent", FIREFOX)]).await;
        assert_eq!(stats_of(&service, &urls[0], "").await["clicks"], 2);
    }

    async fn the_whole_is_the_sum_of_its_urls(service: Service) {
        let urls = some_urls(&service).await;
        for (url, clicks) in urls.iter().zip([5, 3, 0]) {
            for _ in 0..clicks {
                click(&service, &path(url), &[("user-agent", FIREFOX), ("referer", "https://a.example/x")]).await;
                click(&service, &path(url), &[("user-agent", "curl/8")]).await;
            }
        }
        let all = stats_of_all(&service, "").await;
        for number in ["clicks", "bots"] {
            let mut sum = 0;
            for url in &urls {
                sum += stats_of(&service, url, "").await[number].as_u64().unwrap();
            }
            assert_eq!(all[number], sum, "{number}");
            let series = all["series"].as_array().unwrap();
            let points: u64 = series.iter().map(|point| point[number].as_u64().unwrap()).sum();
            assert_eq!(points, sum, "the series adds up as well");
        }
        assert_eq!(all["referrers"], json!([{"value": "a.example", "clicks": 8}]));
    }

    async fn an_unknown_url_has_no_statistics(service: Service) {
        service.get("/urls/999999/stats").await.assert_problem(404);
        let urls = some_urls(&service).await;
        let id = &urls[0]["id"];
        click(&service, &path(&urls[0]), &[("user-agent", FIREFOX)]).await;
        assert!(service.delete(&format!("/urls/{id}")).await.status < 300);
        service.get(&format!("/urls/{id}/stats")).await.assert_problem(404);
        assert_eq!(stats_of_all(&service, "").await["clicks"], 1, "the whole keeps what was");
    }

    async fn parameters_that_make_no_sense_are_refused(service: Service) {
        let urls = some_urls(&service).await;
        let wrong = [
            ("from", "from=yesterday"),
            ("from", "from=2026-02-30"),
            ("from", "from="),
            ("to", "to=2026-13-01"),
            ("to", "to=2026-01-01T25:00:00Z"),
            ("from", "from=2026-01-02&to=2026-01-01"),
            ("from", "from=2026-01-01&to=2026-01-01"),
            ("from", "from=2000-01-01&to=2026-01-01"),
            ("bucket", "bucket=minute"),
            ("bucket", "bucket="),
            ("bucket", "bucket=Hour"),
            ("bucket", "bucket=quarter_hour&from=2020-01-01&to=2026-01-01"),
            ("time_zone", "time_zone=Mars/Olympus"),
            ("time_zone", "time_zone=%2B05:30"),
            ("top", "top=0"),
            ("top", "top=101"),
            ("top", "top=-1"),
            ("top", "top=ten"),
        ];
        let url = format!("/urls/{}/stats", urls[0]["id"]);
        for (field, query) in wrong {
            for path in ["/stats", &url] {
                let answer = service.get(&format!("{path}?{query}")).await;
                assert_eq!(answer.status, 422, "{path}?{query}: {answer:?}");
                let problem = answer.assert_problem(422).to_string();
                assert!(problem.contains(field), "{query} names no `{field}`: {problem}");
            }
        }
    }

    async fn an_id_that_is_none_is_no_statistics(service: Service) {
        for id in ["x", "0", "-1", "1.5", "99999999999999999999"] {
            let status = service.get(&format!("/urls/{id}/stats")).await.status;
            assert!(status == 404 || status == 422, "{id}: {status}");
        }
    }
}
