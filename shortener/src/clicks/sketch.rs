//! Counts distinct visitors in a few bytes: exactly while they are few, within 1 % when many.

use datasketches::hll::{HllSketch, HllType, HllUnion};

/// First byte of the stored form. A form written by a newer version is refused, not misread.
const VERSION: u8 = 1;

/// 2^14 registers of 4 bits: 8 KiB at most, a standard error of 0.8 %.
///
/// Up to 1,535 visitors are kept one by one, in 4 bytes each: small counts are exact.
const LOG2_REGISTERS: u8 = 14;

/// What the crate's form of registers begins with (its preamble, in words); smaller sets begin otherwise.
const DENSE: u8 = 10;

/// Where that form has the least of the registers, which the crate adds to each without a look.
const LEAST_REGISTER: usize = 6;

/// A register counts the zeros that a hash's other bits begin with, and one.
const GREATEST_REGISTER: u8 = 64 - LOG2_REGISTERS + 1;

/// A set of visitor hashes that knows about how many there are, but not which.
///
/// The order of insertion does not matter, nor how often, nor on which machine: a batch that is
/// counted again changes nothing.
#[derive(Debug, Clone)]
pub struct Sketch(HllSketch);

#[derive(Debug, thiserror::Error)]
pub enum SketchError {
    #[error("a stored sketch is empty")]
    Empty,
    #[error("a stored sketch has version {0}, this program knows {VERSION}")]
    Version(u8),
    #[error("a stored sketch has other settings than this program's")]
    Settings,
    #[error("a stored sketch counts further than hashes go")]
    Impossible,
    #[error("a stored sketch is damaged")]
    Damaged(#[source] datasketches::error::Error),
}

impl Sketch {
    pub fn new() -> Self {
        Self(HllSketch::new(LOG2_REGISTERS, HllType::Hll4).expect("14 is between 4 and 21"))
    }

    /// Adds a visitor by a hash (`visitor::hash`).
    pub fn insert(&mut self, visitor: u64) {
        // The crate hashes a number's bytes as they lie in memory: make them lie the same way.
        self.0.update(visitor.to_le());
    }

    /// Adds the visitors of `other`.
    pub fn merge(&mut self, other: &Self) {
        let mut union = HllUnion::new(LOG2_REGISTERS).expect("14 is between 4 and 21");
        union.update(&self.0);
        union.update(&other.0);
        self.0 = union.to_sketch(HllType::Hll4);
    }

    /// About how many different visitors were added.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count"
    )]
    pub fn estimate(&self) -> u64 {
        // The crate's other estimate is a little better, but depends on the order of insertion:
        // two replicas, or a batch written again, would see another number for the same visitors.
        self.0.composite_estimate().round() as u64
    }

    /// The form to store: 13 bytes for one visitor, 8.3 kB for any number.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sketch = self.0.serialize();
        let mut bytes = Vec::with_capacity(1 + sketch.len());
        bytes.push(VERSION);
        bytes.extend(sketch);
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchError> {
        let (&version, sketch) = bytes.split_first().ok_or(SketchError::Empty)?;
        if version != VERSION {
            return Err(SketchError::Version(version));
        }
        let minimum = sketch.get(LEAST_REGISTER).copied().unwrap_or(0);
        if sketch.first() == Some(&DENSE) && minimum > GREATEST_REGISTER {
            return Err(SketchError::Impossible);
        }
        let sketch = HllSketch::deserialize(sketch).map_err(SketchError::Damaged)?;
        if sketch.lg_config_k() != LOG2_REGISTERS || sketch.target_type() != HllType::Hll4 {
            return Err(SketchError::Settings);
        }
        Ok(Self(sketch))
    }
}

