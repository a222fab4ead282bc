//! A Kubernetes operator that looks after `UrlShortener` resources.

// What may be asked for, and how it is answered.
pub mod conditions;
pub mod crd;
pub mod reference;

// How it is carried out.
pub mod controller;
pub mod kinds;

// What carries it.
pub mod admin;
pub mod config;
pub mod connection;
pub mod lease;
pub mod metrics;
pub mod process;
pub mod random;
pub mod shutdown;
