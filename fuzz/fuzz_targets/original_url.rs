//! The address that somebody wants shortened.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shortener::urls::{
    confusable::Warnings,
    original_url::{OriginalUrl, UrlRules},
    private_target::PrivateTargets,
};

fuzz_target!(|text: &str| {
    for detail in Warnings::of(text).details() {
        assert!(
            detail.is_ascii(),
            "a warning does not look like something else: {detail:?}"
        );
    }
    let own_hosts = shortener_fuzz::own_hosts();
    let rules = UrlRules {
        max_bytes: 1_000,
        own_hosts: &own_hosts,
        private_targets: PrivateTargets::Refuse,
    };
    if let Ok(url) = OriginalUrl::parse(text, rules) {
        assert_eq!(url.as_str(), text, "an original URL is kept as given");
        shortener_fuzz::check_location(text);
    }
});
