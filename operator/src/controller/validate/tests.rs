//! What is decided, from a resource and what there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::controller::observe::{
    neighbours::Neighbour,
    secrets::{Given, State},
};

fn resource(spec: Value) -> UrlShortener {
    serde_json::from_value(json!({
        "apiVersion": "urlshortener.dev/v1alpha1",
        "kind": "UrlShortener",
        "metadata": {"name": "acme", "namespace": "web", "uid": "7b9c"},
        "spec": spec,
    }))
    .unwrap()
}

fn cluster() -> Observed {
    Observed {
        known: BTreeSet::from(Kind::ALL),
        ..Observed::default()
    }
}

fn decide(resource: &UrlShortener, observed: &Observed) -> Result<Plan, Reason> {
    let decided = validate(resource, observed, &mut || "drawn".to_owned());
    decided.map_err(|Refusal(finding)| finding.reason)
}

fn external() -> UrlShortener {
    resource(json!({
        "version": "1",
        "postgres": {"type": "External", "external": {"secretRef": {"name": "pg"}}},
    }))
}

fn given(state: State) -> Given {
    Given {
        name: "pg".to_owned(),
        key: "url",
        state,
        is_database: true,
    }
}

fn present(digest: &str) -> State {
    State::Present {
        digest: digest.to_owned(),
        identity: "there".to_owned(),
    }
}

#[test]
fn secrets_are_drawn_once() {
    let mut observed = cluster();
    let plan = decide(&resource(json!({"version": "1"})), &observed).unwrap();
    assert_eq!(plan.new_secrets.postgres_password.as_deref(), Some("drawn"));
    assert_eq!(plan.new_secrets.admin_key.as_deref(), Some("drawn"));
    for name in ["acme-postgres", "acme-admin-key"] {
        observed
            .secrets
            .generated
            .insert(name.to_owned(), json!({}));
    }
    observed.secrets.has_postgres_volume = true;
    let plan = decide(&resource(json!({"version": "1"})), &observed).unwrap();
    assert!(plan.new_secrets.postgres_password.is_none() && plan.new_secrets.admin_key.is_none());
}

#[test]
fn no_password_is_made_for_data_that_has_one() {
    let mut observed = cluster();
    observed.secrets.has_postgres_volume = true;
    let refused = decide(&resource(json!({"version": "1"})), &observed);
    assert_eq!(refused.err(), Some(Reason::CredentialsMissing));
}

#[test]
fn a_secret_that_the_spec_names_must_be_there_with_its_key() {
    let mut observed = cluster();
    for state in [State::Missing, State::WithoutKey] {
        observed.secrets.given = vec![given(state)];
        assert_eq!(
            decide(&external(), &observed).err(),
            Some(Reason::SecretMissing)
        );
    }
}

#[test]
fn pods_are_replaced_when_a_secret_of_others_changes() {
    let mut observed = cluster();
    observed.secrets.given = vec![given(present("a"))];
    let first = decide(&external(), &observed).unwrap().secrets_digest;
    assert_eq!(
        decide(&external(), &observed).unwrap().secrets_digest,
        first
    );
    observed.secrets.given = vec![given(present("b"))];
    assert_ne!(
        decide(&external(), &observed).unwrap().secrets_digest,
        first
    );
}

#[test]
fn of_two_on_one_database_the_older_one_has_it() {
    let mut observed = cluster();
    observed.secrets.given = vec![given(present("a"))];
    let older = Neighbour {
        database_identity: Some("there".to_owned()),
        ..Neighbour::default()
    };
    observed.neighbours = vec![older];
    assert_eq!(
        decide(&external(), &observed).err(),
        Some(Reason::DatabaseInUse)
    );
}

#[test]
fn of_two_with_one_host_the_older_one_is_exposed_and_the_other_still_runs() {
    let mut observed = cluster();
    observed.neighbours = vec![Neighbour {
        hosts: vec!["go.example.com".to_owned()],
        ..Neighbour::default()
    }];
    let resource = resource(json!({
        "version": "1", "hosts": [{"name": "go.example.com"}], "exposure": {"type": "Ingress"},
    }));
    let plan = decide(&resource, &observed).unwrap();
    assert!(!plan.makes.ingress);
    assert!(
        plan.findings
            .iter()
            .any(|finding| finding.reason == Reason::HostInUse)
    );
}

#[test]
fn the_image_of_before_serves_until_the_schema_is_ready() {
    let mut observed = cluster();
    let next = resource(json!({"version": "2"}));
    let running = json!({"spec": {"template": {"spec": {"containers": [{"image": "urlshortener/shortener:1"}]}}}});
    observed
        .live
        .insert((Kind::Deployment, "acme".to_owned()), running);
    let plan = decide(&next, &observed).unwrap();
    assert_eq!(plan.app_image.as_deref(), Some("urlshortener/shortener:1"));
    let done = json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}});
    observed.live.insert((Kind::Job, plan.migration_job), done);
    let plan = decide(&next, &observed).unwrap();
    assert_eq!(plan.app_image.as_deref(), Some("urlshortener/shortener:2"));
}

#[test]
fn images_stay_what_they_were_when_the_resource_was_made() {
    let mut made = resource(json!({"version": "1"}));
    made.status = serde_json::from_value(
        json!({"defaults": {"redisImage": "redis:7", "postgresImage": "postgres:18.0"}}),
    )
    .unwrap();
    let plan = decide(&made, &cluster()).unwrap();
    assert_eq!(plan.defaults.redis_image.as_deref(), Some("redis:7"));
    assert_eq!(
        plan.defaults.postgres_image.as_deref(),
        Some("postgres:18.0")
    );
}

#[test]
fn a_kind_that_is_missing_is_named_only_if_it_was_asked_for() {
    let mut observed = cluster();
    observed.known.remove(&Kind::ServiceMonitor);
    let reasons = |spec: Value, observed: &Observed| {
        let plan = decide(&resource(spec), observed).unwrap();
        assert!(!plan.makes.service_monitor);
        plan.findings
            .into_iter()
            .filter(|finding| finding.reason == Reason::CrdNotInstalled)
            .count()
    };
    assert_eq!(reasons(json!({"version": "1"}), &observed), 0);
    let wanted = json!({"version": "1", "monitoring": {"serviceMonitor": {"mode": "Enabled"}}});
    assert_eq!(reasons(wanted, &observed), 1);
}
