//! The OpenAPI document: public programs read it, and find the service to be what it says.

// What runs them.
mod programs;

// What they do.
mod client;
mod conformance;
mod document;
