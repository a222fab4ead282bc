//! Who is limited.

use std::{fmt, net::IpAddr};

use crate::keys::keyring::KeyName;

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Client {
    /// An IPv4 address, or an IPv6 network of 64 bits: hosts choose the rest of the address as they like.
    Address(IpAddr),
    /// An API key, by its id: wherever it is used from.
    Key(i64),
    /// The key from the admin's file.
    AdminFile,
}

impl Client {
    /// `None` for this machine, which is not limited.
    pub(super) fn at(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return None;
        }
        Some(Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                IpAddr::V6(network.into())
            }
        }))
    }

    /// Who asks from there with that key, or without one.
    pub(super) fn with(key: Option<KeyName>, address: IpAddr) -> Option<Self> {
        let client = Self::at(address)?;
        Some(match key {
            None => client,
            Some(KeyName::AdminFile) => Self::AdminFile,
            Some(KeyName::Id(id)) => Self::Key(id),
        })
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Key(id) => write!(f, "key-{id}"),
            Self::AdminFile => f.write_str("key-file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: Option<&str>) {
        let client = Client::at(address.parse().unwrap());
        assert_eq!(
            client.map(|client| client.to_string()).as_deref(),
            expected,
            "{address}"
        );
    }

    #[test]
    fn a_household_is_one_client() {
        check("192.0.2.1", Some("192.0.2.1"));
        check("::ffff:192.0.2.1", Some("192.0.2.1"));
        check("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::"));
    }

    #[test]
    fn this_machine_is_not_limited() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.9"] {
            check(address, None);
        }
    }
}
