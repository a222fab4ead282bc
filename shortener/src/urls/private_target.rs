//! Which targets lie in a private network: a visitor's own, or that of whoever runs the service.
//!
//! The service never connects to a target, so it cannot be made to. But a short URL on a trusted name that leads to a
//! router, a cloud's metadata or a page on the visitor's own machine is an attack on whoever follows it, and works for
//! nobody elsewhere. What a public name resolves to is not looked at: that changes whenever its owner likes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::Host;

/// What becomes of a target in a private network.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PrivateTargets {
    #[default]
    Refuse,
    Allow,
}

/// Networks that are not reachable from everywhere (IANA's registry of special-purpose addresses, RFC 6890), and those that
/// are no single machine. Those for documentation are left out: they lead nowhere, and stand in examples.
const IPV4: [Ipv4Net; 13] = [
    // This network; 0.0.0.0 is the machine itself.
    ipv4([0, 0, 0, 0], 8),
    ipv4([10, 0, 0, 0], 8),
    // Shared by customers of a provider (RFC 6598).
    ipv4([100, 64, 0, 0], 10),
    ipv4([127, 0, 0, 0], 8),
    // Link-local, and the metadata of most clouds.
    ipv4([169, 254, 0, 0], 16),
    ipv4([172, 16, 0, 0], 12),
    // Protocol assignments, and the metadata of Oracle's cloud.
    ipv4([192, 0, 0, 0], 24),
    ipv4([192, 168, 0, 0], 16),
    // Benchmarks of networks (RFC 2544).
    ipv4([198, 18, 0, 0], 15),
    // Multicast.
    ipv4([224, 0, 0, 0], 4),
    // Reserved, and broadcast.
    ipv4([240, 0, 0, 0], 4),
    // The host of a virtual machine in Azure: public in form, private in effect.
    ipv4([168, 63, 129, 16], 32),
    // Where 6to4 relays were (RFC 7526).
    ipv4([192, 88, 99, 0], 24),
];

/// The same of IPv6.
const IPV6: [Ipv6Net; 7] = [
    // Unspecified, loopback, translated to IPv4 as a network likes (RFC 8215), and what is given to nobody.
    ipv6(0, 8),
    // Thrown away (RFC 6666), and what is given to nobody.
    ipv6(0x100, 8),
    // Segments of a provider's own (RFC 9602).
    ipv6(0x5f00, 16),
    // Unique local.
    ipv6(0xfc00, 7),
    // Link-local.
    ipv6(0xfe80, 10),
    // Site-local, which is deprecated but routed as before.
    ipv6(0xfec0, 10),
    // Multicast.
    ipv6(0xff00, 8),
];

/// Top-level names that are never delegated, and so belong to whichever network one is in: RFC 6761, 6762 (with its
/// appendix G) and 8375, and ICANN's resolutions on `internal`, `home` and `corp`.
const LOCAL_NAMES: [&str; 10] = [
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
];

const fn ipv4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn ipv6(first: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), length)
}

/// Whether `host` is in a private network by its address or by its name. The URL parser has made one form of all the ways
/// to write an address.
pub fn is_private(host: &Host<&str>) -> bool {
    match *host {
        Host::Domain(name) => is_local_name(name),
        Host::Ipv4(address) => is_private_address(address.into()),
        Host::Ipv6(address) => is_private_address(address.into()),
    }
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => IPV4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => match embedded(address) {
            Some(embedded) => is_private_address(embedded.into()),
            None => IPV6.iter().any(|network| network.contains(&address)),
        },
    }
}

/// The IPv4 address that packets to `address` end at.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let pair = |at: usize| (u32::from(segments[at]) << 16) | u32::from(segments[at + 1]);
    let bits = match segments {
        // Mapped (RFC 4291, 2.5.5.2), translated (RFC 2765) and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => pair(6),
        // 6to4 (RFC 3056).
        [0x2002, ..] => pair(1),
        // Teredo (RFC 4380) has the client's address, inverted.
        [0x2001, 0, ..] => !pair(6),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(bits))
}

