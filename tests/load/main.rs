//! `shortener-loadtest` against the real service: what it asks for, what it calls a failure, and how it ends.

mod runs;
mod tool;
