//! A timeline as SVG that needs no script and no network: load, replicas and utilisation, one below the other.

use std::fmt::Write as _;

use super::timeline::{Moment, Timeline};

const WIDTH: f64 = 900.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 34.0;
const TOP: f64 = 44.0;

/// Room for the numbers at the left, and at the right.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;

/// Seconds share a column where there are more of them.
const COLUMNS: usize = 420;

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#444}.title{font-size:15px;font-weight:600;fill:#111}\
    .key{font-weight:600}.grid{stroke:#ddd}.bad{fill:#fecaca}polyline{fill:none;stroke-width:1.4}";

const BLUE: &str = "#2563eb";
const ORANGE: &str = "#d97706";
const GREEN: &str = "#15803d";
const GREY: &str = "#6b7280";

/// One line of a panel, a value for each column. A gap is where there is none.
struct Line {
    name: &'static str,
    colour: &'static str,
    values: Vec<Option<f64>>,
}

struct Panel {
    title: &'static str,
    lines: Vec<Line>,
}

/// Draws it.
pub(crate) fn draw(title: &str, timeline: &Timeline) -> String {
    let moments = &timeline.moments;
    let share = moments.len().div_ceil(COLUMNS).max(1);
    let columns: Vec<&[Moment]> = moments.chunks(share).collect();
    let panels = panels(&columns);
    let height = TOP + float(panels.len()) * (PANEL + GAP);
    let outcome = timeline.outcome();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" class=\"title\">{title}</text>\n\
         <text x=\"{LEFT}\" y=\"36\">overloaded for {} s (red), {:.2} % of the visitors gave up, {:.2} replica-hours</text>\n",
        outcome.overloaded,
        100.0 * outcome.failed,
        outcome.replica_hours
    );
    for (number, panel) in panels.iter().enumerate() {
        let top = TOP + float(number) * (PANEL + GAP) + GAP / 2.0;
        overload(&mut svg, top, &columns);
        axes(&mut svg, top, panel, moments.len());
        lines(&mut svg, top, panel);
    }
    svg + "</svg>\n"
}

fn panels(columns: &[&[Moment]]) -> [Panel; 3] {
    let line = |name, colour, of: &dyn Fn(&[Moment]) -> Option<f64>| Line {
        name,
        colour,
        values: columns.iter().map(|column| of(column)).collect(),
    };
    let most =
        |of: fn(&Moment) -> f64| move |column: &[Moment]| column.iter().map(of).reduce(f64::max);
    let last = |of: fn(&Moment) -> Option<f64>| move |column: &[Moment]| of(column.last()?);
    [
        Panel {
            title: "requests a second",
            lines: vec![
                line("load", BLUE, &most(|moment| moment.load)),
                line(
                    "capacity of those that are ready",
                    GREEN,
                    &last(|moment| Some(moment.capacity)),
                ),
                line(
                    "what the autoscaler is told",
                    ORANGE,
                    &last(|moment| moment.told),
                ),
            ],
        },
        Panel {
            title: "replicas",
            lines: vec![
                line(
                    "wanted",
                    ORANGE,
                    &last(|moment| Some(f64::from(moment.wanted))),
                ),
                line(
                    "ready",
                    GREEN,
                    &last(|moment| Some(f64::from(moment.ready))),
                ),
                line(
                    "with those that end",
                    GREY,
                    &last(|moment| Some(f64::from(moment.pods))),
                ),
            ],
        },
        Panel {
            title: "utilisation, % of what the ready ones can do",
            lines: vec![line(
                "load ÷ capacity",
                BLUE,
                &most(|moment| 100.0 * moment.utilisation()),
            )],
        },
    ]
}

fn x(column: usize, columns: usize) -> f64 {
    LEFT + float(column) / float(columns.max(2) - 1) * (WIDTH - LEFT - RIGHT)
}

/// Where visitors had to wait.
fn overload(svg: &mut String, top: f64, columns: &[&[Moment]]) {
    let is_bad = |column: &[Moment]| column.iter().any(Moment::is_overloaded);
    let mut begun = None;
    for (number, bad) in columns
        .iter()
        .map(|column| is_bad(column))
        .chain([false])
        .enumerate()
    {
        match (begun, bad) {
            (None, true) => begun = Some(number),
            (Some(from), false) => {
                let (from, to) = (
                    x(from, columns.len()),
                    x(number.min(columns.len() - 1), columns.len()),
                );
                let width = (to - from).max(1.5);
                _ = writeln!(
                    svg,
                    "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{PANEL}\" class=\"bad\"/>"
                );
                begun = None;
            }
            _ => {}
        }
    }
}

