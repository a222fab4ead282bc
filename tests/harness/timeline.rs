//! What was seen of a run, moment by moment: as a picture that needs no script, as a table, and as CSV for `shortener-simulate compare`.

use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 20.0;
/// Of what is said above the panels.
const HEAD: f64 = 104.0;
/// Of one panel, and of the room below it, where the seconds stand and the next panel's name.
const HEIGHT: f64 = 116.0;
const GAP: f64 = 48.0;

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

/// Something that happened, at a second since 1970, in a few words.
#[derive(Clone, Debug)]
pub struct Mark {
    pub at: f64,
    pub what: String,
}

/// A run, and what there is to say about it.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    pub title: &'a str,
    pub about: &'a str,
    pub moments: &'a [Moment],
    pub marks: &'a [Mark],
}

type Pick = fn(&Moment) -> Option<f64>;

/// How a line is drawn: whoever sees no colours tells them apart all the same, and those below others are wider.
struct Style {
    colour: &'static str,
    width: f64,
    dashes: &'static str,
    /// Whether a value holds until the next one.
    is_step: bool,
}

impl Style {
    fn stroke(&self) -> String {
        format!(
            "stroke=\"{}\" stroke-width=\"{}\" stroke-dasharray=\"{}\"",
            self.colour, self.width, self.dashes
        )
    }
}

struct Line {
    name: &'static str,
    pick: Pick,
    style: Style,
}

/// Lines with one scale.
struct Panel {
    title: &'static str,
    lines: &'static [Line],
}

const fn line(name: &'static str, pick: Pick, style: Style) -> Line {
    Line { name, pick, style }
}

const fn style(colour: &'static str, width: f64, dashes: &'static str, is_step: bool) -> Style {
    Style {
        colour,
        width,
        dashes,
        is_step,
    }
}

const BLUE: &str = "#1d4ed8";
const AMBER: &str = "#b45309";
const GREEN: &str = "#15803d";
const RED: &str = "#b91c1c";

const PANELS: [Panel; 4] = [
    Panel {
        title: "Requests a second",
        lines: &[
            line("sent", |at| at.came, style(BLUE, 2.0, "", true)),
            line(
                "as Prometheus tells it, over a minute",
                |at| at.counted,
                style(AMBER, 1.5, "6 3", false),
            ),
            line("failed", |at| Some(at.failed), style(RED, 1.5, "", true)),
        ],
    },
    Panel {
        title: "Replicas",
        lines: &[
            line("ready", |at| at.ready, style("#93b4f5", 6.0, "", true)),
            line(
                "wanted by the autoscaler",
                |at| at.wanted,
                style(AMBER, 2.0, "6 3", true),
            ),
            line(
                "read by Prometheus",
                |at| at.scraped,
                style(GREEN, 1.5, "2 3", true),
            ),
        ],
    },
    Panel {
        title: "Latency in milliseconds, the slowest hundredth (p99)",
        lines: &[line("p99", |at| at.p99, style(BLUE, 1.5, "", false))],
    },
    Panel {
        title: "Connections to the database",
        lines: &[line(
            "connections",
            |at| at.connections,
            style(BLUE, 1.5, "", true),
        )],
    },
];

/// A row for each quarter of a minute: the last that was seen in it, the worst p99, all failures.
pub fn tabulate(moments: &[Moment]) -> String {
    let mut text = String::from(
        "| second | requests a second | counted | replicas wanted | ready | scraped | p99 ms | connections | failed |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let Some(first) = moments.first() else {
        return text;
    };
    let show = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
    let row = |moment: &Moment| ((moment.at - first.at) / ROW).floor();
    for group in moments.chunk_by(|a, b| (row(a) - row(b)).abs() < 0.5) {
        let last = |pick: Pick| show(group.iter().rev().find_map(pick));
        let p99 = group.iter().filter_map(|moment| moment.p99);
        let failed: f64 = group.iter().map(|moment| moment.failed).sum();
        _ = writeln!(
            text,
            "| {:.0} | {} | {} | {} | {} | {} | {} | {} | {failed:.0} |",
            row(&group[0]) * ROW,
            last(|at| at.came),
            last(|at| at.counted),
            last(|at| at.wanted),
            last(|at| at.ready),
            last(|at| at.scraped),
            show(p99.reduce(f64::max)),
            last(|at| at.connections),
        );
    }
    text
}

