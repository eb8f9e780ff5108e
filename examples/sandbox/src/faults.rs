//! What may go wrong between a client and a provider, on demand.
//! In: a plan of faults, each for one request or for several. Out: for a request, its proper answer, a changed one, or a `Script`.
//! Filled by tests, consulted by `server.rs`, the same for every emulator.
//! It never touches an emulator's data: without a plan every answer is the proper one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fastrand::Rng;
use serde_json::Value;

use crate::lock;
use crate::message::{Answer, Kind, Request};
use crate::wire::{self, End, Length, Script, Step};

/// Which requests a fault is for. Numbers count from 1 and include retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    /// The data request of this number.
    Data(usize),
    /// The data requests from this number on.
    DataFrom(usize),
    /// The token request of this number.
    Token(usize),
    /// The token requests from this number on.
    TokenFrom(usize),
    /// Any request whose path begins so.
    Path(String),
}

impl On {
    fn matches(&self, request: &Request) -> bool {
        match self {
            Self::Data(number) => request.kind == Kind::Data && request.number == *number,
            Self::DataFrom(number) => request.kind == Kind::Data && request.number >= *number,
            Self::Token(number) => request.kind == Kind::Token && request.number == *number,
            Self::TokenFrom(number) => request.kind == Kind::Token && request.number >= *number,
            Self::Path(prefix) => request.path.starts_with(prefix.as_str()),
        }
    }
}

/// A change to an answer that is otherwise proper.
type Rewrite = dyn Fn(&Request, Answer) -> Answer + Send + Sync;

/// One way in which an answer goes wrong. The constructors below cover the usual ones.
#[derive(Clone)]
pub enum Fault {
    /// This answer instead of the proper one; the provider does not get to see the request.
    Answer(Answer),
    /// The proper answer, changed.
    Rewrite(Arc<Rewrite>),
    /// The connection is reset before the answer.
    Reset,
    /// The connection is closed before the answer.
    Close,
    /// The right `Content-Length`, then so many bytes too few, then the connection is closed.
    Truncated {
        /// How many bytes are missing.
        drop_bytes: usize,
    },
    /// A chunked body that ends without its last chunk.
    TruncatedChunks,
    /// Head and half of the body, then the connection is reset.
    ResetInBody,
    /// A `Content-Length` that is this much off; a negative one makes the body look complete when cut.
    WrongLength {
        /// What is added to the true length.
        off_by: isize,
    },
    /// A gzip body without its last bytes (8 of them are the checksum), with a `Content-Length` that fits.
    TruncatedGzip {
        /// How many compressed bytes are missing.
        drop_bytes: usize,
    },
    /// A gzip body whose checksum is wrong.
    CorruptGzip,
    /// No answer, ever.
    Hang,
    /// Head and half of the body, then silence.
    HangInBody,
    /// The whole answer, slowly.
    Drip {
        /// How many bytes are sent at a time.
        piece_bytes: usize,
        /// The pause before each piece, in real time.
        every: Duration,
    },
    /// Blanks after the body up to this size before compression: still valid JSON, but large.
    Padded {
        /// The size of the body.
        to_bytes: usize,
    },
}

impl Fault {
    /// Answers with a status and an empty body.
    pub fn status(status: u16) -> Self {
        Self::Answer(Answer::empty(status))
    }

    /// Answers 429 with an empty body and no `Retry-After`.
    pub fn throttled() -> Self {
        Self::status(429)
    }

    /// Answers 429 with a `Retry-After` in seconds.
    pub fn throttled_for(seconds: u64) -> Self {
        Self::Answer(Answer::empty(429).with_header("retry-after", &seconds.to_string()))
    }

    /// Answers 429 with a `Retry-After` that is a date.
    pub fn throttled_until(instant: DateTime<Utc>) -> Self {
        Self::Answer(Answer::empty(429).with_header("retry-after", &http_date(instant)))
    }

    /// Answers 302 with a `Location`.
    pub fn redirect(location: &str) -> Self {
        Self::Answer(Answer::empty(302).with_header("location", location))
    }

    /// Answers 200 with an HTML page.
    pub fn html() -> Self {
        Self::Answer(Answer::html(200, "Sign in to continue"))
    }

    /// Answers 200 with a body that is cut off in the middle of the JSON, its length right.
    pub fn invalid_json() -> Self {
        Self::rewrite(|_, mut answer| {
            answer.body.truncate(answer.body.len().saturating_sub(2));
            answer
        })
    }

