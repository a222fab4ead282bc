//! What a run may show at most, and whether it did.

use std::str::FromStr;

use clap::ValueEnum as _;

use crate::{arguments::Plan, mix::Kind, record::Seen};

/// A bound on a latency: of everything, or of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    pub kind: Option<Kind>,
    pub milliseconds: f64,
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, number) = match text.split_once('=') {
            Some((kind, number)) => (Some(Kind::from_str(kind, false)?), number),
            None => (None, text),
        };
        let milliseconds = number.parse().ok();
        let milliseconds = milliseconds.filter(|number: &f64| number.is_finite() && *number > 0.0);
        Ok(Self {
            kind,
            milliseconds: milliseconds
                .ok_or("milliseconds are wanted, such as 50 or redirect=5")?,
        })
    }
}

/// Whether a bound was kept, and what was found.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub is_kept: bool,
    pub text: String,
}

/// One verdict on each bound.
pub(crate) fn judge(plan: &Plan, seen: &Seen) -> Vec<Verdict> {
    let requests = seen.all.requests();
    let mut verdicts = vec![
        Verdict {
            is_kept: requests > 0,
            text: format!("requests: {requests}, at least 1"),
        },
        Verdict {
            is_kept: seen.all.failed() <= plan.failures,
            text: format!(
                "failed requests: {}, at most {}",
                seen.all.failed(),
                plan.failures
            ),
        },
    ];
    let bounds = [
        ("p50", 0.5, &plan.p50),
        ("p95", 0.95, &plan.p95),
        ("p99", 0.99, &plan.p99),
    ];
    for (name, part, bounds) in bounds {
        let of_this = bounds.iter();
        verdicts.extend(of_this.map(|bound| judge_latency(name, part, *bound, seen)));
    }
    verdicts
}

fn judge_latency(name: &str, part: f64, bound: Bound, seen: &Seen) -> Verdict {
    let (of, tally) = match bound.kind {
        Some(kind) => (kind.to_string(), seen.kinds.get(&kind)),
        None => ("all requests".to_owned(), Some(&seen.all)),
    };
    // A bound on what was never asked for is a mistake, not a success.
    let Some(tally) = tally.filter(|tally| tally.requests() > 0) else {
        return Verdict {
            is_kept: false,
            text: format!("{name} of {of}: there were none"),
        };
    };
    let found = tally.quantile(part);
    Verdict {
        is_kept: found <= bound.milliseconds,
        text: format!(
            "{name} of {of}: {found:.1} ms, at most {} ms",
            bound.milliseconds
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;

    use super::*;
    use crate::{
        arguments::Arguments,
        record::{Failure, Outcome},
    };

    #[track_caller]
    fn check(arguments: &[&str], outcomes: &[(u64, Option<Failure>)], are_kept: bool) {
        let program = ["shortener-loadtest"];
        let arguments = program.iter().chain(arguments).copied();
        let plan = Arguments::parse_from(arguments).load;
        let mut seen = Seen::default();
        for (millis, failure) in outcomes {
            let outcome = Outcome {
                kind: Kind::Redirect,
                latency: Duration::from_millis(*millis),
                failure: failure.clone(),
            };
            seen.add(Duration::ZERO, &outcome);
        }
        let verdicts = judge(&plan, &seen);
        let all = verdicts.iter().all(|verdict| verdict.is_kept);
        assert_eq!(all, are_kept, "{verdicts:#?}");
    }

    #[test]
    fn a_failure_is_out_of_bounds_unless_it_is_allowed() {
        let one_of_two = [(1, None), (1, Some(Failure::Status(503)))];
        check(&[], &one_of_two[..1], true);
        check(&[], &one_of_two, false);
        check(&["--failures", "1"], &one_of_two, true);
    }

    #[test]
    fn being_limited_is_a_failure() {
        check(&[], &[(1, Some(Failure::Status(429)))], false);
    }

    #[test]
    fn latencies_are_held_against_their_bounds() {
        let outcomes = [(10, None), (10, None), (90, None)];
        check(&["--p50", "11"], &outcomes, true);
        check(&["--p50", "9"], &outcomes, false);
        check(&["--p99", "redirect=91"], &outcomes, true);
        check(&["--p50", "11", "--p99", "redirect=80"], &outcomes, false);
    }

    #[test]
    fn a_bound_on_what_nobody_asked_for_is_not_kept() {
        check(&["--p95", "list=1000"], &[(1, None)], false);
        check(&[], &[], false);
    }

    #[test]
    fn bounds_that_make_no_sense_are_refused() {
        for text in ["", "x", "0", "-1", "NaN", "visit=3", "redirect="] {
            assert!(text.parse::<Bound>().is_err(), "{text}");
        }
    }
}
