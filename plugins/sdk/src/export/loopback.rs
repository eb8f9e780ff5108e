//! The host's side of the wall for tests: calls a plugin's table and collects what it answers.
//! Hands out bodies in small pieces and overwrites what it lent, as strictly as the header allows.

mod releases;

use std::any::Any;
use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::{RecordBatch, StructArray};
use arrow_schema::DataType;
use sessionql_plugin_abi::ABI_VERSION;
use sessionql_plugin_abi::ffi::{self, EntryFunction, FFI_Host, FFI_Plugin, FFI_Response};

use super::callbacks::copy;
use super::functions::size_of_table;
pub(crate) use releases::Releases;

/// Bytes of a body that one `read` hands out: few at first, so that tests cross many borders.
const PIECE_BYTES: usize = 61;

/// How much of a body is handed out in small pieces, and the size of the pieces after that.
const LARGE_PIECE_BYTES: usize = 64 << 10;

/// What the fake host does for one call.
pub(crate) trait Services {
    /// Answers a request document with a code, a head or error document, and a body.
    fn http(&mut self, request: &[u8]) -> (i32, Vec<u8>, Vec<u8>);
    /// Takes rows, or what is wrong with a batch that is none.
    fn emit(&mut self, batch: Result<RecordBatch, String>) -> i32;
    /// Takes a line of the log.
    fn log(&mut self, level: i32, line: &str) -> i32;
    /// Returns where releases are counted, if anybody wants to know.
    fn releases(&self) -> Option<Arc<Releases>> {
        None
    }
}

/// What a call ended with.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The return code.
    pub(crate) code: i32,
    /// The replies, of which there should be at most one.
    pub(crate) replies: Vec<Vec<u8>>,
}

struct Call<'a> {
    services: &'a mut dyn Services,
    replies: Vec<Vec<u8>>,
    /// Each with how much of it was handed out.
    bodies: HashMap<u64, (Vec<u8>, usize)>,
    n_bodies: u64,
    lent: Vec<u8>,
    /// A panic of the services, carried past the plugin.
    panic: Option<Box<dyn Any + Send>>,
}

/// A plugin's table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) table: &'static FFI_Plugin,
}

/// Returns the table that an entry gives, in which nothing but the version may be relied on.
pub(crate) fn table_of(entry: EntryFunction) -> Option<&'static FFI_Plugin> {
    // SAFETY: an entry may be called at any time. (header: sessionql_plugin_v1)
    let table = unsafe { entry() };
    // SAFETY: the entry returns a table that lives as long as the process.
    unsafe { table.as_ref() }
}

impl Loaded {
    /// Returns `None` if the entry gives no table, or one without all functions.
    pub(crate) fn new(entry: EntryFunction) -> Option<Self> {
        table_of(entry).and_then(Self::of)
    }

    /// Returns `None` if the table lacks a function.
    pub(crate) fn of(table: &'static FFI_Plugin) -> Option<Self> {
        let FFI_Plugin { describe, connect, plan, scan, disconnect, .. } = table;
        let is_whole = describe.is_some() && connect.is_some() && plan.is_some() && scan.is_some();
        (is_whole && disconnect.is_some()).then_some(Self { table })
    }

    pub(crate) fn describe(self, services: &mut dyn Services) -> Ended {
        run(services, |host| match self.table.describe {
            // SAFETY: `host` is valid during the call.
            Some(describe) => unsafe { describe(host) },
            None => ffi::ERROR,
        })
    }

    pub(crate) fn connect(
        self,
        options: &[u8],
        services: &mut dyn Services,
    ) -> (Ended, Connection) {
        let mut handle = ptr::null_mut();
        let out = &raw mut handle;
        let ended = run(services, |host| match self.table.connect {
            // SAFETY: all pointers are valid during the call.
            Some(connect) => unsafe { connect(host, options.as_ptr(), options.len(), out) },
            None => ffi::ERROR,
        });
        (ended, Connection { plugin: self, handle })
    }
}

/// A handle of `connect`.
#[derive(Debug)]
pub(crate) struct Connection {
    plugin: Loaded,
    handle: *mut c_void,
}

// SAFETY: the header asks that a connection may be used from any thread, concurrently.
unsafe impl Send for Connection {}
// SAFETY: as above.
unsafe impl Sync for Connection {}

impl Connection {
    pub(crate) fn plan(&self, document: &[u8], services: &mut dyn Services) -> Ended {
        run(services, |host| match self.plugin.table.plan {
            // SAFETY: the handle is connected; all pointers are valid during the call.
            Some(plan) => unsafe { plan(self.handle, host, document.as_ptr(), document.len()) },
            None => ffi::ERROR,
        })
    }

