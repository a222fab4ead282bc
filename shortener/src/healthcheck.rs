//! `shortener healthcheck`: for images that hold no curl.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the management listener at `address` whether the service can serve.
pub async fn run(mut address: SocketAddr) -> anyhow::Result<()> {
    // "Every address" is one to listen on, not one to call.
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let answer = tokio::time::timeout(PATIENCE, ask(address))
        .await
        .with_context(|| format!("{address} did not answer in time"))?
        .with_context(|| format!("could not ask {address}"))?;
    if answer.starts_with("HTTP/1.1 200") {
        Ok(())
    } else {
        bail!("{address} says that it is not ready");
    }
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
