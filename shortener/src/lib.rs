//! A URL shortener.

pub mod clicks;
