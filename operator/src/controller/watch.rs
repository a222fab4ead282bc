//! What triggers a reconciliation. Each watch runs by itself, with a backoff of its own: behind one backoff, as a `Controller` has
//! it, nine watches need minutes to be back after an outage of the API server. Kinds that the cluster does not know yet are
//! watched from the moment that it does.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{Stream, StreamExt as _, future};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::DynamicObject,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        reflector::{ObjectRef, store::Writer},
        watcher::{self, Event},
    },
};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{Context, Guarded, build::labels, retry::WatchBackoff};
use crate::{kinds::Kind, shutdown::Tasks};

/// How often it is looked which optional kinds there are.
const DISCOVERY: Duration = Duration::from_secs(5);

/// How long a watch goes on until it is asked for anew, in seconds. One over which nothing comes any more, though it seems to be open, is
/// deaf for so long.
const RENEWAL: u32 = 60;

/// A watch that has not moved for so long is deaf: even an idle one is renewed within a minute or so.
const DEAF: Duration = Duration::from_mins(10);

pub type Queue = UnboundedSender<ObjectRef<Guarded>>;

/// Whether each watch still moves.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<HashMap<String, Arc<Beat>>>);

#[derive(Debug)]
struct Beat {
    since: Instant,
    last: AtomicU64,
    is_synced: AtomicBool,
}

impl Pulse {
    fn add(&self, name: &str) -> Arc<Beat> {
        let beat = Arc::new(Beat {
            since: Instant::now(),
            last: AtomicU64::new(0),
            is_synced: AtomicBool::new(false),
        });
        self.lock().insert(name.to_owned(), Arc::clone(&beat));
        beat
    }

    fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Beat>>> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    /// Watches that have not moved for too long.
    pub fn deaf(&self) -> Vec<String> {
        let all = self.lock();
        let deaf = all.iter().filter(|(_, beat)| beat.age() > DEAF);
        deaf.map(|(name, _)| name.clone()).collect()
    }

    /// Watches that have not seen all there is even once.
    pub fn unsynced(&self) -> Vec<String> {
        let all = self.lock();
        let unsynced = all
            .iter()
            .filter(|(_, beat)| !beat.is_synced.load(Ordering::Relaxed));
        unsynced.map(|(name, _)| name.clone()).collect()
    }
}

impl Beat {
    fn moved(&self) {
        let millis = self.since.elapsed().as_millis();
        self.last
            .store(millis.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(last)
    }
}

/// Notes each time that a stream is woken: by an event, by a bookmark, by the end of an idle watch, or by a backoff. Nothing else
/// tells an idle watch from a deaf one.
fn felt<S: Stream + Unpin>(mut stream: S, beat: Arc<Beat>) -> impl Stream<Item = S::Item> {
    futures_util::stream::poll_fn(move |context| {
        beat.moved();
        stream.poll_next_unpin(context)
    })
}

/// The API for a kind in one namespace, or in all.
fn api(
    client: &Client,
    kind: Kind,
    namespace: Option<&str>,
) -> Api<PartialObjectMeta<DynamicObject>> {
    let resource = kind.api_resource();
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Watches the resources themselves, and keeps the store of them.
pub async fn resources(
    ctx: Arc<Context>,
    pulse: Arc<Pulse>,
    namespaces: Vec<Option<String>>,
    writer: Writer<Guarded>,
    queue: Queue,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let streams = namespaces.into_iter().map(|namespace| {
        let api: Api<Guarded> = match &namespace {
            Some(namespace) => Api::namespaced(ctx.client.clone(), namespace),
            None => Api::all(ctx.client.clone()),
        };
        let beat = pulse.add(&format!(
            "urlshorteners {}",
            namespace.as_deref().unwrap_or_default()
        ));
        let stream = watcher::watcher(api, watcher::Config::default().timeout(RENEWAL))
            .backoff(WatchBackoff::default())
            // Who has set which field is larger than the resource, and nothing reads it here.
            .modify(|resource| resource.managed_fields_mut().clear());
        let stream = felt(Box::pin(stream), Arc::clone(&beat));
        stream
            .map(move |event| (namespace.clone(), event, Arc::clone(&beat)))
            .boxed()
    });
    let mut events = futures_util::stream::select_all(streams.collect::<Vec<_>>());
    let mut shelf = Shelf::new(writer);
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            next = events.next() => next,
        };
        let Some((namespace, event, beat)) = next else {
            anyhow::bail!("the watch of the resources has ended");
        };
        match event {
            Err(error) => tracing::warn!(error = %error, "resources cannot be watched"),
            Ok(Event::Init) => {}
            Ok(Event::InitApply(resource)) => shelf.listed(&resource),
            Ok(Event::InitDone) => {
                shelf.complete(&ctx, namespace.as_deref());
                beat.is_synced.store(true, Ordering::Relaxed);
                // Whatever was missed while the watch was away.
                for resource in ctx.store.state() {
                    queue.send(ObjectRef::from_obj(&*resource))?;
                }
            }
            Ok(Event::Apply(resource)) => {
                if shelf.changed(&resource) {
                    queue.send(ObjectRef::from_obj(&resource))?;
                }
            }
            Ok(Event::Delete(resource)) => {
                shelf.deleted(&resource);
                ctx.retries.forget(&super::retry::key(&resource));
                ctx.neglected.forget(&super::retry::key(&resource));
            }
        }
    }
}

