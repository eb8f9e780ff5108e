//! A timeline in characters, for a terminal or a mail.
//! In: a [`Picture`] and a width that no line exceeds. Out: lines: the range, the ticks, the lanes,
//! the marks that were used, and what is to be said below.

use chrono_tz::Tz;
use sessionql_core::duration;
use unicode_width::UnicodeWidthStr as _;

use super::axis::{self, Tick};
use super::lanes::{Lane, Mark, Picture, steps};
use crate::render::table::{cut, wrapped};
use crate::report::Paint;

/// The least width that a picture has.
const MIN_WIDTH: usize = 20;

/// How many sessions of a lane are drawn below each other; where there are more at once, their number
/// is drawn.
const MAX_ROWS: usize = 4;

/// The colours of connections.
const COLOURS: [&str; 6] = ["36", "33", "35", "32", "34", "31"];

const DIM: &str = "2";

/// How a picture is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) width: usize,
    pub(super) is_ascii: bool,
    pub(super) paint: Paint,
    pub(super) zone: Tz,
}

/// What stands for what.
struct Glyphs {
    nothing: char,
    tick: char,
    begin: char,
    ended: char,
    open: char,
    cut_left: char,
    cut_right: char,
    instant: char,
    several: char,
    more: char,
    dash: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    nothing: '─',
    tick: '┼',
    begin: '▐',
    ended: '█',
    open: '▒',
    cut_left: '◄',
    cut_right: '►',
    instant: '◆',
    several: '▚',
    more: '…',
    dash: "–",
};

const ASCII: Glyphs = Glyphs {
    nothing: '-',
    tick: '+',
    begin: '[',
    ended: '=',
    open: '~',
    cut_left: '<',
    cut_right: '>',
    instant: 'o',
    several: '%',
    more: '~',
    dash: "-",
};

/// Which marks were drawn, each of which is explained below.
#[derive(Debug, Default)]
struct Used {
    ended: bool,
    open: bool,
    cut_left: bool,
    cut_right: bool,
    instant: bool,
    several: bool,
    numbers: bool,
}

/// A place of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Nothing,
    Mark(char),
}

/// Draws a picture, but for what stands below every result.
pub(super) fn draw(picture: &Picture, style: Style) -> Vec<String> {
    Drawing::new(picture, style).draw()
}

struct Drawing<'p> {
    picture: &'p Picture,
    style: Style,
    glyphs: &'static Glyphs,
    width: usize,
    user_width: usize,
    connection_width: usize,
    n_cells: usize,
    ticks: Vec<Tick>,
    used: Used,
}

impl<'p> Drawing<'p> {
    fn new(picture: &'p Picture, style: Style) -> Self {
        let width = style.width.max(MIN_WIDTH);
        let widest = |of: fn(&Lane) -> &str| {
            picture.lanes.iter().map(|lane| of(lane).width()).max().unwrap_or_default()
        };
        let user_width = widest(|lane| &lane.user).min((width / 5).max(3));
        let connection_width = widest(|lane| &lane.connection).min((width * 3 / 20).max(3));
        let labels = [user_width, connection_width].map(|width| width + usize::from(width > 0));
        let n_cells = width - labels.iter().sum::<usize>();
        Self {
            picture,
            style,
            glyphs: if style.is_ascii { &ASCII } else { &UNICODE },
            width,
            user_width,
            connection_width,
            n_cells,
            ticks: axis::ticks(picture.from, picture.until, style.zone, n_cells),
            used: Used::default(),
        }
    }

    fn draw(mut self) -> Vec<String> {
        let picture = self.picture;
        let mut lines = self.wrapped(&self.range());
        if !picture.lanes.is_empty() {
            lines.push(self.axis());
        }
        for lane in &picture.lanes {
            self.lane(lane, &mut lines);
        }
        let legend = self.legend();
        if !legend.is_empty() {
            let legend = self.wrapped(&legend.join("   "));
            let dim = |line: &String| self.style.paint.paint(DIM, line.trim());
            lines.extend(legend.iter().map(dim));
        }
        for sentence in picture.sentences(self.style.zone) {
            lines.extend(self.wrapped(&sentence));
        }
        lines
    }

    /// Returns the range in words.
    fn range(&self) -> String {
        let zone = self.style.zone;
        let Picture { from, until, .. } = *self.picture;
        let n_cells = i64::try_from(self.n_cells).unwrap_or(i64::MAX);
        format!(
            "{} {} {} {}; a column is {}",
            axis::moment(from, zone),
            self.glyphs.dash,
            axis::moment(until, zone),
            zone.name(),
            duration::human_us((until - from) / n_cells),
        )
    }

    /// Returns the cell of an instant.
    fn cell(&self, at: i64) -> usize {
        let Picture { from, until, .. } = *self.picture;
        let (past, all) = (i128::from(at) - i128::from(from), i128::from(until) - i128::from(from));
        let idx = past * self.n_cells as i128 / all.max(1);
        usize::try_from(idx.max(0)).unwrap_or(usize::MAX).min(self.n_cells - 1)
    }

    fn axis(&self) -> String {
        let mut line = " ".repeat(self.width - self.n_cells);
        let offset = line.len();
        for tick in &self.ticks {
            let at = offset + self.cell(tick.at);
            let is_free = line.len() == offset || line.len() < at;
            if is_free && at + tick.label.len() <= self.width {
                line.push_str(&" ".repeat(at - line.len()));
                line.push_str(&tick.label);
            }
        }
        self.style.paint.paint(DIM, line.trim_end())
    }

