//! EXPLAIN: text for people, one JSON object on one line for programs.
//! What is explained is no table, so `table` and `csv` print plain text, and `json` and `jsonl` the
//! object that docs/command-line.md describes.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};
use sessionql_core::Explanation;
use sessionql_core::completeness::Completeness;
use sessionql_core::explain::{
    Analysis, ConnectionCost, FilterExplanation, ScanExplanation, Step, Verdict,
};

use super::json::{gaps, off};
use super::{Layout, Summary};
use crate::cli::Format;

/// Prints an explanation.
///
/// # Errors
/// Those of `out`.
pub(crate) fn print(
    explanation: &Explanation,
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match layout.format {
        Format::Json | Format::Jsonl => writeln!(out, "{}", object(explanation, summary)),
        Format::Table | Format::Vertical | Format::Timeline => {
            print_lines(&explanation.lines(layout.text_width), layout, out)
        }
        Format::Markdown => {
            let mut lines = explanation.lines(usize::MAX);
            lines.insert(0, "```".to_owned());
            lines.push("```".to_owned());
            print_lines(&lines, layout, out)
        }
        // Nothing that another program reads is cut or broken to fit a screen.
        Format::Csv | Format::Svg | Format::Html => {
            print_lines(&explanation.lines(usize::MAX), layout, out)
        }
    }
}

fn print_lines(lines: &[String], layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    if layout.follows_output {
        writeln!(out)?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn object(explanation: &Explanation, summary: &Summary) -> Value {
    let mut object = json!({
        "scans": explanation.scans.iter().map(scan).collect::<Vec<_>>(),
        "plan": step(&explanation.plan),
    });
    if let Some(analysis) = &explanation.analysis {
        object["analyze"] = analyze(analysis, summary.failure.as_deref());
    }
    object
}

fn scan(scan: &ScanExplanation) -> Value {
    let requests = scan.requests.iter().map(|request| {
        json!({
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.body,
        })
    });
    let order = scan.order.as_ref().map(|order| json!({ "sql": order.sql, "rows": order.n_kept }));
    let known = scan
        .gaps
        .iter()
        .map(|gap| json!({ "reason": gap.reason.as_str(), "message": gap.message }));
    json!({
        "connection": scan.connection,
        "table": scan.table,
        "number": scan.number,
        "requests": requests.collect::<Vec<_>>(),
        "n_requests": scan.n_requests,
        "n_rows": scan.n_rows,
        "no_requests": scan.no_requests,
        "filters": scan.filters.iter().map(filter).collect::<Vec<_>>(),
        "order": order,
        "limit": scan.limit,
        "limit_sent": scan.is_limit_sent,
        "notes": scan.notes,
        "gaps": known.collect::<Vec<_>>(),
    })
}

fn filter(filter: &FilterExplanation) -> Value {
    let verdict = filter.verdict.map(|verdict| match verdict {
        Verdict::Exact => "exact",
        Verdict::Inexact => "inexact",
        Verdict::Unsupported => "unsupported",
    });
    json!({ "sql": filter.sql, "verdict": verdict, "reason": filter.reason })
}

fn step(one: &Step) -> Value {
    let mut object = json!({ "step": one.text });
    if let Some(n_rows) = one.n_rows {
        object["rows"] = n_rows.into();
    }
    if let Some(elapsed) = one.elapsed {
        object["elapsed_us"] = micros(elapsed);
    }
    object["inputs"] = one.inputs.iter().map(step).collect();
    object
}

fn analyze(analysis: &Analysis, failure: Option<&str>) -> Value {
    let off = off(&analysis.completeness, failure.is_some());
    let connections = analysis.connections.iter();
    let mut object = json!({
        "complete": off.is_none(),
        "off": off,
        "rows": analysis.n_rows,
        "elapsed_ms": millis(analysis.elapsed),
        "connections": connections
            .map(|cost| connection(cost, &analysis.completeness))
            .collect::<Vec<_>>(),
    });
    if let Some(failure) = failure {
        object["error"] = failure.into();
    }
    object
}

fn connection(cost: &ConnectionCost, completeness: &Completeness) -> Value {
    let mut reports = completeness.connections.iter();
    let report = reports.find(|report| report.connection == cost.connection);
    let sent = cost.sent.iter().map(|request| {
        json!({
            "request": request.line,
            "status": request.status,
            "attempt": request.attempt,
            "bytes": request.body_bytes,
            "elapsed_ms": millis(request.elapsed),
            "for_token": request.is_token_request,
        })
    });
    json!({
        "connection": cost.connection,
        "complete": report.is_none_or(|report| report.is_complete()),
        "gaps": report.map(gaps).unwrap_or_default(),
        "notes": report.map(|report| report.notes.clone()).unwrap_or_default(),
        "requests": cost.usage.requests,
        "token_requests": cost.usage.token_requests,
        "pages": cost.usage.answers,
        "bytes": cost.usage.bytes,
        "retries": cost.usage.retries,
        "waited_ms": millis(cost.usage.waited),
        "rows_in": cost.n_rows_in,
        "duplicates": cost.n_duplicates,
        "rows_out": cost.n_rows_out,
        "from_cache": report.is_some_and(|report| report.from_cache.is_some()),
        "sent": sent.collect::<Vec<_>>(),
    })
}

fn millis(time: Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}

fn micros(time: Duration) -> Value {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).into()
}
