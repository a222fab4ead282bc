//! Visitors who come at a rate and follow one link.

use std::{
    error::Error,
    net::SocketAddr,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::Args;
use harness::eventually;
use reqwest::{Client, ClientBuilder, Url, redirect::Policy};
use tokio::{
    net::lookup_host,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::tally::{Outcome, Tally};

/// Longer than anybody waits for a redirect.
const PATIENCE: Duration = Duration::from_secs(5);

/// For a name that nobody knows.
const LOOKUP: Duration = Duration::from_secs(30);

/// As the browser of a person says.
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The short URL.
    url: Url,
    /// Where it has to lead.
    target: String,
    /// How many a second for how many seconds: `20:60`, several one after the other.
    #[arg(required = true)]
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    rate: u32,
    seconds: u64,
}

impl FromStr for Step {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rate, seconds) = text.split_once(':').ok_or("a step is RATE:SECONDS")?;
        let step = Self {
            rate: rate.parse()?,
            seconds: seconds.parse()?,
        };
        if step.rate == 0 {
            return Err("a rate is at least 1".into());
        }
        Ok(step)
    }
}

/// Half of the visitors are new, with a connection of their own; half have been here a moment ago.
struct Visitors {
    new: Client,
    regular: Client,
    url: Url,
    target: String,
    tally: Mutex<Tally>,
}

/// Follows the link until the steps are done or SIGTERM comes, and waits for the answers that are still due.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let address = address(&arguments.url).await?;
    let host = arguments.url.host_str().unwrap_or_default();
    // The name is looked up once: how well the cluster's DNS does is no question here.
    let client = || {
        ClientBuilder::new()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .user_agent(AGENT)
            .resolve(host, address)
    };
    let visitors = Arc::new(Visitors {
        new: client().pool_max_idle_per_host(0).build()?,
        regular: client().build()?,
        url: arguments.url.clone(),
        target: arguments.target,
        tally: Mutex::default(),
    });
    let mut told = signal(SignalKind::terminate())?;
    let mut under_way = JoinSet::new();
    tokio::select! {
        () = come(&visitors, &arguments.steps, &mut under_way) => {}
        _ = told.recv() => {}
    }
    while under_way.join_next().await.is_some() {}
    crate::say(&visitors.tally().end());
    Ok(())
}

async fn address(url: &Url) -> Result<SocketAddr, Box<dyn Error>> {
    let host = url.host_str().ok_or("a URL has a host")?;
    let port = url.port_or_known_default().unwrap_or(80);
    // A cluster that has just been broken may know no names for a moment.
    let found = eventually::try_some(LOOKUP, async || {
        lookup_host((host, port)).await.ok()?.next()
    });
    found
        .await
        .ok_or_else(|| format!("{host} is unknown").into())
}

async fn come(visitors: &Arc<Visitors>, steps: &[Step], under_way: &mut JoinSet<()>) {
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    second.tick().await;
    let mut due = Instant::now();
    let mut count = 0_u64;
    for step in steps {
        let pause = Duration::from_secs(1) / step.rate;
        let end = due + Duration::from_secs(step.seconds);
        while due < end {
            tokio::select! {
                () = sleep_until(due) => {
                    let visitors = Arc::clone(visitors);
                    let is_new = count.is_multiple_of(2);
                    under_way.spawn(async move { visitors.follow(is_new, due).await });
                    count += 1;
                    due += pause;
                }
                _ = second.tick() => crate::say(&visitors.tally().second(step.rate)),
            }
            // Those who are done are no longer counted as being under way.
            while under_way.try_join_next().is_some() {}
        }
    }
}

impl Visitors {
    /// Counts a visit from when it was due: whoever had to wait to be let in has waited.
    async fn follow(&self, is_new: bool, due: Instant) {
        self.tally().sent();
        let client = if is_new { &self.new } else { &self.regular };
        let mut answer = client.get(self.url.clone()).send().await;
        if !is_new && answer.as_ref().is_err_and(is_closed_unanswered) {
            self.tally().again();
            answer = client.get(self.url.clone()).send().await;
        }
        let outcome = match answer {
            Ok(answer) if answer.status() == 302 => {
                let leads = answer.headers().get("location");
                if leads.is_some_and(|leads| leads.as_bytes() == self.target.as_bytes()) {
                    Outcome::Answered
                } else {
                    Outcome::Failed("elsewhere".to_owned())
                }
            }
            Ok(answer) => Outcome::Failed(format!("status {}", answer.status().as_u16())),
            Err(error) if error.is_connect() => Outcome::Failed("not connected".to_owned()),
            Err(error) if error.is_timeout() => Outcome::Failed("timed out".to_owned()),
            Err(_) => Outcome::Failed("broken off".to_owned()),
        };
        self.tally().done(outcome, due.elapsed());
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a connection that was kept open was closed under the request. Whoever ends may do that at any time, and browsers send such a
/// request again, once (RFC 9112, 9.3.1).
fn is_closed_unanswered(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout()
}
