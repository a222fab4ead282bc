//! Every redirect that was answered is in the log exactly once, whatever breaks on the way; and what statistics make of it.
//!
//! `make test` tries each kind of breakage a few times, `make soak` a hundred times in all.

// Says to clippy that all of this is tests, where `unwrap` is a way to fail.
#![cfg(test)]

// What goes wrong.
mod adoption;
mod damage;
mod end;
mod failover;
mod full;
mod kills;
mod outages;
mod refusals;

// Several processes.
mod pooler;
mod replicas;

// What is made of clicks.
mod breakdowns;
mod country;
mod periods;
mod retention;
mod statistics;

// Who clicks, and who counts.
mod books;
mod journals;
mod visitors;
