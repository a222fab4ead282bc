//! Secrets, looked at by name and in turn. To watch them would take the right to list them, which is the right to read all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kube::{
    Api,
    api::{DynamicObject, GetParams},
    runtime::reflector::ObjectRef,
};
use tokio_util::sync::CancellationToken;

use super::{Context, observe::secrets, watch::Queue};
use crate::kinds::Kind;

/// How long a change of a Secret may go unnoticed, and a little more while there are many.
const INTERVAL: Duration = Duration::from_secs(15);

/// Asks for a resource whenever a Secret that it depends on is another than before, or gone.
pub async fn secrets(
    ctx: Arc<Context>,
    queue: Queue,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut seen = Seen::new();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if !ctx.leadership.holds() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            now = look(&ctx, &queue, &seen) => seen = now?,
        }
    }
}

/// The version of each Secret, by namespace and name; none for one that is not there.
type Seen = HashMap<(String, String), Option<String>>;

async fn look(ctx: &Context, queue: &Queue, seen: &Seen) -> anyhow::Result<Seen> {
    let mut now = Seen::new();
    for guarded in ctx.resources() {
        let Ok(resource) = &guarded.0 else { continue };
        let namespace = resource.metadata.namespace.clone().unwrap_or_default();
        for name in secrets::names(resource) {
            let key = (namespace.clone(), name);
            let before = seen.get(&key).cloned();
            // Nobody answers: it is looked at again next time.
            let Ok(version) = version(ctx, &key).await else {
                now.extend(before.map(|before| (key, before)));
                continue;
            };
            // One that is seen for the first time may have changed since the resource was looked at.
            if before.is_none_or(|before| before != version) {
                queue.send(ObjectRef::from_obj(&*guarded))?;
            }
            now.insert(key, version);
        }
    }
    Ok(now)
}

async fn version(
    ctx: &Context,
    (namespace, name): &(String, String),
) -> kube::Result<Option<String>> {
    let resource = Kind::Secret.api_resource();
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), namespace, &resource);
    // Out of the API server's memory, which may lag behind by a moment: hundreds of resources are no load for its store.
    let found = api.get_metadata_opt_with(name, &GetParams::any()).await?;
    Ok(found.and_then(|found| found.metadata.resource_version))
}