    /// Changes the proper answer.
    pub fn rewrite(change: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static) -> Self {
        Self::Rewrite(Arc::new(change))
    }

    /// Changes the proper answer's JSON; one that is not JSON stays as it is.
    pub fn edit_json(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::rewrite(move |_, mut answer| {
            if let Ok(mut value) = serde_json::from_slice(&answer.body) {
                change(&mut value);
                answer.body = value.to_string().into();
            }
            answer
        })
    }

    /// Removes a member, named by its JSON pointer such as `/sessions/0/id`.
    pub fn drop_field(pointer: &str) -> Self {
        let (parent, name) = split_pointer(pointer);
        Self::edit_json(move |value| match value.pointer_mut(&parent) {
            Some(Value::Object(members)) => drop(members.shift_remove(&name)),
            Some(Value::Array(items)) => match name.parse::<usize>() {
                Ok(position) if position < items.len() => drop(items.remove(position)),
                _ => {}
            },
            _ => {}
        })
    }

    /// Sets a member, named by its JSON pointer, to another value; it is added if it is not there.
    pub fn set_field(pointer: &str, to: Value) -> Self {
        let (parent, name) = split_pointer(pointer);
        Self::edit_json(move |value| match value.pointer_mut(&parent) {
            Some(Value::Object(members)) => drop(members.insert(name.clone(), to.clone())),
            Some(Value::Array(items)) => {
                if let Some(item) = name.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                    *item = to.clone();
                }
            }
            _ => {}
        })
    }

    /// Repeats every row of the list that the JSON pointer names, right after itself.
    pub fn duplicate_rows(pointer: &str) -> Self {
        let pointer = pointer.to_owned();
        Self::edit_json(move |value| {
            if let Some(Value::Array(rows)) = value.pointer_mut(&pointer) {
                *rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
            }
        })
    }

    /// From the `period`-th answer on repeats the cursors of the answers before: A,A,A with 1, A,B,A,B with 2.
    /// `pointer` names the cursor, such as `/nextCursor`. Plan it with `On::DataFrom`.
    pub fn cursor_loop(pointer: &str, period: usize) -> Self {
        let (pointer, given) = (pointer.to_owned(), Mutex::new(VecDeque::<Value>::new()));
        let (parent, name) = split_pointer(&pointer);
        Self::edit_json(move |value| {
            let mut given = lock(&given);
            let cursor = if given.len() < period {
                value.pointer(&pointer).cloned()
            } else {
                given.pop_front()
            };
            let Some(cursor) = cursor else { return };
            given.push_back(cursor.clone());
            if let Some(Value::Object(members)) = value.pointer_mut(&parent) {
                members.insert(name.clone(), cursor);
            }
        })
    }

    /// Applies this fault; `answer` makes the proper answer and is called only if it is needed.
    pub(crate) fn apply(&self, request: &Request, answer: impl FnOnce() -> Answer) -> Outgoing {
        let script = |status, steps, end| Outgoing::Script(Script { status, steps, end });
        match self {
            Self::Answer(instead) => Outgoing::Answer(instead.clone()),
            Self::Rewrite(change) => Outgoing::Answer(change(request, answer())),
            Self::Reset => script(None, Vec::new(), End::Reset),
            Self::Close => script(None, Vec::new(), End::Close),
            Self::Hang => script(None, Vec::new(), End::Hang),
            Self::Truncated { drop_bytes } => {
                let answer = answer();
                let kept = answer.body.len().saturating_sub(*drop_bytes);
                send(&answer, Length::Bytes(answer.body.len()), &answer.body[..kept], End::Close)
            }
            Self::TruncatedChunks => {
                let answer = answer();
                send(&answer, Length::Chunked, &wire::chunk(&answer.body), End::Close)
            }
            Self::ResetInBody => half(&answer(), End::Reset),
            Self::HangInBody => half(&answer(), End::Hang),
            Self::WrongLength { off_by } => {
                let answer = answer();
                let n_bytes = answer.body.len().saturating_add_signed(*off_by);
                send(&answer, Length::Bytes(n_bytes), &answer.body, End::Close)
            }
            Self::TruncatedGzip { drop_bytes } => gzipped(answer(), |body| {
                body.truncate(body.len().saturating_sub(*drop_bytes));
            }),
            Self::CorruptGzip => gzipped(answer(), |body| {
                // The last eight bytes are the checksum and the length.
                if let Some(position) = body.len().checked_sub(8) {
                    body[position] ^= 0xff;
                }
            }),
            Self::Drip { piece_bytes, every } => {
                let answer = answer();
                let mut all = wire::head(&answer, Length::Bytes(answer.body.len()));
                all.extend_from_slice(&answer.body);
                let pieces = all.chunks((*piece_bytes).max(1)).map(Bytes::copy_from_slice);
                let steps =
                    pieces.flat_map(|piece| [Step::Wait(*every), Step::Write(piece)]).collect();
                script(Some(answer.status), steps, End::Close)
            }
            Self::Padded { to_bytes } => {
                let mut answer = answer();
                let mut body = answer.body.to_vec();
                body.resize(body.len().max(*to_bytes), b' ');
                answer.body = body.into();
                Outgoing::Answer(answer)
            }
        }
    }
}

