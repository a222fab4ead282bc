//! Lets many who need the same of all replicas share one question.

use std::{future::Future, sync::Arc};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How many may wait to ask; more than there can be requests under way.
const WAITING: usize = 1 << 16;

/// The end that asks. What it is told holds for everything that happened before it asked.
#[derive(Clone, Debug)]
pub struct Asker<E> {
    waiting: mpsc::Sender<oneshot::Sender<Result<(), Arc<E>>>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer<E: std::error::Error + 'static> {
    #[error(transparent)]
    Failed(Arc<E>),
    #[error("the service is stopping")]
    Stopping,
}

impl<E: std::error::Error + Send + Sync + 'static> Asker<E> {
    /// Makes an asker, and the worker that serves it: it asks once for all who were waiting when it began.
    pub fn new<F>(
        ask: impl Fn() -> F + Send + 'static,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = anyhow::Result<()>> + Send)
    where
        F: Future<Output = Result<(), E>> + Send,
    {
        let (waiting, mut queue) = mpsc::channel(WAITING);
        let worker = async move {
            let mut served = Vec::new();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    count = queue.recv_many(&mut served, WAITING) => {
                        if count == 0 {
                            return Ok(());
                        }
                    }
                }
                let outcome = ask().await.map_err(Arc::new);
                for waiting in served.drain(..) {
                    // Whoever gave up meanwhile needs no answer.
                    let waiting: oneshot::Sender<_> = waiting;
                    waiting.send(outcome.clone()).ok();
                }
            }
        };
        (Self { waiting }, worker)
    }

    /// Waits for an answer to a question that is asked from now on.
    pub async fn ask(&self) -> Result<(), NoAnswer<E>> {
        let (answer, answered) = oneshot::channel();
        if self.waiting.send(answer).await.is_err() {
            return Err(NoAnswer::Stopping);
        }
        match answered.await {
            Ok(outcome) => outcome.map_err(NoAnswer::Failed),
            Err(_) => Err(NoAnswer::Stopping),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_while_one_asks_share_the_next_question() {
        let asked = Arc::new(AtomicUsize::new(0));
        let go_on = Arc::new(Notify::new());
        let (counted, gate) = (Arc::clone(&asked), Arc::clone(&go_on));
        let (questioner, worker) = Asker::<std::io::Error>::new(
            move || {
                counted.fetch_add(1, Ordering::SeqCst);
                let gate = Arc::clone(&gate);
                async move {
                    gate.notified().await;
                    Ok(())
                }
            },
            CancellationToken::new(),
        );
        let asking = async {
            let first = questioner.ask();
            let others = futures_util::future::join_all((0..10).map(|_| questioner.ask()));
            let release = async {
                go_on.notify_one();
                tokio::task::yield_now().await;
                go_on.notify_one();
            };
            tokio::join!(first, others, release)
        };
        let (first, others, ()) = tokio::select! {
            answers = asking => answers,
            ended = worker => panic!("the worker ended: {ended:?}"),
        };
        assert!(first.is_ok() && others.iter().all(Result::is_ok));
        assert!(asked.load(Ordering::SeqCst) <= 2);
    }
}
