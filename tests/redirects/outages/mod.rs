//! Redis or Postgres is away: who follows a link that is known notices nothing, and nothing needs a restart.

mod encrypted;
mod postgres;
mod visitors;

use std::time::Duration;

use harness::{
    database::{Backend, Database},
    eventually,
    redis::{Kind, Persistence, Redis},
    service::Service,
    soak,
};
use visitors::{Visit, Visitors, assert_each, assert_quick};

use crate::links::PATIENCE;

/// A link that is known: a second is promised; the rest is for a slow machine.
const KNOWN: Duration = Duration::from_secs(2);

/// A link that is not: two seconds are promised.
const STRANGE: Duration = Duration::from_secs(4);

const A_FEW: usize = 100;

const MANY: usize = 500;

/// A server to share links in, and a database.
struct Stack {
    redis: Redis,
    database: Database,
}

impl Stack {
    async fn fresh(backend: Backend) -> Self {
        Self {
            redis: Redis::start(Kind::beside(backend), Persistence::Snapshot).await,
            database: Database::fresh(backend).await,
        }
    }

    async fn service(&self) -> Service {
        Service::builder(&self.database)
            .redis(&self.redis)
            .start()
            .await
    }
}

harness::on_each_postgres! {
    async fn a_redis_that_goes_is_noticed_and_not_missed(stack: Stack) {
        let service = stack.service().await;
        is_up(&service, 1.0).await;
        let visitors = Visitors::come(&service).await;
        for _ in 0..soak::rounds(1, 5) {
            visitors.follow(A_FEW).await;
            stack.redis.flush().await;
            visitors.follow(A_FEW).await;

            stack.redis.freeze().await;
            is_not_missed(&service, &visitors).await;
            stack.redis.thaw().await;
            is_used_again(&service, &stack.redis, &visitors).await;

            stack.redis.save().await;
            stack.redis.kill().await;
            is_not_missed(&service, &visitors).await;
            stack.redis.start_again().await;
            is_used_again(&service, &stack.redis, &visitors).await;
        }
        visitors.follow(A_FEW).await;
        let visits = visitors.leave().await;
        assert_each(&visits.known, KNOWN, Visit::is_redirect);
        assert_each(&visits.strange, STRANGE, Visit::is_redirect);
    }

    async fn a_redis_that_is_not_there_yet_is_not_waited_for(stack: Stack) {
        stack.redis.kill().await;
        let service = stack.service().await;
        let visitors = Visitors::come(&service).await;
        is_not_missed(&service, &visitors).await;
        stack.redis.start_again().await;
        is_used_again(&service, &stack.redis, &visitors).await;
        visitors.leave().await;
    }
}

async fn is_up(service: &Service, expected: f64) {
    let up = async || service.metric("shortener_redis_up").await == Some(expected);
    eventually::holds("the state of Redis is seen", PATIENCE, up).await;
}

async fn failed_requests(service: &Service) -> usize {
    let mut sum = 0;
    for outcome in ["error", "timeout", "skipped"] {
        let series = format!("shortener_redis_requests_total{{outcome=\"{outcome}\"}}");
        sum += service.count(&series).await;
    }
    sum
}

/// While Redis is away: bearable at first, and soon as if it had never been there.
async fn is_not_missed(service: &Service, visitors: &Visitors) {
    is_up(service, 0.0).await;
    visitors.follow(A_FEW).await;
    assert!(failed_requests(service).await > 0, "it is counted");
    let first = visitors.take();
    assert_each(&first.known, KNOWN, Visit::is_redirect);
    assert_each(&first.strange, STRANGE, Visit::is_redirect);

    visitors.follow(MANY).await;
    let later = visitors.take();
    assert_each(&later.known, KNOWN, Visit::is_redirect);
    assert_each(&later.strange, KNOWN, Visit::is_redirect);
    assert_quick("without Redis", &later.known);
    assert_eq!(service.management("/readyz").await.status, 200);
}

async fn is_used_again(service: &Service, redis: &Redis, visitors: &Visitors) {
    is_up(service, 1.0).await;
    let before = redis.keys().await;
    let grows = async || redis.keys().await > before;
    eventually::holds("strange links are shared again", PATIENCE, grows).await;
    visitors.follow(A_FEW).await;
    let visits = visitors.take();
    assert_each(&visits.known, KNOWN, Visit::is_redirect);
    assert_each(&visits.strange, STRANGE, Visit::is_redirect);
}
