//! Users who are connected and seldom click: as many processes as the limits on open files and ports ask for, and what memory
//! each user takes on both sides.

mod memory;
pub(crate) mod part;

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddrV4},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    arguments::{Service, Swarm},
    links::Links,
    target::Target,
};
use memory::Memory;
use part::Count;

/// Open files of a process that are no connections.
const OTHER_FILES: u64 = 100;

/// An address has 28,000 ports by default, of which others have some.
const MOST_PER_PROCESS: u32 = 15_000;

/// How long the last users may take to come.
const PATIENCE: Duration = Duration::from_mins(1);

/// A part that says nothing for so long has stopped.
const SILENCE: Duration = Duration::from_secs(30);

/// What was seen while everybody was there.
struct Held {
    /// Fewest who were connected at once.
    least: u64,
    clicks: u64,
    length: Duration,
    memory: Memory,
}

/// Whether everybody came, and nothing failed.
pub(crate) async fn run(plan: &Swarm) -> anyhow::Result<bool> {
    let target = Arc::new(Target::reach(&plan.service).await?);
    let server = server(&target).await?;
    let pids = memory::servers(&plan.server, server.port())?;
    let links = Links::create(&target, plan.links).await?;
    let before = Memory::look(&pids, &[])?;

    let mut parts = Parts::start(plan, server, &target, &links)?;
    let held = parts.hold(plan, &pids).await;
    let ends = parts.end().await;
    links.delete(&target).await;
    let (held, ends) = (held?, ends?);
    let failures: u64 = ends.failures.iter().map(|(count, _)| count).sum();

    println!("{}", report(plan, parts.0.len(), &before, &held, &ends));
    Ok(failures == 0 && held.least > 0)
}

/// Where connections go to.
async fn server(target: &Target) -> anyhow::Result<SocketAddrV4> {
    let base = target.base();
    ensure!(
        base.scheme() == "http",
        "a swarm speaks no TLS: --base-url wants http://…"
    );
    let host = base.host_str().context("an address without a host")?;
    let port = base.port_or_known_default().unwrap_or(80);
    let addresses = tokio::net::lookup_host((host, port)).await?;
    for address in addresses {
        if let std::net::SocketAddr::V4(address) = address {
            return Ok(address);
        }
    }
    bail!("{host} has no IPv4 address, which a swarm needs")
}

/// Processes, each with its users, and what they say.
struct Parts(Vec<(Child, Lines<BufReader<ChildStdout>>)>);

/// What all parts said last.
#[derive(Default)]
struct Ends {
    reconnects: u64,
    failures: Vec<(u64, String)>,
    /// In milliseconds, of the slowest part.
    p50: f64,
    p99: f64,
}