/// Names of one label are local as well: no top-level domain is a host (SAC053), so that only a search list or a hosts
/// file gives them a meaning, which is another one in each network.
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let is_below = |local: &&str| {
        name.strip_suffix(*local)
            .is_some_and(|above| above.is_empty() || above.ends_with('.'))
    };
    !name.contains('.') || LOCAL_NAMES.iter().any(is_below)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[track_caller]
    fn check(hosts: &[&str], expected: bool) {
        for host in hosts {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(
                is_private(&url.host().unwrap()),
                expected,
                "{host} is {url}"
            );
        }
    }

    #[test]
    fn a_loopback_address_is_private_however_it_is_written() {
        check(
            &[
                "127.0.0.1",
                "127.0.0.1.",
                "127.255.255.254",
                "127.1",
                "127.0.1",
                "2130706433",
                "0x7f000001",
                "0x7f.1",
                "0177.0.0.1",
                "017700000001",
                "0x7F.0.0.0x1",
                "%31%32%37.0.0.1",
                "１２７.0.0.1",
                "127。0。0。1",
                "[::1]",
                "[0:0:0:0:0:0:0:1]",
                "[::ffff:127.0.0.1]",
                "[::ffff:7f00:1]",
                "[::127.0.0.1]",
            ],
            true,
        );
    }

    #[test]
    fn networks_of_ones_own_are_private_from_their_first_address_to_their_last() {
        check(
            &[
                "0.0.0.0",
                "0",
                "0.255.255.255",
                "10.0.0.0",
                "10.255.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "169.254.0.0",
                "169.254.169.254",
                "172.16.0.0",
                "172.31.255.255",
                "192.168.0.0",
                "192.168.255.255",
                "192.0.0.192",
                "198.18.0.0",
                "198.19.255.255",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.0",
                "255.255.255.255",
                "168.63.129.16",
                "[::]",
                "[fc00::]",
                "[fdff:ffff::1]",
                "[fd00:ec2::254]",
                "[fe80::1]",
                "[febf::1]",
                "[fec0::1]",
                "[ff02::1]",
                "[100::1]",
            ],
            true,
        );
        check(
            &[
                "1.0.0.0",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "168.63.129.17",
                "8.8.8.8",
                "[2001:4860:4860::8888]",
                "[2600::1]",
                "[3fff::1]",
            ],
            false,
        );
    }

    #[test]
    fn an_ipv6_address_is_as_private_as_the_ipv4_address_in_it() {
        check(
            &[
                "[::ffff:10.0.0.1]",
                "[::ffff:0:192.168.0.1]",
                "[64:ff9b::169.254.169.254]",
                "[64:ff9b:1::8.8.8.8]",
                "[2002:7f00:1::]",
                "[2002:c0a8:1::1]",
                // Teredo of 10.0.0.1.
                "[2001:0:4136:e378:8000:63bf:f5ff:fffe]",
            ],
            true,
        );
        check(
            &[
                "[::ffff:8.8.8.8]",
                "[64:ff9b::8.8.8.8]",
                "[2002:808:808::1]",
                "[2001:0:4136:e378:8000:63bf:f7f7:f7f7]",
            ],
            false,
        );
    }

    #[test]
    fn names_that_only_a_local_network_knows_are_private() {
        check(
            &[
                "localhost",
                "LOCALHOST",
                "localhost.",
                "localhost..",
                "app.localhost",
                "localhost.localdomain",
                "printer.local",
                "metadata.google.internal",
                "metadata.google.internal.",
                "instance-data.ec2.internal",
                "api.default.svc.cluster.local",
                "nas.home.arpa",
                "fritz.lan",
                "wiki.corp",
                "intranet",
                "metadata",
                "instance-data",
                "go",
                "com",
                "ｌｏｃａｌｈｏｓｔ",
                "%6cocalhost",
                "xn--bcher-kva",
            ],
            true,
        );
        check(
            &[
                "example.com",
                "localhost.com",
                "notlocal.example",
                "mylocalhost.example",
                "internal.example.com",
                "home.example",
                "arpa.example",
                "xn--bcher-kva.example",
                "sub.corp.example.com",
            ],
            false,
        );
    }

    #[test]
    fn addresses_for_documentation_lead_nowhere_and_are_let_be() {
        check(
            &["192.0.2.1", "198.51.100.1", "203.0.113.1", "[2001:db8::1]"],
            false,
        );
    }
}
