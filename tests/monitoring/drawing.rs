//! Draws a dashboard as SVG from what Prometheus answers, for the documents: no Grafana can be had where tests run.
//! Panels stand where Grafana would put them; nothing else is as Grafana draws it.

use std::fmt::Write as _;

use serde_json::Value;

/// How much of the past is drawn.
pub(crate) const SECONDS: u32 = 90;

/// Of one of Grafana's 24 columns, and of one of its rows.
const COLUMN: f64 = 50.0;
const ROW: f64 = 30.0;

const GAP: f64 = 6.0;

const LEGEND_ROW: f64 = 15.0;

const KIBIBYTE: f64 = 1024.0;
const MEBIBYTE: f64 = 1024.0 * KIBIBYTE;

/// More would not be told apart.
const COLOURS: [&str; 6] = [
    "#2f7ed8", "#e07b39", "#3a9a5b", "#b04a8f", "#c0392b", "#6b7280",
];

/// Whether this run is to draw.
#[expect(
    clippy::disallowed_methods,
    reason = "what a run leaves behind belongs to the run, not to a test"
)]
pub(crate) fn is_wanted() -> bool {
    std::env::var_os("DRAW").is_some_and(|value| !value.is_empty())
}

/// A second and a value, or where that is drawn, in pixels.
type Point = (f64, f64);

/// One series: its name, and the points that are numbers, each with its second.
pub(crate) struct Line {
    name: String,
    points: Vec<Point>,
}

impl Line {
    pub(crate) fn of(series: &Value, target: &Value) -> Self {
        let mut name = target["legendFormat"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        for (label, value) in series["metric"].as_object().into_iter().flatten() {
            name = name.replace(
                &format!("{{{{{label}}}}}"),
                value.as_str().unwrap_or_default(),
            );
        }
        let number = |point: &Value| -> Option<Point> {
            let value: f64 = point[1].as_str()?.parse().ok()?;
            value.is_finite().then_some((point[0].as_f64()?, value))
        };
        let points = series["values"].as_array().into_iter().flatten();
        Self {
            name,
            points: points.filter_map(number).collect(),
        }
    }
}

/// A dashboard that is being drawn.
pub(crate) struct Drawing {
    title: String,
    body: String,
    height: f64,
}

/// A rectangle, in pixels: a panel, or the field of its lines.
struct Place {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Place {
    const fn right(&self) -> f64 {
        self.left + self.width
    }

    const fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

impl Drawing {
    pub(crate) fn of(dashboard: &Value) -> Self {
        Self {
            title: dashboard["title"].as_str().unwrap_or_default().to_owned(),
            body: String::new(),
            height: 0.0,
        }
    }

    pub(crate) fn add(&mut self, panel: &Value, lines: &[Line]) {
        let grid = |member: &str| panel["gridPos"][member].as_f64().unwrap_or_default();
        let place = Place {
            left: grid("x").mul_add(COLUMN, GAP),
            top: grid("y").mul_add(ROW, 50.0),
            width: grid("w").mul_add(COLUMN, -GAP),
            height: grid("h").mul_add(ROW, -GAP),
        };
        self.height = self.height.max(place.bottom() + 2.0 * GAP);
        let title = panel["title"].as_str().unwrap_or_default();
        if panel["type"] == "row" {
            self.text((place.left, place.top + 18.0), 15, "#111", title);
            return;
        }
        self.frame(&place);
        self.text((place.left + 8.0, place.top + 18.0), 13, "#333", title);
        match panel["type"].as_str() {
            Some("stat") => self.stat(&place, panel, lines),
            Some("timeseries") => self.chart(&place, panel, lines),
            _ => self.text(
                (place.left + 8.0, place.top + 50.0),
                12,
                "#888",
                "(drawn by Grafana alone)",
            ),
        }
    }

    pub(crate) fn svg(&self) -> String {
        let (width, height) = (24.0 * COLUMN + 2.0 * GAP, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#f4f5f7\"/>\n\
             <text x=\"{GAP}\" y=\"30\" font-size=\"20\" fill=\"#111\">{}</text>\n{}</svg>\n",
            escaped(&self.title),
            self.body
        )
    }

    fn stat(&mut self, place: &Place, panel: &Value, lines: &[Line]) {
        let last = lines.first().and_then(|line| line.points.last());
        let text = last.map_or_else(
            || "no data".to_owned(),
            |(_, value)| shown(*value, unit(panel)),
        );
        let at = (place.left + 8.0, place.top + place.height / 2.0 + 22.0);
        self.text(at, 30, "#1a5fb4", &text);
    }

