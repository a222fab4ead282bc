//! A `Host` header, or a name in `SHORTENER_PUBLIC_HOSTS`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shortener::http::host::Host;

fuzz_target!(|text: &str| {
    if let Ok(host) = Host::parse(text) {
        let printed = host.to_string();
        assert!(printed.is_ascii(), "{printed:?}");
        assert_eq!(Host::parse(&printed), Ok(host), "{text:?} {printed:?}");
    }
});
