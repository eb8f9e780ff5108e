//! Reads an answer, which is one list of records, session by session in flat memory.
//! In: an answer. Out: each record as a `Session`, or an error that names the record and the field.

mod fields;

use std::fmt;
use std::io::BufReader;

use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use sessionql_plugin_sdk::{Error, Reason, Response, Result, Timestamp, WireError, Zone};

use self::fields::{Element, Fields, OneElement, Scalar};

/// Answers up to this size are parsed from one piece of memory, larger ones as a stream.
const WHOLE_BODY_BYTES: u64 = 8 << 20;

/// A session as an answer shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) session_id: i64,
    pub(crate) user_id: Option<i64>,
    pub(crate) client_guid: Option<Box<str>>,
    pub(crate) login: Option<Timestamp>,
    pub(crate) logout: Option<Timestamp>,
    /// The record itself, if it was asked for.
    pub(crate) raw: Option<Box<str>>,
}

/// What names a session: its id, with the client's in case that ids are not unique among clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    session_id: i64,
    client_guid: Option<Box<str>>,
}

impl Session {
    pub(crate) fn key(&self) -> Key {
        Key { session_id: self.session_id, client_guid: self.client_guid.clone() }
    }
}

/// How records are read, and what was seen on the way.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The zone of times without an offset.
    zone: Option<Zone>,
    keeps_raw: bool,
    /// How many fields are none of the documented ones.
    pub(crate) n_unknown: u64,
    /// How many times without offset the clocks showed twice or never.
    pub(crate) n_uncertain: u64,
}

impl Reading {
    pub(crate) fn new(zone: Option<Zone>, keeps_raw: bool) -> Self {
        Self { zone, keeps_raw, ..Self::default() }
    }

    /// Hands each session of an answer to `take`, which may end the reading.
    ///
    /// # Errors
    /// A status other than 2xx; `bad_answer`; what `take` answers.
    pub(crate) fn read(
        &mut self,
        response: Response<'_>,
        take: &mut dyn FnMut(Session) -> Result<()>,
    ) -> Result<()> {
        let response = response.success()?;
        let request = response.request().to_owned();
        let mut list = List { reading: self, take, n_records: 0, failure: None };
        if response.body_len() <= WHOLE_BODY_BYTES {
            let text = response.text()?;
            let mut json = serde_json::Deserializer::from_str(&text);
            let parsed = json.deserialize_any(&mut list).and_then(|()| json.end());
            return list.finish(&request, parsed);
        }
        let mut reader = response.reader();
        let mut json = serde_json::Deserializer::from_reader(BufReader::new(&mut reader));
        let parsed = json.deserialize_any(&mut list).and_then(|()| json.end());
        match reader.failure() {
            Some(failure) => Err(failure),
            None => list.finish(&request, parsed),
        }
    }

    /// Reads the fields of a record.
    fn session(&mut self, fields: Fields) -> Result<Session, Problem> {
        self.n_unknown += fields.n_unknown;
        let session_id = fields.session_id.whole("sessionId")?;
        Ok(Session {
            session_id: session_id.ok_or(Problem::new("sessionId", "nothing", WHOLE))?,
            user_id: fields.user_id.whole("userId")?,
            client_guid: fields.client_guid.text("clientGuid")?,
            login: self.instant(fields.login, "loginDate")?,
            logout: self.instant(fields.logout, "logoutDate")?,
            raw: None,
        })
    }

    fn instant(
        &mut self,
        value: Scalar,
        field: &'static str,
    ) -> Result<Option<Timestamp>, Problem> {
        let wrong = |found| Problem::new(field, found, "an RFC 3339 instant");
        let text = match value {
            Scalar::Missing => return Ok(None),
            Scalar::Text(text) => text,
            other => return Err(wrong(other.noun())),
        };
        if let Some(instant) = Timestamp::parse(&text) {
            return Ok(Some(instant));
        }
        let Some(zone) = self.zone else {
            let is_local = Zone::named("UTC").is_some_and(|utc| utc.read(&text).is_some());
            return Err(match is_local {
                true => Problem { needs_zone: true, ..wrong("a time without offset") },
                false => wrong("text that is no instant"),
            });
        };
        let local = zone.read(&text).ok_or_else(|| wrong("text that is no instant"))?;
        self.n_uncertain += u64::from(!local.is_certain);
        Ok(Some(local.instant))
    }
}

/// What a whole number is called in errors.
const WHOLE: &str = "a whole number";

/// What is wrong with a record.
#[derive(Debug)]
struct Problem {
    /// The field; empty for the record itself.
    field: &'static str,
    found: &'static str,
    expected: &'static str,
    needs_zone: bool,
}

impl Problem {
    fn new(field: &'static str, found: &'static str, expected: &'static str) -> Self {
        Self { field, found, expected, needs_zone: false }
    }

    fn error(&self, request: &str, n_records: usize) -> Error {
        let Self { field, found, expected, needs_zone } = self;
        let dot = if field.is_empty() { "" } else { "." };
        let place = format!("[{n_records}]{dot}{field}");
        let message =
            format!("the answer to `{request}` has {found} at `{place}`, where {expected} is due");
        let error = WireError::new(Reason::BadAnswer, message);
        match needs_zone {
            true => error.with_hint("set option `time_zone` to the server's time zone"),
            false => error,
        }
        .into()
    }
}

/// Walks the list of records.
struct List<'a> {
    reading: &'a mut Reading,
    take: &'a mut dyn FnMut(Session) -> Result<()>,
    n_records: usize,
    /// Why the walk ended, if it was not for the JSON.
    failure: Option<Failure>,
}

enum Failure {
    Taker(Error),
    Record(Problem),
}

impl List<'_> {
    fn finish(self, request: &str, parsed: serde_json::Result<()>) -> Result<()> {
        match (self.failure, parsed) {
            (Some(Failure::Taker(error)), _) => Err(error),
            (Some(Failure::Record(problem)), _) => Err(problem.error(request, self.n_records)),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => Err(Error::bad_answer(match error.is_data() {
                true => format!("the answer to `{request}` is no list"),
                false => format!("the answer to `{request}` is no JSON: {error}"),
            })),
        }
    }

    /// Reads one element.
    fn session(&mut self, element: Element) -> Result<Session, Problem> {
        let (fields, raw) = match element {
            Element::Fields(fields) => (fields, None),
            Element::Raw(raw) => match serde_json::from_str(raw.get()) {
                Ok(Element::Fields(fields)) => (fields, Some(raw)),
                Ok(Element::Other(found)) => return Err(Problem::new("", found, "an object")),
                _ => return Err(Problem::new("", "text that cannot be read", "an object")),
            },
            Element::Other(found) => return Err(Problem::new("", found, "an object")),
        };
        let session = self.reading.session(fields)?;
        Ok(Session { raw: raw.map(|raw| raw.get().into()), ..session })
    }
}

impl<'de> Visitor<'de> for &mut List<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element_seed(OneElement(self.reading.keeps_raw))? {
            let taken = match self.session(element) {
                Ok(session) => (self.take)(session).map_err(Failure::Taker),
                Err(problem) => Err(Failure::Record(problem)),
            };
            if let Err(failure) = taken {
                self.failure = Some(failure);
                return Err(A::Error::custom("the walk ends here"));
            }
            self.n_records += 1;
        }
        Ok(())
    }
}
