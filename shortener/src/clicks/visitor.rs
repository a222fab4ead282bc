//! Tells visitors apart for one day, without keeping who they were.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

/// A day's secret. Once it is deleted, no visitor hash of that day can be led back to an address.
#[derive(Clone)]
pub struct Salt([u8; 32]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl Salt {
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }
}

/// Recognises a visitor among those of the same day: one address and browser, one hash.
///
/// `SipHash` is a keyed pseudo-random function made for short input: without the salt its values
/// say nothing, and at a third of HMAC-SHA-256's time it can run before the redirect leaves, so
/// that no address has to be stored first.
pub fn hash(address: IpAddr, user_agent: &[u8], salt: &Salt) -> u64 {
    let (key, rest) = salt
        .0
        .split_first_chunk()
        .expect("a salt is longer than a key");
    let mut hasher = SipHasher24::new_with_key(key);
    // The key takes half of the salt; read first, the other half counts as much.
    hasher.write(rest);
    write_network(&mut hasher, address);
    hasher.write(user_agent);
    hasher.finish()
}

/// Feeds the part of an address that stays with one subscriber through a day.
///
/// An IPv6 host changes its lower 64 bits as it likes (RFC 8981 does so at least daily, phones on
/// every network change); the /64 stays and stands for a household, as an IPv4 address does.
/// The length comes first, so that no address and user agent run into each other.
fn write_network(hasher: &mut SipHasher24, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            hasher.write(&[4]);
            hasher.write(&address.octets());
        }
        IpAddr::V6(address) => {
            hasher.write(&[8]);
            hasher.write(&address.octets()[..8]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &[u8] =
        b"Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";

    fn hash_of(address: &str) -> u64 {
        hash(address.parse().unwrap(), BROWSER, &Salt::new([7; 32]))
    }

    #[track_caller]
    fn check_same(a: &str, b: &str, same: bool) {
        assert_eq!(hash_of(a) == hash_of(b), same, "{a} and {b}");
    }

    #[test]
    fn visitors_are_told_apart_by_network() {
        check_same("192.0.2.1", "192.0.2.1", true);
        check_same("192.0.2.1", "192.0.2.2", false);
        check_same("::ffff:192.0.2.1", "192.0.2.1", true);
        check_same("::ffff:192.0.2.1", "::ffff:192.0.2.2", false);
        check_same("2001:db8::1", "2001:db8::ffff:1", true);
        check_same("2001:db8:0:1::1", "2001:db8:0:2::1", false);
        check_same("::1", "0.0.0.0", false);
    }

    #[test]
    fn the_browser_counts() {
        let address = "192.0.2.1".parse().unwrap();
        let salt = Salt::new([7; 32]);

        assert_ne!(
            hash(address, BROWSER, &salt),
            hash(address, b"curl/8.14.1", &salt)
        );
    }

    #[test]
    fn every_byte_of_the_salt_counts() {
        let address = "192.0.2.1".parse().unwrap();
        let before = hash_of("192.0.2.1");
        for byte in 0..32 {
            let mut salt = [7; 32];
            salt[byte] ^= 1;
            assert_ne!(
                hash(address, BROWSER, &Salt::new(salt)),
                before,
                "byte {byte}"
            );
        }
    }

    /// Replicas of different builds share a day: the value must not change between versions.
    #[test]
    fn the_value_is_fixed() {
        assert_eq!(hash_of("192.0.2.1"), 13_116_415_469_264_566_113);
        assert_eq!(hash_of("2001:db8::1"), 5_116_179_035_044_773_022);
    }
}
