//! Whether somebody would be told, as Prometheus sees it. That what it sees arrives is what `alerts` is about.

use std::time::{Duration, Instant};

use harness::{
    eventually,
    service::{client, try_send},
};

use crate::stack::setting;

/// The rules' minute, two scrapes and two evaluations, and a busy machine.
const FIRED: Duration = Duration::from_mins(4);

/// Some look at the last two minutes.
const CLEARED: Duration = Duration::from_mins(5);

#[derive(Clone, Copy, Debug)]
pub(super) struct Alert(&'static str);

/// One that is out.
pub(super) struct Firing {
    alert: Alert,
    fired_after: Duration,
    mended: Instant,
}

/// One that is over.
#[derive(Debug)]
pub(super) struct Told {
    pub name: &'static str,
    /// The fault's beginning.
    pub fired_after: Duration,
    /// The fault's end.
    pub cleared_after: Duration,
}

impl Alert {
    /// What is to be told when that service is away for long.
    pub(super) fn of(victim: &str) -> Self {
        Self(match victim {
            "redis" => "RedisAway",
            "postgres" => "PostgresAway",
            _ => "ServiceDown",
        })
    }

    pub(super) async fn until_firing(self, since: Instant) -> Firing {
        eventually::holds(self.0, FIRED, async || self.is_firing().await == Some(true)).await;
        Firing {
            alert: self,
            fired_after: since.elapsed(),
            mended: Instant::now(),
        }
    }

    /// `None` if Prometheus does not say.
    async fn is_firing(self) -> Option<bool> {
        let url = format!(
            "http://127.0.0.1:{}/api/v1/alerts",
            setting("PROMETHEUS_PORT")
        );
        let answer = try_send(client().get(url)).await.ok()?;
        let answer = (answer.status == 200).then(|| answer.json())?;
        let alerts = answer["data"]["alerts"].as_array()?;
        let is_it = |alert: &serde_json::Value| {
            alert["labels"]["alertname"] == self.0 && alert["state"] == "firing"
        };
        Some(alerts.iter().any(is_it))
    }
}

impl Firing {
    /// The fault is over now.
    pub(super) fn mended(self) -> Self {
        Self {
            mended: Instant::now(),
            ..self
        }
    }

    pub(super) async fn until_over(self) -> Told {
        let alert = self.alert;
        let what = format!("{} is over", alert.0);
        eventually::holds(&what, CLEARED, async || {
            alert.is_firing().await == Some(false)
        })
        .await;
        Told {
            name: alert.0,
            fired_after: self.fired_after,
            cleared_after: self.mended.elapsed(),
        }
    }
}
