//! `--diff`: prints what has changed since the last run of a query.
//! In: the rows of a query, and the file of `--state`. Out: the rows that changed, and the rows that
//! the next run compares with, which are written when everything else is.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use sessionql_core::completeness::Off;
use sessionql_core::display::{count, escape_controls};
use sessionql_core::parameters;
use sessionql_grammar::ast::{Statement, StatementKind};

use super::Run;
use crate::cli::{Arguments, Format};
use crate::diff::state::{State, StateFile, fingerprint};
use crate::diff::{self, Changes, Key};
use crate::render::{self, Difference, Summary};
use crate::report::{Kind, Report, Reporter};
use crate::run::{Answer, Runner, Trouble};
use crate::script::{ParsedScript, Script};
use crate::usage::Refusal;

/// What a comparison yields.
struct Compared {
    rows: RecordBatch,
    difference: Difference,
    next: Option<State>,
}

/// What one run compares with, and what it leaves for the next.
pub(super) struct Comparison {
    file: StateFile,
    key: Vec<String>,
    /// Tells the query from others.
    query: String,
    /// What is written at the end.
    next: Option<State>,
}

impl Comparison {
    /// Opens the file of `--state`, if the run is to compare.
    ///
    /// # Errors
    /// If there is not exactly one query, it has no rows to compare, or the file cannot be used.
    pub(super) fn open(
        runner: &Runner,
        scripts: &[ParsedScript],
        arguments: &Arguments,
    ) -> Result<Option<Self>, Refusal> {
        let (true, Some(state)) = (arguments.diff, &arguments.state) else { return Ok(None) };
        let is_query = |statement: &&Statement| matches!(statement.kind, StatementKind::Query(_));
        let statements = || scripts.iter().flat_map(|parsed| &parsed.statements);
        let has_rows = |statement: &&Statement| {
            !matches!(
                statement.kind,
                StatementKind::Set { .. } | StatementKind::SetParameter { .. }
            )
        };
        if statements().filter(is_query).count() != 1 || statements().filter(has_rows).count() != 1
        {
            return Err(Refusal::new("`--diff` compares one query"));
        }
        if let Some(format @ (Format::Timeline | Format::Svg | Format::Html)) = arguments.format {
            let format = format!("{format:?}").to_lowercase();
            return Err(Refusal::new(format!(
                "`--diff` does not combine with `--format {format}`"
            )));
        }
        let mut query = Vec::new();
        for ParsedScript { script, statements, .. } in scripts {
            query.push(sessionql_grammar::print(statements));
            let declared = parameters::declared(&script.text, statements).unwrap_or_default();
            query.extend(declared.into_iter().map(|one| {
                format!("{} {:?} {}", one.name, one.data_type, one.default.unwrap_or_default())
            }));
        }
        query.push(format!("{:?}", runner.parameters));
        query.push(format!("{:?}", runner.times.window()));
        query.push(runner.engine().settings().time_zone.name().to_owned());
        // What `sessions` is depends on the connections that there are.
        if query.iter().any(|text| text.to_lowercase().contains("sessions")) {
            query.extend(runner.engine().connections().names());
        }
        let key = arguments.key.clone().unwrap_or_default().0;
        query.push(key.join(","));
        let file = StateFile::open(state).map_err(|refusal| refusal.of_option("--state"))?;
        Ok(Some(Self { file, key, query: fingerprint(&query), next: None }))
    }

