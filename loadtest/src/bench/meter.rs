//! Time, and whose processor time it took: this process's, the database's, or that of others on the machine.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};

/// Started before the work, read after it.
#[derive(Debug)]
pub(super) struct Meter {
    postmaster: u32,
    started: Instant,
    before: Cpu,
}

/// What some work took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub elapsed: Duration,
    /// Of this process.
    pub client: Duration,
    /// Of the database's processes.
    pub server: Duration,
    /// Of everybody else.
    pub others: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Cpu {
    client: Duration,
    server: Duration,
    all: Duration,
}

impl Meter {
    /// For work that the processes below `postmaster` share in.
    pub(super) fn start(postmaster: u32) -> anyhow::Result<Self> {
        Ok(Self {
            postmaster,
            before: Cpu::now(postmaster)?,
            started: Instant::now(),
        })
    }

    pub(super) fn read(&self) -> anyhow::Result<Taken> {
        let elapsed = self.started.elapsed();
        let now = Cpu::now(self.postmaster)?;
        let client = now.client.saturating_sub(self.before.client);
        let server = now.server.saturating_sub(self.before.server);
        let all = now.all.saturating_sub(self.before.all);
        Ok(Taken {
            elapsed,
            client,
            server,
            others: all.saturating_sub(client + server),
        })
    }
}

impl Cpu {
    fn now(postmaster: u32) -> anyhow::Result<Self> {
        Ok(Self {
            client: of_this_process(),
            server: of_family(postmaster)?,
            all: of_machine()?,
        })
    }
}

/// User and system time of this process so far.
pub(super) fn of_this_process() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("time is positive");
    let nanos = u32::try_from(time.tv_nsec).expect("below a second");
    Duration::new(seconds, nanos)
}

/// Of the programs that this process has started and waited for.
pub(super) fn of_the_ended() -> anyhow::Result<Duration> {
    let fields = stat(std::process::id()).context("this process has no status")?;
    Ok(ticks(fields[13] + fields[14]))
}

/// Of the kernel's own threads, which write for others.
pub(super) fn of_the_kernel() -> anyhow::Result<Duration> {
    const KTHREADD: u32 = 2;

    // A container does not see them.
    let is_seen = fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim() == "kthreadd");
    if is_seen {
        of_family(KTHREADD)
    } else {
        Ok(Duration::ZERO)
    }
}

/// Of a process, its children, and those of its children that have ended.
pub(super) fn of_family(parent: u32) -> anyhow::Result<Duration> {
    let mut total = 0;
    // One that has just ended is none of ours to count: its parent does.
    for process in children(parent)? {
        total += stat(process).map_or(0, |fields| fields[11] + fields[12]);
    }
    total += stat(parent).map_or(0, |fields| fields[11..15].iter().sum());
    Ok(ticks(total))
}

/// The processes whose parent this is.
pub(super) fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").context("could not list processes")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if stat(process).is_some_and(|fields| fields[1] == u64::from(parent)) {
            children.push(process);
        }
    }
    Ok(children)
}

/// User and system time of another process so far.
pub(super) fn of_process(process: u32) -> anyhow::Result<Duration> {
    let fields = stat(process).context("the process has no status")?;
    Ok(ticks(fields[11] + fields[12]))
}

/// The parent of a process.
pub(super) fn parent(process: u32) -> anyhow::Result<u32> {
    let fields = stat(process).context("the process has no status")?;
    Ok(u32::try_from(fields[1])?)
}

/// The fields of `/proc/<pid>/stat` behind the program's name; what is no number reads as 0.
fn stat(process: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(
        fields
            .split(' ')
            .map(|field| field.parse().unwrap_or(0))
            .collect(),
    )
}

/// Everything that was not idle, nor waiting for a disk.
pub(super) fn of_machine() -> anyhow::Result<Duration> {
    busy("cpu")
}

/// The same of one core.
pub(super) fn of_core(number: usize) -> anyhow::Result<Duration> {
    busy(&format!("cpu{number}"))
}

fn busy(whose: &str) -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("could not read /proc/stat")?;
    let mut lines = text.lines().map(str::split_whitespace);
    let fields = lines
        .find_map(|mut line| (line.next() == Some(whose)).then_some(line))
        .with_context(|| format!("/proc/stat has no line {whose}"))?;
    let fields: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq
    let busy = [0, 1, 2, 5, 6]
        .iter()
        .filter_map(|&at| fields.get(at))
        .sum();
    Ok(ticks(busy))
}

fn ticks(count: u64) -> Duration {
    Duration::from_micros(count * 1_000_000 / clock_ticks_per_second())
}
