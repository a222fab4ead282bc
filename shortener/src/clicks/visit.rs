//! A visit as the journal keeps it: everything about a click that is only known while the request is.
//!
//! Text is kept as it came, and made sense of by the recorder, off the redirect's path.

use std::str;

use super::user_agent::Visit as Visitor;

/// First byte of a record. One written by a newer version is set aside, not misread.
const VERSION: u8 = 1;

/// Beyond these lengths the recorder would cut anyway.
const MAX_USER_AGENT: usize = 512;
const MAX_REFERRER: usize = 1_024;
const MAX_QUERY: usize = 2_048;

/// Version, purpose, country, time, URL, user, visitor, three lengths.
const HEAD: usize = 1 + 1 + 2 + 8 + 8 + 8 + 8 + 3 * 2;

/// The largest record there can be.
pub const MAX_RECORD: usize = HEAD + MAX_USER_AGENT + MAX_REFERRER + MAX_QUERY;

/// One followed redirect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Visit<'a> {
    /// Microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    pub url_id: i64,
    pub user_id: i64,
    /// Tells visitors of one day apart; the address itself is not kept.
    pub visitor: u64,
    /// ISO 3166-1; zeros where it is not known.
    pub country: [u8; 2],
    pub purpose: Purpose,
    pub user_agent: &'a [u8],
    pub referrer: &'a [u8],
    /// The query of the short URL, if it names a campaign.
    pub query: &'a [u8],
}

/// Why a browser asked, as far as it says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    Visit,
    Preview,
    Prefetch,
}

impl Purpose {
    /// What the request's own headers say of it.
    pub fn of<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        match Visitor::Person.with_purpose(headers) {
            Visitor::Prefetch => Self::Prefetch,
            Visitor::Preview => Self::Preview,
            Visitor::Person | Visitor::Bot => Self::Visit,
        }
    }
}

/// A record that is no visit this version knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the record is no click that this version understands")]
pub struct Unreadable;

impl<'a> Visit<'a> {
    /// Writes the record into `buffer`, which is emptied first.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        let user_agent = start(self.user_agent, MAX_USER_AGENT);
        let referrer = start(self.referrer, MAX_REFERRER);
        let query = start(self.query, MAX_QUERY);
        buffer.clear();
        buffer.push(VERSION);
        buffer.push(self.purpose as u8);
        buffer.extend(self.country);
        buffer.extend(self.at_micros.to_le_bytes());
        buffer.extend(self.url_id.to_le_bytes());
        buffer.extend(self.user_id.to_le_bytes());
        buffer.extend(self.visitor.to_le_bytes());
        for text in [user_agent, referrer, query] {
            let length = u16::try_from(text.len()).expect("texts are cut to less than 64 KiB");
            buffer.extend(length.to_le_bytes());
        }
        buffer.extend(user_agent);
        buffer.extend(referrer);
        buffer.extend(query);
    }

    pub fn read(record: &'a [u8]) -> Result<Self, Unreadable> {
        let mut rest = Rest(record);
        let [version] = rest.take()?;
        if version != VERSION {
            return Err(Unreadable);
        }
        let purpose = match rest.take()? {
            [0] => Purpose::Visit,
            [1] => Purpose::Preview,
            [2] => Purpose::Prefetch,
            _ => return Err(Unreadable),
        };
        let country = rest.take()?;
        let at_micros = i64::from_le_bytes(rest.take()?);
        let url_id = i64::from_le_bytes(rest.take()?);
        let user_id = i64::from_le_bytes(rest.take()?);
        let visitor = u64::from_le_bytes(rest.take()?);
        let lengths = [rest.take()?, rest.take()?, rest.take()?].map(u16::from_le_bytes);
        let [user_agent, referrer, query] = lengths.map(|length| rest.split(length.into()));
        Ok(Self {
            at_micros,
            url_id,
            user_id,
            visitor,
            country,
            purpose,
            user_agent: user_agent?,
            referrer: referrer?,
            query: query?,
        })
    }

    /// The country's code, where it is known.
    pub fn country(&self) -> Option<&str> {
        str::from_utf8(&self.country)
            .ok()
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_uppercase()))
    }
}

fn start(text: &[u8], limit: usize) -> &[u8] {
    &text[..text.len().min(limit)]
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn split(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn visit() -> Visit<'static> {
        Visit {
            at_micros: 1_795_000_000_000_000,
            url_id: 7,
            user_id: 3,
            visitor: u64::MAX,
            country: *b"DE",
            purpose: Purpose::Prefetch,
            user_agent: b"Mozilla/5.0",
            referrer: b"https://example.org/",
            query: b"utm_source=x",
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let mut record = Vec::new();
        visit().write(&mut record);
        assert_eq!(Visit::read(&record), Ok(visit()));
        assert_eq!(visit().country(), Some("DE"));
    }

    #[test]
    fn long_texts_are_cut_to_what_a_record_may_hold() {
        let long = vec![b'x'; 100_000];
        let mut record = Vec::new();
        Visit {
            user_agent: &long,
            referrer: &long,
            query: &long,
            ..visit()
        }
        .write(&mut record);
        assert_eq!(record.len(), MAX_RECORD);
        assert_eq!(
            Visit::read(&record).unwrap().user_agent.len(),
            MAX_USER_AGENT
        );
    }

    #[test]
    fn another_version_is_not_misread() {
        let mut record = Vec::new();
        visit().write(&mut record);
        record[0] = 2;
        assert_eq!(Visit::read(&record), Err(Unreadable));
    }

    #[test]
    fn an_unknown_country_is_none() {
        let visit = Visit {
            country: [0, 0],
            ..visit()
        };
        assert_eq!(visit.country(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            _ = Visit::read(&bytes);
        }
    }
}
