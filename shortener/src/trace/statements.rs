//! Statements to Postgres as spans, from what `sqlx` says of each when it is over: no query has to be written differently.
//!
//! SQLite runs its statements on a thread of its own, which knows of no request.

use std::{fmt, time::Duration};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    subscriber::Interest,
};
use tracing_subscriber::layer::{Context, Filter, Layer};

use super::{Attribute, Kind, Part, current, span_of};
use crate::database::timestamp::Timestamp;

const TARGET: &str = "sqlx::query";

/// Lets through what [`Statements`] is for, and that only while a traced request is answered, since `sqlx` writes every
/// statement out for whoever listens.
pub struct OfTracedRequests;

impl<S> Filter<S> for OfTracedRequests {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        metadata.target() == TARGET && current().is_some()
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == TARGET {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }
}

/// Makes a span of each.
pub struct Statements;

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(traced) = current() else {
            return;
        };
        let mut told = Told::default();
        event.record(&mut told);
        let took = told.took;
        let now = Timestamp::now();
        let began = i64::try_from(took.as_micros()).unwrap_or(0);
        let began = Timestamp::from_micros(now.micros() - began).unwrap_or(now);
        traced.add_part(span_of(began, took), told.into());
    }
}

/// What of an event matters here.
#[derive(Default)]
struct Told {
    summary: String,
    /// Empty if the summary is all of it.
    statement: String,
    took: Duration,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => self.statement = spaced(value),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.took = Duration::try_from_secs_f64(value).unwrap_or_default();
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// On one line, as it is looked for.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl From<Told> for Part {
    /// By the conventions for databases. Values are parameters, so a statement's text has none.
    fn from(told: Told) -> Self {
        let statement = if told.statement.is_empty() {
            &told.summary
        } else {
            &told.statement
        };
        let operation = statement.split(' ').next().unwrap_or_default();
        let operation = operation.to_ascii_uppercase();
        Self {
            kind: Kind::Client,
            attributes: vec![
                Attribute::new("db.system.name", "postgresql"),
                Attribute::new("db.operation.name", operation.as_str()),
                Attribute::new("db.query.text", statement.as_str()),
            ],
            name: operation,
            has_failed: false,
        }
    }
}
