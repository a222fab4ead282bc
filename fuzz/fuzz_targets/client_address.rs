//! `X-Forwarded-For` and `Forwarded`, as a proxy passes them on: a line each.

#![no_main]

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use shortener::http::{
    client_address::{ForwardingHeader, TrustedProxies},
    quick::Told,
};

fuzz_target!(|bytes: &[u8]| {
    let proxy = IpAddr::from([10, 0, 0, 1]);
    let stranger = IpAddr::from([203, 0, 113, 9]);
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for (name, line) in ["x-forwarded-for", "forwarded"].into_iter().zip(&mut lines) {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        headers.insert(name, value);
    }
    let told = Told::of(&headers).expect("each header once");
    for header in [
        ForwardingHeader::XForwardedFor,
        ForwardingHeader::Forwarded,
        ForwardingHeader::Either,
    ] {
        let network = "10.0.0.0/8".parse().expect("a network");
        let proxies = TrustedProxies::new(vec![network], header);
        let address = proxies.client_address(proxy, &headers);
        assert_eq!(address, address.to_canonical());
        assert_eq!(
            proxies.told_address(proxy, &told),
            address,
            "both paths agree"
        );
        assert_eq!(
            proxies.client_address(stranger, &headers),
            stranger,
            "a stranger is not believed"
        );
    }
});
