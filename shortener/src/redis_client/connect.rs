//! Opens Redis, and keeps a connection to it.

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use redis::{Client, RedisResult, TlsCertificates, aio::MultiplexedConnection};
use tokio_util::sync::CancellationToken;

use super::{Away, Line, PATIENCE, Redis};

/// Between two attempts to connect. Short, since nobody waits for it and a refused connection costs nothing.
const RETRY: Duration = Duration::from_millis(250);

/// How often a connection that nobody uses is tried, so that a Redis that hangs is noticed before it matters.
const PROBE: Duration = Duration::from_secs(1);

/// Reads a URL such as `redis://:password@host:6379/0`, or `rediss://` for TLS, which `ca_file` may name a private CA for.
pub fn client(url: &str, ca_file: Option<&Path>) -> anyhow::Result<Client> {
    // The URL may hold a password: no message repeats it, and the crate's own might.
    let is_tls = url.starts_with("rediss://");
    anyhow::ensure!(
        is_tls || url.starts_with("redis://"),
        "REDIS_URL must start with `redis://` or `rediss://`"
    );
    let wrong = "REDIS_URL is no valid Redis URL, such as redis://host:6379/0";
    if !is_tls {
        return Client::open(url).map_err(|_| anyhow::anyhow!(wrong));
    }
    let root_cert = ca_file.map(read_certificate).transpose()?;
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert,
    };
    Client::build_with_tls(url, certificates).map_err(|_| match ca_file {
        Some(path) => anyhow::anyhow!("{wrong}, or {} is no CA", path.display()),
        None => anyhow::anyhow!(wrong),
    })
}

fn read_certificate(path: &Path) -> anyhow::Result<Vec<u8>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("could not read the CA of Redis, {}", path.display()))?;
    // The crate takes a file without any for an authority that signs nothing.
    anyhow::ensure!(
        text.contains("-----BEGIN CERTIFICATE-----"),
        "{} holds no certificate in PEM, as SHORTENER_REDIS_CA_FILE must",
        path.display()
    );
    Ok(text.into_bytes())
}

impl Redis {
    /// Connects, and does so again whenever the connection is given up, until `stop`.
    pub async fn keep_connected(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            never = self.connect_for_ever() => match never {},
        }
    }

    async fn connect_for_ever(&self) -> std::convert::Infallible {
        let mut is_told = false;
        loop {
            match tokio::time::timeout(20 * PATIENCE, self.connect()).await {
                Ok(Ok(line)) => {
                    is_told = false;
                    tracing::info!("Redis is there");
                    self.put(line.clone());
                    self.probe(&line).await;
                }
                failed => {
                    let error = match failed {
                        Ok(Err(error)) => error.to_string(),
                        _ => "no answer in time".to_owned(),
                    };
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(error, "Redis cannot be reached; trying again and again");
                    }
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn connect(&self) -> RedisResult<Line> {
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&Self::config())
            .await?;
        let run = run_id(&mut connection).await?;
        Ok(Line {
            connection,
            number: self.connected.fetch_add(1, Ordering::Relaxed),
            run,
        })
    }

    /// Tries the connection now and then, until it is given up.
    async fn probe(&self, line: &Line) {
        while self.current().is_some_and(|now| now.number == line.number) {
            tokio::select! {
                () = self.broken.notified() => continue,
                () = tokio::time::sleep(PROBE) => {}
            }
            let mut connection = line.connection.clone();
            let ping = redis::cmd("PING");
            // What comes of it is in `self.current()`.
            let _: Result<(), Away> = self.ask(line, ping.query_async(&mut connection)).await;
        }
    }
}

/// What this start of the server is called; a server that was started again has another name.
async fn run_id(connection: &mut MultiplexedConnection) -> RedisResult<Arc<str>> {
    let info: String = redis::cmd("INFO")
        .arg("server")
        .query_async(connection)
        .await?;
    let run = info
        .lines()
        .find_map(|line| line.strip_prefix("run_id:"))
        .unwrap_or_default();
    Ok(run.trim().into())
}
