//! What the commands of the prompt do. Each is a few lines here, or a statement of the language.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use sessionql_core::completeness::Completeness;
use sessionql_core::config::parse_time_zone;
use sessionql_core::display::{count, size};
use sessionql_core::error::{did_you_mean, nearest};
use sessionql_core::last::{Keeper, LastResult};
use sessionql_core::{Error, duration, parameters};

use super::command::{Line, Verb};
use super::{Flow, OutputFile, Shell, help, say};
use crate::cli::Format;
use crate::environment;
use crate::exit::Exit;
use crate::guard::Ask;
use crate::output::Output;
use crate::preferences::{SETTINGS, Timing, read_switch};
use crate::render::Expanded;
use crate::report::{Report, Reporter};
use crate::run::{RunOptions, Trouble};
use crate::script::{self, Script};
use crate::times::Bound;
use crate::usage::Refusal;

/// The settings that are not the program's own, with what they change.
const OTHER_SETTINGS: [(&str, &str); 5] = [
    ("cache", "how long answers are kept and given again"),
    ("pushdown", "send conditions to providers; off tests the answers"),
    ("since", "begin of the window of queries that have none"),
    ("time_zone", "the zone of times that are read and shown"),
    ("until", "end of that window"),
];

impl Shell {
    /// Does what a command says.
    ///
    /// # Errors
    /// What is wrong with what stands behind it.
    pub(super) fn perform(&mut self, line: &Line, ask: Ask<'_>) -> Result<Flow, Refusal> {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        let statement = |text: &str| Script::new(text);
        match line.command.verb {
            Verb::Help => self.show_text(&help::commands(environment::text_width())),
            Verb::Explain => {
                let functions = self.runner.engine().functions();
                self.show_text(&help::topic(&line.rest, &functions, environment::text_width())?)
            }
            Verb::Describe if line.rest.is_empty() => {
                return Ok(self.run_text(statement("SHOW TABLES"), ask));
            }
            Verb::Describe => {
                return Ok(self.run_text(Script::new(format!("DESCRIBE {}", line.rest)), ask));
            }
            Verb::Tables => return Ok(self.run_text(statement("SHOW TABLES"), ask)),
            Verb::Connections => return Ok(self.run_text(statement("SHOW CONNECTIONS"), ask)),
            Verb::Plugins => return Ok(self.run_text(statement("SHOW PLUGINS"), ask)),
            Verb::Functions => self.functions(words.first().copied().unwrap_or_default()),
            Verb::Expand => {
                let toggled = match self.runner.preferences.expanded {
                    Expanded::On => "auto",
                    Expanded::Off | Expanded::Auto => "on",
                };
                self.set("expanded", words.first().copied().unwrap_or(toggled))
            }
            Verb::Format => match words.first() {
                None => self.say_setting("format"),
                Some(name) => self.set("format", name),
            },
            Verb::Timing => {
                let toggled = match self.runner.preferences.timing {
                    Timing::Off => "on",
                    Timing::On | Timing::Verbose => "off",
                };
                self.set("timing", words.first().copied().unwrap_or(toggled))
            }
            Verb::Output => self.open_file(words.first().copied()),
            Verb::Last => self.last(),
            Verb::Watch => return self.watch(&line.rest, ask),
            Verb::Timeline => return self.timeline(&line.rest, ask),
            Verb::Since if words.is_empty() => self.say_setting("since"),
            Verb::Since => self.set("since", &words.join(" ")),
            Verb::Set => match words.as_slice() {
                [] => self.settings(),
                [name] => self.say_setting(name),
                [name, value @ ..] => self.set(name, &value.join(" ")),
            },
            Verb::Parameter => match words.as_slice() {
                [] => return Ok(self.run_text(statement("SHOW PARAMETERS"), ask)),
                [name] => self.forget_parameter(name),
                [name, value, ..] => {
                    self.runner.parameters.give(name.trim_start_matches('$'), *value);
                    Ok(())
                }
            },
            Verb::Include => return self.include(words.first().copied(), ask),
            Verb::Run => return self.run_file(&line.words, ask),
            Verb::Cache => self.cache(words.first().copied()),
            Verb::Edit => Ok(()),
            Verb::Quit => return Ok(Flow::Quit(Exit::Success)),
        }
        .map(|()| Flow::GoOn)
    }

    /// Prints a text, through the pager if it does not fit the screen.
    fn show_text(&mut self, text: &str) -> Result<(), Refusal> {
        let uses_pager = self.runner.preferences.uses_pager;
        let file = self.file.take();
        let printed = self.print(uses_pager, |_, _, out| {
            let written = out.write_all(text.as_bytes());
            let written = if out.owns_terminal() { Ok(()) } else { written };
            out.end()?;
            Ok(written?)
        });
        self.file = file;
        printed.map_err(|trouble| Refusal::new(trouble.to_string()))
    }

