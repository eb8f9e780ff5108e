//! `\watch`: a query again and again, with the time above each answer, until Ctrl-C.
//! What fails on the way is told, and asked again the next time; a query that is wrong is not.

use std::time::Duration;

use sessionql_core::duration;
use sessionql_grammar::ast::{Statement, StatementKind};

use super::{Flow, Shell, say};
use crate::exit::Exit;
use crate::guard::Ask;
use crate::report::Report;
use crate::run::Trouble;
use crate::script::Script;
use crate::signals::Stop;
use crate::usage::Refusal;

/// How often a query is repeated if nothing is said of it.
const USUAL: Duration = Duration::from_secs(5);

/// More often is asking more than any of these providers gives.
const LEAST: Duration = Duration::from_secs(1);

impl Shell {
    /// Repeats the query that is given, or else the last one.
    ///
    /// # Errors
    /// If there is none, or the time is none.
    pub(super) fn watch(&mut self, rest: &str, ask: Ask<'_>) -> Result<Flow, Refusal> {
        let (every, text) = interval(rest)?;
        if !text.is_empty() {
            let script = Script::new(text);
            match self.runner.engine().parse(&script.text) {
                Ok(statements) => self.last_query = Some((script, only_query(statements)?)),
                Err(error) => {
                    self.runner.reporter().show(&Report::error(&error, Some(&script)));
                    return Ok(Flow::GoOn);
                }
            }
        }
        let Some((script, statement)) = self.last_query.clone() else {
            return Err(Refusal::new("no query has run that could be repeated")
                .with_hint(r"`\watch 10 SELECT …;` names one"));
        };
        // Asked again, a cache would give the same answer again.
        let cached = std::mem::take(&mut self.runner.engine().settings().cache_ttl);
        let flow = self.repeat(every, &script, &statement, ask);
        self.runner.engine().settings().cache_ttl = cached;
        Ok(flow)
    }

    fn repeat(
        &mut self,
        every: Duration,
        script: &Script,
        statement: &Statement,
        ask: Ask<'_>,
    ) -> Flow {
        let mut is_first = true;
        loop {
            let now = self.runner.engine().clock();
            let zone = self.runner.engine().settings().time_zone;
            let time = now.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S");
            say(&format!("{time}, every {}; Ctrl-C ends\n", duration::human(every)));
            let ask: Option<Ask<'_>> = match self.runner.preferences.confirms && is_first {
                true => Some(&mut *ask),
                false => None,
            };
            let ran = self.print(false, |runner, options, out| {
                runner.run(script, statement, options, ask, out)
            });
            match ran {
                Ok(Some(summary)) => self.tell(&summary),
                Ok(None) | Err(Trouble::Left) => {}
                Err(Trouble::Stopped(Stop::Interrupted)) => {
                    say("\n");
                    return Flow::GoOn;
                }
                Err(trouble) if trouble.is_closed_pipe() => return Flow::Quit(Exit::Success),
                Err(trouble) => {
                    let is_for_ever = matches!(trouble, Trouble::Stopped(_) | Trouble::Declined);
                    let exit = self.runner.report(&trouble, script);
                    match trouble {
                        Trouble::Stopped(_) => return Flow::Quit(exit),
                        _ if is_for_ever || exit == Exit::Input => return Flow::GoOn,
                        _ => {}
                    }
                }
            }
            is_first = false;
            match self.runner.wait(every) {
                None => {}
                Some(Stop::Interrupted) => {
                    say("\n");
                    return Flow::GoOn;
                }
                Some(Stop::Terminated) => return Flow::Quit(Exit::Terminated),
            }
        }
    }
}

/// Returns how often, and the query, if one is given.
fn interval(rest: &str) -> Result<(Duration, &str), Refusal> {
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (first, behind) = (&rest[..end], rest[end..].trim());
    if !first.starts_with(|character: char| character.is_ascii_digit()) {
        return Ok((USUAL, rest));
    }
    let seconds = first.parse().ok().map(Duration::from_secs);
    let every = seconds.or_else(|| duration::parse(first));
    match every.filter(|every| *every >= LEAST) {
        Some(every) => Ok((every, behind)),
        None => Err(Refusal::new(format!("`{first}` is no time to wait"))
            .with_hint("seconds such as 5, or a duration such as 2m; at least 1s")),
    }
}

fn only_query(statements: Vec<Statement>) -> Result<Statement, Refusal> {
    let mut statements = statements.into_iter();
    match (statements.next(), statements.next()) {
        (Some(statement), None) if matches!(statement.kind, StatementKind::Query(_)) => {
            Ok(statement)
        }
        _ => Err(Refusal::new(r"`\watch` repeats one query")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_and_a_query_may_be_given() {
        let of = |rest| interval(rest).unwrap();
        assert_eq!(of(""), (USUAL, ""));
        assert_eq!(of("10"), (Duration::from_secs(10), ""));
        assert_eq!(of("2m SELECT 1"), (Duration::from_secs(120), "SELECT 1"));
        assert_eq!(of("SELECT 1"), (USUAL, "SELECT 1"));
        assert_eq!(interval("0").unwrap_err().message, "`0` is no time to wait");
        assert_eq!(interval("5x").unwrap_err().message, "`5x` is no time to wait");
    }
}
