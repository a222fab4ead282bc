//! Many requests at once, and what a limit lets through of them.

use std::time::{Duration, Instant};

use harness::{
    answer::Answer,
    service::{Service, client, try_send},
};
use reqwest::Method;
use tokio::task::JoinSet;

use super::{BURST, RATE};

/// More than the burst, and than what is granted meanwhile on a slow machine.
pub(super) const MANY: usize = 300;

/// Sends a request that a proxy says came from `address`.
pub(super) async fn get(service: &Service, path: &str, address: &str) -> Answer {
    let request = service
        .request(Method::GET, path)
        .header("x-forwarded-for", address);
    service.send(request).await
}

/// What of many requests was let through, and how long all took.
pub(super) struct Burst {
    pub(super) passed: Vec<Answer>,
    pub(super) refused: Vec<Answer>,
    pub(super) took: Duration,
}

impl Burst {
    /// One that came right after.
    pub(super) fn add(&mut self, other: Self) {
        self.passed.extend(other.passed);
        self.refused.extend(other.refused);
        self.took += other.took;
    }
}

/// Sends many requests for `path` at once to all of `services` in turn.
pub(super) async fn rush(services: &[&Service], path: &str, address: &str) -> Burst {
    let started = Instant::now();
    let mut connections = JoinSet::new();
    for connection in 0..10 {
        let urls: Vec<_> = services.iter().map(|service| service.url(path)).collect();
        let address = address.to_owned();
        connections.spawn(async move {
            let http = client();
            let mut answers = Vec::new();
            for url in urls.iter().cycle().skip(connection).take(MANY / 10) {
                let request = http.get(url).header("x-forwarded-for", &address);
                answers.push(try_send(request).await.expect("an answer"));
            }
            answers
        });
    }
    let answers = connections.join_all().await.concat();
    let (refused, passed) = answers.into_iter().partition(|answer| answer.status == 429);
    Burst {
        passed,
        refused,
        took: started.elapsed(),
    }
}

/// The burst got through, and no more than that and what has been granted since.
#[track_caller]
pub(super) fn assert_limited(burst: &Burst) {
    let passed = burst.passed.len();
    assert!(passed >= BURST, "{passed} passed, and the burst is {BURST}");
    assert_no_more_than_granted(burst);
    for refusal in &burst.refused {
        refusal.assert_problem(429);
        let wait: u64 = refusal
            .header("retry-after")
            .expect("when to try again")
            .parse()
            .unwrap();
        assert!((1..=60).contains(&wait), "{refusal:?}");
        assert_says_the_limit(refusal);
    }
}

#[track_caller]
pub(super) fn assert_no_more_than_granted(burst: &Burst) {
    let (passed, took) = (burst.passed.len(), burst.took);
    let meanwhile = RATE * usize::try_from(took.as_millis()).expect("it is soon over") / 1_000;
    assert!(
        passed <= BURST + meanwhile + 1,
        "{passed} passed in {took:?}"
    );
}

/// In the words of draft-ietf-httpapi-ratelimit-headers.
#[track_caller]
pub(super) fn assert_says_the_limit(answer: &Answer) {
    let policy = answer.header("ratelimit-policy").unwrap_or_default();
    assert!(policy.contains(&format!(";q={BURST}")), "{answer:?}");
    remaining(answer);
}

/// How much more a client may ask now.
#[track_caller]
pub(super) fn remaining(answer: &Answer) -> usize {
    let limit = answer.header("ratelimit").unwrap_or_default();
    let mut members = limit
        .split(';')
        .filter_map(|member| member.trim().strip_prefix("r="));
    let remaining = members
        .next()
        .unwrap_or_else(|| panic!("nothing remaining: {answer:?}"));
    remaining.parse().expect("a count")
}
