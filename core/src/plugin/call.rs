//! Runs one call of a plugin: builds the host table, answers the callbacks, takes the reply.
//! A callback never unwinds into the plugin; a plugin that answers out of turn is told so.

#![expect(unsafe_code, reason = "the plugin handle is one of the four places")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use bytes::Bytes;
use sessionql_plugin_abi::ffi::{self, FFI_Host, FFI_Response};
use sessionql_plugin_abi::message::{HttpRequest, ResponseHead};
use sessionql_plugin_abi::{ABI_VERSION, ErrorDocument, Reason, WireError};

/// What a scan's consumer says to the next rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More, please.
    GoOn,
    /// Enough.
    Stop,
    /// The statement was cancelled.
    Cancelled,
}

/// What the host does for one call.
pub trait Callbacks {
    /// Sends a request. Returns its head and a source of its body.
    ///
    /// # Errors
    /// What the plugin should be told.
    fn http(&mut self, request: &HttpRequest) -> Result<(ResponseHead, BodySource), WireError>;

    /// Takes rows.
    ///
    /// # Errors
    /// What is wrong with them; the plugin's call fails with it.
    fn emit(&mut self, schema: FFI_ArrowSchema, array: FFI_ArrowArray) -> Result<Flow, WireError>;

    /// Takes a line for the log.
    fn log(&mut self, level: i32, line: &str) -> Flow;
}

/// Yields a body's pieces; `None` at its end.
pub type BodySource = Box<dyn FnMut() -> std::io::Result<Option<Bytes>>>;

/// The services of a call that may not do I/O.
pub(super) struct NoServices;

impl Callbacks for NoServices {
    fn http(&mut self, _request: &HttpRequest) -> Result<(ResponseHead, BodySource), WireError> {
        Err(WireError::new(Reason::PluginError, "only a scan may send requests"))
    }

    fn emit(&mut self, _: FFI_ArrowSchema, _: FFI_ArrowArray) -> Result<Flow, WireError> {
        Err(WireError::new(Reason::PluginError, "only a scan may emit rows"))
    }

    fn log(&mut self, level: i32, line: &str) -> Flow {
        log_line(level, line);
        Flow::GoOn
    }
}

/// Writes a plugin's line to the log.
pub(crate) fn log_line(level: i32, line: &str) {
    const ERROR: i32 = ffi::Level::Error as i32;
    const WARN: i32 = ffi::Level::Warn as i32;
    const INFO: i32 = ffi::Level::Info as i32;
    let line = crate::display::escape_controls(line);
    match level {
        ERROR => tracing::error!(target: "plugin", "{line}"),
        WARN => tracing::warn!(target: "plugin", "{line}"),
        INFO => tracing::info!(target: "plugin", "{line}"),
        _ => tracing::debug!(target: "plugin", "{line}"),
    };
}

/// What a call ended with.
#[derive(Debug)]
pub(super) struct Reply {
    /// The document, if one was given. Of a call that was stopped, only if it ended well.
    pub(super) document: Option<Vec<u8>>,
    /// Whether the plugin was told to stop, or that the statement was cancelled.
    pub(super) was_stopped: bool,
}

/// The state behind `ctx`.
struct Call<'a> {
    callbacks: &'a mut dyn Callbacks,
    document: Option<Vec<u8>>,
    n_replies: usize,
    was_stopped: bool,
    /// The first thing that the host itself refused in this call; it decides the call's outcome.
    refused: Option<WireError>,
    bodies: HashMap<u64, BodySource>,
    n_bodies: u64,
    /// What the last callback handed out; valid until the next one.
    lent: Bytes,
}

