//! A client in the middle of an upload, for as long as a test wants.

use std::time::Duration;

use harness::service::Service;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// For what should happen at once, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(5);

/// A file of one user, with the id 7, of which the service has only seen the first half.
pub(crate) struct SlowUpload {
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
    pub(crate) async fn begin(service: &Service) -> Self {
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
    pub(crate) async fn finish(mut self) -> String {
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

pub(crate) async fn connect(service: &Service) -> TcpStream {
    TcpStream::connect(service.addr())
        .await
        .expect("the service accepts connections")
}

pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
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
        String::from_utf8_lossy(&seen).into_owned()
    };
    timeout(SOON, reading)
        .await
        .unwrap_or_else(|_| panic!("no {end:?} came"))
}
