//! From users to replicas and connections: the table at the end of docs/capacity.md.

use super::{hpa::whole, settings::Settings, table::Table};

/// Seconds between two requests of a user who is there.
const EVERY: f64 = 30.0;

/// Connections of a pod to Postgres, besides the one that listens, when there are many pods and when there are few.
const FEWEST: u32 = 8;
const MOST: u32 = 20;
const LISTENING: u32 = 1;

/// For the migration, and what Postgres keeps for superusers.
const RESERVE: u32 = 11;

/// What the operator gives a managed Postgres unless told otherwise, and what it gives at most.
const DEFAULT_LIMIT: u32 = 200;
const GREATEST_LIMIT: u32 = 1000;

/// Pods that may be connected at the same moment: replicas, one more in a rollout, and those that end within `drainSeconds` (30)
/// while one becomes ready each 5 seconds. The rule is the operator's, `validate/connections.rs`; `tests.rs` compares.
pub(crate) fn pods(replicas: u32) -> u32 {
    const SURGE: u32 = 1;
    const ENDING: u32 = 30 / 5 + 1;
    replicas + SURGE + ENDING.min(replicas)
}

/// Connections of each pod, besides the one that listens.
pub(crate) fn pool(replicas: u32, limit: u32) -> u32 {
    let each = (limit - RESERVE) / pods(replicas);
    each.saturating_sub(LISTENING).clamp(FEWEST, MOST)
}

/// All connections.
pub(crate) fn connections(replicas: u32, limit: u32) -> u32 {
    pods(replicas) * (pool(replicas, limit) + LISTENING) + RESERVE
}

/// The least `maxConnections`, in hundreds, that so many replicas fit.
fn limit(replicas: u32) -> Option<u32> {
    let limits = (DEFAULT_LIMIT..=GREATEST_LIMIT).step_by(100);
    limits
        .into_iter()
        .find(|limit| connections(replicas, *limit) <= *limit)
}

pub(crate) fn table(settings: &Settings) -> String {
    let mut table = Table::new([
        "users at once",
        "requests a second",
        "replicas",
        "`maxReplicas`",
        "users per replica",
        "pods connected at most",
        "connections of each",
        "Postgres' `maxConnections`",
    ]);
    for users in [10_000, 100_000, 200_000, 300_000, 500_000, 1_000_000] {
        let rate = f64::from(users) / EVERY;
        let replicas = whole((rate / settings.trigger.target.amount()).ceil());
        let replicas = replicas.max(settings.autoscaler.min);
        // What is measured is up to a tenth off, and one may be away.
        let most = whole((f64::from(replicas) * 1.1).ceil()) + 1;
        let (pool, limit) = match limit(most) {
            Some(limit) => (
                (pool(most, limit) + LISTENING).to_string(),
                limit.to_string(),
            ),
            None => (
                (FEWEST + LISTENING).to_string(),
                format!(
                    "{}: a pooler, or an external Postgres",
                    pods(most) * (FEWEST + LISTENING) + RESERVE
                ),
            ),
        };
        table.row(&[
            grouped(users),
            grouped(whole(rate)),
            replicas.to_string(),
            most.to_string(),
            grouped(users / replicas),
            pods(most).to_string(),
            pool,
            limit,
        ]);
    }
    table.text()
}

/// With commas between thousands.
fn grouped(number: u32) -> String {
    match (number / 1_000_000, number / 1_000 % 1_000, number % 1_000) {
        (0, 0, ones) => ones.to_string(),
        (0, thousands, ones) => format!("{thousands},{ones:03}"),
        (millions, thousands, ones) => format!("{millions},{thousands:03},{ones:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let found = [7, 1_000, 45_678, 1_000_000].map(grouped);
        assert_eq!(found, ["7", "1,000", "45,678", "1,000,000"]);
    }

    #[test]
    fn the_limit_is_the_least_that_fits() {
        assert_eq!(limit(2), Some(200));
        assert_eq!(limit(13), Some(200));
        assert_eq!(limit(14), Some(300));
        assert_eq!(limit(150), None);
    }
}
