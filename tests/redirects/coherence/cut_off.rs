//! A replica that is cut off from its database altogether: the only one that may be behind, for so long, and it says so.

use std::time::Duration;

use harness::{eventually, service::Service};
use serde_json::{Value, json};

use super::wired::Wired;
use crate::links::{PATIENCE, assert_leads_to, change, create, is_trusted, lookups, path};

const OLD: &str = "https://example.com/old";

const NEW: &str = "https://example.com/new";

/// Long enough for a lease to have lapsed twice.
const A_FEW_SECONDS: Duration = Duration::from_secs(4);

harness::on_each_postgres! {
    async fn it_serves_what_it_knows_and_says_so(wired: Wired) {
        let (near, far) = tokio::join!(Service::start(&wired.database), wired.far().start());
        let url = create(&near, OLD, json!({})).await;
        for is_cut in [true, false] {
            change(&near, &url, json!({"original_url": OLD})).await;
            is_trusted(&far, 1.0).await;
            assert_leads_to(&far.get(&path(&url)).await, OLD);
            let before = lookups(&far, "stale").await;

            wired.break_it(is_cut).await;
            change(&near, &url, json!({"original_url": NEW})).await;
            assert_leads_to(&near.get(&path(&url)).await, NEW);
            assert_leads_to(&far.get(&path(&url)).await, OLD);
            let counted = async || {
                assert_leads_to(&far.get(&path(&url)).await, OLD);
                lookups(&far, "stale").await > before
            };
            eventually::holds("a stale answer is counted", PATIENCE, counted).await;
            is_trusted(&far, 0.0).await;
            assert_eq!(far.management("/readyz").await.status, 200);

            wired.wire.heal().await;
            is_trusted(&far, 1.0).await;
            assert_leads_to(&far.get(&path(&url)).await, NEW);
        }
    }

    async fn every_answer_behind_an_edit_is_counted(wired: Wired) {
        let (near, far) = tokio::join!(Service::start(&wired.database), wired.far().start());
        let url = create(&near, OLD, json!({})).await;
        is_trusted(&far, 1.0).await;
        assert_leads_to(&far.get(&path(&url)).await, OLD);
        wired.break_it(false).await;
        change(&near, &url, json!({"original_url": NEW})).await;

        let before = lookups(&far, "stale").await;
        let mut behind = 0;
        for _ in 0..200 {
            if far.get(&path(&url)).await.header("location") == Some(OLD) {
                behind += 1;
            }
        }
        let counted = lookups(&far, "stale").await - before;
        assert!(counted >= behind, "{counted} of {behind} answers that were behind");
        assert!(behind > 0, "an outage does not stop redirects");
    }

    async fn it_stops_at_its_limit(wired: Wired) {
        let far = wired.far().arg("--stale-limit=2").start().await;
        let url = create(&far, OLD, json!({})).await;
        is_trusted(&far, 1.0).await;
        assert_leads_to(&far.get(&path(&url)).await, OLD);

        wired.break_it(true).await;
        let refused = async || far.get(&path(&url)).await.status == 503;
        eventually::holds("it says that it does not know any more", PATIENCE, refused).await;
        let answer = far.get(&path(&url)).await;
        answer.assert_problem(503);
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert_eq!(far.management("/readyz").await.status, 200);

        wired.wire.heal().await;
        let works = async || far.get(&path(&url)).await.status == 302;
        eventually::holds("it works again by itself", PATIENCE, works).await;
    }

    async fn it_goes_on_within_its_limit(wired: Wired) {
        let far = wired.far().start().await;
        let url = create(&far, OLD, json!({})).await;
        is_trusted(&far, 1.0).await;
        assert_leads_to(&far.get(&path(&url)).await, OLD);
        wired.break_it(true).await;
        goes_on(&far, &url).await;
        // What it does not know, it cannot tell.
        let unknown = far.get("/nobody").await;
        assert_eq!(unknown.status, 503, "{unknown:?}");
    }
}

/// Each visit is answered for some seconds.
async fn goes_on(service: &Service, url: &Value) {
    let (started, link) = (std::time::Instant::now(), path(url));
    while started.elapsed() < A_FEW_SECONDS {
        let visit = tokio::time::timeout(Duration::from_secs(1), service.get(&link));
        assert_leads_to(&visit.await.expect("an answer within a second"), OLD);
    }
}
