//! The child: loads one library and runs the calls that the host sends, each on a thread of its own.
//! In: frames. Out: frames; what the plugin asks is asked of the host. It decides nothing, and ends
//! when its channel does.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use sessionql_plugin_abi::message::{HttpRequest, ResponseHead};
use sessionql_plugin_abi::{ErrorDocument, Reason, WireError, ffi};

use super::process::{End, Start};
use super::rows;
use super::wire::{self, Frame, Kind, WireFault};
use crate::plugin::call::{Function, RawConnection, Table};
use crate::plugin::exchange::{BodySource, Callbacks, Exchange, Flow, broken};
use crate::plugin::load::{LoadFault, open_checked};

/// The stack of a call, as that of a program's first thread.
const STACK_BYTES: usize = 8 << 20;

/// What the threads of the child share.
struct Shared {
    writer: Mutex<UnixStream>,
    inboxes: Mutex<HashMap<u32, SyncSender<Frame>>>,
    table: Table,
    /// The one connection, once it is open.
    connection: Mutex<RawConnection>,
}

/// Runs the library that the host names, until the host closes the channel. `limit` is called with
/// the memory in bytes that the process may take, before the library is loaded.
///
/// # Errors
/// If the channel breaks, or what comes through it is no sense.
pub fn serve(stream: UnixStream, limit: impl FnOnce(u64) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, stream.try_clone()?);
    let mut writer = stream;
    let Some(start) = next(&mut reader)? else { return Ok(()) };
    if start.kind != Kind::Start {
        return Err(nonsense("a channel begins with a start"));
    }
    let table = match load(&start, limit) {
        Ok(table) => table,
        Err(fault) => {
            let document = serde_json::to_vec(&fault).unwrap_or_default();
            let started = Frame::new(0, Kind::Started, 1).with_document(document);
            return wire::write(&mut writer, &started, &[]);
        }
    };
    wire::write(&mut writer, &Frame::new(0, Kind::Started, 0), &[])?;
    let shared = Arc::new(Shared {
        writer: Mutex::new(writer),
        inboxes: Mutex::default(),
        table,
        connection: Mutex::new(RawConnection::none()),
    });
    while let Some(frame) = next(&mut reader)? {
        match frame.kind {
            Kind::Call => Shared::begin(&shared, frame)?,
            Kind::Answer | Kind::Piece | Kind::Flow => {
                let inboxes = shared.inboxes();
                let passed = inboxes.get(&frame.call).map(|inbox| inbox.try_send(frame));
                if !matches!(passed, Some(Ok(()))) {
                    return Err(nonsense("an answer to nothing"));
                }
            }
            _ => return Err(nonsense("a frame out of turn")),
        }
    }
    Ok(())
}

/// Returns the next frame; `None` at the channel's end.
fn next(reader: &mut BufReader<UnixStream>) -> io::Result<Option<Frame>> {
    match wire::read(reader) {
        Ok(frame) => Ok(Some(frame)),
        Err(WireFault::Closed) => Ok(None),
        Err(WireFault::Broken(error)) => Err(error),
        Err(WireFault::Nonsense(what)) => Err(nonsense(&what)),
    }
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn load(start: &Frame, limit: impl FnOnce(u64) -> io::Result<()>) -> Result<Table, LoadFault> {
    let limits: Start = serde_json::from_slice(&start.document)
        .map_err(|_| LoadFault::new("cannot be run: the child does not understand the host"))?;
    if limits.version != wire::VERSION {
        let fault = LoadFault::new("cannot be run: the child is of another version than the host");
        return Err(fault.with_hint("start the program anew"));
    }
    limit(limits.memory_limit_bytes)
        .map_err(|error| LoadFault::new(format!("cannot be held to its memory: {error}")))?;
    open_checked(Path::new(OsStr::from_bytes(&start.body)))
}

impl Shared {
    fn inboxes(&self) -> MutexGuard<'_, HashMap<u32, SyncSender<Frame>>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, frame: &Frame, body: &[u8]) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        wire::write(&mut *writer, frame, body)
    }

    /// Begins a call on a thread of its own.
    fn begin(shared: &Arc<Self>, frame: Frame) -> io::Result<()> {
        let (sender, inbox) = sync_channel(1);
        shared.inboxes().insert(frame.call, sender);
        let of_call = Arc::clone(shared);
        let _call = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let call = frame.call;
            let ran = catch_unwind(AssertUnwindSafe(|| of_call.run(frame, inbox)));
            of_call.inboxes().remove(&call);
            if !matches!(ran, Ok(Ok(()))) {
                // The host would wait for an end that does not come.
                std::process::abort();
            }
        })?;
        Ok(())
    }

    /// Runs a call to its end, and says what it came to.
    fn run(self: &Arc<Self>, frame: Frame, inbox: Receiver<Frame>) -> io::Result<()> {
        let function = usize::try_from(frame.value).ok().and_then(|idx| Function::ALL.get(idx));
        let function = *function.ok_or_else(|| nonsense("an unknown function"))?;
        let schema = match frame.body.as_slice() {
            [] => None,
            schema => Some(rows::decode_schema(schema).map_err(|error| nonsense(&error))?),
        };
        let line = Rc::new(Line { call: frame.call, shared: Arc::clone(self), inbox });
        let mut host = Host { line, schema };
        let mut exchange = Exchange::new(&mut host);
        let mut connection = *self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let code = self.table.call(function, &mut connection, &frame.document, &mut exchange);
        if function == Function::Connect {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
        }
        let code = code.unwrap_or_else(|error| {
            exchange.refuse(error);
            ffi::ERROR
        });
        let end = End { n_replies: exchange.n_replies(), refused: exchange.take_refusal() };
        let document = serde_json::to_vec(&end).map_err(io::Error::other)?;
        let ended = Frame::new(frame.call, Kind::Ended, i64::from(code)).with_document(document);
        self.inboxes().remove(&frame.call);
        let reply = exchange.document().unwrap_or_default();
        match self.write(&ended, reply) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let refused = Some(broken(format!("the reply is too long: {error}")));
                let end = End { n_replies: 1, refused };
                let document = serde_json::to_vec(&end).map_err(io::Error::other)?;
                let ended = Frame::new(frame.call, Kind::Ended, i64::from(ffi::ERROR));
                self.write(&ended.with_document(document), &[])
            }
            written => written,
        }
    }
}

