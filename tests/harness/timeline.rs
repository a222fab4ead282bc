//! What was seen of a run, moment by moment, as a picture that needs no script and as a table.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
/// Of one panel, and of the room around it.
const HEIGHT: f64 = 130.0;
const GAP: f64 = 34.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;

const COLOURS: [&str; 3] = ["#2563eb", "#d97706", "#15803d"];

/// Rows of the table are as far apart, in seconds.
const ROW: f64 = 15.0;

/// One moment. What could not be read is not there.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// Seconds since 1970.
    pub at: f64,
    /// Visitors a second who came, and who were counted by Prometheus.
    pub came: Option<f64>,
    pub counted: Option<f64>,
    /// Replicas: wanted by the autoscaler, ready, and read by Prometheus.
    pub wanted: Option<f64>,
    pub ready: Option<f64>,
    pub scraped: Option<f64>,
    /// Milliseconds.
    pub p99: Option<f64>,
    /// Sessions of the database.
    pub connections: Option<f64>,
    pub failed: f64,
}

type Pick = fn(&Moment) -> Option<f64>;

/// Lines with one scale.
struct Panel {
    title: &'static str,
    lines: &'static [(&'static str, Pick)],
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Requests a second",
        lines: &[
            ("came", |at| at.came),
            ("counted by Prometheus", |at| at.counted),
        ],
    },
    Panel {
        title: "Replicas",
        lines: &[
            ("wanted", |at| at.wanted),
            ("ready", |at| at.ready),
            ("scraped", |at| at.scraped),
        ],
    },
    Panel {
        title: "p99 in milliseconds",
        lines: &[("p99", |at| at.p99)],
    },
    Panel {
        title: "Connections to the database",
        lines: &[("connections", |at| at.connections)],
    },
];

/// A row for each quarter of a minute.
pub fn tabulate(moments: &[Moment]) -> String {
    let mut text = String::from(
        "| second | requests a second | counted | replicas wanted | ready | scraped | p99 ms | connections | failed |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let Some(first) = moments.first() else {
        return text;
    };
    let (mut next, mut failed) = (0.0, 0.0);
    let show = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
    for moment in moments {
        failed += moment.failed;
        let second = moment.at - first.at;
        if second < next {
            continue;
        }
        next = second + ROW;
        let p99 = moment
            .p99
            .map_or_else(String::new, |value| format!("{value:.1}"));
        _ = writeln!(
            text,
            "| {second:.0} | {} | {} | {} | {} | {} | {p99} | {} | {failed:.0} |",
            show(moment.came),
            show(moment.counted),
            show(moment.wanted),
            show(moment.ready),
            show(moment.scraped),
            show(moment.connections),
        );
        failed = 0.0;
    }
    text
}

/// A panel for each scale, as SVG.
pub fn draw(title: &str, moments: &[Moment]) -> String {
    let start = moments.first().map_or(0.0, |first| first.at);
    let length = moments
        .last()
        .map_or(1.0, |last| (last.at - start).max(1.0));
    let all = GAP + PANELS.iter().map(|_| HEIGHT + GAP).sum::<f64>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {all}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"18\" font-size=\"15\">{title}</text>\n"
    );
    let mut top = GAP + 10.0;
    for panel in &PANELS {
        svg += &panel_at(panel, moments, start, length, top);
        top += HEIGHT + GAP;
    }
    _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#555\">{length:.0} s</text>\n</svg>",
        WIDTH - RIGHT,
        all - 14.0
    );
    svg
}

fn panel_at(panel: &Panel, moments: &[Moment], start: f64, length: f64, top: f64) -> String {
    let values = panel
        .lines
        .iter()
        .flat_map(|(_, pick)| moments.iter().filter_map(pick));
    let most = round_up(values.fold(0.0, f64::max));
    let x = |at: f64| LEFT + (at - start) / length * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| top + HEIGHT - value / most * HEIGHT;
    let mut svg = format!(
        "<text x=\"{LEFT}\" y=\"{:.0}\" fill=\"#111\">{}</text>\n",
        top - 6.0,
        panel.title
    );
    for value in [0.0, most / 2.0, most] {
        _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{value}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y(value) + 4.0,
            at = y(value)
        );
    }
    let mut key = WIDTH - RIGHT;
    for ((name, pick), colour) in panel.lines.iter().zip(COLOURS).rev() {
        let points = moments
            .iter()
            .filter_map(|moment| Some((moment.at, pick(moment)?)));
        let points = points.map(|(at, value)| format!("{:.1},{:.1}", x(at), y(value)));
        let points: Vec<_> = points.collect();
        _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
             <text x=\"{key:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
            points.join(" "),
            top - 6.0
        );
        key -= 150.0;
    }
    svg
}

/// The next of 1, 2, 5, 10, 20, 50 …
fn round_up(value: f64) -> f64 {
    let mut top = 1.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if top >= value || top > 1e12 {
            break;
        }
        top *= factor;
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_point_and_what_is_missing_has_none() {
        let moment = |at: f64, ready| Moment {
            at,
            ready,
            ..Moment::default()
        };
        let moments = [
            moment(1.0, Some(2.0)),
            moment(2.0, None),
            moment(3.0, Some(4.0)),
        ];
        let svg = draw("A run", &moments);
        assert_eq!(svg.matches(',').count(), 2, "{svg}");
        assert!(
            tabulate(&moments).contains("| 0 |"),
            "the first moment is second 0"
        );
    }
}
