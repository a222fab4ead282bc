//! SIGTERM under load: all is recorded before the process is gone, and nothing is left for the next one.

use std::time::Duration;

use harness::{breakable::Breakable, database::Database, service::Service, soak};
use rustix::process::Signal;

use crate::{
    books::{Books, listed_clicks, number_of_clicks},
    journals::{data_dir, journals},
    visitors::{Visitors, some_urls},
};

const A_FEW: usize = 200;

/// For what is recorded, and for what cannot be.
const SOON: Duration = Duration::from_secs(30);

harness::on_each_database! {
    async fn a_clean_end_under_load_leaves_nothing_behind(database: Database) {
        let mut recorded = 0;
        for round in 1..=soak::rounds(2, 10) {
            let service = Service::start(&database).await;
            assert_eq!(listed_clicks(&service).await.len(), recorded, "recorded twice");
            let urls = some_urls(&service).await;
            let visitors = Visitors::come(&service, &urls);
            visitors.are_answered(A_FEW).await;
            let exit = service.terminate().await;
            let count = visitors.leave().await;

            assert_eq!(exit.code, Some(0), "{exit:?}");
            let clicks = number_of_clicks(&database).await - recorded;
            assert!(count.answered <= clicks && clicks <= count.sent, "{clicks} of {count:?}");
            recorded += clicks;
            let open = "select count(*) from journal where closed_at is null";
            assert_eq!(database.integer(open).await, 0, "the journal is closed in the database");
            let folders = journals(&data_dir(&database));
            assert_eq!(folders.len(), round, "kept for a while, in case of a fail-over");
            for folder in folders {
                assert!(folder.is_closed(), "{} is closed on the disk", folder.path().display());
            }
        }
        let service = Service::start(&database).await;
        assert_eq!(listed_clicks(&service).await.len(), recorded);
        assert_eq!(service.metric("shortener_journals_adopted_total").await, Some(0.0));
    }
}

harness::on_each_postgres! {
    async fn an_end_without_the_database_leaves_everything_for_the_next_start(postgres: Breakable) {
        let Breakable { cluster, database } = postgres;
        let service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        let held = database.hold_recorders().await;
        let visitors = Visitors::come(&service, &urls);
        visitors.are_answered(A_FEW).await;
        cluster.stop_immediate().await;
        drop(held);
        service.signal(Signal::TERM);
        let exit = service.exit(SOON).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let count = visitors.leave().await;

        cluster.start_again().await;
        let service = Service::start(&database).await;
        Books::default().balance(&database, &service, count).await;
    }
}
