//! Several measurements of one thing: their median, and how far apart they are.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub least: f64,
    pub median: f64,
    pub greatest: f64,
}

impl Spread {
    /// Of at least one value.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self {
            least: values[0],
            median: quantile(&values, 0.5),
            greatest: values[values.len() - 1],
        }
    }
}

/// With as many decimals as are asked for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(0);
        write!(
            f,
            "{:.decimals$} ({:.decimals$} … {:.decimals$})",
            self.median, self.least, self.greatest
        )
    }
}

/// The value below which this part of the `sorted` values lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an index"
)]
pub(super) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len() - 1;
    let index = (last as f64 * part).round() as usize;
    sorted[index.min(last)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!(format!("{spread:.1}"), "2.0 (1.0 … 3.0)");
        assert_eq!(Spread::of([7.0]).to_string(), "7 (7 … 7)");
    }

    #[test]
    fn quantiles_stay_within_the_values() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        let found = [0.0, 0.5, 0.99, 1.0].map(|part| quantile(&values, part).to_string());
        assert_eq!(found, ["0", "50", "99", "100"]);
    }
}
