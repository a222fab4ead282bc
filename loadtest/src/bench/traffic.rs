//! Made-up visitors who click as real ones do: a few links get most clicks, a few hundred browsers come, some share a
//! campaign. The same seed gives the same clicks.

use std::net::{IpAddr, Ipv4Addr};

use loadtest::chance::{Random, Zipf};
use shortener::clicks::{
    visit::{Purpose, Visit},
    visitor::{self, Salt},
};

/// People, each with an address and a browser.
const VISITORS: u64 = 200_000;

/// One click.
#[derive(Clone, Copy, Debug)]
pub(super) struct Click<'a> {
    pub url_id: i64,
    pub address: IpAddr,
    pub user_agent: &'a str,
    pub referrer: &'a str,
    pub query: &'a str,
    pub country: [u8; 2],
}

/// Where clicks come from.
#[derive(Debug)]
pub(super) struct Traffic {
    urls: Zipf,
    user_agents: Vec<String>,
    user_agent_choice: Zipf,
    referrers: Vec<String>,
    referrer_choice: Zipf,
    queries: Vec<String>,
}

impl Traffic {
    /// On `urls` links, with ids from 1.
    pub(super) fn new(urls: usize) -> Self {
        let (user_agents, referrers) = (user_agents(), referrers());
        Self {
            urls: Zipf::new(urls),
            user_agent_choice: Zipf::new(user_agents.len()),
            referrer_choice: Zipf::new(referrers.len()),
            user_agents,
            referrers,
            queries: queries(),
        }
    }

    pub(super) fn click(&self, random: &mut Random) -> Click<'_> {
        self.click_on(self.url(random), random)
    }

    /// A link, drawn by how often links are clicked.
    pub(super) fn url(&self, random: &mut Random) -> i64 {
        let rank = i64::try_from(self.urls.draw(random)).expect("a rank is small");
        rank + 1
    }

    pub(super) fn click_on(&self, url_id: i64, random: &mut Random) -> Click<'_> {
        let visitor = random.below(VISITORS);
        // What belongs to the visitor is drawn by who it is.
        let mut own = Random::new(visitor);
        let address = u32::try_from(0x0A00_0000 + visitor).expect("an address of 10.0.0.0/8");
        let direct = random.below(100) < 40;
        let campaign = random.below(100) < 20;
        Click {
            url_id,
            address: Ipv4Addr::from(address).into(),
            user_agent: &self.user_agents[self.user_agent_choice.draw(&mut own)],
            referrer: if direct {
                ""
            } else {
                &self.referrers[self.referrer_choice.draw(random)]
            },
            query: if campaign {
                random.pick::<String>(&self.queries)
            } else {
                ""
            },
            country: *own.pick(&COUNTRIES),
        }
    }
}

impl Click<'_> {
    /// Writes what the journal keeps of the click, as the service does.
    pub(super) fn write(&self, at_micros: i64, salt: &Salt, record: &mut Vec<u8>) {
        Visit {
            at_micros,
            url_id: self.url_id,
            user_id: 1 + self.url_id % 1_000,
            visitor: visitor::hash(self.address, self.user_agent.as_bytes(), salt),
            country: self.country,
            purpose: Purpose::Visit,
            user_agent: self.user_agent.as_bytes(),
            referrer: self.referrer.as_bytes(),
            query: self.query.as_bytes(),
        }
        .write(record);
    }
}

const COUNTRIES: [[u8; 2]; 16] = [
    *b"DE", *b"US", *b"FR", *b"GB", *b"IN", *b"BR", *b"JP", *b"NL", *b"PL", *b"ES", *b"IT", *b"SE",
    *b"CA", *b"AU", *b"AT", *b"CH",
];

/// The most frequent first; `{}` is a version.
const BROWSERS: [&str; 12] = [
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{}.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36 Edg/143.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{}.0 Safari/605.1.15",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/{}.0",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/{}.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/{}.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/{}.0",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/{}.0.7204.63 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/521.0.0.45.96;]",
    "WhatsApp/2.{}.4 A",
];

fn user_agents() -> Vec<String> {
    let versions = (120..144).rev();
    versions
        .flat_map(|version| BROWSERS.map(|browser| browser.replace("{}", &version.to_string())))
        .collect()
}

/// Sites, each with a few pages.
const SITES: [&str; 20] = [
    "https://www.google.com",
    "https://t.co",
    "https://www.facebook.com",
    "https://news.ycombinator.com",
    "https://www.linkedin.com",
    "android-app://com.google.android.gm",
    "https://www.reddit.com",
    "https://duckduckgo.com",
    "https://www.bing.com",
    "https://github.com",
    "https://www.youtube.com",
    "https://mastodon.social",
    "https://bsky.app",
    "https://teams.microsoft.com",
    "https://app.slack.com",
    "https://blog.example.org",
    "https://shop.example.com",
    "https://intranet.example.net",
    "https://de.wikipedia.org",
    "https://medium.com",
];

fn referrers() -> Vec<String> {
    ["/", "/r/links/42", "/posts/spring-news?ref=top"]
        .into_iter()
        .flat_map(|page| SITES.map(|site| format!("{site}{page}")))
        .collect()
}

fn queries() -> Vec<String> {
    let sources = [
        ("newsletter", "email"),
        ("linkedin", "social"),
        ("google", "cpc"),
        ("poster", "qr"),
    ];
    let campaigns = [
        "spring_sale",
        "launch-2026",
        "webinar",
        "black+friday",
        "brand",
    ];
    let mut queries = Vec::new();
    for (source, medium) in sources {
        for campaign in campaigns {
            let base = format!("utm_source={source}&utm_medium={medium}&utm_campaign={campaign}");
            queries.push(format!("{base}&utm_content=variant_b"));
            queries.push(base);
        }
    }
    queries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_repeat_with_their_seed_and_are_as_long_as_real_ones() {
        let traffic = Traffic::new(1_000);
        let salt = Salt::new([7; 32]);
        let records = || {
            let mut random = Random::new(1);
            let mut record = Vec::new();
            let lengths = (0..1_000).map(|_| {
                traffic.click(&mut random).write(0, &salt, &mut record);
                record.len()
            });
            lengths.sum::<usize>()
        };
        assert_eq!(records(), records());
        let mean = records() / 1_000;
        assert!((160..240).contains(&mean), "{mean} bytes");
    }

    #[test]
    fn the_first_link_gets_most_clicks() {
        let traffic = Traffic::new(1_000);
        let mut random = Random::new(2);
        let first = (0..10_000)
            .filter(|_| traffic.url(&mut random) == 1)
            .count();
        // 1 / H(1000) = 13.4 %
        assert!((1_200..1_500).contains(&first), "{first}");
    }
}