/// Identity, generation and annotations: somebody who touches a resource wants it looked at.
type Version = (
    Option<String>,
    Option<i64>,
    std::collections::BTreeMap<String, String>,
);

/// The store of resources, filled from the watches of several namespaces.
struct Shelf {
    writer: Writer<Guarded>,
    /// What of each would make us act, as it was last seen.
    seen: HashMap<ObjectRef<Guarded>, Version>,
    /// Those of the list that is being read.
    listed: HashSet<ObjectRef<Guarded>>,
}

impl Shelf {
    fn new(mut writer: Writer<Guarded>) -> Self {
        // A list would replace what other namespaces have told, so that the store only ever sees single changes.
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
        Self {
            writer,
            seen: HashMap::new(),
            listed: HashSet::new(),
        }
    }

    fn listed(&mut self, resource: &Guarded) {
        self.listed.insert(ObjectRef::from_obj(resource));
        self.changed(resource);
    }

    /// Takes out what was deleted while nobody watched.
    fn complete(&mut self, ctx: &Context, namespace: Option<&str>) {
        for resource in ctx.store.state() {
            let is_here = namespace.is_none() || resource.namespace().as_deref() == namespace;
            if is_here && !self.listed.contains(&ObjectRef::from_obj(&*resource)) {
                self.deleted(&resource);
            }
        }
        self.listed
            .retain(|listed| namespace.is_some() && listed.namespace.as_deref() != namespace);
    }

    /// Whether there is something to do: our own status, for one, changes nothing that we would act on.
    fn changed(&mut self, resource: &Guarded) -> bool {
        self.writer
            .apply_watcher_event(&Event::Apply(resource.clone()));
        let now = (
            resource.uid(),
            resource.meta().generation,
            resource.annotations().clone(),
        );
        let before = self.seen.insert(ObjectRef::from_obj(resource), now.clone());
        before != Some(now)
    }

    fn deleted(&mut self, resource: &Guarded) {
        self.seen.remove(&ObjectRef::from_obj(resource));
        self.writer
            .apply_watcher_event(&Event::Delete(resource.clone()));
    }
}

/// Watches objects of one kind that carry our label, and asks for the resource that each belongs to. Only names and labels are
/// kept in memory, and those only on their way.
async fn children(
    client: Client,
    kind: Kind,
    namespace: Option<String>,
    beat: Arc<Beat>,
    queue: Queue,
    stop: CancellationToken,
) {
    let config = watcher::Config::default()
        .labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGER))
        .timeout(RENEWAL);
    let api = api(&client, kind, namespace.as_deref());
    let stream = watcher::watcher(api, config).backoff(WatchBackoff::default());
    let mut events = pin!(felt(Box::pin(stream), Arc::clone(&beat)));
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return,
            next = events.next() => next,
        };
        match next {
            None => return,
            Some(Err(error)) => {
                tracing::debug!(error = %error, "{}s cannot be watched", kind.name());
            }
            Some(Ok(Event::InitDone)) => beat.is_synced.store(true, Ordering::Relaxed),
            Some(Ok(Event::Init)) => {}
            Some(Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object))) => {
                if let Some(owner) = owner(&object) {
                    // The queue ends with the process.
                    let _ = queue.send(owner);
                }
            }
        }
    }
}

