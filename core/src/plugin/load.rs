//! Opens a library, checks its version and reads its manifest.
//! A library is never unloaded: rows that came from it may release their memory at any time.

#![expect(unsafe_code, reason = "loading a library is one of the four places")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use sessionql_plugin_abi::ffi::{EntryFunction, FFI_Plugin};
use sessionql_plugin_abi::message::Manifest;
use sessionql_plugin_abi::{ABI_VERSION, ENTRY_SYMBOL, Reason, WireError};

use super::call::{Function, RawConnection, Table};
use super::exchange::{self, Callbacks, Exchange, NoServices, Reply};
#[cfg(unix)]
use super::isolated::Isolated;
use super::isolation::Isolation;
use super::manifest;
use super::underway::Underway;
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
    side: Side,
    is_poisoned: AtomicBool,
    underway: Underway,
}

/// Where a library runs.
#[derive(Debug)]
enum Side {
    /// In this process.
    Here(Table),
    /// In a child, which holds one connection at most.
    #[cfg(unix)]
    Apart(Box<Isolated>),
}

impl ManagedPlugin {
    /// Loads the plugin `name` from a file and asks it for its manifest.
    ///
    /// # Errors
    /// [`Error::Plugin`] if the file is no library, exports no plugin, speaks another version, or
    /// describes itself wrongly.
    pub fn load(name: &str, file: &Path, underway: &Underway) -> Result<Arc<Self>, Error> {
        Self::try_load(name, file, underway).map_err(|fault| fault.error(name, file))
    }

    /// Does the same, and tells what is wrong with the file without naming it.
    pub(super) fn try_load(
        name: &str,
        file: &Path,
        underway: &Underway,
    ) -> Result<Arc<Self>, LoadFault> {
        Self::describe(name, file, Side::Here(open_checked(file)?), underway)
    }

    /// Loads the plugin `name` from a file in a child, for one connection.
    ///
    /// # Errors
    /// As [`ManagedPlugin::load`], and if no child can be started.
    #[cfg(unix)]
    pub(crate) fn load_apart(
        name: &str,
        file: &Path,
        isolation: Isolation,
        underway: &Underway,
    ) -> Result<Arc<Self>, Error> {
        let isolated = Isolated::new(name, file.to_owned(), isolation);
        let started = isolated.start();
        started
            .and_then(|()| Self::describe(name, file, Side::Apart(Box::new(isolated)), underway))
            .map_err(|fault| fault.error(name, file))
    }

    /// Does not, for there is no way to on this system.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(unix))]
    pub(crate) fn load_apart(
        name: &str,
        file: &Path,
        _isolation: Isolation,
        _underway: &Underway,
    ) -> Result<Arc<Self>, Error> {
        let fault = LoadFault::new("cannot be isolated on this system");
        Err(fault.with_hint("take `isolation` out of its connection").error(name, file))
    }

    fn describe(
        name: &str,
        file: &Path,
        side: Side,
        underway: &Underway,
    ) -> Result<Arc<Self>, LoadFault> {
        let mut plugin = Self {
            name: name.to_owned(),
            file: file.to_owned(),
            manifest: Manifest::default(),
            side,
            is_poisoned: AtomicBool::new(false),
            underway: underway.clone(),
        };
        let mut none = RawConnection::none();
        plugin.manifest = plugin
            .call(Function::Describe, &mut none, &[], &mut NoServices)
            .and_then(|reply| exchange::document("describe", &reply))
            .and_then(|manifest| manifest::check(name, manifest))
            .map_err(|error| LoadFault {
                abi_version: Some(ABI_VERSION),
                hint: error.hint,
                ..LoadFault::new(format!("cannot be used: {}", error.message))
            })?;
        Ok(Arc::new(plugin))
    }

    /// Calls a function, unless the plugin panicked before.
    ///
    /// # Errors
    /// What the plugin or a callback says, or that the plugin broke the contract or its process.
    pub(super) fn call(
        &self,
        function: Function,
        connection: &mut RawConnection,
        document: &[u8],
        callbacks: &mut dyn Callbacks,
    ) -> Result<Reply, WireError> {
        if self.is_poisoned.load(Ordering::Relaxed) {
            let message =
                format!("plugin `{}` panicked earlier and is not called again", self.name);
            return Err(WireError::new(Reason::PluginError, message)
                .with_hint("start the program anew; and tell the plugin's author"));
        }
        let mut exchange = Exchange::watched(callbacks, self.underway.begin(&self.name, function));
        let code = match &self.side {
            Side::Here(table) => table.call(function, connection, document, &mut exchange),
            #[cfg(unix)]
            Side::Apart(isolated) => isolated.call(function, document, &mut exchange),
        };
        let reply = code.and_then(|code| exchange.finish(code));
        if reply.as_ref().is_err_and(|error| error.panicked) {
            match &self.side {
                Side::Here(_) => self.is_poisoned.store(true, Ordering::Relaxed),
                #[cfg(unix)]
                Side::Apart(isolated) => isolated.end_after_panic(),
            }
        }
        reply
    }

    /// Tells whether the plugin runs in this process.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.side, Side::Here(_))
    }

    /// Takes these values out of what a child prints.
    pub(super) fn keep_secret(&self, secrets: Vec<String>) {
        match &self.side {
            Side::Here(_) => drop(secrets),
            #[cfg(unix)]
            Side::Apart(isolated) => isolated.keep_secret(secrets),
        }
    }
}

/// Why a file cannot be used as a plugin; the message is the rest of a sentence about it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LoadFault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The version that it speaks, if it came to saying so.
    pub(super) abi_version: Option<u32>,
}

impl LoadFault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, abi_version: None }
    }

    pub(super) fn with_hint(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }

    fn error(self, name: &str, file: &Path) -> Error {
        Error::Plugin {
            plugin: name.to_owned(),
            message: format!("plugin `{name}` ({}) {}", file.display(), self.message),
            hint: self.hint,
        }
    }
}

/// Opens a library and returns its functions, if it speaks this version.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn open_checked(file: &Path) -> Result<Table, LoadFault> {
    let table = open(file)?;
    let abi_version = table.abi_version;
    let fault =
        |message: &str| LoadFault { abi_version: Some(abi_version), ..LoadFault::new(message) };
    if abi_version != ABI_VERSION {
        let message = format!("speaks ABI {abi_version}, this build speaks ABI {ABI_VERSION}");
        return Err(fault(&message).with_hint(
            "rebuild the plugin for this version, or use the `sessionql` it was built for",
        ));
    }
    if (table.struct_size as usize) < size_of::<FFI_Plugin>() {
        return Err(fault("has too small a table"));
    }
    Table::new(table).ok_or_else(|| fault("lacks one of its functions"))
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

/// Opens a library for who checks its table: nothing in that but the version may be relied on.
///
/// # Errors
/// [`Error::Plugin`] if the file is no library or exports no plugin.
pub fn open_table(name: &str, file: &Path) -> Result<&'static FFI_Plugin, Error> {
    open(file).map_err(|fault| fault.error(name, file))
}
