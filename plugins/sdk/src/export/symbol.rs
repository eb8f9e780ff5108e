//! The one exported symbol. It lives here, once, and not in the plugin crates: a program may link
//! several of those, and then their symbols would clash. Each plugin registers itself on loading.

use std::sync::OnceLock;

use sessionql_plugin_abi::ffi::FFI_Plugin;

/// The type of a plugin's own `sessionql_plugin_v1`.
pub type Entry = extern "C" fn() -> *const FFI_Plugin;

static ENTRY: OnceLock<Entry> = OnceLock::new();

/// Makes a plugin the one that this library exports; the first call wins.
/// Runs before `main`, hence does nothing else.
pub fn register(entry: Entry) {
    ENTRY.get_or_init(|| entry);
}

/// Answers the host; NULL in a library that exports no provider.
// SAFETY: the name is the one that the header gives to this function, with this signature.
#[unsafe(no_mangle)]
extern "C" fn sessionql_plugin_v1() -> *const FFI_Plugin {
    ENTRY.get().map_or(std::ptr::null(), |entry| entry())
}
