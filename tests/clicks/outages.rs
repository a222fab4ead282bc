//! Postgres restarts, or stands still, and the service is killed in the middle of it.

use harness::{breakable::Breakable, service::Service, soak};

use crate::{
    books::Books,
    visitors::{Visitors, some_urls},
};

const A_FEW: usize = 60;

harness::on_each_postgres! {
    async fn clicks_survive_restarts_of_postgres_and_kills(postgres: Breakable) {
        let Breakable { cluster, database } = postgres;
        let mut service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        let mut books = Books::default();
        for round in 0..soak::rounds(2, 10) {
            let visitors = Visitors::come(&service, &urls);
            visitors.are_answered(A_FEW).await;
            cluster.stop_immediate().await;
            // What they click on is cached, and their clicks stay in the journal.
            visitors.are_answered(A_FEW).await;
            let is_killed_during_the_outage = round % 2 == 0;
            if is_killed_during_the_outage {
                service.kill().await;
                cluster.start_again().await;
            } else {
                cluster.start_again().await;
                visitors.are_answered(A_FEW).await;
                service.kill().await;
            }
            let count = visitors.leave().await;

            service = Service::start(&database).await;
            books.balance(&database, &service, count).await;
        }
    }

    async fn clicks_survive_a_postgres_that_stands_still_and_kills(postgres: Breakable) {
        let Breakable { cluster, database } = postgres;
        let mut service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        let mut books = Books::default();
        for round in 0..soak::rounds(2, 10) {
            let visitors = Visitors::come(&service, &urls);
            visitors.are_answered(A_FEW).await;
            cluster.freeze().await;
            visitors.are_answered(A_FEW).await;
            let is_killed_during_the_outage = round % 2 == 0;
            if is_killed_during_the_outage {
                service.kill().await;
                cluster.thaw().await;
            } else {
                cluster.thaw().await;
                visitors.are_answered(A_FEW).await;
                service.kill().await;
            }
            let count = visitors.leave().await;

            service = Service::start(&database).await;
            books.balance(&database, &service, count).await;
        }
    }
}
