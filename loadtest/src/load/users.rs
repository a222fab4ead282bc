//! Users, each of whom asks for one thing after the other and looks at the answer in between: goose drives them.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use goose::{
    GooseAttack,
    config::GooseConfiguration,
    goose::{
        GooseMethod, GooseRequest, GooseUser, Scenario, Transaction, TransactionError,
        TransactionFunction,
    },
};
use loadtest::chance::Random;

use crate::{
    arguments::Plan,
    links::Links,
    record::Record,
    target::{Question, Target},
};

/// What goose calls the report that it writes.
pub(crate) const REPORT: &str = "goose.html";

/// What transactions need. Each user has one.
#[derive(Clone)]
struct Shared {
    target: Arc<Target>,
    links: Arc<Links>,
    record: Arc<Record>,
    scenario: crate::mix::Scenario,
    created: Arc<AtomicU64>,
}

/// The luck of one user, and how many turns it has had.
struct Luck {
    random: Random,
    turn: u64,
}

/// Has goose ask, for as long as the plan says or until Ctrl-C.
pub(crate) async fn ask(
    plan: &Plan,
    target: &Arc<Target>,
    links: &Arc<Links>,
    record: &Arc<Record>,
) -> anyhow::Result<()> {
    fs::create_dir_all(&plan.report)
        .with_context(|| format!("could not make the folder {}", plan.report.display()))?;
    let shared = Shared {
        target: Arc::clone(target),
        links: Arc::clone(links),
        record: Arc::clone(record),
        scenario: plan.scenario,
        created: Arc::default(),
    };
    let attack = GooseAttack::initialize_with_config(configuration(plan, target))?;
    attack
        .register_scenario(scenario(plan, &shared)?)
        .execute()
        .await?;
    Ok(())
}

fn configuration(plan: &Plan, target: &Target) -> GooseConfiguration {
    let whole = |time: Duration| format!("{}s", time.as_secs().max(1));
    // It has a private field, so that it cannot be written as one value.
    let mut configuration = GooseConfiguration::default();
    configuration.host = target.base().to_string();
    configuration.users = Some(plan.users as usize);
    if plan.users > 1 {
        configuration.startup_time = whole(plan.ramp_up);
    }
    if let Some(hundreds) = plan.hundreds {
        configuration.iterations = 100 * hundreds as usize;
    } else {
        configuration.run_time = whole(plan.duration);
        // Who comes first is a user, too.
        configuration.no_reset_metrics = true;
    }
    configuration.report_file = vec![plan.report.join(REPORT).display().to_string()];
    // We tell ourselves, in the same words for both ways to ask.
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    configuration.quiet = 2;
    configuration.no_telnet = true;
    configuration.no_websocket = true;
    configuration.no_gzip = true;
    configuration.timeout = Some(plan.service.timeout.as_secs_f64().to_string());
    configuration
}

fn scenario(plan: &Plan, shared: &Shared) -> anyhow::Result<Scenario> {
    let (least, most) = (plan.pause / 2, plan.pause * 3 / 2);
    Ok(Scenario::new("loadtest")
        .set_wait_time(least, most)?
        .register_transaction(begin(shared.clone(), plan.seed))
        .register_transaction(turn(shared.clone())))
}

/// Gives a user connections and luck of its own.
fn begin(shared: Shared, seed: u64) -> Transaction {
    let begin: TransactionFunction = Arc::new(move |user| {
        let shared = shared.clone();
        Box::pin(async move {
            user.set_client_builder(shared.target.client()).await?;
            let own = seed.wrapping_add(user.weighted_users_index as u64);
            user.set_session_data(Luck {
                random: Random::new(own),
                turn: 0,
            });
            Ok(())
        })
    });
    Transaction::new(begin).set_name("begin").set_on_start()
}

/// One request, of the kind whose turn it is: weights of goose's own would have all users do the same kinds at the same time.
fn turn(shared: Shared) -> Transaction {
    let turn: TransactionFunction = Arc::new(move |user| {
        let shared = shared.clone();
        Box::pin(async move { shared.ask(user).await })
    });
    Transaction::new(turn).set_name("turn")
}

impl Shared {
    async fn ask(&self, user: &mut GooseUser) -> Result<(), Box<TransactionError>> {
        let who = user.weighted_users_index as u64;
        let luck = user.get_session_data_unchecked_mut::<Luck>();
        let kind = self.scenario.of_turn(who, luck.turn);
        let kind = self.scenario.at(self.record.elapsed(), kind);
        luck.turn += 1;
        let drawn = self.links.draw(&mut luck.random);
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let question = Question::new(kind, &self.links, drawn, number);

        let method = match question.body {
            Some(_) => GooseMethod::Post,
            None => GooseMethod::Get,
        };
        let mut request = user.get_request_builder(&method, &question.path)?;
        if let Some(body) = &question.body {
            request = request.json(body);
        }
        let number = u32::try_from(user.weighted_users_index).unwrap_or_default();
        let name = kind.to_string();
        let request = GooseRequest::builder()
            .method(method)
            .path(question.path.as_str())
            .name(name.as_str())
            .expect_status_code(kind.status())
            .set_request_builder(self.target.signed(request, number))
            .build();
        let since = Instant::now();
        let answer = user.request(request).await?.response;
        let outcome = question.judge(since, answer).await;
        self.record.add(&outcome);
        Ok(())
    }
}
