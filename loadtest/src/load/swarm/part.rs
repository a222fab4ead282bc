//! One process of a swarm: its users come one after the other, stay connected, and click now and then. It says every
//! second how it goes, and ends when its standard input does.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    net::Ipv4Addr,
    ops::Add,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use loadtest::{chance::Random, head::Head};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use crate::{
    arguments::Part,
    mix::Kind,
    record::{Failure, Outcome, Tally},
};

/// Before somebody who could not connect tries again.
const AGAIN: Duration = Duration::from_secs(1);

/// Answers to a redirect are shorter.
const BUFFER: usize = 2 << 10;

/// How many there are so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    /// Now.
    pub connected: u64,
    pub clicks: u64,
    pub failures: u64,
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            connected: self.connected + other.connected,
            clicks: self.clicks + other.clicks,
            failures: self.failures + other.failures,
        }
    }
}

/// As a part says it to the process that has started it.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.connected, self.clicks, self.failures)
    }
}

impl FromStr for Count {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut numbers = text.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        let count = (|| {
            Some(Self {
                connected: next()?,
                clicks: next()?,
                failures: next()?,
            })
        })();
        count.with_context(|| format!("a process of the swarm says {text:?}"))
    }
}

/// What the users of this process have in common.
struct Crowd {
    part: Part,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    connected: u64,
    reconnects: u64,
    clicks: Tally,
}

pub(crate) async fn run(part: &Part) -> anyhow::Result<()> {
    let crowd = Arc::new(Crowd {
        part: part.clone(),
        seen: Mutex::default(),
    });
    let mut users = JoinSet::new();
    for number in 0..part.users {
        let crowd = Arc::clone(&crowd);
        users.spawn(async move { crowd.stay(number).await });
    }
    let mut ticks = interval(Duration::from_secs(1));
    let mut told = tokio::io::stdin();
    let mut nothing = [0];
    loop {
        tokio::select! {
            _ = ticks.tick() => say(&crowd.with(|seen| seen.count()))?,
            // There is nothing to read but its end.
            _ = told.read(&mut nothing) => break,
        }
    }
    users.shutdown().await;
    crowd.with(|seen| {
        say(&format!("reconnects: {}", seen.reconnects))?;
        say(&format!("p50: {}", seen.clicks.quantile(0.5)))?;
        say(&format!("p99: {}", seen.clicks.quantile(0.99)))?;
        for (failure, count) in &seen.clicks.failures {
            say(&format!("{failure}: {count}"))?;
        }
        Ok(())
    })
}

fn say(what: &impl fmt::Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}

impl Seen {
    fn count(&self) -> Count {
        Count {
            connected: self.connected,
            clicks: self.clicks.requests() - self.clicks.failed(),
            failures: self.clicks.failed(),
        }
    }
}

impl Crowd {
    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The life of one user.
    async fn stay(&self, number: u32) {
        let mut random = Random::new(self.part.seed << 32 | u64::from(number));
        sleep(Duration::from_secs_f64(
            f64::from(number) / self.part.arrivals,
        ))
        .await;
        loop {
            let since = Instant::now();
            match timeout(self.part.timeout, self.connect()).await {
                Ok(Ok(stream)) => {
                    self.with(|seen| seen.connected += 1);
                    self.click_now_and_then(stream, number, &mut random).await;
                    self.with(|seen| {
                        seen.connected -= 1;
                        seen.reconnects += 1;
                    });
                }
                Ok(Err(_)) => {
                    self.note(since, Some(Failure::NotConnected));
                    sleep(AGAIN).await;
                }
                Err(_) => self.note(since, Some(Failure::Late)),
            }
        }
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if !self.part.source.is_unspecified() {
            socket.bind((self.part.source, 0).into())?;
        }
        let stream = socket.connect(self.part.server.into()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Until the connection ends.
    async fn click_now_and_then(&self, mut stream: TcpStream, number: u32, random: &mut Random) {
        loop {
            let pause = Duration::from_secs_f64(random.gap(self.part.every.as_secs_f64()));
            let mut byte = [0];
            tokio::select! {
                () = sleep(pause) => {}
                // Nobody says anything unasked: this is the end, which whoever waits too long has to expect.
                _ = stream.read(&mut byte) => return,
            }
            let request = self.request(number, random);
            let since = Instant::now();
            let answer = timeout(self.part.timeout, exchange(&mut stream, &request)).await;
            let failure = match answer {
                Ok(Ok(302)) => None,
                Ok(Ok(status)) => Some(Failure::Status(status)),
                Ok(Err(_)) => Some(Failure::BrokenOff),
                Err(_) => Some(Failure::Late),
            };
            let is_over = matches!(failure, Some(Failure::BrokenOff | Failure::Late));
            self.note(since, failure);
            if is_over {
                return;
            }
        }
    }

    fn request(&self, number: u32, random: &mut Random) -> Vec<u8> {
        let code = random.pick(&self.part.codes);
        let mut request = format!("GET /{code} HTTP/1.1\r\nHost: {}\r\n", self.part.host);
        if let Some(first) = self.part.first_address {
            let address = Ipv4Addr::from_bits(first.to_bits().wrapping_add(number));
            _ = write!(request, "X-Forwarded-For: {address}\r\n");
        }
        request.push_str("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\r\n");
        request.into_bytes()
    }

    fn note(&self, since: Instant, failure: Option<Failure>) {
        let outcome = Outcome {
            kind: Kind::Redirect,
            latency: since.elapsed(),
            failure,
        };
        self.with(|seen| seen.clicks.add(&outcome));
    }
}

/// Sends a request, and reads the answer to its end. Its buffer goes with it: who waits has none.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> anyhow::Result<u16> {
    stream.write_all(request).await?;
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let read = stream.read_buf(&mut buffer).await?;
        anyhow::ensure!(read > 0, "closed in the middle of an answer");
        if let Some(head) = Head::read(&buffer)?
            && buffer.len() >= head.length + head.body
        {
            return Ok(head.status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn what_a_part_says_is_understood() {
        let count = Count {
            connected: 3,
            clicks: 20,
            failures: 1,
        };
        assert_eq!(count.to_string().parse::<Count>().unwrap(), count);
        assert!("reconnects: 3".parse::<Count>().is_err());
        assert!("1 2".parse::<Count>().is_err());
    }
}
