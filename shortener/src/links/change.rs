//! What has changed about links, as one replica tells the others.

use super::{
    key::{LinkKey, LinkRef},
    space::Generation,
};

/// So many links fit a notification of Postgres (8,000 bytes, <https://www.postgresql.org/docs/current/sql-notify.html>),
/// with codes of 64 characters.
pub const MAX_LINKS: usize = 75;

/// The longest text of a change that fits, with who asks and what number the question has.
const MAX_TEXT: usize = 7_900;

/// What the name of a place in Redis takes at most.
const MAX_PLACE: usize = 100;

/// A link that is not what it was, and the version that it has from now on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    pub key: LinkKey,
    pub version: i64,
}

impl Changed {
    pub fn new(code: &str, version: i64) -> Self {
        Self {
            key: LinkRef::new(code).to_key(),
            version,
        }
    }
}

/// What changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    Links(Vec<Changed>),
    /// All links of a user.
    Owner(i64),
    /// Every link there is.
    All,
}

/// Stands for no place in Redis: nothing was made void there.
const NOWHERE: &str = "-";

/// A change as it is told. Its text is the words of the fields, in this order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Since which generation Redis holds nothing old: 0 if the old entries were made void one by one.
    pub generation: Generation,
    /// Where in Redis they were, if they were.
    pub place: String,
    pub what: What,
}

impl What {
    /// The links, if each is named.
    pub fn links(&self) -> Option<&[Changed]> {
        match self {
            Self::Links(links) => Some(links),
            Self::Owner(_) | Self::All => None,
        }
    }

    /// These links, each beside its owner. If there are too many to be named, more than these.
    pub fn of(links: Vec<(i64, Changed)>) -> Self {
        let owner = links.first().map(|(owner, _)| *owner);
        let is_of_one = links.iter().all(|(other, _)| Some(*other) == owner);
        let named = Self::Links(links.into_iter().map(|(_, changed)| changed).collect());
        let change = Change::since(Generation::MAX, named);
        match owner {
            _ if change.text().len() + MAX_PLACE <= MAX_TEXT => change.what,
            Some(owner) if is_of_one => Self::Owner(owner),
            _ => Self::All,
        }
    }
}

impl Change {
    /// A change whose old entries were made void one by one at `place`.
    pub fn voided_at(place: String, what: What) -> Self {
        Self {
            generation: 0,
            place,
            what,
        }
    }

    /// A change with which a new generation begins, in which Redis holds nothing old.
    pub fn since(generation: Generation, what: What) -> Self {
        Self {
            generation,
            place: NOWHERE.to_owned(),
            what,
        }
    }

    /// The links whose old entries were made void one by one.
    pub fn voided(&self) -> Option<&[Changed]> {
        (self.place != NOWHERE).then(|| self.what.links()).flatten()
    }

    pub fn text(&self) -> String {
        let head = format!("{} {}", self.generation, self.place);
        match &self.what {
            What::Owner(user) => format!("{head} owner {user}"),
            What::All => format!("{head} all"),
            What::Links(links) => {
                let word = |Changed { key, version }: &Changed| {
                    format!("{}:{version}:{}", key.domain, key.code)
                };
                let words: Vec<String> = links.iter().map(word).collect();
                format!("{head} links {}", words.join(" "))
            }
        }
    }

    /// `None` for what a newer version says that this one does not understand.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let generation = words.next()?.parse().ok()?;
        let place = words.next()?.to_owned();
        let what = match words.next()? {
            "owner" => What::Owner(words.next()?.parse().ok()?),
            "all" => What::All,
            "links" => What::Links(words.map(changed).collect::<Option<_>>()?),
            _ => return None,
        };
        Some(Self {
            generation,
            place,
            what,
        })
    }
}

fn changed(word: &str) -> Option<Changed> {
    let mut parts = word.splitn(3, ':');
    let domain = parts.next()?.parse().ok()?;
    let version = parts.next()?.parse().ok()?;
    let code = parts.next()?.into();
    Some(Changed {
        key: LinkKey { domain, code },
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_back_as_it_was_told() {
        for what in [
            What::Owner(7),
            What::All,
            What::Links(vec![Changed::new("launch", 2), Changed::new("a-b_C", 9)]),
        ] {
            let change = Change {
                generation: 3,
                place: "1.7:abc".to_owned(),
                what,
            };
            assert_eq!(Change::parse(&change.text()), Some(change));
        }
    }

    #[test]
    fn what_is_no_change_is_none() {
        for text in ["", "x", "1", "1 - news 7", "1 - links 1:x:a", "1 - owner"] {
            assert_eq!(Change::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn many_links_are_named_as_long_as_there_is_room() {
        let links = |count: i64, owners: i64| -> Vec<_> {
            let link = |number| (number % owners, Changed::new(&format!("code{number}"), 1));
            (0..count).map(link).collect()
        };
        let named = What::of(links(400, 3));
        assert_eq!(named.links().map(<[_]>::len), Some(400));
        assert_eq!(What::of(links(1_000, 1)), What::Owner(0));
        assert_eq!(What::of(links(1_000, 2)), What::All);
        assert_eq!(What::of(Vec::new()), What::Links(Vec::new()));
    }

    #[test]
    fn the_largest_change_fits_a_notification() {
        let code = "x".repeat(64);
        let links = vec![Changed::new(&code, i64::from(i32::MAX)); MAX_LINKS];
        let change = Change {
            generation: i64::MAX,
            place: "p".repeat(100),
            what: What::Links(links),
        };
        // The question's number and the asker's id come before it.
        assert!(change.text().len() + 20 + 32 + 2 < 8_000);
    }
}
