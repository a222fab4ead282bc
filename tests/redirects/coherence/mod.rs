//! An edit is true on every replica when it is answered, whatever becomes of Redis, of the wires, or of a replica.

mod board;
mod cut_off;
mod editor;
mod listening;
mod old_values;
mod outage;
mod replicas;
mod traffic;
mod wired;

use std::time::Duration;

use board::Book;
use harness::{
    database::Database,
    eventually,
    redis::{Kind, Persistence, Redis},
    service::Service,
    soak,
};
use traffic::Traffic;

use crate::links::PATIENCE;

/// So small that hardly anything is remembered in the process, and Redis is asked all the time.
const FORGETFUL: &str = "--cache-max-bytes=1024";

/// An edit that waits for nothing but the other replica. Generous: a debug build on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);

harness::on_each_postgres! {
    async fn without_redis(database: Database) {
        let (one, other) = tokio::join!(Service::start(&database), Service::start(&database));
        let traffic = Traffic::start(&[&one, &other]);
        traffic.edits(soak::rounds(200, 2_000)).await;
        let book = traffic.stop().await;
        report("without Redis", &one, &book).await;
        book.assert_unnoticed();
        assert!(book.median_edit() < AT_ONCE, "{:?}", book.median_edit());
    }

    async fn whatever_becomes_of_redis_7(database: Database) {
        whatever_becomes_of(Kind::Redis7, database).await;
    }

    async fn whatever_becomes_of_valkey_9(database: Database) {
        whatever_becomes_of(Kind::Valkey9, database).await;
    }
}

async fn whatever_becomes_of(kind: Kind, database: Database) {
    let redis = Redis::start(kind, Persistence::Snapshot).await;
    let builders = (
        Service::builder(&database).redis(&redis),
        Service::builder(&database).redis(&redis).arg(FORGETFUL),
    );
    let (one, other) = tokio::join!(builders.0.start(), builders.1.start());
    let traffic = Traffic::start(&[&one, &other]);
    let some = soak::rounds(200, 2_000) / 10;

    for is_killed in [true, false] {
        traffic.edits(some).await;
        redis.flush().await;
        traffic.edits(some).await;
        redis.save().await;
        traffic.edits(some).await;
        if is_killed {
            redis.kill().await;
        } else {
            redis.freeze().await;
        }
        traffic.edits(some).await;
        is_seen(&redis_up(&one, &other, 0.0), "Redis is away").await;
        if is_killed {
            redis.start_again().await;
        } else {
            redis.thaw().await;
        }
        is_seen(&redis_up(&one, &other, 1.0), "Redis is back").await;
        let before = crate::links::lookups(&other, "redis").await;
        traffic.edits(some).await;
        let used = async || crate::links::lookups(&other, "redis").await > before;
        eventually::holds("Redis is used again", PATIENCE, used).await;
    }
    let book = traffic.stop().await;
    report(&format!("{kind:?}"), &one, &book).await;
    book.assert_unnoticed();
    assert!(book.median_edit() < AT_ONCE, "{:?}", book.median_edit());
}

/// Whether both replicas say that of Redis.
fn redis_up<'a>(
    one: &'a Service,
    other: &'a Service,
    expected: f64,
) -> impl AsyncFn() -> bool + 'a {
    async move || {
        one.metric("shortener_redis_up").await == Some(expected)
            && other.metric("shortener_redis_up").await == Some(expected)
    }
}

async fn is_seen(condition: &impl AsyncFn() -> bool, what: &str) {
    eventually::holds(what, PATIENCE, async || condition().await).await;
}

/// Tells what edits cost.
async fn report(what: &str, service: &Service, book: &Book) {
    let barrier = async |part: &str| {
        let series = format!("shortener_edit_barrier_seconds_{part}");
        service.metric(&series).await.unwrap_or(f64::NAN)
    };
    let average = barrier("sum").await / barrier("count").await * 1e3;
    soak::report(&format!(
        "{what}: {} edits among {} visits, {:?} in the median, {:?} at most; barriers {average:.1} ms on average",
        book.edits.len(),
        book.answers,
        book.median_edit(),
        book.slowest_edit(),
    ));
}
