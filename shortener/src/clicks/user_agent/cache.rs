//! Remembers user agents already read: nearly all visits come with one of a few hundred.

use std::collections::HashMap;

use super::{UserAgent, parse};

/// At about 250 bytes each, a quarter of a megabyte.
const CAPACITY: usize = 1_000;

/// Reading takes some microseconds, remembering a fraction of one.
#[derive(Debug, Default)]
pub struct Cache {
    known: HashMap<Box<str>, UserAgent>,
}

impl Cache {
    pub fn parse(&mut self, text: &str) -> UserAgent {
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        // Starting over costs less than keeping track of which were used last, and strangers who
        // send ever new ones gain nothing but that.
        if self.known.len() == CAPACITY {
            self.known.clear();
        }
        let read = parse(text);
        self.known.insert(text.into(), read);
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_read() {
        let mut cache = Cache::default();
        for _ in 0..2 {
            assert_eq!(cache.parse("curl/8.14.1"), parse("curl/8.14.1"));
            assert_eq!(cache.parse("Mozilla/5.0"), parse("Mozilla/5.0"));
        }
        assert_eq!(cache.known.len(), 2);
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let mut cache = Cache::default();
        for number in 0..3 * CAPACITY {
            cache.parse(&format!("curl/{number}"));
        }
        assert!(cache.known.len() <= CAPACITY);
    }
}
