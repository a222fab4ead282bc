//! The command line of `shortener keys`.

use super::Scope;
use crate::config::DatabaseConfig;

#[derive(clap::Subcommand, Clone, Debug)]
pub enum KeysCommand {
    /// Make a key and print it, this once.
    Create(CreateKey),
    /// List the keys that work; all of them with `--all`.
    List(ListKeys),
    /// Have a key work no longer, on any replica, within a second.
    Revoke(RevokeKey),
}

#[derive(clap::Args, Clone, Debug)]
pub struct CreateKey {
    /// What the key is to be called, such as the program that will use it.
    #[arg(long)]
    pub name: String,

    /// Id of the user whose URLs the key is for.
    #[arg(long, conflicts_with = "admin", required_unless_present = "admin")]
    pub user: Option<i64>,

    /// Make it an admin's key, which may do everything with everybody's URLs.
    #[arg(long, conflicts_with = "scopes")]
    pub admin: bool,

    /// What a user's key may do, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Scope::OF_A_USER)]
    pub scopes: Vec<Scope>,

    /// When it stops working, such as 2030-01-31T12:00:00Z; never, unless told.
    #[arg(long)]
    pub expires_at: Option<String>,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub database: DatabaseConfig,
}

#[derive(clap::Args, Clone, Debug)]
pub struct ListKeys {
    /// List those that were revoked or have expired, too.
    #[arg(long)]
    pub all: bool,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub database: DatabaseConfig,
}

#[derive(clap::Args, Clone, Debug)]
pub struct RevokeKey {
    /// The key's id, as `list` shows it.
    pub id: i64,

    #[command(flatten)]
    pub database: DatabaseConfig,
}
