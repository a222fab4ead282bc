//! A connection before any HTTP machinery: requests that a service can answer without waiting are answered from the bytes
//! that came in, and the first that it cannot makes the connection hyper's for good.
//!
//! A visitor's short request needs no map of all its headers, no timer of its own and no buffer that the connection keeps:
//! that is most of what hyper spends on it. A connection that idles here owns nothing but its socket.

pub mod date;
pub mod head;
mod told;

pub use told::{PURPOSES, Told};

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Room for what one read brings. A request that does not fit is hyper's.
const READ_BYTES: usize = 16 << 10;

/// A service that answers some requests without waiting for anything.
pub trait Quick {
    /// Appends the whole answer to `output`, if it can be given right now.
    fn answer(&self, ask: &Ask<'_>, output: &mut Vec<u8>) -> bool;
}

/// A `GET` or `HEAD` without a body.
#[derive(Debug)]
pub struct Ask<'a> {
    pub is_head: bool,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub told: Told<'a>,
}

/// What becomes of a connection.
#[derive(Debug)]
pub enum Ending {
    /// Its peer is done with it, or has been idle for too long.
    Closed,
    /// hyper takes it over, with these bytes that were read already, if any.
    Handed(TcpStream, Vec<u8>),
}

/// What is left to do with what a read brought; mostly nothing.
struct Left {
    /// Answers that a peer does not read as fast as it asks.
    unsent: Vec<u8>,
    /// From here on the bytes are hyper's, once the answers are sent.
    rest: Vec<u8>,
}

/// What one thread reads into and writes from.
struct Scratch {
    input: Box<[u8; READ_BYTES]>,
    output: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: Box::new([0; READ_BYTES]),
        output: Vec::with_capacity(READ_BYTES),
    });
}

/// Answers on `stream` as long as `service` can at once, the peer asks at least every `idle`, and until `stop`: hyper has
/// the words for the end.
pub async fn serve(
    mut stream: TcpStream,
    service: &impl Quick,
    idle: Duration,
    stop: &CancellationToken,
) -> io::Result<Ending> {
    let mut stopped = pin!(stop.cancelled());
    // Set anew only when it is over, so that requests cost no timer: a connection ends after one to two such times.
    let mut over = pin!(sleep_until(Instant::now() + idle));
    let mut asked = false;
    loop {
        let left = tokio::select! {
            biased;
            () = &mut stopped => return Ok(Ending::Handed(stream, Vec::new())),
            left = take(&mut stream, service) => left?,
            () = &mut over => {
                if !asked {
                    return Ok(Ending::Closed);
                }
                asked = false;
                over.as_mut().reset(Instant::now() + idle);
                continue;
            }
        };
        asked = true;
        let Some(Left { unsent, rest }) = left else {
            return Ok(Ending::Closed);
        };
        if !unsent.is_empty() {
            let sending = tokio::time::timeout(idle, stream.write_all(&unsent));
            sending.await??;
        }
        if !rest.is_empty() {
            return Ok(Ending::Handed(stream, rest));
        }
    }
}

/// Reads once, and answers what came; `None` if nothing will come any more.
async fn take(stream: &mut TcpStream, service: &impl Quick) -> io::Result<Option<Left>> {
    poll_fn(|context| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(&mut scratch.input[..]);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut read))?;
            let bytes = read.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(None));
            }
            scratch.output.clear();
            let used = answer_all(bytes, service, &mut scratch.output);
            let unsent = send(stream, &scratch.output)?;
            Poll::Ready(Ok(Some(Left {
                unsent: unsent.to_vec(),
                rest: bytes[used..].to_vec(),
            })))
        })
    })
    .await
}

/// Answers requests one after another, until one is not whole or not for here. Returns the length of those answered.
fn answer_all(bytes: &[u8], service: &impl Quick, output: &mut Vec<u8>) -> usize {
    let mut used = 0;
    while let Some((ask, length)) = head::read(&bytes[used..]) {
        if !service.answer(&ask, output) {
            break;
        }
        used += length;
    }
    used
}

/// Writes what the socket takes now, and returns the rest.
fn send<'a>(stream: &TcpStream, mut bytes: &'a [u8]) -> io::Result<&'a [u8]> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
