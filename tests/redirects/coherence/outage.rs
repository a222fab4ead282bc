//! Postgres is away for everybody, and not everybody finds it again in the same moment.

use std::time::Duration;

use harness::{
    chaos_proxy::ChaosProxy,
    database::{Backend, Database},
    eventually,
    postgres::Cluster,
    service::Service,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::links::{PATIENCE, assert_leads_to, create, is_trusted, lookups, path, resource};

const OLD: &str = "https://example.com/old";

const NEW: &str = "https://example.com/new";

/// For somebody who takes the others for dead to answer an edit: milliseconds.
const RASH: Duration = Duration::from_millis(500);

/// Two services, each with a wire of its own to its database, and a link that both remember.
struct Pair {
    one: Service,
    other: Service,
    of_one: ChaosProxy,
    of_other: ChaosProxy,
    /// From the other to where it hears of edits.
    hearing: ChaosProxy,
    url: Value,
    /// Dropped last.
    database: Database,
}

impl Pair {
    async fn fresh(backend: Backend) -> Self {
        let addr = Cluster::shared(backend).await.addr();
        let database = Database::fresh(backend).await;
        let wire = || ChaosProxy::start(addr);
        let (of_one, of_other, hearing) = tokio::join!(wire(), wire(), wire());
        let along = |wire: &ChaosProxy| {
            let url = database.url();
            url.replace(&addr.to_string(), &wire.addr().to_string())
        };
        let one = Service::builder(&database).env("DATABASE_URL", along(&of_one));
        let other = Service::builder(&database)
            .env("DATABASE_URL", along(&of_other))
            .env("DATABASE_SESSION_URL", along(&hearing));
        let (one, other) = tokio::join!(one.start(), other.start());
        let url = create(&one, OLD, json!({})).await;
        let pair = Self {
            one,
            other,
            of_one,
            of_other,
            hearing,
            url,
            database,
        };
        pair.both_know(OLD).await;
        pair
    }

    async fn both_know(&self, target: &str) {
        for service in [&self.one, &self.other] {
            is_trusted(service, 1.0).await;
            assert_leads_to(&service.get(&path(&self.url)).await, target);
        }
    }

    /// Waits until that service answers from what it knew.
    async fn is_cut_off(&self, service: &Service) {
        let before = lookups(service, "stale").await;
        let stale = async || {
            service.get(&path(&self.url)).await;
            lookups(service, "stale").await > before
        };
        eventually::holds("it answers from what it knew", PATIENCE, stale).await;
    }

    async fn leases(&self) -> i64 {
        let leases = "select count(*) from replica where lease_until > clock_timestamp()";
        self.database.integer(leases).await
    }

    /// Edits through the first, until that is answered.
    async fn edit(&self, target: &str) {
        let body = json!({"original_url": target});
        let edited = async || {
            self.one
                .put(&resource(&self.url), body.clone())
                .await
                .status
                == 200
        };
        eventually::holds("the edit is answered", PATIENCE, edited).await;
    }
}

harness::on_each_postgres! {
    async fn an_edit_waits_for_those_who_find_the_database_later(pair: Pair) {
        let Pair { one, other, of_one, of_other, hearing, url, .. } = &pair;
        tokio::join!(of_one.cut(), of_other.cut(), hearing.cut());
        pair.is_cut_off(one).await;
        pair.is_cut_off(other).await;
        let nobody = async || pair.leases().await == 0;
        eventually::holds("no lease is left", PATIENCE, nobody).await;

        of_one.heal().await;
        let (is_done, mut done) = tokio::sync::watch::channel(false);
        let editing = async {
            pair.edit(NEW).await;
            is_done.send_replace(true);
        };
        let finding_later = async {
            let is_back = async || pair.leases().await == 1;
            eventually::holds("the first is back", PATIENCE, is_back).await;
            // Whoever answers before the other is back has forgotten it.
            _ = tokio::time::timeout(RASH, done.wait_for(|is_done| *is_done)).await;
            tokio::join!(of_other.heal(), hearing.heal());
        };
        tokio::join!(editing, finding_later);
        assert_leads_to(&other.get(&path(url)).await, NEW);
        assert_leads_to(&one.get(&path(url)).await, NEW);
    }

    async fn an_edit_that_not_all_have_heard_of_when_the_database_goes_is_not_answered(pair: Pair) {
        let Pair { one, other, of_one, of_other, hearing, url, .. } = &pair;
        let body = json!({"original_url": NEW});
        // It is waited for about two seconds who hears nothing; on a machine that stands still so long, there is another try.
        let refused = async || {
            pair.edit(OLD).await;
            pair.both_know(OLD).await;
            hearing.hang().await;
            let edit = one.request(Method::PUT, &resource(url)).json(&body);
            let cutting = async {
                let target = format!("select count(*) from url where original_url = '{NEW}'");
                let stored = async || pair.database.integer(&target).await == 1;
                eventually::holds("the edit is stored", PATIENCE, stored).await;
                tokio::join!(of_one.cut(), of_other.cut());
            };
            let (answer, ()) = tokio::join!(one.send(edit), cutting);
            if answer.status == 503 {
                return true;
            }
            assert_eq!(answer.status, 200, "{answer:?}");
            tokio::join!(of_one.heal(), of_other.heal(), hearing.heal());
            false
        };
        eventually::holds("an edit is caught on its way", 2 * PATIENCE, refused).await;

        // It was not promised, and is true once they can hear of it.
        assert_leads_to(&other.get(&path(url)).await, OLD);
        tokio::join!(of_one.heal(), of_other.heal(), hearing.heal());
        pair.edit(NEW).await;
        assert_leads_to(&other.get(&path(url)).await, NEW);
    }
}
