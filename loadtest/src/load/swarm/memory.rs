//! How much memory processes have, and the machine has left.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, ensure};

/// In bytes.
#[derive(Debug)]
pub(super) struct Memory {
    pub server: u64,
    /// How many processes that is.
    pub servers: usize,
    pub client: u64,
    /// What the machine could still give: what the kernel keeps for connections is missing from it, too.
    pub available: u64,
}

impl Memory {
    pub(super) fn look(servers: &[u32], clients: &[u32]) -> anyhow::Result<Self> {
        let sum = |pids: &[u32]| -> anyhow::Result<u64> {
            let sizes = pids.iter().map(|pid| resident(*pid));
            sizes.sum()
        };
        Ok(Self {
            server: sum(servers)?,
            servers: servers.len(),
            client: sum(clients)?,
            available: field("/proc/meminfo", "MemAvailable:")?,
        })
    }
}

/// Those that were named, or else those that listen at the port.
pub(super) fn servers(named: &[u32], port: u16) -> anyhow::Result<Vec<u32>> {
    let mut pids: BTreeSet<u32> = named.iter().copied().collect();
    if pids.is_empty() {
        let sockets = listening(port);
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if has_one_of(pid, &sockets) {
                pids.insert(pid);
            }
        }
    }
    for pid in &pids {
        ensure!(
            resident(*pid).is_ok(),
            "there is no process {pid}: --server"
        );
    }
    if pids.is_empty() {
        eprintln!(
            "note: nothing of this machine listens at port {port}, or it is somebody else's: --server names its processes"
        );
    }
    Ok(pids.into_iter().collect())
}

fn resident(pid: u32) -> anyhow::Result<u64> {
    field(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// A line such as `VmRSS:  1234 kB`.
fn field(path: &str, name: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(path).with_context(|| format!("could not read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let kilobytes: u64 = number.with_context(|| format!("{path} has no {name}"))?;
    Ok(kilobytes << 10)
}

/// The sockets that listen at a port, as links in `/proc/PID/fd` name them.
fn listening(port: u16) -> BTreeSet<String> {
    let mut sockets = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // A machine without IPv6 has no second one.
        let Ok(text) = fs::read_to_string(table) else {
            continue;
        };
        sockets.extend(text.lines().filter_map(|line| listener(line, port)));
    }
    sockets
}

/// A line of the table: number, local address, remote one, state, four things, the socket's number.
fn listener(line: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let mut cells = line.split_whitespace();
    let (_, local) = cells.nth(1)?.rsplit_once(':')?;
    let state = cells.nth(1)?;
    let inode = cells.nth(5)?;
    let is_it = state == LISTEN && u16::from_str_radix(local, 16) == Ok(port);
    is_it.then(|| format!("socket:[{inode}]"))
}

fn has_one_of(pid: u32, sockets: &BTreeSet<String>) -> bool {
    // Processes of others, and those that have just ended, are not to be looked into.
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    files.filter_map(Result::ok).any(|file| {
        let link = fs::read_link(file.path());
        link.is_ok_and(|link| link.to_str().is_some_and(|link| sockets.contains(link)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_by_its_port() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 24567 1 0000 100 0 0 10 0";
        assert_eq!(listener(line, 8080).as_deref(), Some("socket:[24567]"));
        assert_eq!(listener(line, 8081), None);
        let connected = line.replace(" 0A ", " 01 ");
        assert_eq!(listener(&connected, 8080), None);
        assert_eq!(listener("  sl  local_address rem_address   st", 8080), None);
    }

    #[test]
    fn this_process_has_memory() {
        let memory = Memory::look(&[], &[std::process::id()]).unwrap();
        assert!(
            memory.client > 1 << 20 && memory.available > 1 << 20,
            "{memory:?}"
        );
        assert_eq!(memory.server, 0);
    }
}
