//! The frames between the host and a child that runs a plugin: a header of fixed size, a document and
//! a body. Neither side trusts the other's lengths: memory grows with what arrives, up to a bound.

use std::io::{self, IoSlice, Read, Write};

/// The version of the frames and documents; a child of another one is refused.
pub(super) const VERSION: u32 = 1;

/// The longest document.
pub(super) const MAX_DOCUMENT_BYTES: usize = 64 << 20;

/// The longest body.
pub(super) const MAX_BODY_BYTES: usize = 256 << 20;

/// Memory that is taken on the word of a header alone.
const UNPROVEN_BYTES: usize = 1 << 20;

const HEADER_BYTES: usize = 24;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// To the child: the library to load (body) and under what limits (document).
    Start = 1,
    /// From the child: it is loaded (value 0), or why not (document).
    Started = 2,
    /// To the child: a call. Value: the function; document: its argument; body: the columns of rows.
    Call = 3,
    /// From the child: the plugin sends a request (document).
    Http = 4,
    /// To the child: the answer. Value: the handle of what is left of the body, or a refusal;
    /// document: the head or the error; body: the body's first piece.
    Answer = 5,
    /// From the child: the plugin wants the next piece of a body. Value: its handle.
    Read = 6,
    /// To the child: the piece (body), empty at the end. Value: 0, or that it cannot be read.
    Piece = 7,
    /// From the child: rows, as the two parts of an Arrow IPC message.
    Emit = 8,
    /// From the child: a line for the log (document). Value: its level.
    Log = 9,
    /// To the child: what the consumer says to rows or a line. Value: the code.
    Flow = 10,
    /// From the child: the function returned. Value: its code; document: how often it replied and
    /// what was refused; body: the reply.
    Ended = 11,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Start,
            2 => Self::Started,
            3 => Self::Call,
            4 => Self::Http,
            5 => Self::Answer,
            6 => Self::Read,
            7 => Self::Piece,
            8 => Self::Emit,
            9 => Self::Log,
            10 => Self::Flow,
            11 => Self::Ended,
            _ => return None,
        })
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The call that it belongs to; 0 for none.
    pub(super) call: u32,
    pub(super) kind: Kind,
    /// A number, by kind.
    pub(super) value: i64,
    pub(super) document: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// Returns a frame without document and body.
    pub(super) fn new(call: u32, kind: Kind, value: i64) -> Self {
        Self { call, kind, value, document: Vec::new(), body: Vec::new() }
    }

    /// Returns the frame with a document.
    pub(super) fn with_document(self, document: Vec<u8>) -> Self {
        Self { document, ..self }
    }
}

/// Why no frame could be read.
#[derive(Debug)]
pub(super) enum WireFault {
    /// The other side has closed its end between two frames.
    Closed,
    /// It broke off within a frame, or reading failed.
    Broken(io::Error),
    /// What came is no frame.
    Nonsense(String),
}

