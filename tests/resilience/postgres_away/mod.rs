//! Postgres restarts, hangs, or is not there yet. Visitors and orchestrators notice as little as can be.

mod load;

use std::time::Duration;

use harness::{
    answer::Answer,
    breakable::Breakable,
    chaos_proxy::ChaosProxy,
    eventually,
    service::{START, Service, ready},
};
use load::Load;
use rustix::process::Signal;
use serde_json::json;

use crate::start::first_readiness;

/// How soon a service works again after its database does.
const RECOVERY: Duration = Duration::from_secs(5);

const A_MINUTE: Duration = Duration::from_mins(1);

/// How long a caller may be kept waiting for a 503 by a database that stops answering: a statement under way is given up after
/// 15 s.
const REFUSAL: Duration = Duration::from_secs(20);

harness::on_each_postgres! {
    async fn a_restart_under_load_is_seen_only_while_it_lasts(postgres: Breakable) {
        let service = Service::start(&postgres.database).await;
        let load = Load::start(&service).await;
        load.succeeds(A_MINUTE).await;

        let before = load.failures();
        assert!(before.is_empty(), "failures before the outage: {before:#?}");
        postgres.cluster.stop_immediate().await;
        load.is_refused(A_MINUTE).await;
        stays_in_the_load_balancer(&service).await;
        postgres.cluster.start_again().await;

        load.succeeds(RECOVERY).await;
        let during = load.failures();
        load.succeeds(A_MINUTE).await;
        let after = load.failures();
        assert_eq!(during.len(), after.len(), "failures after the recovery: {after:#?}");
        for failure in load.stop().await {
            assert!(failure.is_a_polite_refusal(), "{failure}");
        }
        assert!(!is_degraded(&service).await);
    }

    async fn a_database_that_hangs_does_not_hang_the_service(postgres: Breakable) {
        let proxy = ChaosProxy::start(postgres.cluster.addr()).await;
        let direct = postgres.cluster.addr().to_string();
        let url = postgres.database.url().replace(&direct, &proxy.addr().to_string());
        let service = Service::builder(&postgres.database).env("DATABASE_URL", url).start().await;
        let user = service.create_user().await;

        proxy.hang().await;
        let body = json!({"user_id": user, "original_url": "https://example.com/", "title": "A title"});
        let refused = tokio::time::timeout(REFUSAL, service.post("/urls", body.clone())).await;
        assert_unavailable(&refused.expect("a create is refused in time"));
        stays_in_the_load_balancer(&service).await;

        proxy.heal().await;
        let created = async || service.post("/urls", body.clone()).await.status == 201;
        eventually::holds("creates work again", RECOVERY, created).await;
    }

    async fn a_service_waits_for_a_database_that_is_not_there_yet(postgres: Breakable) {
        postgres.cluster.stop_immediate().await;
        let waiting = Service::builder(&postgres.database).spawn();
        let answer = first_readiness(&waiting).await;
        assert_eq!(answer.status, 503, "{answer:?}");

        postgres.cluster.start_again().await;
        let service = ready(waiting, START).await.expect("it comes up by itself");
        service.create_user().await;
    }

    async fn a_service_that_waits_can_be_told_to_stop(postgres: Breakable) {
        postgres.cluster.stop_immediate().await;
        let waiting = Service::builder(&postgres.database).spawn();
        first_readiness(&waiting).await;

        waiting.signal(Signal::TERM);
        let exit = waiting.exit(RECOVERY).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

/// An outage of the database is no reason to take the process out: the others have the same one.
async fn stays_in_the_load_balancer(service: &Service) {
    assert_eq!(service.management("/readyz").await.status, 200);
    assert_eq!(service.management("/livez").await.status, 200);
    let degraded = async || is_degraded(service).await;
    eventually::holds("/health says what is wrong", REFUSAL, degraded).await;
}

async fn is_degraded(service: &Service) -> bool {
    let answer = service.get("/health").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().get("degraded").is_some()
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    answer.assert_problem(503);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}
