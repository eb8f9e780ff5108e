//! A plugin that misbehaves on demand, to test that the host notices.
//! The option `crime` of a connection names the misdeed; `none` makes a few good rows without I/O.
//! It speaks the wire by [`Documents`], the layer below `Provider`, which would not allow most of it.

mod keyed;

use std::sync::Arc;

use serde_json::{Value, json};
use sessionql_plugin_sdk::arrow_array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use sessionql_plugin_sdk::arrow_schema::Schema;
use sessionql_plugin_sdk::export::{Answer, Documents};
use sessionql_plugin_sdk::message::{
    ConnectionOption, FilterOp, HttpRequest, Io, Manifest, OptionType, Pattern, Plan, Report,
    ScanRequest,
};
use sessionql_plugin_sdk::{
    Column, Error, ErrorDocument, Host, Options, Reason, Result, Table, WireError, export_provider,
};

use keyed::Keyed;

/// What a connection can be guilty of.
const CRIMES: [&str; 27] = [
    "none",
    "panic_in_connect",
    "panic_in_plan",
    "panic_in_disconnect",
    "echo_in_plan",
    "panic_in_scan",
    "hang_in_connect",
    "hang_in_plan",
    "hang_in_scan",
    "hang_after_two_batches",
    "hang_in_disconnect",
    "abort_in_connect",
    "abort_in_plan",
    "abort_in_scan",
    "abort_after_two_batches",
    "overflow_in_scan",
    "endless_rows",
    "endless_memory",
    "prints",
    "bad_json_reply",
    "wrong_schema",
    "wrong_column_count",
    "lies_null",
    "too_many_rows",
    "error_after_two_batches",
    "no_report",
    "undeclared_request",
];

/// A guilty connection.
#[derive(Debug)]
pub struct Faulty {
    crime: String,
    n_rows: i64,
    batch_rows: i64,
    keyed: Keyed,
}

/// Columns: `id` (text, never NULL) and `n` (whole number), counted from 0; hidden is `pin`, the id once
/// more, which nobody may see.
fn rows() -> Table {
    Table::new("rows", "One row that was made up.").main().primary_key(["id"]).columns([
        Column::text("id", "id").required().doc("The row's number as text."),
        Column::int64("n", "n").doc("The row's number."),
        Column::text("pin", "pin").hidden().sensitive().filters([FilterOp::Eq]).doc("A secret."),
    ])
}

fn option(name: &str, option_type: OptionType, default: Value, doc: &str) -> ConnectionOption {
    ConnectionOption {
        name: name.to_owned(),
        option_type,
        default: Some(default),
        doc: doc.to_owned(),
        ..ConnectionOption::default()
    }
}

fn manifest() -> Manifest {
    let crime = option("crime", OptionType::Text, json!("none"), "What to do wrong.");
    Manifest {
        name: "faulty".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        doc: "Misbehaves on demand.".to_owned(),
        io: Io::Host,
        options: vec![
            ConnectionOption { values: CRIMES.map(str::to_owned).into(), ..crime },
            option("rows", OptionType::Int, json!(10), "How many rows to make."),
            option("batch", OptionType::Int, json!(4), "How many rows a batch holds."),
        ]
        .into_iter()
        .chain(keyed::options())
        .collect(),
        tables: vec![rows().manifest(), keyed::people().manifest(), keyed::visits().manifest()],
        patterns: vec![Pattern::get("/allowed")],
        ..Manifest::default()
    }
}

impl Documents for Faulty {
    /// Claims version 2 if the environment says so, for that is looked at before any option.
    #[expect(
        clippy::disallowed_methods,
        reason = "the ABI version is read before there are options"
    )]
    fn abi_version() -> u32 {
        let version = std::env::var("SESSIONQL_FAULTY_ABI").ok();
        version.and_then(|version| version.parse().ok()).unwrap_or(1)
    }

    /// Commits the crime that the environment names, for there are no options yet.
    #[expect(
        clippy::disallowed_methods,
        reason = "a manifest is asked for before there are options"
    )]
    fn describe() -> Answer {
        if let Ok(crime) = std::env::var("SESSIONQL_FAULTY_CRIME") {
            commit(&crime, "describe");
        }
        Answer::document(&manifest())
    }

    fn connect(options: &[u8]) -> Result<(Self, Answer), ErrorDocument> {
        let options = Options::parse(options)?;
        let crime = options.text("crime").unwrap_or("none").to_owned();
        commit(&crime, "connect");
        if !CRIMES.contains(&crime.as_str()) {
            let message = format!("option `crime` is `{crime}`, which is none that is known");
            return Err(WireError::new(Reason::Config, message).into());
        }
        let n_rows = options.int("rows").unwrap_or(10);
        let batch_rows = options.int("batch").unwrap_or(4).max(1);
        let keyed = Keyed::new(&options)?;
        Ok((Self { crime, n_rows, batch_rows, keyed }, Answer::document(&json!({}))))
    }

    fn plan(&self, request: &[u8]) -> Answer {
        commit(&self.crime, "plan");
        if let Some(answer) = self.keyed.plan(request) {
            return answer;
        }
        match self.crime.as_str() {
            "echo_in_plan" => {
                let asked = String::from_utf8_lossy(request);
                Error::plugin(format!("no plan for {asked}")).into()
            }
            "bad_json_reply" => Answer::Done(Some(b"{\"slices\": [nul".to_vec())),
            _ => Answer::document(&Plan { slices: vec![Value::Null], ..Plan::default() }),
        }
    }

    fn scan(&self, host: &Host<'_>, slice: &[u8]) -> Answer {
        match self.keyed.scan(host, slice) {
            Ok(None) => {}
            Ok(Some(report)) => return Answer::document(&report),
            Err(error) => return error.into(),
        }
        commit(&self.crime, "scan");
        match self.emit_all(host, slice) {
            Ok(()) if self.crime == "no_report" => Answer::Done(None),
            Ok(()) => Answer::document(&Report::default()),
            Err(error) => error.into(),
        }
    }
}

