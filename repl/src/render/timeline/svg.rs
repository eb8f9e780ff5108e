//! A timeline as SVG: one element that needs nothing else, for a file of its own or within a page.
//! In: a [`Picture`]. Out: text. A session tells of itself where the pointer rests; colours tell
//! connections apart, also for who does not see all of them, and follow the reader's light or dark.

use std::fmt::Write as _;

use chrono_tz::Tz;
use unicode_width::UnicodeWidthStr as _;

use super::axis::{self, Tick};
use super::lanes::{Lane, Mark, Picture};
use super::xml::escape;
use crate::render::table::{cut, wrapped};

const WIDTH: f64 = 1_000.0;
const LEFT: f64 = 220.0;
const RIGHT: f64 = 984.0;
const TOP: f64 = 64.0;
const BAR: f64 = 12.0;
const ROW: f64 = 15.0;
const LANE_GAP: f64 = 5.0;
const USER_GAP: f64 = 6.0;
const LINE: f64 = 17.0;

/// Behind how many rows the bars of a lane become lower.
const N_FULL_ROWS: usize = 4;

/// How high a lane with more rows is.
const FULL_HEIGHT: f64 = ROW * 4.0;

/// How wide a session is at least.
const MIN_BAR: f64 = 2.5;

/// How many characters there is room for: labels of users and connections, the axis, a line below.
const N_USER: usize = 17;
const N_CONNECTION: usize = 11;
const N_AXIS: usize = 100;
const N_LINE: usize = 130;

/// The colours of connections: those of Okabe and Ito, which are told apart with any sight, but for
/// yellow, which is not seen on white.
const N_COLOURS: usize = 7;

