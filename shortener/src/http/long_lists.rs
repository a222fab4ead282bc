//! Which lists have too many rows to be told, so that not every page of them counts ten thousand rows to find that out.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::Uri;

use super::{
    cursor::Fingerprint,
    paging::{MAX_TOTAL, fingerprint},
};

/// For how long a list is taken to be as long as it was.
const TRUST: Duration = Duration::from_secs(5);

/// How many lists are remembered.
const MOST: usize = 1_000;

/// A list, and whose rows of it are shown: none for everybody's.
type List = (Fingerprint, Option<i64>);

/// When lists were last found to have more than [`MAX_TOTAL`] rows.
#[derive(Debug, Default)]
pub struct LongLists(Mutex<HashMap<List, Instant>>);

impl LongLists {
    /// What `count` finds, which is asked only if the list at `uri` was not found to be long just now.
    pub async fn count(
        &self,
        uri: &Uri,
        whose: Option<i64>,
        count: impl Future<Output = sqlx::Result<i64>>,
    ) -> sqlx::Result<i64> {
        let list = (fingerprint(uri), whose);
        if self.is_long(list, Instant::now()) {
            return Ok(MAX_TOTAL + 1);
        }
        let total = count.await?;
        if total > MAX_TOTAL {
            self.note(list, Instant::now());
        }
        Ok(total)
    }

    fn is_long(&self, list: List, now: Instant) -> bool {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted
            .get(&list)
            .is_some_and(|then| now.duration_since(*then) < TRUST)
    }

    fn note(&self, list: List, now: Instant) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= MOST {
            noted.clear();
        }
        noted.insert(list, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URLS: &str = "/urls?page=2";

    async fn counted(lists: &LongLists, uri: &str, whose: Option<i64>, rows: i64) -> i64 {
        let uri = uri.parse().unwrap();
        lists.count(&uri, whose, async { Ok(rows) }).await.unwrap()
    }

    #[tokio::test]
    async fn a_long_list_is_not_counted_again_on_its_other_pages() {
        let lists = LongLists::default();
        assert_eq!(counted(&lists, URLS, None, MAX_TOTAL + 1).await, 10_001);
        assert_eq!(counted(&lists, "/urls?page=3", None, 7).await, 10_001);
    }

    #[tokio::test]
    async fn a_list_with_other_filters_or_of_somebody_else_is_counted() {
        let lists = LongLists::default();
        counted(&lists, URLS, None, MAX_TOTAL + 1).await;
        assert_eq!(counted(&lists, "/urls?is_active=true", None, 7).await, 7);
        assert_eq!(counted(&lists, "/events?page=2", None, 7).await, 7);
        assert_eq!(counted(&lists, URLS, Some(7), 7).await, 7);
    }

    #[tokio::test]
    async fn a_list_that_can_be_told_is_counted_each_time() {
        let lists = LongLists::default();
        assert_eq!(counted(&lists, URLS, None, MAX_TOTAL).await, MAX_TOTAL);
        assert_eq!(counted(&lists, URLS, None, 7).await, 7);
    }

    #[test]
    fn a_list_is_not_taken_to_be_long_for_ever() {
        let lists = LongLists::default();
        let (list, now) = ((fingerprint(&URLS.parse().unwrap()), None), Instant::now());
        lists.note(list, now);
        assert!(lists.is_long(list, now));
        assert!(!lists.is_long(list, now + TRUST));
    }

    #[test]
    fn a_bounded_number_of_lists_is_remembered() {
        let lists = LongLists::default();
        let list = fingerprint(&URLS.parse().unwrap());
        for user in 0..2 * i64::try_from(MOST).unwrap() {
            lists.note((list, Some(user)), Instant::now());
        }
        assert!(lists.0.lock().unwrap().len() <= MOST);
    }
}
