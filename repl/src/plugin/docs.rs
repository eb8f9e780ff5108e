//! Writes what a plugin says of itself as Markdown, a page for each table: what `sessionql plugin
//! docs` does. In: a plugin's name or file. Out: pages, on standard output or in a directory.
//! What is sent for a condition is not guessed: an engine with a made-up connection is asked to
//! explain a query with it, at a fixed instant, and sends nothing.

mod conditions;
mod page;

use sessionql_core::Engine;
use sessionql_core::config::Config;
use sessionql_core::plugin::message::{ConnectionOption, Manifest, OptionType};

use crate::Failure;
use crate::cli::{Arguments, PluginDocsArguments};
use crate::exit::Exit;
use crate::manual;
use crate::report::Reporter;
use crate::usage::Refusal;

/// Where requests would go if the plugin has no address of its own.
const EXAMPLE_URL: &str = "https://provider.example.com";

/// Writes the pages.
///
/// # Errors
/// If there is no such plugin, it cannot be used, or a page cannot be written.
pub(super) fn run(
    docs: &PluginDocsArguments,
    arguments: &Arguments,
    reporter: Reporter,
) -> Result<Exit, Failure> {
    let mut options = crate::engine_options(arguments);
    let name = super::find(&docs.plugin, &mut options.plugin_path)?;
    let plugin = Engine::new(Config::default(), options.clone())?.connections().plugin(&name)?;
    let manifest = &plugin.manifest;
    let engine = Engine::new(example_config(manifest)?, options)?;
    let mut pages = Vec::new();
    for table in &manifest.tables {
        let conditions = conditions::explain(&engine, manifest, table)?;
        pages.push((page::file_name(manifest, table), page::write(manifest, table, &conditions)));
    }
    let Some(directory) = &docs.pages_directory else {
        let pages: Vec<&str> = pages.iter().map(|(_, page)| page.as_str()).collect();
        return Ok(manual::print(pages.join("\n").as_bytes(), reporter));
    };
    for (file, page) in pages {
        let file = directory.join(file);
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&file, page))
            .map_err(|error| Refusal::new(format!("`{}`: {error}", file.display())))?;
    }
    Ok(Exit::Success)
}

/// Returns a configuration with one connection, named as the plugin, that has what it must have.
fn example_config(manifest: &Manifest) -> Result<Config, Failure> {
    let mut connection = toml::Table::new();
    connection.insert("plugin".to_owned(), manifest.name.clone().into());
    let base_url = manifest.base_url.default.as_deref().unwrap_or(EXAMPLE_URL);
    connection.insert("base_url".to_owned(), base_url.into());
    for option in manifest.options.iter().filter(|option| option.required) {
        connection.insert(option.name.clone(), example_value(option));
    }
    let connections = toml::Table::from_iter([(manifest.name.clone(), connection.into())]);
    let config = toml::Table::from_iter([("connections".to_owned(), connections.into())]);
    Ok(Config::parse(&config.to_string()).map_err(sessionql_core::Error::from)?)
}

fn example_value(option: &ConnectionOption) -> toml::Value {
    match (option.option_type, option.values.first()) {
        (OptionType::Text, Some(value)) => value.as_str().into(),
        (OptionType::Text, None) => "example".into(),
        (OptionType::Int, _) => 1.into(),
        (OptionType::Bool, _) => true.into(),
        (OptionType::Duration, _) => "1h".into(),
        (OptionType::TextList, value) => vec![value.map_or("example", String::as_str)].into(),
    }
}
