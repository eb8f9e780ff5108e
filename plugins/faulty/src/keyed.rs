//! Two honest tables for tests of joins: `people`, read whole, and `visits`, which is capped and can
//! be asked by key. Their rows are options of the connection; what `visits` was asked for is written
//! into a file, one line each.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use sessionql_plugin_sdk::arrow_array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use sessionql_plugin_sdk::arrow_schema::Schema;
use sessionql_plugin_sdk::export::Answer;
use sessionql_plugin_sdk::filters::texts;
use sessionql_plugin_sdk::message::{
    ConnectionOption, FilterOp, Gap, OptionType, Plan, Report, Request, ScanRequest, Verdict,
};
use sessionql_plugin_sdk::{Column, Error, Host, Options, Reason, Result, Table, WireError};

use crate::option;

/// The columns that `visits` can be asked by.
const KEYS: [&str; 3] = ["user", "ip", "boss"];
/// The keys that are errors.
const FAILS_IN_PLAN: &str = "fails in plan";
const FAILS_IN_SCAN: &str = "fails in scan";
/// Rows in an answer at most, if the option `cap` does not say less.
const MAX_ROWS: u64 = 1_000_000;

/// The rows of a connection, and how its provider behaves.
#[derive(Debug)]
pub(crate) struct Keyed {
    people: Vec<Vec<Value>>,
    visits: Vec<Vec<Value>>,
    n_batch_rows: usize,
    cap: usize,
    ignores_case: bool,
    asked: Option<PathBuf>,
}

pub(crate) fn people() -> Table {
    Table::new("people", "One of the people of the option `people`.").columns([
        Column::text("id", "0").doc("Who."),
        Column::text("dept", "1").required().doc("Where they work."),
        Column::int64("lvl", "2").doc("A number that several have."),
        Column::int64("seq", "3").required().doc("A number of their own."),
    ])
}

pub(crate) fn visits() -> Table {
    let key = |column: Column| column.filters([FilterOp::Eq, FilterOp::In]).lookup();
    Table::new("visits", "One of the visits of the option `visits`.").cap(MAX_ROWS).columns([
        key(Column::text("user", "0").doc("Who came.")),
        key(Column::text("ip", "1").doc("Where from.")),
        Column::int64("n", "2").doc("A number that several have."),
        key(Column::text("boss", "3").required().doc("Who let them in.")),
    ])
}

pub(crate) fn options() -> [ConnectionOption; 5] {
    let rows = |name, doc| option(name, OptionType::Text, json!("[]"), doc);
    [
        rows("people", "The rows of `people`, as a JSON list of lists."),
        rows("visits", "The rows of `visits`, as a JSON list of lists."),
        option("cap", OptionType::Int, json!(MAX_ROWS), "Rows in an answer of `visits` at most."),
        option("ignores_case", OptionType::Bool, json!(false), "Whether keys match in any case."),
        option("asked", OptionType::Text, json!(""), "A file for what `visits` was asked for."),
    ]
}

impl Keyed {
    pub(crate) fn new(options: &Options) -> Result<Self, WireError> {
        let rows = |name: &str| {
            serde_json::from_str(options.text(name).unwrap_or("[]"))
                .map_err(|error| format!("option `{name}` holds no rows: {error}"))
                .map_err(|message| WireError::new(Reason::Config, message))
        };
        let size = |name: &str| usize::try_from(options.int(name).unwrap_or(1)).unwrap_or(1);
        Ok(Self {
            people: rows("people")?,
            visits: rows("visits")?,
            n_batch_rows: size("batch").max(1),
            cap: size("cap"),
            ignores_case: options.bool("ignores_case").unwrap_or(false),
            asked: options.text("asked").filter(|path| !path.is_empty()).map(PathBuf::from),
        })
    }

    /// Returns the plan for a request; `None` if it is for another table.
    ///
    /// The first filter on a key is used. A key with a `*` would be a pattern, so it is not.
    pub(crate) fn plan(&self, request: &[u8]) -> Option<Answer> {
        let request: Request = serde_json::from_slice(request).ok()?;
        let whole = Plan { slices: vec![Value::Null], ..Plan::default() };
        match request.table.as_str() {
            "people" => Some(Answer::document(&whole)),
            "visits" => Some(match self.plan_visits(&request, whole) {
                Ok(plan) => Answer::document(&plan),
                Err(error) => error.into(),
            }),
            _ => None,
        }
    }

    fn plan_visits(&self, request: &Request, mut plan: Plan) -> Result<Plan> {
        let mut fails = false;
        for filter in &request.filters {
            let keys = KEYS.iter().find_map(|column| {
                let keys = texts(filter, column)?;
                fails |= keys.contains(&FAILS_IN_PLAN);
                let is_askable = keys.iter().all(|key| !key.contains('*'));
                is_askable.then(|| json!({"column": column, "keys": keys}))
            });
            let verdict = match keys {
                Some(keys) if plan.slices == [Value::Null] => {
                    plan.slices = vec![keys];
                    if self.ignores_case { Verdict::Inexact } else { Verdict::Exact }
                }
                _ => Verdict::Unsupported,
            };
            plan.verdicts.push(verdict);
        }
        match fails {
            true => Err(Error::plugin("a key that fails in plan, as asked")),
            false => Ok(plan),
        }
    }

