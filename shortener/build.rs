//! Tells cargo that the migrations are compiled in, so that a new one is noticed.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