    fn lane(&mut self, lane: &Lane, lines: &mut Vec<String>) {
        let colour = COLOURS[self.picture.connection_idx(&lane.connection) % COLOURS.len()];
        let rows: Vec<Vec<Cell>> = if lane.rows.len() > MAX_ROWS {
            vec![self.numbers(lane)]
        } else {
            lane.rows.iter().map(|row| self.row(row)).collect()
        };
        for (idx, cells) in rows.iter().enumerate() {
            let user = if idx == 0 && lane.is_first { lane.user.as_str() } else { "" };
            let connection = if idx == 0 { lane.connection.as_str() } else { "" };
            let mut line = self.label(user, self.user_width);
            line.push_str(&self.label(connection, self.connection_width));
            line.push_str(&self.painted(cells, colour));
            lines.push(line);
        }
    }

    fn label(&self, text: &str, width: usize) -> String {
        if width == 0 {
            return String::new();
        }
        let mut text = cut(text, width);
        if self.style.is_ascii {
            text = text.replace(UNICODE.more, "~");
        }
        let padding = " ".repeat(width.saturating_sub(text.width()) + 1);
        text + &padding
    }

    /// Draws sessions that come one after the other.
    fn row(&mut self, marks: &[Mark]) -> Vec<Cell> {
        let glyphs = self.glyphs;
        let mut cells = vec![Cell::Nothing; self.n_cells];
        for mark in marks {
            let first = self.cell(mark.start);
            let last = mark.end.map_or(self.n_cells - 1, |end| self.cell(end - 1)).max(first);
            let is_cut_left = mark.start < self.picture.from;
            let is_cut_right = mark.end.is_none_or(|end| end > self.picture.until);
            let is_instant = mark.end == Some(mark.start);
            let body = if mark.end.is_some() { glyphs.ended } else { glyphs.open };
            for (idx, cell) in cells.iter_mut().enumerate().take(last + 1).skip(first) {
                let glyph = match idx {
                    _ if *cell != Cell::Nothing => glyphs.several,
                    _ if is_instant => glyphs.instant,
                    idx if idx == first && is_cut_left => glyphs.cut_left,
                    idx if idx == last && is_cut_right => glyphs.cut_right,
                    idx if idx == first => glyphs.begin,
                    _ => body,
                };
                self.used.several |= glyph == glyphs.several;
                *cell = Cell::Mark(glyph);
            }
            self.used.cut_left |= is_cut_left;
            self.used.cut_right |= is_cut_right && mark.end.is_some();
            self.used.instant |= is_instant;
            self.used.open |= mark.end.is_none();
            self.used.ended |= mark.end.is_some() && !is_instant;
        }
        cells
    }

    /// Draws how many sessions are open at once: the most within each cell.
    fn numbers(&mut self, lane: &Lane) -> Vec<Cell> {
        self.used.numbers = true;
        let steps = steps(lane.rows.iter().flatten(), self.picture.from);
        let mut most = vec![0; self.n_cells];
        for (idx, (at, n_open)) in steps.iter().enumerate() {
            let first = self.cell(*at);
            let next = steps.get(idx + 1).map_or(self.picture.until, |(next, _)| *next);
            let last = self.cell(next - 1).max(first);
            for cell in &mut most[first..=last] {
                *cell = (*cell).max(*n_open);
            }
        }
        let cell = |n_open: u64| match u32::try_from(n_open).unwrap_or(u32::MAX) {
            0 => Cell::Nothing,
            n_open => Cell::Mark(char::from_digit(n_open, 10).unwrap_or('#')),
        };
        most.into_iter().map(cell).collect()
    }

    /// Returns cells as text, what is alike in one piece of colour.
    fn painted(&self, cells: &[Cell], colour: &str) -> String {
        let ticks: Vec<usize> = self.ticks.iter().map(|tick| self.cell(tick.at)).collect();
        let mut line = String::new();
        let mut piece = String::new();
        let mut style = DIM;
        for (idx, cell) in cells.iter().enumerate() {
            let (glyph, own) = match *cell {
                Cell::Mark(glyph) => (glyph, colour),
                Cell::Nothing if ticks.binary_search(&idx).is_ok() => (self.glyphs.tick, DIM),
                Cell::Nothing => (self.glyphs.nothing, DIM),
            };
            if own != style && !piece.is_empty() {
                line.push_str(&self.style.paint.paint(style, &std::mem::take(&mut piece)));
            }
            style = own;
            piece.push(glyph);
        }
        line + &self.style.paint.paint(style, &piece)
    }

    /// Returns what the marks mean that were drawn.
    fn legend(&self) -> Vec<String> {
        let Glyphs { begin, ended, open, cut_left, cut_right, instant, several, .. } = self.glyphs;
        let used = &self.used;
        let marks = [
            (used.ended, format!("{begin}{ended} ended")),
            (used.open, format!("{begin}{open}{cut_right} open")),
            (used.cut_left, format!("{cut_left} began earlier")),
            (used.cut_right, format!("{ended}{cut_right} ended later")),
            (used.instant, format!("{instant} an instant")),
            (used.several, format!("{several} several in a column")),
            (used.numbers, format!("1{dash}9 # so many at once", dash = self.glyphs.dash)),
        ];
        marks.into_iter().filter(|(is_used, _)| *is_used).map(|(_, text)| text).collect()
    }

    fn wrapped(&self, text: &str) -> Vec<String> {
        let text =
            if self.style.is_ascii { text.replace(UNICODE.more, "...") } else { text.to_owned() };
        wrapped(&text, self.width)
    }
}
