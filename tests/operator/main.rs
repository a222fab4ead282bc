//! The operator against a real API server: what it makes of a `UrlShortener`, what it does when others interfere, and what it needs
//! for that. No test has a node: `harness::kubernetes` says what is real and what is played.

// What they work on.
mod lab;
mod prometheus;
mod resource;

// What is made of a resource, and kept so.
mod containers;
mod data;
mod drift;
mod exposure;
mod install;
mod migration;
mod quiet;
mod status;
mod upgrade;

// Others who have a say.
mod contested;
mod keda;
mod optional;

// What befalls the operator.
mod leaders;
mod many;
mod outages;
mod rights;
mod scope;

// What is written down.
mod chart;
mod manifests;
mod refused;
mod samples;
