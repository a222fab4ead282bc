//! What users ask for, and how often.

use std::{fmt, time::Duration};

/// Every so often creates come in a spike, in the scenario that has them.
const SPIKES: Duration = Duration::from_secs(10);

/// When one begins. Not in the first second, in which users come.
const SPIKE: Duration = Duration::from_secs(9);

/// A kind of request.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// Follows a link, drawn by Zipf's law.
    Redirect,
    /// Reads a page of the links.
    List,
    /// Makes a link.
    Create,
    /// Asks for health.
    Health,
    /// Reads the statistics of a link, drawn by Zipf's law.
    Statistics,
}

impl Kind {
    /// The only status that is none of a failure.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Redirect => 302,
            Self::Create => 201,
            Self::List | Self::Health | Self::Statistics => 200,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redirect => "redirect",
            Self::List => "list",
            Self::Create => "create",
            Self::Health => "health",
            Self::Statistics => "statistics",
        })
    }
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scenario {
    /// 80 redirects, 10 lists, 7 creates and 3 health checks of a hundred requests.
    Mix,
    /// Redirects alone.
    Redirects,
    /// The mix; every ten seconds, for a second, everybody creates.
    Spikes,
    /// As many redirects as readings of statistics.
    Statistics,
    /// Creates alone.
    Creates,
}

impl Scenario {
    /// Of a hundred requests so many are of a kind.
    pub(crate) fn weights(self) -> &'static [(Kind, u8)] {
        match self {
            Self::Mix | Self::Spikes => &[
                (Kind::Redirect, 80),
                (Kind::List, 10),
                (Kind::Create, 7),
                (Kind::Health, 3),
            ],
            Self::Redirects => &[(Kind::Redirect, 100)],
            Self::Statistics => &[(Kind::Redirect, 50), (Kind::Statistics, 50)],
            Self::Creates => &[(Kind::Create, 100)],
        }
    }

    /// What is asked for at a time since the start, when it is the turn of `kind`.
    pub(crate) fn at(self, elapsed: Duration, kind: Kind) -> Kind {
        let into = elapsed.as_millis() % SPIKES.as_millis();
        if self == Self::Spikes && into >= SPIKE.as_millis() {
            Kind::Create
        } else {
            kind
        }
    }

    /// What a user asks for at that turn. In each hundred turns every kind has its share, and at any time so it has among a hundred
    /// users: had each the same order, all would list at once, and then all would not.
    pub(crate) fn of_turn(self, user: u64, turn: u64) -> Kind {
        // Both have nothing in common with a hundred, so that each number comes once.
        self.kind(61 * user + 37 * turn)
    }

    /// The kind with that number of a hundred.
    pub(crate) fn kind(self, number: u64) -> Kind {
        let mut rest = number % 100;
        for (kind, weight) in self.weights() {
            match rest.checked_sub((*weight).into()) {
                Some(left) => rest = left,
                None => return *kind,
            }
        }
        Kind::Redirect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_share_of_a_users_turns_and_of_the_users_at_each_time() {
        let mix = Scenario::Mix;
        for number in [0, 7, 1_234] {
            for (kind, weight) in mix.weights() {
                let turns = (0..100).filter(|turn| mix.of_turn(number, *turn) == *kind);
                assert_eq!(turns.count(), usize::from(*weight), "{kind:?}");
                let users = (0..100).filter(|user| mix.of_turn(*user, number) == *kind);
                assert_eq!(users.count(), usize::from(*weight), "{kind:?}");
            }
        }
    }

    #[test]
    fn the_weights_of_a_scenario_make_a_hundred() {
        for scenario in [
            Scenario::Mix,
            Scenario::Redirects,
            Scenario::Spikes,
            Scenario::Statistics,
            Scenario::Creates,
        ] {
            let weights = scenario.weights().iter();
            assert_eq!(weights.map(|(_, weight)| weight).sum::<u8>(), 100);
        }
    }

    #[test]
    fn of_a_hundred_numbers_each_kind_has_its_part() {
        let drawn = |kind| {
            let numbers = 0..100;
            numbers
                .filter(|number| Scenario::Mix.kind(*number) == kind)
                .count()
        };
        let kinds = [Kind::Redirect, Kind::List, Kind::Create, Kind::Health];
        assert_eq!(kinds.map(drawn), [80, 10, 7, 3]);
    }

    #[test]
    fn in_a_spike_everybody_creates() {
        let at = |millis| Scenario::Spikes.at(Duration::from_millis(millis), Kind::Redirect);
        assert_eq!(at(8_999), Kind::Redirect);
        assert_eq!(at(9_000), Kind::Create);
        assert_eq!(at(9_999), Kind::Create);
        assert_eq!(at(10_000), Kind::Redirect);
        assert_eq!(at(29_500), Kind::Create);
        let mix = Scenario::Mix.at(Duration::from_millis(9_500), Kind::List);
        assert_eq!(mix, Kind::List);
    }
}
