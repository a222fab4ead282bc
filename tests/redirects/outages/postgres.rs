//! Postgres is away: known links lead on, and nothing is lost.

use std::time::{Duration, Instant};

use harness::{
    breakable::Breakable,
    database::Database,
    eventually,
    redis::{Kind, Persistence, Redis},
    service::Service,
    soak,
};
use serde_json::json;

use super::{
    A_FEW, KNOWN, MANY, STRANGE,
    visitors::{Visit, Visitors, assert_each, assert_quick},
};
use crate::links::{PATIENCE, create, is_trusted, lookups, path};

/// How soon a service works again after its database does: a second or two, and more on a machine that is busy with other tests.
const RECOVERY: Duration = Duration::from_secs(30);

harness::on_each_postgres! {
    async fn a_postgres_that_crashes_is_not_missed_by_who_follows_known_links(postgres: Breakable) {
        let service = Service::start(&postgres.database).await;
        let visitors = Visitors::come(&service).await;
        let mut answered = Visitors::WELCOMED;
        for _ in 0..soak::rounds(1, 3) {
            postgres.cluster.stop_immediate().await;
            answered += is_partly_missed(&service, &visitors).await;
            postgres.cluster.start_again().await;
            answered += works_again(&service, &visitors).await;
        }
        answered += visitors.leave().await.redirects();
        all_are_counted(&postgres.database, answered).await;
    }

    async fn a_postgres_that_stands_still_is_not_missed_by_who_follows_known_links(postgres: Breakable) {
        let redis = Redis::start(Kind::Redis7, Persistence::Snapshot).await;
        let service = Service::builder(&postgres.database).redis(&redis).start().await;
        let visitors = Visitors::come(&service).await;
        let mut answered = Visitors::WELCOMED;
        for _ in 0..soak::rounds(1, 3) {
            postgres.cluster.freeze().await;
            answered += is_partly_missed(&service, &visitors).await;
            postgres.cluster.thaw().await;
            answered += works_again(&service, &visitors).await;
        }
        answered += visitors.leave().await.redirects();
        all_are_counted(&postgres.database, answered).await;
    }
}

/// While the database is away: known links lead on, the others are refused politely. Returns how many redirects came.
async fn is_partly_missed(service: &Service, visitors: &Visitors) -> usize {
    let lasting = Duration::from_secs(if soak::is_long() { 30 } else { 4 });
    let (started, before) = (Instant::now(), lookups(service, "stale").await);
    let has_lasted =
        async || started.elapsed() >= lasting && lookups(service, "stale").await > before;
    eventually::holds("the outage lasts", 2 * PATIENCE, has_lasted).await;
    visitors.follow(MANY).await;

    let visits = visitors.take();
    assert_each(&visits.known, KNOWN, Visit::is_redirect);
    assert_each(&visits.strange, STRANGE, |visit| {
        visit.is_redirect() || visit.is_polite_refusal()
    });
    assert!(
        visits.strange.iter().any(Visit::is_polite_refusal),
        "nobody can know them"
    );
    assert_quick("without Postgres", &visits.known);
    assert_eq!(service.management("/readyz").await.status, 200);
    visits.redirects()
}

/// Once the database is back. Returns how many redirects came.
async fn works_again(service: &Service, visitors: &Visitors) -> usize {
    let mut redirects = 0;
    let works = async || {
        visitors.follow(1).await;
        let visits = visitors.take();
        redirects += visits.redirects();
        assert_each(&visits.known, KNOWN, Visit::is_redirect);
        visits.strange.iter().all(Visit::is_redirect)
    };
    eventually::holds("strange links lead on", RECOVERY, works).await;
    is_trusted(service, 1.0).await;
    visitors.follow(A_FEW).await;
    let visits = visitors.take();
    assert_each(&visits.strange, STRANGE, Visit::is_redirect);
    let url = create(service, "https://example.com/new", json!({})).await;
    assert_eq!(service.get(&path(&url)).await.status, 302);
    redirects + visits.redirects() + 1
}

async fn all_are_counted(database: &Database, answered: usize) {
    let expected = i64::try_from(answered).expect("a count");
    let counted = async || database.integer("select count(*) from click").await >= expected;
    eventually::holds("each redirect is counted", PATIENCE, counted).await;
    let recorded = database.integer("select count(*) from click").await;
    assert_eq!(recorded, expected, "and once");
}
