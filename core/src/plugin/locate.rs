//! Finds the file of a plugin by its name, in a list of directories, and refuses one that
//! somebody else could have written.

use std::path::{Path, PathBuf};

use crate::error::{Error, nearest};

/// The directories in which plugins are looked for, first one first.
#[derive(Debug, Clone, Default)]
pub struct PluginPath {
    /// The directories; those that do not exist are skipped.
    pub directories: Vec<PathBuf>,
}

const PREFIX: &str = if cfg!(windows) { "sessionql_" } else { "libsessionql_" };
const SUFFIX: &str = std::env::consts::DLL_SUFFIX;

/// What a file must be like to be trusted.
pub(super) const OWNER_HINT: &str = "a plugin and its directory must belong to you or to root";

impl PluginPath {
    /// Returns the file of the plugin `name`.
    ///
    /// # Errors
    /// [`Error::Plugin`] if no directory has it, or if it could have been written by somebody else.
    pub fn find(&self, name: &str) -> Result<PathBuf, Error> {
        let file_name = file_name(name);
        for directory in &self.directories {
            let file = directory.join(&file_name);
            if let Ok(file) = file.canonicalize() {
                return match check_owner(&file) {
                    Ok(()) => Ok(file),
                    Err(why) => Err(Error::Plugin {
                        plugin: name.to_owned(),
                        message: format!("plugin `{name}` is refused: {why}"),
                        hint: Some(OWNER_HINT.to_owned()),
                    }),
                };
            }
        }
        let known = self.names();
        let near = nearest(name, known.iter().map(String::as_str));
        let hint = crate::error::did_you_mean(&near).unwrap_or_else(|| {
            let places: Vec<String> =
                self.directories.iter().map(|place| format!("`{}`", place.display())).collect();
            if places.is_empty() {
                "name its directory with `--plugin-dir`".to_owned()
            } else {
                format!("looked for `{file_name}` in {}", places.join(", "))
            }
        });
        let message = format!("plugin `{name}` is not found");
        Err(Error::Plugin { plugin: name.to_owned(), message, hint: Some(hint) })
    }

    /// Returns the names of all plugins in the directories, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.files().into_iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns every file of the directories that is named as a plugin, with the plugin's name:
    /// in the order in which they are looked for, those of one directory by name.
    pub(super) fn files(&self) -> Vec<(String, PathBuf)> {
        let mut files = Vec::new();
        for directory in &self.directories {
            let Ok(entries) = std::fs::read_dir(directory) else { continue };
            let mut named: Vec<(String, PathBuf)> = entries
                .filter_map(Result::ok)
                .filter_map(|entry| Some((plugin_name(&entry.path())?, entry.path())))
                .collect();
            named.sort();
            files.append(&mut named);
        }
        files
    }
}

/// Returns the name of the plugin that a file with this name holds; `None` if no plugin's file is
/// named so.
pub fn plugin_name(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    crate::config::is_name(name).then(|| name.to_owned())
}

/// Returns the name of the file of a plugin.
pub fn file_name(plugin: &str) -> String {
    format!("{PREFIX}{plugin}{SUFFIX}")
}

/// Refuses a file that, or whose directory, belongs to another user or is writable by everyone, or
/// that everyone can put another file in the place of, and says why.
#[cfg(unix)]
pub(super) fn check_owner(file: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let refused = |path: &Path, why: &str| format!("`{}` {why}", path.display());
    // The process's own files have its effective user; this needs no system call of our own.
    let own_uid = std::fs::metadata("/proc/self").map(|metadata| metadata.uid()).ok();
    for path in [Some(file), file.parent()].into_iter().flatten() {
        let metadata = std::fs::metadata(path)
            .map_err(|error| refused(path, &format!("cannot be looked at: {error}")))?;
        if metadata.mode() & 0o002 != 0 {
            return Err(refused(path, "is writable by everyone"));
        }
        let owner = metadata.uid();
        if owner != 0 && own_uid.is_some_and(|uid| uid != owner) {
            return Err(refused(path, "belongs to another user"));
        }
    }
    // Who can write a directory above can put another one in the place of the plugin's, unless its
    // sticky bit is set, as that of `/tmp` is.
    for path in file.ancestors().skip(2) {
        let metadata = std::fs::metadata(path)
            .map_err(|error| refused(path, &format!("cannot be looked at: {error}")))?;
        if metadata.mode() & 0o1002 == 0o002 {
            return Err(refused(path, "is writable by everyone"));
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn check_owner(_file: &Path) -> Result<(), String> {
    Ok(())
}
