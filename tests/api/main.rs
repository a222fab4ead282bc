//! What a client of the HTTP API can rely on, proved from outside against a running service.
//!
//! Every test gets a service of its own on an empty database, on each database that is supported.
//! One file per subject; where a rule has many inputs, the inputs are a table.

// The resources.
mod bulk;
mod bulk_conflicts;
mod bulk_refusals;
mod confusables;
mod events;
mod original_urls;
mod private_targets;
mod redirects;
mod short_codes;
mod uploads;
mod urls;
mod users;

// What holds on every route.
mod bombs;
mod concurrency;
mod headers;
mod hosts;
mod injection;
mod junk;
mod loops;
mod pagination;
mod problems;
mod smuggling;
mod strangers;
mod timestamps;
mod versions;
mod vessels;

// What is not the API, but answered beside it.
mod health;
mod home;

// What the tests of bulk loads feed.
mod rows;
