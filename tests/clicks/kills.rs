//! A service that is killed again and again, and each time finds what the one before it left.

use harness::{database::Database, service::Service, soak};

use crate::{
    books::Books,
    visitors::{Visitors, some_urls},
};

/// So many that the kill comes in the middle of several batches.
const BEFORE_THE_KILL: usize = 200;

harness::on_each_database! {
    async fn clicks_survive_one_kill_after_another(database: Database) {
        let mut service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        let mut books = Books::default();
        for _ in 0..soak::rounds(1, 10) {
            let visitors = Visitors::come(&service, &urls);
            visitors.are_answered(BEFORE_THE_KILL).await;
            service.kill().await;
            let count = visitors.leave().await;

            service = Service::start(&database).await;
            books.balance(&database, &service, count).await;
        }
    }

    async fn a_service_killed_before_it_has_adopted_leaves_everything_to_the_next(database: Database) {
        let service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        let held = database.hold_recorders().await;
        let visitors = Visitors::come(&service, &urls);
        visitors.are_answered(BEFORE_THE_KILL).await;
        service.kill().await;
        let count = visitors.leave().await;
        held.release().await;

        for _ in 0..soak::rounds(2, 5) {
            // Whatever it has just begun to do.
            Service::start(&database).await.kill().await;
        }
        let service = Service::start(&database).await;
        Books::default().balance(&database, &service, count).await;
    }
}
