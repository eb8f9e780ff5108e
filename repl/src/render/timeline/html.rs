//! A timeline as a page: the picture, the query, what was counted, and what the rows cover.
//! In: a picture as SVG, and the facts. Out: one file without scripts that loads nothing, well-formed
//! as XML too.

use std::fmt::Write as _;

use sessionql_core::completeness::{Completeness, Off};
use sessionql_core::display::grouped;

use super::lanes::Picture;
use super::xml::escape;

pub(super) const STYLE: &str = "\
:root{color-scheme:light dark}
body{margin:2rem auto;padding:0 1rem;max-width:64rem;font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;background:#fff;color:#1f2328}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}figure{margin:1rem 0;overflow-x:auto}svg{max-width:100%;height:auto}
pre{padding:.75rem;overflow-x:auto;background:#f6f8fa;border-radius:4px}
table{border-collapse:collapse}th,td{padding:.25rem .75rem;border-bottom:1px solid #d8dee4;text-align:left;vertical-align:top}
td.n,th.n{text-align:right}.warn{padding:.5rem .75rem;border-left:4px solid #d55e00;background:#fdf0e6}
@media (prefers-color-scheme:dark){body{background:#15191e;color:#e6edf3}pre{background:#1f252c}th,td{border-color:#30363d}.warn{background:#33241a}}";

/// What a page tells beside the picture.
pub(super) struct Facts<'a> {
    /// When it was asked.
    pub(super) asked: String,
    /// The text of the query, if it is known.
    pub(super) query: Option<&'a str>,
    pub(super) completeness: &'a Completeness,
    /// Why the query has no more rows, if it failed on its way.
    pub(super) failure: Option<&'a str>,
}

/// Returns the page.
pub(super) fn page(picture: &Picture, svg: &str, facts: &Facts<'_>) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <title>Sessions</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Sessions</h1>\n"
    );
    for warning in warnings(facts) {
        let _written = writeln!(page, "<p class=\"warn\">{}</p>", escape(&warning));
    }
    let _written = writeln!(
        page,
        "<figure>\n{svg}<figcaption>Asked {}. A session tells of itself where the pointer rests.\
         </figcaption>\n</figure>",
        escape(&facts.asked)
    );
    if let Some(query) = facts.query {
        let _written =
            writeln!(page, "<h2>Query</h2>\n<pre><code>{}</code></pre>", escape(query.trim()));
    }
    counts(picture, &mut page);
    coverage(facts.completeness, &mut page);
    page.push_str("</body>\n</html>\n");
    page
}

fn warnings(facts: &Facts<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    match facts.completeness.off {
        Some(Off::Missing) => warnings.push("Incomplete: rows may be missing.".to_owned()),
        Some(Off::Wrong) => warnings.push("Incomplete: rows may be wrong.".to_owned()),
        None => {}
    }
    warnings.extend(facts.failure.map(|failure| format!("The query failed: {failure}")));
    warnings.extend(facts.completeness.warnings.iter().cloned());
    warnings
}

fn counts(picture: &Picture, page: &mut String) {
    page.push_str(
        "<h2>Sessions by connection</h2>\n<table>\n<thead><tr><th>connection</th>\
         <th class=\"n\">sessions</th><th class=\"n\">open</th></tr></thead>\n<tbody>\n",
    );
    let all = ("all", picture.n_sessions, picture.n_open);
    let rows =
        picture.connections.iter().map(|one| (one.name.as_str(), one.n_sessions, one.n_open));
    for (name, n_sessions, n_open) in rows.filter(|(name, ..)| !name.is_empty()).chain([all]) {
        let _written = writeln!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(name),
            grouped(n_sessions),
            grouped(n_open)
        );
    }
    page.push_str("</tbody>\n</table>\n");
}

fn coverage(completeness: &Completeness, page: &mut String) {
    if completeness.connections.is_empty() {
        return;
    }
    page.push_str(
        "<h2>What was read</h2>\n<table>\n<thead><tr><th>connection</th><th>complete</th>\
         <th class=\"n\">rows</th><th class=\"n\">requests</th><th>gaps and notes</th></tr></thead>\n<tbody>\n",
    );
    for report in &completeness.connections {
        let gaps = report.gaps.iter().map(|known| {
            let accepted = if known.is_accepted { ", accepted" } else { "" };
            format!("{} ({}{accepted})", known.gap.message, known.gap.reason)
        });
        let said: Vec<String> =
            gaps.chain(report.notes.iter().cloned()).map(|line| escape(&line)).collect();
        let _written = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&report.connection),
            if report.is_complete() { "yes" } else { "no" },
            grouped(report.n_rows),
            grouped(report.n_requests),
            said.join("<br/>")
        );
    }
    page.push_str("</tbody>\n</table>\n");
}
