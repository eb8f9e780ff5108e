//! The host's callbacks as safe functions.
//! Valid for one call and on its thread, which the lifetime and the raw `ctx` see to.

use std::ptr;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use arrow_array::{Array as _, RecordBatch, StructArray};
use sessionql_plugin_abi::ffi::{self, FFI_Host, FFI_Response, Level};

use super::functions::size_of_table;
use super::guard::outside;

/// The host's side of one call.
#[derive(Debug)]
pub(crate) struct Callbacks<'call> {
    table: &'call FFI_Host,
}

impl<'call> Callbacks<'call> {
    /// Returns `None` if the table is missing or shorter than version 1.
    ///
    /// # Safety
    /// `host` is null or a host table that stays valid for `'call`.
    pub(super) unsafe fn new(host: *const FFI_Host) -> Option<Self> {
        if host.is_null() {
            return None;
        }
        // SAFETY: not null, and every host table begins with its version and size. (header: Versions)
        let size = unsafe { (*host).struct_size };
        if size < size_of_table::<FFI_Host>() {
            return None;
        }
        // SAFETY: the caller promises validity, and the size covers all fields of version 1.
        Some(Self { table: unsafe { &*host } })
    }

    /// Hands in the call's document.
    pub(super) fn reply(&self, document: &[u8]) {
        let Some(reply) = self.table.reply else { return };
        // SAFETY: `ctx` is that of this call, on its thread; the host copies the document.
        outside(|| unsafe { reply(self.table.ctx, document.as_ptr(), document.len()) });
    }

    /// Sends a request. Returns the code, a copy of the head, and the body's handle.
    pub(crate) fn http(&self, request: &[u8]) -> (i32, Vec<u8>, u64) {
        let mut response = FFI_Response { head: ptr::null(), head_len: 0, body: 0 };
        let Some(http) = self.table.http else { return (ffi::ERROR, Vec::new(), 0) };
        let out = &raw mut response;
        // SAFETY: `ctx` is that of this call, on its thread; `out` is writable.
        let code =
            outside(|| unsafe { http(self.table.ctx, request.as_ptr(), request.len(), out) });
        // SAFETY: the host lends the head until the next callback; it is copied here.
        let head = unsafe { copy(response.head, response.head_len) };
        (code, head, response.body)
    }

    /// Appends the next piece of a body. Returns the code and the number of bytes.
    pub(crate) fn read(&self, body: u64, bytes: &mut Vec<u8>) -> (i32, usize) {
        let (mut piece, mut len) = (ptr::null(), 0);
        let Some(read) = self.table.read else { return (ffi::ERROR, 0) };
        let (piece_out, len_out) = (&raw mut piece, &raw mut len);
        // SAFETY: `ctx` is that of this call, on its thread; both pointers are writable.
        let code = outside(|| unsafe { read(self.table.ctx, body, piece_out, len_out) });
        if code != ffi::OK || piece.is_null() || len == 0 {
            return (code, 0);
        }
        // SAFETY: the host lends the piece until the next callback; it is copied here.
        bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(piece, len) });
        (code, len)
    }

    /// Hands over a batch. Returns the code.
    pub(crate) fn emit(&self, batch: RecordBatch) -> i32 {
        let Some(emit) = self.table.emit else { return ffi::ERROR };
        let data = StructArray::from(batch).into_data();
        let Ok((mut array, mut schema)) = to_ffi(&data) else { return ffi::ERROR };
        let (schema, array) = (&raw mut schema, &raw mut array);
        outside(|| self.emit_raw(emit, schema, array))
    }

    fn emit_raw(
        &self,
        emit: unsafe extern "C" fn(
            *mut std::ffi::c_void,
            *mut std::ffi::c_void,
            *mut std::ffi::c_void,
        ) -> i32,
        schema: *mut FFI_ArrowSchema,
        array: *mut FFI_ArrowArray,
    ) -> i32 {
        // SAFETY: `ctx` is that of this call, on its thread. The host takes both structures and
        // marks them released, after which dropping them does nothing.
        unsafe { emit(self.table.ctx, schema.cast(), array.cast()) }
    }

    /// Writes a line to the log. Returns the code.
    pub(crate) fn log(&self, level: Level, line: &str) -> i32 {
        let Some(log) = self.table.log else { return ffi::OK };
        // SAFETY: `ctx` is that of this call, on its thread; the host copies the line.
        outside(|| unsafe { log(self.table.ctx, level as i32, line.as_ptr(), line.len()) })
    }
}

/// Returns a copy of bytes that the host lends.
///
/// # Safety
/// `bytes` is null or readable for `len` bytes.
pub(super) unsafe fn copy(bytes: *const u8, len: usize) -> Vec<u8> {
    if bytes.is_null() || len == 0 {
        return Vec::new();
    }
    // SAFETY: the caller promises it.
    unsafe { std::slice::from_raw_parts(bytes, len) }.to_vec()
}
