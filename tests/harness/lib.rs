//! Runs the real service against real databases, one of each per test, and breaks them on demand.

// What a test talks to.
pub mod answer;
pub mod database;
pub mod service;

// What carries it.
pub mod binary;
pub mod eventually;
pub mod postgres;
pub mod process;

// What it is fed with, and what goes wrong.
pub mod chaos_proxy;
pub mod csv;

/// Turns each function into one test per database: `name::sqlite`, `name::postgres_15` and `name::postgres_18`.
///
/// The function takes what it needs: a running `Service`, or a `Database` to start services on itself.
///
/// ```ignore
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
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(super::$kind::fresh($crate::database::Backend::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_15() {
                super::$name(super::$kind::fresh($crate::database::Backend::Postgres15).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_18() {
                super::$name(super::$kind::fresh($crate::database::Backend::Postgres18).await).await;
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
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_15() {
                super::$name(super::$kind::fresh($crate::database::Backend::Postgres15).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_18() {
                super::$name(super::$kind::fresh($crate::database::Backend::Postgres18).await).await;
            }
        }
    )+};
}