/// A line for each moment from this one on, in seconds since then. What could not be read is as it was before.
pub fn csv(moments: &[Moment], from: f64) -> String {
    let mut text = String::from("time,load,rate,replicas,wanted,connections,failed\n");
    let mut last = [0.0; 5];
    let mut begun = None;
    for moment in moments {
        let seen = [
            moment.came,
            moment.counted,
            moment.ready,
            moment.wanted,
            moment.connections,
        ];
        for (last, seen) in last.iter_mut().zip(seen) {
            *last = seen.unwrap_or(*last);
        }
        if moment.at < from {
            continue;
        }
        let second = moment.at - *begun.get_or_insert(moment.at);
        let [load, rate, replicas, wanted, connections] = last;
        _ = writeln!(
            text,
            "{second:.1},{load},{rate:.1},{replicas},{wanted},{connections},{}",
            moment.failed
        );
    }
    text
}

/// Where a second is on the picture.
struct Scale {
    start: f64,
    length: f64,
}

impl Scale {
    fn of(moments: &[Moment]) -> Self {
        let start = moments.first().map_or(0.0, |first| first.at);
        let last = moments.last().map_or(start, |last| last.at);
        Self {
            start,
            length: (last - start).max(1.0),
        }
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (at - self.start) / self.length * (WIDTH - LEFT - RIGHT)
    }
}

/// A panel for each scale, as SVG. Marks are numbered, and go through all panels.
pub fn draw(timeline: &Timeline<'_>) -> String {
    let scale = Scale::of(timeline.moments);
    let count = f64::from(u8::try_from(PANELS.len()).expect("there are few"));
    let bottom = HEAD + count * (HEIGHT + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {bottom}\" font-family=\"sans-serif\" font-size=\"12\" \
         role=\"img\" aria-label=\"{title}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"{LEFT}\" y=\"42\" fill=\"#333\">{about}</text>\n",
        title = escaped(timeline.title),
        about = escaped(timeline.about),
    );
    let end = HEAD + (count - 1.0) * (HEIGHT + GAP) + HEIGHT;
    svg += &marks(timeline.marks, &scale, end);
    let mut top = HEAD;
    for panel in &PANELS {
        svg += &panel_at(panel, timeline.moments, &scale, top);
        top += HEIGHT + GAP;
    }
    svg += "</svg>\n";
    svg
}

fn marks(marks: &[Mark], scale: &Scale, end: f64) -> String {
    let mut svg = String::new();
    for (mark, number) in marks.iter().zip(1..) {
        let x = scale.x(mark.at);
        // One beside another has a line of its own.
        let y = if number % 2 == 1 { 58.0 } else { 72.0 };
        // What is said stays within the picture.
        let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
        let beside = if x > WIDTH / 2.0 { -5.0 } else { 5.0 };
        _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{end:.1}\" stroke=\"#888\" stroke-dasharray=\"3 3\"/>\
             <text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#111\">{}</text>",
            y - 9.0,
            x + beside,
            escaped(&mark.what)
        );
    }
    svg
}

fn panel_at(panel: &Panel, moments: &[Moment], scale: &Scale, top: f64) -> String {
    let lines = panel.lines.iter();
    let values = lines.flat_map(|line| moments.iter().filter_map(line.pick));
    let (step, most) = ticks(values.fold(0.0, f64::max));
    let bottom = top + HEIGHT;
    let y = |value: f64| bottom - value / most * HEIGHT;
    let mut svg = format!(
        "<text x=\"{LEFT}\" y=\"{:.0}\" font-weight=\"bold\">{}</text>\n",
        top - 8.0,
        panel.title
    );
    let mut value = 0.0;
    while value <= most {
        _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e3e3e3\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{value}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y(value) + 4.0,
            at = y(value)
        );
        value += step;
    }
    svg += &minutes(scale, bottom);
    for line in panel.lines {
        let points = points(line, moments, |at| scale.x(at), y);
        let stroke = line.style.stroke();
        _ = writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" {stroke}/>"
        );
    }
    svg + &key(panel, top)
}

