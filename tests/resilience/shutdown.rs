//! SIGTERM drains: what is under way is finished, nothing new is taken, and the end comes in time.

use std::time::Duration;

use harness::{
    database::Database,
    eventually,
    service::{STOP, Service},
};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// For what should happen at once, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(5);

harness::on_each_database! {
    async fn an_upload_under_way_is_finished_after_sigterm(database: Database) {
        let service = Service::start(&database).await;
        let upload = SlowUpload::begin(&service).await;

        service.signal(Signal::TERM);
        refuses_connections(&service).await;
        assert_eq!(service.management("/readyz").await.status, 503);
        let answer = upload.finish().await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

        let exit = service.exit(STOP).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let service = Service::start(&database).await;
        assert_eq!(service.get("/users/7").await.status, 200, "what was answered is there");
    }

    async fn a_second_signal_ends_the_service_at_once(service: Service) {
        let upload = SlowUpload::begin(&service).await;

        service.signal(Signal::TERM);
        refuses_connections(&service).await;
        service.signal(Signal::TERM);
        service.exit(SOON).await;
        drop(upload);
    }

    async fn a_client_that_never_finishes_is_given_up(database: Database) {
        let service = Service::builder(&database).arg("--drain-seconds=1").start().await;
        let upload = SlowUpload::begin(&service).await;

        service.signal(Signal::TERM);
        service.exit(SOON).await;
        drop(upload);
        let service = Service::start(&database).await;
        assert_eq!(service.get("/users/7").await.status, 404, "half a file is no file");
    }

    async fn idle_connections_do_not_hold_up_the_end(service: Service) {
        let mut used = connect(&service).await;
        used.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        read_until(&mut used, "\"ok\"").await;
        let unused = connect(&service).await;

        service.signal(Signal::TERM);
        let exit = service.exit(SOON).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        drop((used, unused));
    }

    async fn an_interrupt_from_the_keyboard_drains_too(service: Service) {
        let upload = SlowUpload::begin(&service).await;

        service.signal(Signal::INT);
        refuses_connections(&service).await;
        let answer = upload.finish().await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

        let exit = service.exit(STOP).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

async fn connect(service: &Service) -> TcpStream {
    TcpStream::connect(service.addr())
        .await
        .expect("the service accepts connections")
}

async fn refuses_connections(service: &Service) {
    let refused = async || TcpStream::connect(service.addr()).await.is_err();
    eventually::holds("new connections are refused", SOON, refused).await;
}

/// A file of one user, of which the service has only seen the first half.
struct SlowUpload {
    stream: TcpStream,
    rest: &'static str,
}

impl SlowUpload {
    const FIRST: &str = "--border\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"users.csv\"\r\n\
        Content-Type: text/csv\r\n\r\n\
        id,username,email,created_at\n7,slow";
    const REST: &str = "poke,slowpoke@example.com,2025-01-01 00:00:00\n\r\n--border--\r\n";

    /// Returns once the service reads the body: it asks for it by `100 Continue` when it does.
    async fn begin(service: &Service) -> Self {
        let mut stream = connect(service).await;
        let length = Self::FIRST.len() + Self::REST.len();
        let head = format!(
            "POST /users/bulk HTTP/1.1\r\nHost: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\
             Content-Type: multipart/form-data; boundary=border\r\nContent-Length: {length}\r\n\r\n",
            service.addr()
        );
        stream
            .write_all(head.as_bytes())
            .await
            .expect("the head is taken");
        read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
        stream
            .write_all(Self::FIRST.as_bytes())
            .await
            .expect("half a file is taken");
        Self {
            stream,
            rest: Self::REST,
        }
    }

    /// Sends the other half and returns the answer.
    async fn finish(mut self) -> String {
        self.stream
            .write_all(self.rest.as_bytes())
            .await
            .expect("the other half is taken");
        let mut answer = Vec::new();
        timeout(SOON, self.stream.read_to_end(&mut answer))
            .await
            .expect("the upload is answered and the connection closed")
            .expect("the connection is not reset");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

async fn read_until(stream: &mut TcpStream, end: &str) {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(end) {
            assert!(
                stream
                    .read_buf(&mut seen)
                    .await
                    .expect("the connection is not reset")
                    > 0,
                "closed after {seen:?}"
            );
        }
    };
    timeout(SOON, reading)
        .await
        .unwrap_or_else(|_| panic!("no {end:?} came"));
}
