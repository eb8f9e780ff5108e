//! The plugin's side of the wall: turns a [`Provider`] into the table of C functions.
//! In: pointers and documents from the host. Out: return codes, one reply per call, Arrow arrays.
//! Called by the host only. No panic leaves it; after one, the plugin answers nothing but that.
//!
//! [`Documents`] is the layer between: the five calls with documents as bytes and without pointers.
//! Every [`Provider`] has it; a plugin that must say something else on the wire implements it itself.

#![expect(unsafe_code, reason = "the exporter is one of the four places")]

mod callbacks;
mod functions;
mod guard;
pub(crate) mod loopback;
mod symbol;

use std::sync::OnceLock;

use sessionql_plugin_abi::ffi::FFI_Plugin;
use sessionql_plugin_abi::message::{Request, ScanRequest};
use sessionql_plugin_abi::{ABI_VERSION, ErrorDocument};

pub(crate) use callbacks::Callbacks;
pub use symbol::{Entry, register};

use crate::error::Error;
use crate::host::Host;
use crate::provider::{Options, Provider};

/// Makes a [`Provider`] the plugin of this library.
///
/// Expands to `sessionql_plugin_v1`, the function that the host finds in the library and that a
/// program with the plugin linked in calls as `my_plugin::sessionql_plugin_v1`. Any number of
/// plugins can be linked into one program. Call it once, at the top of the crate.
#[macro_export]
macro_rules! export_provider {
    ($provider:ty) => {
        impl $crate::export::Exported for $provider {
            fn state() -> &'static $crate::export::State {
                static STATE: $crate::export::State = $crate::export::State::new();
                &STATE
            }
        }

        /// Returns the table of this plugin's functions, the same on every call.
        pub extern "C" fn sessionql_plugin_v1() -> *const $crate::ffi::FFI_Plugin {
            $crate::export::table::<$provider>()
        }

        #[allow(unsafe_code)]
        const _: () = {
            extern "C" fn register() {
                $crate::export::register(sessionql_plugin_v1);
            }

            // Runs when the library is loaded, so that the symbol in the SDK finds this plugin.
            #[used]
            #[cfg_attr(
                not(any(target_vendor = "apple", windows)),
                unsafe(link_section = ".init_array")
            )]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
            #[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
            static REGISTER: extern "C" fn() = register;
        };
    };
}

/// How a call ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Well, with its document; none is allowed only after the host said stop.
    Done(Option<Vec<u8>>),
    /// With an error document.
    Failed(ErrorDocument),
    /// Because the host asked for it.
    Cancelled,
}

impl Answer {
    /// Returns the answer that a document makes.
    pub fn document(document: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(document) {
            Ok(bytes) => Self::Done(Some(bytes)),
            Err(error) => Error::plugin(format!("the reply cannot be written: {error}")).into(),
        }
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        match error {
            Error::Stopped => Self::Done(None),
            Error::Cancelled => Self::Cancelled,
            Error::Failed(document) => Self::Failed(document),
        }
    }
}

/// The calls of a plugin with documents as bytes: what [`Provider`] is without its types.
pub trait Documents: Send + Sync + Sized + 'static {
    /// Returns the ABI version that the table names.
    fn abi_version() -> u32 {
        ABI_VERSION
    }

    /// Answers with the manifest.
    fn describe() -> Answer;

    /// Opens a connection. Returns it with the answer of the call, or why there is none.
    ///
    /// # Errors
    /// The bad options.
    fn connect(options: &[u8]) -> Result<(Self, Answer), ErrorDocument>;

    /// Answers a request with a plan.
    fn plan(&self, request: &[u8]) -> Answer;

    /// Emits the rows of a slice and answers with a report.
    fn scan(&self, host: &Host<'_>, slice: &[u8]) -> Answer;
}

impl<P: Provider> Documents for P {
    fn describe() -> Answer {
        Answer::document(&P::manifest())
    }

    fn connect(options: &[u8]) -> Result<(Self, Answer), ErrorDocument> {
        let provider = <P as Provider>::connect(&Options::parse(options)?)?;
        let connected = Answer::document(&provider.connected());
        Ok((provider, connected))
    }

    fn plan(&self, request: &[u8]) -> Answer {
        let plan = read::<Request>("request", request)
            .and_then(|request| Ok(Provider::plan(self, &request)?));
        match plan {
            Ok(plan) => Answer::document(&plan),
            Err(error) => error.into(),
        }
    }

    fn scan(&self, host: &Host<'_>, slice: &[u8]) -> Answer {
        let report =
            read::<ScanRequest>("slice", slice).and_then(|scan| Provider::scan(self, host, &scan));
        match report {
            Ok(report) => Answer::document(&report),
            // Rows that are shown may be wrong, however few of them are wanted.
            Err(error @ (Error::Stopped | Error::Cancelled)) => match host.told() {
                Some(report) => Answer::document(&report),
                None => error.into(),
            },
            Err(error) => error.into(),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(what: &str, document: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(document)
        .map_err(|error| Error::plugin(format!("the host's {what} cannot be read: {error}")))
}

/// What [`export_provider!`] adds to a provider.
pub trait Exported: Documents {
    /// Returns what the exporter keeps of this plugin.
    fn state() -> &'static State;
}

/// What the exporter keeps of one plugin.
#[derive(Debug)]
pub struct State {
    table: OnceLock<FFI_Plugin>,
    /// The message of the first panic.
    panic: OnceLock<String>,
}

impl State {
    /// Returns the state of a plugin that was not called yet.
    pub const fn new() -> Self {
        Self { table: OnceLock::new(), panic: OnceLock::new() }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the table of a plugin's functions.
pub fn table<E: Exported>() -> &'static FFI_Plugin {
    E::state().table.get_or_init(|| FFI_Plugin {
        abi_version: E::abi_version(),
        struct_size: functions::size_of_table::<FFI_Plugin>(),
        describe: Some(functions::describe::<E>),
        connect: Some(functions::connect::<E>),
        plan: Some(functions::plan::<E>),
        scan: Some(functions::scan::<E>),
        disconnect: Some(functions::disconnect::<E>),
    })
}
