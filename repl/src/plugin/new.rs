//! Begins a plugin: what `sessionql plugin new` does.
//! In: a name, and where the SDK is. Out: a Rust project that builds as it is, from templates in
//! this program. A directory that is there is never written to.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sessionql_core::config::{RESERVED_NAMES, is_name};

use crate::cli::PluginNewArguments;
use crate::environment;
use crate::exit::Exit;
use crate::usage::Refusal;

/// The package that a plugin is written with.
const SDK: &str = "sessionql-plugin-sdk";

/// Where that package is in the source of this program.
const SDK_IN_SOURCE: &str = "plugins/sdk";

/// Names whose crates are those that a plugin is made of.
const TAKEN: [&str; 2] = ["plugin_sdk", "plugin_abi"];

/// The files of a project and what is in them, with places to fill between `@`.
const TEMPLATES: [(&str, &str); 8] = [
    (".gitignore", include_str!("new/template/gitignore.in")),
    ("Cargo.toml", include_str!("new/template/Cargo.toml.in")),
    ("README.md", include_str!("new/template/README.md.in")),
    ("examples/mock_api.rs", include_str!("new/template/mock_api.rs.in")),
    ("mock/api.rs", include_str!("new/template/api.rs.in")),
    ("sessionql.toml", include_str!("new/template/sessionql.toml.in")),
    ("src/lib.rs", include_str!("new/template/lib.rs.in")),
    ("tests/sessions.rs", include_str!("new/template/sessions.rs.in")),
];

/// Makes the project and says where.
///
/// # Errors
/// If the name cannot be one, the directory is there, or the SDK is not.
pub(super) fn run(new: &PluginNewArguments) -> Result<Exit, Refusal> {
    let name = &new.name;
    check_name(name)?;
    let sdk = find_sdk(new.sdk.as_deref())?;
    let directory = new.directory.clone().unwrap_or_else(|| PathBuf::from(name));
    let failed = |error: io::Error| Refusal::new(format!("`{}`: {error}", directory.display()));
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match fs::create_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Refusal::new(format!("`{}` is there already", directory.display()))
                .with_hint(format!("name another: `sessionql plugin new {name} DIR`")));
        }
        made => made.map_err(failed)?,
    }
    if let Err(error) = fill(&directory, name, &sdk) {
        // It is ours, and half of a project is none.
        let _left_behind = fs::remove_dir_all(&directory);
        return Err(failed(error));
    }
    // Who closes the pipe does not want to know.
    let _written = writeln!(io::stdout(), "{}", directory.display());
    Ok(Exit::Success)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if !is_name(name) {
        return Err(Refusal::new(format!("`{name}` cannot be the name of a plugin"))
            .with_hint("names are lower-case letters, digits and `_`, and begin with no digit"));
    }
    if RESERVED_NAMES.contains(&name) || TAKEN.contains(&name) {
        return Err(Refusal::new(format!("`{name}` is the name of something else")));
    }
    Ok(())
}

/// Returns the directory of the SDK: the one that is named, else that of the source in which this
/// runs or was built.
fn find_sdk(named: Option<&Path>) -> Result<PathBuf, Refusal> {
    let whole = |directory: PathBuf| directory.canonicalize().ok().filter(|place| is_sdk(place));
    if let Some(named) = named {
        return whole(named.to_owned()).ok_or_else(|| {
            Refusal::new(format!("`{}` is not the directory of `{SDK}`", named.display()))
                .of_option("--sdk")
        });
    }
    let mut places = environment::source_directories().into_iter();
    places.find_map(|place| whole(place.join(SDK_IN_SOURCE))).ok_or_else(|| {
        Refusal::new(format!("`{SDK}` is not found")).with_hint(format!(
            "give `--sdk` the directory `{SDK_IN_SOURCE}` of SessionQL's source"
        ))
    })
}

fn is_sdk(directory: &Path) -> bool {
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
    let manifest: toml::Table = manifest.parse().unwrap_or_default();
    let package = manifest.get("package").and_then(|package| package.get("name"));
    package.and_then(toml::Value::as_str) == Some(SDK)
}

/// Writes the files into a directory that is empty.
fn fill(directory: &Path, name: &str, sdk: &Path) -> io::Result<()> {
    let sdk_path = sdk.to_str().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path of the SDK is not UTF-8")
    })?;
    for (file, template) in TEMPLATES {
        let text = template
            .replace("@name@", name)
            .replace("@NAME@", &name.to_uppercase())
            .replace("\"@sdk@\"", &toml::Value::from(sdk_path).to_string());
        let file = directory.join(file);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, text)?;
    }
    // Cargo takes from it what it needs; elsewhere it would look for the newest versions.
    let lock = sdk.join("../../Cargo.lock");
    if lock.is_file() {
        fs::copy(lock, directory.join("Cargo.lock"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_connections_can_have() {
        for name in ["doors", "vpn_2", "_a"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "Doors", "2doors", "my-vpn", "../x", "sessions", "_", "plugin_sdk"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn all_places_of_the_templates_are_filled() {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path(), "doors", Path::new("/a \"b\"/sdk")).unwrap();
        for (file, _) in TEMPLATES {
            let text = fs::read_to_string(directory.path().join(file)).unwrap();
            assert!(!text.contains('@'), "{file}: {text}");
        }
        let manifest = fs::read_to_string(directory.path().join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let path = &manifest["dependencies"]["sessionql-plugin-sdk"]["path"];
        assert_eq!(path.as_str(), Some("/a \"b\"/sdk"));
    }
}
