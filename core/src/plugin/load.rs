//! Opens a library, checks its version and reads its manifest.
//! A library is never unloaded: rows that came from it may release their memory at any time.

#![expect(unsafe_code, reason = "loading a library is one of the four places")]

use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sessionql_plugin_abi::ffi::{EntryFunction, FFI_Plugin};
use sessionql_plugin_abi::message::Manifest;
use sessionql_plugin_abi::{ABI_VERSION, ENTRY_SYMBOL, Reason, WireError};

use super::call::{self, NoServices};
use super::manifest;
use crate::error::Error;

/// A loaded plugin.
#[derive(Debug)]
pub struct ManagedPlugin {
    /// The name it was asked for by.
    pub name: String,
    /// The file it came from.
    pub file: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    table: &'static FFI_Plugin,
    is_poisoned: AtomicBool,
}

impl ManagedPlugin {
    /// Loads the plugin `name` from a file and asks it for its manifest.
    ///
    /// # Errors
    /// [`Error::Plugin`] if the file is no library, exports no plugin, speaks another version, or
    /// describes itself wrongly.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that opens libraries")]
    pub fn load(name: &str, file: &Path) -> Result<Arc<Self>, Error> {
        let refused = |message: String, hint: Option<&str>| Error::Plugin {
            plugin: name.to_owned(),
            message: format!("plugin `{name}` ({}) {message}", file.display()),
            hint: hint.map(str::to_owned),
        };
        // SAFETY: loading runs the library's initialisers. The user chose the file, and `locate`
        // refused files that others could have written.
        let library = unsafe { libloading::Library::new(file) }
            .map_err(|error| refused(format!("cannot be loaded: {error}"), None))?;
        // The library stays for ever (invariant 7 of ARCHITECTURE.md).
        let library: &'static libloading::Library = Box::leak(Box::new(library));
        // SAFETY: the header gives this symbol this type.
        let entry = unsafe { library.get::<EntryFunction>(ENTRY_SYMBOL) }.map_err(|_| {
            refused(
                "exports no `sessionql_plugin_v1`".to_owned(),
                Some("is it a SessionQL plugin?"),
            )
        })?;
        // SAFETY: the header asks for a function without arguments that does not unwind.
        let table = unsafe { entry() };
        // SAFETY: the header promises a static table; a null one is caught here.
        let table: &'static FFI_Plugin = unsafe { table.as_ref() }
            .ok_or_else(|| refused("returned no table".to_owned(), None))?;
        if table.abi_version != ABI_VERSION {
            let theirs = table.abi_version;
            return Err(refused(
                format!("speaks ABI {theirs}, this build speaks ABI {ABI_VERSION}"),
                Some(
                    "rebuild the plugin for this version, or use the `sessionql` it was built for",
                ),
            ));
        }
        if (table.struct_size as usize) < size_of::<FFI_Plugin>() {
            return Err(refused("has too small a table".to_owned(), None));
        }
        let Some(describe) = table.describe else {
            return Err(refused("has no `describe`".to_owned(), None));
        };
        if table.connect.is_none() || table.plan.is_none() || table.scan.is_none() {
            return Err(refused("lacks one of its functions".to_owned(), None));
        }
        let reply = call::run(&mut NoServices, |host| {
            // SAFETY: `host` is valid for the call, as the header asks.
            unsafe { describe(host) }
        });
        let manifest: Manifest = reply
            .and_then(|reply| call::document("describe", &reply))
            .and_then(|manifest| manifest::check(name, manifest))
            .map_err(|error| refused(format!("cannot be used: {}", error.message), None))?;
        let is_poisoned = AtomicBool::new(false);
        let file = file.to_owned();
        Ok(Arc::new(Self { name: name.to_owned(), file, manifest, table, is_poisoned }))
    }

    /// Returns the plugin's functions, unless it panicked before.
    pub(super) fn table(&self) -> Result<&'static FFI_Plugin, WireError> {
        if self.is_poisoned.load(Ordering::Relaxed) {
            let message =
                format!("plugin `{}` panicked earlier and is not called again", self.name);
            return Err(WireError::new(Reason::PluginError, message)
                .with_hint("start the program anew; and tell the plugin's author"));
        }
        Ok(self.table)
    }

    /// Remembers a panic that an answer speaks of.
    pub(super) fn note_panic<T>(&self, result: Result<T, WireError>) -> Result<T, WireError> {
        if result.as_ref().is_err_and(|error| error.panicked) {
            self.is_poisoned.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// A plugin's own pointer to one of its connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawConnection(pub(super) *mut c_void);

// SAFETY: the header asks that a connection may be used from any thread, concurrently.
unsafe impl Send for RawConnection {}
// SAFETY: as above.
unsafe impl Sync for RawConnection {}
