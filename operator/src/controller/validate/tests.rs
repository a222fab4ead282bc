//! What is decided, from a resource and what there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{plan::NewSecrets, *};
use crate::controller::observe::{
    neighbours::Neighbour,
    secrets::{Given, Secrets, State},
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
        uid: "secret".to_owned(),
    }
}

/// With the generated Secrets and the volume of a managed Postgres.
fn made() -> Observed {
    Observed {
        secrets: Secrets::of_acme(),
        ..cluster()
    }
}

fn minimal() -> UrlShortener {
    resource(json!({"version": "1"}))
}

/// With the Cluster, and its Secret in this state.
fn with_cluster(state: State) -> (UrlShortener, Observed) {
    let resource = resource(json!({
        "version": "1",
        "postgres": {"type": "CloudNativePG", "cloudNativePG": {"storage": {"size": "1Gi"}}},
    }));
    let mut observed = made();
    observed.secrets.postgres_volume = None;
    observed.secrets.given = vec![Given {
        name: "acme-postgres-app".to_owned(),
        key: "uri",
        state,
        is_database: false,
    }];
    observed.live.insert(
        (Kind::Cluster, "acme-postgres".to_owned()),
        json!({"metadata": {"uid": "cluster"}}),
    );
    (resource, observed)
}

#[test]
fn secrets_are_drawn_once() {
    let plan = decide(&minimal(), &cluster()).unwrap();
    assert_eq!(plan.new_secrets.postgres_password.as_deref(), Some("drawn"));
    assert_eq!(plan.new_secrets.admin_key.as_deref(), Some("drawn"));
    assert_eq!(plan.new_secrets.redis_password.as_deref(), Some("drawn"));
    let plan = decide(&minimal(), &made()).unwrap();
    assert_eq!(plan.new_secrets, NewSecrets::default());
}

#[test]
fn no_password_is_made_for_data_that_has_one() {
    let mut observed = cluster();
    observed.secrets.postgres_volume = Some("volume".to_owned());
    let refused = decide(&minimal(), &observed);
    assert_eq!(refused.err(), Some(Reason::CredentialsMissing));
}

#[test]
fn a_secret_of_somebody_else_is_left_to_them() {
    for name in ["acme-postgres", "acme-admin-key", "acme-redis"] {
        let mut observed = made();
        observed.secrets.generated.remove(name);
        observed.secrets.strangers.insert(name.to_owned());
        let refused = decide(&minimal(), &observed);
        assert_eq!(refused.err(), Some(Reason::NameInUse), "{name}");
    }
    let mut observed = made();
    observed
        .secrets
        .strangers
        .insert("acme-postgres".to_owned());
    observed.secrets.given = vec![given(present("a"))];
    assert!(
        decide(&external(), &observed).is_ok(),
        "it is in nobody's way"
    );
}

#[test]
fn a_cluster_of_another_major_version_is_not_upgraded_by_a_resource_that_finds_it() {
    let (resource, mut observed) = with_cluster(present("a"));
    let mut decide_with = |cluster: Value| {
        let key = (Kind::Cluster, "acme-postgres".to_owned());
        observed.live.insert(key, cluster);
        decide(&resource, &observed).err()
    };
    let annotated = |major: &str| json!({"metadata": {"uid": "cluster", "annotations": {"urlshortener.dev/postgres-major": major}}});
    assert_eq!(decide_with(annotated("18")), None);
    assert_eq!(decide_with(annotated("17")), Some(Reason::MajorMismatch));
    // What CloudNativePG says of the data goes before what was asked for once.
    let mut upgraded = annotated("17");
    upgraded["status"] = json!({"pgDataImageInfo": {"majorVersion": 18}});
    assert_eq!(decide_with(upgraded), None);
}

#[test]
fn a_volume_is_not_given_to_another_major_version() {
    let mut observed = made();
    let generated = observed.secrets.generated.get_mut("acme-postgres").unwrap();
    generated.body =
        json!({"metadata": {"annotations": {"urlshortener.dev/postgres-major": "17"}}});
    let of = |major: i32| {
        resource(json!({
            "version": "1", "postgres": {"type": "Managed", "managed": {"major": major}},
        }))
    };
    let refused = validate(&of(18), &observed, &mut String::new).unwrap_err();
    assert_eq!(refused.0.reason, Reason::MajorMismatch);
    assert!(
        refused.0.message.contains("`postgres.managed.major: 17`"),
        "{}",
        refused.0.message
    );
    assert!(decide(&of(17), &observed).is_ok());
    observed.secrets.postgres_volume = None;
    assert!(decide(&of(18), &observed).is_ok(), "there is no data");
}

