//! Who may do what: API keys, on every route, over replicas and restarts; what is kept of them, and who is told.

// What these tests share: a service that asks for keys, and callers who have some.
mod keyed;

// Who may do what.
mod modes;
mod ownership;
mod table;

// Keys.
mod commands;
mod first;
mod keys;
mod limits;
mod replicas;
mod secrets;
mod terminal;

// What was done, and by what means.
mod audit;
mod client;
mod contract;
mod cors;
