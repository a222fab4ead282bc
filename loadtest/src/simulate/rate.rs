//! Prometheus' `rate()`, with its extrapolation.
//!
//! The rule is that of `extrapolatedRate` in Prometheus' `promql/functions.go` (3.x, where a range leaves out its left end), for a
//! counter of plain numbers. What matters to an autoscaler: a counter whose samples do not reach the ends of the range is taken to
//! begin and end half a scrape beyond them, so that **a new instance, or one that was not scraped for a while, is counted at a part
//! of its rate until the range is filled**.

use super::settings::Second;

/// A counter as it was scraped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub at: Second,
    pub value: f64,
}

/// Samples farther from an end of the range than this, in average gaps between samples, do not reach it.
const REACH: f64 = 1.1;

/// The rate per second over the `range` that ends `now`. None with fewer than two samples in it. `samples` are in their order of
/// time, and may reach beyond the range.
pub(crate) fn rate(samples: &[Sample], now: Second, range: Second) -> Option<f64> {
    let is_before = |sample: &Sample| i64::from(sample.at) <= i64::from(now) - i64::from(range);
    let from = samples.partition_point(is_before);
    let to = samples.partition_point(|sample| sample.at <= now);
    let inside = samples.get(from..to)?;
    let ([first, .., last], [_, rest @ ..]) = (inside, inside) else {
        return None;
    };
    // After a restart a counter begins at zero: what it had before was counted, too.
    let mut increase = last.value - first.value;
    for (before, after) in inside.iter().zip(rest) {
        if after.value < before.value {
            increase += before.value;
        }
    }
    let covered = f64::from(last.at - first.at);
    let gaps = u32::try_from(rest.len()).expect("a range has few samples");
    let gap = covered / f64::from(gaps);
    let range = f64::from(range);
    let reach = |distance: f64| {
        if distance >= gap * REACH {
            gap / 2.0
        } else {
            distance
        }
    };
    let mut before = reach(range - f64::from(now - first.at));
    if increase > 0.0 && first.value >= 0.0 {
        // No counter was ever below zero.
        before = before.min(covered * first.value / increase);
    }
    let after = reach(f64::from(now - last.at));
    Some(increase * (covered + before + after) / covered / range)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that are `gap` apart, the first at `start`.
    fn samples(start: Second, gap: Second, values: &[f64]) -> Vec<Sample> {
        let times = (start..).step_by(gap as usize);
        let pairs = times.zip(values);
        pairs
            .map(|(at, value)| Sample { at, value: *value })
            .collect()
    }

    fn line(from: f64, step: f64, steps: u32) -> Vec<f64> {
        let steps = 0..=steps;
        steps.map(|index| from + step * f64::from(index)).collect()
    }

    #[track_caller]
    fn check(samples: &[Sample], now: Second, range: Second, expected: Option<f64>) {
        let found = rate(samples, now, range);
        let is_near = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
            (None, None) => true,
            _ => false,
        };
        assert!(is_near, "{found:?} instead of {expected:?}");
    }

    const MINUTE: Second = 60;

    /// Cases of Prometheus' own test data, `promql/promqltest/testdata/functions.test`.
    #[test]
    fn prometheus_own_examples_come_out_the_same() {
        let plain = samples(0, 5 * MINUTE, &line(0.0, 80.0, 10));
        check(&plain, 50 * MINUTE, 50 * MINUTE, Some(4.0 / 15.0));
        let reset = [line(0.0, 27.0, 4), line(0.0, 27.0, 5)].concat();
        let reset = samples(0, 5 * MINUTE, &reset);
        check(&reset, 50 * MINUTE, 50 * MINUTE, Some(0.08));
        let reset_at_the_end = [line(0.0, 10.0, 9), vec![0.0, 10.0]].concat();
        let reset_at_the_end = samples(0, 5 * MINUTE, &reset_at_the_end);
        check(&reset_at_the_end, 50 * MINUTE, 5 * MINUTE, None);
    }

    /// Increases over a range that is twice as long as the counter is old.
    #[test]
    fn a_counter_is_not_taken_to_have_been_below_zero() {
        let over = 100 * MINUTE;
        for (first, increase) in [(0.0, 100.0), (10.0, 105.0), (1.0, 101.0)] {
            let samples = samples(0, 5 * MINUTE, &line(first, 10.0, 10));
            check(
                &samples,
                50 * MINUTE,
                over,
                Some(increase / f64::from(over)),
            );
        }
        for (first, expected) in [(0.0, 0.5), (60.0, 0.55), (120.0, 0.6), (300.0, 0.6)] {
            let samples = samples(0, 4 * MINUTE, &line(first, 240.0, 10));
            check(&samples, 10 * MINUTE, 20 * MINUTE, Some(expected));
            check(&samples, 40 * MINUTE, 20 * MINUTE, Some(1.0));
        }
    }

    #[test]
    fn one_sample_is_no_rate() {
        check(&samples(0, 15, &[5.0]), 10, 60, None);
        check(&[], 10, 60, None);
        check(&samples(0, 15, &[0.0, 15.0, 30.0]), 200, 60, None);
    }

    /// What keeps an autoscaler from seeing at once what a new instance does.
    #[test]
    fn an_instance_that_is_scraped_again_counts_for_a_part_until_the_range_is_full() {
        let all = samples(1000, 15, &line(50_000.0, 1500.0, 3));
        check(&all[..2], 1015, 60, Some(100.0 * 22.5 / 60.0));
        check(&all[..3], 1030, 60, Some(100.0 * 37.5 / 60.0));
        check(&all[..4], 1045, 60, Some(100.0 * 60.0 / 60.0));
    }

    #[test]
    fn a_steady_counter_has_its_rate_wherever_the_range_ends() {
        let samples = samples(7, 15, &line(1000.0, 15.0 * 40.0, 40));
        for now in 100..600 {
            check(&samples, now, 60, Some(40.0));
        }
    }
}
