//! Every setting the service has: one flag, one environment variable, one documented default each.
//!
//! A secret also has a `_FILE` form that names a file to read it from. Nothing else reads the environment.

use std::{fmt, fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use clap::{CommandFactory as _, FromArgMatches as _};
use ipnet::IpNet;

use crate::{
    access::Mode,
    client::arguments::UrlsCommand,
    database::open::DatabaseUrl,
    http::{client_address::ForwardingHeader, cors::Origin, host::Host},
    keys::arguments::KeysCommand,
    rate_limit::Rate,
    redis_client,
    trace::arguments::TraceArguments,
    urls::private_target::PrivateTargets,
};

/// A URL shortener: redirects, clicks and their API, on SQLite or Postgres.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "shortener", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub serve: Config,
}

impl Cli {
    /// Reads the command line and the environment. A variable that is set to nothing counts as not set, which is what
    /// `${NAME:-}` in a Compose file means.
    pub fn read() -> Result<Self, clap::Error> {
        let matches = without_empty_variables(Self::command()).try_get_matches()?;
        Self::from_arg_matches(&matches)
    }
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| {
            #[expect(clippy::disallowed_methods, reason = "this is where settings are read")]
            let is_empty = arg
                .get_env()
                .and_then(std::env::var_os)
                .is_some_and(|value| value.is_empty());
            if is_empty { arg.env(None::<&str>) } else { arg }
        })
        .mut_subcommands(without_empty_variables)
}

#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Run the service; what happens without a command, too.
    Serve(Box<Config>),
    /// Bring the database's schema to what this version needs, and end.
    Migrate(MigrateConfig),
    /// Make, list and revoke API keys, in the database itself.
    #[command(subcommand)]
    Keys(Box<KeysCommand>),
    /// Make, see and change short URLs, through the API of a running service.
    #[command(subcommand)]
    Urls(Box<UrlsCommand>),
    /// Ask a running service whether it can serve; ends with 0 if so. For container health checks.
    Healthcheck(HealthcheckConfig),
    /// Print what makes a shell complete commands and flags: `source <(shortener completions bash)`
    Completions { shell: clap_complete::Shell },
    /// Print the table of settings as Markdown.
    #[command(hide = true)]
    Settings,
    /// Print the table of metrics as Markdown.
    #[command(hide = true)]
    Metrics,
    /// Print the API's routes and the scopes that they ask for.
    #[command(hide = true)]
    Routes,
    /// Print the OpenAPI document of the API, which `/openapi.json` serves.
    Openapi,
}

#[derive(clap::Args, Clone, Debug)]
pub struct Config {
    /// Address of the API, the pages and the redirects.
    #[arg(long, env = "SHORTENER_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Address of `/metrics`, `/livez` and `/readyz`, which are not for the public.
    #[arg(
        long,
        env = "SHORTENER_MANAGEMENT_LISTEN",
        default_value = "127.0.0.1:8081"
    )]
    pub management_listen: SocketAddr,

    /// How long requests under way may take after SIGTERM, in seconds. A second signal ends them at once.
    #[arg(long, env = "SHORTENER_DRAIN_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub drain_seconds: u64,

    #[command(flatten)]
    pub access: AccessConfig,

    #[command(flatten)]
    pub limits: LimitsConfig,

    #[command(flatten)]
    pub rates: RatesConfig,

    /// How many hours the answer to a request with an `Idempotency-Key` is kept, with what the request made.
    #[arg(long, env = "SHORTENER_IDEMPOTENCY_HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8_760))]
    pub idempotency_hours: u64,

    #[command(flatten)]
    pub links: LinksConfig,

    #[command(flatten)]
    pub clicks: ClicksConfig,

    #[command(flatten)]
    pub database: DatabaseConfig,

    #[command(flatten)]
    pub log: LogConfig,

    #[command(flatten)]
    pub trace: TraceArguments,
}

#[derive(clap::Args, Clone, Debug)]
pub struct AccessConfig {
    /// Who may use the API. `keys`: whoever sends an API key. `off`: everybody who reaches the listener, but for pages of other
    /// sites, which change nothing. `auto`: while both listeners are on loopback, whoever is on this machine, and requests that
    /// came from elsewhere are refused; else `keys`.
    #[arg(long, env = "SHORTENER_AUTH", value_enum, default_value_t = Auth::Auto)]
    pub auth: Auth,

