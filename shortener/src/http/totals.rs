//! How many rows lists have, counted no more often than has to be: a count goes through thousands of rows, and there can be
//! as many requests for the same list at a time as there are visitors of a page.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::Uri;
use tokio::sync;

use super::{
    cursor::Fingerprint,
    paging::{MAX_TOTAL, fingerprint},
};

/// For how long a list that was too long to be told is taken to be so.
const TRUST: Duration = Duration::from_secs(5);

/// How many lists are remembered, beside those that are being counted.
const MOST: usize = 1_000;

/// A list, and whose rows of it are shown: none for everybody's.
type List = (Fingerprint, Option<i64>);

/// Who holds it counts, and whoever comes meanwhile waits for the next count.
type Turn = Arc<sync::Mutex<Option<Counted>>>;

/// The last count of each list.
#[derive(Debug, Default)]
pub struct Totals(Mutex<HashMap<List, Turn>>);

#[derive(Clone, Copy, Debug)]
struct Counted {
    began: Instant,
    /// None if it failed.
    total: Option<i64>,
}

impl Totals {
    /// The rows of the list at `uri`, counted by `count` unless that is known.
    ///
    /// One request at a time counts. All that came before it began share what it finds: everything that was written before
    /// they came is in it. More than [`MAX_TOTAL`] rows are not counted again for some seconds.
    pub async fn count(
        &self,
        uri: &Uri,
        whose: Option<i64>,
        count: impl Future<Output = sqlx::Result<i64>>,
    ) -> sqlx::Result<i64> {
        let came = Instant::now();
        let turn = self.turn((fingerprint(uri), whose));
        let mut last = turn.lock().await;
        let began = Instant::now();
        if let Some(known) = last.and_then(|counted| counted.tell(came, began)) {
            return known;
        }
        let total = count.await;
        *last = Some(Counted {
            began,
            total: total.as_ref().ok().copied(),
        });
        total
    }

    fn turn(&self, list: List) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= MOST && !turns.contains_key(&list) {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(turns.entry(list).or_default())
    }
}

impl Counted {
    /// What this tells a request that came then and asks now.
    fn tell(self, came: Instant, now: Instant) -> Option<sqlx::Result<i64>> {
        let is_shared = self.began >= came;
        let is_trusted = now.duration_since(self.began) < TRUST;
        match self.total {
            Some(total) if is_shared || (total > MAX_TOTAL && is_trusted) => Some(Ok(total)),
            // One after the other, each would wait for as long as the one before.
            None if is_shared => Some(Err(sqlx::Error::PoolTimedOut)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const URLS: &str = "/urls?page=2";

    async fn counted(totals: &Totals, uri: &str, whose: Option<i64>, rows: i64) -> i64 {
        let uri = uri.parse().unwrap();
        totals.count(&uri, whose, async { Ok(rows) }).await.unwrap()
    }

    /// What ten requests are told that come while another one counts, and how many of them count.
    async fn told_meanwhile(
        outcome: impl Fn(usize) -> sqlx::Result<i64>,
    ) -> (Vec<sqlx::Result<i64>>, usize) {
        let (totals, uri) = (Totals::default(), URLS.parse().unwrap());
        let counts = AtomicUsize::new(0);
        let (end, ended) = sync::oneshot::channel();
        let first = totals.count(&uri, None, async { Ok(ended.await.unwrap()) });
        let others = futures_util::future::join_all((0..10).map(|_| {
            totals.count(&uri, None, async {
                // Others have their turn meanwhile.
                tokio::task::yield_now().await;
                outcome(counts.fetch_add(1, Ordering::Relaxed))
            })
        }));
        let end = async { end.send(7).unwrap() };
        let (first, others, ()) = tokio::join!(first, others, end);
        assert_eq!(first.unwrap(), 7);
        (others, counts.into_inner())
    }

    #[tokio::test]
    async fn those_who_come_while_a_list_is_counted_share_the_next_count() {
        let (told, counts) = told_meanwhile(|before| Ok(8 + i64::try_from(before).unwrap())).await;
        assert_eq!(counts, 1);
        assert!(told.iter().all(|total| matches!(total, Ok(8))), "{told:?}");
    }

    #[tokio::test]
    async fn those_who_wait_for_a_count_that_fails_do_not_try_one_after_the_other() {
        let (told, counts) = told_meanwhile(|_| Err(sqlx::Error::PoolClosed)).await;
        assert_eq!(counts, 1);
        assert!(told.iter().all(Result::is_err), "{told:?}");
    }

    #[tokio::test]
    async fn a_list_is_counted_again_after_a_count_that_was_given_up() {
        let (totals, uri) = (Totals::default(), URLS.parse().unwrap());
        let given_up = totals.count(&uri, None, std::future::pending());
        assert!(futures_util::FutureExt::now_or_never(given_up).is_none());
        assert_eq!(counted(&totals, URLS, None, 7).await, 7);
    }

    #[tokio::test]
    async fn a_long_list_is_not_counted_again_on_its_other_pages() {
        let totals = Totals::default();
        assert_eq!(counted(&totals, URLS, None, MAX_TOTAL + 1).await, 10_001);
        assert_eq!(counted(&totals, "/urls?page=3", None, 7).await, 10_001);
    }

    #[tokio::test]
    async fn a_list_with_other_filters_or_of_somebody_else_is_counted() {
        let totals = Totals::default();
        counted(&totals, URLS, None, MAX_TOTAL + 1).await;
        assert_eq!(counted(&totals, "/urls?is_active=true", None, 7).await, 7);
        assert_eq!(counted(&totals, "/events?page=2", None, 7).await, 7);
        assert_eq!(counted(&totals, URLS, Some(7), 7).await, 7);
    }

    #[tokio::test]
    async fn a_list_that_can_be_told_is_counted_each_time() {
        let totals = Totals::default();
        assert_eq!(counted(&totals, URLS, None, MAX_TOTAL).await, MAX_TOTAL);
        assert_eq!(counted(&totals, URLS, None, 7).await, 7);
    }

    #[test]
    fn a_list_is_not_taken_to_be_long_for_ever() {
        let began = Instant::now();
        let came = began + TRUST / 2;
        let counted = Counted {
            began,
            total: Some(MAX_TOTAL + 1),
        };
        assert!(counted.tell(came, came).is_some());
        assert!(counted.tell(came, began + TRUST).is_none());
    }

    #[tokio::test]
    async fn a_bounded_number_of_lists_is_remembered() {
        let totals = Totals::default();
        for user in 0..2 * i64::try_from(MOST).unwrap() {
            counted(&totals, URLS, Some(user), MAX_TOTAL + 1).await;
        }
        assert!(totals.0.lock().unwrap().len() <= MOST);
    }
}
