//! What holds the simulation to the operator, and the documents to the simulation.

use std::{fs, path::Path};

use operator::{
    controller::{
        build::scaled_object,
        observe::Observed,
        validate::{connections::Connections, validate},
    },
    crd::UrlShortener,
};
use serde_json::{Value, json};

use crate::{
    cluster, documents,
    grid::{CARRIED_WITHIN, Candidate},
    hpa::Target,
    keda::Behavior,
    run::{Fault, Who, simulate},
    scenario::{SEEDS, Short},
    settings::{CAPACITY, Settings},
    trace::Trace,
    users,
};

fn resource(spec: Value) -> UrlShortener {
    serde_json::from_value(json!({
        "apiVersion": "urlshortener.dev/v1alpha1",
        "kind": "UrlShortener",
        "metadata": {"name": "links", "namespace": "web", "uid": "7b9c"},
        "spec": spec,
    }))
    .expect("it is a resource")
}

/// The `spec` of the `ScaledObject` that the operator generates when everything is left out that can be.
fn scaled_object() -> Value {
    let resource = resource(
        json!({"version": "1", "scaling": {"type": "Autoscaled", "autoscaled": {
        "maxReplicas": 200, "prometheus": {"serverAddress": "http://prometheus:9090"}}}}),
    );
    let mut draw = || "drawn".to_owned();
    let mut plan = validate(&resource, &Observed::default(), &mut draw).expect("it can be built");
    plan.scale.scaled_object = true;
    scaled_object::build(&plan).expect("it is generated").body["spec"].clone()
}

#[test]
fn what_the_operator_generates_is_what_is_simulated() {
    let settings = Settings::of_operator();
    let generated = scaled_object();
    assert_eq!(generated["minReplicaCount"], settings.autoscaler.min);
    assert_eq!(generated["maxReplicaCount"], settings.autoscaler.max);
    let behavior = &generated["advanced"]["horizontalPodAutoscalerConfig"]["behavior"];
    let stabilization = settings.autoscaler.down.stabilization;
    let expected = json!({"scaleDown": {"stabilizationWindowSeconds": stabilization}});
    assert_eq!(*behavior, expected, "everything else is Kubernetes' own");
    let [trigger] = generated["triggers"].as_array().expect("a list").as_slice() else {
        panic!("one trigger is simulated: {generated}");
    };
    assert_eq!(trigger["metricType"], "AverageValue");
    assert_eq!(trigger.get("useCachedMetrics"), None);
    let metadata = &trigger["metadata"];
    assert_eq!(metadata["threshold"], "400");
    assert_eq!(settings.trigger.target, Target::AverageValue(400.0));
    assert_eq!(metadata["ignoreNullValues"], "false");
    let query = metadata["query"].as_str().expect("a text");
    let window = format!("[{}s]))", settings.scraping.window);
    assert!(
        query.starts_with("sum(rate(") && query.ends_with(&window),
        "{query}"
    );
    let spec = resource(json!({"version": "1"})).spec;
    let interval = spec.monitoring.service_monitor.interval_seconds();
    assert_eq!(interval, i64::from(settings.scraping.interval));
    let simulated = settings.trigger.fallback.expect("there always is one");
    assert_eq!(simulated.behavior, Behavior::CurrentIfHigher);
    let expected = json!({"behavior": "currentReplicasIfHigher", "replicas": simulated.replicas, "failureThreshold": simulated.failures});
    assert_eq!(generated["fallback"], expected);
}

#[test]
fn the_operator_counts_connections_as_the_table_of_users_does() {
    for (replicas, limit) in [
        (2, 200),
        (5, 200),
        (13, 200),
        (14, 200),
        (40, 500),
        (101, 1000),
    ] {
        let spec = json!({"version": "1",
            "scaling": {"type": "Fixed", "fixed": {"replicas": replicas}},
            "postgres": {"type": "Managed", "managed": {"maxConnections": limit}}});
        let theirs = Connections::of(&resource(spec).spec);
        let ours = (users::pods(replicas), users::pool(replicas, limit));
        assert_eq!(
            (json!(theirs.pods), json!(theirs.pool)),
            (json!(ours.0), json!(ours.1))
        );
        let fits = theirs.finding().reason == operator::conditions::Reason::WithinLimit;
        assert_eq!(users::connections(replicas, limit) <= limit, fits);
    }
}