    /// File that holds an admin's API key, which is any text of 32 or more printable characters. Obeyed from start to start:
    /// another text is another key. Without one, a key is made at the first start that asks for keys, and left in the file
    /// `admin-key` of the data folder.
    #[arg(long, env = "SHORTENER_ADMIN_KEY_FILE")]
    pub admin_key_file: Option<PathBuf>,

    /// How many days entries of the audit log are kept; 0 for ever.
    #[arg(long, env = "SHORTENER_AUDIT_RETENTION_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(..=36_500))]
    pub audit_retention_days: u64,

    /// Host names that the service answers to, separated by commas, such as `go.example.com`. Links back to them are
    /// refused as loops, and so are, with `SHORTENER_AUTH=off`, changes by pages under other domains.
    #[arg(long, env = "SHORTENER_PUBLIC_HOSTS", value_delimiter = ',', value_parser = parse_host)]
    pub public_hosts: Vec<Host>,

    /// Sites whose pages may use the API from a browser, separated by commas, such as `https://app.example.com`; `*` for all. Each
    /// page sends a key of its own. Where only this machine may, only its own pages may, such as `http://localhost:3000`.
    #[arg(long, env = "SHORTENER_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,

    /// Networks whose `X-Forwarded-For` and `Forwarded` headers are believed, separated by commas, such as `10.0.0.0/8`.
    #[arg(long, env = "SHORTENER_TRUSTED_PROXIES", value_delimiter = ',', value_parser = parse_network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Which header trusted proxies write. Name the one, and a client cannot choose its address by sending the other.
    #[arg(long, env = "SHORTENER_FORWARDING_HEADER", value_enum, default_value_t = ForwardingHeader::Either)]
    pub forwarding_header: ForwardingHeader,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum Auth {
    Auto,
    Keys,
    Off,
}

#[derive(clap::Args, Clone, Copy, Debug)]
pub struct LimitsConfig {
    /// Largest JSON body, in bytes; 0 for no limit.
    #[arg(long, env = "SHORTENER_MAX_JSON_BYTES", default_value_t = 1 << 20)]
    pub max_json_bytes: u64,

    /// Longest original URL, in bytes; 0 for no limit.
    #[arg(long, env = "SHORTENER_MAX_URL_BYTES", default_value_t = 8 << 10)]
    pub max_url_bytes: u64,

    /// Largest bulk file, in bytes; 0 for no limit.
    #[arg(long, env = "SHORTENER_MAX_BULK_BYTES", default_value_t = 2 << 30)]
    pub max_bulk_bytes: u64,

    /// Most connections of clients at a time; 0 for no limit. Above it nobody is turned away: who comes waits until a
    /// connection ends [default: what the limit on open files leaves, at most 65,536]
    #[arg(long, env = "SHORTENER_MAX_CONNECTIONS")]
    pub max_connections: Option<u32>,

    /// What becomes of original URLs that lead into a private network, by their address or by a name such as `localhost`
    /// or `wiki.corp`. `refuse`: 422. `allow`: shortened, for a service inside such a network.
    #[arg(long, env = "SHORTENER_PRIVATE_TARGETS", value_enum, default_value_t = PrivateTargets::Refuse)]
    pub private_targets: PrivateTargets,
}

#[derive(clap::Args, Clone, Copy, Debug)]
pub struct RatesConfig {
    /// Redirects that one client address may ask this replica for in a second, in the long run; 0 for no limit. Who is on
    /// this machine is not limited.
    #[arg(long, env = "SHORTENER_REDIRECT_RATE", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(..=MAX_RATE))]
    pub redirect_rate: u32,

    /// Redirects that one client address may ask for at once.
    #[arg(long, env = "SHORTENER_REDIRECT_BURST", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=MAX_RATE))]
    pub redirect_burst: u32,

    /// API requests that may be made in a second with one API key, or from one client address without one, over all replicas
    /// (if they share a Redis), in the long run; 0 for no limit.
    #[arg(long, env = "SHORTENER_API_RATE", default_value_t = 100, value_parser = clap::value_parser!(u32).range(..=MAX_RATE))]
    pub api_rate: u32,

