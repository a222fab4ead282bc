//! Which of several operators acts. The algorithm is that of client-go: a candidate takes a Lease over that it has seen unchanged,
//! by its own clock, for as long as the holder said; each write of it names the version that was read, so that of two only one
//! succeeds. Nobody's clock is compared with another's.
//!
//! The holder relies on it for less long than it says there, so that it has stopped writing when another begins.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub const NAME: &str = "shortener-operator";

/// How long a Lease holds that is not renewed.
const DURATION: Duration = Duration::from_secs(15);

/// How long its holder relies on it: whatever was sent before has arrived, or never will, when the rest has passed.
const RELIED_ON: Duration = Duration::from_secs(10);

const RENEWAL: Duration = Duration::from_secs(2);

/// An API server that takes longer is asked again.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whether this process may write.
#[derive(Clone, Debug)]
pub struct Leadership {
    until: Arc<Mutex<Option<Instant>>>,
    gained: watch::Sender<u64>,
}

impl Default for Leadership {
    fn default() -> Self {
        Self {
            until: Arc::default(),
            gained: watch::Sender::new(0),
        }
    }
}

impl Leadership {
    /// Whether the Lease is certain to be ours at this moment.
    pub fn holds(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    /// Counts how often the lead was gained.
    pub fn gained(&self) -> watch::Receiver<u64> {
        self.gained.subscribe()
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.until
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    /// `asked` is from before the request, since nobody knows when within it the Lease was written.
    fn renewed(&self, asked: Instant) {
        let did_hold = self.holds();
        *self.until() = Some(asked + RELIED_ON);
        if !did_hold {
            tracing::info!("this process leads");
            self.gained.send_modify(|count| *count += 1);
        }
    }

    /// Whether there was a lead to lose.
    fn lost(&self) -> bool {
        self.until().take().is_some()
    }
}

/// What was seen of a Lease, and since when it has been so.
#[derive(Debug)]
struct Sight {
    version: Option<String>,
    since: Instant,
}

pub struct Elector {
    api: Api<Lease>,
    identity: String,
    leadership: Leadership,
    sight: Option<Sight>,
}

impl Elector {
    pub fn new(client: Client, namespace: &str, identity: String, leadership: Leadership) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            identity,
            leadership,
            sight: None,
        }
    }

    /// Takes the Lease when it can, and renews it, until `stop`; then gives it back.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(RENEWAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let asked = Instant::now();
            match tokio::time::timeout(PATIENCE, self.turn(asked)).await {
                Ok(Ok(true)) => self.leadership.renewed(asked),
                // Whoever has it believes to be alone. This process may hold on to what it knew before.
                Ok(Ok(false)) if self.leadership.lost() => {
                    anyhow::bail!("another process holds the Lease now")
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(error = %error, "the Lease cannot be renewed"),
                Err(_) => tracing::warn!("the API server does not answer about the Lease"),
            }
        }
        self.release().await;
        Ok(())
    }

    /// Whether the Lease is ours after this turn. A conflict is another's success.
    async fn turn(&mut self, now: Instant) -> kube::Result<bool> {
        let written = match self.api.get_opt(NAME).await? {
            None => self.api.create(&PostParams::default(), &self.first()).await,
            Some(lease) if self.may_take(&lease, now) => {
                let next = self.next(lease);
                self.api.replace(NAME, &PostParams::default(), &next).await
            }
            Some(_) => return Ok(false),
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn may_take(&mut self, lease: &Lease, now: Instant) -> bool {
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let version = lease.metadata.resource_version.clone();
        let seconds = spec.lease_duration_seconds.unwrap_or(0).max(1);
        match &self.sight {
            Some(sight) if sight.version == version => {
                now.duration_since(sight.since) > Duration::from_secs(seconds.unsigned_abs().into())
            }
            _ => {
                self.sight = Some(Sight {
                    version,
                    since: now,
                });
                false
            }
        }
    }

    fn first(&self) -> Lease {
        let metadata = ObjectMeta {
            name: Some(NAME.to_owned()),
            ..ObjectMeta::default()
        };
        self.next(Lease {
            metadata,
            spec: None,
        })
    }

    /// The Lease with us as its holder. The version that was read stays in it.
    fn next(&self, mut lease: Lease) -> Lease {
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        let now = MicroTime(Timestamp::now());
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + 1);
        }
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        spec.renew_time = Some(now);
        lease
    }

    /// So that the next one need not wait.
    async fn release(&self) {
        if !self.leadership.holds() {
            return;
        }
        self.leadership.lost();
        let given_back = async {
            let Some(mut lease) = self.api.get_opt(NAME).await? else {
                return Ok::<(), kube::Error>(());
            };
            if let Some(spec) = lease
                .spec
                .as_mut()
                .filter(|spec| spec.holder_identity.as_ref() == Some(&self.identity))
            {
                spec.holder_identity = Some(String::new());
                spec.lease_duration_seconds = Some(1);
                self.api
                    .replace(NAME, &PostParams::default(), &lease)
                    .await?;
            }
            kube::Result::Ok(())
        };
        if !matches!(tokio::time::timeout(PATIENCE, given_back).await, Ok(Ok(()))) {
            tracing::warn!(
                "the Lease could not be given back: another takes it over in {} seconds",
                DURATION.as_secs()
            );
        }
    }
}

/// Whether somebody holds the Lease of the operator in another namespace. This compares clocks, generously.
pub async fn is_held(client: &Client, namespace: &str, now: Timestamp) -> kube::Result<bool> {
    let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let Some(spec) = api.get_opt(NAME).await?.and_then(|lease| lease.spec) else {
        return Ok(false);
    };
    let has_holder = spec
        .holder_identity
        .is_some_and(|holder| !holder.is_empty());
    let renewed = spec.renew_time.map_or(0, |time| time.0.as_second());
    let grace = 4 * i64::try_from(DURATION.as_secs()).unwrap_or(0);
    Ok(has_holder && now.as_second() - renewed < grace)
}
