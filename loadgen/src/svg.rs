//! Plots: latency by percentile, and throughput over time. Pure: figures in, the text of an SVG out.

use std::fmt::Write;

use crate::stats::Latencies;

/// Size of one plot, and the room around it.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;
const BETWEEN: f64 = 70.0;

/// Told apart by people who see few colours, too.
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999"];

/// Latency by percentile: each point is a share below 1, and microseconds.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Whose.
    pub name: String,
    /// Rising shares.
    pub points: Vec<(f64, f64)>,
}

/// The points of a curve: from the median outwards, ten to each further nine, as far as the number of values goes.
pub fn tail(times: &Latencies) -> Vec<(f64, f64)> {
    let nines = (times.count().max(1) as f64).log10().min(5.0);
    let shares = (0..).map(|step| f64::from(step) / 10.0).take_while(|nine| *nine <= nines);
    shares.map(|nine| 1.0 - 10_f64.powf(-nine)).map(|share| (share, times.quantile(share).max(1) as f64)).collect()
}

/// Draws both plots below a title. `step` is the seconds of one value of the timeline.
pub fn draw(title: &str, curves: &[Curve], timeline: &[f64], step: f64) -> String {
    let (width, height) = (LEFT + WIDTH + 150.0, 2.0 * (TOP + HEIGHT) + BETWEEN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, LEFT, 20.0, "start", title);
    percentiles(&mut svg, TOP, curves);
    throughput(&mut svg, TOP + HEIGHT + BETWEEN, timeline, step);
    svg.push_str("</svg>\n");
    svg
}

fn percentiles(svg: &mut String, top: f64, curves: &[Curve]) {
    let values = || curves.iter().flat_map(|curve| &curve.points);
    // Whole decades, so that the lines of the grid are round numbers.
    let low = values().map(|(_, us)| us.log10().floor()).fold(f64::INFINITY, f64::min);
    let high = values().map(|(_, us)| us.log10().ceil()).fold(low + 1.0, f64::max);
    let nines = values().map(|(share, _)| -(1.0 - share).log10()).fold(1.0, f64::max).ceil();
    text(svg, LEFT, top - 8.0, "start", "latency by percentile, µs");
    if !low.is_finite() {
        return text(svg, LEFT, top + 20.0, "start", "nothing was answered");
    }
    let x = |share: f64| LEFT + WIDTH * -(1.0 - share).log10() / nines;
    let y = |us: f64| top + HEIGHT * (1.0 - (us.log10() - low) / (high - low));
    for decade in low as i32..=high as i32 {
        let us = 10_f64.powi(decade);
        grid(svg, (LEFT, y(us)), (LEFT + WIDTH, y(us)));
        text(svg, LEFT - 8.0, y(us) + 4.0, "end", &format!("{us}"));
    }
    for nine in 0..=nines as usize {
        let name = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"].get(nine).copied().unwrap_or_default();
        let at = LEFT + WIDTH * nine as f64 / nines;
        grid(svg, (at, top), (at, top + HEIGHT));
        text(svg, at, top + HEIGHT + 18.0, "middle", name);
    }
    for (number, curve) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        line(svg, colour, curve.points.iter().map(|(share, us)| (x(*share), y(*us))));
        let row = top + 14.0 + 18.0 * number as f64;
        line(svg, colour, [(LEFT + WIDTH + 12.0, row - 4.0), (LEFT + WIDTH + 32.0, row - 4.0)].into_iter());
        text(svg, LEFT + WIDTH + 38.0, row, "start", &curve.name);
    }
}

fn throughput(svg: &mut String, top: f64, timeline: &[f64], step: f64) {
    text(svg, LEFT, top - 8.0, "start", "answers per second, over seconds");
    let highest = timeline.iter().copied().fold(0.0, f64::max);
    if highest <= 0.0 {
        return text(svg, LEFT, top + 20.0, "start", "nothing was answered");
    }
    let (most, seconds) = (round_up(highest), timeline.len() as f64 * step);
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let (x, y) = (LEFT + WIDTH * share, top + HEIGHT * (1.0 - share));
        grid(svg, (LEFT, y), (LEFT + WIDTH, y));
        text(svg, LEFT - 8.0, y + 4.0, "end", &format!("{}", most * share));
        grid(svg, (x, top), (x, top + HEIGHT));
        text(svg, x, top + HEIGHT + 18.0, "middle", &format!("{:.1}", seconds * share));
    }
    let points = timeline.iter().enumerate().map(|(number, value)| {
        (LEFT + WIDTH * (number as f64 + 0.5) * step / seconds, top + HEIGHT * (1.0 - value / most))
    });
    line(svg, COLOURS[0], points);
}

/// The next number whose quarters are round.
fn round_up(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0]
        .map(|factor| factor * decade)
        .into_iter()
        .find(|round| *round >= value)
        .unwrap_or(value)
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let safe = words.replace('&', "&amp;").replace('<', "&lt;");
    // Writing into a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{safe}</text>");
}

fn grid(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = writeln!(svg, "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#ddd\" fill=\"none\"/>");
}

fn line(svg: &mut String, colour: &str, points: impl Iterator<Item = (f64, f64)>) {
    let path: Vec<String> = points.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let _ = writeln!(svg, "<path d=\"M{}\" stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\"/>", path.join("L"));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn times(count: u64) -> Latencies {
        let mut times = Latencies::default();
        (1..=count).for_each(|micros| times.record(Duration::from_micros(micros)));
        times
    }

    #[test]
    fn a_curve_goes_as_far_as_its_values() {
        let points = tail(&times(1_000));
        assert_eq!((points.len(), points[0].0, points[30].1), (31, 0.0, 999.0));
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(tail(&times(1)).len(), 1);
    }

    #[test]
    fn every_point_lies_inside_the_picture() {
        let curves = [1, 10, 100_000].map(|count| Curve { name: count.to_string(), points: tail(&times(count)) });
        let svg = draw("a < b & c", &curves, &[0.0, 5.0, 123_456.0], 0.1);
        assert!(svg.contains("a &lt; b &amp; c") && svg.ends_with("</svg>\n"));
        let paths: Vec<&str> = svg.split(" d=\"M").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(paths.len() > 20);
        for point in paths.iter().flat_map(|path| path.split('L')) {
            let (x, y) = point.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=LEFT + WIDTH + 150.0).contains(&x) && (TOP..=2.0 * (TOP + HEIGHT) + BETWEEN).contains(&y));
        }
    }

    #[test]
    fn a_run_without_answers_has_a_plot_that_says_so() {
        let svg = draw("x", &[], &[0.0; 5], 0.1);
        assert_eq!(svg.matches("nothing was answered").count(), 2);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn the_top_of_a_scale_is_round() {
        for (value, round) in [(0.3, 0.32), (1.0, 1.0), (3.0, 3.2), (41.0, 60.0), (123_456.0, 160_000.0)] {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
    }
}
