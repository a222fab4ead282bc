//! When to stop, and what must have ended by then.

use std::{future::Future, sync::Arc};

use tokio::{
    signal::unix::{self, Signal, SignalKind},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{error::ApiError, trace};

/// Everything that runs beside the requests. Nothing is spawned and forgotten: a worker that ends before it is told to
/// stops the whole process, which then says why.
#[derive(Clone, Debug)]
pub struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
    failed: Arc<Failure>,
}

#[derive(Debug, Default)]
struct Failure {
    cause: std::sync::Mutex<Option<anyhow::Error>>,
    happened: Notify,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            stop: CancellationToken::new(),
            tracker: TaskTracker::new(),
            failed: Arc::default(),
        }
    }
}

impl Tasks {
    /// Cancelled when no more requests are to be taken.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Runs a worker that must go on until `stop`.
    pub fn spawn_worker(
        &self,
        name: &'static str,
        stop: CancellationToken,
        worker: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let failed = Arc::clone(&self.failed);
        #[expect(clippy::disallowed_methods, reason = "this is where tasks are tracked")]
        let task = tokio::spawn(worker);
        self.tracker.spawn(async move {
            let error = match task.await {
                Ok(Ok(())) if stop.is_cancelled() => return,
                Ok(Ok(())) => anyhow::anyhow!("it ended"),
                Ok(Err(error)) => error,
                Err(error) => error.into(),
            };
            let error = error.context(format!("the {name} stopped working"));
            failed
                .cause
                .lock()
                .expect("nothing panics while it holds the lock")
                .get_or_insert(error);
            failed.happened.notify_one();
        });
    }

    /// Runs something that may end whenever it likes, such as a connection.
    pub fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tracker.spawn(task)
    }

    /// Does something to its end, even if whoever asked for it goes away meanwhile.
    pub async fn carry_out<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.spawn(trace::within(trace::current(), work)).await {
            Ok(outcome) => outcome,
            Err(error) => Err(anyhow::Error::new(error).into()),
        }
    }

    /// Resolves when a worker has died, with the cause.
    pub async fn failure(&self) -> anyhow::Error {
        self.failed.happened.notified().await;
        self.failed
            .cause
            .lock()
            .expect("nothing panics while it holds the lock")
            .take()
            .unwrap_or_else(|| anyhow::anyhow!("a worker stopped working"))
    }

    /// Resolves when everything has ended.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// A client's connections are tasks like others.
impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}

/// `SIGTERM` (Kubernetes, Compose) and `SIGINT` (Ctrl-C).
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the signals do not end the process by themselves.
    pub fn install() -> Self {
        let handler = |kind| unix::signal(kind).expect("the runtime has its I/O driver enabled");
        Self {
            terminate: handler(SignalKind::terminate()),
            interrupt: handler(SignalKind::interrupt()),
        }
    }

    /// Resolves on the next signal, with its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