/// The way from one call to the host and back.
struct Line {
    call: u32,
    shared: Arc<Shared>,
    inbox: Receiver<Frame>,
}

impl Line {
    /// Says something and waits for the answer, which is of the kind `due`.
    fn ask(&self, frame: &Frame, body: &[u8], due: Kind) -> Result<Frame, WireError> {
        let gone = |_| WireError::new(Reason::Cancelled, "the host is gone");
        self.shared.write(frame, body).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => broken(format!("the plugin said too much: {error}")),
            _ => WireError::new(Reason::Cancelled, "the host is gone"),
        })?;
        let answer = self.inbox.recv().map_err(gone)?;
        if answer.kind == due {
            Ok(answer)
        } else {
            Err(broken("an answer out of turn".to_owned()))
        }
    }

    /// Says something and returns what the consumer says to it.
    fn tell(&self, frame: &Frame, body: &[u8]) -> Result<Flow, WireError> {
        let flow = self.ask(frame, body, Kind::Flow)?;
        match i32::try_from(flow.value) {
            Ok(ffi::GO_ON) => Ok(Flow::GoOn),
            Ok(ffi::STOP) => Ok(Flow::Stop),
            Ok(ffi::CANCELLED) => Ok(Flow::Cancelled),
            _ => Err(broken("the host refused what the plugin said".to_owned())),
        }
    }
}

/// What the plugin takes for the host.
struct Host {
    line: Rc<Line>,
    schema: Option<SchemaRef>,
}

impl Callbacks for Host {
    fn schema(&self) -> Option<SchemaRef> {
        self.schema.clone()
    }

    fn http(&mut self, request: &HttpRequest) -> Result<(ResponseHead, BodySource), WireError> {
        let document = serde_json::to_vec(request)
            .map_err(|error| broken(format!("the plugin's request cannot be written: {error}")))?;
        let frame = Frame::new(self.line.call, Kind::Http, 0).with_document(document);
        let answer = self.line.ask(&frame, &[], Kind::Answer)?;
        let unreadable = |_| broken("the host's answer cannot be read".to_owned());
        let Ok(rest) = u64::try_from(answer.value) else {
            let document: ErrorDocument =
                serde_json::from_slice(&answer.document).map_err(unreadable)?;
            let first = document.errors.into_iter().next();
            return Err(first.unwrap_or_else(|| broken("the host gave no reason".to_owned())));
        };
        let head: ResponseHead = serde_json::from_slice(&answer.document).map_err(unreadable)?;
        Ok((head, body(Rc::clone(&self.line), answer.body, rest)))
    }

    fn emit(&mut self, rows: RecordBatch) -> Result<Flow, WireError> {
        let (head, body) = rows::encode(&rows)
            .map_err(|error| broken(format!("the plugin's rows cannot be sent: {error}")))?;
        let frame = Frame::new(self.line.call, Kind::Emit, 0).with_document(head);
        self.line.tell(&frame, &body)
    }

    fn log(&mut self, level: i32, line: &str) -> Flow {
        let frame = Frame::new(self.line.call, Kind::Log, i64::from(level));
        let document = line.as_bytes().to_vec();
        self.line.tell(&frame.with_document(document), &[]).unwrap_or(Flow::Cancelled)
    }
}

/// Returns a body of which the first piece is here and the rest, if it has a handle, is not.
fn body(line: Rc<Line>, first: Vec<u8>, mut rest: u64) -> BodySource {
    let mut first = Some(first).filter(|piece| !piece.is_empty());
    Box::new(move || {
        if let Some(piece) = first.take() {
            return Ok(Some(Bytes::from(piece)));
        }
        if rest == 0 {
            return Ok(None);
        }
        let frame = Frame::new(line.call, Kind::Read, i64::try_from(rest).unwrap_or(0));
        let piece = line.ask(&frame, &[], Kind::Piece).map_err(io::Error::other)?;
        if piece.value != i64::from(ffi::OK) {
            return Err(io::Error::other("the host could not read it"));
        }
        if piece.body.is_empty() {
            rest = 0;
            return Ok(None);
        }
        Ok(Some(Bytes::from(piece.body)))
    })
}
