//! `events.csv`, as it is uploaded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shortener::events::bulk::EventRow;

fuzz_target!(|file: &[u8]| {
    for event in shortener_fuzz::read_csv::<EventRow>(file, &()) {
        assert!(event.id > 0 && event.url_id > 0 && event.user_id > 0);
        let details = event.details.as_str();
        assert!(
            details.starts_with('{') && details.ends_with('}'),
            "{details:?}"
        );
        // Postgres takes no NUL in a text.
        assert!(!details.contains('\0'), "{details:?}");
    }
});
