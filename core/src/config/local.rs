//! One `[tables.NAME]`: a file that queries can name like a connection's table.
//! Nothing is opened here; whether the file is there is asked when a statement names the table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sessionql_plugin_abi::message::ColumnType;

use super::read::Reader;
use super::{did_you_mean_one_of, read_zone};
use crate::error::ConfigError;

/// The types that a column may be declared to have, with their words.
const TYPES: [(&str, ColumnType); 8] = [
    ("text", ColumnType::Text),
    ("int64", ColumnType::Int64),
    ("float64", ColumnType::Float64),
    ("bool", ColumnType::Bool),
    ("timestamp", ColumnType::Timestamp),
    ("duration", ColumnType::Duration),
    ("list<text>", ColumnType::TextList),
    ("json", ColumnType::Json),
];

/// What the configuration says of a local table.
#[derive(Debug, Clone)]
pub struct LocalTableConfig {
    /// Its name.
    pub name: String,
    /// The line of its header, counted from 1.
    pub line: usize,
    /// The file.
    pub path: PathBuf,
    /// How the file is written.
    pub format: FileFormat,
    /// The columns of a session's start and end, if the rows are sessions.
    pub time: Option<TimeConfig>,
    /// The columns whose type is said and not guessed.
    pub columns: BTreeMap<String, DeclaredColumn>,
    /// The zone of times without offset in the file: its own, else that of `[settings]`.
    pub time_zone: chrono_tz::Tz,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Fields between delimiters, names in the first line.
    Csv {
        /// What is between fields.
        delimiter: u8,
    },
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// The columns of a session's start and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeConfig {
    /// The column of the start.
    pub start: String,
    /// The column of the end; NULL is open.
    pub end: String,
    /// The line that says so, counted from 1.
    pub line: usize,
}

/// A column whose type is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredColumn {
    /// Its type.
    pub column_type: ColumnType,
    /// The line that says so, counted from 1.
    pub line: usize,
}

impl FileFormat {
    /// Returns the word for the format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv { .. } => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

impl LocalTableConfig {
    pub(super) fn read(
        name: &str,
        table: &mut Reader<'_>,
        default_zone: chrono_tz::Tz,
    ) -> Result<Self, ConfigError> {
        let what = format!("local table `{name}`");
        let line = table.line();
        let path = table.take_text("path")?.filter(|path| !path.is_empty()).ok_or_else(|| {
            table
                .error(format!("{what} has no `path`"))
                .with_hint("name its file, such as `path = \"watchlist.csv\"`")
        })?;
        let path = PathBuf::from(path);
        let format = read_format(&what, &path, table)?;
        let time = match table.take_table("time")? {
            Some(mut time) => Some(read_time(&what, &mut time)?),
            None => None,
        };
        let columns = match table.take_table("columns")? {
            Some(mut columns) => read_columns(&what, &mut columns)?,
            None => BTreeMap::new(),
        };
        if let Some(time) = &time {
            for column in [&time.start, &time.end] {
                if let Some(declared) = columns.get(column)
                    && declared.column_type != ColumnType::Timestamp
                {
                    let message =
                        format!("{what}: `{column}` is a time column, and those are `timestamp`");
                    return Err(ConfigError {
                        line: Some(declared.line),
                        ..ConfigError::new(message)
                    });
                }
            }
        }
        let time_zone = match table.take_text("time_zone")? {
            None => default_zone,
            Some(zone) => read_zone(table, &zone)?,
        };
        let known = ["path", "format", "delimiter", "time", "columns", "time_zone"];
        table.finish(&what, &known)?;
        Ok(Self { name: name.to_owned(), line, path, format, time, columns, time_zone })
    }
}

/// Returns the format that is said, or that the file's ending says.
fn read_format(what: &str, path: &Path, table: &mut Reader<'_>) -> Result<FileFormat, ConfigError> {
    let said = table.take_text("format")?;
    let delimiter = table.take_text("delimiter")?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let word = said.clone().unwrap_or_else(|| ending.to_ascii_lowercase());
    let format = match word.as_str() {
        "csv" => FileFormat::Csv { delimiter: b',' },
        "jsonl" | "ndjson" => FileFormat::Jsonl,
        "parquet" => FileFormat::Parquet,
        _ => {
            let (key, message) = match said {
                Some(word) => ("format", format!("{what}: `format`: no format `{word}`")),
                None => {
                    let file = path.display();
                    ("path", format!("{what}: the ending of `{file}` tells no format"))
                }
            };
            let error = table.error_at_key(key, message);
            return Err(error.with_hint(
                "formats are `csv`, `jsonl` and `parquet`; files end in `.csv`, `.jsonl`, \
                 `.ndjson` or `.parquet`, or `format` says it",
            ));
        }
    };
    match (format, delimiter) {
        (format, None) => Ok(format),
        (FileFormat::Csv { .. }, Some(text)) => match text.as_bytes() {
            [delimiter] if delimiter.is_ascii() && !b"\"\r\n".contains(delimiter) => {
                Ok(FileFormat::Csv { delimiter: *delimiter })
            }
            _ => {
                let message = format!("{what}: `delimiter` must be one ASCII character");
                Err(table
                    .error_at_key("delimiter", message)
                    .with_hint("such as `delimiter = \";\"` or `delimiter = \"\\t\"`"))
            }
        },
        (format, Some(_)) => {
            let message = format!("{what}: `delimiter` has no meaning for {}", format.word());
            Err(table.error_at_key("delimiter", message))
        }
    }
}

fn read_time(what: &str, table: &mut Reader<'_>) -> Result<TimeConfig, ConfigError> {
    let (start, end) = (table.take_text("start")?, table.take_text("end")?);
    table.finish(&format!("`time` of {what}"), &["start", "end"])?;
    match (start, end) {
        (Some(start), Some(end)) if start != end => {
            Ok(TimeConfig { start, end, line: table.line() })
        }
        (Some(_), Some(_)) => {
            Err(table.error(format!("{what}: `time` names one column as `start` and as `end`")))
        }
        _ => Err(table
            .error(format!("{what}: `time` needs `start` and `end`"))
            .with_hint("such as `time = { start = \"began\", end = \"ended\" }`")),
    }
}

fn read_columns(
    what: &str,
    table: &mut Reader<'_>,
) -> Result<BTreeMap<String, DeclaredColumn>, ConfigError> {
    let mut columns = BTreeMap::new();
    for (name, line) in table.keys() {
        let word = table.take_text(&name)?.unwrap_or_default();
        let Some((_, column_type)) = TYPES.iter().find(|(known, _)| *known == word) else {
            let known = TYPES.map(|(known, _)| known);
            let message = format!("{what}: column `{name}`: no type `{word}`");
            let hint = did_you_mean_one_of(&word, &known)
                .unwrap_or_else(|| format!("types are `{}`", known.join("`, `")));
            return Err(ConfigError {
                line: Some(line),
                ..ConfigError::new(message).with_hint(hint)
            });
        };
        columns.insert(name, DeclaredColumn { column_type: *column_type, line });
    }
    Ok(columns)
}
