//! How many connections each replica may take, so that all of them together never ask for more than the database gives.

use crate::{
    conditions::{About, Finding, Reason},
    crd::{
        UrlShortenerSpec,
        access::Switch,
        postgres::{ManagedPostgres, PostgresType},
        scaling::ScalingType,
    },
};

/// What the service takes by default, and seldom needs more of.
const MOST: i32 = 20;

/// Fewer, and requests, recording and the lease wait for one another.
const FEWEST: i32 = 8;

/// Each replica listens on one more, which it holds for ever.
const LISTENING: i32 = 1;

/// Of the migration Job, which runs beside the replicas of the version before.
pub const MIGRATION: i32 = 8;

/// What Postgres keeps for superusers, so that somebody can look when all others are taken.
const SUPERUSERS: i32 = 3;

/// The instance manager of CloudNativePG, and a standby's.
const CLUSTER: i32 = 6;

const EXPORTER: i32 = 2;

/// The sum, and what it is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connections {
    /// Pods that may be connected at the same moment.
    pub pods: i32,
    /// Connections of each, besides the one that listens.
    pub pool: i32,
    /// For everything else.
    pub reserve: i32,
    /// What the database gives, if that is known.
    pub limit: Option<i32>,
}

impl Connections {
    pub fn of(spec: &UrlShortenerSpec) -> Self {
        let (limit, reserve) = limit_and_reserve(spec);
        let pods = pods(spec);
        let each = limit.map_or(MOST, |limit| (limit - reserve) / pods - LISTENING);
        Self {
            pods,
            pool: each.clamp(FEWEST, MOST),
            reserve,
            limit,
        }
    }

    fn sum(&self) -> i32 {
        self.pods * (self.pool + LISTENING) + self.reserve
    }

    pub fn finding(&self) -> Finding {
        let sum = format!(
            "{} pods x ({} + {LISTENING} that listens) + {} for migrations, monitoring and superusers = {}",
            self.pods,
            self.pool,
            self.reserve,
            self.sum()
        );
        let (reason, message) = match self.limit {
            None => (
                Reason::LimitUnknown,
                format!(
                    "up to {sum} connections; say in `postgres.external.connectionLimit` how many there are"
                ),
            ),
            Some(limit) if self.sum() > limit => (
                Reason::LimitExceeded,
                format!(
                    "{sum} connections, but the database gives {limit}: lower the largest number of replicas, or raise the limit"
                ),
            ),
            Some(limit) => (Reason::WithinLimit, format!("{sum} of {limit} connections")),
        };
        Finding::new(About::ConnectionsFit, reason, message)
    }
}

/// Replicas, those of a rollout, and those that still end their requests.
fn pods(spec: &UrlShortenerSpec) -> i32 {
    let scaling = &spec.scaling;
    let replicas = match (scaling.kind, &scaling.autoscaled) {
        (ScalingType::Autoscaled, Some(autoscaled)) => autoscaled.max_replicas,
        _ => scaling
            .fixed
            .as_ref()
            .map_or(super::DEFAULT_REPLICAS, |fixed| fixed.replicas),
    };
    let surge = spec.app.rollout.max_surge;
    // A pod counts as gone from the moment it is told to end. As many as become ready within that time may be ending.
    let ending = (spec.app.rollout.drain_seconds / super::SETTLED_SECONDS + 1) * surge;
    replicas + surge + ending.min(replicas)
}

fn limit_and_reserve(spec: &UrlShortenerSpec) -> (Option<i32>, i32) {
    let postgres = &spec.postgres;
    let exporter = match spec.monitoring.exporters.postgres {
        Switch::Enabled => EXPORTER,
        Switch::Disabled => 0,
    };
    match postgres.kind {
        PostgresType::Managed => {
            let ManagedPostgres {
                max_connections, ..
            } = postgres.managed();
            (Some(max_connections), MIGRATION + SUPERUSERS + exporter)
        }
        PostgresType::CloudNativePg => {
            let limit = postgres
                .cloud_native_pg
                .as_ref()
                .map(|cluster| cluster.max_connections);
            (limit, MIGRATION + SUPERUSERS + CLUSTER)
        }
        PostgresType::External => {
            let external = postgres.external.as_ref();
            (
                external.and_then(|external| external.connection_limit),
                MIGRATION,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(spec: serde_json::Value) -> Connections {
        Connections::of(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_small_service_gets_what_it_seldom_needs_more_of() {
        let connections = of(json!({"version": "1"}));
        assert_eq!(connections.pods, 5, "two, one more, two that end");
        assert_eq!(connections.pool, MOST);
        assert!(connections.sum() <= 200);
        assert_eq!(connections.finding().reason, Reason::WithinLimit);
    }

    #[test]
    fn the_pool_shrinks_as_replicas_grow_until_it_cannot() {
        let with = |replicas| {
            of(
                json!({"version": "1", "scaling": {"type": "Fixed", "fixed": {"replicas": replicas}}}),
            )
        };
        assert!(with(10).pool < with(2).pool);
        let many = with(50);
        assert_eq!(many.pool, FEWEST);
        let finding = many.finding();
        assert_eq!(finding.reason, Reason::LimitExceeded);
        assert!(
            finding.message.contains("the database gives 200"),
            "{}",
            finding.message
        );
    }

    #[test]
    fn a_database_of_others_without_a_limit_is_not_guessed_at() {
        let connections = of(json!({
            "version": "1",
            "postgres": {"type": "External", "external": {"secretRef": {"name": "pg"}}},
        }));
        assert_eq!(connections.pool, MOST);
        assert_eq!(connections.finding().reason, Reason::LimitUnknown);
    }
}