/// The resource that an object belongs to. By its label, since data has no owner.
fn owner(object: &PartialObjectMeta<DynamicObject>) -> Option<ObjectRef<Guarded>> {
    let name = object.labels().get(labels::INSTANCE)?;
    let namespace = object.namespace()?;
    Some(ObjectRef::new(name).within(&namespace))
}

/// Looks which kinds the cluster knows, watches them while it does, and tells every resource when that changes.
pub async fn kinds(
    ctx: Arc<Context>,
    pulse: Arc<Pulse>,
    tasks: Tasks,
    namespaces: Vec<Option<String>>,
    queue: Queue,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut watched: HashMap<Kind, CancellationToken> = HashMap::new();
    let mut ticks = tokio::time::interval(DISCOVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let looked = Kind::ALL.map(|kind| knows(&ctx.client, kind));
        let found = future::join_all(looked).await;
        let mut has_changed = false;
        for (kind, is_known) in Kind::ALL.into_iter().zip(found) {
            // While nobody answers, nothing is known to have changed.
            let Some(is_known) = is_known else { continue };
            let was_known = watched.contains_key(&kind);
            if is_known == was_known {
                continue;
            }
            has_changed = true;
            if is_known {
                let stop = stop.child_token();
                watched.insert(kind, stop.clone());
                start(&ctx, &pulse, &tasks, kind, &namespaces, &queue, &stop);
            } else if let Some(stop) = watched.remove(&kind) {
                tracing::info!("the cluster does not know {}s any more", kind.name());
                stop.cancel();
                for namespace in &namespaces {
                    pulse.remove(&name(kind, namespace.as_deref()));
                }
            }
        }
        if has_changed {
            *ctx.known
                .write()
                .expect("nothing panics while it holds the lock") =
                watched.keys().copied().collect();
            for resource in ctx.store.state() {
                queue.send(ObjectRef::from_obj(&*resource))?;
            }
        }
    }
}

fn start(
    ctx: &Context,
    pulse: &Pulse,
    tasks: &Tasks,
    kind: Kind,
    namespaces: &[Option<String>],
    queue: &Queue,
    stop: &CancellationToken,
) {
    if kind.is_optional() {
        tracing::info!("the cluster knows {}s", kind.name());
    }
    if !kind.is_watched() {
        return;
    }
    for namespace in namespaces {
        let beat = pulse.add(&name(kind, namespace.as_deref()));
        let (client, namespace) = (ctx.client.clone(), namespace.clone());
        tasks.spawn(children(
            client,
            kind,
            namespace,
            beat,
            queue.clone(),
            stop.clone(),
        ));
    }
}

fn name(kind: Kind, namespace: Option<&str>) -> String {
    format!("{} {}", kind.plural(), namespace.unwrap_or_default())
}

/// Whether the cluster knows a kind; nothing, if it does not say.
async fn knows(client: &Client, kind: Kind) -> Option<bool> {
    if !kind.is_optional() {
        return Some(true);
    }
    match client.list_api_group_resources(&kind.api_version()).await {
        Ok(list) => Some(
            list.resources
                .iter()
                .any(|resource| resource.name == kind.plural()),
        ),
        Err(kube::Error::Api(status)) if status.code == 404 => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_moves_is_not_deaf_and_one_that_has_seen_all_is_synced() {
        let pulse = Pulse::default();
        let beat = pulse.add("deployments ");
        assert!(pulse.deaf().is_empty());
        assert_eq!(pulse.unsynced(), ["deployments "]);
        beat.is_synced.store(true, Ordering::Relaxed);
        assert!(pulse.unsynced().is_empty());
        pulse.remove("deployments ");
        assert!(pulse.lock().is_empty());
    }
}