    /// Writes what the next run compares with.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn save(&self) -> Result<(), Trouble> {
        let Some(next) = &self.next else { return Ok(()) };
        self.file.save(next).map_err(|error| {
            let name = escape_controls(&self.file.name());
            std::io::Error::other(format!("`{name}`: {error}")).into()
        })
    }

    /// Compares the rows of the query with those of the last run.
    fn compare(
        &self,
        answer: &Answer,
        allows_partial: bool,
        reporter: Reporter,
    ) -> Result<Compared, Trouble> {
        let now = &answer.rows;
        let key = diff::key(&self.key, &now.schema())?;
        let has_key = key != Key::Row;
        let query = self.query.clone();
        let note = |message: String| reporter.show(&Report::new(Kind::Note, message));
        let name = self.file.name();
        let off = answer.summary.completeness.off;
        let none = now.slice(0, 0);
        let nothing = |difference| {
            let rows = render::changes_for_programs(&none, &none, &Changes::default(), has_key);
            Ok(Compared { rows: rows.map_err(diff::Incomparable::from)?, difference, next: None })
        };
        let last = self.file.last.as_ref();
        let same = last.filter(|last| last.query == query && last.rows.schema() == now.schema());
        let (epoch, run) = match (last, same) {
            (_, Some(same)) => (same.epoch, same.run + 1),
            (Some(last), None) => (last.epoch + 1, 1),
            (None, None) => (1, 1),
        };
        let difference = Difference { epoch, run, is_compared: false, changes: Changes::default() };
        // Two rows of one key are refused at the first run too.
        diff::check(now, &key)?;
        if off == Some(Off::Wrong) {
            note(format!("rows may be wrong, so nothing is compared and `{name}` stays as it is"));
            return nothing(difference);
        }
        let Some(same) = same else {
            if off.is_some() && !allows_partial {
                note(format!(
                    "an incomplete answer is nothing to compare with; `{name}` stays as it is"
                ));
                return nothing(difference);
            }
            let rows = count(now.num_rows() as u64, "row");
            match last {
                None => note(format!("first run: {rows}, nothing to compare")),
                Some(_) => note(format!(
                    "`{name}` was of another query; first run of this one: {rows}, nothing to compare"
                )),
            }
            let next = Some(State { query, epoch, run, rows: now.clone() });
            return nothing(difference).map(|compared| Compared { next, ..compared });
        };
        let changes = diff::compare(&same.rows, now, &key, off.is_none())?;
        let rows = render::changes_for_programs(&same.rows, now, &changes, has_key);
        let rows = rows.map_err(diff::Incomparable::from)?;
        let mut kept = now.clone();
        if !changes.not_seen.is_empty() {
            let n_rows = count(changes.not_seen.len() as u64, "row");
            note(format!(
                "{n_rows} of before not seen; the answer is incomplete, so they may be there"
            ));
            kept = diff::with(now, &same.rows, &changes.not_seen)?;
        }
        let next = Some(State { query, epoch, run, rows: kept });
        let difference = Difference { is_compared: true, changes, ..difference };
        Ok(Compared { rows, difference, next })
    }
}

impl Run<'_> {
    /// Runs a query and prints what has changed since its last run.
    pub(super) fn changes(
        &mut self,
        script: &Script,
        statement: &Statement,
    ) -> Result<Option<Summary>, Trouble> {
        let options = self.options();
        let Some(comparison) = &mut self.comparison else { return Ok(None) };
        let check = |schema: &Schema| diff::key(&comparison.key, schema).map(drop);
        let read = self.runner.read(script, statement, options, None, &check)?;
        let Some(mut answer) = read else {
            return Ok(None);
        };
        let is_complete = answer.summary.completeness.is_complete();
        if self.arguments.require_complete && !is_complete {
            return Ok(Some(answer.summary));
        }
        let (allows_partial, reporter) = (self.arguments.allow_partial, self.runner.reporter());
        let compared = comparison.compare(&answer, allows_partial, reporter)?;
        let Compared { rows, difference, next } = compared;
        answer.summary.n_rows = rows.num_rows() as u64;
        answer.summary.difference = Some(difference);
        let layout = self.runner.layout(options);
        self.runner.print_rows(&rows, &answer.summary, &layout, self.output)?;
        // What nobody has read is told again at the next run.
        comparison.next = next;
        Ok(Some(answer.summary))
    }
}
