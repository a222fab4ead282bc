//! Traces, as a collector gets them.

use std::{fs, time::Duration};

use harness::{
    answer::Answer,
    breakable::Breakable,
    collector::{CLIENT, Collector, ERROR, Manner, SERVER, Span, hex, texts},
    database::{Backend, Database},
    eventually,
    redis::{Kind, Persistence, Redis},
    service::{Service, ServiceBuilder},
};
use reqwest::Method;
use serde_json::{Value, json};

/// Spans are sent within a second; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn traced<'a>(database: &'a Database, collector: &Collector) -> ServiceBuilder<'a> {
    let builder = Service::builder(database);
    builder.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
}

/// Asks as somebody who is in a trace, and samples it or not.
async fn ask(service: &Service, path: &str, is_sampled: bool) -> Answer {
    let flags = if is_sampled { "01" } else { "00" };
    let request = service
        .request(Method::GET, path)
        .header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"))
        .header("tracestate", "rojo=1");
    service.send(request).await
}

async fn span(collector: &Collector, name: &str) -> Span {
    let what = format!("a span {name}");
    eventually::some(&what, PATIENCE, async || {
        collector.spans().into_iter().find(|span| span.name == name)
    })
    .await
}

async fn link(service: &Service) -> String {
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    format!("/{}", url["short_code"].as_str().expect("a text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_below_that_of_its_caller() {
    let database = Database::fresh(Backend::Sqlite).await;
    let collector = Collector::listen(Manner::Takes).await;
    let service = traced(&database, &collector).start().await;
    let path = link(&service).await;
    let answer = ask(&service, &format!("{path}?utm_source=secret"), true).await;
    assert_eq!(answer.status, 302);

    let span = span(&collector, "GET /{short_code}").await;
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), CALLER);
    assert_eq!(span.span_id.len(), 8);
    assert_eq!(span.trace_state, "rojo=1");
    assert_eq!(span.kind, SERVER);
    // Sampled, and the parent is known to be remote.
    assert_eq!(span.flags, 0x301);
    let took = span.end_time_unix_nano - span.start_time_unix_nano;
    assert!(Duration::from_nanos(took) < PATIENCE, "{span:?}");
    assert!(span.status.is_none(), "{span:?}");
    let attributes = texts(&span.attributes);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "302"),
        ("http.route", "/{short_code}"),
        ("url.path", &path),
    ] {
        assert_eq!(attributes.get(name).map(String::as_str), Some(value));
    }
    let told = format!("{span:?}");
    assert!(
        !told.contains("secret") && !told.contains("127.0.0.1"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_from_nobodys_trace_begins_one() {
    let database = Database::fresh(Backend::Sqlite).await;
    let collector = Collector::listen(Manner::Takes).await;
    let service = traced(&database, &collector).start().await;
    assert_eq!(service.get("/nothing-here").await.status, 404);
    let span = span(&collector, "GET /{short_code}").await;
    assert_eq!(span.trace_id.len(), 16);
    assert_ne!(hex(&span.trace_id), "0".repeat(32));
    assert!(span.parent_span_id.is_empty(), "{span:?}");
    assert_eq!(span.flags, 0x101);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_asks_of_postgres_and_redis_is_below_it() {
    let database = Database::fresh(Backend::Postgres18).await;
    let redis = Redis::start(Kind::Redis7, Persistence::Snapshot).await;
    let collector = Collector::listen(Manner::Takes).await;
    let builder = traced(&database, &collector).redis(&redis);
    let service = builder.start().await;
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    // An edit is what asks both.
    let path = format!("/urls/{}", url["id"]);
    let edited = service.put(&path, json!({"title": "Another"})).await;
    assert_eq!(edited.status, 200, "{edited:?}");

    let edit = span(&collector, "PUT /urls/{id}").await;
    let spans = collector.spans();
    let below: Vec<_> = spans
        .iter()
        .filter(|span| span.parent_span_id == edit.span_id)
        .collect();
    assert!(below.iter().all(|span| span.trace_id == edit.trace_id));
    assert!(below.iter().all(|span| span.kind == CLIENT));
    let of = |system: &str| {
        let is_of = |span: &&&Span| texts(&span.attributes)["db.system.name"] == system;
        below.iter().filter(is_of).count()
    };
    assert!(of("redis") > 0, "{below:#?}");
    assert!(of("postgresql") > 0, "{below:#?}");
    for span in below {
        // The clocks of both are the same machine's.
        assert!(span.start_time_unix_nano >= edit.start_time_unix_nano - 1_000_000);
        assert!(span.end_time_unix_nano <= edit.end_time_unix_nano + 1_000_000);
        assert!(!format!("{span:?}").contains("example.com"), "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_looked_up_says_where_it_was_found() {
    let database = Database::fresh(Backend::Sqlite).await;
    let collector = Collector::listen(Manner::Takes).await;
    let path = link(&Service::start(&database).await).await;
    let service = traced(&database, &collector).start().await;
    assert_eq!(service.get(&path).await.status, 302);
    let found = span(&collector, "look link up").await;
    let request = span(&collector, "GET /{short_code}").await;
    assert_eq!(found.parent_span_id, request.span_id);
    assert_eq!(
        texts(&found.attributes)["shortener.link.source"],
        "database"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_ours_is_an_error_and_one_of_the_callers_is_not() {
    let Breakable { cluster, database } = Breakable::fresh(Backend::Postgres18).await;
    let collector = Collector::listen(Manner::Takes).await;
    let service = traced(&database, &collector).start().await;
    assert_eq!(service.get("/users/4711").await.status, 404);
    let missing = span(&collector, "GET /users/{id}").await;
    assert!(missing.status.is_none(), "{missing:?}");
    cluster.stop_immediate().await;
    assert_eq!(service.get("/urls/4711").await.status, 503);
    let failed = span(&collector, "GET /urls/{id}").await;
    let status = failed.status.as_ref().expect("a status");
    assert_eq!(status.code, ERROR);
    assert_eq!(texts(&failed.attributes)["error.type"], "503");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_decides_what_is_traced_and_the_ratio_where_there_is_none() {
    let database = Database::fresh(Backend::Sqlite).await;
    let collector = Collector::listen(Manner::Takes).await;
    let service = traced(&database, &collector)
        .env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        .env("OTEL_TRACES_SAMPLER_ARG", "0")
        .start()
        .await;
    let path = link(&service).await;
    assert_eq!(service.get(&path).await.status, 302);
    assert_eq!(ask(&service, &path, false).await.status, 302);
    assert_eq!(ask(&service, "/health", false).await.status, 200);
    assert_eq!(ask(&service, &path, true).await.status, 302);
    service.terminate().await;
    let names: Vec<_> = collector.spans().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["GET /{short_code}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_sends_what_is_left() {
    let database = Database::fresh(Backend::Sqlite).await;
    let collector = Collector::listen(Manner::Takes).await;
    let service = traced(&database, &collector).start().await;
    for _ in 0..10 {
        assert_eq!(service.get("/health").await.status, 200);
    }
    let exit = service.terminate().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert_eq!(collector.spans().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_gets_its_headers_and_nobody_else_does() {
    let database = Database::fresh(Backend::Sqlite).await;
    let collector = Collector::listen(Manner::Refuses).await;
    let file = database.dir().join("headers");
    fs::write(&file, "x-key=very%20secret\n").unwrap();
    let service = traced(&database, &collector)
        .env("OTEL_EXPORTER_OTLP_HEADERS_FILE", file.to_string_lossy())
        .env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        )
        .env("OTEL_SERVICE_NAME", "links")
        .env("SHORTENER_LOG", "trace")
        .start()
        .await;
    assert_eq!(service.get("/health").await.status, 200);
    let metrics = eventually::some("spans are refused", PATIENCE, async || {
        let lost = "shortener_trace_spans_dropped_total{reason=\"undelivered\"}";
        let metrics = service.management("/metrics").await.text();
        (service.count(lost).await == 1).then_some(metrics)
    })
    .await;
    let exit = service.terminate().await;
    assert!(exit.output.contains("traces are lost"), "{}", exit.output);
    for told in [&exit.output, &metrics] {
        assert!(
            !told.contains("very secret") && !told.contains("very%20secret"),
            "{told}"
        );
    }
    let post = collector.posts().remove(0);
    assert_eq!(post.path, "/v1/traces");
    assert_eq!(post.headers["x-key"], "very secret");
    assert_eq!(post.headers["content-type"], "application/x-protobuf");
    let resource = post.resource();
    assert_eq!(resource["service.name"], "links");
    assert_eq!(resource["deployment.environment.name"], "test");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_silent_or_away_costs_spans_and_no_request() {
    let database = Database::fresh(Backend::Sqlite).await;
    let silent = Collector::listen(Manner::IsSilent).await;
    for endpoint in [silent.endpoint(), "http://127.0.0.1:9".to_owned()] {
        let service = Service::builder(&database)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .start()
            .await;
        let full = "shortener_trace_spans_dropped_total{reason=\"queue_full\"}";
        // More than can wait: the queue fills while the first of them are being sent, or tried again.
        let dropped = eventually::try_some(PATIENCE, async || {
            for _ in 0..200 {
                assert_eq!(service.get("/health").await.status, 200);
            }
            (service.count(full).await > 0).then_some(())
        })
        .await;
        assert!(dropped.is_some(), "{}", service.output());
        let exit = service.terminate().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_tracing_is_off() {
    let database = Database::fresh(Backend::Sqlite).await;
    let collector = Collector::listen(Manner::Takes).await;
    let service = traced(&database, &collector)
        .env("OTEL_SDK_DISABLED", "true")
        .start()
        .await;
    let path = link(&service).await;
    assert_eq!(ask(&service, &path, true).await.status, 302);
    let metrics = service.management("/metrics").await.text();
    assert!(!metrics.contains("shortener_trace_"), "{metrics}");
    service.terminate().await;
    assert!(collector.posts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_names_its_trace() {
    let database = Database::fresh(Backend::Sqlite).await;
    let collector = Collector::listen(Manner::Takes).await;
    let service = traced(&database, &collector).start().await;
    assert_eq!(ask(&service, "/users", true).await.status, 200);
    let span = span(&collector, "GET /users").await;
    let exit = service.terminate().await;
    let line = exit
        .output
        .lines()
        .find(|line| line.contains("request answered"));
    let line: Value = serde_json::from_str(line.expect("a line")).expect("JSON");
    assert_eq!(line["span"]["trace_id"], TRACE, "{line}");
    assert_eq!(line["span"]["span_id"], hex(&span.span_id), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_ends_the_start_with_one_sentence() {
    let database = Database::fresh(Backend::Sqlite).await;
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "me:pass@collector"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "pass"),
    ] {
        let started = Service::builder(&database)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
            .env(variable, value)
            .try_start()
            .await;
        let failure = started.expect_err("it is refused");
        assert_eq!(failure.stderr.lines().count(), 1, "{failure:?}");
        // As a variable, or as the flag of that name.
        let named = failure.stderr.to_uppercase().replace('-', "_");
        assert!(named.contains(variable), "{failure:?}");
        assert!(!failure.stderr.contains("pass"), "{failure:?}");
    }
}
