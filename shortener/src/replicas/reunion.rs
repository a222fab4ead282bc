//! Who is to be waited for when the database is back after it was away.
//!
//! An outage has everybody's lease lapse, and not everybody finds the database again in the same moment: attempts to
//! connect are up to half a second apart. Whoever is back first must not take those who are not for dead, since
//! they still answer from what they knew before.

use std::time::Duration;

use tokio::time::Instant;

use super::{LEASE, LOOK, PATIENCE, RENEWAL};

/// What this process knows of leases: its own, and those of the others before an outage.
#[derive(Debug, Default)]
pub(super) struct Reunion {
    /// When the own lease was renewed last.
    renewed: Option<Instant>,
    /// When it was renewed first after an outage.
    back: Option<Instant>,
    /// Those that held a lease at the last renewal.
    others: Vec<String>,
    /// Those that held one before the outage, and have not been seen since.
    missing: Vec<String>,
}

impl Reunion {
    /// The own lease was renewed, beside those of `others`.
    pub(super) fn renewed(&mut self, others: Vec<String>, now: Instant) {
        let had_lapsed = self.renewed.is_some() && !self.is_leased(now);
        if had_lapsed {
            self.back = Some(now);
            self.missing.append(&mut self.others);
        }
        self.missing.retain(|id| !others.contains(id));
        self.others = others;
        self.renewed = Some(now);
    }

    pub(super) fn is_leased(&self, now: Instant) -> bool {
        self.renewed.is_some_and(|at| now < at + LEASE)
    }

    /// How long to wait before looking again whether all are back; `None` once they are, or are not going to be.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        let back = self.back?;
        // Somebody may have come in the last moment before the outage.
        let strangers = back + RENEWAL * 2;
        if now < strangers {
            return Some(strangers - now);
        }
        if !self.missing.is_empty() && now < back + PATIENCE {
            return Some(LOOK);
        }
        self.back = None;
        self.missing.clear();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTAGE: Duration = Duration::from_secs(10);

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    /// Back after an outage before which `before` were there; and when that is.
    fn back(before: &[&str], after: &[&str]) -> (Reunion, Instant) {
        let start = Instant::now();
        let mut reunion = Reunion::default();
        reunion.renewed(ids(before), start);
        assert_eq!(reunion.wait(start), None, "nothing has happened yet");
        let back = start + OUTAGE;
        assert!(!reunion.is_leased(back));
        reunion.renewed(ids(after), back);
        (reunion, back)
    }

    #[test]
    fn whoever_was_there_before_is_waited_for() {
        let (mut reunion, back) = back(&["a", "b"], &["b"]);
        let later = back + RENEWAL * 3;
        assert_eq!(reunion.wait(later), Some(LOOK));
        reunion.renewed(ids(&["a", "b"]), later);
        assert_eq!(reunion.wait(later), None);
    }

    #[test]
    fn whoever_does_not_come_back_is_waited_for_once() {
        let (mut reunion, back) = back(&["a"], &[]);
        let mut now = back;
        while now < back + PATIENCE {
            assert!(reunion.wait(now).is_some());
            now += RENEWAL;
            reunion.renewed(Vec::new(), now);
        }
        assert_eq!(reunion.wait(now), None);
        reunion.renewed(Vec::new(), now + RENEWAL);
        assert_eq!(reunion.wait(now + RENEWAL), None);
    }

    #[test]
    fn nobody_is_forgotten_in_a_second_outage() {
        let (mut reunion, back) = back(&["a"], &[]);
        let again = back + OUTAGE;
        reunion.renewed(Vec::new(), again);
        assert_eq!(reunion.wait(again + RENEWAL * 2), Some(LOOK));
    }

    #[test]
    fn a_moment_is_left_to_those_who_are_not_known_yet() {
        let (mut reunion, back) = back(&[], &[]);
        assert_eq!(reunion.wait(back), Some(RENEWAL * 2));
        assert_eq!(reunion.wait(back + RENEWAL * 2), None);
    }

    #[test]
    fn without_an_outage_nobody_waits() {
        let mut reunion = Reunion::default();
        let mut now = Instant::now();
        for others in [ids(&["a"]), ids(&[]), ids(&["b"])] {
            reunion.renewed(others, now);
            assert_eq!(reunion.wait(now), None);
            now += RENEWAL;
        }
    }
}
