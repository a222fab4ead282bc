//! What benchmarks and load tests have in common.

pub mod chance;
pub mod head;
