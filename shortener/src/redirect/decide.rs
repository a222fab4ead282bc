//! Whether a URL may be followed. Pure: no clock, no network, no database.

use crate::urls::{ShortUrl, original_url};

/// What a visitor gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// On to this address, in ASCII.
    Redirect(String),
    /// Nothing that a visitor should know of.
    NotFound,
}

/// Decides what a visitor gets who asks for `url`.
pub fn decide(url: &ShortUrl) -> Outcome {
    if !url.is_active {
        return Outcome::NotFound;
    }
    match original_url::location(&url.original_url) {
        Some(location) => Outcome::Redirect(location),
        // Was accepted once, or it would not be stored.
        None => Outcome::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::timestamp::Timestamp;

    fn url() -> ShortUrl {
        let at = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        ShortUrl {
            id: 1,
            user_id: 2,
            short_code: "launch".to_owned(),
            original_url: "https://exämple.com".to_owned(),
            title: None,
            is_active: true,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    #[test]
    fn an_active_url_leads_to_the_ascii_form_of_its_target() {
        let expected = Outcome::Redirect("https://xn--exmple-cua.com/".to_owned());
        assert_eq!(decide(&url()), expected);
    }

    #[test]
    fn an_inactive_url_is_not_there() {
        let url = ShortUrl {
            is_active: false,
            ..url()
        };
        assert_eq!(decide(&url), Outcome::NotFound);
    }
}
