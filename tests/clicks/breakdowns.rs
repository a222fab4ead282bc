//! What statistics tell of visitors: where they came from, with what, by which campaign, and how many they were.

use harness::{database::Database, service::Service};
use serde_json::{Value, json};

use crate::{
    statistics::{FIREFOX, click, stats_of, stats_of_all},
    visitors::{path, some_urls},
};

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36";

harness::on_each_database! {
    async fn browsers_systems_and_devices_are_told(service: Service) {
        let url = some_urls(&service).await.remove(0);
        for user_agent in [CHROME, CHROME, CHROME, PHONE, PHONE, FIREFOX] {
            click(&service, &path(&url), &[("user-agent", user_agent)]).await;
        }
        let stats = stats_of(&service, &url, "").await;
        assert_eq!(shares(&stats["browsers"]), [("Chrome", 3), ("Safari", 2), ("Firefox", 1)]);
        assert_eq!(shares(&stats["operating_systems"]), [("Windows", 3), ("iOS", 2), ("Linux", 1)]);
        assert_eq!(shares(&stats["devices"]), [("desktop", 4), ("mobile", 2)]);
    }

    async fn referrers_are_hosts_and_a_direct_visit_has_none(service: Service) {
        let url = some_urls(&service).await.remove(0);
        let referrers = [
            "https://www.Example.org/a?b=c", "http://example.org:8080/", "https://news.example/x",
            "android-app://com.slack/", "no URL at all", "",
        ];
        for referrer in referrers {
            click(&service, &path(&url), &[("user-agent", FIREFOX), ("referer", referrer)]).await;
        }
        click(&service, &path(&url), &[("user-agent", FIREFOX)]).await;
        let stats = stats_of(&service, &url, "").await;
        let expected = [("example.org", 2), ("com.slack", 1), ("news.example", 1)];
        assert_eq!(shares(&stats["referrers"]), expected, "{stats}");
        assert_eq!(stats["clicks"], 7);
    }

    async fn campaigns_are_read_from_the_query(service: Service) {
        let url = some_urls(&service).await.remove(0);
        let queries = [
            "?utm_source=news&utm_medium=email&utm_campaign=spring+sale&utm_term=shoes&utm_content=top",
            "?utm_source=news&utm_medium=print",
            "?utm_source=%E6%97%A5%E6%9C%AC&utm_source=second",
            "?utm_source=a%00b%0Ac",
            "?source=none",
        ];
        for query in queries {
            click(&service, &format!("{}{query}", path(&url)), &[("user-agent", FIREFOX)]).await;
        }
        let utm = &stats_of(&service, &url, "").await["utm"];
        assert_eq!(shares(&utm["source"]), [("news", 2), ("abc", 1), ("日本", 1)], "{utm}");
        assert_eq!(shares(&utm["medium"]), [("email", 1), ("print", 1)]);
        assert_eq!(shares(&utm["campaign"]), [("spring sale", 1)]);
        assert_eq!(shares(&utm["term"]), [("shoes", 1)]);
        assert_eq!(shares(&utm["content"]), [("top", 1)]);
    }

    async fn only_the_most_frequent_are_named_and_the_rest_is_one_line(service: Service) {
        let url = some_urls(&service).await.remove(0);
        for (referrer, clicks) in [("a", 1), ("b", 3), ("c", 2), ("d", 1)] {
            for _ in 0..clicks {
                let referrer = format!("https://{referrer}.example/");
                click(&service, &path(&url), &[("user-agent", FIREFOX), ("referer", &referrer)]).await;
            }
        }
        let stats = stats_of(&service, &url, "?top=2").await;
        let expected = json!([
            {"value": "b.example", "clicks": 3},
            {"value": "c.example", "clicks": 2},
            {"value": null, "clicks": 2},
        ]);
        assert_eq!(stats["referrers"], expected, "{stats}");
        // Strangers cannot fill the database with names that they make up.
        for number in 0..120 {
            let referrer = format!("https://made-up-{number}.example/");
            click(&service, &path(&url), &[("user-agent", FIREFOX), ("referer", &referrer)]).await;
        }
        let stats = stats_of(&service, &url, "?top=100").await;
        let referrers = stats["referrers"].as_array().unwrap();
        assert_eq!(referrers.len(), 101, "a hundred and the rest");
        let sum: u64 = referrers.iter().map(|share| share["clicks"].as_u64().unwrap()).sum();
        assert_eq!(sum, 127, "{stats}");
    }

    async fn visitors_are_told_apart_by_address_and_browser(database: Database) {
        let service = Service::builder(&database).arg("--trusted-proxies=127.0.0.1").start().await;
        let urls = some_urls(&service).await;
        for number in 0..40 {
            let address = format!("192.0.2.{}", number % 20);
            let url = &urls[number % 2];
            click(&service, &path(url), &[("user-agent", FIREFOX), ("x-forwarded-for", &address)]).await;
        }
        let stats = stats_of_all(&service, "").await;
        assert_about(&stats, 20);
        assert_about(&stats_of(&service, &urls[0], "").await, 10);
        click(&service, &path(&urls[0]), &[("user-agent", PHONE), ("x-forwarded-for", "192.0.2.0")]).await;
        assert_about(&stats_of(&service, &urls[0], "").await, 11);
        // Households, where addresses are plentiful.
        for address in ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"] {
            click(&service, &path(&urls[2]), &[("user-agent", FIREFOX), ("x-forwarded-for", address)]).await;
        }
        assert_about(&stats_of(&service, &urls[2], "").await, 2);
    }

    async fn a_stranger_cannot_make_himself_many(service: Service) {
        let url = some_urls(&service).await.remove(0);
        for number in 0..10 {
            let address = format!("192.0.2.{number}");
            click(&service, &path(&url), &[("user-agent", FIREFOX), ("x-forwarded-for", &address)]).await;
        }
        let stats = stats_of(&service, &url, "").await;
        assert_eq!((&stats["clicks"], &stats["unique_visitors"]), (&json!(10), &json!(1)));
    }
}

/// The sketch of visitors may be off by one of these few; midnight may come between two clicks.
fn assert_about(stats: &Value, expected: u64) {
    let visitors = stats["unique_visitors"].as_u64().unwrap();
    assert!(
        visitors.abs_diff(expected) <= expected / 10,
        "{visitors}, not {expected}: {stats}"
    );
}

/// Names and numbers, in the order of the answer.
pub(crate) fn shares(shares: &Value) -> Vec<(&str, u64)> {
    let shares = shares.as_array().expect("shares are a list");
    shares
        .iter()
        .map(|line| {
            let name = line["value"].as_str().expect("a name");
            (name, line["clicks"].as_u64().expect("a number"))
        })
        .collect()
}
