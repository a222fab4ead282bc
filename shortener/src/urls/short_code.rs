//! The code in a short URL's path.

use crate::{
    invalid::Invalid,
    letters::{self, ALPHABET},
    openapi::value_schema,
};

pub const MAX_LEN: usize = 64;
const GENERATED_LEN: usize = 6;

/// Paths that are, or may one day be, something else than a short URL. Sorted, lower case.
const RESERVED: [&str; 48] = [
    "account",
    "admin",
    "api",
    "apple-touch-icon",
    "assets",
    "audit",
    "auth",
    "bulk",
    "callback",
    "dashboard",
    "docs",
    "domains",
    "events",
    "exports",
    "favicon",
    "graphql",
    "health",
    "healthz",
    "help",
    "imports",
    "index",
    "keys",
    "livez",
    "login",
    "logout",
    "manifest",
    "metrics",
    "oauth",
    "openapi",
    "preview",
    "qr",
    "readyz",
    "redirect",
    "robots",
    "rules",
    "search",
    "settings",
    "signin",
    "signup",
    "sitemap",
    "static",
    "stats",
    "status",
    "tags",
    "urls",
    "users",
    "webhooks",
    "well-known",
];

/// A path segment that names a URL within its domain: 1 to 64 of `0-9 A-Z a-z _ -`, case-sensitive.
///
/// Holding a `ShortCode` means it was checked; nothing downstream checks again.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ShortCode(String);

impl ShortCode {
    /// Reads a code that somebody chooses: a reserved word is none.
    pub fn choose(text: &str) -> Result<Self, Invalid> {
        if is_reserved(text) {
            return Err("is reserved: choose another".into());
        }
        Self::parse(text)
    }

    /// Reads a code that may exist. A word that was reserved later still leads where it led.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err("must not be empty".into());
        }
        if text.len() > MAX_LEN {
            return Err(format!("must be at most {MAX_LEN} characters long").into());
        }
        if !text
            .bytes()
            .all(|byte| ALPHABET.contains(&byte) || matches!(byte, b'_' | b'-'))
        {
            return Err("may have only letters, digits, `-` and `_`".into());
        }
        Ok(Self(text.to_owned()))
    }

    /// Draws a code from the operating system's generator. Never sequential: a neighbour must not be guessable.
    pub fn generate() -> Self {
        loop {
            let code: String = (0..GENERATED_LEN).map(|_| letters::random()).collect();
            if !is_reserved(&code) {
                return Self(code);
            }
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

value_schema!(ShortCode, {
    "type": "string", "minLength": 1, "maxLength": MAX_LEN, "pattern": "^[0-9A-Za-z_-]+$", "examples": ["launch"]
});

/// Whether `text` is taken by the service itself, however it is capitalised.
fn is_reserved(text: &str) -> bool {
    RESERVED
        .binary_search(&text.to_ascii_lowercase().as_str())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_is_bounded_on_both_sides() {
        assert!(ShortCode::parse("").is_err());
        assert!(ShortCode::parse("x").is_ok());
        assert!(ShortCode::parse(&"x".repeat(64)).is_ok());
        assert!(ShortCode::parse(&"x".repeat(65)).is_err());
    }

    #[test]
    fn what_would_need_escaping_in_a_path_is_refused() {
        for text in ["a/b", "a b", "a?b", "é", "a.b", "a%20b", "a+b"] {
            assert!(ShortCode::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn reserved_words_are_refused_however_they_are_capitalised() {
        for text in ["api", "API", "Health", "well-known"] {
            assert!(ShortCode::choose(text).is_err(), "{text:?}");
        }
        assert!(ShortCode::choose("apis").is_ok());
    }

    #[test]
    fn no_short_code_hides_behind_a_route() {
        let routes = include_str!("../router.rs");
        let roots = routes
            .split("\"/")
            .skip(1)
            .filter_map(|rest| rest.split(['/', '"', '.']).next())
            .filter(|root| !root.is_empty() && !root.starts_with('{'));
        for root in roots {
            assert!(is_reserved(root), "{root}");
        }
    }

    #[test]
    fn reserved_words_are_sorted_for_the_search() {
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn generated_codes_are_six_letters_or_digits_and_differ() {
        let codes: HashSet<_> = (0..1_000).map(|_| ShortCode::generate()).collect();
        assert_eq!(codes.len(), 1_000);
        for code in codes {
            assert_eq!(code.as_str().len(), 6);
            assert!(
                code.as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric())
            );
        }
    }

    proptest! {
        #[test]
        fn an_accepted_code_is_kept_as_it_is(text in "\\PC*") {
            if let Ok(code) = ShortCode::parse(&text) {
                prop_assert_eq!(code.as_str(), text);
            }
        }

        #[test]
        fn letters_digits_dash_and_underscore_are_accepted(text in "[0-9A-Za-z_-]{7,64}") {
            prop_assert!(ShortCode::parse(&text).is_ok());
            prop_assert_eq!(ShortCode::choose(&text).is_err(), is_reserved(&text));
        }
    }
}
