//! Lists the libraries that the search path holds, used or not, and says of each whether it would
//! do. In: the search path. Out: a [`Library`] for every file that is named as a plugin.
//! A library is loaded to be looked at, so only one that `find` would hand out, trust check
//! included, is; loading runs its initialisers, and one that ends the process ends this process.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ring::digest;
use sessionql_plugin_abi::ABI_VERSION;
use sessionql_plugin_abi::message::Io;

use super::load::ManagedPlugin;
use super::locate::{OWNER_HINT, PluginPath, check_owner};
use super::underway::Underway;

/// A file that is named as a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The plugin's name, as the file's name gives it.
    pub name: String,
    /// The file, with links followed as far as they lead somewhere.
    pub file: PathBuf,
    /// The SHA-256 digest of the file in hexadecimal; absent if the file cannot be read.
    pub sha256: Option<String>,
    /// Whether it is the file that a connection gets.
    pub is_found: bool,
    /// Whether it would do.
    pub state: LibraryState,
}

/// Whether a library would do, and if not, why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryState {
    /// It was loaded and described itself well.
    Ok {
        /// The plugin's own version.
        version: String,
        /// The version of the interface that it speaks.
        abi_version: u32,
        /// Who does its input and output.
        io: Io,
    },
    /// It was not loaded, for others could have written it.
    Refused {
        /// Why.
        message: String,
        /// What it must be like.
        hint: String,
    },
    /// It was loaded, or tried to be, and cannot be used.
    Broken {
        /// Why.
        message: String,
        /// What to do.
        hint: Option<String>,
        /// The version of the interface that it speaks, if it told.
        abi_version: Option<u32>,
    },
    /// It was not loaded, and never is: another file of the name is found first.
    Shadowed {
        /// That file.
        by: PathBuf,
    },
}

impl PluginPath {
    /// Returns every library of the directories, sorted by name, those of one name in the order in
    /// which they are looked for. Loads those that a connection could load.
    pub fn libraries(&self) -> Vec<Library> {
        let mut first: HashMap<String, PathBuf> = HashMap::new();
        let mut libraries: Vec<Library> = Vec::new();
        for (name, entry) in self.files() {
            let Ok(file) = entry.canonicalize() else {
                // `find` passes over it, so it stands in nobody's way.
                let message = "leads to no file".to_owned();
                let state = LibraryState::Broken { message, hint: None, abi_version: None };
                let (file, sha256, is_found) = (entry, None, false);
                libraries.push(Library { name, file, sha256, is_found, state });
                continue;
            };
            let state = match first.get(&name) {
                // One directory may be named twice.
                Some(first) if *first == file => continue,
                Some(first) => LibraryState::Shadowed { by: first.clone() },
                None => look(&name, &file),
            };
            let is_found = !first.contains_key(&name);
            first.entry(name.clone()).or_insert_with(|| file.clone());
            libraries.push(Library { name, sha256: sha256(&file).ok(), file, is_found, state });
        }
        // The order among those of one name stays.
        libraries.sort_by(|a, b| a.name.cmp(&b.name));
        libraries
    }
}

/// Looks at one library, without a look into one that is not trusted.
fn look(name: &str, file: &Path) -> LibraryState {
    if let Err(message) = check_owner(file) {
        return LibraryState::Refused { message, hint: OWNER_HINT.to_owned() };
    }
    match ManagedPlugin::try_load(name, file, &Underway::default()) {
        Ok(plugin) => LibraryState::Ok {
            version: plugin.manifest.version.clone(),
            abi_version: ABI_VERSION,
            io: plugin.manifest.io,
        },
        Err(fault) => LibraryState::Broken {
            message: fault.message,
            hint: fault.hint,
            abi_version: fault.abi_version,
        },
    }
}

fn sha256(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            n_bytes => context.update(&piece[..n_bytes]),
        }
    }
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_standard() {
        // Source: FIPS 180-4, the examples published with it: the message "abc".
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(
            sha256(&file).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
