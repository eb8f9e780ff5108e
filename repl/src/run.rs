//! Runs one statement and prints its rows, for scripts and for the REPL alike.
//! In: a parsed statement. Out: rows through a renderer as they arrive, and a [`Summary`], or the
//! [`Trouble`] that ended it. Judging the result is left to the caller.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sessionql_core::completeness::{Completeness, Off};
use sessionql_core::{Engine, Error, ExecuteOptions, Outcome, Parameters, duration, instant};
use sessionql_grammar::ast::Statement;
use tokio::runtime::Runtime;

use crate::cli::{Arguments, Format};
use crate::environment;
use crate::exit::Exit;
use crate::progress::ProgressLine;
use crate::render::{self, Footer, Layout, Summary, Told};
use crate::report::{Kind, Report, Reporter};
use crate::script::Script;
use crate::signals::{Signals, Stop};
use crate::usage::Refusal;

/// Why a statement did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The engine says why.
    #[error("{0}")]
    Engine(#[from] Error),
    /// Somebody wanted it to stop.
    #[error("{}", match .0 { Stop::Interrupted => "interrupted", Stop::Terminated => "terminated" })]
    Stopped(Stop),
    /// Its rows cannot be written.
    #[error("the rows cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Trouble {
    /// Tells whether whoever reads the rows has had enough.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// The times of the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeOptions {
    now: Option<DateTime<Utc>>,
    since: Option<Bound>,
    until: Option<Bound>,
}

/// An end of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    At(DateTime<Utc>),
    /// So long before the statement's `now()`.
    Ago(Duration),
}

impl TimeOptions {
    /// Reads the times, in `zone` where they have no offset.
    ///
    /// # Errors
    /// The first that is no time.
    pub(crate) fn read(arguments: &Arguments, zone: Tz) -> Result<Self, Refusal> {
        let instant = |option: &str, text: &str| {
            instant::parse(text, zone).ok_or_else(|| {
                Refusal::new(format!("`{text}` is not a time"))
                    .with_hint(
                        "times are written 2026-01-02, '2026-01-02 14:05' or 2026-01-02T14:05:06Z",
                    )
                    .of_option(option)
            })
        };
        let bound = |option: &str, text: &Option<String>| match text.as_deref() {
            None => Ok(None),
            Some("now") => Ok(Some(Bound::Ago(Duration::ZERO))),
            Some(text) => match duration::parse(text) {
                Some(ago) => Ok(Some(Bound::Ago(ago))),
                None => instant(option, text).map(|at| Some(Bound::At(at))),
            },
        };
        Ok(Self {
            now: arguments.now.as_deref().map(|text| instant("--now", text)).transpose()?,
            since: bound("--since", &arguments.since)?,
            until: bound("--until", &arguments.until)?,
        })
    }
}

impl Bound {
    fn before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(instant) => instant,
            Self::Ago(duration) => TimeDelta::from_std(duration)
                .ok()
                .and_then(|duration| now.checked_sub_signed(duration))
                .unwrap_or(DateTime::UNIX_EPOCH),
        }
    }
}

/// Runs statements on an engine.
pub(crate) struct Runner {
    engine: Engine,
    runtime: Runtime,
    signals: Signals,
    times: TimeOptions,
    timeout: Option<Duration>,
    max_requests: Option<u64>,
    parameters: Parameters,
    format: Format,
    footer: Footer,
    guards_formulas: bool,
    is_coloured: bool,
    has_screen: bool,
    reporter: Reporter,
}

