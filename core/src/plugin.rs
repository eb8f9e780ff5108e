//! The host's side of the wall: finds a library, loads it, calls it.
//! `locate` says where a plugin's file is, `load` makes a [`ManagedPlugin`] of it, `call` runs its
//! five functions with the host's callbacks, `library` lists what there is, `connection` is one opened connection, `import`
//! checks the rows. Nothing above this module sees a pointer.

mod call;
mod connection;
mod import;
mod library;
mod load;
mod locate;
mod manifest;

pub(crate) use call::log_line;
pub use call::{BodySource, Callbacks, Flow};

pub use connection::{ManagedConnection, ScanEnd};
pub use library::{Library, LibraryState};
pub use load::ManagedPlugin;
pub use locate::{PluginPath, file_name, plugin_name};
/// What a plugin and the host tell each other.
pub use sessionql_plugin_abi::message;
