//! The wall between SessionQL and its plugins.
//! [`ffi`] mirrors `include/sessionql_plugin.h`, the normative text, field by field.
//! [`message`] holds the JSON documents that cross the wall, as serde types.
//! [`error`] holds the closed list of reasons that gaps and errors share.
//! Used by the host (`sessionql-core`) and by the SDK; it does no I/O and decides nothing.

pub mod error;
pub mod ffi;
pub mod message;

pub use error::{ErrorDocument, Reason, WireError};

/// The version of the interface that this crate describes.
pub const ABI_VERSION: u32 = 1;

/// The one symbol a plugin library exports, with its terminating NUL.
pub const ENTRY_SYMBOL: &[u8] = b"sessionql_plugin_v1\0";

/// The header that plugin authors in C and other languages compile against.
pub const HEADER: &str = include_str!("../include/sessionql_plugin.h");
