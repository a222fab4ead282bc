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
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    header: ForwardingHeader,
}

/// What proxies tell the client's address in. The other header is passed through as the client wrote it, if it wrote one.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
#[value(rename_all = "kebab-case")]
pub enum ForwardingHeader {
    XForwardedFor,
    Forwarded,
    /// `X-Forwarded-For` if it is there, else `Forwarded`.
    Either,
}

impl TrustedProxies {
    pub fn new(networks: Vec<IpNet>, header: ForwardingHeader) -> Self {
        Self { networks, header }
    }

    /// The client's address: the peer's, or what trusted proxies say of theirs.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.address_behind(peer, || {
            let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
            self.hops(values(X_FORWARDED_FOR), values("forwarded"))
        })
    }

    /// The same of a request that is known by its [`Told`].
    pub fn told_address(&self, peer: IpAddr, told: &Told<'_>) -> IpAddr {
        self.address_behind(peer, || self.hops(told.x_forwarded_for, told.forwarded))
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

    /// The hops that the believed header names.
    fn hops<'a>(
        &self,
        x_forwarded_for: impl IntoIterator<Item = &'a [u8]>,
        forwarded: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<Option<IpAddr>> {
        if self.header != ForwardingHeader::Forwarded {
            let hops: Vec<_> = listed(x_forwarded_for).map(parse_hop).collect();
            if !hops.is_empty() || self.header == ForwardingHeader::XForwardedFor {
                return hops;
            }
        }
        forwarded_hops(forwarded)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// The hops of `Forwarded`, in the order written; `None` for one that names no address.
fn forwarded_hops<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<Option<IpAddr>> {
    listed(values)
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

    fn trusted(header: ForwardingHeader) -> TrustedProxies {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        TrustedProxies::new(networks.to_vec(), header)
    }

    #[test]
    fn a_client_cannot_choose_its_address_in_the_header_that_the_proxy_does_not_write() {
        let headers = HeaderMap::from_iter([
            (
                HeaderName::from_static("forwarded"),
                HeaderValue::from_static("for=203.0.113.9"),
            ),
            (
                HeaderName::from_static(X_FORWARDED_FOR),
                HeaderValue::from_static("1.1.1.1"),
            ),
        ]);
        for (header, expected) in [
            (ForwardingHeader::Forwarded, "203.0.113.9"),
            (ForwardingHeader::XForwardedFor, "1.1.1.1"),
            (ForwardingHeader::Either, "1.1.1.1"),
        ] {
            let address = trusted(header).client_address("10.0.0.1".parse().unwrap(), &headers);
            assert_eq!(address.to_string(), expected, "{header:?}");
        }
    }

    #[track_caller]
    fn check(peer: &str, header: &'static str, value: &str, expected: &str) {
        let trusted = trusted(ForwardingHeader::Either);
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
