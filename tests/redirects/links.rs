//! Short URLs as the tests of this suite make, follow and look at them.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use harness::{answer::Answer, eventually, service::Service};
use reqwest::Method;
use serde_json::{Value, json};

/// What a browser sends when a person follows a link.
pub(crate) const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// For what should happen at once, on a machine that is busy with other tests.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// For what takes a while by itself: a lease, a reconnect, a circuit that closes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The short URL's path.
pub(crate) fn path(url: &Value) -> String {
    format!("/{}", url["short_code"].as_str().expect("a URL has a code"))
}

/// Where the short URL itself is looked at and changed.
pub(crate) fn resource(url: &Value) -> String {
    format!("/urls/{}", url["id"])
}

/// A URL of a new user with `fields` beside its target.
pub(crate) async fn create(service: &Service, target: &str, fields: Value) -> Value {
    let user = service.create_user().await;
    let mut body = json!({"user_id": user, "original_url": target, "title": "A title"});
    merge(&mut body, fields);
    let answer = service.post("/urls", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// Changes `fields`, and returns the URL as it is then.
pub(crate) async fn change(service: &Service, url: &Value, fields: Value) -> Value {
    let answer = service.put(&resource(url), fields.clone()).await;
    assert_eq!(answer.status, 200, "{fields}: {answer:?}");
    answer.json()
}

fn merge(body: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    body.as_object_mut().expect("an object").extend(fields);
}

/// So many seconds from now, or ago.
pub(crate) fn in_seconds(seconds: i64) -> String {
    let now = DateTime::<Utc>::from(SystemTime::now());
    (now + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[track_caller]
pub(crate) fn moment(time: &Value) -> DateTime<Utc> {
    let text = time.as_str().unwrap_or_else(|| panic!("{time} is no time"));
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Asks as somebody who takes what `accept` says.
pub(crate) async fn ask(service: &Service, path: &str, accept: &str) -> Answer {
    let request = service.request(Method::GET, path).header("accept", accept);
    service.send(request).await
}

#[track_caller]
pub(crate) fn assert_leads_to(answer: &Answer, location: &str) {
    assert_eq!(answer.status, 302, "{answer:?}");
    assert_eq!(answer.header("location"), Some(location));
    assert_is_kept_by_nobody(answer);
}

#[track_caller]
pub(crate) fn assert_is_kept_by_nobody(answer: &Answer) {
    let cache_control = answer.header("cache-control");
    assert_eq!(cache_control, Some("private, no-store"), "{answer:?}");
}

/// How many clicks on `url` the log has.
pub(crate) async fn clicks(service: &Service, url: &Value) -> usize {
    let path = format!("/events?event_type=click&url_id={}&per_page=1", url["id"]);
    let answer = service.get(&path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let total = answer.header("x-total-count");
    let total = total.expect("small lists are counted");
    total.parse().expect("a count is a number")
}

/// Waits until the service says that it relies on its memory, or that it does not.
pub(crate) async fn is_trusted(service: &Service, expected: f64) {
    let trusted = async || service.metric("shortener_cache_trusted").await == Some(expected);
    eventually::holds("whether it trusts its memory", PATIENCE, trusted).await;
}

/// How many redirects took their link from `source`.
pub(crate) async fn lookups(service: &Service, source: &str) -> usize {
    let series = format!("shortener_redirect_lookups_total{{source=\"{source}\"}}");
    service.count(&series).await
}
