//! Reads a test file: the configuration that its query runs under, and its cases.
//! In: a path. Out: a [`TestFile`], or what is wrong with it and where. Everything is read and
//! parsed; whether rows fit their tables is told when a case runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sessionql_core::config::{Config, ConnectionConfig};
use sessionql_core::geo::{GivenPlace, Place};
use sessionql_core::{Error, Parameters};
use sessionql_grammar::Span;
use toml::{Spanned, Table, Value};

use super::{ENDING, Fault};
use crate::report::{Kind, Report};
use crate::script::{self, ParsedScript, Script, Source};
use crate::times::TimeOptions;
use crate::usage::Refusal;

/// The keys of a test file that are not those of a configuration.
const OWN_KEYS: [&str; 4] = ["query", "now", "geoip", "case"];

/// A test file.
#[derive(Debug)]
pub(super) struct TestFile {
    /// The query that it tests.
    pub(super) query: ParsedScript,
    /// The connections of all cases, and local tables.
    pub(super) config: Config,
    /// What is tried.
    pub(super) cases: Vec<Case>,
}

/// One run of the query.
#[derive(Debug)]
pub(super) struct Case {
    /// What it shows.
    pub(super) name: String,
    /// Its instant and its window.
    pub(super) times: TimeOptions,
    /// The values of parameters.
    pub(super) parameters: Parameters,
    /// The rows of tables: connection, table, and the rows as text. No table is the main one.
    pub(super) rows: Vec<(String, Option<String>, Lines)>,
    /// The rows that must come out.
    pub(super) expected: Lines,
}

/// Lines of JSON, and where they stand.
#[derive(Debug)]
pub(super) struct Lines {
    /// The lines.
    pub(super) text: String,
    /// The file that they stand in.
    file: Script,
    /// What they are in the file.
    span: Span,
    /// Where the first of them begins there, if the file has them just so.
    start: Option<usize>,
}

impl Lines {
    /// Returns a report of something that is wrong at a place of the lines, or with all of them.
    pub(super) fn report(&self, message: &str, span: Option<Span>) -> Report {
        let moved = |start: usize| span.map(|span| Span::new(span.start + start, span.end + start));
        let span = self.start.and_then(moved).unwrap_or(self.span);
        Report::new(Kind::Error, message).at(&self.file, Some(span))
    }
}

/// A test file as it is written. What of it is configuration is read by those who know it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    query: Option<String>,
    now: Option<String>,
    #[serde(default)]
    geoip: Vec<PlaceEntry>,
    #[serde(default)]
    case: Vec<CaseEntry>,
    #[serde(rename = "connections")]
    _connections: Option<Table>,
    #[serde(rename = "tables")]
    _tables: Option<Table>,
    #[serde(rename = "settings")]
    _settings: Option<Table>,
}

/// The place of a network, in place of a database's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceEntry {
    network: Spanned<String>,
    country: Option<String>,
    city: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    asn: Option<i64>,
    as_org: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseEntry {
    name: Spanned<String>,
    now: Option<String>,
    since: Option<String>,
    until: Option<String>,
    #[serde(default)]
    parameters: Table,
    #[serde(default)]
    rows: BTreeMap<String, Spanned<Value>>,
    expected: Spanned<Value>,
}