    /// Prints rows that are there, in a format if it is not the chosen one.
    ///
    /// # Errors
    /// If they cannot be printed so.
    pub(super) fn show_rows(
        &mut self,
        rows: &LastResult,
        format: Option<Format>,
    ) -> Result<(), Refusal> {
        let uses_pager = self.runner.preferences.uses_pager;
        let printed = self.print(uses_pager, |runner, options, out| {
            runner.print_last(rows, RunOptions { format, ..options }, out)
        });
        printed.map_err(|trouble| match trouble {
            Trouble::Refused(refusal) => refusal,
            trouble => Refusal::new(trouble.to_string()),
        })
    }

    fn show_table(&mut self, names: &[&str], rows: &[Vec<String>]) -> Result<(), Refusal> {
        let text = |column: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row[column].as_str())))
        };
        let fields: Vec<Field> =
            names.iter().map(|name| Field::new(*name, DataType::Utf8, false)).collect();
        let schema = Arc::new(Schema::new(fields));
        let columns = (0..names.len()).map(text).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
            .map_err(|error| Refusal::new(error.to_string()))?;
        let mut keeper = Keeper::new(&schema);
        keeper.add(&batch);
        // A listing is no result, and of no time.
        let file = self.file.take();
        let is_picture = matches!(
            self.runner.preferences.format,
            Some(Format::Timeline | Format::Svg | Format::Html)
        );
        let format = is_picture.then_some(Format::Table);
        let shown = self.show_rows(&keeper.finish(Completeness::default(), None), format);
        self.file = file;
        shown
    }

    /// Lists the functions with this in their names.
    fn functions(&mut self, part: &str) -> Result<(), Refusal> {
        let part = part.to_lowercase();
        let functions = self.runner.engine().functions();
        let rows: Vec<Vec<String>> = functions
            .into_iter()
            .filter(|function| function.name.contains(&part))
            .map(|function| {
                vec![function.name, function.kind.to_owned(), function.signature, function.doc]
            })
            .collect();
        self.show_table(&["function", "kind", "signature", "doc"], &rows)
    }

    /// Shows the last result again.
    fn last(&mut self) -> Result<(), Refusal> {
        let Some(last) = self.runner.engine().last() else {
            return Err(Refusal::new("no query has run yet"));
        };
        self.show_rows(&last, None)?;
        if let Some(why) = last.why_partial() {
            self.note(&format!("this is not the whole last result: {why}"));
        }
        Ok(())
    }

    fn note(&self, message: &str) {
        let report = Report::new(crate::report::Kind::Note, message);
        self.runner.reporter().show(&report);
    }

    /// Returns a setting's value.
    fn setting(&self, name: &str) -> Result<String, Refusal> {
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
            return Ok((setting.get)(&self.runner.preferences));
        }
        let off = || "off".to_owned();
        let settings = self.runner.engine().settings();
        let times = &self.runner.times;
        match name {
            "cache" => Ok(settings.cache_ttl.map_or_else(off, duration::human)),
            "pushdown" => Ok(if settings.pushdown { "on".to_owned() } else { off() }),
            "since" => Ok(times.since.as_ref().map_or_else(off, |since| since.text().to_owned())),
            "time_zone" => Ok(settings.time_zone.name().to_owned()),
            "until" => Ok(times.until.as_ref().map_or_else(off, |until| until.text().to_owned())),
            _ => Err(unknown_setting(name)),
        }
    }

    fn say_setting(&self, name: &str) -> Result<(), Refusal> {
        let value = self.setting(name)?;
        say(&format!("{name} is {value}\n"));
        Ok(())
    }

    /// Lists the settings.
    fn settings(&mut self) -> Result<(), Refusal> {
        let own = SETTINGS.iter().map(|setting| (setting.name, setting.doc));
        let mut all: Vec<(&str, &str)> = own.chain(OTHER_SETTINGS).collect();
        all.sort_unstable();
        let mut rows = Vec::new();
        for (name, doc) in all {
            rows.push(vec![name.to_owned(), self.setting(name)?, doc.to_owned()]);
        }
        self.show_table(&["setting", "value", "doc"], &rows)
    }

    /// Changes a setting.
    fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let named = |refusal: Refusal| refusal.of_option(name);
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
            (setting.set)(&mut self.runner.preferences, value).map_err(named)?;
            return self.say_setting(name);
        }
        let zone = self.runner.engine().settings().time_zone;
        let bound = || match value {
            "off" => Ok(None),
            _ => Bound::read(value, zone).map(Some).map_err(named),
        };
        match name {
            "cache" => return self.cache(Some(value)),
            "pushdown" => {
                let is_on = read_switch(value).map_err(named)?;
                self.runner.engine().settings().pushdown = is_on;
            }
            "since" => self.runner.times.since = bound()?,
            "until" => self.runner.times.until = bound()?,
            "time_zone" => {
                let zone = parse_time_zone(value).ok_or_else(|| {
                    Refusal::new(format!("no time zone `{value}`"))
                        .with_hint("zones are named such as `UTC` or `Europe/Berlin`")
                })?;
                self.runner.engine().settings().time_zone = zone;
            }
            _ => return Err(unknown_setting(name)),
        }
        // The prompt shows the window itself.
        if matches!(name, "since" | "until") { Ok(()) } else { self.say_setting(name) }
    }

    fn forget_parameter(&mut self, name: &str) -> Result<(), Refusal> {
        let name = name.trim_start_matches('$');
        match name.split_once('=') {
            Some((name, value)) => self.runner.parameters.give(name, value),
            None if self.runner.parameters.forget(name) => {}
            None => {
                return Err(Refusal::new(format!("parameter `{name}` has no value"))
                    .with_hint(format!(r"`\param {name} value` gives it one")));
            }
        }
        Ok(())
    }

    /// Lets the rows that follow go to a file, or ends that.
    fn open_file(&mut self, path: Option<&str>) -> Result<(), Refusal> {
        let closed = self.file.as_ref().map(|file| file.path.clone());
        self.close_file();
        match (path, closed) {
            (Some(path), _) => {
                let output = Output::file(Path::new(path))?;
                let path = path.into();
                self.file = Some(OutputFile { path, output, has_rows: false });
                say("rows go to the file, which is replaced when `\\o` ends it\n");
            }
            (None, Some(path)) => say(&format!("`{}` is written\n", path.display())),
            (None, None) => say("rows go to the screen\n"),
        }
        Ok(())
    }

    /// Runs the statements of a file.
    fn include(&mut self, path: Option<&str>, ask: Ask<'_>) -> Result<Flow, Refusal> {
        let path = path.ok_or_else(|| Refusal::new(r"`\i` needs a file"))?;
        Ok(self.run_text(script::read(Path::new(path))?, ask))
    }

    /// Runs the statements of a file with values that hold for them alone.
    fn run_file(&mut self, words: &[String], ask: Ask<'_>) -> Result<Flow, Refusal> {
        let Some((path, values)) = words.split_first() else {
            return Err(Refusal::new(r"`\run` needs a file"));
        };
        let script = script::read(Path::new(path))?;
        let mut given = self.runner.parameters.clone();
        let mut own = parameters::Parameters::default();
        for value in values {
            let Some((name, value)) = value.split_once('=') else {
                return Err(Refusal::new(format!("`{value}` is not a parameter with its value"))
                    .with_hint("write `name=value`"));
            };
            given.give(name, value);
            own.give(name, value);
        }
        let reporter = self.runner.reporter();
        let tell = |error: &Error| {
            for report in Report::errors(error, Some(&script)) {
                reporter.show(&report);
            }
        };
        let before = std::mem::replace(&mut self.runner.parameters, given);
        let options = self.runner.options();
        let engine = self.runner.engine();
        let checked = engine.parse(&script.text).and_then(|statements| {
            let names = engine.check_parameters(&script.text, &statements, &options)?;
            Ok((statements, names))
        });
        let flow = match checked {
            Err(error) => {
                tell(&error);
                Flow::GoOn
            }
            Ok((statements, names)) => match parameters::unknown(&own, &names).as_slice() {
                [] => self.run_statements(&script, &statements, ask),
                unknown => {
                    show_all(reporter, unknown);
                    Flow::GoOn
                }
            },
        };
        self.runner.parameters = before;
        Ok(flow)
    }

    /// Switches the cache, empties it, or tells how it is.
    fn cache(&mut self, word: Option<&str>) -> Result<(), Refusal> {
        let engine = self.runner.engine();
        match word {
            None => {
                let ttl = self.setting("cache")?;
                let held = engine.cache_size();
                let (scans, bytes) = (count(held.n_scans, "scan"), size(held.bytes));
                say(&format!("cache is {ttl}; {scans}, {bytes}\n"));
                return Ok(());
            }
            Some("clear") => engine.clear_cache(),
            Some("off") => {
                engine.settings().cache_ttl = None;
                engine.clear_cache();
            }
            Some("on") => {
                let ttl = engine.usual_cache_ttl();
                engine.settings().cache_ttl = Some(ttl);
            }
            Some(ttl) => {
                let read = duration::parse(ttl).filter(|ttl| !ttl.is_zero());
                let read = read.ok_or_else(|| {
                    Refusal::new(format!("`{ttl}` is none of `on`, `off`, `clear`"))
                        .with_hint("or how long answers are kept, such as 5m")
                })?;
                engine.settings().cache_ttl = Some(read);
            }
        }
        self.cache(None)
    }
}

fn show_all(reporter: Reporter, problems: &[parameters::Problem]) {
    for problem in problems {
        reporter.show(&Report::problem(problem, None));
    }
}

fn unknown_setting(name: &str) -> Refusal {
    let own = SETTINGS.iter().map(|setting| setting.name);
    let names = own.chain(OTHER_SETTINGS.iter().map(|(name, _)| *name));
    let shown = sessionql_core::display::escape_controls(name);
    let refusal = Refusal::new(format!("no setting `{shown}`"));
    let hint = did_you_mean(&nearest(name, names));
    refusal.with_hint(hint.unwrap_or_else(|| r"`\set` lists them".to_owned()))
}
