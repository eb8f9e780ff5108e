//! The five C functions of a plugin, for any [`Exported`] type.
//! Each checks its pointers, runs the plugin guarded against panics, and gives exactly one reply.

use std::ffi::c_void;

use sessionql_plugin_abi::ffi::{self, FFI_Host};
use sessionql_plugin_abi::{ErrorDocument, Reason, WireError};

use super::callbacks::{Callbacks, copy};
use super::{Answer, Exported, State, guard};
use crate::error::Error;
use crate::host::Host;

/// Returns the size of a table as both sides write it into `struct_size`.
pub(super) const fn size_of_table<T>() -> u32 {
    size_of::<T>() as u32
}

pub(super) unsafe extern "C" fn describe<E: Exported>(host: *const FFI_Host) -> i32 {
    // SAFETY: the header promises a valid host table for the call.
    let Some(callbacks) = (unsafe { Callbacks::new(host) }) else { return ffi::ERROR };
    finish(&callbacks, guarded(E::state(), E::describe))
}

pub(super) unsafe extern "C" fn connect<E: Exported>(
    host: *const FFI_Host,
    options: *const u8,
    len: usize,
    connection: *mut *mut c_void,
) -> i32 {
    // SAFETY: the header promises a valid host table for the call.
    let Some(callbacks) = (unsafe { Callbacks::new(host) }) else { return ffi::ERROR };
    if connection.is_null() {
        return finish(&callbacks, missing("a place for the connection"));
    }
    // SAFETY: the header promises readable options.
    let options = unsafe { copy(options, len) };
    let mut opened = None;
    let answer = guarded(E::state(), || match E::connect(&options) {
        Ok((provider, answer)) => {
            opened = Some(provider);
            answer
        }
        Err(document) => Answer::Failed(document),
    });
    if let (Answer::Done(_), Some(provider)) = (&answer, opened) {
        let handle = Box::into_raw(Box::new(provider)).cast::<c_void>();
        // SAFETY: not null, and the header promises that it is writable.
        unsafe { connection.write(handle) };
    }
    finish(&callbacks, answer)
}

pub(super) unsafe extern "C" fn plan<E: Exported>(
    connection: *mut c_void,
    host: *const FFI_Host,
    request: *const u8,
    len: usize,
) -> i32 {
    // SAFETY: the header promises a valid host table for the call.
    let Some(callbacks) = (unsafe { Callbacks::new(host) }) else { return ffi::ERROR };
    // SAFETY: the header promises a handle of `connect` that is not disconnected yet.
    let Some(provider) = (unsafe { connection.cast::<E>().as_ref() }) else {
        return finish(&callbacks, missing("the connection"));
    };
    // SAFETY: the header promises a readable document.
    let request = unsafe { copy(request, len) };
    finish(&callbacks, guarded(E::state(), || provider.plan(&request)))
}

pub(super) unsafe extern "C" fn scan<E: Exported>(
    connection: *mut c_void,
    host: *const FFI_Host,
    slice: *const u8,
    len: usize,
) -> i32 {
    // SAFETY: the header promises a valid host table for the call.
    let Some(callbacks) = (unsafe { Callbacks::new(host) }) else { return ffi::ERROR };
    // SAFETY: the header promises a handle of `connect` that is not disconnected yet.
    let Some(provider) = (unsafe { connection.cast::<E>().as_ref() }) else {
        return finish(&callbacks, missing("the connection"));
    };
    // SAFETY: the header promises a readable document.
    let slice = unsafe { copy(slice, len) };
    let answer = guarded(E::state(), || provider.scan(&Host::new(&callbacks), &slice));
    finish(&callbacks, answer)
}

pub(super) unsafe extern "C" fn disconnect<E: Exported>(
    connection: *mut c_void,
    _host: *const FFI_Host,
) {
    if connection.is_null() {
        return;
    }
    // SAFETY: a handle of `connect`, given back once and when no other call uses it.
    let provider = unsafe { Box::from_raw(connection.cast::<E>()) };
    if let Err(message) = guard::inside(|| drop(provider)) {
        E::state().panic.get_or_init(|| message);
    }
}

/// Runs the plugin, unless it panicked before; a panic becomes an error and is remembered.
fn guarded(state: &State, body: impl FnOnce() -> Answer) -> Answer {
    if let Some(message) = state.panic.get() {
        return panicked(format!("the plugin panicked earlier: {message}"));
    }
    guard::inside(body).unwrap_or_else(|message| {
        state.panic.get_or_init(|| message.clone());
        panicked(format!("the plugin panicked: {message}"))
    })
}

fn panicked(message: String) -> Answer {
    let error = WireError { panicked: true, ..WireError::new(Reason::PluginError, message) };
    Answer::Failed(error.into())
}

fn missing(what: &str) -> Answer {
    Error::plugin(format!("the host passed NULL for {what}")).into()
}

/// Replies and returns the code of the call.
fn finish(callbacks: &Callbacks<'_>, answer: Answer) -> i32 {
    match answer {
        Answer::Done(document) => {
            if let Some(document) = document {
                callbacks.reply(&document);
            }
            ffi::OK
        }
        Answer::Failed(document) => {
            callbacks.reply(&error_bytes(&document));
            ffi::ERROR
        }
        Answer::Cancelled => ffi::CANCELLED,
    }
}

fn error_bytes(document: &ErrorDocument) -> Vec<u8> {
    let unwritable =
        br#"{"errors":[{"code":"plugin_error","message":"an error cannot be written"}]}"#;
    serde_json::to_vec(document).unwrap_or_else(|_| unwritable.to_vec())
}