/// Writes a frame whose body is borrowed.
///
/// # Errors
/// Those of the stream, and `InvalidInput` if a part is too long.
pub(super) fn write(stream: &mut impl Write, frame: &Frame, body: &[u8]) -> io::Result<()> {
    let too_long = |what: &str, len: usize, max: usize| {
        let message = format!("a {what} of {len} bytes does not go through, at most {max} do");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    };
    if frame.document.len() > MAX_DOCUMENT_BYTES {
        return Err(too_long("document", frame.document.len(), MAX_DOCUMENT_BYTES));
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(too_long("body", body.len(), MAX_BODY_BYTES));
    }
    let mut header = [0_u8; HEADER_BYTES];
    header[0..4].copy_from_slice(&frame.call.to_le_bytes());
    header[4] = frame.kind as u8;
    header[8..16].copy_from_slice(&frame.value.to_le_bytes());
    // Both are below 4 GiB, as was just looked at.
    header[16..20].copy_from_slice(&(frame.document.len() as u32).to_le_bytes());
    header[20..24].copy_from_slice(&(body.len() as u32).to_le_bytes());
    let mut parts = [IoSlice::new(&header), IoSlice::new(&frame.document), IoSlice::new(body)];
    let mut parts = parts.as_mut_slice();
    // Skips parts that are empty.
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match stream.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n_bytes) => IoSlice::advance_slices(&mut parts, n_bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads the next frame.
///
/// # Errors
/// If there is none.
pub(super) fn read(stream: &mut impl Read) -> Result<Frame, WireFault> {
    let mut header = [0_u8; HEADER_BYTES];
    loop {
        match stream.read(&mut header[..1]) {
            Ok(0) => return Err(WireFault::Closed),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(WireFault::Broken(error)),
        }
    }
    stream.read_exact(&mut header[1..]).map_err(WireFault::Broken)?;
    let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let kind = Kind::of(header[4])
        .ok_or_else(|| WireFault::Nonsense(format!("a frame of the unknown kind {}", header[4])))?;
    if header[5..8] != [0; 3] {
        return Err(WireFault::Nonsense("a frame whose header has more than is known".to_owned()));
    }
    let mut value = [0; 8];
    value.copy_from_slice(&header[8..16]);
    let document = part(stream, u32::from_le_bytes(word(16)), MAX_DOCUMENT_BYTES)?;
    let body = part(stream, u32::from_le_bytes(word(20)), MAX_BODY_BYTES)?;
    let call = u32::from_le_bytes(word(0));
    Ok(Frame { call, kind, value: i64::from_le_bytes(value), document, body })
}

fn part(stream: &mut impl Read, len: u32, max: usize) -> Result<Vec<u8>, WireFault> {
    let len = len as usize;
    if len > max {
        let message = format!("a frame with a part of {len} bytes, at most {max} are taken");
        return Err(WireFault::Nonsense(message));
    }
    let mut part = vec![0; len.min(UNPROVEN_BYTES)];
    let mut n_read = 0;
    while n_read < len {
        stream.read_exact(&mut part[n_read..]).map_err(WireFault::Broken)?;
        n_read = part.len();
        part.resize(len.min(2 * n_read), 0);
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames() -> impl Strategy<Value = Frame> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
        (any::<u32>(), 1_u8..=11, any::<i64>(), bytes(), bytes()).prop_map(
            |(call, kind, value, document, body)| {
                let kind = Kind::of(kind).unwrap();
                Frame { call, kind, value, document, body }
            },
        )
    }

    fn written(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, frame, &frame.body).unwrap();
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(frames in proptest::collection::vec(frames(), 0..5)) {
            let bytes: Vec<u8> = frames.iter().flat_map(written).collect();
            let mut stream = bytes.as_slice();
            for frame in &frames {
                prop_assert_eq!(&read(&mut stream).unwrap(), frame);
            }
            prop_assert!(matches!(read(&mut stream), Err(WireFault::Closed)));
        }

        #[test]
        fn a_frame_that_breaks_off_is_an_error(frame in frames(), at in any::<prop::sample::Index>()) {
            let bytes = written(&frame);
            let at = at.index(bytes.len() - 1) + 1;
            if at < bytes.len() {
                prop_assert!(matches!(read(&mut &bytes[..at]), Err(WireFault::Broken(_))));
            }
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut stream = bytes.as_slice();
            while read(&mut stream).is_ok() {}
        }
    }

    #[test]
    fn a_length_alone_takes_no_memory() {
        let mut bytes = written(&Frame::new(1, Kind::Log, 3));
        bytes[20..24].copy_from_slice(&(MAX_BODY_BYTES as u32).to_le_bytes());
        assert!(matches!(read(&mut bytes.as_slice()), Err(WireFault::Broken(_))));
        bytes[20..24].copy_from_slice(&(MAX_BODY_BYTES as u32 + 1).to_le_bytes());
        assert!(matches!(read(&mut bytes.as_slice()), Err(WireFault::Nonsense(_))));
    }
}
