//! `If-Match`, `If-None-Match`, `Idempotency-Key` and `traceparent`.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use shortener::{http::conditional::Conditions, idempotency::IdempotencyKey, trace::Remote};

const NAMES: [&str; 4] = ["if-match", "if-none-match", "traceparent", "tracestate"];

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').take(8).enumerate() {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        headers.append(HeaderName::from_static(NAMES[number % NAMES.len()]), value);
    }
    if let Ok(conditions) = Conditions::of(&headers) {
        let holds = |version| conditions.check_change(version).is_ok();
        // At most all versions but those named, or those named alone: never a panic, and the same each time.
        assert_eq!(holds(3), holds(3));
    }
    _ = Remote::of(&headers);
    if let Ok(key) = IdempotencyKey::parse(bytes) {
        assert!((1..=255).contains(&key.as_str().len()) && key.as_str().is_ascii());
    }
});
