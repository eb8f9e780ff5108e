//! What `sessionql plugin` does for those who use plugins and those who write them.
//! In: the search path, the configuration, a library. Out: a list, pages, or a project. Nothing is
//! requested.

mod docs;
#[cfg(unix)]
pub(crate) mod host;
mod list;
mod new;

use crate::Failure;
use crate::cli::{Arguments, PluginTask};
use crate::exit::Exit;
use crate::report::Reporter;

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
    }
}
