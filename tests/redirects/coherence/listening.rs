//! A replica that hears nothing any more, though it reaches its database: edits wait for it, and stay true.

use std::time::{Duration, Instant};

use harness::{
    chaos_proxy::ChaosProxy,
    database::{Backend, Database},
    service::Service,
    soak,
};
use serde_json::json;

use super::{AT_ONCE, report, traffic::Traffic, wired::Wired};
use crate::links::{assert_leads_to, change, create, is_trusted, path};

/// What an edit may take while somebody does not hear: two seconds by design; the rest is for a slow machine.
const WAITED_FOR: Duration = Duration::from_secs(6);

/// A replica that hears, and one that listens through a proxy.
struct Listeners {
    hearing: Service,
    deaf: Service,
    wire: ChaosProxy,
    /// Dropped last.
    _database: Database,
}

impl Listeners {
    async fn fresh(backend: Backend) -> Self {
        let Wired {
            wire,
            through,
            database,
        } = Wired::fresh(backend).await;
        let deaf = Service::builder(&database).env("DATABASE_SESSION_URL", through);
        let (hearing, deaf) = tokio::join!(Service::start(&database), deaf.start());
        Self {
            hearing,
            deaf,
            wire,
            _database: database,
        }
    }
}

harness::on_each_postgres! {
    async fn edits_stay_true_when_a_wire_is_cut_or_swallows_everything(listeners: Listeners) {
        let Listeners { hearing, deaf, wire, .. } = &listeners;
        let (some, few) = (soak::rounds(40, 400), soak::rounds(10, 100));
        let traffic = Traffic::start(&[hearing, deaf]);
        traffic.edits(some).await;
        for _ in 0..soak::rounds(1, 3) {
            wire.hang().await;
            traffic.edits(few).await;
            wire.heal().await;
            traffic.edits(some).await;
            wire.cut().await;
            traffic.edits(few).await;
            wire.heal().await;
            traffic.edits(some).await;
        }
        let book = traffic.stop().await;
        report("LISTEN cut", hearing, &book).await;
        book.assert_unnoticed();
        assert!(book.slowest_edit() < WAITED_FOR, "{:?}", book.slowest_edit());
    }

    async fn edits_are_quick_again_once_everybody_hears(listeners: Listeners) {
        let Listeners { hearing, deaf, wire, .. } = &listeners;
        let url = create(hearing, "https://example.com/0", json!({})).await;
        for is_cut in [false, true] {
            if is_cut {
                wire.cut().await;
            } else {
                wire.hang().await;
            }
            for number in 0..3 {
                let target = format!("https://example.com/{is_cut}/{number}");
                // What it answers now it may remember.
                assert_eq!(deaf.get(&path(&url)).await.status, 302);
                let started = Instant::now();
                change(hearing, &url, json!({"original_url": target})).await;
                assert!(started.elapsed() < WAITED_FOR, "{:?}", started.elapsed());
                assert_leads_to(&deaf.get(&path(&url)).await, &target);
            }
            wire.heal().await;

            is_trusted(deaf, 1.0).await;
            let mut took = Vec::new();
            for number in 0..20 {
                let target = format!("https://example.com/healed/{number}");
                let started = Instant::now();
                change(hearing, &url, json!({"original_url": target})).await;
                took.push(started.elapsed());
                assert_leads_to(&deaf.get(&path(&url)).await, &target);
            }
            took.sort();
            assert!(took[took.len() / 2] < AT_ONCE, "{took:?}");
        }
    }
}
