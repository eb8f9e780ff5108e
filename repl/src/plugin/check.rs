//! Tells which rules of the interface a plugin breaks: what `sessionql plugin check` does.
//! In: a library, and maybe a connection to its API. Out: findings on standard output, each with
//! the rule, what was seen, and the command that shows it again. The rules are those of the SDK, as
//! in a plugin's own tests; each is looked at in a process of its own, so that a plugin that crashes
//! or hangs is a finding and not the end.

mod process;
mod subject;
mod tell;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sessionql_plugin_sdk::check::{Checked, Rule, Standing, counts, rule, rules};

use crate::Failure;
use crate::cli::{Arguments, PluginCheckArguments, TestFormat};
use crate::exit::Exit;
use crate::manual;
use crate::report::Reporter;
use crate::usage::Refusal;
use process::{Children, Ended};

/// Rules that the others rely on: where a process does not survive them, none is started for those.
const FIRST: &str = "lifecycle/";

/// How long a rule may take, alone and with an API that others use, too.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_WITH_API: Duration = Duration::from_secs(600);

/// Checks a plugin. Ends with 1 if a rule is broken.
///
/// # Errors
/// If there is no such plugin, rule or connection, or the plugin cannot be opened.
pub(super) fn run(
    check: &PluginCheckArguments,
    arguments: &Arguments,
    reporter: Reporter,
) -> Result<Exit, Failure> {
    if check.list {
        return Ok(manual::print(tell::list(check.check_format).as_bytes(), reporter));
    }
    if check.connection.is_some() && arguments.config.is_none() {
        return Err(Refusal::new("`--connection` needs `--config`").into());
    }
    let wanted = wanted(&check.rules)?;
    let given = check.plugin.as_deref().unwrap_or_default();
    let mut options = crate::engine_options(arguments);
    let name = super::find(given, &mut options.plugin_path)?;
    let file = options.plugin_path.find(&name)?;
    if check.here {
        let subject = subject::of(&name, &file, check, arguments, options)?;
        let lines = wanted.iter().map(|rule| tell::json(&rule.check(&subject), ""));
        return Ok(manual::print(lines.collect::<String>().as_bytes(), reporter));
    }
    let children = children(&file, check, arguments)?;
    let looked = match look_at(&wanted, &children) {
        Ok(checked) => checked,
        Err(Ended { exit, stderr }) => {
            // What the command line or the configuration lacks; each process would say the same.
            reporter.pass_on(&stderr);
            return Ok(exit);
        }
    };
    let reproduce = reproduce(given, check, arguments);
    let told = match check.check_format {
        TestFormat::Json => looked.iter().map(|checked| tell::json(checked, &reproduce)).collect(),
        TestFormat::Text => tell::text(&looked, &reproduce, &counts(&looked)),
    };
    let exit = manual::print(told.as_bytes(), reporter);
    let is_broken = looked.iter().any(|checked| checked.standing == Standing::Failed);
    Ok(if is_broken { exit.max(Exit::Unexpected) } else { exit })
}

/// Returns the rules that are asked for; all if none is.
fn wanted(names: &[String]) -> Result<Vec<&'static Rule>, Refusal> {
    if names.is_empty() {
        return Ok(rules().collect());
    }
    let find = |name: &String| {
        rule(name).ok_or_else(|| {
            Refusal::new(format!("there is no rule `{name}`"))
                .with_hint("`sessionql plugin check --list` lists them")
        })
    };
    names.iter().map(find).collect()
}

/// Returns what the processes are started with.
fn children(
    file: &Path,
    check: &PluginCheckArguments,
    arguments: &Arguments,
) -> Result<Children, Refusal> {
    let failed =
        |error: std::io::Error| Refusal::new(format!("this program is not found: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut line: Vec<PathBuf> = ["plugin", "check", "--here"].map(PathBuf::from).into();
    line.push(file.to_owned());
    if let Some(config) = &arguments.config {
        line.extend(["--config".into(), config.clone()]);
    }
    if let Some(connection) = &check.connection {
        line.extend(["--connection".into(), connection.into()]);
    }
    let patience = if arguments.config.is_some() { PATIENCE_WITH_API } else { PATIENCE };
    Ok(Children {
        program,
        line,
        patience: check.rule_timeout.unwrap_or(patience),
        is_alone: arguments.config.is_some(),
    })
}

/// Looks at rules, each in a process of its own: first those on which the others rely.
///
/// # Errors
/// How a process ended that did not come to its rule.
fn look_at(wanted: &[&'static Rule], children: &Children) -> Result<Vec<Checked>, Ended> {
    let n_first = wanted.iter().take_while(|rule| rule.id.starts_with(FIRST)).count();
    let (first, others) = wanted.split_at(n_first);
    let mut checked = Vec::new();
    let mut fatal = None;
    for rule in first {
        if let Some(fatal) = fatal {
            checked.push(skipped(rule, fatal));
            continue;
        }
        let looked = children.look(rule)?;
        fatal = (!looked.has_survived).then_some(rule.id);
        checked.push(looked.checked);
    }
    if let Some(fatal) = fatal {
        checked.extend(others.iter().map(|rule| skipped(rule, fatal)));
        return Ok(checked);
    }
    let n_at_once = match children.is_alone {
        true => 1,
        false => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..n_at_once.min(others.len()) {
            scope.spawn(|| {
                while let Some(rule) = others.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let looked = children.look(rule);
                    let mut results =
                        results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    results.push((rule.id, looked));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    for rule in others {
        let place = results.iter().position(|(id, _)| *id == rule.id);
        if let Some(place) = place {
            checked.push(results.swap_remove(place).1?.checked);
        }
    }
    Ok(checked)
}

fn skipped(rule: &Rule, fatal: &str) -> Checked {
    Checked::skipped(rule, format!("a plugin that survives `{fatal}`"))
}

/// Returns the command that looks at one rule again, but for its name.
fn reproduce(given: &str, check: &PluginCheckArguments, arguments: &Arguments) -> String {
    let mut line = format!("sessionql plugin check {given}");
    for directory in &arguments.plugin_dir {
        line.push_str(&format!(" --plugin-dir {}", directory.display()));
    }
    if let Some(config) = &arguments.config {
        line.push_str(&format!(" --config {}", config.display()));
    }
    if let Some(connection) = &check.connection {
        line.push_str(&format!(" --connection {connection}"));
    }
    line
}
