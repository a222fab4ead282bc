//! What a client of the HTTP API can rely on, proved from outside against a running service.
//!
//! Every test gets a service of its own on an empty database, on each database that is supported.
//! One file per subject; where a rule has many inputs, the inputs are a table.

// The resources.
mod batch;
mod bulk;
mod bulk_conflicts;
mod bulk_refusals;
mod confusables;
mod events;
mod original_urls;
mod private_targets;
mod redirects;
mod restore;
mod short_codes;
mod uploads;
mod urls;
mod users;

// What holds on every route.
mod bombs;
mod concurrency;
mod conditional;
mod headers;
mod hosts;
mod idempotency;
mod injection;
mod junk;
mod lists_cursors;
mod lists_filters;
mod lists_search;
mod loops;
mod pagination;
mod patch;
mod problems;
mod smuggling;
mod strangers;
mod timestamps;
mod versions;
mod vessels;

// What is not the API, but answered beside it.
mod health;
mod home;
mod openapi;

// What the tests of bulk loads feed.
mod rows;
