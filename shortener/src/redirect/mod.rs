//! Following a short URL.

pub mod answer;
pub mod decide;
pub mod fast_path;
pub mod http;
pub mod limited;
pub mod operations;
pub mod page;
mod store;
