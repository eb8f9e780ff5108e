//! Reads the body of an answer to its end, verifies it, and hands it out in pieces.
//! In: a response and what the body has to be. Out: a `Body` that is whole, or what is wrong with
//! it. A small body stays in memory, a large one goes to an unlinked file, so that memory stays
//! flat. Nothing is handed out before all of it arrived.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use sessionql_plugin_abi::Reason;

use super::fault::{Fault, root_cause, spell};
use super::header;

/// Size of the pieces of a body in a file.
const PIECE_BYTES: usize = 1 << 20;
/// How much of the beginning is kept for messages.
const HEAD_BYTES: usize = 512;

/// The body of an answer: complete and decompressed. It is read once, in order.
#[derive(Debug)]
pub struct Body {
    content: Content,
    len_bytes: u64,
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    File(File),
}

impl Body {
    /// Returns the length of the whole body in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Returns the next piece; none at the end. A body in memory is one piece, a body in a file
    /// comes in pieces of 1 MiB. Blocks on the file.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        let piece = match &mut self.content {
            Content::Memory(bytes) => std::mem::take(bytes),
            Content::File(file) => {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                (&*file).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
                Bytes::from(piece)
            }
        };
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// Returns the bytes that are in memory; none for a body in a file.
    pub(super) fn in_memory(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Memory(bytes) => Some(bytes),
            Content::File(_) => None,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { len_bytes: bytes.len() as u64, content: Content::Memory(bytes) }
    }
}

/// What bounds a body.
#[derive(Debug, Clone)]
pub(super) struct BodyLimits {
    /// Largest length after decompression.
    pub(super) max_bytes: u64,
    /// Largest length that stays in memory.
    pub(super) memory_bytes: usize,
    /// How long the next piece may take.
    pub(super) idle: Duration,
    /// Where larger bodies go.
    pub(super) spool_dir: Option<PathBuf>,
}

/// Reads a body to its end. Length and compression are checked by the layers below, which report
/// the end of a body only if it is whole.
pub(super) async fn read(
    mut response: reqwest::Response,
    limits: &BodyLimits,
) -> Result<Body, Fault> {
    if let Some(coding) = header::text(response.headers(), "content-encoding")
        && !coding.eq_ignore_ascii_case("identity")
    {
        let what = format!("answered in the encoding `{}`, which was not asked for", word(coding));
        return Err(Fault::transient(Reason::BadAnswer, what));
    }
    let mut spool = Spool { file: None, buffer: Vec::new(), len_bytes: 0 };
    loop {
        let piece = match tokio::time::timeout(limits.idle, response.chunk()).await {
            Err(_) => {
                let what = format!(
                    "was silent for {} after {} bytes of the body",
                    spell(limits.idle),
                    spool.len_bytes
                );
                return Err(Fault::transient(Reason::Unreachable, what));
            }
            Ok(Err(error)) => {
                let cause = root_cause(&error);
                let what = format!("answered with a broken body: {cause}");
                return Err(Fault::transient(Reason::BadAnswer, what));
            }
            Ok(Ok(None)) => return spool.finish().await.map_err(spool_fault),
            Ok(Ok(Some(piece))) => piece,
        };
        spool.len_bytes += piece.len() as u64;
        if spool.len_bytes > limits.max_bytes {
            let what = format!("answered with more than `max_body`, {} bytes", limits.max_bytes);
            return Err(Fault::lasting(Reason::BadAnswer, what));
        }
        spool.add(&piece, limits).await.map_err(spool_fault)?;
    }
}

/// Reads the beginning of a body that is only looked at; whatever goes wrong ends it.
pub(super) async fn read_head(mut response: reqwest::Response, idle: Duration) -> Vec<u8> {
    const MOST_BYTES: usize = 64 << 10;
    const LONGEST: Duration = Duration::from_secs(2);
    let mut head = Vec::new();
    let _ = tokio::time::timeout(idle.min(LONGEST), async {
        while head.len() < MOST_BYTES
            && let Ok(Some(piece)) = response.chunk().await
        {
            head.extend_from_slice(&piece);
        }
    })
    .await;
    head
}

/// Returns the fault of a temporary file.
pub(super) fn spool_fault(error: io::Error) -> Fault {
    Fault::lasting(Reason::Other, format!("could not be kept in a temporary file: {error}"))
}

/// A body that is arriving.
struct Spool {
    file: Option<File>,
    buffer: Vec<u8>,
    len_bytes: u64,
}

impl Spool {
    async fn add(&mut self, piece: &[u8], limits: &BodyLimits) -> io::Result<()> {
        self.buffer.extend_from_slice(piece);
        let most = if self.file.is_some() { PIECE_BYTES } else { limits.memory_bytes };
        if self.buffer.len() > most {
            self.flush(limits.spool_dir.as_deref()).await?;
        }
        Ok(())
    }

