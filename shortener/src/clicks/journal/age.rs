//! How long the oldest undrained record has waited, without a time on every record.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::position::Position;

/// Marks are thinned out at this number: ages are then known to about a thirtieth of the whole backlog.
const MOST_MARKS: usize = 64;

/// Where the journal ended at which times, for what is not drained yet.
#[derive(Default)]
pub(super) struct Ages(VecDeque<(Position, Instant)>);

impl Ages {
    /// Notes that the journal ends at `end` and is drained up to `drained`, and tells the age of what is
    /// not: at most one interval between calls too young (more once the marks were thinned out).
    pub(super) fn note(&mut self, now: Instant, end: Position, drained: Position) -> Duration {
        while self.0.front().is_some_and(|&(mark, _)| mark <= drained) {
            self.0.pop_front();
        }
        if end > drained && self.0.back().is_none_or(|&(mark, _)| end > mark) {
            self.0.push_back((end, now));
        }
        if self.0.len() > MOST_MARKS {
            let mut nth = 0;
            self.0.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
        }
        self.0.front().map_or(Duration::ZERO, |&(_, since)| {
            now.saturating_duration_since(since)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_backlog_grows_old_until_it_is_drained() {
        let start = Instant::now();
        let mut ages = Ages::default();
        let at = |offset| Position::new(1, offset);

        assert_eq!(ages.note(start, at(0), at(0)), Duration::ZERO);
        assert_eq!(ages.note(start, at(8), at(0)), Duration::ZERO);
        assert_eq!(ages.note(start + 5 * SECOND, at(16), at(0)), 5 * SECOND);
        // The first record is drained; the second was first seen two seconds ago.
        assert_eq!(ages.note(start + 7 * SECOND, at(16), at(8)), 2 * SECOND);
        assert_eq!(
            ages.note(start + 8 * SECOND, at(16), at(16)),
            Duration::ZERO
        );
    }

    #[test]
    fn a_day_without_the_database_costs_no_more_than_the_marks_allowed() {
        let start = Instant::now();
        let mut ages = Ages::default();
        let drained = Position::new(1, 0);
        for second in 1..86_400 {
            let age = ages.note(
                start + second * SECOND,
                Position::new(1, second * 8),
                drained,
            );
            assert_eq!(age, (second - 1) * SECOND);
            assert!(ages.0.len() <= MOST_MARKS);
        }
    }
}