/// Fonts, colours, and which of them differ on a dark screen.
pub(super) const STYLE: &str = "\
.sq-back{fill:#fff}.sq text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2328}
.sq .sq-head{font-weight:600}.sq .sq-low{fill:#57606a}.sq line{stroke:#d8dee4}
.sq polygon{fill:currentColor;stroke:#fff;stroke-width:.6}.sq .o{fill-opacity:.3;stroke:currentColor;stroke-dasharray:3 2;stroke-width:1}
.sq .c0{color:#0072b2}.sq .c1{color:#e69f00}.sq .c2{color:#009e73}.sq .c3{color:#cc79a7}.sq .c4{color:#d55e00}
.sq .c5{color:#56b4e9}.sq .c6{color:#7f7f7f}.sq polygon:hover{stroke:#1f2328;stroke-width:2}
@media (prefers-color-scheme:dark){.sq-back{fill:#15191e}.sq text{fill:#e6edf3}.sq .sq-low{fill:#9da7b3}
.sq line{stroke:#30363d}.sq polygon{stroke:#15191e}.sq .o{stroke:currentColor}.sq .c0{color:#4ba3db}
.sq polygon:hover{stroke:#e6edf3}}";

/// Returns a picture as an element `svg`, the last line ended too.
pub(super) fn draw(picture: &Picture, notes: &[String], zone: Tz) -> String {
    let mut drawing = Drawing { picture, y: TOP, body: String::new() };
    let ticks = axis::ticks(picture.from, picture.until, zone, N_AXIS);
    for lane in &picture.lanes {
        drawing.lane(lane);
    }
    let bottom = drawing.y;
    let lines: Vec<String> =
        picture.sentences(zone).into_iter().chain(notes.iter().cloned()).collect();
    drawing.legend();
    for line in lines.iter().flat_map(|line| wrapped(line, N_LINE)) {
        drawing.y += LINE;
        drawing.text(12.0, drawing.y, "sq-low", &line);
    }
    let height = drawing.y + 14.0;
    let range = format!(
        "{} – {} {}",
        axis::moment(picture.from, zone),
        axis::moment(picture.until, zone),
        zone.name()
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"sq\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         width=\"{WIDTH}\" height=\"{height:.0}\" role=\"img\" aria-labelledby=\"sq-title sq-desc\">\n\
         <title id=\"sq-title\">Sessions, {}</title>\n<desc id=\"sq-desc\">{}</desc>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"sq-back\" width=\"{WIDTH}\" height=\"{height:.0}\"/>\n",
        escape(&range),
        escape(&lines.join(". "))
    );
    let _written =
        writeln!(svg, "<text class=\"sq-head\" x=\"12\" y=\"24\">{}</text>", escape(&range));
    for tick in &ticks {
        svg.push_str(&drawing.tick(tick, bottom));
    }
    svg.push_str(&drawing.body);
    svg.push_str("</svg>\n");
    svg
}

struct Drawing<'p> {
    picture: &'p Picture,
    y: f64,
    body: String,
}

impl Drawing<'_> {
    /// Returns where an instant lies, from the left edge to the right one.
    fn x(&self, at: i64) -> f64 {
        let Picture { from, until, .. } = *self.picture;
        let share = (at.saturating_sub(from)) as f64 / (until - from).max(1) as f64;
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn tick(&self, tick: &Tick, bottom: f64) -> String {
        let x = self.x(tick.at);
        format!(
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{bottom:.0}\"/>\
             <text class=\"sq-low\" x=\"{:.1}\" y=\"{:.0}\">{}</text>\n",
            TOP - 18.0,
            x + 3.0,
            TOP - 8.0,
            escape(&tick.label)
        )
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escape(text);
        let _written =
            writeln!(self.body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
    }

    /// A text in a place that may be too small for it; it is told whole where the pointer rests.
    fn label(&mut self, x: f64, y: f64, class: &str, text: &str, n_characters: usize) {
        let title = match text.width() > n_characters {
            true => format!("<title>{}</title>", escape(text)),
            false => String::new(),
        };
        let short = escape(&cut(text, n_characters));
        let _written = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{title}{short}</text>"
        );
    }

    fn lane(&mut self, lane: &Lane) {
        if lane.is_first {
            let y = self.y;
            let _written =
                writeln!(self.body, "<line x1=\"12\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
            self.y += USER_GAP;
            self.label(12.0, self.y + 10.0, "sq-head", &lane.user, N_USER);
        }
        self.label(138.0, self.y + 10.0, "sq-low", &lane.connection, N_CONNECTION);
        let n_rows = lane.rows.len();
        let is_low = n_rows > N_FULL_ROWS;
        let pitch = if is_low { FULL_HEIGHT / n_rows as f64 } else { ROW };
        let height = if is_low { (pitch * 0.8).max(0.5) } else { BAR };
        let colour = self.picture.connection_idx(&lane.connection) % N_COLOURS;
        for (idx, row) in lane.rows.iter().enumerate() {
            let y = self.y + idx as f64 * pitch;
            row.iter().for_each(|mark| self.mark(mark, y, height, colour));
        }
        self.y += n_rows.clamp(1, N_FULL_ROWS) as f64 * ROW + LANE_GAP;
    }

    /// Draws a session: pointed where it goes on outside of the picture, or is open; a diamond if it
    /// is an instant.
    fn mark(&mut self, mark: &Mark, y: f64, height: f64, colour: usize) {
        let (x, middle, low) = (self.x(mark.start), y + height / 2.0, y + height);
        let end = mark.end.map_or(RIGHT, |end| self.x(end));
        let is_cut_left = mark.start < self.picture.from;
        let is_cut_right = mark.end.is_none_or(|end| end > self.picture.until);
        let points = if mark.end == Some(mark.start) {
            let half = (height / 2.0).max(1.5);
            format!(
                "{:.1},{middle:.1} {x:.1},{y:.1} {:.1},{middle:.1} {x:.1},{low:.1}",
                x - half,
                x + half
            )
        } else {
            let x = x.min(RIGHT - MIN_BAR);
            let end = end.max(x + MIN_BAR);
            let tip = ((end - x) / 2.0).min(6.0);
            let mut points = Vec::new();
            let left = if is_cut_left { x + tip } else { x };
            let right = if is_cut_right { end - tip } else { end };
            points.extend([(left, y), (right, y)]);
            points.extend(is_cut_right.then_some((end, middle)));
            points.extend([(right, low), (left, low)]);
            points.extend(is_cut_left.then_some((x, middle)));
            let points = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
            points.collect::<Vec<_>>().join(" ")
        };
        let open = if mark.end.is_none() { " o" } else { "" };
        let detail = escape(&mark.detail);
        let _written = writeln!(
            self.body,
            "<polygon class=\"c{colour}{open}\" points=\"{points}\"><title>{detail}</title></polygon>"
        );
    }

    /// Tells what colours and shapes mean.
    fn legend(&mut self) {
        self.y += 10.0;
        let mut x = 12.0;
        let y = self.y;
        let connections: Vec<String> = self
            .picture
            .connections
            .iter()
            .take(N_COLOURS)
            .map(|connection| cut(&connection.name, 20))
            .filter(|name| !name.is_empty())
            .collect();
        let connections = connections.iter().enumerate();
        let keys = connections.map(|(idx, name)| (format!("c{idx}"), name.as_str(), false));
        let open = (self.picture.n_open > 0).then(|| ("c6 o".to_owned(), "open", true));
        for (class, name, is_pointed) in keys.chain(open).collect::<Vec<_>>() {
            if x + 40.0 + name.width() as f64 * 8.0 > RIGHT {
                x = 12.0;
                self.y += LINE;
            }
            let (y, low) = (self.y, self.y + BAR);
            let tip = if is_pointed {
                format!(" {:.0},{:.1}", x + 24.0, y + BAR / 2.0)
            } else {
                String::new()
            };
            let right = x + 18.0;
            let _written = writeln!(
                self.body,
                "<polygon class=\"{class}\" points=\"{x:.0},{y:.1} {right:.0},{y:.1}{tip} {right:.0},{low:.1} {x:.0},{low:.1}\"/>"
            );
            self.text(x + 30.0, y + 10.0, "sq-low", name);
            x += 46.0 + name.width() as f64 * 8.0;
        }
        if x > 12.0 || self.y > y {
            self.y += BAR + 6.0;
        }
    }
}
