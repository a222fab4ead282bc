//! New links, one by one and from a file, against what Postgres alone takes the same rows in at.

pub(super) mod bulk;
pub(super) mod creates;
mod pgbench;
mod store;