    /// API requests that may be made at once with one API key, or from one client address without one.
    #[arg(long, env = "SHORTENER_API_BURST", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=MAX_RATE))]
    pub api_burst: u32,
}

const MAX_RATE: i64 = 1_000_000;

#[derive(clap::Args, Clone, Debug)]
pub struct LinksConfig {
    /// Most memory that cached links may take, in bytes.
    #[arg(long, env = "SHORTENER_CACHE_MAX_BYTES", default_value_t = 256 << 20)]
    pub cache_max_bytes: u64,

    /// How long cached links are served while Postgres cannot be asked whether they still hold, in seconds.
    #[arg(long, env = "SHORTENER_STALE_LIMIT", default_value_t = 3_600)]
    pub stale_limit: u64,

    /// Redis, for links and limits that replicas share: `redis://:password@host:6379/0`, or `rediss://` for TLS. Without
    /// one, or while it is away, links come from the database and each replica limits for itself.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,

    /// File that holds the Redis URL, instead of giving it directly.
    #[arg(long, env = "REDIS_URL_FILE")]
    pub redis_url_file: Option<PathBuf>,

    /// File with the certificate of the authority that signed Redis' certificate, in PEM [default: the system's]
    #[arg(long, env = "SHORTENER_REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
}

#[derive(clap::Args, Clone, Debug)]
pub struct ClicksConfig {
    /// Most disk space that the journal of clicks may take, in bytes. It fills while the database is away; when it is full,
    /// redirects go on and their clicks are lost, and counted.
    #[arg(long, env = "SHORTENER_JOURNAL_MAX_BYTES", default_value_t = 1 << 30)]
    pub journal_max_bytes: u64,

    /// How often the journal is synced to the disk at least, in milliseconds: what a power cut can lose. Under load it is
    /// synced after each 256 KiB as well.
    #[arg(long, env = "SHORTENER_JOURNAL_SYNC_MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..))]
    pub journal_sync_ms: u64,

    /// How many days single clicks are kept; 0 for ever. Statistics and the log of events are not affected. On Postgres,
    /// whole months go.
    #[arg(long, env = "SHORTENER_CLICK_RETENTION_DAYS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=36_500))]
    pub click_retention_days: u64,

    /// File in MaxMind's format (.mmdb) that tells the country of an address. Without one, clicks have no country.
    #[arg(long, env = "SHORTENER_GEOIP_FILE")]
    pub geoip_file: Option<PathBuf>,
}

#[derive(clap::Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// Folder for what the service keeps on disk.
    #[arg(long, env = "SHORTENER_DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// Where the data is: `postgres://user:password@host/name`, or `sqlite:` and the path of a file
    /// [default: `sqlite:shortener.db` in the data folder]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// File that holds the database URL, instead of giving it directly.
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,

    /// Where connections to the same database keep their session, if `DATABASE_URL` leads to a pooler (PgBouncer) that does
    /// not keep it. Used to listen for notifications, and to migrate.
    #[arg(long, env = "DATABASE_SESSION_URL", hide_env_values = true)]
    pub database_session_url: Option<Secret>,

    /// File that holds the session URL, instead of giving it directly.
    #[arg(long, env = "DATABASE_SESSION_URL_FILE")]
    pub database_session_url_file: Option<PathBuf>,

    /// Most connections to Postgres, besides one that listens. The sum over all replicas must stay below what the server allows.
    #[arg(long, env = "SHORTENER_DATABASE_MAX_CONNECTIONS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(8..))]
    pub database_max_connections: u32,

    /// How long to wait at the start for a database that is not up yet, in seconds.
    #[arg(long, env = "SHORTENER_DATABASE_WAIT_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub database_wait_seconds: u64,

    /// Whether to bring the schema up to date at the start (`auto`), or to wait until `shortener migrate` has (`off`).
    #[arg(long, env = "SHORTENER_MIGRATE", value_enum, default_value_t = Migrate::Auto)]
    pub migrate: Migrate,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum Migrate {
    Auto,
    Off,
}

#[derive(clap::Args, Clone, Debug)]
pub struct MigrateConfig {
    #[command(flatten)]
    pub database: DatabaseConfig,

    #[command(flatten)]
    pub log: LogConfig,
}

#[derive(clap::Args, Clone, Debug)]
pub struct HealthcheckConfig {
    /// Address of the management listener to ask.
    #[arg(
        long,
        env = "SHORTENER_MANAGEMENT_LISTEN",
        default_value = "127.0.0.1:8081"
    )]
    pub management_listen: SocketAddr,
}

