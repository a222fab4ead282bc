//! Under which conditions was measured: without them a figure says little.

use std::{fs, path::Path};

use anyhow::Context as _;
use harness::postgres::Cluster;

use super::{meter, recording::store};

#[derive(Debug)]
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    memory: String,
    kernel: String,
    pub load: String,
}

impl Machine {
    pub(super) fn look() -> anyhow::Result<Self> {
        let field = |file: &str, name: &str| -> anyhow::Result<String> {
            let text = read(file)?;
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            Ok(value.map_or_else(
                || "unknown".to_owned(),
                |(_, value)| value.trim().to_owned(),
            ))
        };
        Ok(Self {
            cpu: field("/proc/cpuinfo", "model name")?,
            cores: std::thread::available_parallelism()?.get(),
            memory: field("/proc/meminfo", "MemTotal")?,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load: load()?,
        })
    }

    pub(super) fn facts(&self) -> [(&'static str, String); 3] {
        [
            ("CPU", format!("{}, {} cores", self.cpu, self.cores)),
            ("Memory", self.memory.clone()),
            ("Kernel", format!("Linux {}", self.kernel)),
        ]
    }
}

/// The load averages over 1, 5 and 15 minutes.
pub(super) fn load() -> anyhow::Result<String> {
    let text = read("/proc/loadavg")?;
    Ok(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

/// Gives Postgres a quarter of the memory, as its documentation has it for a machine of its own:
/// <https://www.postgresql.org/docs/15/runtime-config-resource.html#GUC-SHARED-BUFFERS>.
pub(super) async fn give_memory(cluster: &Cluster) -> anyhow::Result<()> {
    let memory = read("/proc/meminfo")?;
    let kib = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
        .context("/proc/meminfo does not tell the memory")?;
    let mib = kib.parse::<u64>()? / 1_024 / 4;
    let setting = format!("alter system set shared_buffers = '{mib}MB'");
    cluster.execute("postgres", &setting).await;
    cluster.restart().await;
    Ok(())
}

/// The version of Postgres and the settings that matter here.
pub(super) async fn postgres(cluster: &Cluster) -> anyhow::Result<String> {
    let mut connection = cluster.connect("postgres").await;
    let mut facts = Vec::new();
    for setting in [
        "server_version",
        "fsync",
        "synchronous_commit",
        "full_page_writes",
        "shared_buffers",
        "max_wal_size",
    ] {
        let value = store::setting(&mut connection, setting).await?;
        facts.push(format!("{setting} = {value}"));
    }
    Ok(facts.join(", "))
}

/// The process that the processes of a cluster are children of.
pub(super) async fn postmaster(cluster: &Cluster) -> anyhow::Result<u32> {
    let mut connection = cluster.connect("postgres").await;
    let backend = store::backend(&mut connection).await?;
    meter::parent(u32::try_from(backend)?)
}

fn read(path: impl AsRef<Path>) -> anyhow::Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
}
