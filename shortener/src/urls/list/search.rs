//! Finds URLs by what no index has in the order of a list: by words, and by when they were made.
//!
//! A search goes from one place where all the words are to the next, in the order of the list, and reads the URLs there: at
//! such a place the words may belong to different URLs. It ends when the part is full, when there are no more such places,
//! or when it has looked at so much that it tells how far it came instead.

use super::{NEIGHBOURHOOD, UrlQuery, store, words};
use crate::{
    database::Db,
    http::{
        cursor::Place,
        paging::{Part, Stretch},
    },
    urls::ShortUrl,
};

/// How many places are read for an answer at most: each has the rows of a neighbourhood.
const PLACES: usize = 64;

/// How many of them are read at once: first, and at most.
const FIRST: usize = 2;
const BATCH: usize = 32;

/// Who has no more URLs than this has them all read: quicker than to walk through the index of everybody's words.
const OWN: usize = 256;

/// How many steps from place to place are made for an answer at most: words that are frequent, but never together, have
/// their places far apart.
const STEPS: i64 = 1_024;

/// How many rows are read at a time at most, and of those whose words the database cannot even guess.
const UNCERTAIN: usize = 512;

/// Beyond every id, and far enough from the end of integers to be counted with.
const FARTHEST: i64 = 1 << 60;

/// How many rows are looked at for an answer at most where no index tells which.
pub const SIFTED: i64 = 5_000;

/// Where there is something to be read, and how far the index was looked through for it.
#[derive(Debug)]
pub struct Ahead {
    /// In the order of the search.
    pub places: Vec<i64>,
    /// The first place that was not looked at; none if there are no more.
    pub next: Option<i64>,
    pub steps: i64,
}

/// How far one step through URLs that no index tells apart goes.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The id of the last that is looked at.
    pub last: i64,
    /// Whether there may be others behind it.
    pub has_more: bool,
}

/// Where a search stands: what lies beyond this id is still to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Front {
    pub id: i64,
    pub rises: bool,
}

impl Front {
    fn of(part: Part) -> Self {
        let rises = part.rises();
        let id = match part.place() {
            Some(Place::After(id) | Place::Before(id)) => id,
            None if rises => 0,
            None => FARTHEST,
        };
        let id = id.clamp(0, FARTHEST);
        Self { id, rises }
    }

    /// The last id that lies ahead.
    fn end(self) -> i64 {
        if self.rises { FARTHEST } else { 0 }
    }

    /// The place of the next id.
    pub fn place(self) -> i64 {
        let next = if self.rises {
            self.id.saturating_add(1)
        } else {
            self.id.saturating_sub(1)
        };
        next.max(0) / NEIGHBOURHOOD
    }

    /// The front with everything before `place` behind it.
    fn at(self, place: i64) -> Self {
        let first = place.saturating_mul(NEIGHBOURHOOD);
        let id = if self.rises {
            first - 1
        } else {
            first.saturating_add(NEIGHBOURHOOD)
        };
        Self { id, ..self }
    }

    fn is_nearer(self, one: i64, other: i64) -> bool {
        if self.rises { one < other } else { one > other }
    }
}

