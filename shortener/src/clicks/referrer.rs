//! Where a visitor came from: the host in the `Referer` header.

use url::{Host, Url};

use super::text;

/// No host name is longer (RFC 1035).
const LONGEST_HOST: usize = 253;

/// The host stands at the start, so a page's long query need not be parsed.
const LONGEST_HEADER: usize = 1024;

/// The host that a `Referer` names: ASCII, lower case, without `www.`; `None` is a direct visit.
///
/// `www.` goes because people take `www.example.org` and `example.org` for one site and would have
/// to add up two lines otherwise; other subdomains may well be others' (`alice.github.io`).
/// A visit that comes from one of `own_hosts` (each in this same form) came from no other site.
/// An app may name itself by `android-app://`, whose host is its package name.
pub fn host(header: &str, own_hosts: &[impl AsRef<str>]) -> Option<String> {
    let url = Url::parse(text::cut(header.trim(), LONGEST_HEADER)).ok()?;
    let host = match (url.scheme(), url.host()?) {
        ("http" | "https", Host::Domain(name)) => site(name),
        ("http" | "https", address) => address.to_string(),
        ("android-app", name) => site(&name.to_string()),
        _ => return None,
    };
    let is_plain = host.bytes().all(|byte| byte.is_ascii_graphic());
    let is_own = own_hosts.iter().any(|own| own.as_ref() == host);
    (is_plain && !is_own && !host.is_empty() && host.len() <= LONGEST_HOST).then_some(host)
}

/// The name of a site, however its host is spelled.
pub fn site(name: &str) -> String {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    match name.strip_prefix("www.") {
        // `www.com` is a site of that name.
        Some(site) if site.contains('.') => site.to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[&str] = &["sho.rt", "127.0.0.1"];

    #[track_caller]
    fn check(header: &str, expected: &str) {
        let expected = (!expected.is_empty()).then(|| expected.to_owned());
        assert_eq!(host(header, OWN), expected, "{header}");
    }

    #[test]
    fn the_host_is_taken() {
        check(
            "https://news.ycombinator.com/item?id=1",
            "news.ycombinator.com",
        );
        check("https://example.org", "example.org");
        check("http://example.org:8080/a", "example.org");
        check("https://user:secret@example.org/", "example.org");
        check("  https://example.org/  ", "example.org");
        check("https://192.0.2.1/", "192.0.2.1");
        check("https://[2001:db8::1]/", "[2001:db8::1]");
        check("http://localhost:3000/", "localhost");
    }

    #[test]
    fn one_site_has_one_spelling() {
        check("https://www.Example.ORG/", "example.org");
        check("https://example.org./", "example.org");
        check("https://www.com/", "www.com");
        check("https://old.reddit.com/", "old.reddit.com");
        check("https://Bücher.example/", "xn--bcher-kva.example");
        check("https://xn--bcher-kva.example/", "xn--bcher-kva.example");
    }

    #[test]
    fn apps_have_names_too() {
        check(
            "android-app://com.google.android.gm/",
            "com.google.android.gm",
        );
        check("android-app://com.linkedin.android", "com.linkedin.android");
        check("android-app:/nothing", "");
    }

    #[test]
    fn what_names_no_other_site_is_direct() {
        check("", "");
        check("-", "");
        check("example.org", "");
        check("/relative", "");
        check("about:blank", "");
        check("data:text/html,x", "");
        check("javascript://example.org/%0aalert(1)", "");
        check("file:///etc/hosts", "");
        check("https://", "");
        check("https://a b.example/", "");
        check("https://<script>.example/", "");
        check("https://sho.rt/abc", "");
        check("https://www.sho.rt/abc", "");
        check("http://127.0.0.1:8080/", "");
    }

    #[test]
    fn ones_own_site_is_no_other_however_it_is_spelled() {
        for own in ["www.example.com", "example.com", "www.com"] {
            let found = host(&format!("https://{own}/abc"), &[site(own)]);
            assert_eq!(found, None, "{own}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let long = format!("{}.example", "a".repeat(300));
        check(&format!("https://{long}/"), "");
        check(&format!("android-app://{long}/"), "");
        check(
            &format!("https://example.org/{}", "é".repeat(9000)),
            "example.org",
        );
    }
}