/// What each line of a panel is, above it on the right.
fn key(panel: &Panel, top: f64) -> String {
    const DRAWN: f64 = 26.0;
    let letters = |line: &Line| f64::from(u8::try_from(line.name.len()).expect("names are short"));
    let width = |line: &Line| DRAWN + 24.0 + 6.3 * letters(line);
    let mut x = WIDTH - RIGHT - panel.lines.iter().map(width).sum::<f64>();
    let mut svg = String::new();
    for line in panel.lines {
        _ = writeln!(
            svg,
            "<line x1=\"{x:.0}\" x2=\"{:.0}\" y1=\"{middle:.0}\" y2=\"{middle:.0}\" {}/>\
             <text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            x + DRAWN,
            line.style.stroke(),
            x + DRAWN + 5.0,
            top - 8.0,
            line.name,
            middle = top - 12.0,
        );
        x += width(line);
    }
    svg
}

/// The points of a line. With steps, a value holds until the next moment.
fn points(
    line: &Line,
    moments: &[Moment],
    x: impl Fn(f64) -> f64,
    y: impl Fn(f64) -> f64,
) -> String {
    let mut text = String::new();
    let mut last = None;
    for moment in moments {
        let Some(value) = (line.pick)(moment) else {
            continue;
        };
        if let Some(last) = last.filter(|_| line.style.is_step) {
            _ = write!(text, "{:.1},{:.1} ", x(moment.at), y(last));
        }
        _ = write!(text, "{:.1},{:.1} ", x(moment.at), y(value));
        last = Some(value);
    }
    text.truncate(text.trim_end().len());
    text
}

/// Each minute below a panel, counted from the first moment.
fn minutes(scale: &Scale, bottom: f64) -> String {
    let mut svg = String::new();
    let mut minute = 0.0;
    while minute * 60.0 <= scale.length {
        let x = scale.x(scale.start + minute * 60.0);
        _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom:.1}\" y2=\"{:.1}\" stroke=\"#999\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{minute}:00</text>",
            bottom + 4.0,
            bottom + 16.0
        );
        minute += 1.0;
    }
    svg
}

/// How far apart ticks are, of 1, 2, 5, 10, 20, 50 …, and the last of them: at most five reach `value`.
fn ticks(value: f64) -> (f64, f64) {
    let mut step = 1.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if step * 5.0 >= value || step > 1e12 {
            break;
        }
        step *= factor;
    }
    (step, (value / step).ceil().max(1.0) * step)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at: f64, ready: Option<f64>) -> Moment {
        Moment {
            at,
            ready,
            ..Moment::default()
        }
    }

    #[test]
    fn what_is_missing_has_no_point_and_a_step_has_a_corner() {
        let moments = [
            moment(1.0, Some(2.0)),
            moment(2.0, None),
            moment(3.0, Some(4.0)),
        ];
        let ready = &PANELS[1].lines[0];
        assert_eq!(
            points(ready, &moments, |x| x, |y| y),
            "1.0,2.0 3.0,2.0 3.0,4.0"
        );
    }

    #[test]
    fn a_mark_is_where_it_happened_and_says_what() {
        let moments = [moment(0.0, Some(1.0)), moment(100.0, Some(1.0))];
        let marks = [Mark {
            at: 0.0,
            what: "a < b".to_owned(),
        }];
        let svg = draw(&Timeline {
            title: "A run",
            about: "",
            moments: &moments,
            marks: &marks,
        });
        assert!(
            svg.contains(&format!("x1=\"{LEFT:.1}\" x2=\"{LEFT:.1}\"")),
            "{svg}"
        );
        assert!(svg.contains("a &lt; b"));
    }

    #[test]
    fn a_row_has_what_was_seen_last_and_every_failure() {
        let mut moments = [
            moment(1.0, Some(2.0)),
            moment(9.0, Some(3.0)),
            moment(16.0, None),
        ];
        moments[0].failed = 1.0;
        moments[1].failed = 2.0;
        let table = tabulate(&moments);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| 0 |  |  |  | 3 |  |  |  | 3 |",
                "| 15 |  |  |  |  |  |  |  | 0 |"
            ]
        );
    }

    #[test]
    fn the_first_line_of_csv_is_second_0_and_what_is_missing_stays_as_it_was() {
        let moments = [
            moment(1.0, Some(2.0)),
            moment(5.0, None),
            moment(7.5, Some(3.0)),
        ];
        let csv = csv(&moments, 2.0);
        let lines: Vec<_> = csv.lines().skip(1).collect();
        assert_eq!(lines, ["0.0,0,0.0,2,0,0,0", "2.5,0,0.0,3,0,0,0"]);
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            [0.0, 5.0, 36.0, 375.0].map(ticks),
            [(1.0, 1.0), (1.0, 5.0), (10.0, 40.0), (100.0, 400.0)]
        );
    }
}
