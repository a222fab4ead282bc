//! A host name with an optional port: what the service is called, and what a link must not point back at.

use std::fmt;

/// A host in its ASCII form (lower case, punycode), and a port if one was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    /// Reads `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`, as a setting or a `Host` header has it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "is no host name such as go.example.com or localhost:8080".to_owned();
        // A URL's own rules decide what a host is; but a path, a user or a query is none.
        if text.is_empty()
            || text.contains(['/', '\\', '@', '?', '#'])
            || text.contains(char::is_whitespace)
        {
            return Err(wrong());
        }
        let url = url::Url::parse(&format!("http://{text}/")).map_err(|_| wrong())?;
        let name = url.host_str().ok_or_else(wrong)?.to_owned();
        // The URL parser drops a port that is the scheme's own.
        let is_80 = || {
            text.rsplit_once(':')
                .is_some_and(|(_, port)| port.parse() == Ok(80_u16))
        };
        let port = url.port().or_else(|| is_80().then_some(80));
        let name = name.strip_suffix('.').unwrap_or(&name);
        // What was left by the dot may be read as something else: `2.` is a name, `2` an address.
        let is_name = !name.is_empty()
            && !name.ends_with('.')
            && url::Host::parse(name).is_ok_and(|host| host.to_string() == name);
        if !is_name {
            return Err(wrong());
        }
        Ok(Self {
            name: name.to_owned(),
            port,
        })
    }

    pub fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// Whether a link to `url` comes back to this host. Without a port of its own a host is met on 80 and 443.
    pub fn is_target_of(&self, url: &url::Url) -> bool {
        let (Some(name), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return false;
        };
        name.strip_suffix('.').unwrap_or(name) == self.name
            && match self.port {
                Some(own) => own == port,
                None => port == 80 || port == 443,
            }
    }

    /// Whether this is a name for the machine itself.
    pub fn is_loopback(&self) -> bool {
        self.name == "localhost"
            || self.name.ends_with(".localhost")
            || self
                .name
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Whether `other` has the same name, at whatever port.
    pub fn has_name_of(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Whether this is a name that somebody could own and have lead anywhere: no address, no name of this machine, and none
    /// of a single label.
    pub fn may_be_anybodys(&self) -> bool {
        let is_address =
            self.name.starts_with('[') || self.name.parse::<std::net::Ipv4Addr>().is_ok();
        self.name.contains('.') && !is_address && !self.is_loopback()
    }

    /// The name without the port.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, url: &str, expected: bool) {
        let host = Host::parse(host).unwrap();
        let url = url::Url::parse(url).unwrap();
        assert_eq!(host.is_target_of(&url), expected, "{host} {url}");
    }

    #[test]
    fn a_host_without_a_port_is_met_on_the_ports_of_the_web() {
        check("go.example.com", "https://go.example.com/x", true);
        check("go.example.com", "http://go.example.com/x", true);
        check("go.example.com", "http://go.example.com:9000/x", false);
        check("go.example.com", "https://example.com/", false);
    }

    #[test]
    fn a_host_with_a_port_is_met_on_that_port_only() {
        check("localhost:8080", "http://localhost:8080/x", true);
        check("localhost:8080", "http://localhost/x", false);
        check("example.com:80", "http://example.com/", true);
        check("example.com:80", "https://example.com/", false);
    }

    #[test]
    fn other_spellings_of_a_name_are_the_same_name() {
        check("GO.Example.com.", "https://go.EXAMPLE.com./x", true);
        check("bücher.example", "https://xn--bcher-kva.example/", true);
        check("127.0.0.1:8080", "http://0x7f.1:8080/", true);
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "", ".", "..", "2..", "a b", "http://x", "x/y", "a@b", "x:99999", "x:y",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn loopback_has_many_names() {
        for text in ["localhost", "127.0.0.1:1", "[::1]:8080", "a.localhost"] {
            assert!(Host::parse(text).unwrap().is_loopback(), "{text}");
        }
        assert!(!Host::parse("example.com").unwrap().is_loopback());
    }

    #[test]
    fn a_domain_may_be_anybodys() {
        for (text, expected) in [
            ("example.com:80", true),
            ("10.0.0.1", false),
            ("[fd00::1]:80", false),
            ("shortener:80", false),
            ("a.localhost", false),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!(host.may_be_anybodys(), expected, "{text}");
        }
    }
}
