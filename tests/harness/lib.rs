//! Runs the real service against real databases, one of each per test, and breaks them on demand.

// What a test talks to.
pub mod answer;
pub mod breakable;
pub mod database;
pub mod service;
pub mod sql;

// What carries it.
pub mod authority;
pub mod binary;
pub mod daemon;
pub mod eventually;
pub mod front_door;
mod keys;
pub mod kubernetes;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod soak;
mod supervisor;

// What watches it.
pub mod collector;
pub mod prometheus;
pub mod receiver;
pub mod timeline;

// What it is fed with, and what goes wrong.
pub mod chaos_proxy;
pub mod csv;

/// Turns each function into one test per database: `name::sqlite`, `name::postgres_15` and `name::postgres_18`.
///
/// The function takes what it needs: a running `Service`, or a `Database` to start services on itself, or a type of the
/// test's own that has `async fn fresh(backend: Backend) -> Self`.
///
/// ```text
/// harness::on_each_database! {
///     async fn a_created_url_redirects(service: Service) { … }
/// }
/// ```
#[macro_export]
macro_rules! on_each_database {
    ($($(#[$attribute:meta])* async fn $name:ident($subject:ident: $kind:ident) $body:block)+) => {$(
        $(#[$attribute])*
        #[cfg(test)]
        async fn $name($subject: $kind) $body

        mod $name {
            $crate::one_test_each! { $name($kind):
                sqlite(Sqlite), postgres_15(Postgres15), postgres_18(Postgres18)
            }
        }
    )+};
}

/// As [`on_each_database!`], for what only Postgres can show.
#[macro_export]
macro_rules! on_each_postgres {
    ($($(#[$attribute:meta])* async fn $name:ident($subject:ident: $kind:ident) $body:block)+) => {$(
        $(#[$attribute])*
        #[cfg(test)]
        async fn $name($subject: $kind) $body

        mod $name {
            $crate::one_test_each! { $name($kind): postgres_15(Postgres15), postgres_18(Postgres18) }
        }
    )+};
}

/// The tests of one function, in a module below it.
#[doc(hidden)]
#[macro_export]
macro_rules! one_test_each {
    ($name:ident($kind:ident): $($test:ident($backend:ident)),+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            super::$name(super::$kind::fresh($crate::database::Backend::$backend).await).await;
        }
    )+};
}
