//! The code that somebody chose.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shortener::urls::short_code::ShortCode;

fuzz_target!(|text: &str| {
    if let Ok(code) = ShortCode::parse(text) {
        assert_eq!(code.as_str(), text, "a code is kept as given");
        assert!((1..=64).contains(&text.len()));
        // It stands in a path as it is.
        let url = url::Url::parse(&format!("http://localhost/{text}")).expect("a path");
        assert_eq!(url.path(), format!("/{text}"));
    }
});
