//! Bar charts: figures in, the text of an SVG out. Pure. A chart stands alone: it has a title and a description for those
//! who do not see it, follows the reader's light or dark theme, and writes each value beside its bar.

use std::fmt::Write;

/// A chart of horizontal bars.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chart {
    pub(super) title: String,
    /// What it shows, for those who do not see it.
    pub(super) description: String,
    /// What the scale measures.
    pub(super) axis: &'static str,
    pub(super) scale: Scale,
    pub(super) bars: Vec<Bar>,
    /// What is said instead of bars, if there are none.
    pub(super) nothing: &'static str,
}

/// From a value to a place on the axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// 0 to 1, written in percent.
    Share,
    /// Times in milliseconds, by their logarithm.
    Milliseconds,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// Where the value may be, by chance.
    pub(super) interval: Option<(f64, f64)>,
    /// The value in words, beside the bar.
    pub(super) text: String,
}

const WIDTH: f64 = 760.0;
/// Where the bars begin and how long the longest is.
const LEFT: f64 = 220.0;
const LENGTH: f64 = 340.0;
const TOP: f64 = 56.0;
const ROW: f64 = 30.0;
const THICK: f64 = 16.0;
/// Room below the bars, for the axis.
const BELOW: f64 = 58.0;
/// Characters of a label; more would run into its bar.
const LABEL_CHARS: usize = 28;

/// Text colours have a contrast of 4.5:1 or more on their ground, bars of 3:1; in both themes.
const STYLE: &str = "\
.ground{fill:#fffcf5}.title{fill:#231d15;font-weight:600;font-size:17px}.text{fill:#231d15}.soft{fill:#5d5344}\
.bar{fill:#a8813a}.line{stroke:#d9cdb6}.range{stroke:#231d15;stroke-width:1.5;fill:none}\
@media(prefers-color-scheme:dark){.ground{fill:#1c1813}.title,.text{fill:#f0e7d6}.soft{fill:#b7aa94}.bar{fill:#a37f3c}\
.line{stroke:#3a3227}.range{stroke:#f0e7d6}}";

/// A place on the axis of a scale that ends at some value.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    fn of(chart: &Chart) -> Self {
        let values = || chart.bars.iter().map(|bar| bar.value).filter(|value| *value > 0.0);
        let (low, high) = match chart.scale {
            Scale::Share => (0.0, 1.0),
            // Whole decades, and one more below: the shortest bar is to be seen.
            Scale::Milliseconds => {
                let low = values().fold(f64::INFINITY, f64::min).log10().floor() - 1.0;
                let high = values().fold(f64::NEG_INFINITY, f64::max).log10().ceil();
                if low.is_finite() { (low, high.max(low + 1.0)) } else { (0.0, 1.0) }
            }
        };
        Self { scale: chart.scale, low, high }
    }

    /// Pixels from the beginning of the bars.
    fn at(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Share => value,
            Scale::Milliseconds if value > 0.0 => value.log10(),
            Scale::Milliseconds => self.low,
        };
        LENGTH * ((place - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The lines of the grid, with their names.
    fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Share => (0..=4).map(|n| f64::from(n) / 4.0).map(|v| (v, format!("{} %", v * 100.0))).collect(),
            Scale::Milliseconds => {
                let decades = self.low as i32..=self.high as i32;
                decades.map(|decade| 10_f64.powi(decade)).map(|v| (v, v.to_string())).collect()
            }
        }
    }
}

