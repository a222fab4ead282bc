//! What the command line can say.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    time::Duration,
};

use goose_reqwest::Url;

use crate::{bounds::Bound, mix::Scenario};

/// Puts a running URL shortener under load, and ends with 0 if it kept the bounds, with 1 if it did not, and with 2 if it could
/// not be measured.
#[derive(clap::Parser, Debug)]
#[command(
    name = "shortener-loadtest",
    version,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub load: Plan,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Holds many users who are connected and seldom click, and says what memory each of them takes.
    Swarm(Swarm),

    /// One process of a swarm.
    #[command(hide = true)]
    SwarmPart(Part),
}

/// A swarm of users.
#[derive(clap::Args, Debug)]
pub(crate) struct Swarm {
    #[command(flatten)]
    pub service: Service,

    /// Users, each with a connection that stays open.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub users: u32,

    /// Seconds that all of them are held.
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub duration: Duration,

    /// Seconds between two clicks of a user, on average. Proxies close a connection on which nothing happens for longer
    /// (`keepalive_timeout` of nginx); who is cut off so comes back, and is counted.
    #[arg(long, default_value = "20", value_parser = seconds)]
    pub every: Duration,

    /// Users who come in a second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub arrivals: u32,

    /// Most users of one process [default: what its limit on open files leaves, at most 15,000, which is also well within the
    /// ports of one address]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub per_process: Option<u32>,

    /// Address that the first process connects from; each further one has the next. 0.0.0.0 leaves it to the system.
    #[arg(long, default_value = "127.1.0.1")]
    pub first_source: Ipv4Addr,

    /// Links that are followed.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub links: u32,

    /// Processes whose memory is the service's [default: those that listen at the port of --base-url]
    #[arg(long, value_name = "PID")]
    pub server: Vec<u32>,
}

/// What one process of a swarm is told.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Part {
    #[arg(long)]
    pub server: SocketAddrV4,
    #[arg(long)]
    pub host: String,
    #[arg(long)]
    pub users: u32,
    #[arg(long)]
    pub source: Ipv4Addr,
    /// That its first user says it has.
    #[arg(long)]
    pub first_address: Option<Ipv4Addr>,
    #[arg(long, value_parser = seconds)]
    pub every: Duration,
    #[arg(long, value_parser = seconds)]
    pub timeout: Duration,
    /// Users who come in a second, to this process.
    #[arg(long)]
    pub arrivals: f64,
    #[arg(long, value_delimiter = ',')]
    pub codes: Vec<String>,
    #[arg(long)]
    pub seed: u64,
}

/// Where the service is, and who asks.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Service {
    /// Where the service, or the proxy before it, answers.
    #[arg(
        long,
        env = "LOADTEST_BASE_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub base_url: Url,

    /// API key of an admin, if the service asks for one.
    #[arg(long, env = "LOADTEST_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,

    /// Send no X-Forwarded-For. Without that header all users have one address, and share its rate limits.
    #[arg(long)]
    pub no_forwarding: bool,

    /// The first of the addresses that users say they have, each its own.
    #[arg(long, default_value = "198.18.0.0")]
    pub first_address: Ipv4Addr,

    /// Longest wait for an answer, in seconds; what takes longer has failed.
    #[arg(long, default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
}

/// One run.
#[derive(clap::Args, Debug)]
#[group(id = "plan")]
pub(crate) struct Plan {
    #[command(flatten)]
    pub service: Service,

    /// What is asked for.
    #[arg(long, value_enum, default_value_t = Scenario::Mix)]
    pub scenario: Scenario,

    /// Users, each of whom asks for one thing after the other. With --rate: how many addresses requests come from.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub users: u32,

    /// Seconds that a user looks at an answer before the next request, on average.
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub pause: Duration,

    /// Seconds over which users come.
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub ramp_up: Duration,

    /// Seconds that all users are there, or that requests arrive.
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub duration: Duration,

    /// End when each user has made so many requests, instead of after a time; in hundreds, the length of a scenario.
    #[arg(long, conflicts_with_all = ["duration", "rate"])]
    pub hundreds: Option<u32>,

    /// Requests a second, whether or not the ones before have been answered (an open loop). Latency counts from when a request
    /// was due, so that a service that stalls cannot hide it by being asked less.
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,

    /// Most requests under way at once with --rate; what is due beyond that fails.
    #[arg(long, default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    pub under_way: u32,

    /// Links that are made beforehand, to be followed.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub links: u32,

    /// Leave the links, and the user who owns them, when done.
    #[arg(long)]
    pub keep: bool,

    /// Most failed requests. A 429 is a failure: users within their limits must not meet one.
    #[arg(long, default_value_t = 0)]
    pub failures: u64,

    /// Bound on the median, in milliseconds, of all requests or of one kind: 20, or redirect=5. May be given repeatedly.
    #[arg(long, value_name = "[KIND=]MS")]
    pub p50: Vec<Bound>,

    /// The same for what 95 of a hundred requests take at most.
    #[arg(long, value_name = "[KIND=]MS")]
    pub p95: Vec<Bound>,

    /// The same for what 99 of a hundred requests take at most.
    #[arg(long, value_name = "[KIND=]MS")]
    pub p99: Vec<Bound>,

    /// Chance repeats itself with the same seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Folder for the reports; it is made, and older ones in it are written over.
    #[arg(long, default_value = "loadtest-report")]
    pub report: PathBuf,
}

/// A time that can be a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds is wanted, such as 30 or 0.5".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok();
    rate.filter(|rate| (0.1..=100_000.0).contains(rate))
        .ok_or_else(|| "a number of requests a second is wanted, from 0.1 to 100000".to_owned())
}
