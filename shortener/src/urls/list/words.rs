//! The words that a URL is found by: those of its title, its short code, and the host and path of where it leads.
//!
//! A word is a run of letters and digits, in lower case. The index of words and the search read texts with the same function,
//! so that what is searched for is what was indexed.

use std::collections::BTreeSet;

use crate::urls::ShortUrl;

/// What is longer is told apart by its beginning alone.
const MAX_CHARS: usize = 64;

/// Of a host that is longer than any that DNS has, the index keeps the beginning: Postgres refuses an entry of more than a
/// third of a page, and with it the whole batch.
const MAX_HOST_CHARS: usize = 255;

/// Goes before a whole host: in no word.
const HOST: char = '@';

/// All words of a URL, and its whole host as one more.
pub fn of_url(short_code: &str, original_url: &str, title: Option<&str>) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let (_, address) = original_url.split_once("://").unwrap_or(("", original_url));
    let place = address.split(['?', '#']).next().unwrap_or_default();
    for text in [short_code, &decoded(place), title.unwrap_or_default()] {
        add(&mut words, text);
    }
    words.insert(whole_host(host(place)));
    words
}

impl ShortUrl {
    pub fn words(&self) -> BTreeSet<String> {
        of_url(&self.short_code, &self.original_url, self.title.as_deref())
    }
}

/// The words of a text that somebody searches for.
pub fn of_text(text: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    add(&mut words, text);
    words
}

/// What a host is found by as a whole: as it was given, but for the case.
pub fn whole_host(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    std::iter::once(HOST)
        .chain(host.chars().take(MAX_HOST_CHARS).flat_map(lower))
        .collect()
}

/// A text that every URL with this word contains, whatever the case of its ASCII letters; none if that cannot be said.
pub fn certain_text(word: &str) -> Option<&str> {
    let text = word.strip_prefix(HOST).unwrap_or(word);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte);
    text.bytes().all(is_plain).then_some(text)
}

/// The host of an address, which ends with it or goes on with a port or a path.
fn host(address: &str) -> &str {
    let authority = address.split(['/', '\\']).next().unwrap_or_default();
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    match host.split_once(']') {
        // An IPv6 address has colons of its own.
        Some((address, _)) => &host[..=address.len()],
        None => host.split(':').next().unwrap_or_default(),
    }
}

fn add(words: &mut BTreeSet<String>, text: &str) {
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if !word.is_empty() {
            words.insert(word.chars().take(MAX_CHARS).flat_map(lower).collect());
        }
    }
}

/// In lower case; what only becomes ASCII by that stays as it is, or [`certain_text`] would not hold.
fn lower(c: char) -> impl Iterator<Item = char> {
    let mut lower = c.to_lowercase();
    let stays = !c.is_ascii() && c.to_lowercase().any(|c| c.is_ascii());
    std::iter::from_fn(move || if stays { None } else { lower.next() }).chain(stays.then_some(c))
}

/// A path as people read it: escapes stand for what they mean, but for those of ASCII letters and digits, which nobody
/// writes.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = text
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|byte| !byte.is_ascii_alphanumeric());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(code: &str, url: &str, title: Option<&str>, expected: &[&str]) {
        let words: Vec<_> = of_url(code, url, title).into_iter().collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn no_word_is_longer_than_an_entry_of_an_index_may_be() {
        let host = "\u{10428}.".repeat(2_000);
        for word in of_url(
            "code",
            &format!("https://{host}example/{host}"),
            Some(&host),
        ) {
            assert!(word.len() < 2_000, "{} bytes", word.len());
        }
        let found_by = whole_host(&host);
        assert!(of_url("code", &format!("https://{host}"), None).contains(&found_by));
    }

    #[test]
    fn a_url_is_found_by_title_code_host_and_path() {
        check(
            "Spring-Sale",
            "https://Shop.example.com:8443/a/b_c?utm=x#top",
            Some("20 % off: now!"),
            &[
                "20",
                "8443",
                "@shop.example.com",
                "a",
                "b",
                "c",
                "com",
                "example",
                "now",
                "off",
                "sale",
                "shop",
                "spring",
            ],
        );
    }

    #[test]
    fn words_of_other_scripts_are_words() {
        check(
            "x1",
            "https://exämple.com/caf%C3%A9/%E4%B8%AD",
            Some("ÜBER"),
            &["@exämple.com", "café", "com", "exämple", "x1", "über", "中"],
        );
    }

    #[test]
    fn a_host_is_told_from_what_stands_around_it() {
        for (address, expected) in [
            ("Example.COM", "@example.com"),
            ("example.com.:80/x", "@example.com"),
            ("@a.b/c", "@a.b"),
            ("[2001:DB8::1]:80/", "@[2001:db8::1]"),
            ("a\\b", "@a"),
        ] {
            assert_eq!(whole_host(host(address)), expected);
        }
    }

    #[test]
    fn broken_escapes_are_no_obstacle() {
        check(
            "x",
            "http://a/%zz%4/%41b%",
            None,
            &["4", "41b", "@a", "a", "x", "zz"],
        );
    }

    proptest! {
        #[test]
        fn a_plain_word_stands_in_what_it_was_read_from(
            title in ".{0,40}", path in "[a-zA-Z0-9%/ıK\u{130}\u{212a}-]{0,40}",
        ) {
            let url = format!("https://example.com/{path}");
            let all = format!("{url} {title} code").to_ascii_lowercase();
            for word in of_url("code", &url, Some(&title)) {
                if let Some(text) = certain_text(&word) {
                    prop_assert!(all.contains(text), "{text} is not in {all}");
                }
            }
        }

        #[test]
        fn whoever_searches_for_a_title_has_its_words(title in ".{0,40}") {
            let words = of_url("code", "https://example.com/", Some(&title));
            prop_assert!(of_text(&title).is_subset(&words));
        }
    }
}