/// Draws a chart.
pub(super) fn draw(chart: &Chart) -> String {
    let bottom = TOP + ROW * chart.bars.len().max(1) as f64;
    let height = bottom + BELOW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"title description\" font-family=\"system-ui,sans-serif\" font-size=\"13\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n",
        escaped(&chart.title),
        escaped(&chart.description),
    );
    text(&mut svg, "title", (16.0, 30.0), "start", &chart.title);
    if chart.bars.is_empty() {
        text(&mut svg, "soft", (16.0, TOP + 20.0), "start", chart.nothing);
    } else {
        let axis = Axis::of(chart);
        grid(&mut svg, &axis, bottom);
        text(&mut svg, "soft", (LEFT + LENGTH / 2.0, bottom + 44.0), "middle", chart.axis);
        for (n, bar) in chart.bars.iter().enumerate() {
            row(&mut svg, &axis, bar, TOP + ROW * n as f64);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String, axis: &Axis, bottom: f64) {
    for (value, name) in axis.ticks() {
        let x = LEFT + axis.at(value);
        let _ = writeln!(svg, "<path class=\"line\" d=\"M{x:.1} {:.1}V{:.1}\"/>", TOP - 6.0, bottom + 4.0);
        text(svg, "soft", (x, bottom + 22.0), "middle", &name);
    }
}

fn row(svg: &mut String, axis: &Axis, bar: &Bar, top: f64) {
    let (middle, length) = (top + ROW / 2.0, axis.at(bar.value));
    text(svg, "text", (LEFT - 10.0, middle + 4.5), "end", &short(&bar.label));
    let y = middle - THICK / 2.0;
    // Writing into a string cannot fail.
    let _ = writeln!(
        svg,
        "<rect class=\"bar\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{THICK}\" rx=\"2\"/>"
    );
    let mut end = length;
    if let Some((low, high)) = bar.interval {
        let (from, to) = (LEFT + axis.at(low), LEFT + axis.at(high));
        let _ = writeln!(
            svg,
            "<path class=\"range\" d=\"M{from:.1} {:.1}v8M{from:.1} {middle:.1}H{to:.1}M{to:.1} {:.1}v8\"/>",
            middle - 4.0,
            middle - 4.0,
        );
        end = end.max(axis.at(high));
    }
    text(svg, "text", (LEFT + end + 10.0, middle + 4.5), "start", &bar.text);
}

/// A label that fits.
fn short(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS {
        return label.to_owned();
    }
    label.chars().take(LABEL_CHARS - 1).chain(['…']).collect()
}

fn text(svg: &mut String, class: &str, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

/// Text as XML has it. Characters that XML does not allow at all are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale, values: &[f64]) -> Chart {
        let bar = |value: &f64| Bar {
            label: "a <b> & a label that is far too long for its place".into(),
            value: *value,
            interval: Some((value * 0.5, (value * 1.5).min(1.0))),
            text: "so much".into(),
        };
        Chart {
            title: "T \"x\"".into(),
            description: "D\u{0}".into(),
            axis: "axis",
            scale,
            bars: values.iter().map(bar).collect(),
            nothing: "nothing was seen",
        }
    }

    /// Every number of an attribute.
    fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
        let marker = format!(" {attribute}=\"");
        svg.split(&marker).skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
    }

    #[test]
    fn every_bar_lies_inside_the_picture_and_text_is_no_markup() {
        for (scale, values) in [
            (Scale::Share, vec![0.0, 0.5, 1.0]),
            (Scale::Milliseconds, vec![0.2, 17.0, 9_000.0]),
            (Scale::Milliseconds, vec![10.0]),
            (Scale::Milliseconds, vec![0.0]),
        ] {
            let svg = draw(&chart(scale, &values));
            assert!(
                !svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<b>") && !svg.contains('\u{0}'),
                "{svg}"
            );
            assert!(numbers(&svg, "x").iter().all(|x| (0.0..=WIDTH).contains(x)), "{svg}");
            let widths = numbers(&svg, "width");
            assert!(widths.iter().skip(1).all(|width| (0.0..=LENGTH).contains(width)), "{widths:?}");
            assert_eq!(svg.matches("class=\"bar\"").count(), values.len());
            assert!(svg.contains("<title id=\"title\">T &quot;x&quot;</title>") && svg.contains("a &lt;b&gt; &amp;"));
        }
    }

    #[test]
    fn longer_values_have_longer_bars() {
        for (scale, values) in [(Scale::Share, [0.1, 0.2, 0.9]), (Scale::Milliseconds, [0.3, 40.0, 41.0])] {
            let svg = draw(&chart(scale, &values));
            let lengths: Vec<f64> = svg
                .lines()
                .filter(|line| line.contains("class=\"bar\""))
                .flat_map(|line| numbers(line, "width"))
                .collect();
            assert!(lengths.len() == 3 && lengths.windows(2).all(|pair| pair[0] < pair[1]), "{lengths:?}");
        }
    }

    #[test]
    fn a_chart_without_bars_says_why() {
        let svg = draw(&chart(Scale::Milliseconds, &[]));
        assert!(svg.contains("nothing was seen") && !svg.contains("NaN"));
    }
}
