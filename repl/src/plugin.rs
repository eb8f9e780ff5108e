//! What `sessionql plugin` does for those who use plugins and those who write them.
//! In: the search path, the configuration, a library. Out: a list, pages, a project, or findings.
//! Nothing is requested, but by `check` of a connection.

mod check;
mod docs;
#[cfg(unix)]
pub(crate) mod host;
mod list;
mod new;

use std::path::{Path, PathBuf};

use sessionql_core::plugin::{PluginPath, file_name, plugin_name};

use crate::Failure;
use crate::cli::{Arguments, PluginTask};
use crate::exit::Exit;
use crate::report::Reporter;
use crate::usage::Refusal;

/// Does one of these tasks.
///
/// # Errors
/// What is wrong with the command line or the configuration, or with the plugin.
pub(crate) fn run(
    task: &PluginTask,
    arguments: &Arguments,
    reporter: Reporter,
) -> Result<Exit, Failure> {
    match task {
        PluginTask::List(list) => Ok(list::run(list, arguments, reporter)?),
        PluginTask::Docs(docs) => docs::run(docs, arguments, reporter),
        PluginTask::New(new) => Ok(new::run(new)?),
        PluginTask::Check(check) => check::run(check, arguments, reporter),
    }
}

/// Returns the name of a plugin that is given by it or by its file; the directory of a file is then
/// looked into first.
fn find(plugin: &str, path: &mut PluginPath) -> Result<String, Refusal> {
    let file = Path::new(plugin);
    let is_file = file.components().count() > 1 || file.extension().is_some();
    if !is_file {
        return Ok(plugin.to_owned());
    }
    let name = plugin_name(file).ok_or_else(|| {
        Refusal::new(format!("`{plugin}` is not named as a plugin"))
            .with_hint(format!("the file of a plugin `doors` is `{}`", file_name("doors")))
    })?;
    if !file.is_file() {
        return Err(Refusal::new(format!("there is no file `{plugin}`")));
    }
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    path.directories.insert(0, directory.map_or_else(|| PathBuf::from("."), Path::to_owned));
    Ok(name)
}
