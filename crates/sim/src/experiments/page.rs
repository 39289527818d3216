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
    pub(crate) scale: Scale,
    pub(crate) lines: Vec<Line>,
}

/// How heights are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
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
    pub(crate) fn new(title: &str) -> Self {
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
    let is_logarithmic = chart.scale == Scale::Logarithmic;
    let lines: Vec<(&Line, Vec<(f64, f64)>)> = chart
        .lines
        .iter()
        .map(|line| {
            let points = line.points.iter().filter(|(_, y)| !is_logarithmic || *y > 0.0);
            (
                line,
                points
                    .map(|&(x, y)| (x, if is_logarithmic { libm::log10(y) } else { y }))
                    .collect(),
            )
        })
        .collect();
    let all = || lines.iter().flat_map(|(_, points)| points);
    let x = range(all().map(|(x, _)| *x));
    let y = range(all().map(|(_, y)| *y));
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    let mut area = ChartBuilder::on(&root)
        .margin(10)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(x, y)?;
    let height = |y: &f64| {
        let value = if is_logarithmic { libm::pow(10.0, *y) } else { *y };
        if value.abs() >= 0.01 || value == 0.0 {
            format!("{value:.2}")
        } else {
            format!("{value:.0e}")
        }
    };
    area.configure_mesh()
        .x_desc(chart.x)
        .y_desc(chart.y)
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 16))
        .y_label_formatter(&height)
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .draw()?;
    for (line, points) in lines {
        let style = COLOURS[line.colour % COLOURS.len()].stroke_width(2);
        if line.is_dashed {
            area.draw_series(DashedLineSeries::new(points, 5, 5, style))?;
        } else {
            area.draw_series(LineSeries::new(points, style))?;
        }
    }
    root.present()
}

/// From the least to the most, and something where there is nothing.
fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low < high {
        low..high
    } else if low.is_finite() {
        low - 0.5..low + 0.5
    } else {
        0.0..1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, scale: Scale) -> Chart<'static> {
        let line = Line { name: "a <b>".to_owned(), points, is_dashed: false, colour: 9 };
        Chart { title: "T", says: "what", x: "x", y: "y", scale, lines: vec![line] }
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
            for scale in [Scale::Linear, Scale::Logarithmic] {
                assert!(svg(&chart(points.clone(), scale)).ends_with("</svg>\n"));
            }
        }
    }
}
