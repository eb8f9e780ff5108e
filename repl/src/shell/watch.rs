//! `\watch`: a query again and again, with the time above each answer, until Ctrl-C.
//! What fails on the way is told, and asked again the next time; a query that is wrong is not. With
//! `--diff` all answers after the first are what has changed since the one before.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use sessionql_core::completeness::Off;
use sessionql_core::duration;
use sessionql_grammar::ast::Statement;

use super::{Flow, Shell, say};
use crate::cli::{self, Format, Key as Names};
use crate::diff::{self, Incomparable, Key};
use crate::exit::Exit;
use crate::guard::Ask;
use crate::render::{self, Layout, Summary};
use crate::report::{Kind, Report};
use crate::run::Trouble;
use crate::script::Script;
use crate::signals::Stop;
use crate::usage::Refusal;

/// How often a query is repeated if nothing is said of it.
const USUAL: Duration = Duration::from_secs(5);

/// More often is asking more than any of these providers gives.
const LEAST: Duration = Duration::from_secs(1);

/// What stands behind `\watch`.
#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a> {
    every: Duration,
    /// Whether only changes are shown.
    is_diff: bool,
    /// The columns that tell rows apart, if they are named.
    key: Option<Names>,
    /// The query, if one is given.
    text: &'a str,
}

/// What the next answer is compared with.
#[derive(Default)]
struct Before {
    rows: Option<RecordBatch>,
}

impl Shell {
    /// Repeats the query that is given, or else the last one.
    ///
    /// # Errors
    /// If there is none, or the time is none.
    pub(super) fn watch(&mut self, rest: &str, ask: Ask<'_>) -> Result<Flow, Refusal> {
        let wanted = read(rest)?;
        if !wanted.text.is_empty() {
            let script = Script::new(wanted.text);
            let Some(statement) = self.parse_query(&script, r"`\watch` repeats one query")? else {
                return Ok(Flow::GoOn);
            };
            self.last_query = Some((script, statement));
        }
        let Some((script, statement)) = self.last_query.clone() else {
            return Err(Refusal::new("no query has run that could be repeated")
                .with_hint(r"`\watch 10 SELECT …;` names one"));
        };
        // Asked again, a cache would give the same answer again.
        let cached = std::mem::take(&mut self.runner.engine().settings().cache_ttl);
        let flow = self.repeat(&wanted, &script, &statement, ask);
        self.runner.engine().settings().cache_ttl = cached;
        Ok(flow)
    }

