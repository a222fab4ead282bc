//! What the targets have in common.

use std::fmt::Debug;

use shortener::{
    bulk::{self, Record},
    http::host::Host,
};

/// The records of `file`, if it is accepted.
pub fn read_csv<R: Record + Debug>(file: &[u8], rules: &R::Rules) -> Vec<R> {
    let read = bulk::read_file::<R>(file, rules);
    read.into_iter()
        .flatten()
        .map(|(_, record)| record)
        .collect()
}

/// What the service is called in these targets.
pub fn own_hosts() -> Vec<Host> {
    ["go.example.com", "127.0.0.1:8080", "[::1]:8080"]
        .map(|name| Host::parse(name).expect("a host name"))
        .to_vec()
}

/// What is sent in `Location` for an accepted original URL: ASCII without blanks, to the web, and not to ourselves.
pub fn check_location(original_url: &str) {
    let location = shortener::urls::original_url::location(original_url)
        .expect("what was accepted leads somewhere");
    assert!(
        location.bytes().all(|byte| byte.is_ascii_graphic()),
        "{location:?}"
    );
    let url = url::Url::parse(&location).expect("a location is a URL");
    assert_eq!(url.as_str(), location, "a location is its own ASCII form");
    assert!(matches!(url.scheme(), "http" | "https"), "{location:?}");
    assert!(
        url.host_str().is_some_and(|host| !host.is_empty()),
        "{location:?}"
    );
    assert!(
        !own_hosts().iter().any(|host| host.is_target_of(&url)),
        "{location:?}"
    );
}
