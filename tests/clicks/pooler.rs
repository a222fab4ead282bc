//! Behind PgBouncer, which gives each transaction another session where it knows how to.

use harness::{
    database::{Backend, Database},
    pgbouncer::{PgBouncer, Pooling},
    postgres::Cluster,
    service::{Service, ServiceBuilder},
    soak,
};

use crate::{
    books::Books,
    visitors::{Visitors, path, some_urls},
};

const A_FEW: usize = 100;

/// Fewer than two services have, so that sessions change hands after each transaction.
const FEW_CONNECTIONS: usize = 6;

/// As many as two services may open, and their heir.
const ENOUGH_CONNECTIONS: usize = 60;

/// A database, and a pooler in front of it.
struct Pooled {
    database: Database,
    pooler: PgBouncer,
    direct: String,
    through: String,
}

impl Pooled {
    async fn fresh(backend: Backend) -> Self {
        let pooling = Pooling::best();
        soak::report(&format!("PgBouncer pools by {pooling:?}"));
        let addr = Cluster::shared(backend).await.addr();
        let connections = match pooling {
            Pooling::Session => ENOUGH_CONNECTIONS,
            Pooling::Transaction => FEW_CONNECTIONS,
        };
        let pooler = PgBouncer::start(addr, pooling, connections).await;
        let database = Database::fresh(backend).await;
        let direct = database.url();
        let through = direct.replace(&addr.to_string(), &pooler.addr().to_string());
        Self {
            database,
            pooler,
            direct,
            through,
        }
    }

    fn builder(&self) -> ServiceBuilder<'_> {
        Service::builder(&self.database)
            .env("DATABASE_URL", self.through.clone())
            .env("DATABASE_SESSION_URL", self.direct.clone())
    }
}

harness::on_each_postgres! {
    async fn a_pooler_is_not_noticed(pooled: Pooled) {
        is_not_noticed(pooled).await;
    }
}

async fn is_not_noticed(pooled: Pooled) {
    let (one, other) = tokio::join!(pooled.builder().start(), pooled.builder().start());
    let urls = some_urls(&one).await;
    for number in 1..=soak::rounds(20, 200) {
        assert_eq!(one.get(&path(&urls[0])).await.status, 302);
        let stats = other.get(&format!("/urls/{}/stats", urls[0]["id"])).await;
        assert_eq!(stats.status, 200, "{stats:?}; it said:\n{}", other.output());
        assert_eq!(
            stats.json()["bots"],
            number,
            "seen through the other one at once"
        );
    }
    let exit = other.terminate().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");

    let mut books = Books::default();
    books.settled_first(&pooled.database, &one).await;
    let visitors = Visitors::come(&one, &urls);
    visitors.are_answered(A_FEW).await;
    one.kill().await;
    let count = visitors.leave().await;
    let heir = pooled.builder().start().await;
    books.balance(&pooled.database, &heir, count).await;
    drop(pooled.pooler);
}
