//! The host's side of the wall: finds a library, loads it, calls it.
//! `locate` says where a plugin's file is, `load` makes a [`ManagedPlugin`] of it, `call` runs the
//! five functions of a library in this process and `isolated` those of one in a child; either way
//! an `exchange` is what the two sides say to each other. `library` lists what there is,
//! `connection` is one opened connection, `import` checks the rows, `underway` knows who is waited
//! for. Nothing above this module sees a pointer.

mod call;
mod connection;
mod exchange;
mod import;
#[cfg(unix)]
mod isolated;
mod isolation;
mod library;
mod load;
mod locate;
mod manifest;
mod underway;

pub use connection::{ManagedConnection, ScanEnd};
pub(crate) use exchange::log_line;
pub use exchange::{BodySource, Callbacks, Flow};
#[cfg(unix)]
pub use isolated::serve;
pub use isolation::HostCommand;
pub(crate) use isolation::Isolation;
pub use library::{Library, LibraryState};
pub use load::{ManagedPlugin, open_table};
pub use locate::{PluginPath, file_name, plugin_name};
/// What a plugin and the host tell each other.
pub use sessionql_plugin_abi::message;
pub use underway::{SilentPlugin, Underway};
