//! An explanation as lines of text for people.
//! Lines are broken to fit a screen: requests before `&`, so that each parameter stays whole, bodies
//! after commas.

use std::time::Duration;

use sessionql_plugin_abi::message::Verdict;

use super::sql::shorten;
use super::{Analysis, ConnectionCost, Explanation, FilterExplanation, ScanExplanation, Step};
use crate::display::{count, escape_controls, grouped};
use crate::duration::human;
use crate::http::{FinishedRequest, Preview};

/// How many requests of one table, or of one connection, are shown.
const SHOWN_REQUESTS: usize = 8;

/// The longest request line, body or filter that is shown whole, in characters.
const WHOLE_CHARS: usize = 600;

/// The longest list within a body that is shown whole, and how much is shown of a longer one.
const WHOLE_ITEMS: usize = 8;
const SHOWN_ITEMS: usize = 5;

/// Lines are not broken to be narrower than this.
const NARROWEST: usize = 40;

impl Explanation {
    /// Returns the explanation as lines of at most `width` characters, as far as words allow.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let mut page = Page { lines: Vec::new(), width: width.max(NARROWEST) };
        for scan in &self.scans {
            page.scan(scan);
            page.empty_line();
        }
        page.line(0, "plan");
        page.step(1, &self.plan);
        if let Some(analysis) = &self.analysis {
            page.empty_line();
            page.analysis(analysis, &self.scans);
        }
        page.lines
    }
}

impl ScanExplanation {
    /// Returns connection and table, with a number if the table is read more than once.
    pub fn name(&self) -> String {
        let number = self.number.map(|number| format!(" #{number}")).unwrap_or_default();
        format!("{}.{}{number}", self.connection, self.table)
    }
}

/// Where lines may end.
struct Breaks {
    before: &'static [char],
    after: &'static [char],
}

const OF_REQUEST: Breaks = Breaks { before: &[' ', '&'], after: &[] };
const OF_BODY: Breaks = Breaks { before: &['&'], after: &[',', '{', '['] };

struct Page {
    lines: Vec<String>,
    width: usize,
}

impl Page {
    fn empty_line(&mut self) {
        self.lines.push(String::new());
    }

    /// Adds a text, broken at blanks.
    fn line(&mut self, depth: usize, text: &str) {
        self.broken(depth, text, &Breaks { before: &[' '], after: &[] });
    }

    /// Adds a text, broken where a line may end. What does not fit at all is broken anywhere.
    fn broken(&mut self, depth: usize, text: &str, breaks: &Breaks) {
        let text = escape_controls(text);
        let mut indent = "  ".repeat(depth);
        let mut rest = text.as_str();
        loop {
            let room = self.width.saturating_sub(indent.len()).max(NARROWEST / 2);
            let Some((end, _)) = rest.char_indices().nth(room) else { break };
            let at = rest[..end].char_indices().rev().find_map(|(at, character)| {
                let at = match character {
                    _ if breaks.before.contains(&character) => at,
                    _ if breaks.after.contains(&character) => at + character.len_utf8(),
                    _ => return None,
                };
                (at > 0).then_some(at)
            });
            let at = at.unwrap_or(end);
            self.lines.push(format!("{indent}{}", rest[..at].trim_end()));
            rest = rest[at..].trim_start();
            indent = "  ".repeat(depth + 2);
        }
        self.lines.push(format!("{indent}{rest}"));
    }

    /// Adds a short text to the line above, or below it if there is no room.
    fn suffix(&mut self, depth: usize, text: &str) {
        match self.lines.last_mut() {
            Some(line) if line.chars().count() + 2 + text.chars().count() <= self.width => {
                line.push_str(&format!("  {text}"));
            }
            _ => self.lines.push(format!("{}{text}", "  ".repeat(depth + 2))),
        }
    }

