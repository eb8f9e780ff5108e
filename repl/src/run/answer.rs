//! Rows that are there: those of a query that is read before anything is printed, and printing them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use sessionql_core::last::LastResult;
use sessionql_grammar::ast::Statement;

use super::{RunOptions, Runner, Trouble, left};
use crate::diff::{self, Incomparable, MAX_ROWS};
use crate::guard::Ask;
use crate::output::Destination;
use crate::render::{self, Footer, Layout, Renderer, Summary};
use crate::script::Script;
use crate::usage::Refusal;

/// All rows of a query.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The rows, with a name of its own for each column.
    pub(crate) rows: RecordBatch,
    /// How the query ended.
    pub(crate) summary: Summary,
}

/// Keeps rows instead of printing them.
struct Kept {
    batches: Arc<Mutex<Vec<RecordBatch>>>,
    n_rows: usize,
}

impl Renderer for Kept {
    fn rows(&mut self, batch: &RecordBatch, _out: &mut dyn Write) -> io::Result<()> {
        self.n_rows += batch.num_rows();
        if self.n_rows > MAX_ROWS {
            let message = "at most 1,000,000 rows are compared; a condition makes them fewer";
            return Err(io::Error::other(message));
        }
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).push(batch.clone());
        Ok(())
    }

    fn finish(&mut self, _summary: &Summary, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Takes what is not printed.
struct Nowhere(io::Sink);

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Destination for Nowhere {}

impl Runner {
    /// Runs a query and returns its rows; nothing for a statement without columns. The columns are
    /// checked before anything is sent.
    ///
    /// # Errors
    /// Why it ended early, or that it has more rows than are compared.
    pub(crate) fn read(
        &self,
        script: &Script,
        statement: &Statement,
        options: RunOptions,
        ask: Option<Ask<'_>>,
        check: &dyn Fn(&Schema) -> Result<(), Refusal>,
    ) -> Result<Option<Answer>, Trouble> {
        let batches: Arc<Mutex<Vec<RecordBatch>>> = Arc::default();
        let mut schema: SchemaRef = Arc::new(Schema::empty());
        let ran = self.run_with(
            script,
            statement,
            options,
            ask,
            &mut Nowhere(io::sink()),
            &mut |columns, _| {
                check(columns)?;
                schema = Arc::clone(columns);
                Ok(Box::new(Kept { batches: Arc::clone(&batches), n_rows: 0 }))
            },
        );
        let Some(summary) = ran? else { return Ok(None) };
        let batches = std::mem::take(&mut *batches.lock().unwrap_or_else(PoisonError::into_inner));
        let rows = diff::whole(&schema, &batches).map_err(Incomparable::from)?;
        Ok(Some(Answer { rows, summary }))
    }

    /// Prints rows that were read. `layout` may change how they look.
    ///
    /// # Errors
    /// If they cannot be printed.
    pub(crate) fn print_rows(
        &self,
        rows: &RecordBatch,
        summary: &Summary,
        layout: &Layout,
        out: &mut dyn Destination,
    ) -> Result<(), Trouble> {
        print(&rows.schema(), std::slice::from_ref(rows), summary, layout, out)
    }

    /// Prints the last result again, without asking for it.
    ///
    /// # Errors
    /// If the rows cannot be written.
    pub(crate) fn print_last(
        &self,
        last: &LastResult,
        options: RunOptions,
        out: &mut dyn Destination,
    ) -> Result<(), Trouble> {
        let layout = Layout { max_rows: None, ..self.layout(options) };
        let footer = if layout.footer == Footer::None { Footer::None } else { Footer::Rows };
        let layout = Layout { footer, ..layout };
        let summary = Summary {
            n_rows: last.n_rows(),
            completeness: last.completeness().clone(),
            failure: last.failure().map(str::to_owned),
            ..Summary::default()
        };
        print(last.schema(), last.batches(), &summary, &layout, out)
    }
}

fn print(
    schema: &Schema,
    batches: &[RecordBatch],
    summary: &Summary,
    layout: &Layout,
    out: &mut dyn Destination,
) -> Result<(), Trouble> {
    let mut renderer = render::renderer(schema, layout)?;
    let mut print = |out: &mut dyn Destination| {
        batches.iter().try_for_each(|batch| renderer.rows(batch, out))?;
        renderer.finish(summary, out)?;
        out.flush()
    };
    match print(out) {
        Err(error) if left(&error, out) => {}
        printed => printed?,
    }
    Ok(out.end()?)
}
