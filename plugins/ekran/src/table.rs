//! The table `sessions`: its columns, and rows of it made of records.
//! Source: the response parameters of the endpoint, which are five.

use std::sync::Arc;

use sessionql_plugin_sdk::arrow_array::builder::{
    Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use sessionql_plugin_sdk::arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use sessionql_plugin_sdk::arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sessionql_plugin_sdk::message::FilterOp;
use sessionql_plugin_sdk::{Column, Error, Host, Result, Table};

use crate::record::Session;

/// Rows of one batch at most.
const BATCH_ROWS: usize = 8192;

/// The state of a session without a logout, and of one with it.
const STATES: [&str; 2] = ["ACTIVE", "COMPLETED"];

/// The columns whose value comes from the login, and from the logout.
pub(crate) const OF_LOGIN: [&str; 2] = ["start", "raw"];
pub(crate) const OF_LOGOUT: [&str; 3] = ["end", "status", "raw"];

/// Declares the table.
pub(crate) fn sessions() -> Table {
    Table::new("sessions", "One session of a user on a computer with an Ekran client.")
        .main()
        .primary_key(["client_guid", "id"])
        // Nothing says that an answer has each session once; one that is read twice comes twice.
        .has_duplicates()
        .time("start", "end")
        .takes_open_during()
        .columns([
            Column::text("id", "sessionId").required().doc("The session's id."),
            Column::text("user", "userId").doc("The user's id; the API knows no names."),
            Column::timestamp("start", "loginDate")
                .filters([FilterOp::Eq, FilterOp::Range])
                .doc("When the session began."),
            Column::timestamp("end", "logoutDate")
                .filters([FilterOp::Range])
                .doc("When the session ended; NULL means that it is open."),
            Column::text("status", "logoutDate")
                .values(STATES)
                .doc("Whether the session is open or has ended."),
            Column::int64("session_id", "sessionId").required().doc("The session's id."),
            Column::int64("user_id", "userId").doc("The user's id."),
            Column::text("client_guid", "clientGuid").doc("The computer's client, by its id."),
            Column::json("raw", "").hidden().doc("The record as the API sent it."),
        ])
}

/// One column under construction.
enum Cells {
    Id(StringBuilder),
    User(StringBuilder),
    Start(TimestampMicrosecondBuilder),
    End(TimestampMicrosecondBuilder),
    Status(StringBuilder),
    SessionId(Int64Builder),
    UserId(Int64Builder),
    ClientGuid(StringBuilder),
    Raw(StringBuilder),
}

/// Takes sessions and emits them in batches.
pub(crate) struct Rows<'host> {
    host: &'host Host<'host>,
    schema: SchemaRef,
    cells: Vec<Cells>,
    n_rows: usize,
}

impl<'host> Rows<'host> {
    /// Begins rows with the columns of a request.
    ///
    /// # Errors
    /// `plugin_error` for a column that the table does not have.
    pub(crate) fn new(host: &'host Host<'host>, columns: &[String]) -> Result<Self> {
        let cells = columns.iter().map(|name| Cells::new(name)).collect::<Result<Vec<_>>>()?;
        let fields = columns.iter().zip(&cells).map(|(name, cells)| {
            let is_nullable = !matches!(cells, Cells::Id(_) | Cells::SessionId(_));
            Field::new(name, cells.data_type(), is_nullable)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { host, schema, cells, n_rows: 0 })
    }

    /// Takes one session.
    ///
    /// # Errors
    /// When the host wants no more.
    pub(crate) fn push(&mut self, session: &Session) -> Result<()> {
        for cells in &mut self.cells {
            cells.append(session);
        }
        self.n_rows += 1;
        if self.n_rows < BATCH_ROWS { Ok(()) } else { self.flush() }
    }

    /// Emits what was taken.
    ///
    /// # Errors
    /// When the host wants no more.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.n_rows == 0 {
            return Ok(());
        }
        let columns = self.cells.iter_mut().map(Cells::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.n_rows));
        self.n_rows = 0;
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::plugin(format!("rows do not fit together: {error}")))?;
        self.host.emit(batch)
    }
}

impl Cells {
    fn new(column: &str) -> Result<Self> {
        Ok(match column {
            "id" => Self::Id(StringBuilder::new()),
            "user" => Self::User(StringBuilder::new()),
            "start" => Self::Start(TimestampMicrosecondBuilder::new()),
            "end" => Self::End(TimestampMicrosecondBuilder::new()),
            "status" => Self::Status(StringBuilder::new()),
            "session_id" => Self::SessionId(Int64Builder::new()),
            "user_id" => Self::UserId(Int64Builder::new()),
            "client_guid" => Self::ClientGuid(StringBuilder::new()),
            "raw" => Self::Raw(StringBuilder::new()),
            name => {
                return Err(Error::plugin(format!("table `sessions` has no column `{name}`")));
            }
        })
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Start(_) | Self::End(_) => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            Self::SessionId(_) | Self::UserId(_) => DataType::Int64,
            _ => DataType::Utf8,
        }
    }

    fn append(&mut self, session: &Session) {
        match self {
            Self::Id(cells) => cells.append_value(session.session_id.to_string()),
            Self::User(cells) => cells.append_option(session.user_id.map(|id| id.to_string())),
            Self::Start(cells) => cells.append_option(session.login.map(|login| login.0)),
            Self::End(cells) => cells.append_option(session.logout.map(|logout| logout.0)),
            Self::Status(cells) => {
                cells.append_value(STATES[usize::from(session.logout.is_some())]);
            }
            Self::SessionId(cells) => cells.append_value(session.session_id),
            Self::UserId(cells) => cells.append_option(session.user_id),
            Self::ClientGuid(cells) => cells.append_option(session.client_guid.as_deref()),
            Self::Raw(cells) => cells.append_option(session.raw.as_deref()),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Id(cells)
            | Self::User(cells)
            | Self::Status(cells)
            | Self::ClientGuid(cells)
            | Self::Raw(cells) => Arc::new(cells.finish()),
            Self::Start(cells) | Self::End(cells) => Arc::new(cells.finish().with_timezone("UTC")),
            Self::SessionId(cells) | Self::UserId(cells) => Arc::new(cells.finish()),
        }
    }
}
