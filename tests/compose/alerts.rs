//! Faults that somebody must hear of: the alert goes out within the time that deploy/monitoring/rules states, and clears.

use std::time::{Duration, Instant};

use harness::{
    eventually,
    receiver::Receiver,
    service::{client, try_send},
    soak::report,
};
use tokio::task::JoinSet;

use crate::stack::{Stack, setting};

/// As the rules state them.
const SERVICE_DOWN: Duration = Duration::from_secs(90);
const HIGH_ERROR_RATE: Duration = Duration::from_mins(3);

/// The two minutes that an error counts, and Alertmanager's minute between two messages about one thing.
const CLEARED: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_in_time_and_so_is_their_end() {
    let stack = Stack::healthy().await;
    let discord = Discord::listen().await;

    stack.compose(&["stop", "app2"]);
    let stopped = Instant::now();
    discord
        .hears("FIRING ServiceDown", "app2:8081", SERVICE_DOWN)
        .await;
    report(&format!("ServiceDown after {:?}", stopped.elapsed()));

    stack.compose(&["stop", "postgres"]);
    let stopped = Instant::now();
    let callers = call_all_the_time(&stack.url("/users"));
    discord
        .hears("FIRING HighErrorRate", "fail", HIGH_ERROR_RATE)
        .await;
    report(&format!("HighErrorRate after {:?}", stopped.elapsed()));

    stack.up().await;
    let mended = Instant::now();
    discord
        .hears("RESOLVED ServiceDown", "app2:8081", CLEARED)
        .await;
    discord
        .hears("RESOLVED HighErrorRate", "Over since", CLEARED)
        .await;
    report(&format!("both cleared after {:?}", mended.elapsed()));
    drop(callers);
}

/// What Discord would show, from the stack's own start on.
struct Discord(Receiver);

impl Discord {
    /// At the address that the stack was told.
    async fn listen() -> Self {
        let webhook = setting("ALERT_DISCORD_WEBHOOK_URL");
        let webhook = reqwest::Url::parse(&webhook).expect("a URL");
        let addr = webhook.socket_addrs(|| None).expect("an address")[0];
        Self(Receiver::listen(addr).await)
    }

    /// Waits for a message with that beginning of its title, and that in its text.
    async fn hears(&self, title: &str, text: &str, within: Duration) {
        eventually::holds(title, within, async || {
            self.0.received().iter().any(|message| {
                let embed = &message.body["embeds"][0];
                let has = |member: &str, part: &str| {
                    embed[member]
                        .as_str()
                        .is_some_and(|value| value.contains(part))
                };
                has("title", title) && has("description", text)
            })
        })
        .await;
    }
}

/// Programs that go on calling the API, whatever it answers. They end with the value.
fn call_all_the_time(url: &str) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for _ in 0..3 {
        let url = url.to_owned();
        callers.spawn(async move {
            let http = client();
            loop {
                _ = try_send(http.get(&url)).await;
                // A refused call is answered at once; a hundred a second show as much as ten thousand.
                eventually::try_some::<()>(Duration::from_millis(20), async || None).await;
            }
        });
    }
    callers
}
