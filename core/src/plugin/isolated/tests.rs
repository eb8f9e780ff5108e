//! What a child may say: anything. The host takes it for what it is, or ends the child with an error.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use proptest::prelude::*;
use sessionql_plugin_abi::message::{HttpRequest, ResponseHead};
use sessionql_plugin_abi::{Reason, WireError, ffi};

use super::process::{End, Process};
use super::wire::{self, Frame, Kind};
use super::{Isolation, rows};
use crate::plugin::HostCommand;
use crate::plugin::call::Function;
use crate::plugin::exchange::{BodySource, Callbacks, Exchange, Flow, Reply};

/// A host that takes rows and answers each request with three bytes.
struct Taker {
    schema: SchemaRef,
    n_rows: usize,
}

impl Callbacks for Taker {
    fn schema(&self) -> Option<SchemaRef> {
        Some(Arc::clone(&self.schema))
    }

    fn http(&mut self, _: &HttpRequest) -> Result<(ResponseHead, BodySource), WireError> {
        let mut body = Some(Bytes::from_static(b"abc"));
        let head = ResponseHead { status: 200, body_len: 3, ..ResponseHead::default() };
        Ok((head, Box::new(move || Ok(body.take()))))
    }

    fn emit(&mut self, rows: RecordBatch) -> Result<Flow, WireError> {
        self.n_rows += rows.num_rows();
        Ok(Flow::GoOn)
    }

    fn log(&mut self, _: i32, _: &str) -> Flow {
        Flow::GoOn
    }
}

fn batch() -> RecordBatch {
    let numbers: Int64Array = (0..5).map(Some).collect();
    RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap()
}

/// What a plugin that behaves says during a scan.
fn good_frames() -> Vec<Frame> {
    let (head, body) = rows::encode(&batch()).unwrap();
    let request = serde_json::to_vec(&HttpRequest::get("/x")).unwrap();
    let end = serde_json::to_vec(&End { n_replies: 1, refused: None }).unwrap();
    let frame = |kind, value| Frame::new(1, kind, value);
    vec![
        frame(Kind::Log, 3).with_document(b"a line".to_vec()),
        frame(Kind::Http, 0).with_document(request),
        frame(Kind::Read, 1),
        Frame { body, ..frame(Kind::Emit, 0).with_document(head) },
        Frame { body: b"{}".to_vec(), ..frame(Kind::Ended, 0).with_document(end) },
    ]
}

fn bytes_of(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::write(&mut bytes, frame, &frame.body).unwrap();
    bytes
}

/// Runs a scan by a child that says these things, each as soon as the one before was answered.
fn scan(says: Vec<Vec<u8>>) -> (Result<Reply, WireError>, usize) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (output, printed) = io::pipe().unwrap();
    drop(printed);
    let child = Command::new("true").spawn().unwrap();
    let host = HostCommand { program: "true".into(), arguments: Vec::new() };
    let time_limit = Duration::from_secs(20);
    let isolation = Isolation { host, memory_limit_bytes: 1 << 30, time_limit };
    let process = Process::around(child, ours, output, ("x", &isolation, Vec::new())).unwrap();
    // A changed length lets both sides wait for each other.
    theirs.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let other_side = thread::spawn(move || {
        // Each answer is there before the next is asked for; what is not read does not matter.
        for words in says {
            if wire::read(&mut theirs).is_err() || theirs.write_all(&words).is_err() {
                break;
            }
        }
        let _end = theirs.shutdown(std::net::Shutdown::Write);
        let _rest = theirs.read_to_end(&mut Vec::new());
    });
    let mut taker = Taker { schema: batch().schema(), n_rows: 0 };
    let mut exchange = Exchange::new(&mut taker);
    let code = process.call(Function::Scan, b"{}", &mut exchange);
    let reply = code.and_then(|code| exchange.finish(code));
    drop(process);
    other_side.join().unwrap();
    (reply, taker.n_rows)
}

#[test]
fn a_good_conversation_gives_its_rows() {
    let (reply, n_rows) = scan(good_frames().iter().map(bytes_of).collect());
    assert_eq!(reply.unwrap().document.unwrap(), b"{}");
    assert_eq!(n_rows, 5);
}

#[test]
fn a_child_cannot_claim_that_it_was_told_to_stop() {
    let end = serde_json::to_vec(&End::default()).unwrap();
    for code in [ffi::CANCELLED, ffi::STOP] {
        let ended = Frame::new(1, Kind::Ended, i64::from(code)).with_document(end.clone());
        let error = scan(vec![bytes_of(&ended)]).0.unwrap_err();
        assert_eq!(error.code, Reason::PluginError, "{error}");
    }
}

#[test]
fn what_is_out_of_turn_ends_the_child() {
    let log = Frame::new(1, Kind::Log, 3);
    let of_another_call = Frame { call: 7, ..log.clone() };
    let of_the_host = Frame::new(1, Kind::Flow, 0);
    let twice = [bytes_of(&log), bytes_of(&log), bytes_of(&log), bytes_of(&log)].concat();
    for words in [bytes_of(&of_another_call), bytes_of(&of_the_host), twice, vec![0xff; 24]] {
        let (reply, n_rows) = scan(vec![words]);
        let error = reply.unwrap_err();
        assert_eq!((error.code, n_rows), (Reason::PluginError, 0), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (reply, n_rows) = scan(vec![bytes]);
        prop_assert_eq!(reply.unwrap_err().code, Reason::PluginError);
        prop_assert_eq!(n_rows, 0);
    }

    /// Frames of a good conversation with some bytes changed, left out, or in another order: the
    /// call ends, and if it ends well its rows are sound.
    #[test]
    fn a_changed_conversation_ends(
        order in proptest::collection::vec(0_usize..5, 1..7),
        changes in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let good = good_frames();
        let mut says: Vec<Vec<u8>> = order.iter().map(|idx| bytes_of(&good[*idx])).collect();
        for (which, at, byte) in changes {
            let words = which.get_mut(&mut says);
            let at = at.index(words.len());
            words[at] = byte;
        }
        if let (Some(cut), Some(last)) = (cut, says.last_mut()) {
            last.truncate(cut.index(last.len()));
        }
        let (reply, _) = scan(says);
        if let Err(error) = reply {
            prop_assert!(!error.message.is_empty());
        }
    }
}
