//! Which processor core a program runs on: a server and its client do not get into each other's way, and what a server
//! takes can be read off its core.

use anyhow::{Context as _, ensure};
use rustix::{
    process::Pid,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use super::meter;

/// A core, by the kernel's number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Core(pub usize);

/// What there is to run on.
#[derive(Clone, Debug)]
pub(super) struct Cores {
    all: CpuSet,
    pub server: Core,
    pub client: Core,
}

impl Cores {
    /// Takes the first two that this process may use.
    pub(super) fn pick() -> anyhow::Result<Self> {
        let all = sched_getaffinity(None).context("could not ask which cores there are")?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (Some(server), Some(client)) = (usable.next(), usable.next()) else {
            anyhow::bail!(
                "this benchmark needs two processor cores, one for the server and one for its client"
            );
        };
        Ok(Self {
            all,
            server: Core(server),
            client: Core(client),
        })
    }

    /// Moves a running program to `core`: `parent` and its children, each of which has one thread. That is how Postgres is
    /// made. Children to come inherit it.
    pub(super) fn move_to(&self, parent: u32, core: Core) -> anyhow::Result<()> {
        ensure!(self.all.is_set(core.0), "no such core: {core:?}");
        place(parent, &core.alone())
    }

    /// Lets it run anywhere again.
    pub(super) fn let_go(&self, parent: u32) -> anyhow::Result<()> {
        place(parent, &self.all)
    }
}

impl Core {
    /// Has everything that `start` starts run on this core alone, and `start` itself, too.
    pub(super) fn host<T>(self, start: impl FnOnce() -> T) -> anyhow::Result<T> {
        let before = sched_getaffinity(None)?;
        sched_setaffinity(None, &self.alone())
            .with_context(|| format!("could not move to core {}", self.0))?;
        let started = start();
        sched_setaffinity(None, &before)?;
        Ok(started)
    }

    fn alone(self) -> CpuSet {
        let mut set = CpuSet::new();
        set.set(self.0);
        set
    }
}

fn place(parent: u32, cores: &CpuSet) -> anyhow::Result<()> {
    // The parent first, so that no child is born elsewhere after the look at its children.
    put(parent, cores).context("could not move a program to another core")?;
    for child in meter::children(parent)? {
        // One that has ended meanwhile needs no place.
        _ = put(child, cores);
    }
    Ok(())
}

fn put(process: u32, cores: &CpuSet) -> anyhow::Result<()> {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    sched_setaffinity(Some(process.context("no process has that id")?), cores)?;
    Ok(())
}
