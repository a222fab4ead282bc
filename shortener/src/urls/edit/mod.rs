//! Changing, deleting and restoring URLs. Whatever it is, it is answered when every replica obeys it.

pub mod http;
pub mod store;
