//! What survives what: ends, crashes, starts at the same time, wrong settings, a database that goes away.

mod connections;
mod crash;
mod idempotency;
mod log;
mod postgres_away;
mod settings;
mod shutdown;
mod slow_upload;
mod start;
