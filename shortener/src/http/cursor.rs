//! A place in a list, as clients hold on to it: text that means nothing to them.
//!
//! It names a row, not a number of rows: however many come and go before it, the walk goes on where it was. The row itself
//! may be gone meanwhile, since only its id is compared.
//!
//! Base64 (RFC 4648, without padding, safe in URLs) of 18 bytes: a version, a direction, the id, a fingerprint of the list and
//! its filters, and a checksum. None of it is secret, and none of it widens what a caller sees: filters and reach are
//! those of the request. The checks are for mistakes: a cursor that was cut short, or is used with other filters.

use std::hash::Hasher as _;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use siphasher::sip::SipHasher13;

use crate::invalid::Invalid;

const VERSION: u8 = 1;

/// Where in a list a walk goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// With the rows that follow this id in the list's order.
    After(i64),
    /// With those that it follows, the nearest first.
    Before(i64),
}

/// The list and its filters, so far as a cursor has to tell them from others.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fingerprint(u32);

impl Fingerprint {
    /// Of the list at `path` with these parameters, in whatever order they come.
    pub fn of<'a>(path: &str, parameters: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let mut sorted: Vec<_> = parameters.collect();
        sorted.sort_unstable();
        // Keyed with nothing: the same in every replica, and in the next version.
        let mut hasher = SipHasher13::new();
        for text in std::iter::once(name).chain(sorted.iter().flat_map(|pair| [pair.0, pair.1])) {
            hasher.write_usize(text.len());
            hasher.write(text.as_bytes());
        }
        Self(short(hasher.finish()))
    }
}

impl Place {
    pub fn encode(self, fingerprint: Fingerprint) -> String {
        let (direction, id) = match self {
            Self::After(id) => (0, id),
            Self::Before(id) => (1, id),
        };
        let mut bytes = vec![VERSION, direction];
        bytes.extend(id.to_be_bytes());
        bytes.extend(fingerprint.0.to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what `encode` wrote for the same list and filters.
    pub fn decode(text: &str, fingerprint: Fingerprint) -> Result<Self, Invalid> {
        let broken = || Invalid::from("is no cursor of this service: take it from a `Link` header");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| broken())?;
        let (content, sum) = bytes.split_last_chunk().ok_or_else(broken)?;
        if crc32fast::hash(content) != u32::from_be_bytes(*sum) {
            return Err(broken());
        }
        let (content, filters) = content.split_last_chunk().ok_or_else(broken)?;
        let (content, id) = content.split_last_chunk().ok_or_else(broken)?;
        let id = i64::from_be_bytes(*id);
        let place = match content {
            [VERSION, 0] => Self::After(id),
            [VERSION, 1] => Self::Before(id),
            _ => return Err(broken()),
        };
        if u32::from_be_bytes(*filters) != fingerprint.0 {
            return Err(
                "belongs to another list, or to other filters: begin again with an empty one"
                    .into(),
            );
        }
        Ok(place)
    }
}

/// Half of it is enough to notice a mistake.
fn short(hash: u64) -> u32 {
    u32::try_from(hash >> 32).expect("32 bits are left")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(path: &str, parameters: &[(&str, &str)]) -> Fingerprint {
        Fingerprint::of(path, parameters.iter().copied())
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let list = fingerprint("/urls", &[("user_id", "7")]);
        for place in [Place::After(0), Place::Before(7), Place::After(i64::MAX)] {
            assert_eq!(Place::decode(&place.encode(list), list).unwrap(), place);
        }
    }

    #[test]
    fn the_same_list_by_another_path_or_order_of_parameters_is_the_same() {
        let there = fingerprint("/api/v1/urls", &[("b", "2"), ("a", "1")]);
        assert_eq!(there, fingerprint("/urls", &[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn a_cursor_of_other_filters_is_refused() {
        let written = Place::After(7).encode(fingerprint("/urls", &[("a", "1")]));
        for other in [
            fingerprint("/urls", &[]),
            fingerprint("/urls", &[("a", "2")]),
            fingerprint("/urls", &[("a", ""), ("1", "")]),
            fingerprint("/users", &[("a", "1")]),
        ] {
            let reason = Place::decode(&written, other).unwrap_err().to_string();
            assert!(reason.contains("other filters"), "{reason}");
        }
    }

    #[test]
    fn a_damaged_cursor_is_refused() {
        let list = fingerprint("/urls", &[]);
        let whole = Place::After(7).encode(list);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            let other = if damaged.as_bytes()[at] == b'B' {
                "C"
            } else {
                "B"
            };
            damaged.replace_range(at..=at, other);
            assert!(Place::decode(&damaged, list).is_err(), "{damaged}");
            assert!(Place::decode(&whole[..at], list).is_err());
        }
        for text in ["AA", "ü", "a b", &"A".repeat(1_000)] {
            assert!(Place::decode(text, list).is_err(), "{text}");
        }
    }
}
