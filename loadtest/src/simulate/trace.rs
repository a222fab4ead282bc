//! Load over time: requests per second, second by second.

use anyhow::{Context as _, bail, ensure};
use loadtest::chance::Random;

use super::settings::Second;

/// Requests per second that visitors ask for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trace(Vec<f64>);

pub(crate) const MINUTE: Second = 60;
pub(crate) const HOUR: Second = 3600;

impl Trace {
    /// From corners, `(second, load)`: straight lines between them, and jumps where two share a second.
    pub(crate) fn of_corners(corners: &[(Second, f64)]) -> Self {
        let mut load = Vec::new();
        for pair in corners.windows(2) {
            let [(from, at_first), (to, at_last)] = *pair else {
                continue;
            };
            let slope = (at_last - at_first) / f64::from((to - from).max(1));
            load.extend((from..to).map(|second| at_first + slope * f64::from(second - from)));
        }
        Self(load)
    }

    /// A day of people who are awake by day, with `peak` requests a second at 16:00.
    ///
    /// load(h) = peak · m(h) · g, where m(h) = 0.7 + 0.4 · cos(2π(h − 16)/24) − 0.1 · cos(4π(h − 16)/24): 1 at 16:00, 0.8 at 10:00 and at
    /// 22:00, a fifth at 4:00. g is drawn anew each minute, evenly from 0.95 to 1.05: visitors come in groups. From 13:00 to 13:20 a
    /// campaign brings half as many again, within a minute.
    pub(crate) fn day(peak: f64) -> Self {
        let mut random = Random::new(13);
        let mut grain = 1.0;
        let load = (0..24 * HOUR).map(|second| {
            if second.is_multiple_of(MINUTE) {
                grain = 0.95 + 0.1 * random.fraction();
            }
            let hour = f64::from(second) / f64::from(HOUR);
            let angle = std::f64::consts::TAU * (hour - 16.0) / 24.0;
            let people = 0.7 + 0.4 * angle.cos() - 0.1 * (2.0 * angle).cos();
            peak * people * grain * campaign(second)
        });
        Self(load.collect())
    }

    /// The columns `time` and `load` of a CSV file. Each row holds until the next.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut load = Vec::new();
        let mut last = None;
        for row in rows(text, &["time", "load"])? {
            let (time, value) = (row[0], row[1]);
            ensure!(value >= 0.0, "a load cannot be {value}");
            if let Some(last) = last.replace(value) {
                load.resize(second(time)?, last);
            } else {
                ensure!(time == 0.0, "let the first row be of time 0");
            }
        }
        load.push(last.context("there is no row")?);
        Ok(Self(load))
    }

    pub(crate) fn load(&self) -> &[f64] {
        &self.0
    }
}

/// What is due to a campaign: a factor.
fn campaign(second: Second) -> f64 {
    let begun = f64::from(second) - f64::from(13 * HOUR);
    let minute = f64::from(MINUTE);
    let part = (begun / minute).min((20.0 * minute - begun) / minute);
    1.0 + 0.5 * part.clamp(0.0, 1.0)
}

fn second(time: f64) -> anyhow::Result<usize> {
    ensure!((0.0..1e6).contains(&time), "{time} is no second of a trace");
    Ok(super::hpa::whole(time) as usize)
}

/// The named columns of a CSV file with a line of names, in the order asked for. Numbers alone: there is nothing to quote.
pub(crate) fn rows(text: &str, columns: &[&str]) -> anyhow::Result<Vec<Vec<f64>>> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let names = lines.next().context("the file is empty")?;
    let names: Vec<_> = names.split(',').map(str::trim).collect();
    let mut places = Vec::new();
    for column in columns {
        let place = names.iter().position(|name| name == column);
        places.push(place.with_context(|| {
            format!("there is no column `{column}`: name it in the first line, of {names:?}")
        })?);
    }
    let mut rows = Vec::new();
    for (number, line) in lines.enumerate() {
        let cells: Vec<_> = line.split(',').map(str::trim).collect();
        let mut row = Vec::new();
        for place in &places {
            let Some(cell) = cells.get(*place) else {
                bail!("row {} has no column {}", number + 1, place + 1);
            };
            let value = cell.parse::<f64>().ok().filter(|value| value.is_finite());
            row.push(value.with_context(|| format!("row {}: {cell:?} is no number", number + 1))?);
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_joined_by_lines_and_jumps() {
        let trace = Trace::of_corners(&[(0, 10.0), (2, 10.0), (2, 40.0), (5, 70.0)]);
        assert_eq!(trace.load(), [10.0, 10.0, 40.0, 50.0, 60.0]);
    }

    #[test]
    fn a_day_has_its_peak_in_the_afternoon_and_its_campaign_at_one() {
        let day = Trace::day(1000.0);
        let mean = |from: f64, to: f64| {
            let load = day.load().iter().zip(0_u32..);
            let hours = load.map(|(load, second)| (load, f64::from(second) / 3600.0));
            let within = hours.filter(|(_, hour)| (from..to).contains(hour));
            let sum: f64 = within.map(|(load, _)| load).sum();
            sum / (to - from) / 3600.0
        };
        assert_eq!(day.load().len(), 86_400);
        let (peak, least) = (mean(15.5, 16.5), mean(3.5, 4.5));
        assert!((980.0..1010.0).contains(&peak), "{peak}");
        assert!((190.0..220.0).contains(&least), "{least}");
        assert!(mean(13.1, 13.2) > 1.4 * mean(12.8, 12.9));
    }

    #[test]
    fn a_row_of_a_file_holds_until_the_next() {
        let trace = Trace::parse("time,load\n0,5\n2,7\n\n4, 1\n").unwrap();
        assert_eq!(trace.load(), [5.0, 5.0, 7.0, 7.0, 1.0]);
    }

    #[test]
    fn a_wrong_file_is_told_with_its_place() {
        let error = |text: &str| Trace::parse(text).unwrap_err().to_string();
        assert!(error("time,users\n0,1\n").contains("no column `load`"));
        assert!(error("time,load\n0,x\n").contains("row 1: \"x\""));
        assert!(error("time,load\n0\n").contains("row 1 has no column 2"));
        assert!(error("time,load\n5,1\n").contains("time 0"));
        assert!(error("time,load\n").contains("no row"));
        assert!(error("time,load\n0,-1\n").contains("-1"));
    }
}
