//! The command line of `shortener urls`.

use std::path::PathBuf;

use crate::config::Secret;

#[derive(clap::Subcommand, Clone, Debug)]
pub enum UrlsCommand {
    /// Make a short URL.
    Create(CreateUrl),
    /// Show a short URL.
    Show(ShowUrl),
    /// List short URLs.
    List(ListUrls),
    /// Change a short URL; what is not named stays.
    Edit(EditUrl),
    /// Delete short URLs. Their codes are never given out again.
    Delete(DeleteUrls),
    /// Show the clicks of a short URL.
    Stats(UrlStats),
}

impl UrlsCommand {
    pub fn connection(&self) -> &ConnectionArguments {
        match self {
            Self::Create(arguments) => &arguments.connection,
            Self::Show(arguments) => &arguments.connection,
            Self::List(arguments) => &arguments.connection,
            Self::Edit(arguments) => &arguments.connection,
            Self::Delete(arguments) => &arguments.connection,
            Self::Stats(arguments) => &arguments.connection,
        }
    }
}

#[derive(clap::Args, Clone, Debug)]
pub struct ConnectionArguments {
    /// Where the service is.
    #[arg(long, env = "SHORTENER_URL", default_value = "http://127.0.0.1:8080")]
    pub service_url: String,

    /// API key to send, if the service asks for one.
    #[arg(long, env = "SHORTENER_KEY", hide_env_values = true)]
    pub key: Option<Secret>,

    /// File that holds the API key, instead of giving it directly.
    #[arg(long, env = "SHORTENER_KEY_FILE")]
    pub key_file: Option<PathBuf>,

    /// Print the service's answer as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args, Clone, Debug)]
pub struct CreateUrl {
    /// Where the short URL is to lead.
    pub original_url: String,

    /// Id of the owner. Not needed with a user's key, nor while there is only one user.
    #[arg(long)]
    pub user: Option<i64>,

    /// The short code; without one, it is drawn.
    #[arg(long)]
    pub code: Option<String>,

    /// What to call it in lists.
    #[arg(long)]
    pub title: Option<String>,

    #[command(flatten)]
    pub options: LinkOptions,

    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// How a link is followed. An empty text takes a time or a limit away.
#[derive(clap::Args, Clone, Debug)]
pub struct LinkOptions {
    /// 301, 302, 307 or 308.
    #[arg(long)]
    pub status: Option<u16>,

    /// Whether the visitor's query is passed on.
    #[arg(long)]
    pub forward_query: Option<bool>,

    /// When it begins to lead anywhere, such as 2030-01-31T12:00:00Z; '' for at once.
    #[arg(long)]
    pub starts_at: Option<String>,

    /// When it ceases to; '' for never.
    #[arg(long)]
    pub expires_at: Option<String>,

    /// How many visitors may follow it; '' for any number.
    #[arg(long)]
    pub max_clicks: Option<String>,
}

#[derive(clap::Args, Clone, Debug)]
pub struct ShowUrl {
    /// The URL's id, as `list` shows it.
    pub id: i64,

    #[command(flatten)]
    pub connection: ConnectionArguments,
}

#[derive(clap::Args, Clone, Debug)]
pub struct ListUrls {
    /// Only this user's.
    #[arg(long)]
    pub user: Option<i64>,

    /// Only those that are active, or only those that are not.
    #[arg(long)]
    pub active: Option<bool>,

    /// Only those with all these words in title, code, host or path; the newest first.
    #[arg(long, value_name = "WORDS")]
    pub search: Option<String>,

    /// Only those that lead to this host.
    #[arg(long)]
    pub host: Option<String>,

    /// Which page; not together with a search.
    #[arg(long, conflicts_with_all = ["search", "host", "all"])]
    pub page: Option<u32>,

    /// All of them, whatever their number, instead of a page.
    #[arg(long)]
    pub all: bool,

    /// How many a page has, at most 100.
    #[arg(long, default_value_t = 20)]
    pub per_page: u32,

    #[command(flatten)]
    pub connection: ConnectionArguments,
}

#[derive(clap::Args, Clone, Debug)]
pub struct EditUrl {
    /// The URL's id, as `list` shows it.
    pub id: i64,

    /// Where it is to lead from now on.
    #[arg(long)]
    pub original_url: Option<String>,

    /// What to call it in lists; nothing, to take the title away.
    #[arg(long)]
    pub title: Option<String>,

    /// Whether it leads anywhere.
    #[arg(long)]
    pub active: Option<bool>,

    #[command(flatten)]
    pub options: LinkOptions,

    #[command(flatten)]
    pub connection: ConnectionArguments,
}

#[derive(clap::Args, Clone, Debug)]
pub struct DeleteUrls {
    /// The URLs' ids, as `list` shows them.
    #[arg(required = true)]
    pub ids: Vec<i64>,

    #[command(flatten)]
    pub connection: ConnectionArguments,
}

#[derive(clap::Args, Clone, Debug)]
pub struct UrlStats {
    /// The URL's id, as `list` shows it.
    pub id: i64,

    /// The first day, or time; 30 days ago, unless told.
    #[arg(long)]
    pub from: Option<String>,

    /// The day, or time, at which to end; now, unless told.
    #[arg(long)]
    pub to: Option<String>,

    /// `quarter_hour`, `hour`, `day`, `week` or `month`.
    #[arg(long)]
    pub bucket: Option<String>,

    /// Name of a time zone, such as Europe/Berlin; UTC, unless told.
    #[arg(long)]
    pub time_zone: Option<String>,

    /// How many of the most frequent values to show.
    #[arg(long)]
    pub top: Option<u32>,

    #[command(flatten)]
    pub connection: ConnectionArguments,
}
