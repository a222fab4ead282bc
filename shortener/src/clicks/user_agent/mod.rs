//! Reads a user agent: which browser, system and device, and whether a person is behind it.
//!
//! Tables instead of a parser crate: browsers have frozen their user agents to a handful of forms,
//! and the crates at hand either stopped in 2021 (a third of today's robots unknown, no tablets) or
//! carry thousands of expressions (28 MB of memory). Every name comes from a table, so no stranger
//! can fill a statistic with names of their own. `cases.txt` beside this file says what must
//! be recognised: add a line there first.

mod cache;
mod marks;

pub use cache::Cache;
use marks::{BOTS, BROWSERS, MACHINE_SIGNS, MACHINE_WORDS, OTHER, PREVIEWS, SYSTEMS};

/// What a user agent says of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserAgent {
    /// A browser's or, for machines, a program's name.
    pub browser: &'static str,
    pub os: &'static str,
    pub device: Device,
    pub visit: Visit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    Desktop,
    Mobile,
    Tablet,
    Tv,
    Bot,
    Other,
}

impl Device {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Tv => "tv",
            Self::Bot => "bot",
            Self::Other => "other",
        }
    }
}

/// Who or what came. Only people are in the default statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    Person,
    /// A crawler, a watcher or a program.
    Bot,
    /// A messenger or network that shows a link's title beside a message.
    Preview,
    /// A browser that loads a page in case its user will want it.
    Prefetch,
}

impl Visit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bot => "bot",
            Self::Preview => "preview",
            Self::Prefetch => "prefetch",
        }
    }

    /// The same visit, seen with the request's `Purpose`, `Sec-Purpose`, `X-Moz` and `X-Purpose`
    /// headers. They turn a person's visit into their browser's; a machine remains what it is.
    #[must_use]
    pub fn with_purpose<'a>(self, headers: impl IntoIterator<Item = &'a str>) -> Self {
        if self != Self::Person {
            return self;
        }
        headers.into_iter().find_map(purpose).unwrap_or(self)
    }
}

/// `prefetch`, `prefetch;prerender`, `prefetch;anonymous-client-ip` …
fn purpose(header: &str) -> Option<Visit> {
    let first = header.split([';', ',']).next()?.trim();
    let is = |word| first.eq_ignore_ascii_case(word);
    if is("prefetch") || is("prerender") {
        Some(Visit::Prefetch)
    } else if is("preview") {
        Some(Visit::Preview)
    } else {
        None
    }
}

/// Reads the value of a `User-Agent` header, `""` where there was none.
pub fn parse(user_agent: &str) -> UserAgent {
    let os = named(user_agent, SYSTEMS).unwrap_or(OTHER);
    let (visit, machine) = machine(user_agent);
    if visit != Visit::Person {
        return UserAgent {
            browser: machine,
            os,
            device: Device::Bot,
            visit,
        };
    }
    UserAgent {
        browser: browser(user_agent, os),
        os,
        device: device(user_agent, os),
        visit,
    }
}

/// A machine's kind and name, or a person.
fn machine(user_agent: &str) -> (Visit, &'static str) {
    if let Some(name) = named(user_agent, PREVIEWS) {
        return (Visit::Preview, name);
    }
    if !is_machine(user_agent) {
        return (Visit::Person, OTHER);
    }
    let name = BOTS.iter().copied().find(|name| user_agent.contains(name));
    (Visit::Bot, name.unwrap_or(OTHER))
}

fn is_machine(user_agent: &str) -> bool {
    // Every browser since 1995 calls itself Mozilla, or Opera; programs give their own name.
    let is_browser = user_agent.starts_with("Mozilla/") || user_agent.starts_with("Opera/");
    if user_agent.is_empty() || (!is_browser && user_agent.contains('/')) {
        return true;
    }
    // Internet Explorer was "compatible" before robots were.
    if user_agent.contains("MSIE ") {
        return false;
    }
    let lower = user_agent.to_ascii_lowercase();
    MACHINE_SIGNS.iter().any(|sign| lower.contains(sign))
        || MACHINE_WORDS
            .iter()
            .any(|word| has_name_ending_in(&lower, word))
}

