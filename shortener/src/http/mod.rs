//! What carries requests to handlers and answers back: nothing in here knows what a URL is for.

pub mod client_address;
pub mod conditional;
pub mod connections;
pub mod cors;
pub mod cursor;
pub mod envelope;
pub mod extract;
pub mod fields;
pub mod framing;
pub mod guard;
pub mod host;
mod leftover;
pub mod paging;
pub mod quick;
pub mod server;
pub mod totals;