fn axes(svg: &mut String, top: f64, panel: &Panel, seconds: usize) {
    let scale = scale(panel);
    for step in 0..=4_u8 {
        let value = scale * f64::from(step) / 4.0;
        let y = top + PANEL * (1.0 - f64::from(step) / 4.0);
        _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"grid\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    let step = [60, 300, 600, 3600, 7200, 14_400]
        .into_iter()
        .find(|step| seconds / step <= 12)
        .unwrap_or(86_400);
    for second in (0..=seconds).step_by(step) {
        let clock = format!("{}:{:02}", second / 60, second % 60);
        let clock = if step < 3600 {
            clock
        } else {
            format!("{}:00", second / 3600)
        };
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{clock}</text>",
            x(second, seconds + 1),
            top + PANEL + 15.0
        );
    }
}

fn lines(svg: &mut String, top: f64, panel: &Panel) {
    let scale = scale(panel);
    _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.1}\" class=\"key\">{}</text>",
        top - 4.0,
        panel.title
    );
    let mut right = WIDTH - RIGHT;
    for line in panel.lines.iter().rev() {
        let (name, colour) = (line.name, line.colour);
        _ = writeln!(
            svg,
            "<text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\" class=\"key\" style=\"fill:{colour}\">{name}</text>",
            top - 4.0
        );
        right -= 6.2 * float(name.len()) + 16.0;
        for piece in pieces(&line.values) {
            let points: Vec<_> = piece
                .iter()
                .map(|(column, value)| {
                    let y = top + PANEL * (1.0 - value / scale);
                    format!("{:.1},{y:.1}", x(*column, line.values.len()))
                })
                .collect();
            _ = writeln!(
                svg,
                "<polyline points=\"{}\" style=\"stroke:{colour}\"/>",
                points.join(" ")
            );
        }
    }
}

/// The stretches without a gap, each without the points that lie between two of the same height.
fn pieces(values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut pieces: Vec<Vec<(usize, f64)>> = vec![Vec::new()];
    for (column, value) in values.iter().enumerate() {
        let piece = pieces.last_mut().expect("there is always one");
        match (value, piece.as_mut_slice()) {
            (None, []) => {}
            (None, _) => pieces.push(Vec::new()),
            (Some(value), [.., first, second]) if is_flat([first.1, second.1, *value]) => {
                second.0 = column;
            }
            (Some(value), _) => piece.push((column, *value)),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn is_flat(values: [f64; 3]) -> bool {
    let [first, rest @ ..] = values;
    rest.iter().all(|value| (value - first).abs() < 1e-9)
}

/// The greatest value of a panel, rounded up to 4, 8, 12, 20, 40 … so that its quarters are round.
fn scale(panel: &Panel) -> f64 {
    let values = panel.lines.iter().flat_map(|line| &line.values).flatten();
    let greatest = values.copied().fold(1.0, f64::max);
    let mut unit = 1.0;
    loop {
        for factor in [4.0, 8.0, 12.0, 20.0] {
            if factor * unit >= greatest {
                return factor * unit;
            }
        }
        unit *= 10.0;
    }
}

#[expect(clippy::cast_precision_loss, reason = "columns and letters are few")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_nothing_was_told_and_flat_stretches_have_two_points() {
        let values = [
            Some(1.0),
            Some(1.0),
            Some(1.0),
            Some(2.0),
            None,
            None,
            Some(3.0),
        ];
        let expected = vec![vec![(0, 1.0), (2, 1.0), (3, 2.0)], vec![(6, 3.0)]];
        assert_eq!(pieces(&values), expected);
    }

    #[test]
    fn a_drawing_has_its_lines_and_marks_overload() {
        let moment = |waiting| Moment {
            load: 300.0,
            capacity: 200.0,
            told: None,
            wanted: 3,
            ready: 2,
            pods: 2,
            waiting,
            failed: 0.0,
        };
        let timeline = Timeline::new(vec![moment(0.0), moment(9.0), moment(0.0)]);
        let svg = draw("Three seconds", &timeline);
        assert_eq!(svg.matches("<polyline").count(), 6, "nothing was told");
        assert_eq!(svg.matches("class=\"bad\"").count(), 3, "one in each panel");
        assert!(svg.contains("overloaded for 1 s"), "{svg}");
    }
}
