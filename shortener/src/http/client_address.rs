//! Which address a request came from, when proxies stand between.
//!
//! A proxy appends the address of its peer to `X-Forwarded-For` (or `Forwarded`, RFC 7239), so the list is read from the
//! right for as long as the writer is a trusted proxy. What an untrusted peer wrote is a claim, and is not read at all.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use super::quick::Told;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Networks whose forwarding headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The client's address: the peer's, or what trusted proxies say of theirs.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.address_behind(peer, || {
            let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
            hops(values(X_FORWARDED_FOR), values("forwarded"))
        })
    }

    /// The same of a request that is known by its [`Told`].
    pub fn told_address(&self, peer: IpAddr, told: &Told<'_>) -> IpAddr {
        self.address_behind(peer, || hops(told.x_forwarded_for, told.forwarded))
    }

    fn address_behind(&self, peer: IpAddr, hops: impl FnOnce() -> Vec<Option<IpAddr>>) -> IpAddr {
        let mut address = peer.to_canonical();
        if !self.trusts(address) {
            return address;
        }
        for hop in hops().into_iter().rev() {
            let Some(hop) = hop else {
                // Hidden or garbled: what is left of it was written by somebody we cannot name.
                break;
            };
            address = hop;
            if !self.trusts(address) {
                break;
            }
        }
        address
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The hops that the headers name, in the order written; `None` for one that names no address.
fn hops<'a>(
    x_forwarded_for: impl IntoIterator<Item = &'a [u8]>,
    forwarded: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Option<IpAddr>> {
    let hops: Vec<_> = listed(x_forwarded_for).map(parse_hop).collect();
    if !hops.is_empty() {
        return hops;
    }
    listed(forwarded)
        .map(|element| {
            let (_, hop) = element
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='))
                .find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
            parse_hop(hop.trim_matches('"'))
        })
        .collect()
}

fn listed<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a str> {
    values
        .into_iter()
        .flat_map(|value| str::from_utf8(value).unwrap_or("unreadable").split(','))
        .map(str::trim)
}

/// `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse());
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    #[track_caller]
    fn check(peer: &str, header: &'static str, value: &str, expected: &str) {
        let trusted = TrustedProxies::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "fd00::/8".parse().unwrap(),
        ]);
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static(header), value.parse().unwrap())]);
        let address = trusted.client_address(peer.parse().unwrap(), &headers);
        assert_eq!(address.to_string(), expected, "{peer} {header}: {value}");
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        check("203.0.113.9", "x-forwarded-for", "1.1.1.1", "203.0.113.9");
        check("203.0.113.9", "forwarded", "for=1.1.1.1", "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_tells_who_asked_it() {
        check("10.0.0.1", "x-forwarded-for", "203.0.113.9", "203.0.113.9");
        check(
            "::ffff:10.0.0.1",
            "x-forwarded-for",
            "203.0.113.9",
            "203.0.113.9",
        );
        check(
            "10.0.0.1",
            "forwarded",
            "proto=https;For=\"[2001:db8::7]:443\"",
            "2001:db8::7",
        );
    }

    #[test]
    fn what_the_client_claims_of_itself_is_not_read() {
        check(
            "10.0.0.1",
            "x-forwarded-for",
            "1.1.1.1, 203.0.113.9, 10.0.0.2",
            "203.0.113.9",
        );
        check(
            "10.0.0.1",
            "forwarded",
            "for=1.1.1.1, for=203.0.113.9",
            "203.0.113.9",
        );
    }

    #[test]
    fn a_hop_without_an_address_ends_the_chain() {
        check(
            "10.0.0.1",
            "x-forwarded-for",
            "203.0.113.9, junk",
            "10.0.0.1",
        );
        check(
            "10.0.0.1",
            "forwarded",
            "for=203.0.113.9, for=_hidden, for=10.0.0.2",
            "10.0.0.2",
        );
    }
}
