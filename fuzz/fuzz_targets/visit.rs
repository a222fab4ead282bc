//! What a visitor's browser says of itself, made sense of: user agent, referrer and query, a line each.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shortener::clicks::{
    row::Interpreter,
    visit::{Purpose, Visit},
};

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let visit = Visit {
        at_micros: 1_764_000_000_000_000,
        url_id: 1,
        user_id: 2,
        visitor: 3,
        country: [0, 0],
        purpose: Purpose::Visit,
        user_agent: line(),
        referrer: line(),
        query: line(),
    };
    let mut record = Vec::new();
    visit.write(&mut record);
    let row = Interpreter::new(vec!["go.example.com".to_owned()])
        .row(&record)
        .expect("what is written can be read");
    let campaign = &row.campaign;
    let texts = [
        &row.referrer,
        &campaign.source,
        &campaign.medium,
        &campaign.name,
        &campaign.term,
        &campaign.content,
    ];
    for text in texts.into_iter().flatten() {
        // A NUL is what no database takes.
        assert!(!text.contains('\0') && text.len() <= 1_024, "{text:?}");
    }
    assert_ne!(row.referrer.as_deref(), Some("go.example.com"));
});
