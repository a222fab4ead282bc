//! A plot over time, as SVG that needs no script and no network.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 260.0;

/// Room for the numbers at the left, and everywhere else.
const LEFT: f64 = 70.0;
const MARGIN: f64 = 24.0;

/// Lines across.
const STEPS: u32 = 4;

const COLOURS: [&str; 3] = ["#2563eb", "#d97706", "#b91c1c"];

/// One line of a plot, a value for each second.
pub(crate) struct Line {
    pub name: &'static str,
    pub values: Vec<f64>,
}

/// Draws some lines with one scale.
pub(crate) fn draw(title: &str, unit: &str, lines: &[Line]) -> String {
    let greatest = lines.iter().flat_map(|line| &line.values);
    let top = round_up(greatest.copied().fold(0.0, f64::max));
    let seconds = lines.iter().map(|line| line.values.len()).max();
    let seconds = number(seconds.unwrap_or_default().max(2) - 1);
    let x = |second: f64| LEFT + second / seconds * (WIDTH - LEFT - MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - value / top * (HEIGHT - 2.0 * MARGIN);

    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n\
         <text x=\"{LEFT}\" y=\"14\" class=\"title\">{title}</text>\n"
    );
    for step in 0..=STEPS {
        let value = top * f64::from(step) / f64::from(STEPS);
        let (at, text) = (y(value), tick(value));
        _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" class=\"grid\"/>\
             <text x=\"{}\" y=\"{:.1}\" class=\"tick\" text-anchor=\"end\">{text} {unit}</text>",
            WIDTH - MARGIN,
            LEFT - 6.0,
            at + 4.0
        );
    }
    _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" class=\"tick\" text-anchor=\"end\">{seconds} s</text>",
        WIDTH - MARGIN,
        HEIGHT - 6.0
    );
    for (number_of_line, (line, colour)) in lines.iter().zip(COLOURS).enumerate() {
        let points = line.values.iter().enumerate();
        let points: Vec<_> = points
            .map(|(second, value)| format!("{:.1},{:.1}", x(number(second)), y(*value)))
            .collect();
        _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
             <text x=\"{}\" y=\"14\" fill=\"{colour}\" class=\"key\">{}</text>",
            points.join(" "),
            WIDTH - MARGIN - 70.0 * number(lines.len() - number_of_line),
            line.name
        );
    }
    svg + "</svg>\n"
}

#[expect(clippy::cast_precision_loss, reason = "seconds and lines are few")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

/// The next of 1, 2, 5, 10, 20, 50 …
fn round_up(value: f64) -> f64 {
    let mut top = 0.1;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if top >= value || top > 1e12 {
            break;
        }
        top *= factor;
    }
    top
}

fn tick(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_ends_at_a_round_number_above_its_values() {
        let found = [0.0, 0.1, 0.3, 4.0, 5.0, 51.0, 900.0].map(|value| tick(round_up(value)));
        assert_eq!(
            found,
            ["0.10", "0.10", "0.50", "5.00", "5.00", "100", "1000"]
        );
    }

    #[test]
    fn every_value_has_its_point() {
        let line = Line {
            name: "p50",
            values: vec![1.0, 2.0, 0.5],
        };
        let svg = draw("Latency", "ms", &[line]);
        assert_eq!(svg.matches(',').count(), 3, "{svg}");
        assert!(svg.contains(">p50</text>"), "{svg}");
    }
}