impl TestFile {
    /// Reads a file, and the query that it tests.
    pub(super) fn read(path: &Path) -> Result<Self, Fault> {
        let script = script::read(path)?;
        let document: Document = toml::from_str(&script.text).map_err(|error| {
            let span = error.span().map(|span| Span::new(span.start, span.end));
            let message = error.message().replace('\n', " ");
            Fault::new(Report::new(Kind::Error, &message).at(&script, span), message)
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let mut config = Config::parse_beside(&script.text, &OWN_KEYS).map_err(|mut error| {
            error.file = Some(path.to_owned());
            let error = Error::from(error);
            Fault::new(Report::error(&error, None), error.to_string())
        })?;
        config.resolve_paths(directory);
        if !document.geoip.is_empty() {
            config.geoip.given = Some(read_places(document.geoip, &script)?);
        }
        if document.case.is_empty() {
            let refusal = Refusal::new(format!("`{}` has no case", path.display()));
            return Err(refusal.with_hint("write `[[case]]`").into());
        }
        let query = read_query(path, document.query.as_deref().map(|query| directory.join(query)))?;
        let zone = config.settings.time_zone;
        let mut cases: Vec<Case> = Vec::new();
        for entry in document.case {
            let reader = CaseReader { script: &script, directory, zone };
            cases.push(reader.read(entry, document.now.as_deref())?);
        }
        Ok(Self { query, config, cases })
    }
}

impl Case {
    /// Returns the configuration with the connections that the case alone names: each is of the plugin
    /// of its name.
    pub(super) fn config(&self, config: &Config) -> Config {
        let mut config = config.clone();
        for (name, ..) in &self.rows {
            config.connections.entry(name.clone()).or_insert_with(|| ConnectionConfig {
                name: name.clone(),
                plugin: name.clone(),
                in_sessions: true,
                ..ConnectionConfig::default()
            });
        }
        config
    }
}

/// Reads the places of networks.
fn read_places(entries: Vec<PlaceEntry>, script: &Script) -> Result<Vec<GivenPlace>, Fault> {
    let read = |entry: PlaceEntry| {
        let span = span_of(&entry.network);
        let PlaceEntry { network, country, city, latitude, longitude, asn, as_org } = entry;
        let place = Place { country, city, latitude, longitude, asn, as_org };
        GivenPlace::new(network.get_ref(), place).ok_or_else(|| {
            let message = format!("`{}` is not a network", network.get_ref());
            let report = Report::new(Kind::Error, &message).at(script, Some(span));
            let hint = "networks are written \"192.0.2.0/24\" or \"2001:db8::/32\"";
            Fault::new(report.with_hint(Some(hint.to_owned())), message)
        })
    };
    entries.into_iter().map(read).collect()
}

/// Reads the query of a test: the one that is named, or the one beside the test.
fn read_query(test: &Path, named: Option<PathBuf>) -> Result<ParsedScript, Fault> {
    let name = test.file_name().unwrap_or_default().to_string_lossy();
    let beside =
        || name.strip_suffix(ENDING).map(|stem| test.with_file_name(format!("{stem}.sql")));
    let query = named.or_else(beside).ok_or_else(|| {
        Refusal::new(format!("`{}` names no query", test.display()))
            .with_hint(format!("write `query = \"….sql\"`, or call the file `….{}`", &ENDING[1..]))
    })?;
    let script = Source::File(query).read().map_err(|refusal| {
        refusal.with_hint(format!("it is the query that `{}` tests", test.display()))
    })?;
    crate::parse(script).map_err(|why| {
        let failure = crate::Failure::from(why);
        Fault { reports: failure.reports(), message: failure.message(), exit: failure.exit() }
    })
}

/// Reads the cases of one file.
struct CaseReader<'a> {
    script: &'a Script,
    directory: &'a Path,
    zone: chrono_tz::Tz,
}

impl CaseReader<'_> {
    fn read(&self, entry: CaseEntry, now: Option<&str>) -> Result<Case, Fault> {
        let name_span = span_of(&entry.name);
        let at_name = |message: String, hint: Option<String>| {
            let report = Report::new(Kind::Error, &message).at(self.script, Some(name_span));
            Fault::new(report.with_hint(hint), message)
        };
        let now = entry.now.or_else(|| now.map(str::to_owned));
        if now.is_none() {
            let hint = "write `now = \"2026-01-02T03:04:05Z\"`, for the case or for the file";
            let message = "the case does not say when it is".to_owned();
            return Err(at_name(message, Some(hint.to_owned())));
        }
        let (since, until) = (("since", entry.since), ("until", entry.until));
        let times = TimeOptions::of(("now", now), since, until, self.zone);
        let times = times.map_err(|refusal| at_name(refusal.message, refusal.hint))?;
        let mut parameters = Parameters::default();
        let values = toml::to_string(&entry.parameters).map_err(|error| error.to_string());
        let values = values.and_then(|values| parameters.read_toml(&values));
        values.map_err(|message| at_name(format!("`parameters`: {message}"), None))?;
        let mut rows = Vec::new();
        for (table, given) in entry.rows {
            let (connection, table) = match table.split_once('.') {
                Some((connection, table)) => (connection.to_owned(), Some(table.to_owned())),
                None => (table, None),
            };
            rows.push((connection, table, self.lines(given)?));
        }
        let name = entry.name.into_inner();
        Ok(Case { name, times, parameters, rows, expected: self.lines(entry.expected)? })
    }

    /// Returns lines that are written out, or those of a file that is named.
    fn lines(&self, given: Spanned<Value>) -> Result<Lines, Fault> {
        let span = span_of(&given);
        let file = match given.into_inner() {
            Value::String(text) => return Ok(self.written(text, span)),
            Value::Table(table) => match (table.len(), table.get("file")) {
                (1, Some(Value::String(file))) => Some(self.directory.join(file)),
                _ => None,
            },
            _ => None,
        };
        let Some(file) = file else {
            let message = "rows are a text with an object of JSON on each line";
            let report = Report::new(Kind::Error, message).at(self.script, Some(span));
            let hint = "write `'''…'''`, or `{ file = \"….jsonl\" }`";
            return Err(Fault::new(report.with_hint(Some(hint.to_owned())), message));
        };
        let file = script::read(&file)?;
        let (text, span) = (file.text.clone(), Span::new(0, file.text.len()));
        Ok(Lines { text, file, span, start: Some(0) })
    }

    /// Returns lines that are written out at a place.
    fn written(&self, text: String, span: Span) -> Lines {
        let quoted = span.of(&self.script.text);
        let quotes =
            ["'''", "\"\"\"", "'", "\""].into_iter().find(|quotes| quoted.starts_with(quotes));
        let inner = quotes.map_or(0, str::len);
        // A line break right behind three quotes is not part of the text.
        let starts = [inner, inner + 1, inner + 2].map(|skipped| span.start + skipped);
        let is_there = |start: &usize| {
            self.script.text.get(*start..).is_some_and(|rest| rest.starts_with(&text))
        };
        let start = starts.into_iter().rev().find(is_there).filter(|_| !text.is_empty());
        Lines { text, file: self.script.clone(), span, start }
    }
}

fn span_of<T>(spanned: &Spanned<T>) -> Span {
    let span = spanned.span();
    Span::new(span.start, span.end)
}
