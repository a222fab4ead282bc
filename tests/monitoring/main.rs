//! What watches the service: rules, dashboards and messages, each read by the real program that it is for.

// What they are checked with.
mod programs;

// What is checked.
mod dashboards;
mod delivery;
mod drawing;
mod env_example;
mod exposition;
mod rules;
mod settings;
mod traces;
