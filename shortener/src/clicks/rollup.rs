//! What happened to a URL on a day, packed into one row: what statistics are made of.
//!
//! One row per URL and day, rather than one per quarter of an hour, referrer, browser and so on, because a click changes
//! some ten of those counts at once: packed, that is one row read and written again, however many clicks a batch holds
//! for the URL.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sketch::{Sketch, SketchError};
use crate::database::timestamp::Timestamp;

/// Statistics are kept per 15 minutes, since time zones are off UTC by multiples of that.
pub const SLOT_MINUTES: i64 = 15;
const SLOTS_PER_DAY: i64 = 24 * 60 / SLOT_MINUTES;
const MICROS_PER_SLOT: i64 = SLOT_MINUTES * 60 * 1_000_000;

/// Most values of one dimension that are told apart per URL and day; the rest is counted together. Whoever invents
/// referrers makes the row no larger than this.
const MAX_VALUES: usize = 100;

/// First byte of the stored form. A form written by a newer version is refused, not misread.
const VERSION: u8 = 1;

/// A quarter of an hour, counted from 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Slot(pub i64);

impl Slot {
    pub fn of(time: Timestamp) -> Self {
        Self(time.micros().div_euclid(MICROS_PER_SLOT))
    }

    pub fn start(self) -> Option<Timestamp> {
        Timestamp::from_micros(self.0.checked_mul(MICROS_PER_SLOT)?)
    }

    /// The day that the slot is in, counted from 1970-01-01 UTC.
    pub fn day(self) -> i64 {
        self.0.div_euclid(SLOTS_PER_DAY)
    }
}

/// By what clicks are told apart, besides time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Dimension {
    Referrer,
    Country,
    Browser,
    Os,
    Device,
    UtmSource,
    UtmMedium,
    UtmCampaign,
    UtmTerm,
    UtmContent,
}

/// How often a URL was followed, by whom it matters to tell apart.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Count {
    pub people: u64,
    /// Bots, link previews and prefetches.
    pub machines: u64,
}

impl Count {
    pub fn add(&mut self, other: Self) {
        self.people += other.people;
        self.machines += other.machines;
    }
}

/// The values of a dimension and how many people's clicks had them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Values {
    pub counts: BTreeMap<String, u64>,
    /// Clicks with values beyond those that are told apart.
    pub rest: u64,
}

impl Values {
    pub fn add(&mut self, value: &str, clicks: u64, max_values: usize) {
        if let Some(count) = self.counts.get_mut(value) {
            *count += clicks;
        } else if self.counts.len() < max_values {
            self.counts.insert(value.to_owned(), clicks);
        } else {
            self.rest += clicks;
        }
    }
}

/// The counts of one URL and day.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Day {
    /// By the number of the slot within the day.
    slots: BTreeMap<u8, Count>,
    pub dimensions: BTreeMap<Dimension, Values>,
    /// How many different people there were, about.
    pub visitors: u64,
}

/// Why a stored row cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    #[error("a stored roll-up has another version than {VERSION}")]
    Version,
    #[error("a stored roll-up is damaged")]
    Damaged(#[source] postcard::Error),
    #[error(transparent)]
    Sketch(#[from] SketchError),
}

impl Day {
    /// Counts in slots, in order.
    pub fn slots(&self, day: i64) -> impl Iterator<Item = (Slot, Count)> {
        self.slots
            .iter()
            .map(move |(number, count)| (Slot(day * SLOTS_PER_DAY + i64::from(*number)), *count))
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("a vector takes any number of bytes")
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RollupError> {
        match bytes.split_first() {
            Some((&VERSION, packed)) => postcard::from_bytes(packed).map_err(RollupError::Damaged),
            _ => Err(RollupError::Version),
        }
    }
}

/// A day as the recorder changes it: with the sketch, from which the number of visitors comes.
#[derive(Clone, Debug, Default)]
pub struct OpenDay {
    pub day: Day,
    visitors: Sketch,
}

/// What the roll-ups keep of one click.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    pub slot: Slot,
    pub is_person: bool,
    pub visitor: u64,
    pub values: &'a [(Dimension, &'a str)],
}