/// Whether a name in the user agent ends in `word`: `Googlebot/2.1`, not `Bottle`. Cubot makes
/// telephones.
fn has_name_ending_in(user_agent: &str, word: &str) -> bool {
    user_agent.match_indices(word).any(|(at, _)| {
        let (before, after) = (&user_agent[..at], &user_agent[at + word.len()..]);
        !after.starts_with(|next: char| next.is_ascii_alphabetic()) && !before.ends_with("cu")
    })
}

fn browser(user_agent: &str, os: &str) -> &'static str {
    match named(user_agent, BROWSERS) {
        Some(name) => name,
        None if user_agent.contains("Version/") && user_agent.contains("Safari/") => "Safari",
        // An app's own view: its Safari version is missing.
        None if os == "iOS" => "iOS WebView",
        None => OTHER,
    }
}

fn device(user_agent: &str, os: &str) -> Device {
    let says = |mark| user_agent.contains(mark);
    // `AFT…` are Fire TV sticks, `CrKey` is a Chromecast.
    if says("TV") || says("; AFT") || says("CrKey") || says("BRAVIA") {
        return Device::Tv;
    }
    match os {
        "iOS" if says("iPad") => Device::Tablet,
        "iOS" | "KaiOS" => Device::Mobile,
        // Tablets on Android are those that do not say "Mobile".
        "Android" | "HarmonyOS" if says("Mobile") || says("Opera Mini") => Device::Mobile,
        "Android" | "HarmonyOS" => Device::Tablet,
        "Windows" if says("Phone") => Device::Mobile,
        "Windows" | "macOS" | "Linux" | "ChromeOS" | "FreeBSD" | "OpenBSD" => Device::Desktop,
        _ => Device::Other,
    }
}

fn named(user_agent: &str, table: &[(&str, &'static str)]) -> Option<&'static str> {
    table
        .iter()
        .find(|(mark, _)| user_agent.contains(mark))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str = include_str!("cases.txt");

    #[test]
    fn user_agents_are_read_as_the_table_says() {
        let cases = CASES
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut wrong = Vec::new();
        for case in cases {
            let (expected, text) = case.rsplit_once(" | ").unwrap();
            let UserAgent {
                browser,
                os,
                device,
                visit,
            } = parse(text);
            let found = format!(
                "{browser} | {os} | {} | {}",
                device.as_str(),
                visit.as_str()
            );
            if found != expected {
                wrong.push(format!("{text}\n  expected {expected}\n  found    {found}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[track_caller]
    fn check_purpose(text: &str, headers: &[&str], expected: Visit) {
        assert_eq!(
            parse(text).visit.with_purpose(headers.iter().copied()),
            expected
        );
    }

    #[test]
    fn a_browser_may_say_that_nobody_looks() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) Chrome/143.0.0.0 Safari/537.36";
        check_purpose(chrome, &[], Visit::Person);
        check_purpose(chrome, &[""], Visit::Person);
        check_purpose(chrome, &["navigate"], Visit::Person);
        check_purpose(chrome, &["prefetch"], Visit::Prefetch);
        check_purpose(chrome, &["", "Prefetch"], Visit::Prefetch);
        check_purpose(chrome, &["prefetch;prerender"], Visit::Prefetch);
        check_purpose(chrome, &["prefetch;anonymous-client-ip"], Visit::Prefetch);
        check_purpose(chrome, &["preview"], Visit::Preview);
        check_purpose("Slackbot 1.0", &["prefetch"], Visit::Preview);
        check_purpose("curl/8.14.1", &["prefetch"], Visit::Bot);
    }

    #[test]
    fn who_says_nothing_is_a_machine() {
        assert_eq!(parse("").visit, Visit::Bot);
    }
}
