//! Where in Redis entries are valid: the part of their keys that changes when all of them become void at once.

use std::fmt;

/// Counts how often all entries were made void.
pub type Generation = i64;

/// Entries of another space are never read.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Space {
    /// Of the Postgres server: each fail-over begins a new one, and what the old one had and the new one has not (a commit
    /// that was not replicated in time) must not come back from Redis.
    timeline: u32,
    generation: Generation,
}

impl Space {
    /// Reads what a heartbeat brings: the timeline as Postgres names its files, and the generation.
    pub fn parse(text: &str) -> Option<Self> {
        let (timeline, generation) = text.split_once(' ')?;
        Some(Self {
            timeline: u32::from_str_radix(timeline, 16).ok()?,
            generation: generation.parse().ok()?,
        })
    }

    /// The space after all entries were made void.
    #[must_use]
    pub fn with_generation(self, generation: Generation) -> Self {
        Self {
            generation: self.generation.max(generation),
            ..self
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.timeline, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_over_is_later_than_every_generation_before() {
        let before = Space::parse("00000001 99").unwrap();
        let after = Space::parse("0000000A 7").unwrap();
        assert!(before < after);
        assert_eq!(after.to_string(), "a.7");
    }

    #[test]
    fn generations_only_grow() {
        let space = Space::parse("00000001 5").unwrap();
        assert_eq!(space.with_generation(4), space);
        assert!(space.with_generation(6) > space);
    }
}
