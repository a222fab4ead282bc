//! How many connections there may be, and what one may cost.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use prometheus::{IntCounter, IntGauge, Registry};
use rustix::process::{Resource, getrlimit};
use tokio::{
    io::AsyncWrite,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};

use crate::metrics::registered;

/// File descriptors for everything else: databases, Redis, the journal, uploads, management.
const OTHER_FILES: u64 = 256;

/// Enough for any replica; each connection costs the kernel some kilobytes.
const MOST: u64 = 65_536;

/// Connections of the public listener.
#[derive(Debug)]
pub struct ConnectionMetrics {
    open: IntGauge,
    full: IntCounter,
}

impl ConnectionMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let open = IntGauge::new("shortener_connections", "Open connections of clients.")?;
        let full = IntCounter::new(
            "shortener_connections_full_total",
            "Times that no more connections were accepted until one ended.",
        )?;
        Ok(Self {
            open: registered(registry, open)?,
            full: registered(registry, full)?,
        })
    }
}

/// Room for connections. Who finds none waits in the kernel's queue.
#[derive(Clone, Debug)]
pub struct Room {
    places: Option<Arc<Semaphore>>,
    metrics: Option<Arc<ConnectionMetrics>>,
}

/// A place that is kept for as long as the connection lasts.
#[derive(Debug)]
pub struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    metrics: Option<Arc<ConnectionMetrics>>,
}

impl Room {
    /// For `limit` connections, 0 for any number; by default as many as the process may have files.
    pub fn new(limit: Option<u32>, metrics: Arc<ConnectionMetrics>) -> Self {
        let limit = limit.map_or_else(default_limit, u64::from);
        let limit = usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS);
        let places = Semaphore::new(limit.min(Semaphore::MAX_PERMITS));
        Self {
            places: (limit > 0).then(|| Arc::new(places)),
            metrics: Some(metrics),
        }
    }

    /// For any number, which nobody counts.
    pub fn unlimited() -> Self {
        Self {
            places: None,
            metrics: None,
        }
    }

    /// Waits until there is room for one more.
    pub async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let places = Arc::clone(self.places.as_ref()?);
        if let Ok(permit) = Arc::clone(&places).try_acquire_owned() {
            return Some(permit);
        }
        if let Some(metrics) = &self.metrics {
            metrics.full.inc();
        }
        let permit = places.acquire_owned().await;
        Some(permit.expect("nothing closes the semaphore"))
    }

    /// Notes that there is a connection now.
    pub fn take(&self, permit: Option<OwnedSemaphorePermit>) -> Place {
        if let Some(metrics) = &self.metrics {
            metrics.open.inc();
        }
        Place {
            _permit: permit,
            metrics: self.metrics.clone(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.open.dec();
        }
    }
}

/// What the limit on open files leaves.
fn default_limit() -> u64 {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    files
        .saturating_sub(OTHER_FILES)
        .max(files / 2)
        .clamp(1, MOST)
}

/// A writer whose peer reads what it asked for: it fails once nothing could be written for a while.
#[derive(Debug)]
pub struct Impatient<W> {
    writer: W,
    patience: Duration,
    /// Set while a write waits.
    over: Option<Pin<Box<Sleep>>>,
}

impl<W> Impatient<W> {
    pub fn new(writer: W, patience: Duration) -> Self {
        Self {
            writer,
            patience,
            over: None,
        }
    }

    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.over = None;
            return written;
        }
        let patience = self.patience;
        let begin = || Box::pin(sleep_until(Instant::now() + patience));
        let over = self.over.get_or_insert_with(begin);
        ready!(over.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Impatient<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.writer).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.writer).poll_write_vectored(context, parts);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.writer).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.writer).poll_shutdown(context);
        self.judge(context, shut)
    }
}
