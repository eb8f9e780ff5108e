//! What stands below the rows that people read: how many there are, what is hidden and how to see it,
//! how old they are, what is missing.

use chrono_tz::Tz;
use sessionql_core::completeness::{Completeness, Off};
use sessionql_core::display::count;
use sessionql_core::duration;
use unicode_width::UnicodeWidthStr as _;

use super::{Footer, Layout, Summary};

/// How many names of hidden columns are told.
const N_NAMES: usize = 12;

/// What the screen has no room for.
#[derive(Debug, Default)]
pub(super) struct Hidden<'a> {
    /// The columns that are not there.
    pub(super) columns: Vec<&'a str>,
    /// How many values lost their ends.
    pub(super) n_cut: u64,
    /// How many rows are not there.
    pub(super) n_rows: u64,
}

/// Returns the lines below the rows, if there is something to say.
pub(super) fn lines(layout: &Layout, summary: &Summary, hidden: &Hidden<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    if layout.footer != Footer::None {
        let plural = if summary.n_rows == 1 { "" } else { "s" };
        parts.push(format!("{} row{plural}", summary.n_rows));
    }
    if layout.footer == Footer::RowsAndTime {
        parts.push(elapsed(summary.elapsed));
    }
    parts.extend(ages(&summary.completeness, layout.time_zone));
    if hidden.n_rows > 0 {
        let how = if layout.is_interactive { r"`\last` shows all" } else { "" };
        parts.push(with_hint(format!("{} hidden", count(hidden.n_rows, "row")), how));
    }
    parts.extend(narrow(layout, hidden));
    match summary.completeness.off {
        Some(Off::Missing) => parts.push("incomplete: rows may be missing".to_owned()),
        Some(Off::Wrong) => parts.push("incomplete: rows may be wrong".to_owned()),
        None if summary.failure.is_some() => parts.push("incomplete".to_owned()),
        None => {}
    }
    if parts.is_empty() {
        return Vec::new();
    }
    broken(&format!("({})", parts.join(", ")), layout.width)
}

/// Returns what is hidden for lack of width, and how to see it.
fn narrow(layout: &Layout, hidden: &Hidden<'_>) -> Option<String> {
    let how =
        if layout.is_interactive { r"`\x on` shows all" } else { "`--format vertical` shows all" };
    let cut = match hidden.n_cut {
        0 => None,
        n => Some(format!("{} cut", count(n, "value"))),
    };
    let names = match hidden.columns.as_slice() {
        [] => None,
        names => {
            let told = names.iter().take(N_NAMES).copied().collect::<Vec<_>>().join(", ");
            let more = names.len().saturating_sub(N_NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("{} hidden: {told}{more}", count(names.len() as u64, "column")))
        }
    };
    let parts: Vec<String> = names.into_iter().chain(cut).collect();
    (!parts.is_empty()).then(|| with_hint(parts.join(", "), how))
}

fn with_hint(what: String, how: &str) -> String {
    if how.is_empty() { what } else { format!("{what}; {how}") }
}

/// Returns how old the rows of each connection are that came from the cache.
fn ages(completeness: &Completeness, zone: Tz) -> Vec<String> {
    let ages = completeness.connections.iter().filter_map(|report| {
        let read = report.from_cache?.with_timezone(&zone);
        Some(format!("{} as of {}", report.connection, read.format("%H:%M:%S")))
    });
    ages.collect()
}

/// Returns a duration for the footer.
pub(crate) fn elapsed(elapsed: std::time::Duration) -> String {
    if elapsed.as_secs() < 60 {
        format!("{:.2} s", elapsed.as_secs_f64())
    } else {
        duration::human(std::time::Duration::from_secs(elapsed.as_secs()))
    }
}

/// Returns a text in lines of at most `width`, broken between words.
pub(crate) fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
