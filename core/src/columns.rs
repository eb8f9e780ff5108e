//! The columns of a table as queries see them: the common ones first, the plugin's own after them.
//! Some are not the plugin's: `duration` is computed when read, `provider` and `connection` are
//! constants, and a common column that the plugin lacks is NULL.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sessionql_plugin_abi::message::{Column, ColumnType, Table, TimeColumns};

/// The common columns in their order, with their types.
pub(crate) const COMMON_COLUMNS: [(&str, ColumnType); 9] = [
    ("id", ColumnType::Text),
    ("user", ColumnType::Text),
    ("start", ColumnType::Timestamp),
    ("end", ColumnType::Timestamp),
    ("duration", ColumnType::Duration),
    ("status", ColumnType::Text),
    ("client_ip", ColumnType::Text),
    ("provider", ColumnType::Text),
    ("connection", ColumnType::Text),
];

/// One column of a table.
#[derive(Debug, Clone)]
pub(crate) struct TableColumn {
    /// What the plugin, or the host for its own, says of it.
    pub column: Column,
    /// Where its values come from.
    pub source: ColumnSource,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ColumnSource {
    /// The plugin emits them, or a local table's file has them.
    Plugin,
    /// `coalesce(end, now) - start`, of these two columns.
    Duration(TimeColumns),
    /// The same text in every row.
    Constant(String),
    /// The plugin has no such column.
    Null,
}

/// Returns the columns of `table`, in the order of `*`; hidden ones are last.
pub(crate) fn table_columns(table: &Table, plugin: &str, connection: &str) -> Vec<TableColumn> {
    let own =
        |column: &Column| TableColumn { column: column.clone(), source: ColumnSource::Plugin };
    let mut columns: Vec<TableColumn> = Vec::new();
    if table.is_main {
        for (name, column_type) in COMMON_COLUMNS {
            if let Some(column) = table.columns.iter().find(|column| column.name == name) {
                columns.push(own(column));
                continue;
            }
            let (source, doc) = match (name, &table.time) {
                ("duration", Some(time)) => (
                    ColumnSource::Duration(time.clone()),
                    "How long it has lasted: up to its end, or up to now.",
                ),
                ("provider", _) => {
                    (ColumnSource::Constant(plugin.to_owned()), "The plugin that read it.")
                }
                ("connection", _) => {
                    (ColumnSource::Constant(connection.to_owned()), "The connection it came from.")
                }
                _ => (ColumnSource::Null, "Not known to this provider."),
            };
            let nullable = !matches!(source, ColumnSource::Constant(_));
            let (name, doc) = (name.to_owned(), doc.to_owned());
            let column = Column { name, column_type, nullable, doc, ..Column::default() };
            columns.push(TableColumn { column, source });
        }
    }
    let is_common = |column: &Column| {
        table.is_main && COMMON_COLUMNS.iter().any(|(name, _)| *name == column.name)
    };
    columns.extend(table.columns.iter().filter(|column| !is_common(column)).map(own));
    columns.sort_by_key(|column| column.column.hidden);
    columns
}

/// Returns the columns of `sessions`: the common ones, of whatever table.
pub(crate) fn session_columns() -> Vec<TableColumn> {
    let table = Table { is_main: true, ..Table::default() };
    let mut columns = table_columns(&table, "", "");
    for TableColumn { column, .. } in &mut columns {
        column.nullable = may_be_null(&column.name);
        column.doc = doc(&column.name).to_owned();
    }
    columns
}

/// Tells whether a common column may be NULL in `sessions`.
fn may_be_null(name: &str) -> bool {
    !matches!(name, "id" | "provider" | "connection")
}

/// Returns what a common column means, whichever provider it comes from.
fn doc(name: &str) -> &'static str {
    match name {
        "id" => "The provider's id of the session.",
        "user" => "The login as the provider knows it.",
        "start" => "When the session began.",
        "end" => "When it ended; NULL if it is open.",
        "duration" => "How long it has lasted: up to its end, or up to now.",
        "status" => "`ACTIVE`, `COMPLETED`, `FAILED`, or the provider's own in upper case.",
        "client_ip" => "Where the user came from.",
        "provider" => "The plugin that read it.",
        _ => "The connection it came from.",
    }
}

/// Returns the columns of a main table as a part of `sessions`.
pub(crate) fn branch_columns(table: &Table, plugin: &str, connection: &str) -> Vec<TableColumn> {
    let mut columns = table_columns(table, plugin, connection);
    columns.retain(|column| COMMON_COLUMNS.iter().any(|(name, _)| *name == column.column.name));
    // A hidden common column goes last in its own table, not here.
    let position = |column: &TableColumn| {
        COMMON_COLUMNS.iter().position(|(name, _)| *name == column.column.name)
    };
    columns.sort_by_key(position);
    for TableColumn { column, .. } in &mut columns {
        column.nullable = may_be_null(&column.name);
    }
    columns
}

/// Returns the Arrow schema of some columns.
pub(crate) fn schema_of<'a>(columns: impl IntoIterator<Item = &'a Column>) -> SchemaRef {
    let fields: Vec<Field> = columns.into_iter().map(field_of).collect();
    Arc::new(Schema::new(fields))
}

/// Returns the Arrow field of a column. JSON is text that says so by Arrow's canonical extension.
fn field_of(column: &Column) -> Field {
    let field = Field::new(&column.name, data_type(column.column_type), column.nullable);
    match column.column_type {
        ColumnType::Json => field
            .with_metadata([("ARROW:extension:name".to_owned(), "arrow.json".to_owned())].into()),
        _ => field,
    }
}

/// Returns the Arrow type of a column type.
pub(crate) fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Text | ColumnType::Json => DataType::Utf8,
        ColumnType::Timestamp => timestamp_type(),
        ColumnType::Duration => DataType::Duration(TimeUnit::Microsecond),
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::TextList => {
            DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
        }
    }
}

/// Returns the column type that an Arrow type stands for, if one does.
pub(crate) fn column_type(of: &DataType) -> Option<ColumnType> {
    const TYPES: [ColumnType; 7] = [
        ColumnType::Text,
        ColumnType::Timestamp,
        ColumnType::Duration,
        ColumnType::Int64,
        ColumnType::Float64,
        ColumnType::Bool,
        ColumnType::TextList,
    ];
    TYPES.into_iter().find(|known| data_type(*known) == *of)
}

/// The one type of instants: microseconds, UTC.
pub(crate) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