impl Runner {
    /// Returns a runner.
    ///
    /// # Errors
    /// [`Error::Internal`] if the system gives no threads.
    pub(crate) fn new(
        engine: Engine,
        arguments: &Arguments,
        (times, parameters): (TimeOptions, Parameters),
        reporter: Reporter,
        is_interactive: bool,
    ) -> Result<Self, Error> {
        // One thread beside this one watches for signals, also while this one waits in a write.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sessionql-signals")
            .enable_all()
            .build()
            .map_err(|error| Error::internal(error.to_string()))?;
        let is_terminal = arguments.output.is_none() && io::stdout().is_terminal();
        let default_format = if is_terminal { Format::Table } else { Format::Csv };
        Ok(Self {
            engine,
            signals: Signals::watch(&runtime, is_interactive),
            runtime,
            times,
            timeout: arguments.timeout,
            max_requests: arguments.max_requests,
            parameters,
            format: arguments.format.unwrap_or(default_format),
            footer: match (arguments.quiet, is_interactive) {
                (true, _) => Footer::None,
                (false, true) => Footer::RowsAndTime,
                (false, false) => Footer::Rows,
            },
            guards_formulas: arguments.guard_formulas,
            is_coloured: environment::allows_colour(is_terminal),
            has_screen: arguments.output.is_none(),
            reporter,
        })
    }

    /// Returns the engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns who tells people what went wrong.
    pub(crate) fn reporter(&self) -> Reporter {
        self.reporter
    }

    /// Runs a statement of `script`. Returns nothing for a statement without columns.
    ///
    /// # Errors
    /// Why it ended early; the rows so far are printed.
    pub(crate) fn run(
        &self,
        script: &Script,
        statement: &Statement,
        follows_output: bool,
        out: &mut dyn Write,
    ) -> Result<Option<Summary>, Trouble> {
        self.runtime.block_on(async {
            let started = Instant::now();
            let Some(mut outcome) = self.begin(script, statement).await? else { return Ok(None) };
            let layout = self.layout(follows_output);
            let mut line = ProgressLine::new(self.reporter.is_quiet());
            if outcome.is_explanation() {
                return self.explain(&mut outcome, line, &layout, out, started).await.map(Some);
            }
            let mut renderer = render::renderer(outcome.schema(), &layout);
            let mut summary = Summary::default();
            let ended = loop {
                match self.next(&mut outcome, &mut line).await {
                    Ok(None) => break Ok(()),
                    Err(trouble) => break Err(trouble),
                    Ok(Some(batch)) => {
                        summary.n_rows += batch.num_rows() as u64;
                        renderer.rows(&batch, out)?;
                        out.flush()?;
                    }
                }
            };
            summary.elapsed = started.elapsed();
            summary.completeness = outcome.completeness();
            summary.failure = ended.as_ref().err().map(ToString::to_string);
            renderer.finish(&summary, out)?;
            out.flush()?;
            self.warn(&summary);
            ended.map(|()| Some(summary))
        })
    }

    /// Tells what was seen in the rows.
    fn warn(&self, summary: &Summary) {
        for warning in &summary.completeness.warnings {
            self.reporter.show(&Report::new(Kind::Warning, warning));
        }
    }

    /// Lets EXPLAIN come to its end, and prints what it tells, also if the query failed on the way.
    async fn explain(
        &self,
        outcome: &mut Outcome,
        mut line: ProgressLine,
        layout: &Layout,
        out: &mut dyn Write,
        started: Instant,
    ) -> Result<Summary, Trouble> {
        let ended = loop {
            match self.next(outcome, &mut line).await {
                Ok(None) => break Ok(()),
                Ok(Some(_)) => {}
                Err(trouble) => break Err(trouble),
            }
        };
        let mut summary = Summary {
            elapsed: started.elapsed(),
            completeness: outcome.completeness(),
            failure: ended.as_ref().err().map(ToString::to_string),
            ..Summary::default()
        };
        if let Some(explanation) = outcome.explanation() {
            summary.n_rows = explanation.analysis.as_ref().map_or(0, |analysis| analysis.n_rows);
            summary.told = Some(explanation.analysis.as_ref().map_or(Told::Plan, |_| Told::Run));
            render::print_explanation(&explanation, &summary, layout, out)?;
            out.flush()?;
        }
        self.warn(&summary);
        ended.map(|()| summary)
    }

