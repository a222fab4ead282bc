//! A stretch of time in which one server is under load, and who used the processors in it.

use std::time::{Duration, Instant};

use super::{cores::Core, meter};

/// More than this part of a core in the hands of others, and a window says little.
const TOLERATED: f64 = 0.05;

/// How long to wait for others to be done before measuring anyway.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the machine is watched before it counts as quiet.
const GLANCE: Duration = Duration::from_millis(500);

/// Who takes part: everybody else is a disturbance. Each stands for itself and its children.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    /// The server that is measured.
    pub server: u32,
    /// Postgres, if it belongs to the play.
    pub postgres: Option<u32>,
    /// Those that should be idle.
    pub idle: Vec<u32>,
    /// Where the server is.
    pub core: Core,
}

#[derive(Debug)]
pub(super) struct Window<'a> {
    cast: &'a Cast,
    started: Instant,
    before: Times,
}

/// Who used how much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    pub elapsed: Duration,
    /// Of the server's core, whoever it was.
    pub core: Duration,
    /// Of the server.
    pub server: Duration,
    pub postgres: Duration,
    /// Of those who have no business here.
    pub others: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    core: Duration,
    server: Duration,
    postgres: Duration,
    /// All that belongs to the benchmark: those two, the idle ones, this process, its clients that have ended, the kernel.
    ours: Duration,
    all: Duration,
}

impl<'a> Window<'a> {
    pub(super) fn open(cast: &'a Cast) -> anyhow::Result<Self> {
        Ok(Self {
            cast,
            before: Times::now(cast)?,
            started: Instant::now(),
        })
    }

    pub(super) fn close(self) -> anyhow::Result<Shares> {
        let elapsed = self.started.elapsed();
        let now = Times::now(self.cast)?;
        let since = |of: fn(&Times) -> Duration| of(&now).saturating_sub(of(&self.before));
        Ok(Shares {
            elapsed,
            core: since(|times| times.core),
            server: since(|times| times.server),
            postgres: since(|times| times.postgres),
            others: since(|times| times.all).saturating_sub(since(|times| times.ours)),
        })
    }
}

impl Shares {
    /// Cores that others kept busy.
    pub(super) fn disturbance(&self) -> f64 {
        self.others.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    pub(super) fn is_disturbed(&self) -> bool {
        self.disturbance() > TOLERATED
    }
}

impl Times {
    fn now(cast: &Cast) -> anyhow::Result<Self> {
        let server = meter::of_family(cast.server)?;
        let postgres = cast.postgres.map_or(Ok(Duration::ZERO), meter::of_family)?;
        let mut ours = server + postgres + meter::of_the_kernel()?;
        for idle in &cast.idle {
            ours += meter::of_family(*idle)?;
        }
        ours += meter::of_this_process() + meter::of_the_ended()?;
        Ok(Self {
            core: meter::of_core(cast.core.0)?,
            server,
            postgres,
            ours,
            all: meter::of_machine()?,
        })
    }
}

/// Waits until nobody else works on this machine, but not for ever.
pub(super) async fn quiet(cast: &Cast) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let window = Window::open(cast)?;
        tokio::time::sleep(GLANCE).await;
        if !window.close()?.is_disturbed() || Instant::now() >= deadline {
            return Ok(());
        }
    }
}