    fn chart(&mut self, place: &Place, panel: &Value, lines: &[Line]) {
        let custom = &panel["fieldConfig"]["defaults"]["custom"];
        let is_stacked = custom["stacking"]["mode"] == "normal";
        let rows = self.legend(place, lines);
        let field = Place {
            left: place.left + 66.0,
            top: place.top + 32.0,
            width: place.width - 76.0,
            height: f64::from(rows).mul_add(-LEGEND_ROW, place.height - 58.0),
        };
        let curves = if is_stacked {
            stacked(lines)
        } else {
            lines.iter().map(|line| line.points.clone()).collect()
        };
        let is_logarithmic = custom["scaleDistribution"]["type"] == "log";
        let axis = Axis::over(&curves, unit(panel), is_logarithmic);
        self.grid(&field, &axis, unit(panel));
        // From above, so that what is stacked lies on what it stands on.
        for (number, curve) in curves.iter().enumerate().rev() {
            let colour = COLOURS[number % COLOURS.len()];
            self.curve(&field, &axis, curve, colour);
            if is_stacked {
                let below = number.checked_sub(1).map(|below| curves[below].as_slice());
                self.area(&field, &axis, (curve, below.unwrap_or_default()), colour);
            }
        }
    }

    /// Lines of the scale, and three moments below them.
    fn grid(&mut self, field: &Place, axis: &Axis, unit: &str) {
        for value in &axis.marks {
            let y = axis
                .height_of(*value)
                .mul_add(-field.height, field.bottom());
            let (left, right) = (field.left, field.right());
            _ = writeln!(
                self.body,
                "<path d=\"M{left:.0} {y:.1}H{right:.0}\" stroke=\"#e3e5e8\"/>"
            );
            self.end_of_text((left - 6.0, y + 4.0), &shown(*value, unit));
        }
        let y = field.bottom() + 15.0;
        self.text((field.left, y), 11, "#777", &format!("{SECONDS} s ago"));
        self.end_of_text((field.right(), y), "now");
    }

    fn curve(&mut self, field: &Place, axis: &Axis, curve: &[Point], colour: &str) {
        let path = steps(curve.iter().map(|point| axis.place_of(point, field)));
        _ = writeln!(
            self.body,
            "<path d=\"M{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
        );
    }

    /// What is between a curve and the one below it, or the foot of the chart.
    fn area(
        &mut self,
        field: &Place,
        axis: &Axis,
        (above, below): (&[Point], &[Point]),
        colour: &str,
    ) {
        let foot = [(axis.first, 0.0), (axis.last, 0.0)];
        let below = if below.is_empty() { &foot[..] } else { below };
        let around = above.iter().chain(below.iter().rev());
        let path = steps(around.map(|point| axis.place_of(point, field)));
        _ = writeln!(
            self.body,
            "<path d=\"M{path}Z\" fill=\"{colour}\" fill-opacity=\"0.3\"/>"
        );
    }

    /// The names of the lines at the foot of a panel, in as many rows as they need. How many those are.
    fn legend(&mut self, place: &Place, lines: &[Line]) -> u32 {
        let mut rows: Vec<Vec<(f64, &str, &str)>> = vec![Vec::new()];
        let mut along = 0.0;
        for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
            let letters = u32::try_from(line.name.chars().count()).unwrap_or(0);
            let width = f64::from(letters).mul_add(6.3, 30.0);
            if along > 0.0 && along + width > place.width - 16.0 {
                rows.push(Vec::new());
                along = 0.0;
            }
            let row = rows.last_mut().expect("there is always one");
            row.push((place.left + 8.0 + along, line.name.as_str(), colour));
            along += width;
        }
        for (row, above) in rows.iter().rev().zip(0_u32..) {
            let y = f64::from(above).mul_add(-LEGEND_ROW, place.bottom() - 8.0);
            for (x, name, colour) in row {
                let swatch = y - 4.0;
                let end = x + 12.0;
                _ = writeln!(
                    self.body,
                    "<path d=\"M{x:.0} {swatch:.0}H{end:.0}\" stroke=\"{colour}\" stroke-width=\"3\"/>"
                );
                self.text((x + 16.0, y), 11, "#333", name);
            }
        }
        u32::try_from(rows.len()).unwrap_or(1)
    }

    fn frame(&mut self, place: &Place) {
        let Place {
            left,
            top,
            width,
            height,
        } = place;
        _ = writeln!(
            self.body,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"#fff\" stroke=\"#d8dbe0\"/>"
        );
    }

    fn text(&mut self, (x, y): Point, size: u8, colour: &str, text: &str) {
        _ = writeln!(
            self.body,
            "<text x=\"{x:.0}\" y=\"{y:.0}\" font-size=\"{size}\" fill=\"{colour}\">{}</text>",
            escaped(text)
        );
    }

