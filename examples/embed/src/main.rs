//! A program that runs queries through the engine of SessionQL.
//! In: a configuration file, a directory with plugins, a query. Out: the rows, separated by tabs,
//! and then what they cover; the exit code is 0 only if nothing is missing.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use sessionql_core::config::Config;
use sessionql_core::plugin::PluginPath;
use sessionql_core::{Engine, EngineOptions, ExecuteOptions};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, plugins, sql] = arguments.as_slice() else {
        eprintln!("usage: embed CONFIG PLUGIN-DIRECTORY QUERY");
        return ExitCode::from(2);
    };
    match run(Path::new(config), Path::new(plugins), sql) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(4),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one query and prints what comes of it. Returns whether the answer is complete.
#[tokio::main(flavor = "current_thread")]
async fn run(config: &Path, plugins: &Path, sql: &str) -> Result<bool, Box<dyn Error>> {
    let config = Config::load(config)?;
    let plugin_path = PluginPath { directories: vec![plugins.to_owned()] };
    let engine = Engine::new(config, EngineOptions { plugin_path, ..EngineOptions::default() })?;
    let statements = engine.parse(sql)?;
    let [statement] = statements.as_slice() else { return Err("one query is due".into()) };
    // Nothing was asked yet. From here on plugins are loaded, and dropping `outcome` would end it all.
    let mut outcome = engine.execute(sql, statement, &ExecuteOptions::default()).await?;
    let names: Vec<&str> = outcome.schema().fields().iter().map(|f| f.name().as_str()).collect();
    println!("{}", names.join("\t"));
    // Rows come as the providers answer. An error ends them: what came before it is not the answer.
    while let Some(batch) = outcome.next().await {
        let batch = batch?;
        let options = FormatOptions::default().with_null("NULL");
        let columns = batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            println!("{}", cells.join("\t"));
        }
    }
    // Only now is it known what the rows cover.
    let completeness = outcome.completeness();
    for connection in &completeness.connections {
        for known in &connection.gaps {
            eprintln!("{}: {}: {}", connection.connection, known.gap.reason, known.gap.message);
        }
    }
    eprintln!("{}", if completeness.is_complete() { "complete" } else { "incomplete" });
    Ok(completeness.is_complete())
}
