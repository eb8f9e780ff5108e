//! Plugins that break what the SDK does for every provider: tables of the honest one with a function
//! of their own.

#![expect(unsafe_code, reason = "a plugin that goes wrong below the SDK is written without it")]

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::OnceLock;

use sessionql_plugin_sdk::ffi::{self, CallFunction, FFI_Host, FFI_Plugin, FFI_Response};

use super::guilty::changed::honest;

fn honest_table() -> &'static FFI_Plugin {
    // SAFETY: the table is static.
    unsafe { honest::sessionql_plugin_v1().as_ref() }.unwrap()
}

fn table(abi_version: u32, plan: CallFunction, scan: CallFunction) -> FFI_Plugin {
    let FFI_Plugin { struct_size, describe, connect, disconnect, .. } = *honest_table();
    let (plan, scan) = (Some(plan), Some(scan));
    FFI_Plugin { abi_version, struct_size, describe, connect, plan, scan, disconnect }
}

pub(crate) extern "C" fn another_version() -> *const FFI_Plugin {
    static TABLE: OnceLock<FFI_Plugin> = OnceLock::new();
    TABLE.get_or_init(|| table(2, honest_table().plan.unwrap(), honest_table().scan.unwrap()))
}

/// Sends a request in `plan`.
pub(crate) extern "C" fn nosy() -> *const FFI_Plugin {
    static TABLE: OnceLock<FFI_Plugin> = OnceLock::new();
    TABLE.get_or_init(|| table(1, nosy_plan, honest_table().scan.unwrap()))
}

/// Emits arrays that stay unreleased, as far as they say.
pub(crate) extern "C" fn unmarked() -> *const FFI_Plugin {
    static TABLE: OnceLock<FFI_Plugin> = OnceLock::new();
    TABLE.get_or_init(|| table(1, honest_table().plan.unwrap(), unmarked_scan))
}

unsafe extern "C" fn nosy_plan(
    connection: *mut c_void,
    host: *const FFI_Host,
    document: *const u8,
    len: usize,
) -> i32 {
    let request = br#"{"method": "GET", "path": "/sessions"}"#;
    let mut response = FFI_Response { head: std::ptr::null(), head_len: 0, body: 0 };
    // SAFETY: the host's table is valid for the call.
    let host_table = unsafe { host.as_ref() }.unwrap();
    let (ctx, http) = (host_table.ctx, host_table.http.unwrap());
    // SAFETY: as above; the response is writable.
    unsafe { http(ctx, request.as_ptr(), request.len(), &raw mut response) };
    // SAFETY: these are the arguments of this call.
    unsafe { (honest_table().plan.unwrap())(connection, host, document, len) }
}

type Emit = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void) -> i32;

thread_local! {
    /// The host's own `emit` during a scan on this thread.
    static EMIT: Cell<Option<Emit>> = const { Cell::new(None) };
}

unsafe extern "C" fn unmarked_scan(
    connection: *mut c_void,
    host: *const FFI_Host,
    document: *const u8,
    len: usize,
) -> i32 {
    // SAFETY: the host's table is valid for the call.
    let FFI_Host { abi_version, struct_size, ctx, reply, http, read, emit, log } =
        unsafe { host.read() };
    EMIT.set(emit);
    let between = FFI_Host {
        abi_version,
        struct_size,
        ctx,
        reply,
        http,
        read,
        emit: Some(unmarked_emit),
        log,
    };
    // SAFETY: these are the arguments of this call, with a table that outlives it.
    unsafe { (honest_table().scan.unwrap())(connection, &raw const between, document, len) }
}

/// The end of `struct ArrowArray`, behind five numbers and three pointers.
#[repr(C)]
struct Array {
    before: [usize; 8],
    release: Option<unsafe extern "C" fn(*mut Self)>,
    private_data: *mut c_void,
}

/// What the array had there before.
struct Taken(unsafe extern "C" fn(*mut Array), *mut c_void);

unsafe extern "C" fn unmarked_emit(
    ctx: *mut c_void,
    schema: *mut c_void,
    array: *mut c_void,
) -> i32 {
    // SAFETY: the SDK passes a valid array.
    let found = unsafe { array.cast::<Array>().as_mut() }.unwrap();
    let taken = Taken(found.release.unwrap(), found.private_data);
    found.private_data = Box::into_raw(Box::new(taken)).cast();
    found.release = Some(release_unmarked);
    let Some(emit) = EMIT.get() else { return ffi::ERROR };
    // SAFETY: the host's own callback, with its own `ctx`.
    unsafe { emit(ctx, schema, array) }
}

unsafe extern "C" fn release_unmarked(array: *mut Array) {
    // SAFETY: whoever releases an array passes it.
    let found = unsafe { array.as_mut() }.unwrap();
    // SAFETY: `unmarked_emit` put it there, and it is released once.
    let taken = unsafe { Box::from_raw(found.private_data.cast::<Taken>()) };
    found.private_data = taken.1;
    found.release = Some(taken.0);
    // SAFETY: the SDK's own callback on its own array.
    unsafe { (taken.0)(array) };
    // SAFETY: the structure is the caller's.
    unsafe { (*array).release = Some(release_unmarked) };
}