#[derive(clap::Args, Clone, Debug)]
pub struct LogConfig {
    /// What is logged, as a `tracing` filter, such as `info,shortener=debug`.
    #[arg(long, env = "SHORTENER_LOG", default_value = "info")]
    pub log_filter: String,

    /// Form of the log: `json`, `text`, or `auto`, which is text on a terminal and JSON elsewhere.
    #[arg(long, env = "SHORTENER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    Auto,
    Json,
    Text,
}

impl Config {
    /// Who is let in. An address that other machines reach asks for keys, unless somebody says that it need not.
    pub fn mode(&self) -> Mode {
        let is_loopback = [self.listen, self.management_listen]
            .iter()
            .all(|address| address.ip().is_loopback());
        match self.access.auth {
            Auth::Off => Mode::Open,
            Auth::Auto if is_loopback => Mode::ThisMachine,
            Auth::Auto | Auth::Keys => Mode::Keys,
        }
    }
}

impl DatabaseConfig {
    /// The database's place: the URL given, or the file that holds it, or a file in the data folder.
    pub fn url(&self) -> anyhow::Result<DatabaseUrl> {
        let Some(text) = Secret::resolve(
            "DATABASE_URL",
            self.database_url.as_ref(),
            self.database_url_file.as_ref(),
        )?
        else {
            return Ok(DatabaseUrl::Sqlite(self.data_dir.join("shortener.db")));
        };
        // The value may hold a password: the message must not repeat it.
        DatabaseUrl::parse(text.expose())
            .map_err(|problem| anyhow::anyhow!("DATABASE_URL {problem}"))
    }

    /// Where sessions are kept, if that is another place than the database's.
    pub fn session_url(&self) -> anyhow::Result<Option<DatabaseUrl>> {
        let text = Secret::resolve(
            "DATABASE_SESSION_URL",
            self.database_session_url.as_ref(),
            self.database_session_url_file.as_ref(),
        )?;
        text.map(|text| {
            DatabaseUrl::parse(text.expose())
                .map_err(|problem| anyhow::anyhow!("DATABASE_SESSION_URL {problem}"))
        })
        .transpose()
    }

    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.database_wait_seconds)
    }
}

impl RatesConfig {
    pub fn redirects(&self) -> Option<Rate> {
        rate(self.redirect_rate, self.redirect_burst)
    }

    pub fn api(&self) -> Option<Rate> {
        rate(self.api_rate, self.api_burst)
    }
}

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    (per_second > 0).then_some(Rate { per_second, burst })
}

impl LinksConfig {
    /// The Redis that the settings name.
    pub fn redis(&self) -> anyhow::Result<Option<redis::Client>> {
        let url = Secret::resolve(
            "REDIS_URL",
            self.redis_url.as_ref(),
            self.redis_url_file.as_ref(),
        )?;
        url.map(|url| redis_client::client(url.expose(), self.redis_ca_file.as_deref()))
            .transpose()
    }

    pub fn stale_limit(&self) -> Duration {
        Duration::from_secs(self.stale_limit)
    }
}

impl ClicksConfig {
    pub fn sync_interval(&self) -> Duration {
        Duration::from_millis(self.journal_sync_ms)
    }
}

impl LimitsConfig {
    /// A limit as a number to compare with: 0 in a setting means none.
    pub fn or_none(limit: u64) -> u64 {
        if limit == 0 { u64::MAX } else { limit }
    }
}

/// A value that never reaches a log line: `Debug` prints dots.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value given, or the contents of the file given, without the line break at its end.
    pub(crate) fn resolve(
        name: &str,
        value: Option<&Self>,
        file: Option<&PathBuf>,
    ) -> anyhow::Result<Option<Self>> {
        match (value, file) {
            (Some(_), Some(_)) => bail!("{name} and {name}_FILE are both set: use one of them"),
            (Some(value), None) => Ok(Some(value.clone())),
            (None, Some(path)) => {
                let text = fs::read_to_string(path).with_context(|| {
                    format!("could not read the file of {name}_FILE, {}", path.display())
                })?;
                Ok(Some(Self(text.trim_end_matches(['\r', '\n']).to_owned())))
            }
            (None, None) => Ok(None),
        }
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

fn parse_host(text: &str) -> Result<Host, String> {
    Host::parse(text.trim())
}

/// A network in CIDR notation, or a single address.
fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| "is no network such as 10.0.0.0/8".to_owned())
}
