//! Keeps this process's lease.

use std::sync::Arc;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{RENEWAL, Replicas};

/// Renews the lease until `stop`. A failure is the database's;
/// the next renewal may work.
pub(super) async fn keep_lease(
    replicas: Arc<Replicas>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut renewal = tokio::time::interval(RENEWAL);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = renewal.tick() => {}
        }
        match replicas.join().await {
            Ok(()) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("the lease is renewed again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "the lease could not be renewed: other replicas will not wait for this one");
                }
            }
        }
    }
    Ok(())
}