impl OpenDay {
    /// Reads a stored row; an empty one is a new one.
    pub fn from_bytes(rollup: &[u8], visitors: &[u8]) -> Result<Self, RollupError> {
        if rollup.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self {
            day: Day::from_bytes(rollup)?,
            visitors: Sketch::from_bytes(visitors)?,
        })
    }

    pub fn count(&mut self, click: Counted<'_>) {
        let number = u8::try_from(click.slot.0.rem_euclid(SLOTS_PER_DAY))
            .expect("a day has fewer than 256 slots");
        let count = self.day.slots.entry(number).or_default();
        if !click.is_person {
            count.machines += 1;
            return;
        }
        count.people += 1;
        for (dimension, value) in click.values {
            let values = self.day.dimensions.entry(*dimension).or_default();
            values.add(value, 1, MAX_VALUES);
        }
        self.visitors.insert(click.visitor);
    }

    /// The two columns of the row.
    pub fn into_bytes(mut self) -> (Vec<u8>, Vec<u8>) {
        self.day.visitors = self.visitors.estimate();
        (self.day.to_bytes(), self.visitors.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn click<'a>(slot: i64, visitor: u64, values: &'a [(Dimension, &'a str)]) -> Counted<'a> {
        Counted {
            slot: Slot(slot),
            is_person: true,
            visitor,
            values,
        }
    }

    #[test]
    fn a_time_falls_into_its_quarter_of_an_hour() {
        let slot = Slot::of(Timestamp::parse("2026-11-24T13:14:59.999999Z").unwrap());
        assert_eq!(slot.start(), Timestamp::parse("2026-11-24T13:00:00Z"));
        let before = Slot::of(Timestamp::parse("1969-12-31T23:59:59Z").unwrap());
        assert_eq!((before, before.day()), (Slot(-1), -1));
    }

    #[test]
    fn people_are_counted_apart_from_machines() {
        let mut day = OpenDay::default();
        let values = [(Dimension::Browser, "Firefox")];
        day.count(click(96, 1, &values));
        day.count(click(96, 1, &values));
        day.count(Counted {
            is_person: false,
            ..click(97, 2, &values)
        });
        let (rollup, _) = day.into_bytes();
        let day = Day::from_bytes(&rollup).unwrap();
        let slots: Vec<_> = day.slots(1).collect();
        let count = |people, machines| Count { people, machines };
        assert_eq!(slots, [(Slot(96), count(2, 0)), (Slot(97), count(0, 1))]);
        assert_eq!(day.dimensions[&Dimension::Browser].counts["Firefox"], 2);
        assert_eq!(day.visitors, 1);
    }

    #[test]
    fn a_day_can_be_stored_and_gone_on_with() {
        let mut day = OpenDay::default();
        day.count(click(0, 1, &[]));
        let (rollup, visitors) = day.into_bytes();
        let mut day = OpenDay::from_bytes(&rollup, &visitors).unwrap();
        day.count(click(0, 2, &[]));
        day.count(click(0, 1, &[]));
        let (rollup, _) = day.into_bytes();
        let day = Day::from_bytes(&rollup).unwrap();
        assert_eq!(day.visitors, 2);
        assert_eq!(day.slots(0).map(|(_, count)| count.people).sum::<u64>(), 3);
    }

    #[test]
    fn invented_values_are_counted_together_beyond_a_number() {
        let mut day = OpenDay::default();
        for number in 0..150 {
            let name = format!("{number}.example");
            day.count(click(0, 1, &[(Dimension::Referrer, &name)]));
        }
        day.count(click(0, 1, &[(Dimension::Referrer, "0.example")]));
        let referrers = &day.day.dimensions[&Dimension::Referrer];
        assert_eq!(referrers.counts.len(), MAX_VALUES);
        assert_eq!(referrers.counts["0.example"], 2);
        assert_eq!(referrers.rest, 50);
    }

    /// Other versions must read what this one stored.
    #[test]
    fn the_stored_form_is_fixed() {
        let mut day = OpenDay::default();
        day.count(click(5, 1, &[(Dimension::Country, "DE")]));
        let (rollup, _) = day.into_bytes();
        assert_eq!(rollup, [1, 1, 5, 1, 0, 1, 1, 1, 2, b'D', b'E', 1, 0, 1]);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            _ = Day::from_bytes(&bytes);
            _ = OpenDay::from_bytes(&bytes, &bytes);
        }
    }
}
