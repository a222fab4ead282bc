//! Connections that cost more than they bring: too many, too slow, or never read from.

use std::time::Duration;

use harness::{
    database::{Backend, Database},
    eventually,
    service::Service,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::slow_upload::connect;

/// Open connections of clients.
const OPEN: &str = "shortener_connections";

/// For what should happen at once, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(10);

/// What the slowest may take by what is documented (30 s), twice, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(100);

const GET: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn open(service: &Service, bytes: &str) -> TcpStream {
    let mut stream = connect(service).await;
    stream
        .write_all(bytes.as_bytes())
        .await
        .expect("it is taken");
    stream
}

/// The status of the next answer; `None` if the connection ends without one.
async fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read_buf(&mut answer).await {
            Ok(read) if read > 0 => {}
            _ => break,
        }
    }
    String::from_utf8_lossy(&answer).get(9..12)?.parse().ok()
}

#[tokio::test]
async fn above_the_limit_connections_wait_for_one_to_end() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = Service::builder(&database)
        .arg("--max-connections=2")
        .start()
        .await;
    let [first, _second] = [open(&service, "").await, open(&service, "").await];
    eventually::holds("both are open", SOON, async || {
        service.metric(OPEN).await == Some(2.0)
    })
    .await;

    let mut third = open(&service, GET).await;
    eventually::holds("the limit is noticed", SOON, async || {
        service.metric("shortener_connections_full_total").await >= Some(1.0)
    })
    .await;
    assert_eq!(service.metric(OPEN).await, Some(2.0), "the third waits");

    drop(first);
    let answered = tokio::time::timeout(SOON, status(&mut third)).await;
    assert_eq!(answered, Ok(Some(200)), "it was its turn");
    assert_eq!(service.metric(OPEN).await, Some(2.0));
}

#[tokio::test]
async fn without_a_limit_nobody_waits() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = Service::builder(&database)
        .arg("--max-connections=0")
        .start()
        .await;
    let mut streams = Vec::new();
    for _ in 0..300 {
        streams.push(open(&service, GET).await);
    }
    for stream in &mut streams {
        assert_eq!(status(stream).await, Some(200));
    }
    assert_eq!(service.metric(OPEN).await, Some(300.0));
    assert_eq!(
        service.metric("shortener_connections_full_total").await,
        Some(0.0)
    );
}

/// What slow clients send, each with the statuses of which it may get one before its connection ends.
fn slow_clients(user: i64, redirect: &str) -> [(&'static str, String, &'static [u16]); 12] {
    let post = |line: &str, media_type: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nContent-Length: 100\r\n\r\n{{"
        )
    };
    let json = "application/json";
    let form = "multipart/form-data; boundary=x";
    [
        ("says nothing", String::new(), &[]),
        ("begins a line", "GET /hea".to_owned(), &[]),
        (
            "begins a head",
            "GET /health HTTP/1.1\r\nHost: local".to_owned(),
            &[],
        ),
        ("idles after a redirect", redirect.to_owned(), &[302]),
        ("idles after an answer", GET.to_owned(), &[200]),
        ("begins another head", format!("{GET}GET /"), &[200]),
        ("begins a user", post("POST /users", json), &[408]),
        (
            "begins a change of a user",
            post(&format!("PUT /users/{user}"), json),
            &[408],
        ),
        ("begins a URL", post("POST /urls", json), &[408]),
        (
            "begins a change of a URL",
            post("PUT /urls/1", json),
            &[408],
        ),
        ("begins an event", post("POST /events", json), &[408]),
        ("begins a file", post("POST /users/bulk", form), &[408, 400]),
    ]
}

/// A slow client keeps its own connection for a while, and nobody waits for it.
#[tokio::test]
async fn whoever_is_slow_is_cut_off_and_others_are_served_meanwhile() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = Service::start(&database).await;
    let user = service.create_user().await;
    let long = format!("https://example.com/{}", "x".repeat(8_000));
    for _ in 0..100 {
        service.create_url(user, &long).await;
    }
    let url = service.get("/urls?per_page=1").await.json();
    let code = url[0]["short_code"].as_str().expect("a code").to_owned();
    let redirect = format!("GET /{code} HTTP/1.1\r\nHost: localhost\r\n\r\n");

    let rows = slow_clients(user, &redirect);
    let mut slow = Vec::new();
    for (what, bytes, answers) in &rows {
        slow.push((what, open(&service, bytes).await, answers));
    }
    // One asks for a hundred megabytes and reads nothing.
    let list = "GET /urls?per_page=100 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let _unread = open(&service, &list.repeat(120)).await;

    eventually::holds("all of them are cut off", PATIENCE, async || {
        let answer = service
            .raw(
                redirect
                    .replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            )
            .await;
        assert!(
            answer.starts_with(b"HTTP/1.1 302 "),
            "others are served meanwhile"
        );
        service.metric(OPEN).await == Some(0.0)
    })
    .await;
    for (what, mut stream, answers) in slow {
        let mut told = Vec::new();
        _ = stream.read_to_end(&mut told).await;
        let told = String::from_utf8_lossy(&told);
        let first = told
            .get(9..12)
            .and_then(|status| status.parse::<u16>().ok());
        match (first, answers) {
            (None | Some(408), []) => {}
            (first, answers) => assert!(
                first.is_some_and(|first| answers.contains(&first)),
                "{what}: {told}"
            ),
        }
    }
    let user = json!({"username": "ada", "email": "ada@example.com"});
    assert_eq!(service.post("/users", user).await.status, 201);
}
