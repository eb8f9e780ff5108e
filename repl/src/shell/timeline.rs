//! `\timeline`: the last result, or that of a query, drawn over time.

use sessionql_grammar::ast::{Statement, StatementKind};

use super::{Flow, Shell};
use crate::cli::Format;
use crate::exit::Exit;
use crate::guard::Ask;
use crate::report::Report;
use crate::run::{RunOptions, Trouble};
use crate::script::Script;
use crate::usage::Refusal;

impl Shell {
    /// Draws the query that is given, or else the last result.
    ///
    /// # Errors
    /// If there is none, or it cannot be drawn.
    pub(super) fn timeline(&mut self, rest: &str, ask: Ask<'_>) -> Result<Flow, Refusal> {
        if rest.is_empty() {
            self.draw_last()?;
            return Ok(Flow::GoOn);
        }
        let script = Script::new(rest);
        let Some(statement) = self.parse_query(&script, r"`\timeline` draws one query")? else {
            return Ok(Flow::GoOn);
        };
        let uses_pager = self.runner.preferences.uses_pager;
        let ask = self.runner.preferences.confirms.then_some(ask);
        let ran = self.print(uses_pager, |runner, options, out| {
            let options = RunOptions { format: Some(Format::Timeline), ..options };
            runner.run(&script, &statement, options, ask, out)
        });
        self.last_query = Some((script.clone(), statement));
        match ran {
            Ok(summary) => summary.iter().for_each(|summary| self.tell(summary)),
            Err(Trouble::Left) => {}
            Err(trouble) if trouble.is_closed_pipe() => return Ok(Flow::Quit(Exit::Success)),
            Err(trouble) => return Ok(self.stumble(&trouble, &script)),
        }
        Ok(Flow::GoOn)
    }

    fn draw_last(&mut self) -> Result<(), Refusal> {
        let Some(last) = self.runner.engine().last() else {
            return Err(
                Refusal::new("no query has run yet").with_hint(r"`\timeline SELECT …;` draws one")
            );
        };
        // What is counted in a picture of some rows is wrong of all.
        if let Some(why) = last.why_partial() {
            return Err(Refusal::new(format!("`_` is not the whole last result: {why}")));
        }
        self.show_rows(&last, Some(Format::Timeline))
    }

    /// Returns the one query of a text; nothing if it does not parse, which has been told.
    ///
    /// # Errors
    /// `otherwise`, if it is something else.
    pub(super) fn parse_query(
        &self,
        script: &Script,
        otherwise: &str,
    ) -> Result<Option<Statement>, Refusal> {
        let statements = match self.runner.engine().parse(&script.text) {
            Ok(statements) => statements,
            Err(error) => {
                self.runner.reporter().show(&Report::error(&error, Some(script)));
                return Ok(None);
            }
        };
        let mut statements = statements.into_iter();
        match (statements.next(), statements.next()) {
            (Some(statement), None) if matches!(statement.kind, StatementKind::Query(_)) => {
                Ok(Some(statement))
            }
            _ => Err(Refusal::new(otherwise)),
        }
    }
}
