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

/// One series: its name, and the points that are numbers, each with its second.
pub(crate) struct Line {
    name: String,
    points: Vec<(f64, f64)>,
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
        let number = |point: &Value| -> Option<(f64, f64)> {
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

/// Where a panel is, in pixels.
struct Place {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
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
        self.height = self.height.max(place.top + place.height + 2.0 * GAP);
        let title = panel["title"].as_str().unwrap_or_default();
        if panel["type"] == "row" {
            self.text(place.left, place.top + 18.0, 15, "#111", title);
            return;
        }
        self.frame(&place);
        self.text(place.left + 8.0, place.top + 18.0, 13, "#333", title);
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
        let unit = unit.unwrap_or_default();
        match panel["type"].as_str() {
            Some("stat") => self.stat(&place, unit, lines),
            Some("timeseries") => self.chart(&place, unit, lines),
            _ => self.text(
                place.left + 8.0,
                place.top + 50.0,
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

    fn stat(&mut self, place: &Place, unit: &str, lines: &[Line]) {
        let last = lines.first().and_then(|line| line.points.last());
        let text = last.map_or_else(|| "no data".to_owned(), |(_, value)| shown(*value, unit));
        let (x, y) = (place.left + 8.0, place.top + place.height / 2.0 + 22.0);
        self.text(x, y, 30, "#1a5fb4", &text);
    }

    fn chart(&mut self, place: &Place, unit: &str, lines: &[Line]) {
        let points = || lines.iter().flat_map(|line| &line.points);
        let highest = points().map(|point| point.1).fold(0.0, f64::max);
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let (first, last) = points().fold((f64::MAX, f64::MIN), |(first, last), point| {
            (first.min(point.0), last.max(point.0))
        });
        let (left, right) = (place.left + 62.0, place.left + place.width - 10.0);
        let (top, bottom) = (place.top + 32.0, place.top + place.height - 34.0);
        for part in [0.0, 0.5, 1.0] {
            let y = (top - bottom).mul_add(part, bottom);
            _ = writeln!(
                self.body,
                "<path d=\"M{left:.0} {y:.0}H{right:.0}\" stroke=\"#e3e5e8\"/>"
            );
            let label = shown(highest * part, unit);
            self.text(place.left + 8.0, y + 4.0, 11, "#777", &label);
        }
        let mut legend = left;
        for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
            let mut path = String::new();
            for (second, value) in &line.points {
                let along = (second - first) / (last - first).max(1.0);
                let x = (right - left).mul_add(along, left);
                let y = (top - bottom).mul_add(value / highest, bottom);
                let step = if path.is_empty() { 'M' } else { 'L' };
                _ = write!(path, "{step}{x:.1} {y:.1}");
            }
            _ = writeln!(
                self.body,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
            );
            self.text(legend, bottom + 24.0, 11, colour, &line.name);
            let letters = u32::try_from(line.name.chars().count()).unwrap_or(0);
            legend += f64::from(letters).mul_add(6.5, 14.0);
        }
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

    fn text(&mut self, x: f64, y: f64, size: u8, colour: &str, text: &str) {
        _ = writeln!(
            self.body,
            "<text x=\"{x:.0}\" y=\"{y:.0}\" font-size=\"{size}\" fill=\"{colour}\">{}</text>",
            escaped(text)
        );
    }
}

/// A value with its unit, as short as people like it.
fn shown(value: f64, unit: &str) -> String {
    match unit {
        _ if value == 0.0 => "0".to_owned(),
        // A hundredth of a per cent must not look like none.
        "percentunit" if value.abs() < 0.001 => format!("{:.2e} %", value * 100.0),
        "percentunit" => format!("{:.1} %", value * 100.0),
        "s" if value.abs() < 1.0 => format!("{:.2} ms", value * 1e3),
        "s" => format!("{value:.1} s"),
        "bytes" if value.abs() >= 1024.0 * 1024.0 => format!("{:.1} MiB", value / 1024.0 / 1024.0),
        "bytes" => format!("{:.1} KiB", value / 1024.0),
        "reqps" | "ops" => format!("{value:.1}/s"),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