/// Commits a crime that is one of this place, which is in its name, and needs nothing else.
#[expect(clippy::panic, reason = "panicking is what was asked for")]
fn commit(crime: &str, place: &str) {
    match crime.split_once('_') {
        Some(("panic", rest)) if names(rest, place) => panic!("a panic in {place}, as asked"),
        Some(("hang", rest)) if names(rest, place) => loop {
            std::thread::park();
        },
        Some(("abort", rest)) if names(rest, place) => std::process::abort(),
        Some(("overflow", rest)) if names(rest, place) => drop(deeper(0)),
        _ => {}
    }
}

/// Tells whether the rest of a crime's name is about a place.
fn names(rest: &str, place: &str) -> bool {
    rest.strip_prefix("in_") == Some(place) || (place == "after" && rest.starts_with("after"))
}

/// Goes deeper until the stack ends.
#[expect(unconditional_recursion, reason = "it is what was asked for")]
fn deeper(depth: u64) -> Vec<u64> {
    let mut below = deeper(std::hint::black_box(depth + 1));
    below.push(depth);
    below
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what was asked for")]
fn print_lines() {
    for n in 0..100 {
        println!("line {n} on standard output");
        eprintln!("line {n} on standard error");
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        commit(&self.crime, "disconnect");
    }
}

impl Faulty {
    fn emit_all(&self, host: &Host<'_>, slice: &[u8]) -> Result<()> {
        let scan: ScanRequest = serde_json::from_slice(slice)
            .map_err(|error| Error::plugin(format!("the slice cannot be read: {error}")))?;
        if self.crime == "undeclared_request" {
            host.http(&HttpRequest::get("/forbidden"))?;
        }
        if self.crime == "endless_memory" {
            let mut taken: Vec<Vec<u8>> = Vec::new();
            loop {
                taken.push(vec![1; 1 << 20]);
            }
        }
        if self.crime == "prints" {
            print_lines();
        }
        // Goes on although the host has enough.
        let never_stops = self.crime == "too_many_rows";
        let n_rows = if self.crime == "endless_rows" { i64::MAX } else { self.n_rows };
        let starts = (0..n_rows).step_by(usize::try_from(self.batch_rows).unwrap_or(1));
        for (n_batches, start) in starts.enumerate() {
            if n_batches == 2 && self.crime == "error_after_two_batches" {
                return Err(Error::plugin("an error after two batches, as asked"));
            }
            if n_batches == 2 && self.crime.ends_with("_after_two_batches") {
                commit(&self.crime, "after");
            }
            let end = n_rows.min(start.saturating_add(self.batch_rows));
            match host.emit(self.batch(&scan.request.columns, start..end)?) {
                Err(Error::Stopped) if never_stops => {}
                emitted => emitted?,
            }
        }
        Ok(())
    }

    /// Makes one batch, with whatever is wrong with it.
    fn batch(&self, columns: &[String], numbers: std::ops::Range<i64>) -> Result<RecordBatch> {
        let n_rows = usize::try_from(numbers.end - numbers.start).unwrap_or(0);
        let int = || -> ArrayRef { Arc::new(Int64Array::from_iter_values(numbers.clone())) };
        let text = |is_null: &dyn Fn(i64) -> bool| -> ArrayRef {
            let value = |n: i64| (!is_null(n)).then(|| n.to_string());
            Arc::new(numbers.clone().map(value).collect::<StringArray>())
        };
        let mut fields: Vec<(&str, ArrayRef)> = Vec::new();
        for name in columns {
            let array = match (name.as_str(), self.crime.as_str()) {
                ("id", "wrong_schema") => int(),
                ("id", "lies_null") => text(&|n| n % 3 == 1),
                ("id" | "pin", _) => text(&|_| false),
                _ => int(),
            };
            fields.push((name, array));
        }
        if self.crime == "wrong_column_count" {
            fields.push(("surplus", int()));
        }
        let unfit = |error| Error::plugin(format!("rows do not fit together: {error}"));
        if fields.is_empty() {
            let schema = Arc::new(Schema::empty());
            let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
            return RecordBatch::try_new_with_options(schema, Vec::new(), &options).map_err(unfit);
        }
        RecordBatch::try_from_iter(fields).map_err(unfit)
    }
}

export_provider!(Faulty);