impl Default for Sketch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    /// Numbers that look random, the same on every run.
    fn visitors(range: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
        range.map(|number| {
            let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        })
    }

    fn sketch(range: std::ops::Range<u64>) -> Sketch {
        let mut sketch = Sketch::new();
        visitors(range).for_each(|visitor| sketch.insert(visitor));
        sketch
    }

    #[track_caller]
    fn check(sketch: &Sketch, visitors: u64, tolerance_percent: u64) {
        let estimate = sketch.estimate();
        let off = estimate.abs_diff(visitors);
        assert!(
            off * 100 <= visitors * tolerance_percent,
            "{estimate} for {visitors}"
        );
    }

    #[test]
    fn registers_beyond_what_hashes_give_are_damage() {
        let mut sketch = Sketch::new();
        (0..5_000).for_each(|visitor| sketch.insert(visitor));
        let mut bytes = sketch.to_bytes();
        assert_eq!(bytes[1], DENSE);
        bytes[1 + LEAST_REGISTER] = 242;
        assert!(matches!(
            Sketch::from_bytes(&bytes),
            Err(SketchError::Impossible)
        ));
    }

    #[test]
    fn small_counts_are_exact() {
        for count in [0, 1, 2, 10, 100, 1_000, 1_500] {
            check(&sketch(0..count), count, 0);
        }
    }

    #[test]
    fn large_counts_are_within_two_percent() {
        for count in [2_000, 10_000, 100_000] {
            for round in 0..4 {
                check(&sketch(round << 32..(round << 32) + count), count, 2);
            }
        }
    }

    #[test]
    fn seeing_a_visitor_again_changes_nothing() {
        for count in [5, 500, 50_000] {
            let mut sketch = sketch(0..count);
            let before = sketch.to_bytes();
            visitors(0..count).for_each(|visitor| sketch.insert(visitor));
            assert_eq!(sketch.to_bytes(), before);
        }
    }

    #[test]
    fn merging_counts_shared_visitors_once() {
        for (a, b, both) in [
            (0..0, 0..0, 0),
            (0..10, 0..0, 10),
            (0..10, 5..20, 20),
            (0..10, 0..50_000, 50_000),
            (0..1_400, 700..2_100, 2_100),
            (0..60_000, 40_000..100_000, 100_000),
        ] {
            let mut merged = sketch(a.clone());
            merged.merge(&sketch(b.clone()));
            check(&merged, both, 2);

            let mut other_way = sketch(b);
            other_way.merge(&sketch(a));
            assert_eq!(merged.estimate(), other_way.estimate());
        }
    }

    #[test]
    fn the_stored_form_is_small_and_says_the_same() {
        for (count, longest) in [(0, 9), (1, 13), (10, 53), (1_000, 4_013), (100_000, 8_400)] {
            let sketch = sketch(0..count);
            let bytes = sketch.to_bytes();
            assert!(bytes.len() <= longest, "{} bytes for {count}", bytes.len());

            let read = Sketch::from_bytes(&bytes).unwrap();
            assert_eq!(read.estimate(), sketch.estimate());
            assert_eq!(read.to_bytes().len(), bytes.len());
        }
    }

    /// Other machines and later versions must read and write what this one stored.
    #[test]
    fn the_stored_form_is_fixed() {
        let stored = [1, 2, 1, 7, 14, 3, 8, 2, 0, 236, 178, 76, 4, 98, 10, 158, 15];
        assert_eq!(sketch(0..2).to_bytes(), stored);
        assert_eq!(sketch(0..100_000).estimate(), 100_371);
    }

    #[test]
    fn other_forms_are_refused() {
        let refused = |bytes: &[u8]| Sketch::from_bytes(bytes).unwrap_err().to_string();

        assert_eq!(refused(&[]), "a stored sketch is empty");
        assert_eq!(
            refused(&[2, 0]),
            "a stored sketch has version 2, this program knows 1"
        );
        assert_eq!(refused(&[VERSION]), "a stored sketch is damaged");
        let mut small = vec![VERSION];
        small.extend(HllSketch::new(10, HllType::Hll4).unwrap().serialize());
        assert_eq!(
            refused(&small),
            "a stored sketch has other settings than this program's"
        );
    }

    /// Whatever can be read can also be used.
    fn use_it(bytes: &[u8]) {
        if let Ok(mut read) = Sketch::from_bytes(bytes) {
            visitors(0..100).for_each(|visitor| read.insert(visitor));
            read.merge(&sketch(0..3));
            read.merge(&sketch(0..3_000));
            read.estimate();
            read.to_bytes();
        }
    }

    /// One form of each inner kind: list, set, registers.
    static STORED: LazyLock<[Vec<u8>; 5]> =
        LazyLock::new(|| [0, 5, 300, 30_000, 300_000].map(|count| sketch(0..count).to_bytes()));

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            use_it(&bytes);
            use_it(&[&[VERSION], &bytes[..]].concat());
        }

        #[test]
        fn damage_never_panics(
            stored in prop::sample::select(&STORED[..]),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            // The first bytes say how to read the rest.
            header in proptest::collection::vec((0_usize..48, any::<u8>()), 0..3),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = stored;
            let damage = damage.into_iter().map(|(at, value)| (at.index(bytes.len()), value));
            for (at, value) in header.into_iter().chain(damage.collect::<Vec<_>>()) {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            use_it(&bytes[..cut.map_or(bytes.len(), |cut| cut.index(bytes.len()))]);
        }
    }
}