    /// Moves the buffer to the file, away from the threads that serve sockets.
    async fn flush(&mut self, spool_dir: Option<&Path>) -> io::Result<()> {
        let known = self.file.take();
        let mut buffer = std::mem::take(&mut self.buffer);
        let spool_dir = spool_dir.map(Path::to_owned);
        let write = move || -> io::Result<(File, Vec<u8>)> {
            let mut file = match (known, spool_dir) {
                (Some(file), _) => file,
                (None, Some(dir)) => tempfile::tempfile_in(dir)?,
                (None, None) => tempfile::tempfile()?,
            };
            file.write_all(&buffer)?;
            buffer.clear();
            buffer.shrink_to(PIECE_BYTES);
            Ok((file, buffer))
        };
        let (file, buffer) =
            tokio::task::spawn_blocking(write).await.map_err(io::Error::other)??;
        self.file = Some(file);
        self.buffer = buffer;
        Ok(())
    }

    async fn finish(mut self) -> io::Result<Body> {
        if self.file.is_none() {
            return Ok(Body::from(Bytes::from(self.buffer)));
        }
        self.flush(None).await?;
        let mut file = self.file.take().ok_or_else(|| io::Error::other("no file"))?;
        file.rewind()?;
        Ok(Body { content: Content::File(file), len_bytes: self.len_bytes })
    }
}

/// What the body of a good answer has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// Anything.
    Any,
    /// Something of one of these content types, in lower case; JSON has to be well-formed.
    Types(Vec<String>),
    /// A JSON document, whatever it is called.
    Json,
}

impl Expected {
    /// Returns what a pattern's `content_type` asks for.
    pub(super) fn content_type(content_type: &str) -> Self {
        let mut types: Vec<String> = content_type.split(',').map(essence).collect();
        types.retain(|expected| !expected.is_empty());
        match types.is_empty() || types.iter().any(|expected| expected == "*/*") {
            true => Self::Any,
            false => Self::Types(types),
        }
    }

    /// Tells whether an answer that says that it is of type `found` has to be JSON. One that says
    /// nothing has to be what alone is expected.
    fn is_json(&self, found: &str) -> bool {
        match self {
            Self::Any => false,
            Self::Types(types) if found.is_empty() => {
                types.iter().all(|expected| is_json(expected))
            }
            Self::Types(_) => is_json(found),
            Self::Json => true,
        }
    }

    /// Checks the body of a good answer; returns it, or what was found in its place and how it
    /// begins.
    pub(super) async fn check(
        &self,
        headers: &HeaderMap,
        mut body: Body,
    ) -> io::Result<Result<Body, (String, Vec<u8>)>> {
        let found = essence(header::text(headers, "content-type").unwrap_or(""));
        if let Self::Types(types) = self
            && !found.is_empty()
            && !types.iter().any(|expected| is_same_type(expected, &found))
        {
            let expected = types.join("` or `");
            let what = format!("answered with `{}` in place of `{expected}`", word(&found));
            return Ok(Err((what, body.head()?)));
        }
        if !self.is_json(&found) {
            return Ok(Ok(body));
        }
        if body.len_bytes == 0 {
            return Ok(Err((
                "answered with an empty body in place of JSON".to_owned(),
                Vec::new(),
            )));
        }
        let check = move || body.check_json().map(|verdict| (body, verdict));
        let (mut body, verdict) =
            tokio::task::spawn_blocking(check).await.map_err(io::Error::other)??;
        match verdict {
            Ok(()) => Ok(Ok(body)),
            Err(error) => {
                let what = format!("answered with something that is not whole JSON ({error})");
                Ok(Err((what, body.head()?)))
            }
        }
    }
}

impl Body {
    /// Returns how the body begins.
    fn head(&mut self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        match &mut self.content {
            Content::Memory(bytes) => head.extend(bytes.iter().take(HEAD_BYTES)),
            Content::File(file) => {
                (&*file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
                file.rewind()?;
            }
        }
        Ok(head)
    }

    /// Checks that the body is one JSON document; takes a byte order mark off it.
    fn check_json(&mut self) -> io::Result<Result<(), serde_json::Error>> {
        type Skipped = serde::de::IgnoredAny;
        const MARK: &[u8] = b"\xef\xbb\xbf";
        match &mut self.content {
            Content::Memory(bytes) => {
                if bytes.starts_with(MARK) {
                    *bytes = bytes.slice(MARK.len()..);
                    self.len_bytes -= MARK.len() as u64;
                }
                Ok(serde_json::from_slice::<Skipped>(bytes).map(|_| ()))
            }
            Content::File(file) => {
                let mut beginning = [0; MARK.len()];
                file.read_exact(&mut beginning)?;
                let begin = if beginning == MARK { MARK.len() as u64 } else { 0 };
                self.len_bytes -= begin;
                file.seek(io::SeekFrom::Start(begin))?;
                let reader = io::BufReader::with_capacity(PIECE_BYTES, &*file);
                let verdict = serde_json::from_reader::<_, Skipped>(reader).map(|_| ());
                file.seek(io::SeekFrom::Start(begin))?;
                match verdict {
                    Err(error) if error.is_io() => Err(error.into()),
                    verdict => Ok(verdict),
                }
            }
        }
    }
}

/// Returns a content type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

fn is_same_type(expected: &str, found: &str) -> bool {
    let is_xml = |essence: &str| {
        essence == "application/xml" || essence == "text/xml" || essence.ends_with("+xml")
    };
    expected == found
        || (is_json(expected) && is_json(found))
        || (is_xml(expected) && is_xml(found) && found != "application/xhtml+xml")
}

/// Returns a header's value as it may stand in a message.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && *c != '`').take(60).collect()
}
