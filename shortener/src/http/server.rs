//! Accepts connections and serves HTTP/1.1 on them until it is told to stop.
//!
//! hyper is driven here rather than by `axum::serve`, which sets no limits against slow or oversized headers, and it is
//! driven only from the first request on that has no quick answer.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderValue, Request, header},
    response::Response,
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    connections::{Impatient, Place, Room},
    leftover,
    quick::{self, Ask, Ending, Quick},
};
use crate::shutdown::Tasks;

/// How long a request's head may take to arrive, and a connection may idle between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may read nothing of an answer that does not fit the socket.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest head of a request: room for the longest original URL in a `Referer`, and for cookies of a shared domain.
const MAX_HEAD_BYTES: usize = 64 << 10;

const MAX_HEADERS: usize = 100;

/// How long connections on which nothing is under way are kept after `stop`. A peer may be sending a request just then, and a server
/// that closes at that moment leaves it without an answer (RFC 9112, section 9.6): whoever asks within this time is answered,
/// and told that this was the last time.
const LINGER: Duration = Duration::from_millis(500);

/// How often it is looked whether connections are left to linger for.
const LOOK: Duration = Duration::from_millis(10);

/// A pause after `accept` failed for want of file descriptors: they come back as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves connections on `listener` as far as there is `room`, each with the service that `make` makes for its peer, until
/// `stop`; then finishes the requests under way, within `drain`.
pub async fn serve<S>(
    listener: TcpListener,
    room: Room,
    make: impl Fn(SocketAddr) -> S,
    tasks: Tasks,
    stop: CancellationToken,
    drain: Duration,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Quick,
    S: Send + Sync + 'static,
    S::Future: Send,
{
    let graceful = GracefulShutdown::new();
    let give_up = CancellationToken::new();
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = room.wait() => permit,
        };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_unless_harmless(&error).await;
                    continue;
                }
            },
        };
        // An answer is one small packet: waiting to fill it only delays it.
        stream.set_nodelay(true).ok();
        let ends = Ends {
            stop: stop.clone(),
            give_up: give_up.clone(),
            watcher: graceful.watcher(),
        };
        tasks.spawn(connection(stream, make(peer), ends, room.take(permit)));
    }
    drop(listener);
    linger(&graceful).await;
    if tokio::time::timeout(drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            drain_seconds = drain.as_secs(),
            "requests were still under way when the time to drain was over"
        );
    }
    // Nothing may be answered, and so no click taken, after this.
    give_up.cancel();
}

async fn linger(connections: &GracefulShutdown) {
    let until = Instant::now() + LINGER;
    while connections.count() > 0 && Instant::now() < until {
        tokio::time::sleep(LOOK).await;
    }
}

/// What ends a connection from this side.
struct Ends {
    /// With the next answer, or once it has lingered.
    stop: CancellationToken,
    /// At once.
    give_up: CancellationToken,
    /// Waited for between the two.
    watcher: Watcher,
}

async fn connection<S>(stream: TcpStream, service: S, ends: Ends, _place: Place)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Quick,
    S::Future: Send,
{
    let quick = quick::serve(stream, &service, HEADER_TIMEOUT, &ends.stop);
    // Broken connections are the peer's business.
    let Ok(Ending::Handed(stream, read)) = quick.await else {
        return;
    };
    let (input, output) = stream.into_split();
    let output = Impatient::new(output, WRITE_TIMEOUT);
    let stream = tokio::io::join(io::Cursor::new(read).chain(input), output);
    let serving = ends
        .watcher
        .watch(hyper_connection(stream, service, ends.stop));
    tokio::select! {
        _ = serving => {}
        () = ends.give_up.cancelled() => {}
    }
}

/// After `stop`, each answer says that it is the last.
fn hyper_connection<S, I>(
    stream: I,
    service: S,
    stop: CancellationToken,
) -> http1::Connection<
    TokioIo<I>,
    impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>,
>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
    S::Future: Send,
    I: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(move |request| {
        let (answer, stop) = (service.call(request), stop.clone());
        async move {
            let mut answer = answer.await?;
            if stop.is_cancelled() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(answer)
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        // A client that is done sending may still be reading.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
}

/// A router as the service of one connection.
#[derive(Clone, Debug)]
pub struct Routed {
    router: Router,
    peer: SocketAddr,
}

/// An answer that is being made by a handler.
pub type Routing = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl Routed {
    pub fn new(router: Router, peer: SocketAddr) -> Self {
        Self { router, peer }
    }
}

impl Service<Request<Incoming>> for Routed {
    type Response = Response;
    type Error = Infallible;
    type Future = Routing;

    fn call(&self, request: Request<Incoming>) -> Routing {
        let (head, body) = request.into_parts();
        let (body, leftover) = leftover::share(body, &head.headers);
        let mut request = Request::from_parts(head, body);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let answer = self.router.clone().oneshot(request);
        Box::pin(async move {
            let answer = answer.await;
            if let Some(leftover) = leftover {
                leftover.discard().await;
            }
            answer
        })
    }
}

/// A router waits for this and that.
impl Quick for Routed {
    fn answer(&self, _: &Ask<'_>, _: &mut Vec<u8>) -> bool {
        false
    }
}

async fn pause_unless_harmless(error: &io::Error) {
    let harmless = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    );
    if !harmless {
        tracing::error!(%error, "could not accept a connection");
        pin!(tokio::time::sleep(ACCEPT_PAUSE)).await;
    }
}