#[test]
fn a_database_that_was_made_anew_gets_its_schema() {
    let job = |resource: &UrlShortener, observed: &Observed| {
        decide(resource, observed).unwrap().migration_job.unwrap()
    };
    let mut observed = made();
    let first = job(&minimal(), &observed);
    assert_eq!(job(&minimal(), &observed), first);
    observed.secrets.postgres_volume = Some("another".to_owned());
    assert_ne!(job(&minimal(), &observed), first);

    let mut observed = made();
    observed.secrets.given = vec![given(present("a"))];
    let first = job(&external(), &observed);
    observed.secrets.given = vec![given(present("another password"))];
    assert_eq!(job(&external(), &observed), first);
    let elsewhere = |identity: &str, uid: &str| State::Present {
        digest: "a".to_owned(),
        identity: identity.to_owned(),
        uid: uid.to_owned(),
    };
    for state in [
        elsewhere("elsewhere", "secret"),
        elsewhere("there", "another"),
    ] {
        observed.secrets.given = vec![given(state)];
        assert_ne!(job(&external(), &observed), first);
    }

    let (resource, mut observed) = with_cluster(present("a"));
    let first = job(&resource, &observed);
    let anew = json!({"metadata": {"uid": "another"}});
    observed
        .live
        .insert((Kind::Cluster, "acme-postgres".to_owned()), anew);
    assert_ne!(job(&resource, &observed), first);
}

#[test]
fn no_migration_starts_before_its_database() {
    let job = |resource: &UrlShortener, observed: &Observed| {
        decide(resource, observed).unwrap().migration_job
    };
    assert_eq!(job(&minimal(), &cluster()), None, "there is no volume");
    let (resource, observed) = with_cluster(State::Missing);
    assert_eq!(job(&resource, &observed), None, "there is no Secret");
    let (resource, mut observed) = with_cluster(present("a"));
    observed.live.clear();
    assert_eq!(job(&resource, &observed), None, "there is no Cluster");
}

#[test]
fn pods_are_replaced_when_a_generated_secret_changes_and_not_when_it_is_stored() {
    let digest = |observed: &Observed| decide(&minimal(), observed).unwrap().secrets_digest;
    let mut observed = made();
    let first = digest(&observed);
    assert_eq!(digest(&observed), first);
    let generated = observed.secrets.generated.get_mut("acme-admin-key");
    generated.unwrap().digest = "another".to_owned();
    assert_ne!(digest(&observed), first);

    let drawn = digest(&cluster());
    let mut observed = made();
    for (name, content) in [
        ("acme-admin-key", "drawn"),
        (
            "acme-postgres",
            "postgres://shortener:drawn@acme-postgres:5432/shortener",
        ),
        ("acme-redis", "redis://:drawn@acme-redis:6379"),
    ] {
        let generated = observed.secrets.generated.get_mut(name);
        generated.unwrap().digest = crate::controller::digest::short(content.as_bytes());
    }
    assert_eq!(digest(&observed), drawn);
}

#[test]
fn pods_stay_while_the_secret_of_a_cluster_is_missing() {
    let (resource, mut observed) = with_cluster(State::Missing);
    let running = json!({"spec": {"template": {
        "metadata": {"annotations": {"urlshortener.dev/secrets": "before"}},
        "spec": {"containers": [{"image": "urlshortener/shortener:1"}]},
    }}});
    observed
        .live
        .insert((Kind::Deployment, "acme".to_owned()), running);
    let plan = decide(&resource, &observed).unwrap();
    assert_eq!(plan.secrets_digest.as_deref(), Some("before"));
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
fn of_two_on_one_database_the_one_that_uses_it_has_it_and_else_the_older_one() {
    let check = |is_older: bool, has_database: bool, is_used: bool, expected: Option<Reason>| {
        let mut observed = cluster();
        observed.secrets.given = vec![given(present("a"))];
        observed.neighbours = vec![Neighbour {
            database_identity: Some("there".to_owned()),
            is_older,
            has_database,
            ..Neighbour::default()
        }];
        let mut resource = external();
        if is_used {
            resource.status = serde_json::from_value(json!({"databaseIdentity": "there"})).unwrap();
        }
        assert_eq!(decide(&resource, &observed).err(), expected);
    };
    let in_use = Some(Reason::DatabaseInUse);
    for both in [true, false] {
        check(true, both, both, in_use);
        check(false, both, both, None);
        check(both, true, false, in_use);
        check(both, false, true, None);
    }
}

#[test]
fn of_two_with_one_host_the_older_one_is_exposed_and_the_other_still_runs() {
    let mut observed = cluster();
    observed.neighbours = vec![Neighbour {
        is_older: true,
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
    let mut observed = made();
    let next = resource(json!({"version": "2"}));
    let running = json!({"spec": {"template": {"spec": {"containers": [{"image": "urlshortener/shortener:1"}]}}}});
    observed
        .live
        .insert((Kind::Deployment, "acme".to_owned()), running);
    let plan = decide(&next, &observed).unwrap();
    assert_eq!(plan.app_image.as_deref(), Some("urlshortener/shortener:1"));
    let done = json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}});
    observed
        .live
        .insert((Kind::Job, plan.migration_job.unwrap()), done);
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
