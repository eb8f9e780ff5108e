//! The `#[repr(C)]` mirror of `include/sessionql_plugin.h`.
//! The header is normative: ownership, threads and lifetimes are written there.
//! A test of this crate holds the field order of both against each other.

use std::ffi::c_void;

/// The call succeeded; `reply` was called once with its document.
pub const OK: i32 = 0;
/// The call failed; `reply` was called once with an error document.
pub const ERROR: i32 = 1;
/// The host asked to stop and the call stopped.
pub const CANCELLED: i32 = 2;

/// `emit` answers: go on.
pub const GO_ON: i32 = 0;
/// `emit` answers: the consumer has enough. Unlike [`ERROR`], so that the two cannot be confused.
pub const STOP: i32 = 3;

/// The answer to one HTTP request.
#[repr(C)]
#[derive(Debug)]
pub struct FFI_Response {
    /// A [`crate::message::ResponseHead`] on 0, an [`crate::ErrorDocument`] on 1.
    pub head: *const u8,
    /// Length of `head` in bytes.
    pub head_len: usize,
    /// Handle for `read`; 0 means no body.
    pub body: u64,
}

/// What the host offers to one call.
#[repr(C)]
#[derive(Debug)]
pub struct FFI_Host {
    /// The host's ABI version.
    pub abi_version: u32,
    /// Size of this struct in bytes as the host knows it.
    pub struct_size: u32,
    /// Passed to every callback.
    pub ctx: *mut c_void,
    /// Takes the one document of the call.
    pub reply: Option<unsafe extern "C" fn(ctx: *mut c_void, bytes: *const u8, len: usize)>,
    /// Sends one declared request.
    pub http: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            request: *const u8,
            len: usize,
            response: *mut FFI_Response,
        ) -> i32,
    >,
    /// Hands out the next piece of a body.
    pub read: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            body: u64,
            bytes: *mut *const u8,
            len: *mut usize,
        ) -> i32,
    >,
    /// Takes one batch of rows: `struct ArrowSchema *`, `struct ArrowArray *`.
    pub emit: Option<
        unsafe extern "C" fn(ctx: *mut c_void, schema: *mut c_void, array: *mut c_void) -> i32,
    >,
    /// Takes one line for the log.
    pub log: Option<
        unsafe extern "C" fn(ctx: *mut c_void, level: i32, bytes: *const u8, len: usize) -> i32,
    >,
}

/// What a plugin offers: the static table that `sessionql_plugin_v1` returns.
/// It holds numbers and functions only, hence any thread may read it.
#[repr(C)]
#[derive(Debug)]
pub struct FFI_Plugin {
    /// The ABI version that the plugin was built for.
    pub abi_version: u32,
    /// Size of this struct in bytes as the plugin knows it.
    pub struct_size: u32,
    /// Replies with the manifest.
    pub describe: Option<unsafe extern "C" fn(host: *const FFI_Host) -> i32>,
    /// Opens a connection from options; replies with what differs from the manifest.
    pub connect: Option<
        unsafe extern "C" fn(
            host: *const FFI_Host,
            options: *const u8,
            len: usize,
            connection: *mut *mut c_void,
        ) -> i32,
    >,
    /// Replies with a plan for a request. Pure.
    pub plan: Option<CallFunction>,
    /// Emits the rows of one slice and replies with a report.
    pub scan: Option<CallFunction>,
    /// Closes a connection.
    pub disconnect: Option<unsafe extern "C" fn(connection: *mut c_void, host: *const FFI_Host)>,
}

/// The shape of `plan` and `scan`.
pub type CallFunction = unsafe extern "C" fn(
    connection: *mut c_void,
    host: *const FFI_Host,
    document: *const u8,
    len: usize,
) -> i32;

/// The type of the exported symbol.
pub type EntryFunction = unsafe extern "C" fn() -> *const FFI_Plugin;

/// Log levels, in the order of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something is off but the call goes on.
    Warn = 2,
    /// Something a user may want to know.
    Info = 3,
    /// Something an author wants to know.
    Debug = 4,
    /// Everything.
    Trace = 5,
}
