//! What the program takes from its surroundings: variables, directories, the terminal.
//! Nothing else in the workspace asks the environment.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use sessionql_core::plugin::HostCommand;

/// The width of text that goes to no terminal.
const DEFAULT_WIDTH: usize = 80;
/// The height of a terminal that does not tell it.
const DEFAULT_HEIGHT: usize = 24;

/// Returns an environment variable; one that is empty or no text counts as not set.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the configuration file that the environment names.
pub(crate) fn config_file() -> Option<PathBuf> {
    variable("SESSIONQL_CONFIG").map(PathBuf::from)
}

/// Returns where the configuration is if nobody says otherwise.
pub(crate) fn default_config_file() -> Option<PathBuf> {
    Some(own_directories()?.config_dir().join("config.toml"))
}

/// Returns the file that the prompt begins with.
pub(crate) fn init_file() -> Option<PathBuf> {
    Some(own_directories()?.config_dir().join("init.sql"))
}

/// Returns the file of the REPL's history.
pub(crate) fn history_file() -> Option<PathBuf> {
    let own = own_directories()?;
    Some(own.state_dir().unwrap_or_else(|| own.data_local_dir()).join("history.txt"))
}

/// Returns where plugins are looked for, after the directories of the command line.
pub(crate) fn plugin_directories() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = match variable("SESSIONQL_PLUGIN_PATH") {
        Some(path) => {
            std::env::split_paths(&path).filter(|part| !part.as_os_str().is_empty()).collect()
        }
        None => Vec::new(),
    };
    let executable = std::env::current_exe().and_then(|executable| executable.canonicalize());
    if let Some(directory) = executable.ok().as_deref().and_then(Path::parent) {
        directories.extend(beside_executable(directory));
    }
    if let Some(own) = own_directories() {
        directories.push(own.data_dir().join("plugins"));
    }
    if cfg!(unix) {
        directories.push(PathBuf::from("/usr/local/lib/sessionql"));
        directories.push(PathBuf::from("/usr/lib/sessionql"));
    }
    directories
}

/// The word that makes this program run a plugin for another process of it.
pub(crate) const PLUGIN_HOST: &str = "plugin-host";

/// Returns what isolated plugins are run in: this program.
pub(crate) fn plugin_host() -> Option<HostCommand> {
    let program = std::env::current_exe().ok()?;
    Some(HostCommand { program, arguments: vec![PLUGIN_HOST.into()] })
}

/// Returns the directories in which the source of this program may lie: the working directory, that
/// of the executable, and those above them.
pub(crate) fn source_directories() -> Vec<PathBuf> {
    let executable = std::env::current_exe().and_then(|executable| executable.canonicalize());
    let near = [std::env::current_dir().ok(), executable.ok()];
    near.iter().flatten().flat_map(|path| path.ancestors()).map(Path::to_owned).collect()
}

/// Returns where plugins are relative to the executable. Cargo puts the latest build into `deps`
/// and runs tests from there, so `deps` comes first.
fn beside_executable(directory: &Path) -> Vec<PathBuf> {
    let mut directories = vec![directory.join("deps"), directory.to_owned()];
    if directory.file_name().is_some_and(|name| name == "deps") {
        directories.extend(directory.parent().map(Path::to_owned));
    }
    directories
}

/// Tells whether escape sequences for colours may be written to a stream that is a terminal or not.
pub(crate) fn allows_colour(is_terminal: bool) -> bool {
    is_terminal && variable("NO_COLOR").is_none() && moves_cursor()
}

/// Tells whether a terminal may be told to move its cursor.
pub(crate) fn moves_cursor() -> bool {
    variable("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Tells whether the locale has characters beyond ASCII. One that is not set says nothing of it.
pub(crate) fn takes_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    locale.is_none_or(|locale| is_unicode(&locale))
}

/// Tells whether a locale such as `en_US.UTF-8` is one of Unicode.
fn is_unicode(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Returns how many columns the terminal on stderr has.
pub(crate) fn progress_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr())
        .map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0))
}

/// Returns how many columns and lines the terminal on stdout has; `COLUMNS` and `LINES` count more.
/// `None` if stdout is no terminal.
pub(crate) fn screen_size() -> Option<(usize, usize)> {
    let asked = |name| variable(name).and_then(|size| size.parse().ok()).filter(|size| *size > 0);
    let is_terminal = std::io::stdout().is_terminal();
    let size = is_terminal.then(|| terminal_size::terminal_size_of(std::io::stdout()))?;
    let told = size.map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
    let (width, height) = told.unwrap_or_default();
    let or = |told: usize, usual| if told > 0 { told } else { usual };
    let width = asked("COLUMNS").unwrap_or(or(width, DEFAULT_WIDTH));
    Some((width, asked("LINES").unwrap_or(or(height, DEFAULT_HEIGHT))))
}

/// Returns how wide text may be that is no table: as the screen, or as `COLUMNS` says.
pub(crate) fn text_width() -> usize {
    let asked = || variable("COLUMNS").and_then(|columns| columns.parse().ok());
    let width = screen_size().map(|(width, _)| width).or_else(asked);
    width.filter(|width| *width > 0).unwrap_or(DEFAULT_WIDTH)
}

fn own_directories() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "sessionql")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales() {
        let taken = ["en_US.UTF-8", "C.utf8", "de_DE.UTF-8@euro"];
        assert!(taken.into_iter().all(is_unicode));
        assert!(!["C", "POSIX", "de_DE.ISO-8859-1", "en_US"].into_iter().any(is_unicode));
    }

    #[test]
    fn plugins_are_looked_for_in_cargos_layout() {
        let of = |directory: &str| beside_executable(Path::new(directory));
        assert_eq!(of("/t/debug"), [PathBuf::from("/t/debug/deps"), "/t/debug".into()]);
        let deps: [PathBuf; 3] =
            ["/t/debug/deps/deps".into(), "/t/debug/deps".into(), "/t/debug".into()];
        assert_eq!(of("/t/debug/deps"), deps);
    }
}
