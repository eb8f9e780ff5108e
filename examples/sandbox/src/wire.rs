//! Answers as bytes, for what a well-behaved HTTP library would refuse to send.
//! In: an answer and how it is to be spoilt. Out: a `Script` of steps that `play` performs on the bare connection.
//! Called by `faults.rs` to write scripts and by `server.rs` to play them; each script ends its connection.

use std::io::{self, Write as _};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::message::Answer;

/// What is done to a connection instead of a proper answer.
#[derive(Clone, Debug)]
pub struct Script {
    /// The status that the client gets to see, if any.
    pub status: Option<u16>,
    /// What is sent, in order.
    pub steps: Vec<Step>,
    /// How the connection ends.
    pub end: End,
}

/// One thing that is sent, or a pause.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends bytes.
    Write(Bytes),
    /// Waits, in real time.
    Wait(Duration),
}

/// How a script leaves its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Closes it in order, as after the last byte of an answer.
    Close,
    /// Resets it, as a crashed peer does.
    Reset,
    /// Keeps it open and silent until the client gives up.
    Hang,
}

/// Which length the head of an answer announces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// A `Content-Length` of so many bytes, right or not.
    Bytes(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Returns the status line and the headers of an answer, with the empty line.
pub(crate) fn head(answer: &Answer, length: Length) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Sandbox\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match length {
        Length::Bytes(n_bytes) => head.push_str(&format!("content-length: {n_bytes}\r\n\r\n")),
        Length::Chunked => head.push_str("transfer-encoding: chunked\r\n\r\n"),
    }
    head.into_bytes()
}

/// Returns a body as one chunk, without the empty chunk that must end it.
pub(crate) fn chunk(body: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", body.len()).into_bytes();
    chunk.extend_from_slice(body);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// Compresses a body, quickly rather than well.
pub(crate) fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// Plays a script on a connection and ends it.
///
/// # Errors
/// Those of the socket; a client that has gone away is one.
pub(crate) async fn play(mut stream: TcpStream, script: Script) -> io::Result<()> {
    for step in script.steps {
        match step {
            Step::Write(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            }
            Step::Wait(duration) => tokio::time::sleep(duration).await,
        }
    }
    match script.end {
        End::Close => stream.shutdown().await,
        End::Reset => stream.set_zero_linger(),
        End::Hang => {
            let mut ignored = [0; 256];
            while stream.read(&mut ignored).await? > 0 {}
            Ok(())
        }
    }
}
