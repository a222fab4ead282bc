//! The text of a key, and the hash that stands for it.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::letters;

/// What every key that we make begins with, so that people and scanners of repositories recognise one.
const MARK: &str = "usk_";

/// 43 of 62 letters are 256 bits.
const LETTERS: usize = 43;

/// How many letters of a key are shown in lists. What is left is still 220 bits.
const SHOWN: usize = 6;

/// The fewest characters of a key that somebody else made up.
const MIN_CHARS: usize = 32;

/// More than any header should carry.
const MAX_BYTES: usize = 1_024;

/// A key. `Debug` does not print it.
#[derive(Clone, Eq, PartialEq)]
pub struct KeyText(String);

impl KeyText {
    /// Draws a new key.
    pub fn generate() -> Self {
        let mut text = String::from(MARK);
        text.extend((0..LETTERS).map(|_| letters::random()));
        Self(text)
    }

    /// Reads a key that was made elsewhere, such as the contents of a file. The sentence that refuses it does not show it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.chars().count() < MIN_CHARS || text.len() > MAX_BYTES {
            return Err(format!(
                "must hold one line of {MIN_CHARS} or more characters, and at most {MAX_BYTES} bytes"
            ));
        }
        if text.chars().any(char::is_control) {
            return Err("must hold printable characters on one line, and nothing else".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is shown of it in lists; nothing of a key that was made up elsewhere.
    pub fn prefix(&self) -> &str {
        if self.0.starts_with(MARK) {
            self.0.get(..MARK.len() + SHOWN).unwrap_or_default()
        } else {
            ""
        }
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What stands for a key where keys are kept.
///
/// Hashes are compared with `==` and looked up in an index, which takes as long as two of them agree. That tells nobody
/// anything: who does not know what they are keyed with cannot choose one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// As a database has it; none if it is of another kind.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Makes hashes of keys: HMAC-SHA-256 under a secret of this installation.
///
/// A key is 256 random bits: there is nothing to guess, and so nothing that a slow hash would make harder. That it is keyed
/// makes a copy of the table of keys worthless by itself, also for telling whether two installations share a key.
#[derive(Clone)]
pub struct Hasher(Hmac<Sha256>);

impl Hasher {
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    pub fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash(
            self.0
                .clone()
                .chain_update(key)
                .finalize()
                .into_bytes()
                .into(),
        )
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn new_keys_are_recognised_long_and_different() {
        let keys: HashSet<_> = (0..1_000)
            .map(|_| KeyText::generate().expose().to_owned())
            .collect();
        assert_eq!(keys.len(), 1_000);
        for key in keys {
            let letters = key.strip_prefix("usk_").unwrap();
            assert_eq!(letters.len(), 43);
            assert!(letters.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert_eq!(KeyText::parse(&key).unwrap().prefix(), &key[..10]);
        }
    }

    #[test]
    fn a_key_from_elsewhere_is_long_and_printable() {
        let long = "correct horse battery staple, 2026";
        assert_eq!(
            KeyText::parse(&format!("{long}\r\n")).unwrap().expose(),
            long
        );
        assert_eq!(KeyText::parse(long).unwrap().prefix(), "");
        assert!(KeyText::parse(&"ü".repeat(32)).is_ok());
        for text in [
            "",
            "short",
            &"x".repeat(31),
            &format!("{}\t{}", "x".repeat(20), "x".repeat(20)),
            &format!("{}\n{}", "x".repeat(40), "x".repeat(40)),
            &"x".repeat(1_025),
        ] {
            assert!(KeyText::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_not_printed_by_accident() {
        let key = KeyText::generate();
        assert_eq!(format!("{key:?} {:?}", Hasher::new(b"secret")), "… …");
    }

    #[test]
    fn a_hash_depends_on_the_key_and_on_the_installation() {
        let (one, other) = (Hasher::new(b"one"), Hasher::new(b"other"));
        assert_eq!(one.hash(b"key"), one.hash(b"key"));
        assert_ne!(one.hash(b"key"), one.hash(b"kez"));
        assert_ne!(one.hash(b"key"), other.hash(b"key"));
    }

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // RFC 4231, test case 2.
        let hash = Hasher::new(b"Jefe").hash(b"what do ya want for nothing?");
        assert_eq!(hash.as_bytes()[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }
}
