//! `shortener keys`: works on the database itself, for whoever has no admin's key yet, or none any more.

use anyhow::{Context as _, anyhow, bail};

use super::{
    Key, KeyName, NewKey, Right, Scope, Scopes,
    arguments::{CreateKey, KeysCommand, ListKeys, RevokeKey},
    expiry,
    http::{NewKeyAnswer, make},
    store::{self, KeyFilter},
};
use crate::{
    access,
    audit::{self, Actor, Entry},
    client::print::{self, Table},
    config::DatabaseConfig,
    database::{
        Db,
        open::{self, SqliteInUse},
        timestamp::Timestamp,
    },
    http::paging::{Order, Part},
};

pub async fn run(command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Create(arguments) => create(arguments).await,
        KeysCommand::List(arguments) => list(arguments).await,
        KeysCommand::Revoke(arguments) => revoke(arguments).await,
    }
}

async fn open(config: &DatabaseConfig) -> anyhow::Result<Db> {
    let opened = open::open(&config.url()?, config).await;
    opened.map_err(|error| match error.downcast_ref() {
        Some(SqliteInUse(file)) => anyhow!(
            "a running service has {} to itself: use its API, /api/v1/keys, with an admin's key, or stop it first",
            file.display()
        ),
        None => error,
    })
}

async fn create(arguments: CreateKey) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let new = new_key(&arguments, now)?;
    let db = open(&arguments.database).await?;
    let made = make(&db, &access::hasher(&db).await?, &new, now)
        .await
        .context("could not store the key")?;
    let Some((about, key)) = made else {
        bail!("there is no such user");
    };
    log(&db, "keys create", about.id, now).await?;
    db.close().await;
    if arguments.json {
        let key = key.expose().to_owned();
        return print::json(&NewKeyAnswer { about, key });
    }
    print::note(&format!(
        "Made key {} ({}) with {}. It is shown this once:",
        about.id, about.name, about.scopes
    ))?;
    // Alone on its line and on standard output, for `KEY=$(shortener keys create …)`.
    print::line(key.expose())
}

fn new_key(arguments: &CreateKey, now: Timestamp) -> anyhow::Result<NewKey> {
    let scopes = if arguments.admin {
        vec![Scope::Admin]
    } else {
        arguments.scopes.clone()
    };
    let expires_at = arguments.expires_at.as_deref();
    Ok(NewKey {
        name: KeyName::parse(&arguments.name).context("the name")?,
        right: Scopes::new(scopes)
            .and_then(|scopes| Right::new(arguments.user, scopes))
            .context("the scopes")?,
        expires_at: expires_at
            .map(|text| expiry(text, now))
            .transpose()
            .context("the time of --expires-at")?,
    })
}

async fn list(arguments: ListKeys) -> anyhow::Result<()> {
    let db = open(&arguments.database).await?;
    let now = Timestamp::now();
    let mut keys = Vec::new();
    let mut part = Part::beginning(Order::OldestFirst);
    loop {
        let some = store::list(&db, KeyFilter::default(), part)
            .await
            .context("could not read the keys")?;
        let Some(last) = some.last() else { break };
        part = part.after(last.id);
        keys.extend(some);
    }
    db.close().await;
    keys.retain(|key| arguments.all || state(key, now) == "works");
    if arguments.json {
        return print::json(&keys);
    }
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "BEGINS WITH",
        "USER",
        "SCOPES",
        "MADE",
        "EXPIRES",
        "LAST USED",
        "STATE",
    ]);
    for key in &keys {
        let time = |time: Option<Timestamp>| {
            time.map_or("never".to_owned(), |time| print::minute(&time.to_string()))
        };
        table.row([
            key.id.to_string(),
            key.name.clone(),
            key.prefix.clone(),
            key.user_id.map_or("all".to_owned(), |id| id.to_string()),
            key.scopes.to_string(),
            time(Some(key.created_at)),
            time(key.expires_at),
            time(key.last_used_at),
            state(key, now).to_owned(),
        ]);
    }
    table.print()
}

fn state(key: &Key, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.expires_at.is_some_and(|at| at <= now) {
        "expired"
    } else {
        "works"
    }
}

async fn revoke(arguments: RevokeKey) -> anyhow::Result<()> {
    let db = open(&arguments.database).await?;
    let now = Timestamp::now();
    let is_revoked = store::revoke(&db, arguments.id, now)
        .await
        .context("could not revoke the key")?;
    if is_revoked {
        log(&db, "keys revoke", arguments.id, now).await?;
    }
    db.close().await;
    if !is_revoked {
        bail!("there is no key {} that could be revoked", arguments.id);
    }
    print::line(&format!("Key {} is revoked.", arguments.id))
}

async fn log(db: &Db, command: &str, key_id: i64, now: Timestamp) -> anyhow::Result<()> {
    let entry = Entry {
        at: now,
        actor: Actor::CommandLine,
        method: "RUN".to_owned(),
        route: command.to_owned(),
        object_id: Some(key_id),
        client: None,
        status: None,
    };
    audit::store::insert_all(db, &[entry])
        .await
        .context("it is done, but could not be written to the audit log")
}
