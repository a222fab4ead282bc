//! A URL shortener.
//!
//! Modules are listed in reading order: what the service *is about* first, then what carries it.

// What the service is about.
pub mod clicks;
pub mod events;
pub mod links;
pub mod redirect;
pub mod statistics;
pub mod urls;
pub mod users;

// Who may use it.
pub mod access;
pub mod audit;
pub mod keys;

// What carries it.
pub mod app;
pub mod bulk;
pub mod client;
pub mod config;
pub mod database;
pub mod error;
pub mod health;
pub mod healthcheck;
pub mod home;
pub mod http;
pub mod idempotency;
pub mod invalid;
pub mod letters;
pub mod metrics;
pub mod metrics_reference;
pub mod moment;
pub mod openapi;
pub mod rate_limit;
pub mod redis_client;
pub mod replicas;
pub mod router;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
pub mod trace;
