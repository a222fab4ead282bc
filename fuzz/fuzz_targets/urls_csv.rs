//! `urls.csv`, as it is uploaded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shortener::urls::{
    bulk::{Rules, UrlRow},
    private_target::PrivateTargets,
};

fuzz_target!(|file: &[u8]| {
    let rules = Rules {
        max_url_bytes: 1_000,
        own_hosts: shortener_fuzz::own_hosts(),
        private_targets: PrivateTargets::Refuse,
    };
    for url in shortener_fuzz::read_csv::<UrlRow>(file, &rules) {
        assert!(url.id > 0 && url.user_id > 0);
        assert!(url.original_url.as_str().len() <= 1_000);
        shortener_fuzz::check_location(url.original_url.as_str());
    }
});
