//! The way of an alert: Prometheus' word, Alertmanager's message, and what arrives at a chat.

use std::{fs, net::SocketAddr, time::Duration};

use harness::{
    daemon::{Daemon, free_addr},
    eventually,
    receiver::{Message, Receiver},
    service::{client, try_send},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{programs::file, settings::written};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_arrives_wherever_it_was_asked_for_and_so_does_its_end() {
    let receiver = Receiver::listen("127.0.0.1:0".parse().unwrap()).await;
    let at = |path: &str| format!("http://{}{path}", receiver.addr());
    let alertmanager = Alertmanager::start(&[
        ("ALERT_DISCORD_WEBHOOK_URL", &at("/discord")),
        ("ALERT_SLACK_WEBHOOK_URL", &at("/slack")),
        ("ALERT_WEBHOOK_URL", &at("/webhook")),
    ])
    .await;

    alertmanager.tell(&alert(None)).await;
    let discord = arrived(&receiver, "/discord", "FIRING").await;
    let embed = &discord.body["embeds"][0];
    assert_eq!(
        embed["title"], "FIRING ServiceDown (critical)",
        "{discord:?}"
    );
    let text = embed["description"].as_str().unwrap();
    assert!(
        text.starts_with("app2:8081 does not answer\nIf no other instance serves"),
        "{text}"
    );
    assert!(
        text.contains("What to do: docs/runbooks/ServiceDown.md"),
        "{text}"
    );
    let slack = arrived(&receiver, "/slack", "FIRING").await;
    assert_eq!(
        slack.body["attachments"][0]["title"],
        "FIRING ServiceDown (critical)"
    );
    let webhook = arrived(&receiver, "/webhook", "firing").await;
    assert_eq!(
        webhook.body["alerts"][0]["labels"]["alertname"],
        "ServiceDown"
    );

    alertmanager
        .tell(&alert(Some("2026-01-31T00:01:00Z")))
        .await;
    let discord = arrived(&receiver, "/discord", "RESOLVED").await;
    let text = discord.body["embeds"][0]["description"].as_str().unwrap();
    assert!(text.contains("app2:8081 does not answer"), "{text}");
    arrived(&receiver, "/slack", "RESOLVED").await;
    arrived(&receiver, "/webhook", "resolved").await;
}

/// As Prometheus posts it.
fn alert(end: Option<&str>) -> Value {
    json!([{
        "labels": {
            "alertname": "ServiceDown", "severity": "critical", "job": "shortener", "service": "shortener",
            "instance": "app2:8081",
        },
        "annotations": {
            "summary": "app2:8081 does not answer",
            "description": "If no other instance serves, short links are dead.",
            "runbook": "docs/runbooks/ServiceDown.md",
        },
        "startsAt": "2026-01-31T00:00:00Z",
        "endsAt": end.unwrap_or("2126-01-31T00:00:00Z"),
    }])
}

/// The first message to that path with that word in it.
async fn arrived(receiver: &Receiver, path: &str, word: &str) -> Message {
    let what = format!("a message with {word} arrives at {path}");
    eventually::some(&what, PATIENCE, async || {
        let mut messages = receiver.received().into_iter();
        messages.find(|message| message.path == path && message.body.to_string().contains(word))
    })
    .await
}

/// A real Alertmanager with the settings that the container's start script writes, but less patience.
struct Alertmanager {
    addr: SocketAddr,
    _daemon: Daemon,
}

impl Alertmanager {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let dir = TempDir::with_prefix("alertmanager-").expect("a temporary directory can be made");
        written(&dir, settings).assert_content();
        let config = dir.path().join("alertmanager.yml");
        let text = fs::read_to_string(&config).expect("it was written");
        let text = text
            .replace("group_wait: 10s", "group_wait: 1s")
            .replace("group_interval: 1m", "group_interval: 1s");
        fs::write(&config, text).expect("the directory is ours");
        assert!(file("deploy/monitoring/alertmanager/alerts.tmpl").is_file());

        let addr = free_addr();
        let arguments = [
            "--config.file=alertmanager.yml".to_owned(),
            "--storage.path=data".to_owned(),
            "--cluster.listen-address=".to_owned(),
            format!("--web.listen-address={addr}"),
        ];
        let daemon = Daemon::start("prometheus-alertmanager", &arguments, dir);
        let http = client();
        let ready = format!("http://{addr}/-/ready");
        eventually::holds("Alertmanager is ready", PATIENCE, async || {
            let answer = try_send(http.get(&ready)).await;
            answer.is_ok_and(|answer| answer.status == 200)
        })
        .await;
        Self {
            addr,
            _daemon: daemon,
        }
    }

    async fn tell(&self, alerts: &Value) {
        let url = format!("http://{}/api/v2/alerts", self.addr);
        let answer = try_send(client().post(url).json(alerts)).await;
        let answer = answer.expect("Alertmanager answers");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
