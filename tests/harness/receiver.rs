//! A receiver of webhooks: takes whatever JSON is posted to it, as Discord or a chat of one's own would.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// Discord answers a message without content of its own.
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

/// Listens for as long as the test's runtime lives.
#[derive(Debug)]
pub struct Receiver {
    addr: SocketAddr,
    received: Arc<Mutex<Vec<Message>>>,
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Message {
    pub path: String,
    pub body: Value,
}

impl Receiver {
    pub async fn listen(addr: SocketAddr) -> Self {
        let listener = TcpListener::bind(addr).await.expect("the address is free");
        let addr = listener.local_addr().expect("the listener is bound");
        let received = Arc::new(Mutex::new(Vec::new()));
        spawn(accept(listener, Arc::clone(&received)));
        Self { addr, received }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What has come so far, in that order.
    pub fn received(&self) -> Vec<Message> {
        let received = self.received.lock();
        received.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: TcpListener, received: Arc<Mutex<Vec<Message>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        if let Some(message) = take(stream).await {
            let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
            received.push(message);
        }
    }
}

/// Reads one request, answers it and closes.
async fn take(stream: TcpStream) -> Option<Message> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();

    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    stream.write_all(ANSWER).await.ok()?;
    let body = serde_json::from_slice(&body).ok()?;
    Some(Message { path, body })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task ends with the test's runtime"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
