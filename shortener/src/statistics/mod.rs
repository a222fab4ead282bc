//! Statistics: what the roll-ups add up to. Never reads single clicks, so that a busy URL costs no more than a quiet one.

pub mod http;
pub mod operations;
pub mod period;
pub mod store;
pub mod summary;

pub use period::{Bucket, Period};
pub use summary::{Summary, summarise};
