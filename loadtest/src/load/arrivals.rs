//! Requests that come when they come, whether or not the ones before have been answered: an open loop, as visitors are
//! who know nothing of each other.
//!
//! A loop that waits for answers asks a stalled service less, and so measures few of the long waits: coordinated omission
//! (Gil Tene, "How NOT to Measure Latency"). Here each request has a time at which it is due, and its latency counts from then.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use loadtest::chance::Random;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::{
    arguments::Plan,
    links::Links,
    record::{Failure, Outcome, Record},
    target::{Question, Target},
};

/// A request, and when it is due.
type Arrival = (u64, Instant);

/// Asks for as long as the plan says, or until Ctrl-C.
pub(crate) async fn ask(
    plan: &Plan,
    per_second: f64,
    target: &Arc<Target>,
    links: &Arc<Links>,
    record: &Arc<Record>,
) -> anyhow::Result<()> {
    let mut arrivals = arrivals(per_second, plan.duration, plan.seed)?;
    let mut random = Random::new(plan.seed);
    let free = Arc::new(Semaphore::new(plan.under_way as usize));
    let mut under_way = JoinSet::new();
    loop {
        let next = tokio::select! {
            next = arrivals.recv() => next,
            _ = tokio::signal::ctrl_c() => break,
        };
        let Some((number, due)) = next else {
            break;
        };
        let kind = plan.scenario.kind(random.below(100));
        let kind = plan.scenario.at(record.elapsed(), kind);
        let question = Question::new(kind, links, links.draw(&mut random), number);
        let user = u32::try_from(random.below(plan.users.into())).expect("users are 32 bits");
        let Ok(place) = Arc::clone(&free).try_acquire_owned() else {
            record.add(&Outcome {
                kind,
                latency: due.elapsed(),
                failure: Some(Failure::NotSent),
            });
            continue;
        };
        let (target, record) = (Arc::clone(target), Arc::clone(record));
        under_way.spawn(async move {
            let outcome = send(&target, &question, user, due).await;
            record.add(&outcome);
            drop(place);
        });
        // What is done takes no more room.
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
    Ok(())
}

async fn send(target: &Target, question: &Question, user: u32, due: Instant) -> Outcome {
    let request = target.request(question.method.clone(), &question.path, user);
    let request = request.expect("a path that we have made");
    let request = match &question.body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await;
    question.judge(due, answer).await
}

/// Tells when requests are due, by a thread that sleeps: timers of the runtime count whole milliseconds.
fn arrivals(
    per_second: f64,
    length: Duration,
    seed: u64,
) -> anyhow::Result<mpsc::UnboundedReceiver<Arrival>> {
    let (due, arrivals) = mpsc::unbounded_channel();
    let mut random = Random::new(seed.wrapping_add(1));
    let tell = move || {
        let started = Instant::now();
        let mut at = Duration::ZERO;
        for number in 0.. {
            at += Duration::from_secs_f64(random.gap(1.0 / per_second));
            if at >= length {
                return;
            }
            let instant = started + at;
            thread::sleep(instant.saturating_duration_since(Instant::now()));
            if due.send((number, instant)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("arrivals".to_owned())
        .spawn(tell)
        .context("could not start a thread")?;
    Ok(arrivals)
}
