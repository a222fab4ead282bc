//! The address a short URL leads to.

use url::Url;

use super::private_target::{PrivateTargets, is_private};
use crate::{http::host::Host, invalid::Invalid, openapi::value_schema};

/// An absolute `http` or `https` URL with a host.
///
/// Kept as given; what is sent in `Location` is the ASCII form that the WHATWG URL standard makes of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OriginalUrl {
    given: String,
}

/// What an original URL must respect besides its own syntax.
#[derive(Clone, Copy, Debug)]
pub struct UrlRules<'a> {
    pub max_bytes: u64,
    /// Names of the service itself: a link to one of them would be a loop.
    pub own_hosts: &'a [Host],
    pub private_targets: PrivateTargets,
}

impl OriginalUrl {
    pub fn parse(text: &str, rules: UrlRules<'_>) -> Result<Self, Invalid> {
        if text.trim().is_empty() {
            return Err("must not be blank".into());
        }
        if text.len() as u64 > rules.max_bytes {
            return Err(format!("must be at most {} bytes long", rules.max_bytes).into());
        }
        // The standard strips some of these silently; a link with a line break inside is no link that anybody meant.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("must not contain spaces, line breaks or control characters".into());
        }
        let absolute = || Invalid::from("must be an absolute URL such as https://example.com/page");
        let (scheme, rest) = text.split_once("://").ok_or_else(absolute)?;
        // The standard takes `http:///path` for a host called `path`.
        if rest.starts_with(['/', '\\']) {
            return Err(absolute());
        }
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err("must start with http:// or https://".into());
        }
        let url = Url::parse(text).map_err(|_| absolute())?;
        let host = url.host().ok_or_else(absolute)?;
        if host == url::Host::Domain("") {
            return Err(absolute());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or a password".into());
        }
        if rules.own_hosts.iter().any(|host| host.is_target_of(&url)) {
            return Err("leads back to this service".into());
        }
        if rules.private_targets == PrivateTargets::Refuse && is_private(&host) {
            return Err("leads into a private network, where visitors from elsewhere find nothing, or something of their own; SHORTENER_PRIVATE_TARGETS=allow lets such addresses be shortened".into());
        }
        Ok(Self {
            given: text.to_owned(),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.given
    }
}

value_schema!(OriginalUrl, {
    "type": "string",
    "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/\\]\S*$",
    "examples": ["https://example.com/page"],
});

/// What `Location` says for a stored original URL: ASCII only, whatever was given.
pub fn location(original_url: &str) -> Option<String> {
    Url::parse(original_url).ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<OriginalUrl, Invalid> {
        let own_hosts = [Host::parse("go.example.com").unwrap()];
        OriginalUrl::parse(
            text,
            UrlRules {
                max_bytes: 100,
                own_hosts: &own_hosts,
                private_targets: PrivateTargets::Refuse,
            },
        )
    }

    #[test]
    fn absolute_web_addresses_are_kept_as_given() {
        for text in [
            "https://example.com",
            "http://example.com:8080/a?b=c#d",
            "HTTPS://EXAMPLE.com/Path",
            "https://exämple.com/ü?q=ö",
            "http://[2001:db8::1]/",
        ] {
            assert_eq!(parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            " ",
            "example.com",
            "//example.com/",
            "/path",
            "ftp://example.com/",
            "javascript:alert(1)",
            "javascript://example.com/%0aalert(1)",
            "data:text/html,x",
            "http:example.com",
            "http://",
            "http:///path",
            "https://exa mple.com/",
            "https://example.com/a\nb",
            "https://example.com/\0",
            " https://example.com/",
            "https://user@example.com/",
            "https://user:secret@example.com/",
            "https://:secret@example.com/",
            "http://example.com:99999/",
            "http://[::1/",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_loop_is_refused_however_the_host_is_spelt() {
        for text in [
            "https://go.example.com/x",
            "http://GO.example.COM./",
            "https://go。example.com/",
        ] {
            assert_eq!(
                parse(text),
                Err("leads back to this service".into()),
                "{text:?}"
            );
        }
        assert!(parse("https://example.com/").is_ok());
    }

    #[test]
    fn what_leads_into_a_private_network_is_refused_and_the_way_out_named() {
        for text in [
            "http://10.0.0.1/",
            "https://localhost./",
            "http://0x7f.1:9000/",
        ] {
            let reason = parse(text).unwrap_err().to_string();
            assert!(
                reason.contains("SHORTENER_PRIVATE_TARGETS"),
                "{text}: {reason}"
            );
            let rules = UrlRules {
                max_bytes: 100,
                own_hosts: &[],
                private_targets: PrivateTargets::Allow,
            };
            assert!(OriginalUrl::parse(text, rules).is_ok(), "{text}");
        }
    }

    #[test]
    fn length_counts_in_bytes() {
        assert!(parse(&format!("https://example.com/{}", "x".repeat(80))).is_ok());
        assert!(parse(&format!("https://example.com/{}", "x".repeat(81))).is_err());
    }

    #[test]
    fn a_location_is_ascii() {
        assert_eq!(
            location("http://exämple.com/ü?q=ö").as_deref(),
            Some("http://xn--exmple-cua.com/%C3%BC?q=%C3%B6")
        );
        assert_eq!(
            location("https://example.com").as_deref(),
            Some("https://example.com/")
        );
    }

    proptest! {
        #[test]
        fn what_is_accepted_makes_a_location_without_line_breaks(text in "https?://\\PC{0,60}") {
            if let Ok(url) = parse(&text) {
                let location = location(url.as_str()).unwrap();
                prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            _ = parse(&text);
        }
    }
}
