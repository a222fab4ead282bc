//! Our service as it stands against others: on Postgres, its links warm in its cache, every click checked afterwards.

use std::sync::Arc;

use anyhow::ensure;
use harness::{database::Database, service::Service};
use loadtest::chance::Random;
use sqlx::PgConnection;

use super::store;
use crate::bench::{
    Stage,
    bout::{Bout, CONNECTIONS, Rules},
    client::{Client, Pace},
    cores::Core,
    links::{self, Links},
    ours::{self, Lookups},
    traffic::Traffic,
    window::Cast,
};

/// What becomes of clicks while redirects are measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::bench) enum Form {
    /// They are appended to the journal and stay there.
    Held,
    /// The recorder takes them to a Postgres that runs on that core.
    Draining(Core),
}

pub(in crate::bench) struct Contestant {
    pub service: Service,
    connection: PgConnection,
    /// Dropped last: the others use it.
    _database: Database,
}

/// What came of a bout.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Taken {
    pub bout: Bout,
    /// Clicks recorded in the window, as a part of the requests in it.
    pub recorded: f64,
    /// Requests per second until the last click was recorded.
    pub all_in: f64,
    /// The part of look-ups that memory answered, if this build tells.
    pub hits: Option<f64>,
}

impl Contestant {
    /// Starts it on the server's core, and loads links as an operator would.
    pub(in crate::bench) async fn prepare(stage: &Stage, links: Links) -> anyhow::Result<Self> {
        let database = Database::in_cluster(&stage.cluster).await;
        let service = ours::start_on(stage.cores.server, Service::builder(&database)).await?;
        for (path, file) in [
            ("/users/bulk", links.users_file()),
            ("/urls/bulk", links.file()),
        ] {
            let answer = service.upload(path, file).await;
            ensure!(answer.status == 201, "{path}: {answer:?}");
        }
        let mut contestant = Self {
            service,
            connection: stage.connect(&database).await,
            _database: database,
        };
        contestant.warm(stage, links).await?;
        Ok(contestant)
    }

    /// Asks for each link once.
    async fn warm(&mut self, stage: &Stage, links: Links) -> anyhow::Result<()> {
        let traffic = Traffic::new(1);
        let client = Client {
            core: stage.cores.client,
            addr: self.service.addr(),
            connections: CONNECTIONS,
            requests: Arc::new(move |number| {
                let mut random = Random::new(number.into());
                links::visit(number + 1, &traffic.click(&mut random))
            }),
            status: 302,
        };
        client.run(Pace::Count(links.count))?;
        ours::drained(&self.service).await?;
        store::take_clicks(&mut self.connection).await?;
        Ok(())
    }

    /// Measures it, again if others disturbed that.
    pub(in crate::bench) async fn fight(
        &mut self,
        stage: &Stage,
        rules: Rules<'_>,
        form: Form,
        idle: &[u32],
    ) -> anyhow::Result<Taken> {
        for _ in 1..rules.tries {
            let taken = self.fight_once(stage, rules, form, idle).await?;
            if !taken.bout.shares.is_disturbed() {
                return Ok(taken);
            }
        }
        self.fight_once(stage, rules, form, idle).await
    }

    async fn fight_once(
        &mut self,
        stage: &Stage,
        rules: Rules<'_>,
        form: Form,
        idle: &[u32],
    ) -> anyhow::Result<Taken> {
        let core = match form {
            Form::Held => stage.cores.server,
            Form::Draining(core) => core,
        };
        stage.cores.move_to(stage.postmaster, core)?;
        if form == Form::Held {
            store::hold(&mut self.connection).await?;
        }
        let cast = Cast {
            server: self.service.pid(),
            postgres: Some(stage.postmaster),
            idle: idle.to_vec(),
            core: stage.cores.server,
        };
        let before = ours::clicks(&self.service).await?;
        let at_start = async || {
            let clicks = ours::clicks(&self.service).await?;
            Ok((clicks, Lookups::now(&self.service).await))
        };
        let (bout, (opening, lookups)) = rules.fight(&cast, self.service.addr(), at_start).await?;
        let after = ours::clicks(&self.service).await?;
        let lookups = lookups.zip(Lookups::now(&self.service).await);
        if form == Form::Held {
            ensure!(
                after.recorded == before.recorded,
                "clicks were recorded although the recorder was to be held still"
            );
            store::let_go(&mut self.connection).await?;
        }
        let drained = ours::drained(&self.service).await?;
        let all_in = bout.began.elapsed();
        let appended = drained.appended - before.appended;
        let recorded = store::take_clicks(&mut self.connection).await?;
        check(bout.answered(), appended, recorded)?;
        Ok(Taken {
            bout,
            recorded: number(after.recorded - opening.recorded) / f64::from(bout.outcome.requests),
            all_in: number(appended) / all_in.as_secs_f64(),
            hits: lookups.map(|(before, after)| after.hits_since(before)),
        })
    }
}

/// Every redirect that was answered is recorded, and no more than could have been under way when wrk ended.
fn check(answered: u64, appended: u64, recorded: i64) -> anyhow::Result<()> {
    // One more per connection, each time that wrk hung up: after the warm-up, and at the end.
    let most = answered + 2 * u64::from(CONNECTIONS);
    ensure!(
        u64::try_from(recorded) == Ok(appended) && (answered..=most).contains(&appended),
        "{answered} redirects were answered, {appended} clicks appended, {recorded} recorded"
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "clicks of a few seconds")]
fn number(clicks: u64) -> f64 {
    clicks as f64
}