    /// Returns what holds for a statement that begins now, and sets the window of the run.
    pub(crate) fn options(&self) -> ExecuteOptions {
        // One look at the clock: `AT now` asks for now, not for a moment ago.
        let clock = self.engine.clock();
        let now = self.times.now.unwrap_or(clock);
        {
            let mut settings = self.engine.settings();
            settings.since = self.times.since.map(|bound| bound.before(now));
            settings.until = self.times.until.map(|bound| bound.before(now));
        }
        ExecuteOptions {
            now: Some(now),
            clock: Some(clock),
            timeout: self.timeout,
            max_requests: self.max_requests,
            parameters: self.parameters.clone(),
        }
    }

    /// Starts a statement and tells what is to be said of the query itself.
    async fn begin(
        &self,
        script: &Script,
        statement: &Statement,
    ) -> Result<Option<Outcome>, Trouble> {
        let options = self.options();
        let outcome = tokio::select! {
            biased;
            stop = self.signals.stopped() => return Err(Trouble::Stopped(stop)),
            outcome = self.engine.execute(&script.text, statement, &options) => outcome?,
        };
        for warning in outcome.warnings() {
            self.reporter.show(&Report::warning(warning, script));
        }
        Ok((!outcome.schema().fields().is_empty()).then_some(outcome))
    }

    /// Waits for the next rows, and meanwhile tells how far they are.
    async fn next(
        &self,
        outcome: &mut Outcome,
        line: &mut ProgressLine,
    ) -> Result<Option<RecordBatch>, Trouble> {
        loop {
            let next = tokio::select! {
                biased;
                stop = self.signals.stopped() => Err(Trouble::Stopped(stop)),
                next = outcome.next() => next.transpose().map_err(Trouble::from),
                () = line.due() => {
                    line.draw(&outcome.progress(), self.engine.settings().time_zone);
                    continue;
                }
            };
            line.clear();
            return next;
        }
    }

    fn layout(&self, follows_output: bool) -> Layout {
        Layout {
            format: self.format,
            time_zone: self.engine.settings().time_zone,
            // A file is no screen: nothing in it is cut.
            width: if self.has_screen { environment::screen_width() } else { usize::MAX },
            is_coloured: self.is_coloured,
            footer: self.footer,
            guards_formulas: self.guards_formulas,
            follows_output,
        }
    }

    /// Tells what ended a statement of `script`, and returns how that ends the program.
    pub(crate) fn report(&self, trouble: &Trouble, script: &Script) -> Exit {
        let reports = match trouble {
            Trouble::Engine(error) => Report::errors(error, Some(script)),
            _ => vec![Report::new(Kind::Error, trouble.to_string())],
        };
        for report in &reports {
            self.reporter.show(report);
        }
        match trouble {
            Trouble::Engine(error) => Exit::of(error, self.timeout.is_some()),
            Trouble::Stopped(stop) => Exit::from(*stop),
            Trouble::Output(_) => Exit::Failed,
        }
    }

    /// Forgets an interrupt that has ended a statement.
    pub(crate) fn clear_interrupt(&self) {
        self.signals.clear();
    }
}

/// Returns the line that says what is missing, if something is that nobody has accepted.
pub(crate) fn incomplete(completeness: &Completeness) -> Option<Report> {
    let direction = match completeness.off? {
        Off::Missing => "rows may be missing",
        Off::Wrong => "rows may be wrong",
    };
    let mut gaps = Vec::new();
    for report in &completeness.connections {
        for known in report.gaps.iter().filter(|known| !known.is_accepted) {
            let (connection, gap) = (&report.connection, &known.gap);
            let place = format!("connection `{connection}`: ");
            // A gap that was an error says whose it is.
            let message = gap.message.strip_prefix(&place).unwrap_or(&gap.message);
            gaps.push(format!("{place}{message} ({})", gap.reason));
        }
    }
    Some(Report::new(Kind::Incomplete, format!("{}; {direction}", gaps.join("; "))))
}

#[cfg(test)]
mod tests;