    /// Runs a slice; `None` if it is for another table.
    pub(crate) fn scan(&self, host: &Host<'_>, slice: &[u8]) -> Result<Option<Report>> {
        let Ok(scan) = serde_json::from_slice::<ScanRequest>(slice) else { return Ok(None) };
        let wanted = &scan.request.columns;
        match scan.request.table.as_str() {
            "people" => {
                let rows: Vec<&[Value]> = self.people.iter().map(Vec::as_slice).collect();
                for rows in rows.chunks(self.n_batch_rows) {
                    host.emit(batch(&people(), wanted, rows)?)?;
                }
                Ok(Some(Report::default()))
            }
            "visits" => self.scan_visits(host, wanted, &scan.slice).map(Some),
            _ => Ok(None),
        }
    }

    fn scan_visits(&self, host: &Host<'_>, wanted: &[String], slice: &Value) -> Result<Report> {
        let mut report = Report::default();
        let column = slice["column"].as_str();
        let keys: Vec<&str> =
            slice["keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let column_idx = KEYS.iter().position(|key| Some(*key) == column);
        // The columns in the order of the table; the number stands between the keys.
        let column_idx = column_idx.map(|idx| if idx == 2 { 3 } else { idx });
        let is_answer = |row: &&Vec<Value>, key: &str| {
            let value = column_idx.and_then(|idx| row[idx].as_str());
            value.is_some_and(|value| match self.ignores_case {
                true => value.eq_ignore_ascii_case(key),
                false => value == key,
            })
        };
        let mut rows: Vec<&[Value]> = Vec::new();
        match column {
            None => {
                self.note("*")?;
                rows.extend(self.visits.iter().map(Vec::as_slice));
                self.cut(&mut rows, "all visits", &mut report);
            }
            Some(column) => {
                for (key_idx, key) in keys.iter().enumerate() {
                    self.note(&format!("{column}={key}"))?;
                    if *key == FAILS_IN_SCAN {
                        return Err(Error::plugin("a key that fails in scan, as asked"));
                    }
                    // What an earlier key brought is not brought again.
                    let is_new = |row: &&Vec<Value>| {
                        !keys[..key_idx].iter().any(|earlier| is_answer(row, earlier))
                    };
                    let answer = self.visits.iter().filter(|row| is_answer(row, key));
                    let mut answer: Vec<&[Value]> =
                        answer.filter(is_new).map(Vec::as_slice).collect();
                    self.cut(&mut answer, &format!("visits of `{key}`"), &mut report);
                    rows.extend(answer);
                }
            }
        }
        for rows in rows.chunks(self.n_batch_rows) {
            host.emit(batch(&visits(), wanted, rows)?)?;
        }
        Ok(report)
    }

    /// Takes an answer down to the cap.
    fn cut(&self, rows: &mut Vec<&[Value]>, what: &str, report: &mut Report) {
        let n_rows = rows.len();
        if n_rows > self.cap {
            rows.truncate(self.cap);
            let message = format!("{} of {n_rows} {what}", self.cap);
            report.gaps.push(Gap { reason: Reason::Capped, message });
        }
    }

    fn note(&self, line: &str) -> Result<()> {
        let Some(path) = &self.asked else { return Ok(()) };
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .map_err(|error| Error::plugin(format!("{}: {error}", path.display())))
    }
}

/// Makes a batch of the columns that are wanted.
fn batch(table: &Table, wanted: &[String], rows: &[&[Value]]) -> Result<RecordBatch> {
    let known = table.manifest().columns;
    let mut fields: Vec<(&str, ArrayRef)> = Vec::new();
    for name in wanted {
        let Some(idx) = known.iter().position(|column| column.name == *name) else { continue };
        let cells = rows.iter().map(|row| &row[idx]);
        let array: ArrayRef = match name.as_str() {
            "lvl" | "seq" | "n" => Arc::new(cells.map(Value::as_i64).collect::<Int64Array>()),
            _ => Arc::new(cells.map(Value::as_str).collect::<StringArray>()),
        };
        fields.push((name, array));
    }
    let unfit = |error| Error::plugin(format!("rows do not fit together: {error}"));
    if fields.is_empty() {
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let schema = Arc::new(Schema::empty());
        return RecordBatch::try_new_with_options(schema, Vec::new(), &options).map_err(unfit);
    }
    RecordBatch::try_from_iter_with_nullable(fields.into_iter().map(|(name, array)| {
        let is_nullable = known.iter().any(|column| column.name == name && column.nullable);
        (name, array, is_nullable)
    }))
    .map_err(unfit)
}
