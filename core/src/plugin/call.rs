//! Calls the functions of a library in this process: builds the host table, and turns the plugin's
//! callbacks into those of an [`Exchange`]. A callback never unwinds into the plugin; a plugin that
//! answers out of turn is told so.

#![expect(unsafe_code, reason = "the plugin handle is one of the four places")]

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use bytes::Bytes;
use sessionql_plugin_abi::ffi::{self, FFI_Host, FFI_Plugin, FFI_Response};
use sessionql_plugin_abi::{ABI_VERSION, Reason, WireError};

use super::exchange::{Exchange, broken};
use super::import;

/// The functions of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Describe,
    Connect,
    Plan,
    Scan,
    Disconnect,
}

impl Function {
    /// All of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Describe, Self::Connect, Self::Plan, Self::Scan, Self::Disconnect];

    /// Returns its name in the header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Connect => "connect",
            Self::Plan => "plan",
            Self::Scan => "scan",
            Self::Disconnect => "disconnect",
        }
    }
}

/// A plugin's own pointer to one of its connections; null before `connect` has set it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawConnection(*mut c_void);

// SAFETY: the header asks that a connection may be used from any thread, concurrently.
unsafe impl Send for RawConnection {}
// SAFETY: as above.
unsafe impl Sync for RawConnection {}

impl RawConnection {
    /// Returns the pointer of a connection that is not open.
    pub(super) fn none() -> Self {
        Self(null_mut())
    }
}

/// The functions of a library in this process: a table that was checked, and lives for ever.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table(&'static FFI_Plugin);

impl Table {
    /// Returns the functions of a table; `None` if its size does not cover them all, or one that
    /// must be there is not.
    pub(super) fn new(table: &'static FFI_Plugin) -> Option<Self> {
        let FFI_Plugin { describe, connect, plan, scan, .. } = table;
        let is_whole = describe.is_some() && connect.is_some() && plan.is_some() && scan.is_some();
        is_whole.then_some(Self(table))
    }

    /// Calls a function, and returns its code. `connection` is written by `connect` and read by what
    /// comes after it. Blocks until the function returns.
    ///
    /// # Errors
    /// `plugin_error` if it has no such function.
    pub(super) fn call(
        self,
        function: Function,
        connection: &mut RawConnection,
        document: &[u8],
        exchange: &mut Exchange<'_>,
    ) -> Result<i32, WireError> {
        let host = FFI_Host {
            abi_version: ABI_VERSION,
            struct_size: u32::try_from(size_of::<FFI_Host>()).expect("the table is small"),
            ctx: (&raw mut *exchange).cast::<c_void>(),
            reply: Some(reply),
            http: Some(http),
            read: Some(read),
            emit: Some(emit),
            log: Some(log),
        };
        let (host, bytes, len) = (&raw const host, document.as_ptr(), document.len());
        let table = self.0;
        let code = match function {
            // SAFETY: `host` is valid for the call, as the header asks.
            Function::Describe => table.describe.map(|describe| unsafe { describe(host) }),
            Function::Connect => table.connect.map(|connect| {
                // SAFETY: all pointers are valid for the call, as the header asks.
                unsafe { connect(host, bytes, len, &raw mut connection.0) }
            }),
            Function::Plan => table.plan.map(|plan| {
                // SAFETY: the pointer is what `connect` gave, and all are valid for the call.
                unsafe { plan(connection.0, host, bytes, len) }
            }),
            Function::Scan => table.scan.map(|scan| {
                // SAFETY: the pointer is what `connect` gave, and all are valid for the call.
                unsafe { scan(connection.0, host, bytes, len) }
            }),
            Function::Disconnect => {
                if let Some(disconnect) = table.disconnect {
                    // SAFETY: no other call runs on a connection that is being closed.
                    unsafe { disconnect(connection.0, host) };
                }
                Some(ffi::OK)
            }
        };
        let missing = || WireError::new(Reason::PluginError, "the plugin lacks a function");
        code.ok_or_else(missing)
    }
}

/// Runs a callback's body; a panic becomes a refusal.
fn guarded(ctx: *mut c_void, body: impl FnOnce(&mut Exchange<'_>) -> i32) -> i32 {
    // SAFETY: `ctx` is the pointer to the exchange that `call` borrows for this call, and the header
    // allows callbacks only on that thread, so nothing else refers to it.
    let Some(exchange) = (unsafe { ctx.cast::<Exchange<'_>>().as_mut() }) else {
        return ffi::ERROR;
    };
    exchange.guarded(body)
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
    guarded(ctx, |exchange| {
        exchange.reply(bytes_of(bytes, len).to_vec());
        ffi::OK
    });
}

unsafe extern "C" fn http(
    ctx: *mut c_void,
    request: *const u8,
    len: usize,
    response: *mut FFI_Response,
) -> i32 {
    guarded(ctx, |exchange| {
        let answered = exchange.http(bytes_of(request, len));
        let head = exchange.lend(answered.head.into());
        let answer =
            FFI_Response { head: head.as_ptr(), head_len: head.len(), body: answered.body };
        if !response.is_null() {
            // SAFETY: the header asks for a writable response during the callback.
            unsafe { response.write(answer) };
        }
        answered.code
    })
}

unsafe extern "C" fn read(
    ctx: *mut c_void,
    body: u64,
    bytes: *mut *const u8,
    len: *mut usize,
) -> i32 {
    guarded(ctx, |exchange| {
        let piece = exchange.read(body);
        let code = if piece.is_some() { ffi::OK } else { ffi::ERROR };
        let lent = exchange.lend(piece.unwrap_or_else(Bytes::new));
        if !bytes.is_null() {
            // SAFETY: the header asks for a writable pointer during the callback.
            unsafe { bytes.write(lent.as_ptr()) };
        }
        if !len.is_null() {
            // SAFETY: as above.
            unsafe { len.write(lent.len()) };
        }
        code
    })
}

unsafe extern "C" fn emit(ctx: *mut c_void, schema: *mut c_void, array: *mut c_void) -> i32 {
    guarded(ctx, |exchange| {
        if schema.is_null() || array.is_null() {
            exchange.refuse(broken("the plugin emitted no batch".to_owned()));
            return ffi::ERROR;
        }
        // SAFETY: the header asks for a valid ArrowSchema, which is moved out and marked released.
        let schema = unsafe { FFI_ArrowSchema::from_raw(schema.cast()) };
        // SAFETY: the header asks for a valid ArrowArray, which is moved out and marked released.
        let array = unsafe { FFI_ArrowArray::from_raw(array.cast()) };
        let rows = match exchange.schema() {
            Some(expected) => import::import(&schema, array, &expected),
            None => Err(broken("only a scan may emit rows".to_owned())),
        };
        exchange.emit(rows)
    })
}

unsafe extern "C" fn log(ctx: *mut c_void, level: i32, bytes: *const u8, len: usize) -> i32 {
    guarded(ctx, |exchange| {
        let line = String::from_utf8_lossy(bytes_of(bytes, len));
        exchange.log(level, &line)
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
