//! Runs one statement and prints its rows, for scripts and for the REPL alike.
//! In: a parsed statement. Out: rows through a renderer as they arrive, and a [`Summary`], or the
//! [`Trouble`] that ended it. Judging the result is left to the caller.

mod answer;
mod layout;

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sessionql_core::completeness::{Completeness, Off};
use sessionql_core::last::Keeper;
use sessionql_core::plugin::SilentPlugin;
use sessionql_core::{Engine, Error, ExecuteOptions, Outcome, Parameters};
use sessionql_grammar::ast::{Statement, StatementKind};
use tokio::runtime::Runtime;

use crate::cli::{Arguments, Format};
use crate::diff::Incomparable;
use crate::exit::Exit;
use crate::guard::{self, Ask};
use crate::output::Destination;
use crate::preferences::{Preferences, Timing};
use crate::progress::ProgressLine;
use crate::render::{self, Layout, Renderer, Summary, Told, Window};
use crate::report::{Kind, Report, Reporter};
use crate::script::Script;
use crate::signals::{Signals, Stop};
use crate::times::TimeOptions;
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
    /// It would cost much, and nobody wanted that.
    #[error("the query was not run")]
    Declined,
    /// Who looked at the rows in a pager has seen enough of them.
    #[error("the pager was ended before the last row")]
    Left,
    /// Its rows cannot be printed as was asked for.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Its rows cannot be compared with those of before.
    #[error("{0}")]
    Incomparable(#[from] Incomparable),
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

pub(crate) use answer::Answer;

/// What statements cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Data requests, retries included.
    pub(crate) n_requests: u64,
    /// Requests that had to be sent again.
    pub(crate) n_retries: u64,
}

/// Runs statements on an engine.
pub(crate) struct Runner {
    engine: Engine,
    runtime: Runtime,
    signals: Signals,
    /// The default window, and the instant of `now()`.
    pub(crate) times: TimeOptions,
    /// The values of parameters.
    pub(crate) parameters: Parameters,
    /// How statements run and rows are printed.
    pub(crate) preferences: Preferences,
    guards_formulas: bool,
    is_interactive: bool,
    is_quiet: bool,
    reporter: Reporter,
    /// What statements have cost since somebody asked.
    usage: Cell<Usage>,
    /// The window of the last result.
    last_window: Cell<Window>,
}

/// How one statement runs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunOptions {
    /// Whether the output has something already.
    pub(crate) follows_output: bool,
    /// Whether the rows go to a file.
    pub(crate) is_to_file: bool,
    /// Whether the screen takes colours; in a pager it may not.
    pub(crate) allows_colour: bool,
    /// Whether the rows are kept as the last result.
    pub(crate) keeps_last: bool,
    /// The format, if it is not the one that was chosen for all.
    pub(crate) format: Option<Format>,
}

/// Makes the renderer for the rows of a statement.
type MakeRenderer<'a> =
    &'a mut dyn FnMut(&SchemaRef, &Layout) -> Result<Box<dyn Renderer + Send>, Refusal>;

