//! What is checked in a process: the library, and with a configuration a connection of it, whose
//! requests go out as those of queries do.

use std::path::Path;
use std::sync::Arc;

use sessionql_core::config::Config;
use sessionql_core::http::{RequestBudget, Scope};
use sessionql_core::plugin::message::ResponseHead;
use sessionql_core::plugin::open_table;
use sessionql_core::{Engine, EngineOptions, Error, Reason};
use sessionql_plugin_sdk::WireError;
use sessionql_plugin_sdk::check::Subject;
use sessionql_plugin_sdk::testing::Reply;

use crate::Failure;
use crate::cli::{Arguments, PluginCheckArguments};
use crate::usage::Refusal;

/// Requests that one rule may send to a running API.
const MOST_REQUESTS: u64 = 500;

/// Returns what is checked.
///
/// # Errors
/// If the library cannot be opened, or the configuration has no connection that can be used.
pub(super) fn of(
    name: &str,
    file: &Path,
    check: &PluginCheckArguments,
    arguments: &Arguments,
    options: EngineOptions,
) -> Result<Subject, Failure> {
    let subject = Subject::of_table(Some(open_table(name, file)?));
    if arguments.config.is_none() {
        return Ok(subject);
    }
    let config = crate::load_config(arguments)?;
    let connection_name = connection_name(&config, name, check.connection.as_deref())?;
    let engine = Engine::new(config, options)?;
    let connection = match engine.connections().open(&connection_name) {
        Ok(Some(connection)) => connection,
        Ok(None) => return Ok(subject),
        // What is wrong with the plugin is what the rules will find.
        Err(Error::Plugin { .. }) => return Ok(subject),
        Err(error) => return Err(error.into()),
    };
    let subject = subject.options(connection.options()?);
    if !connection.has_client() {
        return Ok(subject);
    }
    connection.client()?;
    let clock = engine.clock().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let runtime = runtime()?;
    let budget = Some(Arc::new(RequestBudget::new(MOST_REQUESTS)));
    let scope = Scope { budget, ..Scope::default() };
    Ok(subject.live(clock, move |request| {
        let client = connection.client().map_err(|error| other(error.to_string()))?;
        let answer = runtime.block_on(client.send(request, &scope))?;
        let (ResponseHead { status, headers, .. }, mut source) = (answer.head, answer.body);
        let mut body = Vec::new();
        while let Some(piece) = source.next_piece().map_err(|error| other(error.to_string()))? {
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status, headers, body })
    }))
}

/// Returns what sends requests, from any thread.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::internal(error.to_string()))
}

fn other(message: String) -> WireError {
    WireError::new(Reason::Other, message)
}

/// Returns the connection that is named, or the only one of the plugin.
fn connection_name(config: &Config, plugin: &str, named: Option<&str>) -> Result<String, Refusal> {
    let of_plugin: Vec<&str> = config
        .connections
        .values()
        .filter(|connection| connection.plugin == plugin)
        .map(|connection| connection.name.as_str())
        .collect();
    match (named, of_plugin.as_slice()) {
        (Some(named), names) if names.contains(&named) => Ok(named.to_owned()),
        (Some(named), _) => Err(Refusal::new(format!(
            "the configuration has no connection `{named}` of plugin `{plugin}`"
        ))
        .of_option("--connection")),
        (None, [one]) => Ok((*one).to_owned()),
        (None, []) => {
            Err(Refusal::new(format!("the configuration has no connection of plugin `{plugin}`"))
                .of_option("--config"))
        }
        (None, names) => Err(Refusal::new(format!(
            "plugin `{plugin}` has the connections `{}`",
            names.join("`, `")
        ))
        .with_hint("name one with `--connection`")),
    }
}
