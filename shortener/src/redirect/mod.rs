//! Following a short URL.

pub mod decide;
pub mod http;
