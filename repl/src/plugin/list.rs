//! Lists the plugins that can be found, and those that connections name and nobody finds: what
//! `sessionql plugin list` does. A library is loaded only after the trust check, and only if it is
//! the one that a connection would get.

use serde_json::{Value, json};
use sessionql_core::Error;
use sessionql_core::config::Config;
use sessionql_core::display::escape_controls;
use sessionql_core::plugin::message::Io;
use sessionql_core::plugin::{Library, LibraryState};

use crate::cli::{Arguments, PluginListArguments, TestFormat};
use crate::exit::Exit;
use crate::manual;
use crate::report::Reporter;

/// One plugin, as it is told.
#[derive(Debug)]
struct Entry {
    name: String,
    /// Absent if there is no file.
    library: Option<Library>,
    /// The connections that use this file, or would if there were one.
    connections: Vec<String>,
}

/// Prints the list. Ends with 5 if a connection has no plugin that would do.
///
/// # Errors
/// What is wrong with the configuration.
pub(crate) fn run(
    list: &PluginListArguments,
    arguments: &Arguments,
    reporter: Reporter,
) -> Result<Exit, Error> {
    let config = crate::load_config(arguments)?;
    let path = crate::engine_options(arguments).plugin_path;
    let entries = entries(path.libraries(), &config);
    let told = match list.list_format {
        TestFormat::Text => text(&entries),
        TestFormat::Json => format!("{}\n", object(&entries)),
    };
    let exit = manual::print(told.as_bytes(), reporter);
    let is_wanting = |entry: &Entry| !entry.connections.is_empty() && Told::of(entry).word != "ok";
    Ok(if exit == Exit::Success && entries.iter().any(is_wanting) { Exit::Plugin } else { exit })
}

/// Returns the libraries with the connections that use them, and what connections miss.
fn entries(libraries: Vec<Library>, config: &Config) -> Vec<Entry> {
    let users = |name: &str| -> Vec<String> {
        let connections = config.connections.values();
        connections.filter(|used| used.plugin == name).map(|used| used.name.clone()).collect()
    };
    let mut entries: Vec<Entry> = libraries
        .into_iter()
        .map(|library| {
            let connections = if library.is_found { users(&library.name) } else { Vec::new() };
            Entry { name: library.name.clone(), library: Some(library), connections }
        })
        .collect();
    for connection in config.connections.values() {
        let has_it =
            |entry: &Entry| entry.name == connection.plugin && !entry.connections.is_empty();
        if !entries.iter().any(has_it) {
            let (name, connections) = (connection.plugin.clone(), users(&connection.plugin));
            entries.push(Entry { name, library: None, connections });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// A state in words.
struct Told {
    word: &'static str,
    message: Option<String>,
    hint: Option<String>,
    version: Option<String>,
    abi_version: Option<u32>,
    io: Option<Io>,
}

impl Told {
    fn of(entry: &Entry) -> Self {
        let plain = |word, message: Option<String>, hint: Option<String>| Self {
            word,
            message,
            hint,
            version: None,
            abi_version: None,
            io: None,
        };
        let Some(library) = &entry.library else {
            let file = sessionql_core::plugin::file_name(&entry.name);
            return plain("missing", Some(format!("no directory has `{file}`")), None);
        };
        match &library.state {
            LibraryState::Ok { version, abi_version, io } => Self {
                version: Some(version.clone()),
                abi_version: Some(*abi_version),
                io: Some(*io),
                ..plain("ok", None, None)
            },
            LibraryState::Refused { message, hint } => {
                plain("refused", Some(message.clone()), Some(hint.clone()))
            }
            LibraryState::Broken { message, hint, abi_version } => Self {
                abi_version: *abi_version,
                ..plain("broken", Some(message.clone()), hint.clone())
            },
            LibraryState::Shadowed { by } => {
                plain("shadowed", Some(format!("`{}` is found first", by.display())), None)
            }
        }
    }
}

/// Returns the list for people: a line for each plugin, and below it where it is and what it is.
fn text(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "no plugins are found\n".to_owned();
    }
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
    let mut lines = String::new();
    for entry in entries {
        let told = Told::of(entry);
        let mut facts = vec![match &told.message {
            Some(message) => format!("{}: {message}", told.word),
            None => told.word.to_owned(),
        }];
        facts.extend(told.version.as_ref().map(|version| format!("version {version}")));
        facts.extend(told.abi_version.map(|abi_version| format!("ABI {abi_version}")));
        if told.io == Some(Io::Own) {
            facts.push("does its own input and output".to_owned());
        }
        match entry.connections.as_slice() {
            [] => {}
            [one] => facts.push(format!("connection {one}")),
            several => facts.push(format!("connections {}", several.join(" "))),
        }
        let below = " ".repeat(width + 2);
        let mut line = |begin: &str, text: &str| {
            lines.push_str(&format!("{begin}{}\n", escape_controls(text)));
        };
        line(&format!("{:<width$}  ", entry.name), &facts.join(", "));
        if let Some(library) = &entry.library {
            line(&below, &library.file.display().to_string());
            if let Some(sha256) = &library.sha256 {
                line(&below, &format!("sha256 {sha256}"));
            }
        }
        if let Some(hint) = &told.hint {
            line(&below, &format!("hint: {hint}"));
        }
    }
    lines
}

/// Returns the list as one object.
fn object(entries: &[Entry]) -> Value {
    let plugin = |entry: &Entry| {
        let told = Told::of(entry);
        let library = entry.library.as_ref();
        json!({
            "name": entry.name,
            "version": told.version,
            "abi": told.abi_version,
            "path": library.map(|library| library.file.display().to_string()),
            "sha256": library.and_then(|library| library.sha256.clone()),
            "state": told.word,
            "message": told.message,
            "hint": told.hint,
            "io": told.io,
            "connections": entry.connections,
        })
    };
    json!({ "schema_version": 1, "plugins": entries.iter().map(plugin).collect::<Vec<_>>() })
}
