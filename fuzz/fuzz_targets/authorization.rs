//! `Authorization`, and a key in it.

#![no_main]

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use shortener::access::gate;

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        headers.append(header::AUTHORIZATION, value);
    }
    if let Ok(key) = gate::bearer(&headers) {
        assert_eq!(headers.len(), 1, "one of several is none");
        assert!(!key.is_empty() && key.trim_ascii() == key);
        assert!(bytes[..7].eq_ignore_ascii_case(b"bearer "));
    }
});
