//! What a visitor of a short URL can rely on: that an edit is obeyed, a limit kept, and an outage not noticed.
//!
//! `make test` tries each kind of breakage a few times, `make soak` some thousand edits and long outages.

// Says to clippy that all of this is tests, where `unwrap` is a way to fail.
#![cfg(test)]

// What a redirect does.
mod answers;
mod fields;
mod limited;
mod windows;

// What it does whatever happens.
mod coherence;
mod limits;
mod outages;
mod scans;

// What the tests follow.
mod links;
