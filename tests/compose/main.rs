//! The real docker-compose.yml, on an engine of its own, and what befalls it: `make test-compose` runs this.
//!
//! There is one stack, so that the tests take turns; each begins with all services healthy.

// What they work on.
mod stack;
mod visitors;

// What the stack does.
mod alerts;
mod contract;
mod drills;
mod faults;
mod front_door;
mod healthy;
mod image;
mod load;