impl Parts {
    fn start(
        plan: &Swarm,
        server: SocketAddrV4,
        target: &Target,
        links: &Links,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program has no path")?;
        let sizes = sizes(plan.users, per_process(plan)?);
        let mut parts = Vec::new();
        let mut first_user = 0;
        for (number, users) in (0_u32..).zip(sizes) {
            let mut command = Command::new(&program);
            let share = f64::from(plan.arrivals) * f64::from(users) / f64::from(plan.users);
            command
                .arg("swarm-part")
                .args(["--server", &server.to_string()])
                .args(["--host", &host(target)])
                .args(["--users", &users.to_string()])
                .args(["--source", &source(plan, server, number).to_string()])
                .args(["--every", &plan.every.as_secs_f64().to_string()])
                .args(["--timeout", &plan.service.timeout.as_secs_f64().to_string()])
                .args(["--arrivals", &share.to_string()])
                .args(["--codes", &links.codes().join(",")])
                .args(["--seed", &number.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                // It ends when its standard input does, even if we are killed.
                .kill_on_drop(true);
            if let Some(first) = first_address(&plan.service, first_user) {
                command.args(["--first-address", &first.to_string()]);
            }
            let mut child = command
                .spawn()
                .context("could not start a process of the swarm")?;
            let stdout = child.stdout.take().expect("it is piped");
            parts.push((child, BufReader::new(stdout).lines()));
            first_user += users;
        }
        Ok(Self(parts))
    }

    /// Waits until everybody is there, and then for as long as the plan says.
    async fn hold(&mut self, plan: &Swarm, pids: &[u32]) -> anyhow::Result<Held> {
        let coming = Duration::from_secs_f64(f64::from(plan.users) / f64::from(plan.arrivals));
        let deadline = Instant::now() + coming + PATIENCE;
        let mut at_start = self.count().await?;
        while at_start.connected < plan.users.into() {
            tell("coming", at_start);
            ensure!(
                Instant::now() < deadline,
                "only {} of {} users are connected, with {} failures; does the service have room for more open files?",
                at_start.connected,
                plan.users,
                at_start.failures
            );
            at_start = self.count().await?;
        }
        let since = Instant::now();
        let mut now = at_start;
        let mut least = at_start.connected;
        while since.elapsed() < plan.duration {
            tokio::select! {
                count = self.count() => now = count?,
                _ = tokio::signal::ctrl_c() => break,
            }
            least = least.min(now.connected);
            tell("held", now);
        }
        let clients: Vec<u32> = self.0.iter().filter_map(|(child, _)| child.id()).collect();
        Ok(Held {
            least,
            clicks: now.clicks - at_start.clicks,
            length: since.elapsed(),
            memory: Memory::look(pids, &clients)?,
        })
    }

    /// The sum of what each part says next: they do so every second.
    async fn count(&mut self) -> anyhow::Result<Count> {
        let mut sum = Count::default();
        for (_, lines) in &mut self.0 {
            let line = timeout(SILENCE, lines.next_line()).await;
            let line = line.context("a process of the swarm has stopped")??;
            let line = line.context("a process of the swarm has ended")?;
            sum = sum + line.parse()?;
        }
        Ok(sum)
    }

    /// Has them end, and say what failed.
    async fn end(&mut self) -> anyhow::Result<Ends> {
        let mut ends = Ends::default();
        for (child, _) in &mut self.0 {
            drop(child.stdin.take());
        }
        for (child, lines) in &mut self.0 {
            while let Some(line) = lines.next_line().await? {
                ends.read(&line);
            }
            child.wait().await?;
        }
        Ok(ends)
    }
}

impl Ends {
    fn read(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(": ") else {
            return;
        };
        let number = value.parse::<f64>().unwrap_or_default();
        match name {
            "reconnects" => self.reconnects += value.parse::<u64>().unwrap_or_default(),
            "p50" => self.p50 = self.p50.max(number),
            "p99" => self.p99 = self.p99.max(number),
            _ => {
                let count = value.parse().unwrap_or_default();
                self.failures.push((count, name.to_owned()));
            }
        }
    }
}

fn host(target: &Target) -> String {
    let base = target.base();
    let host = base.host_str().unwrap_or_default();
    match base.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Loopback has 16 million addresses to connect from; elsewhere the system knows best.
fn source(plan: &Swarm, server: SocketAddrV4, number: u32) -> Ipv4Addr {
    let first = plan.first_source;
    let is_elsewhere = first.is_loopback() && !server.ip().is_loopback();
    if first.is_unspecified() || is_elsewhere {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::from_bits(first.to_bits().wrapping_add(number))
    }
}

fn first_address(service: &Service, user: u32) -> Option<Ipv4Addr> {
    let first = service.first_address.to_bits().wrapping_add(user);
    (!service.no_forwarding).then(|| Ipv4Addr::from_bits(first))
}

fn per_process(plan: &Swarm) -> anyhow::Result<u32> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = limit.maximum.unwrap_or(u64::MAX);
    let room = limit.saturating_sub(OTHER_FILES);
    let room = u32::try_from(room).unwrap_or(u32::MAX);
    ensure!(
        room > 0,
        "the limit on open files, {limit}, leaves no room for users: ulimit -Hn"
    );
    match plan.per_process {
        Some(wanted) => {
            ensure!(
                wanted <= room,
                "--per-process {wanted} is more than the limit on open files leaves: {room} (ulimit -Hn is {limit})"
            );
            Ok(wanted)
        }
        None => Ok(room.min(MOST_PER_PROCESS)),
    }
}

/// How many users each process has: all about the same.
fn sizes(users: u32, most: u32) -> Vec<u32> {
    let parts = users.div_ceil(most);
    let of = |part| users / parts + u32::from(part < users % parts);
    (0..parts).map(of).collect()
}

fn tell(what: &str, count: Count) {
    eprintln!(
        "{what}: {} connected, {} clicks, {} failures",
        count.connected, count.clicks, count.failures
    );
}

fn report(plan: &Swarm, processes: usize, before: &Memory, held: &Held, ends: &Ends) -> String {
    let users = f64::from(plan.users);
    let each = |now: u64, then: u64| {
        #[expect(clippy::cast_precision_loss, reason = "bytes of one machine")]
        let more = now.saturating_sub(then) as f64;
        format!("{:.1} KiB", more / 1024.0 / users)
    };
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let now = &held.memory;
    let mut text = format!(
        "\n{} users in {processes} processes, held for {:.0} s; a click of each every {:?}\n\
         connected at once, at least: {}\n\
         clicks: {} ({:.0} a second), p50 {:.1} ms, p99 {:.1} ms in the slowest process\n\
         came back after being closed while idle: {}\n\
         memory of the service, {} processes: {} before, {} with them, {} a user\n\
         memory of the clients: {}, {} a user\n\
         memory of the machine, the kernel's buffers included: {} a user, both sides\n",
        plan.users,
        held.length.as_secs_f64(),
        plan.every,
        held.least,
        held.clicks,
        rate(held),
        ends.p50,
        ends.p99,
        ends.reconnects,
        now.servers,
        mib(before.server),
        mib(now.server),
        each(now.server, before.server),
        mib(now.client),
        each(now.client, 0),
        each(before.available, now.available),
    );
    if ends.failures.is_empty() {
        text.push_str("ok     failures: 0\n");
    }
    for (count, failure) in &ends.failures {
        _ = writeln!(text, "FAILED {count} times {failure}");
    }
    text
}

fn rate(held: &Held) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of clicks")]
    let clicks = held.clicks as f64;
    clicks / held.length.as_secs_f64().max(0.001)
}

#[cfg(test)]
mod tests {
    use super::sizes;

    #[test]
    fn processes_share_users_evenly() {
        assert_eq!(sizes(10, 15_000), [10]);
        assert_eq!(
            sizes(100_000, 15_000),
            [14_286, 14_286, 14_286, 14_286, 14_286, 14_285, 14_285]
        );
        assert_eq!(sizes(3, 1), [1, 1, 1]);
    }
}
