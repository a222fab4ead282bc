//! Drills: whatever the stack consists of is killed, frozen, restarted, made anew, stopped for longer, or loses its disk or its
//! primary, under load, and the figures go into a table. `make chaos` does all of it and writes docs/chaos.md; the usual run
//! has some of them.

mod alert;
mod disk;
mod docker;
mod editor;
mod fault;
mod standby;
mod table;

use std::{
    fs,
    time::{Duration, Instant},
};

use disk::SmallDisk;
use editor::Editor;
use fault::{Drill, Fault};
use harness::{
    eventually,
    service::{client, try_send},
    soak::report,
};
use serde_json::Value;
use standby::Standby;
use table::Row;

use crate::{
    stack::{HEALTHY, Stack, optional_setting, setting},
    visitors::Visitors,
};

/// Clicks are recorded once the database is back and the recorder has found it.
const RECORDED: Duration = Duration::from_mins(1);

/// What a fault needs beforehand.
struct Prepared {
    disk: Option<SmallDisk>,
    standby: Option<Standby>,
}

#[tokio::test(flavor = "multi_thread")]
async fn drills_lose_no_click_and_few_requests() {
    let page = optional_setting("CHAOS_REPORT");
    let drills = if let Some(wanted) = optional_setting("DRILLS") {
        fault::drills_of(&wanted)
    } else if page.is_some() {
        fault::every_drill()
    } else {
        fault::a_few_drills()
    };
    let stack = Stack::fresh().await;
    let mut rows = Vec::new();
    for drill in drills {
        let row = carry_out(&stack, drill).await;
        report(&row.line());
        rows.push(row);
        // What there is, in case the next one goes wrong.
        if let Some(page) = &page {
            fs::write(page, table::page(&rows)).expect("the report can be written");
        }
    }
    for row in rows {
        row.assert_bearable();
    }
}

/// Has one thing happen to one service while visitors follow a link that is known and an editor changes it, and waits until
/// all is as before.
async fn carry_out(stack: &Stack, drill: Drill) -> Row {
    let name = drill.name();
    let email = format!("{name}@drills.example.com");
    let url = stack
        .create_url(&email, &format!("https://example.com/{name}"))
        .await;
    let prepared = Prepared::for_it(stack, drill).await;
    let code = url["short_code"].as_str().expect("a code");
    let visitors = Visitors::follow(&stack.url(&format!("/{code}")));
    let editor = Editor::begin(stack, &url);
    stack.until_known().await;
    editor.until_edited().await;

    let fault = fault::befall(stack, drill, &prepared, &editor).await;
    eventually::holds("it is back", HEALTHY, async || {
        is_back(stack, drill.victim, &url).await
    })
    .await;
    let back = Instant::now();
    editor.until_edited().await;
    if prepared.standby.is_none() {
        stack.until_healthy(&[drill.victim]).await;
    }
    stack.until_known().await;
    let alert = match fault.alert {
        Some(alert) => Some(alert.until_over().await),
        None => None,
    };
    let edited = editor.end().await;
    let visits = visitors.stop().await;
    let answered = visits.redirects + edited.answered;

    let mut recorded = 0;
    let path = format!("/urls/{}/stats", url["id"]);
    _ = eventually::try_some(RECORDED, async || {
        let statistics = stack.get(&path).await.json();
        let of = |kind: &str| statistics[kind].as_u64().unwrap_or_default();
        recorded = of("clicks") + of("bots");
        (recorded >= answered).then_some(())
    })
    .await;
    prepared.put_away(stack).await;
    Row {
        drill,
        sent: answered + edited.unanswered + visits.again + visits.failures.len() as u64,
        again: visits.again,
        answered,
        recorded,
        failures: visits.failures,
        edits: edited.edits,
        stale: edited.stale,
        from_start: back - fault.began,
        from_end: back - fault.ended,
        alert,
    }
}

/// Whether what the service is for works again.
async fn is_back(stack: &Stack, victim: &str, url: &Value) -> bool {
    let watching = match victim {
        "prometheus" => Some(("PROMETHEUS_PORT", "/-/ready")),
        "alertmanager" => Some(("ALERTMANAGER_PORT", "/-/ready")),
        "grafana" => Some(("GRAFANA_PORT", "/api/health")),
        _ => None,
    };
    let Some((port, path)) = watching else {
        // A create needs nginx, an instance and the database.
        return stack.can_create(&url["user_id"]).await;
    };
    let request = client().get(format!("http://127.0.0.1:{}{path}", setting(port)));
    let answer = try_send(request.timeout(Duration::from_secs(1))).await;
    answer.is_ok_and(|answer| answer.status == 200)
}

impl Prepared {
    async fn for_it(stack: &Stack, drill: Drill) -> Self {
        let (mut disk, mut standby) = (None, None);
        match drill.fault {
            Fault::FillDisk => disk = Some(SmallDisk::under(stack, drill.victim).await),
            Fault::FailOver => standby = Some(Standby::follow(stack).await),
            _ => {}
        }
        Self { disk, standby }
    }

    async fn put_away(self, stack: &Stack) {
        if let Some(disk) = self.disk {
            disk.take_away(stack).await;
        }
        if let Some(standby) = self.standby {
            drop(standby);
            // The primary has another history now.
            stack.renew().await;
        }
    }
}