/// Calls a plugin's function with a host table whose callbacks are `callbacks`.
///
/// # Errors
/// What the plugin's error document or a refused callback says, or what was wrong with its answer.
pub(super) fn run(
    callbacks: &mut dyn Callbacks,
    function: impl FnOnce(*const FFI_Host) -> i32,
) -> Result<Reply, WireError> {
    let mut call = Call {
        callbacks,
        document: None,
        n_replies: 0,
        was_stopped: false,
        refused: None,
        bodies: HashMap::new(),
        n_bodies: 0,
        lent: Bytes::new(),
    };
    let host = FFI_Host {
        abi_version: ABI_VERSION,
        struct_size: u32::try_from(size_of::<FFI_Host>()).expect("the table is small"),
        ctx: (&raw mut call).cast::<c_void>(),
        reply: Some(reply),
        http: Some(http),
        read: Some(read),
        emit: Some(emit),
        log: Some(log),
    };
    let code = function(&raw const host);
    if let Some(error) = call.refused {
        return Err(error);
    }
    if call.n_replies > 1 {
        return Err(broken(format!("the plugin replied {} times to one call", call.n_replies)));
    }
    let reply = Reply { document: call.document, was_stopped: call.was_stopped };
    match code {
        ffi::OK => Ok(reply),
        ffi::CANCELLED if !reply.was_stopped => {
            Err(broken("the plugin ended a call that nobody cancelled".to_owned()))
        }
        _ if reply.was_stopped => Ok(Reply { document: None, ..reply }),
        ffi::ERROR => Err(read_error(&reply)),
        other => Err(broken(format!("the plugin returned the unknown code {other}"))),
    }
}

/// Reads the document of a reply.
///
/// # Errors
/// `plugin_error` if there is none or it is not what the call replies with.
pub(super) fn document<T: serde::de::DeserializeOwned>(
    function: &str,
    reply: &Reply,
) -> Result<T, WireError> {
    let Some(bytes) = &reply.document else {
        return Err(broken(format!("`{function}` gave no reply")));
    };
    serde_json::from_slice(bytes)
        .map_err(|error| broken(format!("the reply of `{function}` cannot be read: {error}")))
}

fn read_error(reply: &Reply) -> WireError {
    let document: Result<ErrorDocument, WireError> = document("the failed call", reply);
    match document {
        Err(error) => error,
        Ok(document) => {
            let mut errors = document.errors.into_iter();
            let Some(mut first) = errors.next() else {
                return broken("the plugin failed without saying why".to_owned());
            };
            for error in errors {
                first.message = format!("{}; {}", first.message, error.message);
                first.panicked |= error.panicked;
            }
            first.message = crate::display::escape_controls(&first.message);
            first
        }
    }
}

fn broken(message: String) -> WireError {
    WireError::new(Reason::PluginError, message)
}