    fn repeat(
        &mut self,
        wanted: &Wanted<'_>,
        script: &Script,
        statement: &Statement,
        ask: Ask<'_>,
    ) -> Flow {
        let every = wanted.every;
        let mut before = Before::default();
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
            let ran = if wanted.is_diff {
                self.watch_changes(wanted, (script, statement), &mut before, ask)
            } else {
                self.print(false, |runner, options, out| {
                    runner.run(script, statement, options, ask, out)
                })
            };
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

    /// Runs the query and shows what has changed since it ran last; all of it the first time.
    fn watch_changes(
        &mut self,
        wanted: &Wanted<'_>,
        (script, statement): (&Script, &Statement),
        before: &mut Before,
        ask: Option<Ask<'_>>,
    ) -> Result<Option<Summary>, Trouble> {
        let named = wanted.key.clone().unwrap_or_default().0;
        self.print(false, |runner, options, out| {
            let check = |schema: &Schema| diff::key(&named, schema).map(drop);
            let Some(answer) = runner.read(script, statement, options, ask, &check)? else {
                return Ok(None);
            };
            let (now, mut summary) = (answer.rows, answer.summary);
            let layout = runner.layout(options);
            let Some(rows) = &before.rows else {
                diff::check(&now, &diff::key(&named, &now.schema())?)?;
                runner.print_rows(&now, &summary, &layout, out)?;
                before.rows = Some(now).filter(|_| !may_be_wrong(&summary));
                return Ok(Some(summary));
            };
            if may_be_wrong(&summary) {
                let message = "rows may be wrong, so they are not compared";
                runner.reporter().show(&Report::new(Kind::Note, message));
                return Ok(Some(summary));
            }
            let is_whole = summary.completeness.is_complete();
            let mut key = match named.as_slice() {
                [] => diff::likely_key(&now.schema()),
                named => diff::key(named, &now.schema())?,
            };
            let mut compared = diff::compare(rows, &now, &key, is_whole);
            if named.is_empty() && matches!(compared, Err(Incomparable::Ambiguous { .. })) {
                // What seemed to tell rows apart does not.
                key = Key::Row;
                compared = diff::compare(rows, &now, &key, is_whole);
            }
            let changes = compared?;
            if is_for_people(&layout) {
                writeln!(out, "{changes}")?;
            }
            if !changes.is_empty() {
                let (changed, layout) = shown(rows, &now, &changes, (&key, layout))?;
                summary.n_rows = changes.n_rows() as u64;
                runner.print_rows(&changed, &summary, &layout, out)?;
            }
            before.rows = Some(diff::with(&now, rows, &changes.not_seen)?);
            Ok(Some(summary))
        })
    }
}

fn may_be_wrong(summary: &Summary) -> bool {
    summary.completeness.off == Some(Off::Wrong)
}

/// Tells whether rows are shown with marks, and not as a program reads them.
fn is_for_people(layout: &Layout) -> bool {
    matches!(layout.format, Format::Table | Format::Vertical | Format::Timeline)
}

/// Returns the rows that changed as the format has them: with marks for people, and else with a
/// column.
fn shown(
    before: &RecordBatch,
    now: &RecordBatch,
    changes: &diff::Changes,
    (key, layout): (&Key, Layout),
) -> Result<(RecordBatch, Layout), Incomparable> {
    if !is_for_people(&layout) {
        let rows = render::changes_for_programs(before, now, changes, *key != Key::Row)?;
        return Ok((rows, layout));
    }
    let rows = render::changes_for_people(before, now, changes, &layout)?;
    let format = if layout.format == Format::Timeline { Format::Table } else { layout.format };
    Ok((rows, Layout { is_marked: true, format, ..layout }))
}

/// Reads how often, whether only changes, by which key, and the query, if one is given.
fn read(rest: &str) -> Result<Wanted<'_>, Refusal> {
    let (every, mut text) = interval(rest)?;
    let (mut is_diff, mut key) = (false, None);
    loop {
        let (word, behind) = word(text);
        match word {
            "--diff" => is_diff = true,
            "--key" => {
                let (columns, behind) = self::word(behind);
                key = Some(cli::parse_key(columns).map_err(|refusal| refusal.of_option("--key"))?);
                text = behind;
                continue;
            }
            _ => break,
        }
        text = behind;
    }
    if key.is_some() && !is_diff {
        return Err(Refusal::new("`--key` needs `--diff`"));
    }
    Ok(Wanted { every, is_diff, key, text })
}

/// Returns the first word and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// Returns how often, and what stands behind it.
fn interval(rest: &str) -> Result<(Duration, &str), Refusal> {
    let (first, behind) = word(rest);
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

    #[test]
    fn changes_alone_may_be_wanted() {
        let wanted = read("5 --diff --key user,id SELECT 1 --diff").unwrap();
        assert_eq!(wanted.key, Some(Names(vec!["user".to_owned(), "id".to_owned()])));
        assert_eq!((wanted.is_diff, wanted.text), (true, "SELECT 1 --diff"));
        assert_eq!(read("--diff").unwrap().every, USUAL);
        assert!(!read("5 -- a comment").unwrap().is_diff);
        assert_eq!(read("--key id").unwrap_err().message, "`--key` needs `--diff`");
        assert_eq!(read("--diff --key").unwrap_err().message, "`--key`: `` is no list of columns");
    }
}