/// All that docs/autoscaling.md asks of settings.
#[test]
fn the_operators_settings_are_among_those_that_keep_everything() {
    let operator = Candidate::of_operator(CAPACITY);
    let judged = operator.judge(CAPACITY);
    assert!(judged.is_ok(), "{operator:?}: {judged:?}");
    assert!(Candidate::all().any(|candidate| candidate == operator));
}

/// Why the operator generates a fallback when none is named: a Prometheus that comes back after longer than the window of
/// stabilization knows a part of the rate at first, and the autoscaler would remember nothing of the time between.
#[test]
fn replicas_stay_when_prometheus_comes_back_because_there_is_a_fallback() {
    let operator = Settings::of_operator();
    let scenario = Short::Blind.scenario(CAPACITY);
    for seed in SEEDS {
        let fewest = |settings: &Settings, from: usize, to: usize| {
            let timeline = scenario.run(settings, seed);
            let ready = timeline.moments[from..to].iter().map(|moment| moment.ready);
            ready.min().expect("there are moments")
        };
        assert_eq!(fewest(&operator, 0, 1800), 10);
        let without = operator.clone().without_fallback();
        assert_eq!(fewest(&without, 0, 900), 10, "while it is away, all stay");
        assert!(fewest(&without, 900, 1000) < 8);
    }
}

/// The simulation is held to a cluster, as a run of its tests was.
#[test]
fn what_was_measured_on_a_cluster_is_what_is_simulated() {
    let deviation = cluster::deviation();
    assert!(deviation.outside < 0.05, "{deviation:?}");
    assert!(deviation.scaled_out.is_within(15.0), "{deviation:?}");
}

#[test]
fn a_step_is_carried_in_time_and_within_the_bounds() {
    let settings = Settings::of_operator();
    let scenario = Short::Step.scenario(CAPACITY);
    for seed in SEEDS {
        let timeline = scenario.run(&settings, seed);
        assert!(timeline.relieved_after(scenario.event) <= CARRIED_WITHIN);
        assert_eq!(timeline, scenario.run(&settings, seed), "the same again");
    }
}

#[test]
fn replicas_stay_within_their_bounds_whatever_the_load() {
    for (short, seed) in Short::ALL.into_iter().zip(0..) {
        for max in [3, 7, 200] {
            let mut settings = Settings::of_operator();
            settings.autoscaler.max = max;
            let timeline = short.scenario(CAPACITY).run(&settings, seed);
            for moment in &timeline.moments {
                assert!((2..=max).contains(&moment.wanted), "{short:?} {moment:?}");
                assert!(moment.ready <= moment.pods, "{short:?} {moment:?}");
                assert!(
                    moment.waiting >= 0.0 && moment.failed >= -1e-9,
                    "{short:?} {moment:?}"
                );
            }
        }
    }
}

/// A steady load below what there is: whenever anybody looks, nothing changes.
#[test]
fn a_steady_load_changes_nothing() {
    for load in [100.0, 799.0, 1200.0, 3999.0] {
        for seed in 0..15 {
            let trace = Trace::of_corners(&[(0, load), (1800, load)]);
            let outcome = simulate(&Settings::of_operator(), &trace, &[], seed).outcome();
            assert_eq!(
                (outcome.changes, outcome.overloaded),
                (0, 0),
                "{load} {seed}"
            );
        }
    }
}

#[test]
fn while_keda_is_away_nothing_changes() {
    let away = Fault {
        who: Who::Keda,
        from: 100,
        to: 1400,
    };
    let scenario = Short::Step.scenario(CAPACITY);
    let timeline = simulate(&Settings::of_operator(), &scenario.trace, &[away], 1);
    let wanted: Vec<_> = timeline.moments[100..1400]
        .iter()
        .map(|moment| moment.wanted)
        .collect();
    assert!(wanted.iter().all(|count| *count == wanted[0]));
}

/// The documents are what the program prints: `make simulate` writes them.
#[test]
fn the_documents_are_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("it is in the workspace");
    let settings = Settings::of_operator();
    for document in documents::all(root, &settings).expect("the documents have their marks") {
        let committed = fs::read_to_string(root.join(document.path)).unwrap_or_default();
        assert!(
            committed == document.text,
            "{} is not what is simulated: run `make simulate`",
            document.path
        );
    }
}
