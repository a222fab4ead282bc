//! One server alone on its core, under as much as wrk can ask from another.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    Plan, Stage,
    companion::Companion,
    cores::Core,
    window::{self, Cast, Shares, Window},
    wrk::{self, RequestFile},
};

pub(super) const CONNECTIONS: u32 = 64;

/// Before the figures count, in seconds.
const WARM_UP: u32 = 1;

/// Who asks, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub client: Core,
    pub seconds: u32,
    /// A bout in which others were busy is repeated, until there were so many.
    pub tries: u32,
    pub requests: &'a RequestFile,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bout {
    pub began: Instant,
    /// Answered before the window.
    pub warm_up: u32,
    pub outcome: wrk::Outcome,
    pub shares: Shares,
}

impl<'a> Rules<'a> {
    pub(super) fn new(plan: &Plan, stage: &Stage, requests: &'a RequestFile) -> Self {
        Self {
            client: stage.cores.client,
            seconds: plan.seconds,
            tries: plan.tries,
            requests,
        }
    }

    /// Waits for a quiet moment, warms up, and measures; `at_start` is called when the window opens.
    pub(super) async fn fight<T>(
        &self,
        cast: &Cast,
        addr: SocketAddr,
        at_start: impl AsyncFn() -> anyhow::Result<T>,
    ) -> anyhow::Result<(Bout, T)> {
        window::quiet(cast).await?;
        let ask = |seconds| wrk::run(Some(self.client), addr, CONNECTIONS, seconds, self.requests);
        let began = Instant::now();
        let warm_up = ask(WARM_UP)?.requests;
        let at_start = at_start().await?;
        let window = Window::open(cast)?;
        let outcome = ask(self.seconds)?;
        let bout = Bout {
            began,
            warm_up,
            outcome,
            shares: window.close()?,
        };
        Ok((bout, at_start))
    }

    /// Measures somebody else's server, again if others disturbed that.
    pub(super) async fn fight_other(
        &self,
        name: &str,
        other: &Companion,
        core: Core,
        idle: &[u32],
    ) -> anyhow::Result<Bout> {
        let cast = Cast {
            server: other.process,
            postgres: None,
            idle: idle.to_vec(),
            core,
        };
        let mut tries = 0;
        loop {
            let (bout, ()) = self.fight(&cast, other.addr, async || Ok(())).await?;
            tries += 1;
            if tries == self.tries || !bout.shares.is_disturbed() {
                bout.say(name);
                return Ok(bout);
            }
        }
    }
}

impl Bout {
    /// Shows how it goes.
    pub(super) fn say(&self, name: &str) {
        println!(
            "{name}: {:.0} requests/s, p99 {:.2} ms, core {:.1} µs, others {:.2} cores",
            self.outcome.rate(),
            self.outcome.p99_ms,
            self.cost(|shares| shares.core),
            self.shares.disturbance()
        );
    }

    pub(super) fn answered(&self) -> u64 {
        u64::from(self.warm_up) + u64::from(self.outcome.requests)
    }

    /// Microseconds that somebody took per request.
    pub(super) fn cost(&self, of: fn(&Shares) -> Duration) -> f64 {
        of(&self.shares).as_secs_f64() * 1e6 / f64::from(self.outcome.requests)
    }
}
