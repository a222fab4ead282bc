//! `.env.example` says what docker-compose.yml reads, and what it takes when nothing is said.

use std::collections::BTreeMap;

use crate::programs::read;

#[test]
fn every_variable_of_the_compose_file_is_in_the_example_with_its_default() {
    let example = read(".env.example");
    let said: BTreeMap<_, _> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .collect();

    let compose = read("docker-compose.yml");
    let read: BTreeMap<_, _> = compose
        .split("${")
        .skip(1)
        .map(|rest| {
            let (variable, _) = rest.split_once('}').expect("it is closed");
            let default = variable.split_once(":-");
            default.unwrap_or_else(|| panic!("{variable} has no default"))
        })
        .collect();
    assert!(read.len() > 20, "{read:?}");
    assert_eq!(said, read);
}
