//! A report as one HTML file that needs nothing else: text, and charts as SVG.

use std::fmt::Write as _;
use std::ops::Range;

use plotters::prelude::*;

/// A line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Somebody else's figures.
    pub(crate) is_dashed: bool,
    /// Which of [`COLOURS`]; lines that belong together have one.
    pub(crate) colour: usize,
}

/// What a chart shows.
#[derive(Clone, Debug)]
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    /// What can be seen in it, in a sentence or two.
    pub(crate) says: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) x_scale: Scale,
    pub(crate) y_scale: Scale,
    pub(crate) lines: Vec<Line>,
}

/// How an axis is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From the least to the most.
    Linear,
    /// From zero to the most.
    FromZero,
    /// By their decimal logarithm; what is not above zero is left out.
    Logarithmic,
}

/// Colours that people with any kind of colour vision can tell (Okabe and Ito, 2008), in an order in which
/// neighbours differ in lightness too.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(0, 158, 115),
];

/// A page under construction.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    body: String,
}

impl Page {
    /// A page that says which command makes it again, and of which commit it is if that was told to the compiler.
    pub(crate) fn made_by(title: &str, command: &str) -> Self {
        let mut page = Self::new(title);
        let version = env!("CARGO_PKG_VERSION");
        let commit = option_env!("MINGLE_COMMIT").filter(|commit| !commit.is_empty());
        let of = commit.map_or_else(String::new, |commit| format!(" of commit {commit}"));
        page.say(&format!("Simulated, by mingle-sim {version}{of}. Made by: {command}"));
        page
    }

    fn new(title: &str) -> Self {
        Self { title: escape(title), body: format!("<h1>{}</h1>\n", escape(title)) }
    }

    /// A paragraph.
    pub(crate) fn say(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
    }

    /// Text that was laid out already.
    pub(crate) fn lay_out(&mut self, text: &str) {
        let _ = writeln!(self.body, "<pre>{}</pre>", escape(text));
    }

    pub(crate) fn draw(&mut self, chart: &Chart<'_>) {
        let (title, says) = (escape(chart.title), escape(chart.says));
        let (svg, key) = (svg(chart), key(&chart.lines));
        let _ = writeln!(
            self.body,
            "<figure>\n<h2>{title}</h2>\n{svg}\n{key}\n<figcaption>{says}</figcaption>\n</figure>"
        );
    }

    pub(crate) fn html(self) -> String {
        let Self { title, body } = self;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n<body>\n{body}</body>\n</html>\n"
        )
    }
}

const STYLE: &str = "\
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: #111; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem }
pre { overflow-x: auto; padding: .75rem; background: #f4f4f4; font-size: .8rem; line-height: 1.35 }
figure { margin: 2rem 0; break-inside: avoid } svg { width: 100%; height: auto }
figure ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0 0 0 4rem; list-style: none; font-size: .9rem }
figure i { display: inline-block; width: 1.8rem; margin-right: .4rem; vertical-align: middle }
figcaption { color: #444; font-size: .9rem }
@media print { body { margin: 0; max-width: none } pre { white-space: pre-wrap } }
";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Which line is whose, below the chart, where it hides nothing.
fn key(lines: &[Line]) -> String {
    let item = |line: &Line| {
        let RGBColor(red, green, blue) = COLOURS[line.colour % COLOURS.len()];
        let style = if line.is_dashed { "dashed" } else { "solid" };
        let name = escape(&line.name);
        format!(
            "<li><i style=\"border-top: 3px {style} rgb({red}, {green}, {blue})\"></i>{name}</li>"
        )
    };
    format!("<ul>{}</ul>", lines.iter().map(item).collect::<String>())
}

const SIZE: (u32, u32) = (900, 460);

fn svg(chart: &Chart<'_>) -> String {
    let mut text = String::new();
    draw(chart, &mut text).expect("a string takes all that is drawn");
    text
}

type Trouble = DrawingAreaErrorKind<std::io::Error>;

fn draw(chart: &Chart<'_>, text: &mut String) -> Result<(), Trouble> {
    let lines: Vec<(&Line, Vec<(f64, f64)>)> =
        chart.lines.iter().map(|line| (line, placed(chart, line))).collect();
    let all = || lines.iter().flat_map(|(_, points)| points);
    let x = range(chart.x_scale, all().map(|(x, _)| *x));
    let y = range(chart.y_scale, all().map(|(_, y)| *y));
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    let mut area = ChartBuilder::on(&root)
        .margin(10)
        .margin_right(24)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(x, y)?;
    area.configure_mesh()
        .x_desc(chart.x)
        .y_desc(chart.y)
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 16))
        .x_label_formatter(&|x| chart.x_scale.label(*x))
        .y_label_formatter(&|y| chart.y_scale.label(*y))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .draw()?;
    for (line, points) in lines {
        let style = COLOURS[line.colour % COLOURS.len()].stroke_width(2);
        let dots = if points.len() <= MOST_DOTS { points.clone() } else { Vec::new() };
        if line.is_dashed {
            area.draw_series(DashedLineSeries::new(points, 5, 5, style))?;
        } else {
            area.draw_series(LineSeries::new(points, style))?;
        }
        area.draw_series(dots.into_iter().map(|at| Circle::new(at, 3, style.filled())))?;
    }
    root.present()
}