    fn scan(&mut self, scan: &ScanExplanation) {
        self.line(0, &scan.name());
        self.requests(scan);
        if !scan.filters.is_empty() {
            self.line(1, "filters:");
        }
        for filter in &scan.filters {
            self.line(2, &cut(&filter.sql));
            if let Some(becomes) = becomes(filter) {
                self.line(3, &becomes);
            }
        }
        if let Some(order) = &scan.order {
            let kept = order.n_kept.map(|n_rows| format!(", then the first {n_rows} are kept"));
            let kept = kept.unwrap_or_default();
            self.line(1, &format!("order: {}; made here, so all rows are read{kept}", order.sql));
        }
        if let Some(limit) = scan.limit {
            let sent = match scan.is_limit_sent {
                true => "sent as a hint",
                false => "not sent, as filters are checked here",
            };
            let rows = count(limit, "row");
            self.line(1, &format!("limit: {rows}; {sent}; the reading ends when they are there"));
        }
        if let Some(n_rows) = scan.n_rows.filter(|_| scan.no_requests.is_none()) {
            self.line(1, &format!("rows: about {}", grouped(n_rows)));
        }
        for note in &scan.notes {
            self.line(1, &format!("note: {note}"));
        }
        for gap in &scan.gaps {
            self.line(1, &format!("gap: {} ({})", gap.message, gap.reason));
        }
    }

    fn requests(&mut self, scan: &ScanExplanation) {
        if let Some(why) = &scan.no_requests {
            self.line(1, &format!("requests: none; {why}"));
            return;
        }
        if scan.is_asked_by_key {
            self.line(1, "requests: as many as the keys of the join need");
            return;
        }
        let n_previews = scan.requests.len() as u64;
        self.line(
            1,
            &match scan.n_requests {
                Some(n_requests) if n_requests == n_previews => format!("requests: {n_requests}"),
                Some(n_requests) => format!("requests: about {}, at first", grouped(n_requests)),
                None if n_previews == 0 => "requests: the plugin does not tell which".to_owned(),
                None => format!("requests: {n_previews}, and one more for each further page"),
            },
        );
        for request in scan.requests.iter().take(SHOWN_REQUESTS) {
            self.request(request);
        }
        self.rest(2, scan.requests.len());
    }

    fn request(&mut self, request: &Preview) {
        self.broken(2, &cut(&request.line()), &OF_REQUEST);
        if let Some(body) = &request.body {
            let body = cut(&short_body(body));
            self.broken(3, &body, &OF_BODY);
        }
    }

    fn rest(&mut self, depth: usize, n_all: usize) {
        if n_all > SHOWN_REQUESTS {
            self.line(depth, &format!("… {} more", n_all - SHOWN_REQUESTS));
        }
    }

    fn step(&mut self, depth: usize, step: &Step) {
        let measured =
            [step.n_rows.map(|n_rows| count(n_rows, "row")), step.elapsed.map(shown_time)];
        let measured: Vec<String> = measured.into_iter().flatten().collect();
        // Deep plans go on at the right edge rather than beyond it.
        let shown_depth = depth.min((self.width - NARROWEST / 2) / 4);
        self.line(shown_depth, &step.text);
        if !measured.is_empty() {
            self.suffix(shown_depth, &format!("[{}]", measured.join(", ")));
        }
        for input in &step.inputs {
            self.step(depth + 1, input);
        }
    }

    /// Adds what happened; notes that the scans have above are not said twice.
    fn analysis(&mut self, analysis: &Analysis, scans: &[ScanExplanation]) {
        let rows = count(analysis.n_rows, "row");
        self.line(0, &format!("ran: {rows} in {}", shown_time(analysis.elapsed)));
        for cost in &analysis.connections {
            self.cost(cost);
            let reports = &analysis.completeness.connections;
            let Some(report) = reports.iter().find(|report| report.connection == cost.connection)
            else {
                continue;
            };
            let is_new = |note: &&String| !scans.iter().any(|scan| scan.notes.contains(note));
            for note in report.notes.iter().filter(is_new) {
                self.line(2, &format!("note: {note}"));
            }
            for known in &report.gaps {
                let accepted = if known.is_accepted { ", accepted" } else { "" };
                let (message, reason) = (&known.gap.message, known.gap.reason);
                self.line(2, &format!("gap: {message} ({reason}{accepted})"));
            }
        }
    }

