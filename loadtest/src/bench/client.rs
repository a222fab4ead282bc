//! An HTTP client for what wrk cannot do: each request once and no more, or each at its time, whether or not the ones
//! before it have been answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use loadtest::{chance::Random, head::Head};

use super::{cores::Core, failures, spread::quantile};

/// Answers are shorter, but for a list of a hundred.
const BUFFER: usize = 16 << 10;

/// Makes the request with a number, counted from 0.
pub(super) type Requests = Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync>;

/// Whom to ask for what.
#[derive(Clone)]
pub(super) struct Client {
    pub core: Core,
    pub addr: SocketAddr,
    pub connections: u32,
    pub requests: Requests,
    /// What every answer has to have.
    pub status: u16,
}

/// When a request goes out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As soon as one before it is answered; so many in all.
    Count(u32),
    /// The same, for so long.
    For(Duration),
    /// When it comes, as visitors who know nothing of each other do: so many a second on average, for so long. Latencies
    /// count from then, even if no connection was free.
    Arrivals {
        per_second: f64,
        length: Duration,
        seed: u64,
    },
}

/// What the client saw.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Of each request, sorted.
    milliseconds: Vec<f64>,
    /// Answered by another status.
    pub failures: u32,
    elapsed: Duration,
}

impl Outcome {
    pub(super) fn quantile(&self, part: f64) -> f64 {
        quantile(&self.milliseconds, part)
    }

    pub(super) fn requests(&self) -> u32 {
        u32::try_from(self.milliseconds.len()).expect("not that many")
    }

    /// Answers per second.
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.requests()) / self.elapsed.as_secs_f64()
    }
}

impl Client {
    /// Asks, from one thread of the client's core.
    pub(super) fn run(&self, pace: Pace) -> anyhow::Result<Outcome> {
        let asking = || -> anyhow::Result<Outcome> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(self.ask(pace))
        };
        tokio::task::block_in_place(|| self.core.host(asking))?
    }

    async fn ask(&self, pace: Pace) -> anyhow::Result<Outcome> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(Connection::open(self.addr).await?);
        }
        let (arrivals, queue) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        let next = Arc::new(AtomicU32::new(0));
        let started = Instant::now();
        let mut workers = JoinSet::new();
        for connection in connections {
            let worker = Worker {
                connection,
                requests: Arc::clone(&self.requests),
                status: self.status,
                milliseconds: Vec::new(),
                failures: 0,
            };
            match pace {
                Pace::Count(count) => {
                    workers.spawn(worker.one_by_one(Arc::clone(&next), count, None));
                }
                Pace::For(length) => {
                    let end = Some(started + length);
                    workers.spawn(worker.one_by_one(Arc::clone(&next), u32::MAX, end));
                }
                Pace::Arrivals { .. } => {
                    workers.spawn(worker.on_arrival(Arc::clone(&queue)));
                }
            }
        }
        if let Pace::Arrivals {
            per_second,
            length,
            seed,
        } = pace
        {
            let mut random = Random::new(seed);
            let mut at = Duration::ZERO;
            for number in 0.. {
                at += Duration::from_secs_f64(random.gap(1.0 / per_second));
                if at >= length {
                    break;
                }
                // A timer's milliseconds are too coarse for this, so the core spins; answers are read meanwhile.
                while started.elapsed() < at {
                    tokio::task::yield_now().await;
                }
                arrivals.send((number, started + at))?;
            }
        }
        drop(arrivals);
        let mut outcome = Outcome {
            milliseconds: Vec::new(),
            failures: 0,
            elapsed: Duration::ZERO,
        };
        while let Some(done) = workers.join_next().await {
            let mut worker = done??;
            outcome.milliseconds.append(&mut worker.milliseconds);
            outcome.failures += worker.failures;
        }
        outcome.elapsed = started.elapsed();
        ensure!(!outcome.milliseconds.is_empty(), "nothing was asked");
        failures::tolerate(outcome.failures, outcome.requests())?;
        outcome.milliseconds.sort_by(f64::total_cmp);
        Ok(outcome)
    }
}

/// One connection's work.
struct Worker {
    connection: Connection,
    requests: Requests,
    status: u16,
    milliseconds: Vec<f64>,
    failures: u32,
}

/// A request's number, and when it was to be sent.
type Arrival = (u32, Instant);

impl Worker {
    async fn one_by_one(
        mut self,
        next: Arc<AtomicU32>,
        count: u32,
        end: Option<Instant>,
    ) -> anyhow::Result<Self> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let now = Instant::now();
            if number >= count || end.is_some_and(|end| now >= end) {
                return Ok(self);
            }
            self.ask(number, now).await?;
        }
    }

    async fn on_arrival(
        mut self,
        queue: Arc<Mutex<mpsc::UnboundedReceiver<Arrival>>>,
    ) -> anyhow::Result<Self> {
        loop {
            let arrival = queue.lock().await.recv().await;
            let Some((number, since)) = arrival else {
                return Ok(self);
            };
            self.ask(number, since).await?;
        }
    }

    async fn ask(&mut self, number: u32, since: Instant) -> anyhow::Result<()> {
        let request = (self.requests)(number);
        let status = self.connection.exchange(&request).await?;
        self.milliseconds.push(since.elapsed().as_secs_f64() * 1e3);
        self.failures += u32::from(status != self.status);
        Ok(())
    }
}

/// Kept open from answer to answer.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(addr: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    /// Sends a request, and reads the answer to its end. Returns its status.
    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        let has_no_body = request.starts_with(b"HEAD ");
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(
                read > 0,
                "the connection was closed in the middle of an answer"
            );
            let Some(head) = Head::read(&self.buffer)? else {
                continue;
            };
            let body = if has_no_body { 0 } else { head.body };
            if self.buffer.len() >= head.length + body {
                return Ok(head.status);
            }
        }
    }
}