/// The URLs that have all the words.
pub async fn search(db: &Db, query: &UrlQuery, part: Part) -> sqlx::Result<Stretch<ShortUrl>> {
    let mut front = Front::of(part);
    let wanted = usize::try_from(part.limit()).unwrap_or(usize::MAX);
    if query.indexed_user().is_some() {
        let limit = i64::try_from(OWN + 1).unwrap_or(i64::MAX);
        let own = store::sifted(db, query, front, front.end(), limit).await?;
        if own.len() <= OWN {
            let rows = own.into_iter().filter(|url| has_all(url, &query.words));
            return Ok(Stretch::of(rows.take(wanted).collect(), part));
        }
    }
    let is_certain = query
        .words
        .iter()
        .all(|word| words::certain_text(word).is_some());
    let mut rows = Vec::new();
    let (mut places, mut steps, mut batch, mut seen) = (0, 0, FIRST, 0);
    loop {
        let ahead = look_ahead(db, query, front, batch, STEPS - steps).await?;
        steps += ahead.steps;
        places += ahead.places.len();
        let most = if is_certain {
            enough(seen, rows.len(), wanted)
        } else {
            UNCERTAIN
        };
        let read = if ahead.places.is_empty() {
            Vec::new()
        } else {
            store::rows_at(db, query, front, &ahead.places, most).await?
        };
        seen += read.len();
        let is_cut_off = read.len() == most;
        let last = read.last().map(|url| url.id);
        rows.extend(read.into_iter().filter(|url| has_all(url, &query.words)));
        match (ahead.next, last) {
            _ if rows.len() >= wanted => break,
            (_, Some(last)) if is_cut_off => front.id = last,
            (Some(next), _) => front = front.at(next),
            (None, _) => return Ok(Stretch::of(rows, part)),
        }
        if places >= PLACES || steps >= STEPS {
            return Ok(Stretch {
                rows,
                stopped_at: Some(front.id),
            });
        }
        batch = next_batch(batch, places, rows.len(), wanted);
    }
    Ok(Stretch::of(rows, part))
}

/// How many places to read next: about as many as the answer lacks, if they are like those that were read.
fn next_batch(batch: usize, places: usize, found: usize, wanted: usize) -> usize {
    let next = if found == 0 {
        batch * 4
    } else {
        (places * (wanted - found) * 5).div_ceil(found * 4)
    };
    next.clamp(FIRST, BATCH)
}

/// How many rows to read at most: of those that the database takes for what is sought, some only have a word within a longer
/// one; as many as were seen.
fn enough(seen: usize, found: usize, wanted: usize) -> usize {
    let least = 2 * (wanted - found);
    let most = UNCERTAIN.max(least);
    match (seen, found) {
        (0, _) => least,
        (_, 0) => most,
        _ => (least * seen / found).clamp(least, most),
    }
}

fn has_all(url: &ShortUrl, words: &[String]) -> bool {
    let own = url.words();
    words.iter().all(|word| own.contains(word))
}

/// The next places where all the words are, together with those where URLs are that are not in the index yet.
async fn look_ahead(
    db: &Db,
    query: &UrlQuery,
    front: Front,
    most: usize,
    steps: i64,
) -> sqlx::Result<Ahead> {
    // In this order: what is indexed in between is in both, and the other way round it would be in neither.
    let unindexed = store::unindexed_places(db, front, most).await?;
    let mut ahead = store::places(db, query, front, most, steps).await?;
    if unindexed.is_empty() {
        return Ok(ahead);
    }
    // Neither is known beyond the last that was looked for.
    let mut ends: Vec<i64> = ahead.next.into_iter().collect();
    if unindexed.len() == most {
        ends.extend(unindexed.last());
    }
    ahead.next = ends.into_iter().reduce(|one, other| {
        if front.is_nearer(one, other) {
            one
        } else {
            other
        }
    });
    ahead.places.extend(unindexed);
    if let Some(next) = ahead.next {
        ahead.places.retain(|place| front.is_nearer(*place, next));
    }
    ahead.places.sort_unstable();
    ahead.places.dedup();
    if !front.rises {
        ahead.places.reverse();
    }
    Ok(ahead)
}

/// The URLs that were made in time, among the next [`SIFTED`].
///
/// How far those go is asked first, and no row beyond is read: URLs that come and go in between shift neither what is read nor
/// where the walk goes on.
pub async fn sift(db: &Db, query: &UrlQuery, part: Part) -> sqlx::Result<Stretch<ShortUrl>> {
    let front = Front::of(part);
    let Some(reach) = store::reach(db, query, front).await? else {
        return Ok(Stretch::of(Vec::new(), part));
    };
    let rows = store::sifted(db, query, front, reach.last, part.limit()).await?;
    let mut stretch = Stretch::of(rows, part);
    let end = reach.has_more.then_some(reach.last);
    stretch.stopped_at = stretch.stopped_at.or(end);
    Ok(stretch)
}