    pub(crate) fn scan(&self, document: &[u8], services: &mut dyn Services) -> Ended {
        run(services, |host| match self.plugin.table.scan {
            // SAFETY: the handle is connected; all pointers are valid during the call.
            Some(scan) => unsafe { scan(self.handle, host, document.as_ptr(), document.len()) },
            None => ffi::ERROR,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let (false, Some(disconnect)) = (self.handle.is_null(), self.plugin.table.disconnect) {
            // SAFETY: the handle is connected, and this is the last use of it.
            unsafe { disconnect(self.handle, ptr::null()) };
        }
    }
}

fn run(services: &mut dyn Services, function: impl FnOnce(*const FFI_Host) -> i32) -> Ended {
    let mut call = Call {
        services,
        replies: Vec::new(),
        bodies: HashMap::new(),
        n_bodies: 0,
        lent: Vec::new(),
        panic: None,
    };
    let host = FFI_Host {
        abi_version: ABI_VERSION,
        struct_size: size_of_table::<FFI_Host>(),
        ctx: (&raw mut call).cast(),
        reply: Some(reply),
        http: Some(http),
        read: Some(read),
        emit: Some(emit),
        log: Some(log),
    };
    let code = function(&raw const host);
    if let Some(panic) = call.panic.take() {
        resume_unwind(panic);
    }
    Ended { code, replies: call.replies }
}

/// Runs the body of a callback; a panic in it is kept for the caller of the plugin.
fn with_call(ctx: *mut c_void, body: impl FnOnce(&mut Call<'_>) -> i32) -> i32 {
    // SAFETY: `ctx` is the `Call` of the `run` on this thread, and callbacks do not nest.
    let Some(call) = (unsafe { ctx.cast::<Call<'_>>().as_mut() }) else { return ffi::ERROR };
    call.lent.fill(b'?');
    catch_unwind(AssertUnwindSafe(|| body(call))).unwrap_or_else(|panic| {
        call.panic.get_or_insert(panic);
        ffi::CANCELLED
    })
}

unsafe extern "C" fn reply(ctx: *mut c_void, bytes: *const u8, len: usize) {
    with_call(ctx, |call| {
        // SAFETY: the plugin passes a readable document.
        call.replies.push(unsafe { copy(bytes, len) });
        ffi::OK
    });
}

unsafe extern "C" fn http(
    ctx: *mut c_void,
    request: *const u8,
    len: usize,
    response: *mut FFI_Response,
) -> i32 {
    with_call(ctx, |call| {
        // SAFETY: the plugin passes a readable request.
        let request = unsafe { copy(request, len) };
        let (code, head, body) = call.services.http(&request);
        call.lent = head;
        call.n_bodies += 1;
        call.bodies.insert(call.n_bodies, (body, 0));
        let answer = FFI_Response {
            head: call.lent.as_ptr(),
            head_len: call.lent.len(),
            body: call.n_bodies,
        };
        // SAFETY: the plugin passes a writable response.
        unsafe { response.write(answer) };
        code
    })
}

unsafe extern "C" fn read(
    ctx: *mut c_void,
    body: u64,
    bytes: *mut *const u8,
    len: *mut usize,
) -> i32 {
    with_call(ctx, |call| {
        let (whole, n_read) = call.bodies.entry(body).or_default();
        let piece = if *n_read < LARGE_PIECE_BYTES { PIECE_BYTES } else { LARGE_PIECE_BYTES };
        let end = whole.len().min(*n_read + piece);
        call.lent = whole[*n_read..end].to_vec();
        *n_read = end;
        // SAFETY: the plugin passes a writable pointer.
        unsafe { bytes.write(call.lent.as_ptr()) };
        // SAFETY: as above.
        unsafe { len.write(call.lent.len()) };
        ffi::OK
    })
}

unsafe extern "C" fn emit(ctx: *mut c_void, schema: *mut c_void, array: *mut c_void) -> i32 {
    with_call(ctx, |call| {
        if schema.is_null() || array.is_null() {
            return call.services.emit(Err("a structure of it is NULL".to_owned()));
        }
        if let Some(releases) = call.services.releases() {
            // SAFETY: the plugin passes a valid array, which nobody else uses now.
            unsafe { releases::watch(array, releases) };
        }
        // SAFETY: the plugin passes a valid schema, which is moved out and marked released.
        let schema = unsafe { FFI_ArrowSchema::from_raw(schema.cast()) };
        // SAFETY: the plugin passes a valid array, which is moved out and marked released.
        let array = unsafe { FFI_ArrowArray::from_raw(array.cast()) };
        let batch = catch_unwind(AssertUnwindSafe(|| import(array, &schema)));
        let broken = "it does not follow the Arrow C data interface".to_owned();
        call.services.emit(batch.unwrap_or(Err(broken)))
    })
}

/// Returns the rows, or what is wrong with them.
fn import(array: FFI_ArrowArray, schema: &FFI_ArrowSchema) -> Result<RecordBatch, String> {
    let found = DataType::try_from(schema).map_err(|error| format!("its schema: {error}"))?;
    if !matches!(found, DataType::Struct(_)) {
        return Err(format!("it is {found}, not a struct"));
    }
    // SAFETY: the plugin passes structures of the Arrow C data interface; what can be checked is
    // checked before and after.
    let data = unsafe { from_ffi(array, schema) }.map_err(|error| error.to_string())?;
    data.validate_full().map_err(|error| error.to_string())?;
    if data.null_count() > 0 {
        return Err("it has rows that are NULL as a whole".to_owned());
    }
    Ok(RecordBatch::from(StructArray::from(data)))
}

unsafe extern "C" fn log(ctx: *mut c_void, level: i32, bytes: *const u8, len: usize) -> i32 {
    with_call(ctx, |call| {
        // SAFETY: the plugin passes a readable line.
        let line = unsafe { copy(bytes, len) };
        call.services.log(level, &String::from_utf8_lossy(&line))
    })
}
