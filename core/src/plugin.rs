//! The host's side of the wall: finds a library, loads it, calls it.
//! `locate` says where a plugin's file is, `load` makes a [`ManagedPlugin`] of it, `call` runs its
//! five functions with the host's callbacks, `connection` is one opened connection, `import`
//! checks the rows. Nothing above this module sees a pointer.

mod call;
mod connection;
mod import;
mod load;
mod locate;
mod manifest;

pub(crate) use call::log_line;
pub use call::{BodySource, Callbacks, Flow};

pub use connection::{ManagedConnection, ScanEnd};
pub use load::ManagedPlugin;
pub use locate::PluginPath;
