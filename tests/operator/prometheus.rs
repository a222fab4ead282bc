//! Plays a Prometheus: answers every instant query with the number that a test has set, or with none.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// It listens for as long as the test's runtime lives.
#[derive(Clone, Debug)]
pub(crate) struct Prometheus {
    addr: SocketAddr,
    answer: Arc<Mutex<Option<u32>>>,
}

impl Prometheus {
    /// One that has no series yet.
    pub(crate) async fn empty() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let addr = listener.local_addr().expect("the listener is bound");
        let answer = Arc::default();
        spawn(accept(listener, Arc::clone(&answer)));
        Self { addr, answer }
    }

    /// One that has the service's metrics.
    pub(crate) async fn with(value: u32) -> Self {
        let prometheus = Self::empty().await;
        prometheus.set(Some(value));
        prometheus
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn set(&self, value: Option<u32>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

async fn accept(listener: TcpListener, answer: Arc<Mutex<Option<u32>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let value = *answer.lock().unwrap_or_else(PoisonError::into_inner);
        let result = value.map_or_else(
            || json!([]),
            |value| json!([{"metric": {}, "value": [1, value.to_string()]}]),
        );
        let body = json!({"status": "success", "data": {"resultType": "vector", "result": result}});
        // Whoever asked may have gone.
        _ = respond(stream, &body).await;
    }
}

async fn respond(stream: TcpStream, body: &Value) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task ends with the test's runtime"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