/// Runs a callback's body; a panic becomes a refusal.
fn guarded(ctx: *mut c_void, body: impl FnOnce(&mut Call<'_>) -> i32) -> i32 {
    // SAFETY: `ctx` is the pointer to the `Call` that `run` keeps alive for this call, and the
    // header allows callbacks only on that thread, so nothing else refers to it.
    let Some(call) = (unsafe { ctx.cast::<Call<'_>>().as_mut() }) else { return ffi::ERROR };
    match catch_unwind(AssertUnwindSafe(|| body(call))) {
        Ok(code) => code,
        Err(_) => {
            let error =
                WireError::new(Reason::Other, "internal error: a callback of the host failed");
            call.refused.get_or_insert(error);
            ffi::ERROR
        }
    }
}

/// Returns the bytes that a plugin passed.
fn bytes_of<'a>(bytes: *const u8, len: usize) -> &'a [u8] {
    if bytes.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: the header asks for `len` readable bytes during the callback.
    unsafe { std::slice::from_raw_parts(bytes, len) }
}

unsafe extern "C" fn reply(ctx: *mut c_void, bytes: *const u8, len: usize) {
    guarded(ctx, |call| {
        call.n_replies += 1;
        call.document = Some(bytes_of(bytes, len).to_vec());
        ffi::OK
    });
}

unsafe extern "C" fn http(
    ctx: *mut c_void,
    request: *const u8,
    len: usize,
    response: *mut FFI_Response,
) -> i32 {
    guarded(ctx, |call| {
        let request: Result<HttpRequest, _> = serde_json::from_slice(bytes_of(request, len));
        let answer = match request {
            Ok(request) => call.callbacks.http(&request),
            Err(error) => Err(broken(format!("the plugin's request cannot be read: {error}"))),
        };
        let (code, head, body) = match answer {
            Ok((head, source)) => {
                call.n_bodies += 1;
                call.bodies.insert(call.n_bodies, source);
                (ffi::OK, serde_json::to_vec(&head), call.n_bodies)
            }
            Err(error) => {
                let is_cancelled = error.code == Reason::Cancelled;
                call.was_stopped |= is_cancelled;
                let code = if is_cancelled { ffi::CANCELLED } else { ffi::ERROR };
                (code, serde_json::to_vec(&ErrorDocument::from(error)), 0)
            }
        };
        call.lent = head.unwrap_or_default().into();
        let answer = FFI_Response { head: call.lent.as_ptr(), head_len: call.lent.len(), body };
        if !response.is_null() {
            // SAFETY: the header asks for a writable response during the callback.
            unsafe { response.write(answer) };
        }
        code
    })
}

unsafe extern "C" fn read(
    ctx: *mut c_void,
    body: u64,
    bytes: *mut *const u8,
    len: *mut usize,
) -> i32 {
    guarded(ctx, |call| {
        let piece = match call.bodies.get_mut(&body) {
            None => Ok(None),
            Some(source) => source(),
        };
        let code = match piece {
            Ok(Some(piece)) => {
                call.lent = piece;
                ffi::OK
            }
            Ok(None) => {
                call.bodies.remove(&body);
                call.lent = Bytes::new();
                ffi::OK
            }
            Err(error) => {
                let message = format!("a body that was put aside cannot be read: {error}");
                call.refused.get_or_insert(WireError::new(Reason::Other, message));
                call.lent = Bytes::new();
                ffi::ERROR
            }
        };
        if !bytes.is_null() {
            // SAFETY: the header asks for a writable pointer during the callback.
            unsafe { bytes.write(call.lent.as_ptr()) };
        }
        if !len.is_null() {
            // SAFETY: as above.
            unsafe { len.write(call.lent.len()) };
        }
        code
    })
}

unsafe extern "C" fn emit(ctx: *mut c_void, schema: *mut c_void, array: *mut c_void) -> i32 {
    guarded(ctx, |call| {
        if schema.is_null() || array.is_null() {
            call.refused.get_or_insert(broken("the plugin emitted no batch".to_owned()));
            return ffi::ERROR;
        }
        // SAFETY: the header asks for a valid ArrowSchema, which is moved out and marked released.
        let schema = unsafe { FFI_ArrowSchema::from_raw(schema.cast()) };
        // SAFETY: the header asks for a valid ArrowArray, which is moved out and marked released.
        let array = unsafe { FFI_ArrowArray::from_raw(array.cast()) };
        match call.callbacks.emit(schema, array) {
            Ok(Flow::GoOn) => ffi::GO_ON,
            Ok(Flow::Stop) => {
                call.was_stopped = true;
                ffi::STOP
            }
            Ok(Flow::Cancelled) => {
                call.was_stopped = true;
                ffi::CANCELLED
            }
            Err(error) => {
                call.refused.get_or_insert(error);
                ffi::ERROR
            }
        }
    })
}

unsafe extern "C" fn log(ctx: *mut c_void, level: i32, bytes: *const u8, len: usize) -> i32 {
    guarded(ctx, |call| {
        let line = String::from_utf8_lossy(bytes_of(bytes, len));
        match call.callbacks.log(level, &line) {
            Flow::GoOn => ffi::OK,
            Flow::Stop | Flow::Cancelled => {
                call.was_stopped = true;
                ffi::CANCELLED
            }
        }
    })
}

/// Imports rows that crossed the wall.
///
/// # Errors
/// What is wrong with them.
pub(super) fn import_struct(
    array: FFI_ArrowArray,
    schema: &FFI_ArrowSchema,
) -> Result<arrow::array::ArrayData, String> {
    let imported = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the header asks for structures that follow the Arrow C data interface; what can
        // be checked is checked by `import` before and after.
        unsafe { arrow::ffi::from_ffi(array, schema) }
    }));
    match imported {
        Ok(Ok(data)) => Ok(data),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not follow the Arrow C data interface".to_owned()),
    }
}

/// Rows after the wall, with the schema that was asked for.
pub(super) type Imported = Result<RecordBatch, WireError>;
