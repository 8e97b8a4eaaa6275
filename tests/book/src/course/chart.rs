//! Curves as SVG: few numbers, large text, and a white ground, so that they can be read on a dark page and on a telephone.
//!
//! A crate for charts would be the largest dependency of the book for one kind of drawing.

use std::fmt::Write;

/// A curve.
pub struct Series {
    name: String,
    points: Vec<[f64; 2]>,
}

impl Series {
    /// A curve with a name through points of x and y.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        Series { name: name.into(), points: points.into_iter().collect() }
    }
}

/// Some curves over one another.
pub struct Chart<'a> {
    /// What x counts.
    pub x: &'a str,
    /// What y counts.
    pub y: &'a str,
    /// Whether equal distances are equal factors of y.
    pub log: bool,
    /// The curves.
    pub series: Vec<Series>,
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 26.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 46.0;
const LINE: f64 = 19.0;
/// Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008), and the dashes of their lines.
const STYLES: [[&str; 2]; 6] = [
    ["#0072b2", ""],
    ["#d55e00", "7 4"],
    ["#009e73", "2 3"],
    ["#cc79a7", "9 3 2 3"],
    ["#56b4e9", "4 2"],
    ["#000000", "1 2"],
];

impl Chart<'_> {
    /// The drawing.
    pub fn svg(&self) -> String {
        let legend = LINE * self.series.len() as f64;
        let whole = HEIGHT + legend + 8.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {whole}\" width=\"{WIDTH}\" height=\"{whole}\" \
             font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n<rect width=\"{WIDTH}\" height=\"{whole}\" fill=\"#fff\"/>\n"
        );
        let _ = writeln!(svg, "<text x=\"8\" y=\"15\">{}</text>", escaped(self.y));
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            HEIGHT - 8.0,
            escaped(self.x)
        );
        let (x_ticks, y_ticks) = (ticks(self.range(0)), self.y_ticks());
        let x_range = self.range(0);
        let y_range = [y_ticks[0], y_ticks[y_ticks.len() - 1]];
        let along = |value: f64, [low, high]: [f64; 2]| (value - low) / (high - low);
        let x_at = |x: f64| LEFT + along(x, x_range) * (WIDTH - LEFT - RIGHT);
        let y_at = |y: f64| HEIGHT - BOTTOM - along(self.scaled(y), y_range) * (HEIGHT - TOP - BOTTOM);
        for tick in &y_ticks {
            let value = if self.log { 10_f64.powf(*tick) } else { *tick };
            let at = y_at(value);
            let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#ddd\"/>", WIDTH - RIGHT);
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.5,
                self.label(*tick)
            );
        }
        for tick in x_ticks.iter().filter(|x| (x_range[0]..=x_range[1]).contains(*x)) {
            let (at, y) = (x_at(*tick), HEIGHT - BOTTOM);
            let _ = writeln!(svg, "<path d=\"M{at:.1} {y}v5\" stroke=\"#888\"/>");
            let _ =
                writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", y + 18.0, plain(*tick));
        }
        for (i, (series, [colour, dashes])) in self.series.iter().zip(STYLES.iter().cycle()).enumerate() {
            let points: Vec<String> =
                series.points.iter().map(|[x, y]| format!("{:.1},{:.1}", x_at(*x), y_at(*y))).collect();
            let style = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"");
            let _ = writeln!(svg, "<polyline points=\"{}\" {style}/>", points.join(" "));
            let y = HEIGHT + LINE * i as f64 + 8.0;
            let _ = writeln!(svg, "<path d=\"M{LEFT} {y}h34\" {style}/>");
            let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">{}</text>", LEFT + 42.0, y + 4.5, escaped(&series.name));
        }
        svg + "</svg>\n"
    }

    fn scaled(&self, y: f64) -> f64 {
        if self.log { y.log10() } else { y }
    }

    fn range(&self, axis: usize) -> [f64; 2] {
        let points = self.series.iter().flat_map(|series| &series.points);
        let values = points.map(|point| if axis == 1 { self.scaled(point[1]) } else { point[0] });
        let [low, high] = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| [low.min(x), high.max(x)]);
        if low < high { [low, high] } else { [low - 0.5, low + 0.5] }
    }

    /// Where the y axis has its marks, in the values as they are drawn: logarithms of them if the axis is logarithmic.
    fn y_ticks(&self) -> Vec<f64> {
        let [low, high] = self.range(1);
        if !self.log {
            return ticks([low, high]);
        }
        let every = ((high.ceil() - low.floor()) / 6.0).ceil().max(1.0);
        let count = ((high.ceil() - low.floor()) / every).ceil() as usize;
        (0..=count).map(|i| low.floor() + every * i as f64).collect()
    }

    fn label(&self, tick: f64) -> String {
        match self.log {
            true if (-3.0..=3.0).contains(&tick) => plain(10_f64.powf(tick)),
            true => format!("1e{tick}"),
            false => plain(tick),
        }
    }
}

/// Round numbers, from one below the range to one above.
fn ticks([low, high]: [f64; 2]) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|x| x * power).into_iter().find(|step| *step >= rough * 0.999).unwrap_or(rough);
    let (first, last) = ((low / step + 1e-9).floor() as i64, (high / step - 1e-9).ceil() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
