//! The parameters of queries on the command line: `--param`, `--params-file`, `--describe-params`.
//! In: arguments, a file, parsed scripts. Out: the values that are given, or the JSON that describes
//! what can be.

use std::io::Write as _;

use serde_json::json;
use sessionql_core::Parameters;
use sessionql_core::parameters::declared;

use crate::cli::Arguments;
use crate::exit::Exit;
use crate::report::{Report, Reporter};
use crate::script::ParsedScript;
use crate::usage::Refusal;

/// Returns the values that the command line gives; those of the file count less.
///
/// # Errors
/// If the file cannot be read or is no TOML.
pub(crate) fn given(arguments: &Arguments) -> Result<Parameters, Refusal> {
    let mut given = Parameters::default();
    if let Some(file) = &arguments.params_file {
        let name = file.display();
        let document = std::fs::read_to_string(file)
            .map_err(|error| Refusal::new(format!("`{name}` cannot be read: {error}")))?;
        given.read_toml(&document).map_err(|error| {
            Refusal::new(format!("`{name}`: {error}"))
                .with_hint("the file is TOML such as `name = \"value\"`")
        })?;
    }
    for (name, value) in &arguments.parameters {
        given.give(name, value);
    }
    Ok(given)
}

/// Prints the parameters of each script as JSON, a line for each script.
pub(crate) fn describe(scripts: &[ParsedScript], reporter: Reporter) -> Exit {
    let mut lines = String::new();
    for ParsedScript { script, statements, saved } in scripts {
        let parameters = match declared(&script.text, statements) {
            Ok(parameters) => parameters,
            Err(error) => {
                for report in Report::errors(&error, Some(script)) {
                    reporter.show(&report);
                }
                return Exit::Input;
            }
        };
        let parameters: Vec<_> = parameters
            .iter()
            .map(|parameter| {
                json!({
                    "name": parameter.name,
                    "type": parameter.data_type.to_string(),
                    "required": parameter.default.is_none(),
                    "default": parameter.default,
                    "doc": parameter.doc,
                })
            })
            .collect();
        let line = json!({
            "schema_version": 1,
            "file": script.name,
            "name": saved.name,
            "description": saved.description,
            "severity": saved.severity,
            "tags": saved.tags,
            "owner": saved.owner,
            "source": saved.source,
            "references": saved.references,
            "expect": saved.expectation.as_ref().map(ToString::to_string),
            "parameters": parameters,
        });
        lines.push_str(&format!("{line}\n"));
    }
    // Who closes the pipe has read enough of it.
    let _written = std::io::stdout().write_all(lines.as_bytes());
    Exit::Success
}