/// What takes the rows of a query.
struct Taker<'a> {
    renderer: Box<dyn Renderer + Send>,
    keeper: Option<Keeper>,
    layout: &'a Layout,
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
        Ok(Self {
            engine,
            signals: Signals::watch(&runtime, is_interactive),
            runtime,
            times,
            parameters,
            preferences: Preferences::new(arguments, is_interactive),
            guards_formulas: arguments.guard_formulas,
            is_interactive,
            is_quiet: arguments.quiet,
            reporter,
            usage: Cell::default(),
            last_window: Cell::default(),
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

    /// Returns what statements have cost since this was last asked, those that failed included.
    pub(crate) fn take_usage(&self) -> Usage {
        self.usage.take()
    }

    fn add_usage(&self, completeness: &Completeness) {
        let mut usage = self.usage.get();
        for connection in &completeness.connections {
            usage.n_requests += connection.n_requests;
            usage.n_retries += connection.n_retries;
        }
        self.usage.set(usage);
    }

    /// Runs a statement of `script`. Returns nothing for a statement without columns. A query that
    /// costs much is asked about if there is somebody to `ask`.
    ///
    /// # Errors
    /// Why it ended early; the rows so far are printed.
    pub(crate) fn run(
        &self,
        script: &Script,
        statement: &Statement,
        options: RunOptions,
        ask: Option<Ask<'_>>,
        out: &mut dyn Destination,
    ) -> Result<Option<Summary>, Trouble> {
        let renderer: MakeRenderer<'_> = &mut |schema, layout| render::renderer(schema, layout);
        self.run_with(script, statement, options, ask, out, renderer)
    }

    /// Runs a statement as [`Runner::run`] does, its rows through a renderer of the caller's.
    fn run_with(
        &self,
        script: &Script,
        statement: &Statement,
        options: RunOptions,
        ask: Option<Ask<'_>>,
        out: &mut dyn Destination,
        renderer: MakeRenderer<'_>,
    ) -> Result<Option<Summary>, Trouble> {
        let mut started = Instant::now();
        // Neither while a question is asked nor while a pager shows the rows.
        let begin = || {
            let _busy = self.signals.busy();
            self.runtime.block_on(self.begin(script, statement))
        };
        let Some(mut outcome) = begin()? else { return Ok(None) };
        if let Some(ask) = ask
            && let Some(question) = guard::question(&outcome.estimate())
        {
            if !ask(&question) {
                return Err(Trouble::Declined);
            }
            // `now()` and the time that it may take begin with the answer.
            started = Instant::now();
            let Some(again) = begin()? else { return Ok(None) };
            outcome = again;
        }
        let layout = self.layout_of(script, statement, options);
        if outcome.is_explanation() && matches!(layout.format, Format::Svg | Format::Html) {
            return Err(Refusal::new("an explanation is text, and no picture").into());
        }
        let busy = self.signals.busy();
        let ran = self.runtime.block_on(async {
            let mut line = ProgressLine::new(self.reporter.is_quiet());
            if outcome.is_explanation() {
                return self.explain(&mut outcome, &mut line, &layout, out, started).await;
            }
            let keeper = options.keeps_last && matches!(statement.kind, StatementKind::Query(_));
            let keeper = keeper.then(|| Keeper::new(outcome.schema()));
            let renderer = renderer(outcome.schema(), &layout)?;
            let taker = Taker { renderer, keeper, layout: &layout };
            self.print(&mut outcome, &mut line, taker, out, started).await
        });
        drop(busy);
        // What is said of the rows comes below them.
        let ended = out.end();
        if let Ok(summary) = &ran {
            self.warn(summary);
        }
        let summary = ran?;
        ended?;
        Ok(Some(summary))
    }

    /// Prints the rows of a query as they come.
    async fn print(
        &self,
        outcome: &mut Outcome,
        line: &mut ProgressLine,
        taker: Taker<'_>,
        out: &mut dyn Destination,
        started: Instant,
    ) -> Result<Summary, Trouble> {
        let Taker { mut renderer, mut keeper, layout } = taker;
        let mut summary = Summary::default();
        let ended = loop {
            match self.next(outcome, line, out.owns_terminal()).await {
                Ok(None) => break Ok(()),
                Err(trouble) => break Err(trouble),
                Ok(Some(batch)) => {
                    summary.n_rows += batch.num_rows() as u64;
                    keeper.iter_mut().for_each(|keeper| keeper.add(&batch));
                    let written = renderer.rows(&batch, out).and_then(|()| out.flush());
                    match written {
                        Ok(()) => {}
                        Err(error) if left(&error, out) => break Err(Trouble::Left),
                        Err(error) => break Err(Trouble::Output(error)),
                    }
                }
            }
        };
        summary.elapsed = started.elapsed();
        summary.completeness = outcome.completeness();
        self.add_usage(&summary.completeness);
        summary.scans = match self.preferences.timing {
            Timing::Verbose => outcome.scan_costs(),
            Timing::Off | Timing::On => Vec::new(),
        };
        summary.failure = ended.as_ref().err().map(ToString::to_string);
        if let Some(keeper) = keeper {
            let (completeness, failure) = (summary.completeness.clone(), summary.failure.clone());
            self.engine.set_last(keeper.finish(completeness, failure));
            self.last_window.set(layout.picture.window);
        }
        if !matches!(ended, Err(Trouble::Output(_) | Trouble::Left)) {
            match renderer.finish(&summary, out).and_then(|()| out.flush()) {
                // Whoever ends the pager has seen enough of a result that is whole.
                Err(error) if left(&error, out) => {}
                written => written?,
            }
        }
        if let (Err(Trouble::Engine(_) | Trouble::Stopped(_)), false) =
            (&ended, out.owns_terminal())
        {
            self.warn(&summary);
        }
        ended.map(|()| summary)
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
        line: &mut ProgressLine,
        layout: &Layout,
        out: &mut dyn Destination,
        started: Instant,
    ) -> Result<Summary, Trouble> {
        let ended = loop {
            match self.next(outcome, line, false).await {
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
        self.add_usage(&summary.completeness);
        if let Some(explanation) = outcome.explanation() {
            summary.n_rows = explanation.analysis.as_ref().map_or(0, |analysis| analysis.n_rows);
            summary.told = Some(explanation.analysis.as_ref().map_or(Told::Plan, |_| Told::Run));
            let printed = render::print_explanation(&explanation, &summary, layout, out);
            match printed.and_then(|()| out.flush()) {
                Err(error) if left(&error, out) => {}
                printed => printed?,
            }
        }
        if ended.is_err() {
            self.warn(&summary);
        }
        ended.map(|()| summary)
    }

    /// Returns what holds for a statement that begins now, and sets the window of the run.
    pub(crate) fn options(&self) -> ExecuteOptions {
        ExecuteOptions {
            timeout: self.preferences.timeout,
            max_requests: self.preferences.max_requests,
            parameters: self.parameters.clone(),
            ..self.times.apply(&self.engine)
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
        is_screen_taken: bool,
    ) -> Result<Option<RecordBatch>, Trouble> {
        loop {
            let next = tokio::select! {
                biased;
                stop = self.signals.stopped() => Err(Trouble::Stopped(stop)),
                next = outcome.next() => next.transpose().map_err(Trouble::from),
                () = line.due(), if !is_screen_taken => {
                    line.draw(&outcome.progress(), self.engine.settings().time_zone);
                    continue;
                }
            };
            line.clear();
            if let (Err(Trouble::Stopped(_)), Some(silent)) = (&next, outcome.silent_plugin()) {
                let report = Report::new(Kind::Warning, silent.to_string());
                self.reporter.show(&report.with_hint(Some(SilentPlugin::HINT.to_owned())));
            }
            return next;
        }
    }

    /// Waits so long. Returns what ended the waiting early, if something did.
    pub(crate) fn wait(&self, time: Duration) -> Option<Stop> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                stop = self.signals.stopped() => Some(stop),
                () = tokio::time::sleep(time) => None,
            }
        })
    }

    /// Tells what ended a statement of `script`, and returns how that ends the program.
    pub(crate) fn report(&self, trouble: &Trouble, script: &Script) -> Exit {
        let reports = match trouble {
            Trouble::Engine(error) => Report::errors(error, Some(script)),
            Trouble::Refused(refusal) => vec![refusal.clone().into()],
            _ => vec![Report::new(Kind::Error, trouble.to_string())],
        };
        for report in &reports {
            self.reporter.show(report);
        }
        match trouble {
            Trouble::Engine(error) => Exit::of(error, self.preferences.timeout.is_some()),
            Trouble::Stopped(stop) => Exit::from(*stop),
            Trouble::Refused(_) => Exit::Input,
            Trouble::Output(_) | Trouble::Incomparable(_) | Trouble::Declined | Trouble::Left => {
                Exit::Failed
            }
        }
    }

    /// Forgets an interrupt that has ended a statement.
    pub(crate) fn clear_interrupt(&self) {
        self.signals.clear();
    }
}

/// Tells whether rows cannot be written because the pager that shows them was ended.
fn left(error: &io::Error, out: &dyn Destination) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe && out.owns_terminal()
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
