//! Which ids a load has found to be there, so that it asks the database about each of them once.

use std::collections::HashSet;

/// How many ids are remembered: what a load may take of the memory does not grow with its file.
const MOST: usize = 100_000;

/// Ids of one table. What was locked when it was found stays locked until the load's transaction ends.
#[derive(Debug, Default)]
pub struct Known(HashSet<i64>);

impl Known {
    /// Those of `ids` that are still to be asked about, each once.
    pub fn unknown(&mut self, ids: impl Iterator<Item = i64> + Clone) -> Vec<i64> {
        if self.0.len() > MOST {
            self.0.clear();
        }
        let unknown: HashSet<i64> = ids.filter(|id| !self.0.contains(id)).collect();
        unknown.into_iter().collect()
    }

    pub fn add(&mut self, found: HashSet<i64>) {
        self.0.extend(found);
    }

    pub fn contains(&self, id: i64) -> bool {
        self.0.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_asked_about_until_it_was_found() {
        let mut known = Known::default();
        assert_eq!(known.unknown([7, 7].into_iter()), [7]);
        assert_eq!(known.unknown([7].into_iter()), [7]);

        known.add(HashSet::from([7]));
        assert!(known.unknown([7].into_iter()).is_empty());
        assert!(known.contains(7) && !known.contains(8));
    }

    #[test]
    fn a_load_remembers_a_bounded_number_of_ids() {
        let mut known = Known::default();
        known.add((0..=i64::try_from(MOST).unwrap()).collect());
        assert_eq!(known.unknown([7].into_iter()), [7]);
        assert!(!known.contains(8));
    }
}