/// What leaves for a client.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    /// An answer in proper HTTP.
    Answer(Answer),
    /// Something else; the connection ends with it.
    Script(Script),
}

fn send(answer: &Answer, length: Length, body: &[u8], end: End) -> Outgoing {
    let mut all = wire::head(answer, length);
    all.extend_from_slice(body);
    let steps = vec![Step::Write(all.into())];
    Outgoing::Script(Script { status: Some(answer.status), steps, end })
}

fn half(answer: &Answer, end: End) -> Outgoing {
    let n_bytes = answer.body.len();
    let mut outgoing = send(answer, Length::Bytes(n_bytes), &answer.body[..n_bytes / 2], end);
    if let Outgoing::Script(script) = &mut outgoing {
        // A reset throws away what is still under way, so give the client time to read.
        script.steps.push(Step::Wait(Duration::from_millis(20)));
    }
    outgoing
}

fn gzipped(mut answer: Answer, spoil: impl FnOnce(&mut Vec<u8>)) -> Outgoing {
    if let Ok(mut body) = wire::gzip(&answer.body) {
        spoil(&mut body);
        answer.body = body.into();
        answer = answer.with_header("content-encoding", "gzip");
    }
    Outgoing::Answer(answer)
}

fn split_pointer(pointer: &str) -> (String, String) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    (parent.to_owned(), name.replace("~1", "/").replace("~0", "~"))
}

/// Formats an instant as HTTP headers do.
pub(crate) fn http_date(instant: DateTime<Utc>) -> String {
    instant.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The plan: which fault meets which request.
#[derive(Default)]
pub struct Faults {
    planned: Mutex<Vec<Planned>>,
    random: Mutex<Option<Random>>,
}

struct Random {
    rng: Rng,
    probability: f64,
    faults: Vec<Fault>,
}

struct Planned {
    on: On,
    fault: Fault,
    n_left: Option<usize>,
}

impl Faults {
    /// Plans a fault for every request that `on` names. If several match, the first planned one happens.
    pub fn plan(&self, on: On, fault: Fault) {
        lock(&self.planned).push(Planned { on, fault, n_left: None });
    }

    /// Plans a fault for the first `n_times` requests that `on` names.
    pub fn plan_times(&self, on: On, n_times: usize, fault: Fault) {
        lock(&self.planned).push(Planned { on, fault, n_left: Some(n_times) });
    }

    /// Plans one of these faults for each data request with a probability in `[0, 1]`, drawn from a
    /// seed. What is planned otherwise comes first.
    pub fn plan_at_random(&self, seed: u64, probability: f64, faults: Vec<Fault>) {
        *lock(&self.random) = Some(Random { rng: Rng::with_seed(seed), probability, faults });
    }

    /// Forgets the plan.
    pub fn clear(&self) {
        lock(&self.planned).clear();
        *lock(&self.random) = None;
    }

    /// Takes the fault for a request, if one is planned.
    pub(crate) fn take(&self, request: &Request) -> Option<Fault> {
        let mut planned = lock(&self.planned);
        let found =
            planned.iter_mut().find(|next| next.n_left != Some(0) && next.on.matches(request));
        if let Some(found) = found {
            found.n_left = found.n_left.map(|n_left| n_left - 1);
            return Some(found.fault.clone());
        }
        let mut random = lock(&self.random);
        let random = random.as_mut().filter(|_| request.kind == Kind::Data)?;
        let happens = random.rng.f64() < random.probability;
        happens.then(|| random.rng.choice(&random.faults).cloned()).flatten()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faults({} planned)", lock(&self.planned).len())
    }
}
