//! For how long this process may believe that it hears of every change.
//!
//! The statement that renews the lease also notifies its own process: a heartbeat, which takes the way that every change
//! takes. Whoever has heard the heartbeat of a renewal has heard all that was committed before it, and until the lease of
//! that renewal lapses, whoever changes something waits for this process. After that it may not have been waited for.

use std::time::Duration;

use super::{LEASE, RENEWAL};
use crate::moment::{AtomicMoment, Moment};

/// Three heartbeats that were sent and not heard mean that nothing is heard.
const DEAF: Duration = RENEWAL.saturating_mul(3);

/// For how long after it was read something may be used by a process that is waited for by nobody. Whoever changes
/// something waits as long if a replica says that it does not hear.
pub const YOUNG: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Trust {
    /// When the last heartbeat was sent that came back.
    heard: AtomicMoment,
    /// What was read before this may have been changed unheard.
    since: AtomicMoment,
    until: AtomicMoment,
    /// When trust ended that was held before the present one.
    lost_before: AtomicMoment,
    /// Until when others know that this process is there.
    leased_until: AtomicMoment,
}

impl Trust {
    /// For a process that nobody has heard of yet.
    pub fn none() -> Self {
        let [heard, since, until, lost_before, leased_until] =
            [Moment::START; 5].map(AtomicMoment::new);
        Self {
            heard,
            since,
            until,
            lost_before,
            leased_until,
        }
    }

    /// For a process that is alone with its database.
    pub fn forever() -> Self {
        let trust = Self::none();
        trust.until.set(Moment::END);
        trust.leased_until.set(Moment::END);
        trust
    }

    /// Whether what was read at `read` still holds at `now`.
    pub fn covers(&self, read: Moment, now: Moment) -> bool {
        let is_heard = now <= self.until.get() && read >= self.since.get();
        is_heard || (now.since(read) < YOUNG && now <= self.leased_until.get())
    }

    pub fn holds(&self, now: Moment) -> bool {
        now <= self.until.get()
    }

    /// How long it is since changes were surely heard of what was read at `read`; zero if they are.
    pub fn lost_for(&self, read: Moment, now: Moment) -> Duration {
        if read >= self.since.get() {
            now.since(self.until.get())
        } else {
            now.since(self.lost_before.get())
        }
    }

    /// The lease was renewed, as of `sent`.
    pub(super) fn lease(&self, sent: Moment) {
        self.leased_until.set(sent.plus(LEASE));
    }

    /// What happens from now on may not be heard.
    pub(super) fn end(&self, now: Moment) {
        self.until.set(self.until.get().min(now.before()));
    }

    /// Whether heartbeats come back. If they do not, trust ends: the renewal that says so must not be sent before.
    pub(super) fn hears(&self, now: Moment) -> bool {
        let hears = now.since(self.heard.get()) < DEAF;
        if !hears {
            self.end(now);
        }
        hears
    }

    /// A heartbeat came back that was sent at `sent`. It `counts` if the lease renewed with it says that this process
    /// hears; only then others wait for it.
    pub(super) fn hear(&self, sent: Moment, counts: bool, now: Moment) {
        self.heard.set(sent.max(self.heard.get()));
        if counts {
            if !self.holds(now) {
                self.lost_before.set(self.until.get());
                self.since.set(now);
            }
            self.until.set(sent.plus(LEASE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(1_000_000_000 + millis * 1_000)
    }

    #[test]
    fn a_heartbeat_is_trusted_until_its_lease_lapses() {
        let trust = Trust::none();
        trust.hear(at(0), true, at(5));
        assert!(trust.covers(at(10), at(1_000)));
        assert!(!trust.covers(at(10), at(1_001)), "the lease has lapsed");
    }

    #[test]
    fn a_process_that_is_known_but_does_not_hear_uses_what_is_young() {
        let trust = Trust::none();
        trust.lease(at(0));
        assert!(trust.covers(at(500), at(1_000)));
        assert!(
            !trust.covers(at(500), at(1_001)),
            "others do not wait for it any more"
        );
        trust.lease(at(1_000));
        assert!(
            !trust.covers(at(500), at(1_500)),
            "it is not young any more"
        );
    }

    #[test]
    fn what_survives_a_loss_of_trust_is_as_old_as_that_loss() {
        let trust = Trust::none();
        trust.hear(at(0), true, at(5));
        let loss = |read, now| trust.lost_for(at(read), at(now));
        assert_eq!(loss(10, 500), Duration::ZERO);
        assert_eq!(loss(10, 3_000), Duration::from_secs(2));
        trust.hear(at(5_000), true, at(5_005));
        assert_eq!(loss(10, 6_000), Duration::from_secs(5));
        assert_eq!(loss(5_010, 6_000), Duration::ZERO);
    }

    #[test]
    fn what_was_read_before_trust_was_lost_is_not_trusted_again() {
        let trust = Trust::none();
        trust.hear(at(0), true, at(5));
        trust.hear(at(5_000), true, at(5_005));
        assert!(!trust.covers(at(10), at(5_010)));
        assert!(trust.covers(at(5_005), at(5_900)));
    }

    #[test]
    fn a_process_that_does_not_hear_ends_its_trust_before_it_says_so() {
        let trust = Trust::none();
        trust.hear(at(0), true, at(5));
        assert!(trust.hears(at(749)));
        assert!(!trust.hears(at(750)));
        assert!(!trust.holds(at(751)));
    }

    #[test]
    fn a_heartbeat_that_told_others_not_to_wait_makes_no_trust() {
        let trust = Trust::none();
        trust.hear(at(0), false, at(5));
        assert!(!trust.holds(at(5)));
        assert!(trust.hears(at(5)), "but the next renewal may say otherwise");
    }
}
