//! Postgres is lost, and a standby takes over that had not got everything yet.

use std::{sync::Arc, time::Duration};

use harness::{
    breakable::Breakable, chaos_proxy::ChaosProxy, database::Database, eventually,
    postgres::Cluster, service::Service, soak,
};

use crate::{
    books::{Books, number_of_clicks},
    visitors::{Visitors, some_urls},
};

const A_FEW: usize = 60;

const SOON: Duration = Duration::from_secs(30);

/// A primary, its standby, and the wires between them and the service.
struct Pair {
    primary: Arc<Cluster>,
    standby: Arc<Cluster>,
    database: Database,
    /// From the primary to the standby.
    replication: ChaosProxy,
    /// From the service to whichever is the primary.
    service: ChaosProxy,
}

impl Pair {
    async fn fresh(backend: harness::database::Backend) -> Self {
        let Breakable { cluster, database } = Breakable::fresh(backend).await;
        let replication = ChaosProxy::start(cluster.addr()).await;
        let standby = Arc::new(cluster.standby(replication.addr()).await);
        Self {
            service: ChaosProxy::start(cluster.addr()).await,
            primary: cluster,
            standby,
            database,
            replication,
        }
    }

    async fn start_service(&self) -> Service {
        let direct = self.primary.addr().to_string();
        let through = self.service.addr().to_string();
        // The address is the proxy's before and after.
        let url = self.database.url().replace(&direct, &through);
        let url = url.replace(&self.standby.addr().to_string(), &through);
        Service::builder(&self.database)
            .env("DATABASE_URL", url)
            .start()
            .await
    }

    /// Waits until the standby has all that the primary has now.
    async fn catch_up(&self) {
        let mut primary = self.primary.connect("postgres").await;
        let position: String = sqlx::query_scalar("select pg_current_wal_lsn()::text")
            .fetch_one(&mut primary)
            .await
            .unwrap();
        let mut standby = self.standby.connect("postgres").await;
        let there = async || {
            sqlx::query_scalar("select pg_last_wal_replay_lsn() >= $1::pg_lsn")
                .bind(&position)
                .fetch_one(&mut standby)
                .await
                .unwrap()
        };
        eventually::holds("the standby has caught up", SOON, there).await;
    }

    async fn fail_over(&mut self) {
        self.primary.kill().await;
        self.service.cut().await;
        self.standby.promote().await;
        self.database.fail_over(&self.standby);
        self.service.lead_to(self.standby.addr());
        self.service.heal().await;
    }
}

/// In turn.
#[derive(Clone, Copy, Debug)]
enum KilledWhen {
    Never,
    DuringTheFailover,
    /// What it had recorded is lost with the primary, and it is not there to know.
    BeforeIt,
}

harness::on_each_postgres! {
    async fn what_a_lagging_standby_never_got_is_recorded_again(pair: Pair) {
        let backend = pair.primary.backend();
        drop(pair);
        let turns = [KilledWhen::Never, KilledWhen::DuringTheFailover, KilledWhen::BeforeIt];
        for killed in turns.into_iter().cycle().take(soak::rounds(3, 9)) {
            round(Pair::fresh(backend).await, killed).await;
        }
    }

    async fn what_a_clean_end_had_recorded_before_the_failover_is_recorded_again(pair: Pair) {
        let mut pair = pair;
        let service = pair.start_service().await;
        let urls = some_urls(&service).await;
        pair.catch_up().await;
        pair.replication.cut().await;
        let visitors = Visitors::come(&service, &urls);
        visitors.are_answered(A_FEW).await;
        let count = visitors.leave().await;
        let exit = service.terminate().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");

        pair.fail_over().await;
        assert!(number_of_clicks(&pair.database).await < count.answered, "the standby lagged");
        let service = pair.start_service().await;
        Books::default().balance(&pair.database, &service, count).await;
    }

    async fn a_closed_journal_that_the_standby_never_heard_of_is_recorded_again(pair: Pair) {
        let mut pair = pair;
        let service = pair.start_service().await;
        let urls = some_urls(&service).await;
        service.terminate().await;
        pair.catch_up().await;
        pair.replication.cut().await;
        let service = pair.start_service().await;
        let visitors = Visitors::come(&service, &urls);
        visitors.are_answered(A_FEW).await;
        let count = visitors.leave().await;
        let exit = service.terminate().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        assert!(number_of_clicks(&pair.database).await >= count.answered);

        pair.fail_over().await;
        let service = pair.start_service().await;
        Books::default().balance(&pair.database, &service, count).await;
    }
}

async fn round(mut pair: Pair, killed: KilledWhen) {
    let mut service = pair.start_service().await;
    let urls = some_urls(&service).await;
    let visitors = Visitors::come(&service, &urls);
    visitors.are_answered(A_FEW).await;
    pair.catch_up().await;
    pair.replication.cut().await;
    let replicated = number_of_clicks(&pair.database).await;
    let more = async || number_of_clicks(&pair.database).await > replicated + A_FEW;
    eventually::holds("the primary records what the standby lacks", SOON, more).await;

    let count = match killed {
        KilledWhen::Never => {
            pair.fail_over().await;
            visitors.are_answered(A_FEW).await;
            visitors.leave().await
        }
        KilledWhen::DuringTheFailover => {
            pair.primary.kill().await;
            visitors.are_answered(A_FEW).await;
            service.kill().await;
            let count = visitors.leave().await;
            pair.fail_over().await;
            service = pair.start_service().await;
            count
        }
        KilledWhen::BeforeIt => {
            service.kill().await;
            let count = visitors.leave().await;
            service = pair.start_service().await;
            Books::default()
                .settled(&pair.database, &service, count.answered)
                .await;
            pair.fail_over().await;
            count
        }
    };
    Books::default()
        .balance(&pair.database, &service, count)
        .await;
}
