//! The query of a short URL that goes on to its target: the target, a line break, the query.

#![no_main]

use http::{HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use shortener::{
    database::timestamp::Timestamp,
    links::link::Link,
    redirect::answer,
    urls::{original_url, redirect_status::RedirectStatus},
};

fuzz_target!(|text: &str| {
    let Some((target, query)) = text.split_once('\n') else {
        return;
    };
    // What hyper takes for a query.
    let Ok(uri) = format!("/x?{query}").parse::<http::Uri>() else {
        return;
    };
    let Some(location) = original_url::location(target) else {
        return;
    };
    // No other URL is a link's, and other schemes have no origin that could be compared.
    if !location.starts_with("http://") && !location.starts_with("https://") {
        return;
    }
    let link = Link {
        url_id: 1,
        user_id: 1,
        version: 1,
        location: HeaderValue::try_from(&location).expect("a location is ASCII"),
        status: RedirectStatus::default(),
        is_active: true,
        forward_query: true,
        starts_at: None,
        expires_at: None,
        max_clicks: None,
    };
    let response = answer::redirect(&link, uri.query());
    let sent = response.headers()[header::LOCATION]
        .to_str()
        .expect("a location is ASCII");
    assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{sent:?}");
    let before = url::Url::parse(&location).expect("a location is a URL");
    let after = url::Url::parse(sent).expect("a location is a URL");
    assert_eq!(
        before.origin(),
        after.origin(),
        "a query leads nowhere else"
    );
    assert_eq!(before.path(), after.path());

    let mut bytes = Vec::new();
    answer::write(&link, uri.query(), None, Timestamp::now(), &mut bytes);
    let mut fields = [httparse::EMPTY_HEADER; 8];
    let mut parsed = httparse::Response::new(&mut fields);
    let whole = parsed.parse(&bytes).expect("an answer");
    assert_eq!(whole, httparse::Status::Complete(bytes.len()), "one answer");
    assert_eq!(parsed.headers.len(), 5, "no header more");
});
