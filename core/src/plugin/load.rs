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
    pub fn load(name: &str, file: &Path) -> Result<Arc<Self>, Error> {
        Self::try_load(name, file).map_err(|fault| Error::Plugin {
            plugin: name.to_owned(),
            message: format!("plugin `{name}` ({}) {}", file.display(), fault.message),
            hint: fault.hint,
        })
    }

    /// Does the same, and tells what is wrong with the file without naming it.
    pub(super) fn try_load(name: &str, file: &Path) -> Result<Arc<Self>, LoadFault> {
        let table = open(file)?;
        let abi_version = table.abi_version;
        let fault = |message: String| LoadFault {
            abi_version: Some(abi_version),
            ..LoadFault::new(message)
        };
        if abi_version != ABI_VERSION {
            let message = format!("speaks ABI {abi_version}, this build speaks ABI {ABI_VERSION}");
            return Err(fault(message).with_hint(
                "rebuild the plugin for this version, or use the `sessionql` it was built for",
            ));
        }
        if (table.struct_size as usize) < size_of::<FFI_Plugin>() {
            return Err(fault("has too small a table".to_owned()));
        }
        let Some(describe) = table.describe else {
            return Err(fault("has no `describe`".to_owned()));
        };
        if table.connect.is_none() || table.plan.is_none() || table.scan.is_none() {
            return Err(fault("lacks one of its functions".to_owned()));
        }
        let reply = call::run(&mut NoServices, |host| {
            // SAFETY: `host` is valid for the call, as the header asks.
            unsafe { describe(host) }
        });
        let manifest: Manifest = reply
            .and_then(|reply| call::document("describe", &reply))
            .and_then(|manifest| manifest::check(name, manifest))
            .map_err(|error| fault(format!("cannot be used: {}", error.message)))?;
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

/// Why a file cannot be used as a plugin; the message is the rest of a sentence about it.
#[derive(Debug)]
pub(super) struct LoadFault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The version that it speaks, if it came to saying so.
    pub(super) abi_version: Option<u32>,
}

impl LoadFault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, abi_version: None }
    }

    fn with_hint(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }
}

/// Opens a library and returns its table, in which nothing but the version may be relied on.
#[expect(clippy::disallowed_methods, reason = "this is the one place that opens libraries")]
fn open(file: &Path) -> Result<&'static FFI_Plugin, LoadFault> {
    // SAFETY: loading runs the library's initialisers. The user chose the file, and `locate`
    // refused files that others could have written.
    let library = unsafe { libloading::Library::new(file) }
        .map_err(|error| LoadFault::new(format!("cannot be loaded: {error}")))?;
    // The library stays for ever (invariant 7 of ARCHITECTURE.md).
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    // SAFETY: the header gives this symbol this type.
    let entry = unsafe { library.get::<EntryFunction>(ENTRY_SYMBOL) }.map_err(|_| {
        LoadFault::new("exports no `sessionql_plugin_v1`").with_hint("is it a SessionQL plugin?")
    })?;
    // SAFETY: the header asks for a function without arguments that does not unwind.
    let table = unsafe { entry() };
    // SAFETY: the header promises a static table; a null one is caught here.
    unsafe { table.as_ref() }.ok_or_else(|| LoadFault::new("returned no table"))
}

/// A plugin's own pointer to one of its connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawConnection(pub(super) *mut c_void);

// SAFETY: the header asks that a connection may be used from any thread, concurrently.
unsafe impl Send for RawConnection {}
// SAFETY: as above.
unsafe impl Sync for RawConnection {}
