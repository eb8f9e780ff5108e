//! The rows of DESCRIBE and SHOW. Everything here is known without a request.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use sessionql_grammar::ast::ObjectName;
use sessionql_plugin_abi::message::{Column, ColumnType, FilterOp, History, Io, TimeColumns};

use super::{Connections, Outcome};
use crate::catalog::StatementTables;
use crate::columns::{ColumnSource, TableColumn, column_type};
use crate::connection::Connection;
use crate::display::count;
use crate::duration::human;
use crate::error::{Error, did_you_mean, nearest};
use crate::functions::Function;
use crate::http::{ClientState, RateLeft, TokenHeld};
use crate::last::LastResult;
use crate::lower::Tables as _;
use crate::sessions;

/// Builds the columns of a listing.
#[derive(Default)]
struct Listing {
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Listing {
    fn text(mut self, name: &str, values: Vec<Option<String>>) -> Self {
        self.fields.push(Field::new(name, DataType::Utf8, true));
        self.columns.push(Arc::new(StringArray::from(values)));
        self
    }

    fn flag(mut self, name: &str, values: Vec<bool>) -> Self {
        self.fields.push(Field::new(name, DataType::Boolean, false));
        self.columns.push(Arc::new(BooleanArray::from(values)));
        self
    }

    fn outcome(self) -> Result<Outcome, Error> {
        let schema = Arc::new(Schema::new(self.fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), self.columns)
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(Outcome::ready(schema, vec![batch]))
    }
}

/// Lists the columns of a table: type, whether NULL may come, which filters are pushed.
pub(super) fn describe(tables: &StatementTables<'_>, name: &ObjectName) -> Result<Outcome, Error> {
    let parts: Vec<String> = name.parts.iter().map(|part| part.normalized()).collect();
    if let Some(last) = tables.resolve_last(&parts)? {
        return describe_last(&last);
    }
    if let Some(table) = tables.resolve_local(&parts)? {
        return describe_columns(table.columns(), None, false);
    }
    let Some(table) = tables.resolve(&parts)? else {
        let found = parts.join(".");
        let known = tables.names();
        let hint = did_you_mean(&nearest(&found, known.iter().map(String::as_str)));
        let message = if known.is_empty() {
            format!("no table `{found}`: no connection is configured")
        } else {
            format!("no table `{found}`")
        };
        return Err(Error::Query { message, span: Some(name.span), hint });
    };
    describe_columns(table.columns(), table.time(), table.takes_window())
}

/// Lists the columns of the last result.
fn describe_last(last: &LastResult) -> Result<Outcome, Error> {
    let columns = last.shape().columns;
    let word = |data_type: &DataType| match column_type(data_type) {
        Some(column_type) => type_word(column_type).to_owned(),
        None => data_type.to_string().to_lowercase(),
    };
    let doc = "Of the last result.".to_owned();
    Listing::default()
        .text("column", columns.iter().map(|column| Some(column.name.clone())).collect())
        .text("type", columns.iter().map(|column| Some(word(&column.data_type))).collect())
        .flag("nullable", vec![true; columns.len()])
        .text("pushed", vec![None; columns.len()])
        .text("doc", vec![Some(doc); columns.len()])
        .outcome()
}

/// Lists columns; the window on the columns of `time` may be pushed.
fn describe_columns(
    columns: &[TableColumn],
    time: Option<TimeColumns>,
    takes_window: bool,
) -> Result<Outcome, Error> {
    let each =
        |of: &dyn Fn(&TableColumn) -> Option<String>| columns.iter().map(of).collect::<Vec<_>>();
    let pushed = |column: &Column| {
        let mut words: Vec<&str> = column.filters.iter().map(|op| filter_word(*op)).collect();
        let bounds = time.as_ref().is_some_and(|time| {
            takes_window && (time.start == column.name || time.end == column.name)
        });
        if bounds {
            words.push("window");
        }
        (!words.is_empty()).then(|| words.join(", "))
    };
    let notes = |column: &TableColumn| {
        let own = &column.column;
        let mut doc = own.doc.clone();
        if !own.values.is_empty() {
            doc = format!("{doc} One of {}.", own.values.join(", "));
        }
        if own.hidden {
            doc = format!("{doc} Hidden: only there when named.");
        }
        if own.sensitive {
            doc = format!("{doc} Sensitive: masked in logs.");
        }
        let doc = doc.trim().to_owned();
        (!doc.is_empty()).then_some(doc)
    };
    Listing::default()
        .text("column", each(&|column| Some(column.column.name.clone())))
        .text("type", each(&|column| Some(type_word(column.column.column_type).to_owned())))
        .flag("nullable", columns.iter().map(|column| column.column.nullable).collect())
        .text(
            "pushed",
            each(&|column| match column.source {
                ColumnSource::Plugin => pushed(&column.column),
                _ => None,
            }),
        )
        .text("doc", each(&notes))
        .outcome()
}

/// Lists the configured connections.
pub(super) fn connections(connections: &Connections) -> Result<Outcome, Error> {
    let configs: Vec<_> = connections.configs().collect();
    let opened = connections.opened();
    let open = |name: &str| opened.iter().find(|open| open.config.name == name);
    let each = |of: &dyn Fn(&Connection) -> Option<String>| {
        configs.iter().map(|config| open(&config.name).and_then(|open| of(open))).collect()
    };
    let state = |name: &str| {
        let state = open(name).and_then(|open| open.client_state());
        state_in_words(state.as_ref())
    };
    let left = |state: ClientState| match &state.left {
        Some(left) => left_in_words(left),
        None => "no limit known".to_owned(),
    };
    Listing::default()
        .text("connection", configs.iter().map(|config| Some(config.name.clone())).collect())
        .text("plugin", configs.iter().map(|config| Some(config.plugin.clone())).collect())
        .text("base_url", configs.iter().map(|config| config.base_url.clone()).collect())
        .flag("open", configs.iter().map(|config| open(&config.name).is_some()).collect())
        .text("auth", each(&|open| Some(open.auth_word().to_owned())))
        .text("state", configs.iter().map(|config| Some(state(&config.name))).collect())
        .text("rate_left", each(&|open| open.client_state().map(left)))
        .text("last_error", each(&|open| open.client_state()?.last_error))
        .outcome()
}

/// Returns how far a connection is, in words.
fn state_in_words(state: Option<&ClientState>) -> String {
    let Some(state) = state else { return "not used yet".to_owned() };
    let answered = if state.has_answered { "answered" } else { "not answered yet" };
    match state.token {
        TokenHeld::NotNeeded => answered.to_owned(),
        TokenHeld::None => "no token".to_owned(),
        TokenHeld::Fetching => "fetching a token".to_owned(),
        TokenHeld::Held(None) => "token held".to_owned(),
        TokenHeld::Held(Some(left)) => {
            format!("token held for {}", human(Duration::from_secs(left.as_secs())))
        }
    }
}

/// Returns what a rate allows, in words.
fn left_in_words(left: &RateLeft) -> String {
    let requests = count(left.requests, "request");
    match left.more_in {
        Some(wait) if left.requests == 0 => {
            format!("{requests}, more in {}", human(Duration::from_secs(wait.as_secs().max(1))))
        }
        _ => requests,
    }
}

/// Lists the plugins that are found; one that cannot be used says why.
pub(super) fn plugins(connections: &Connections) -> Result<Outcome, Error> {
    let names = connections.plugin_path().names();
    let loaded: Vec<_> = names.iter().map(|name| connections.plugin(name)).collect();
    let each = |of: &dyn Fn(&crate::plugin::ManagedPlugin) -> String| {
        loaded.iter().map(|plugin| plugin.as_ref().ok().map(|plugin| of(plugin))).collect()
    };
    let io = |io: Io| if io == Io::Host { "host" } else { "own" }.to_owned();
    let errors = loaded.iter().map(|plugin| plugin.as_ref().err().map(ToString::to_string));
    Listing::default()
        .text("plugin", names.iter().cloned().map(Some).collect())
        .text("version", each(&|plugin| plugin.manifest.version.clone()))
        .text("abi", each(&|_| sessionql_plugin_abi::ABI_VERSION.to_string()))
        .text("io", each(&|plugin| io(plugin.manifest.io)))
        .text("doc", each(&|plugin| plugin.manifest.doc.clone()))
        .text("file", each(&|plugin| plugin.file.display().to_string()))
        .text("error", errors.collect())
        .outcome()
}

/// Lists the tables of all connections, and the local ones; what cannot be opened says why.
pub(super) fn tables(connections: &Connections) -> Result<Outcome, Error> {
    let mut rows: Vec<[Option<String>; 5]> = Vec::new();
    if connections.configs().any(|config| config.in_sessions) {
        let doc = "The sessions of all connections: their common columns.";
        rows.push([Some(sessions::NAME.to_owned()), None, None, Some(doc.to_owned()), None]);
    }
    for name in connections.names() {
        match connections.open(&name) {
            Ok(Some(connection)) => {
                let main = connection.main_table().map(|table| table.name.as_str());
                for table in &connection.tables {
                    let full_name = format!("{name}.{}", table.name);
                    let is_main = main == Some(&table.name);
                    let short_name = if is_main { name.clone() } else { full_name };
                    let history = table.limits.history.map(|history| match history {
                        History::Live => "live".to_owned(),
                        History::LastUs(micros) => crate::duration::human_us(micros),
                    });
                    let plugin = connection.config.plugin.clone();
                    let doc = table.doc.clone();
                    rows.push([Some(short_name), Some(plugin), history, Some(doc), None]);
                }
            }
            Ok(None) => {}
            Err(error) => rows.push([Some(name), None, None, None, Some(error.to_string())]),
        }
    }
    for table in connections.local_tables() {
        let doc = format!("{} `{}`", table.format.word(), table.path.display());
        let error = std::fs::metadata(&table.path).err();
        let error = error.map(|error| format!("the file cannot be read: {error}"));
        rows.push([Some(table.name.clone()), Some("local".to_owned()), None, Some(doc), error]);
    }
    let column = |idx: usize| rows.iter().map(|row| row[idx].clone()).collect();
    Listing::default()
        .text("table", column(0))
        .text("plugin", column(1))
        .text("history", column(2))
        .text("doc", column(3))
        .text("error", column(4))
        .outcome()
}

/// Lists the functions that can be called: our own, and the engine's as it describes them.
pub(super) fn functions(functions: &[Function]) -> Result<Outcome, Error> {
    let column = |of: &dyn Fn(&Function) -> &str| {
        let texts = functions.iter().map(|function| of(function).to_owned());
        texts.map(|text| Some(text).filter(|text| !text.is_empty())).collect()
    };
    Listing::default()
        .text("function", column(&|function| &function.name))
        .text("kind", column(&|function| function.kind))
        .text("signature", column(&|function| &function.signature))
        .text("doc", column(&|function| &function.doc))
        .outcome()
}

/// Lists the parameters: name, type, value and doc of each.
pub(super) fn parameters(rows: Vec<[Option<String>; 4]>) -> Result<Outcome, Error> {
    let column = |idx: usize| rows.iter().map(|row| row[idx].clone()).collect();
    Listing::default()
        .text("parameter", column(0))
        .text("type", column(1))
        .text("value", column(2))
        .text("doc", column(3))
        .outcome()
}

/// Tells the value of a setting.
pub(super) fn setting(name: &str, value: &str) -> Result<Outcome, Error> {
    Listing::default().text(name, vec![Some(value.to_owned())]).outcome()
}

/// The word for a type in DESCRIBE and in the machine formats.
pub fn type_word(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Text => "text",
        ColumnType::Timestamp => "timestamp",
        ColumnType::Duration => "duration",
        ColumnType::Int64 => "int64",
        ColumnType::Float64 => "float64",
        ColumnType::Bool => "bool",
        ColumnType::TextList => "list<text>",
        ColumnType::Json => "json",
    }
}

fn filter_word(op: FilterOp) -> &'static str {
    match op {
        FilterOp::Eq => "=",
        FilterOp::In => "IN",
        FilterOp::Range => "range",
        FilterOp::OpenDuring => "window",
        FilterOp::IsNull => "IS NULL",
        FilterOp::Like => "LIKE",
    }
}
