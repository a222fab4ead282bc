//! Clicks: what a visitor's request leaves behind, and how it reaches the database.

pub mod journal;
