//! How much may be asked with a key: it has a limit of its own, wherever it is used from.

use harness::{
    answer::Answer,
    database::{Backend, Database},
    service::Service,
};
use reqwest::Method;

use crate::keyed::{self, Keyed};

/// Tests that take longer than a bucket needs to fill would never see it empty.
const LIMITS: [&str; 3] = [
    "--trusted-proxies=127.0.0.1/32",
    "--api-rate=1",
    "--api-burst=20",
];

/// More than fit a bucket on the slowest machine.
const MANY: usize = 500;

struct Limited(Keyed);

impl Limited {
    async fn fresh(backend: Backend) -> Self {
        Self::on(Database::fresh(backend).await).await
    }

    async fn on(database: Database) -> Self {
        let mut builder = keyed::builder(&database);
        for limit in LIMITS {
            builder = builder.arg(limit);
        }
        let service = builder.start().await;
        Self(Keyed { service, database })
    }

    async fn restarted(self) -> Self {
        let Keyed { service, database } = self.0;
        assert_eq!(service.terminate().await.code, Some(0));
        Self::on(database).await
    }

    fn service(&self) -> &Service {
        &self.0.service
    }

    async fn get(&self, key: &str, address: &str) -> Answer {
        let mut request = self
            .service()
            .request(Method::GET, "/urls")
            .header("x-forwarded-for", address);
        if !key.is_empty() {
            request = request.bearer_auth(key);
        }
        self.service().send(request).await
    }

    /// Asks from one address after another until the limit is met.
    async fn exhaust(&self, key: &str, addresses: &[&str]) {
        for address in addresses.iter().cycle().take(MANY) {
            if self.get(key, address).await.status == 429 {
                return;
            }
        }
        panic!("{MANY} requests met no limit");
    }
}

harness::on_each_database! {
    async fn a_key_has_a_limit_of_its_own(limited: Limited) {
        let [busy, calm] = [limited.0.user().await.key, limited.0.user().await.key];
        let (office, home) = ("203.0.113.7", "203.0.113.8");
        for key in [&busy, &calm] {
            assert_eq!(limited.get(key, office).await.status, 200, "now they are known");
        }
        limited.exhaust(&busy, &[office, home]).await;
        limited.get(&busy, "203.0.113.9").await.assert_problem(429);
        let colleague = limited.get(&calm, office).await;
        assert_eq!(colleague.status, 200, "the same address, another key: {colleague:?}");
    }

    async fn who_brings_no_good_key_is_told_apart_by_address(limited: Limited) {
        let key = limited.0.user().await.key;
        assert_eq!(limited.get(&key, "203.0.113.7").await.status, 200);
        for bad in ["", "no key of ours"] {
            assert_eq!(limited.get(bad, "198.51.100.1").await.status, 401);
        }
        limited.exhaust("a guess", &["198.51.100.1"]).await;
        limited.get("", "198.51.100.1").await.assert_problem(429);
        assert_eq!(limited.get("", "198.51.100.2").await.status, 401, "another address");
        let known = limited.get(&key, "198.51.100.1").await;
        assert_eq!(known.status, 200, "strangers at its address do not use up a key's limit: {known:?}");
    }

    async fn strangers_keep_no_key_out_after_a_restart(limited: Limited) {
        let key = limited.0.user().await.key;
        let limited = limited.restarted().await;
        let office = "203.0.113.7";
        limited.exhaust("a guess", &[office]).await;
        let first = limited.get(&key, office).await;
        assert_eq!(first.status, 200, "this process has not seen the key before: {first:?}");
    }
}
