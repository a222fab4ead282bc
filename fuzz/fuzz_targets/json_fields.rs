//! A JSON body, and the fields of a URL in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shortener::{
    http::fields::{Fields, boolean, integer, positive, text, time},
    urls::{
        Title,
        original_url::{OriginalUrl, UrlRules},
        private_target::PrivateTargets,
        redirect_status::RedirectStatus,
        short_code::ShortCode,
    },
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Value::Object(values)) = serde_json::from_slice(bytes) else {
        return;
    };
    let own_hosts = shortener_fuzz::own_hosts();
    let rules = UrlRules {
        max_bytes: 1_000,
        own_hosts: &own_hosts,
        private_targets: PrivateTargets::Refuse,
    };
    let read = Fields::new(values).read(|fields| {
        fields.require_any(&["original_url", "title"]);
        let url = fields.given("original_url", text(|text| OriginalUrl::parse(text, rules)));
        let title = fields.change("title", text(Title::parse));
        let code = fields.optional("short_code", text(ShortCode::choose));
        let status = fields.given("status", |value| RedirectStatus::parse(integer(value)?));
        let is_active = fields.given("is_active", boolean);
        let starts_at = fields.change("starts_at", text(time));
        let max_clicks = fields.change("max_clicks", positive);
        let user_id = fields.required("user_id", integer);
        (status?, is_active?, starts_at?);
        Ok((url?, title?, code?, max_clicks?, user_id?))
    });
    let Ok((url, title, _, max_clicks, _)) = read else {
        return;
    };
    if let Some(url) = url {
        shortener_fuzz::check_location(url.as_str());
    }
    if let Some(Some(title)) = title {
        assert!(!title.as_str().chars().any(char::is_control));
    }
    assert!(max_clicks.flatten().is_none_or(|clicks| clicks > 0));
});