    fn cost(&mut self, cost: &ConnectionCost) {
        self.line(1, &cost.connection);
        let usage = &cost.usage;
        let mut parts = vec![
            format!("requests: {}", grouped(usage.requests)),
            count(usage.answers, "page"),
            count(usage.bytes, "byte"),
        ];
        if usage.token_requests > 0 {
            parts.push(format!("{} for tokens", count(usage.token_requests, "more request")));
        }
        if usage.retries > 0 {
            let word = if usage.retries == 1 { "retry" } else { "retries" };
            parts.push(format!("{} {word}", grouped(usage.retries)));
        }
        if usage.waited >= Duration::from_millis(1) {
            parts.push(format!("waited {}", shown_time(usage.waited)));
        }
        self.line(2, &parts.join(", "));
        let duplicates = match cost.n_duplicates {
            0 => String::new(),
            n_rows => format!(", {} dropped", count(n_rows, "duplicate")),
        };
        let (n_in, n_out) = (grouped(cost.n_rows_in), grouped(cost.n_rows_out));
        self.line(2, &format!("rows: {n_in} in{duplicates}, {n_out} out"));
        for request in cost.sent.iter().take(SHOWN_REQUESTS) {
            self.sent(request);
        }
        self.rest(2, cost.sent.len());
    }

    fn sent(&mut self, request: &FinishedRequest) {
        let status = match request.status {
            Some(status) => status.to_string(),
            None => "no answer".to_owned(),
        };
        let attempt = match request.attempt {
            1 => String::new(),
            attempt => format!(", attempt {attempt}"),
        };
        let bytes = request.body_bytes.map(|bytes| format!(", {}", count(bytes, "byte")));
        self.broken(2, &request.line, &OF_REQUEST);
        let (bytes, elapsed) = (bytes.unwrap_or_default(), shown_time(request.elapsed));
        self.suffix(2, &format!("[{status}{attempt}{bytes}, {elapsed}]"));
    }
}

/// Returns what becomes of a filter in one sentence; nothing if nobody was asked.
fn becomes(filter: &FilterExplanation) -> Option<String> {
    let verdict = match filter.verdict? {
        Verdict::Exact => "exact",
        Verdict::Inexact => "inexact, checked here again",
        Verdict::Unsupported => "not sent, checked here",
    };
    Some(match filter.reason.is_empty() {
        true => verdict.to_owned(),
        false => format!("{verdict}: {}", filter.reason),
    })
}

/// Returns JSON with its long lists shortened, and anything else as it is.
fn short_body(body: &str) -> String {
    match serde_json::from_str(body) {
        Ok(mut json) => {
            shorten_lists(&mut json);
            json.to_string()
        }
        Err(_) => body.to_owned(),
    }
}

fn shorten_lists(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Array(items) => {
            if items.len() > WHOLE_ITEMS {
                let n_more = items.len() - SHOWN_ITEMS;
                items.truncate(SHOWN_ITEMS);
                items.push(format!("… {n_more} more").into());
            }
            items.iter_mut().for_each(shorten_lists);
        }
        serde_json::Value::Object(fields) => {
            fields.values_mut().for_each(shorten_lists);
        }
        _ => {}
    }
}

fn cut(text: &str) -> String {
    let n_more = text.chars().count().saturating_sub(WHOLE_CHARS);
    let shown = shorten(text, WHOLE_CHARS);
    if n_more > 0 { format!("{shown} {} more", count(n_more as u64, "character")) } else { shown }
}

/// Returns a time as people read it; nobody needs more than a tenth of a millisecond.
fn shown_time(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0 => "0ms".to_owned(),
        1..1_000 => format!("0.{}ms", micros.div_ceil(100).min(9)),
        1_000..1_000_000 => format!("{}ms", micros / 1_000),
        _ => human(time),
    }
}

#[cfg(test)]
mod tests;
