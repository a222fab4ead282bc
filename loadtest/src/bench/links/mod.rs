//! Made-up links: which codes there are, where they lead, and who asks for them. The same number means the same link
//! everywhere.

mod store;

use std::{collections::BTreeSet, fmt::Write as _};

use loadtest::chance::Random;
use sqlx::PgConnection;

use shortener::{
    letters::ALPHABET,
    urls::list::{NEIGHBOURHOOD, words::of_url},
};

use super::traffic::{Click, Traffic};

/// A user has so many.
const PER_USER: u32 = 100;

/// Prime, so that counting on in steps of it meets every number below a count once.
const STEP: u64 = 2_654_435_761;

/// How many rows are sent to Postgres at once.
const CHUNK: u32 = 20_000;

/// When everything was made.
const TIME: &str = "2026-01-02 00:00:00+00";

/// Where nginx leads, which is as long as where the links lead.
pub(super) const TARGET: &str = "https://www.example.com/articles/2026/11/12345/a-typical-path?utm_source=news&utm_medium=email";

/// So many links, with ids from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    pub count: u32,
}

impl Links {
    pub(super) fn users(self) -> u32 {
        self.count.div_ceil(PER_USER)
    }

    /// The link that comes so far down the list of the most clicked, from 0: popular ones are spread over the table.
    pub(super) fn by_popularity(self, rank: u32) -> u32 {
        let id = 1 + u64::from(rank) * STEP % u64::from(self.count);
        u32::try_from(id).expect("not more than the count")
    }

    /// As `POST /users/bulk` takes it.
    pub(super) fn users_file(self) -> String {
        let mut file = String::from("id,username,email,created_at\n");
        for id in 1..=self.users() {
            writeln!(
                file,
                "{id},user{id},user{id}@example.com,2026-01-01 00:00:00"
            )
            .expect("a string takes everything");
        }
        file
    }

    /// As `POST /urls/bulk` takes it.
    pub(super) fn file(self) -> String {
        let mut file = String::from(
            "id,user_id,short_code,original_url,title,is_active,created_at,updated_at\n",
        );
        for id in 1..=self.count {
            let (user, code, url, title) = (self.user(id), code(id), original_url(id), title(id));
            writeln!(
                file,
                "{id},{user},{code},{url},{title},True,2026-01-02 00:00:00,2026-01-02 00:00:00"
            )
            .expect("a string takes everything");
        }
        file
    }

    /// Writes all of them, and their users, to a database that has the schema and nothing else, and leaves it as it would
    /// be in time: analyzed, and with the next ids behind these.
    pub(super) async fn fill(self, connection: &mut PgConnection) -> anyhow::Result<()> {
        store::fill_users(connection, self.users()).await?;
        let indexes = store::put_indexes_aside(connection).await?;
        let mut copy = store::Copy::of_links(connection).await?;
        let mut text = String::new();
        for first in (1..=self.count).step_by(CHUNK as usize) {
            text.clear();
            for id in first..=(first + CHUNK - 1).min(self.count) {
                let (user, code, url, title) =
                    (self.user(id), code(id), original_url(id), title(id));
                writeln!(text, "{id}\t{user}\t{code}\t{url}\t{title}\t{TIME}\t{TIME}")
                    .expect("a string takes everything");
            }
            copy.send(&text).await?;
        }
        copy.finish().await?;
        self.fill_words(connection).await?;
        store::put_indexes_back(connection, indexes).await?;
        store::settle(connection).await?;
        Ok(())
    }

    /// Writes the index of words, as the service does in time.
    async fn fill_words(self, connection: &mut PgConnection) -> anyhow::Result<()> {
        let mut copy = store::Copy::of_words(connection).await?;
        let mut text = String::new();
        let mut words = BTreeSet::new();
        for id in 1..=self.count {
            words.extend(of_url(&code(id), &original_url(id), Some(&title(id))));
            let place = i64::from(id) / NEIGHBOURHOOD;
            if id == self.count || i64::from(id + 1) / NEIGHBOURHOOD > place {
                for word in std::mem::take(&mut words) {
                    writeln!(text, "{word}\t{place}").expect("a string takes everything");
                }
            }
            if id.is_multiple_of(CHUNK) || id == self.count {
                copy.send(&text).await?;
                text.clear();
            }
        }
        copy.finish().await?;
        Ok(())
    }

    fn user(self, id: u32) -> u32 {
        id % self.users() + 1
    }
}

/// Six letters and digits, never twice below 62^5. The first is a digit, as in no reserved word.
pub(super) fn code(id: u32) -> String {
    const CODES: u64 = 62_u64.pow(5);

    let mut rest = u64::from(id) * STEP % CODES;
    let mut code = String::from("1");
    for _ in 0..5 {
        let digit = usize::try_from(rest % 62).expect("below 62");
        code.push(char::from(ALPHABET[digit]));
        rest /= 62;
    }
    code
}

pub(super) fn original_url(id: u32) -> String {
    format!(
        "https://www.example.com/articles/2026/11/{id}/a-typical-path?utm_source=news&utm_medium=email"
    )
}

/// Words that each link has, every second, every hundredth, and it alone.
pub(super) fn title(id: u32) -> String {
    let audience = if id.is_multiple_of(2) {
        "readers"
    } else {
        "writers"
    };
    format!("Article {id} for {audience} on topic{}", id % 100)
}

/// What a browser sends for a short URL that leads to link `id`.
pub(super) fn visit(id: u32, click: &Click<'_>) -> Vec<u8> {
    let mut request = format!("GET /{}", code(id));
    if !click.query.is_empty() {
        request.push('?');
        request.push_str(click.query);
    }
    request.push_str(" HTTP/1.1\r\nHost: sho.rt\r\nUser-Agent: ");
    request.push_str(click.user_agent);
    request.push_str("\r\nAccept: text/html\r\n");
    if !click.referrer.is_empty() {
        request.push_str("Referer: ");
        request.push_str(click.referrer);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// So many visits, to links drawn by Zipf's law, in the browsers and from the sites that `traffic` has.
pub(super) fn visits(links: Links, traffic: &Traffic, count: u32, seed: u64) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    (0..count)
        .map(|_| popular_visit(links, traffic, &mut random))
        .collect()
}

/// One of them.
pub(super) fn popular_visit(links: Links, traffic: &Traffic, random: &mut Random) -> Vec<u8> {
    let click = traffic.click(random);
    let rank = u32::try_from(click.url_id - 1).expect("a rank below the count");
    visit(links.by_popularity(rank), &click)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use shortener::urls::short_code::ShortCode;

    use super::*;

    #[test]
    fn every_link_has_a_code_of_its_own_that_may_be_chosen() {
        let codes: HashSet<_> = (1..=200_000).map(code).collect();
        assert_eq!(codes.len(), 200_000);
        for code in codes {
            ShortCode::choose(&code).unwrap();
        }
    }

    #[test]
    fn every_link_has_one_place_among_the_popular() {
        let links = Links { count: 10_000 };
        let found: HashSet<_> = (0..10_000).map(|rank| links.by_popularity(rank)).collect();
        assert_eq!(found, (1..=10_000).collect());
    }
}