/// Lines of so few points show where they are.
const MOST_DOTS: usize = 20;

/// The points of a line where they are drawn; without those that a scale has no place for.
fn placed(chart: &Chart<'_>, line: &Line) -> Vec<(f64, f64)> {
    let place = |&(x, y): &(f64, f64)| Some((chart.x_scale.place(x)?, chart.y_scale.place(y)?));
    line.points.iter().filter_map(place).collect()
}

impl Scale {
    fn place(self, value: f64) -> Option<f64> {
        match self {
            Self::Linear | Self::FromZero => Some(value),
            Self::Logarithmic => (value > 0.0).then(|| libm::log10(value)),
        }
    }

    /// What is written beside a place.
    fn label(self, place: f64) -> String {
        let value = match self {
            Self::Linear | Self::FromZero => place,
            Self::Logarithmic => libm::pow(10.0, place),
        };
        if value.abs() >= 100.0 {
            format!("{value:.0}")
        } else if value.abs() >= 0.01 || value == 0.0 {
            let text = format!("{value:.2}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            format!("{value:.0e}")
        }
    }
}

/// What an axis shows: all of these, and something where there is nothing.
fn range(scale: Scale, values: impl Iterator<Item = f64>) -> Range<f64> {
    let least = if scale == Scale::FromZero { 0.0 } else { f64::INFINITY };
    let (low, high) = values
        .fold((least, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low < high {
        low..high
    } else if high.is_finite() {
        low..low + 1.0
    } else {
        0.0..1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, y_scale: Scale) -> Chart<'static> {
        let line = Line { name: "a <b>".to_owned(), points, is_dashed: false, colour: 9 };
        Chart {
            title: "T",
            says: "what",
            x: "x",
            y: "y",
            x_scale: y_scale,
            y_scale,
            lines: vec![line],
        }
    }

    #[test]
    fn a_page_is_whole_and_what_is_said_is_no_markup() {
        let mut page = Page::new("a & b");
        page.say("1 < 2");
        page.lay_out("x\ny");
        page.draw(&chart(vec![(0.0, 1.0), (1.0, 10.0)], Scale::Logarithmic));
        let html = page.html();
        for expected in ["<title>a &amp; b</title>", "1 &lt; 2", "<svg", "a &lt;b&gt;", "</html>"] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert!(!html.contains("http://") || html.contains("http://www.w3.org/2000/svg"));
        assert!(!html.contains("<script") && !html.contains("<link"), "it needs nothing else");
    }

    #[test]
    fn charts_of_nothing_of_one_point_and_of_zeros_are_drawn() {
        for points in [vec![], vec![(1.0, 1.0)], vec![(0.0, 0.0), (1.0, 0.0)]] {
            for scale in [Scale::Linear, Scale::FromZero, Scale::Logarithmic] {
                assert!(svg(&chart(points.clone(), scale)).ends_with("</svg>\n"));
            }
        }
    }
}