    /// A small text that ends there.
    fn end_of_text(&mut self, (x, y): Point, text: &str) {
        _ = writeln!(
            self.body,
            "<text x=\"{x:.0}\" y=\"{y:.0}\" font-size=\"11\" fill=\"#777\" text-anchor=\"end\">{}</text>",
            escaped(text)
        );
    }
}

/// What a place in a chart stands for.
struct Axis {
    /// The seconds between which lines are drawn.
    first: f64,
    last: f64,
    /// The values that are written beside it: the lowest is its foot, the highest its head.
    marks: Vec<f64>,
    is_logarithmic: bool,
}

impl Axis {
    fn over(curves: &[Vec<Point>], unit: &str, is_logarithmic: bool) -> Self {
        let points = || curves.iter().flatten();
        let (first, last) = points().fold((f64::MAX, f64::MIN), |(first, last), point| {
            (first.min(point.0), last.max(point.0))
        });
        let highest = points().map(|point| point.1).fold(0.0, f64::max);
        let lowest = points()
            .map(|point| point.1)
            .filter(|value| *value > 0.0)
            .fold(highest, f64::min);
        let is_logarithmic = is_logarithmic && highest > 0.0;
        let marks = if is_logarithmic {
            decades(lowest, highest)
        } else {
            let top = round_above(highest, unit);
            vec![0.0, top / 2.0, top]
        };
        Self {
            first,
            last,
            marks,
            is_logarithmic,
        }
    }

    /// Where a point of a line is drawn.
    fn place_of(&self, (second, value): &Point, field: &Place) -> Point {
        let along = (second - self.first) / (self.last - self.first).max(1.0);
        let x = field.width.mul_add(along, field.left);
        let y = self
            .height_of(*value)
            .mul_add(-field.height, field.bottom());
        (x, y)
    }

    /// Where a value is, from 0 at the foot to 1 at the head.
    fn height_of(&self, value: f64) -> f64 {
        let foot = self.marks.first().copied().unwrap_or(0.0);
        let head = self.marks.last().copied().unwrap_or(1.0);
        if self.is_logarithmic {
            ((value.max(foot) / foot).log10() / (head / foot).log10()).clamp(0.0, 1.0)
        } else {
            ((value - foot) / (head - foot)).clamp(0.0, 1.0)
        }
    }
}

/// The inside of a path: from the first place to each of the others.
fn steps(places: impl Iterator<Item = Point>) -> String {
    let steps: Vec<_> = places.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    steps.join("L")
}

/// The powers of ten around what is between the two.
fn decades(lowest: f64, highest: f64) -> Vec<f64> {
    let head = highest.log10().ceil();
    let foot = lowest.log10().floor().min(head - 1.0);
    let mut exponent = foot;
    let mut marks = Vec::new();
    while exponent <= head {
        marks.push(10_f64.powf(exponent));
        exponent += 1.0;
    }
    marks
}

/// The next number from there that is 1, 2, 4 or 6 times a power of ten, in the unit that is written beside it.
fn round_above(value: f64, unit: &str) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let written = match unit {
        "bytes" if value >= MEBIBYTE => MEBIBYTE,
        "bytes" => KIBIBYTE,
        _ => 1.0,
    };
    let power = 10_f64.powf((value / written).log10().floor());
    let digits = [1.0, 2.0, 4.0, 6.0, 10.0];
    let least = value / written / power;
    let digit = digits.into_iter().find(|digit| *digit >= least);
    digit.unwrap_or(10.0) * power * written
}

/// Each line on top of those before it. Where one has no point, it adds nothing.
fn stacked(lines: &[Line]) -> Vec<Vec<Point>> {
    let mut seconds: Vec<f64> = lines
        .iter()
        .flat_map(|line| line.points.iter().map(|point| point.0))
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds.dedup();
    let mut sums = vec![0.0; seconds.len()];
    let mut curves = Vec::new();
    for line in lines {
        for (second, value) in &line.points {
            let at = seconds.binary_search_by(|known| known.total_cmp(second));
            sums[at.expect("each second is there")] += value;
        }
        curves.push(seconds.iter().copied().zip(sums.iter().copied()).collect());
    }
    curves
}

fn unit(panel: &Value) -> &str {
    let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
    unit.unwrap_or_default()
}

/// A value with its unit, as short as people like it.
fn shown(value: f64, unit: &str) -> String {
    match unit {
        _ if value == 0.0 => "0".to_owned(),
        // A hundredth of a per cent must not look like none.
        "percentunit" if value.abs() < 0.0001 => format!("{:.1e} %", value * 100.0),
        "percentunit" => format!("{} %", short(value * 100.0)),
        "s" if value.abs() < 0.001 => format!("{} µs", short(value * 1e6)),
        "s" if value.abs() < 1.0 => format!("{} ms", short(value * 1e3)),
        "s" => format!("{} s", short(value)),
        "bytes" if value.abs() >= MEBIBYTE => format!("{} MiB", short(value / MEBIBYTE)),
        "bytes" => format!("{} KiB", short(value / KIBIBYTE)),
        "reqps" | "ops" => format!("{}/s", short(value)),
        _ => short(value),
    }
}

/// Three digits say enough.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
