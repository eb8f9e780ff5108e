//! Everything that goes wrong between a host and a provider, by what may come of it.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sessionql_sandbox::{Answer as HttpAnswer, Fault};
use sessionql_tests::provider::Provider;
use sessionql_tests::{BEGIN, instant};

/// What comes of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The rows are right, however often it happens.
    None,
    /// The rows are right if it happens once, and there is an error if it lasts.
    Passes,
    /// There is an error each time.
    Fatal,
    /// The rows are right, or there is an error, or the answer says what is missing.
    Told,
}

/// A fault with its name and effect.
pub(crate) type Kind = (&'static str, Effect, Fault);

/// All faults of a provider.
pub(crate) fn kinds(provider: Provider) -> Vec<Kind> {
    let mut kinds = Vec::new();
    kinds.extend(statuses(provider));
    kinds.extend(throttles());
    kinds.extend(broken_transports());
    kinds.extend(false_bodies());
    kinds.extend(redirects());
    kinds.extend(drifts(provider));
    // Where zero values are left out, an empty object is an empty page and no fault at all.
    if provider != Provider::Formal {
        let empty = Fault::rewrite(|_, answer| HttpAnswer { body: "{}".into(), ..answer });
        kinds.push(("an empty object", Effect::Told, empty));
    }
    kinds.extend(cursors(provider));
    kinds
}

/// Faults that pass by themselves, cost no second and leave no trace.
pub(crate) fn passing() -> Vec<Fault> {
    let all =
        statuses(Provider::Openvpn).into_iter().chain(broken_transports()).chain(false_bodies());
    let passing = all.filter(|(_, effect, _)| *effect == Effect::Passes);
    passing.map(|(_, _, fault)| fault).collect()
}

fn statuses(provider: Provider) -> Vec<Kind> {
    let passes = |name, status| (name, Effect::Passes, Fault::status(status));
    let fatal = |name, status| (name, Effect::Fatal, Fault::status(status));
    // A search that finds nothing answers 404.
    let not_found = if provider == Provider::Oam { Effect::Told } else { Effect::Fatal };
    vec![
        passes("408", 408),
        passes("425", 425),
        passes("500", 500),
        passes("502", 502),
        passes("503", 503),
        passes("504", 504),
        fatal("400", 400),
        fatal("403", 403),
        ("404", not_found, Fault::status(404)),
        fatal("410", 410),
        fatal("501", 501),
        ("204", Effect::Fatal, Fault::status(204)),
        ("206", Effect::Passes, Fault::status(206)),
    ]
}

/// A fault that lasts ends with the deadline; one that happens once costs a second.
fn throttles() -> Vec<Kind> {
    let after = |text: &str| Fault::Answer(HttpAnswer::empty(429).with_header("retry-after", text));
    let now = instant(BEGIN);
    vec![
        ("429", Effect::Passes, Fault::throttled()),
        ("429 after 0 s", Effect::Passes, Fault::throttled_for(0)),
        ("429 after 1 s", Effect::Passes, Fault::throttled_for(1)),
        ("429 until a date that is past", Effect::Passes, Fault::throttled_until(now)),
        ("429 after a negative time", Effect::Passes, after("-5")),
        ("429 after something", Effect::Passes, after("soon")),
        ("429 after a number too large", Effect::Fatal, after("99999999999999999999")),
        ("429 after a day", Effect::Fatal, Fault::throttled_for(86_400)),
        ("429 until tomorrow", Effect::Fatal, {
            // The wait is told by the system's clock, so tomorrow is far away whatever the time is.
            Fault::throttled_until(chrono::Utc::now() + TimeDelta::days(1))
        }),
    ]
}

fn broken_transports() -> Vec<Kind> {
    let passes = |name, fault| (name, Effect::Passes, fault);
    vec![
        passes("reset", Fault::Reset),
        passes("close", Fault::Close),
        passes("reset in the body", Fault::ResetInBody),
        passes("truncated", Fault::Truncated { drop_bytes: 5 }),
        passes("without a last byte", Fault::Truncated { drop_bytes: 1 }),
        passes("truncated chunks", Fault::TruncatedChunks),
        passes("cut to fit", Fault::WrongLength { off_by: -9 }),
        passes("too short for its length", Fault::WrongLength { off_by: 9 }),
        passes("truncated gzip", Fault::TruncatedGzip { drop_bytes: 3 }),
        passes("gzip without its checksum", Fault::TruncatedGzip { drop_bytes: 8 }),
        passes("corrupt gzip", Fault::CorruptGzip),
        passes("gzip that is none", encoded("gzip")),
        passes("an encoding nobody asked for", encoded("br")),
        ("slow", Effect::None, Fault::Drip { piece_bytes: 400, every: Duration::from_millis(2) }),
    ]
}

fn encoded(coding: &'static str) -> Fault {
    Fault::rewrite(move |_, answer| answer.with_header("content-encoding", coding))
}

fn false_bodies() -> Vec<Kind> {
    let passes = |name, fault| (name, Effect::Passes, fault);
    let body = |change: fn(Vec<u8>) -> Vec<u8>| {
        Fault::rewrite(move |_, mut answer| {
            answer.body = change(answer.body.to_vec()).into();
            answer
        })
    };
    vec![
        passes("html", Fault::html()),
        passes("half a document", Fault::invalid_json()),
        passes("an empty body", body(|_| Vec::new())),
        passes("two documents", body(|body| [body, b"{}".to_vec()].concat())),
        passes("bytes that are no text", body(|body| [body, vec![0xff, 0xfe]].concat())),
        (
            "a document too deep",
            Effect::Fatal,
            body(|_| [b"[".repeat(10_000), b"]".repeat(10_000)].concat()),
        ),
        passes("NaN", body(|body| replaced(&body, "\":", "\":NaN,\"x\":"))),
        ("a byte order mark", Effect::None, body(|body| [b"\xef\xbb\xbf".to_vec(), body].concat())),
        (
            "blanks around it",
            Effect::None,
            body(|body| [b" \n".repeat(40_000), body, b"\n".repeat(9)].concat()),
        ),
        ("null", Effect::Told, body(|_| b"null".to_vec())),
        ("a number", Effect::Told, body(|_| b"7".to_vec())),
    ]
}

/// Returns a document with the first `from` replaced.
fn replaced(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(body).replacen(from, to, 1).into_bytes()
}

fn redirects() -> Vec<Kind> {
    let fatal = |name, location| (name, Effect::Fatal, Fault::redirect(location));
    vec![
        fatal("redirect to another host", "http://127.0.0.2:9/api/beta/sessions"),
        fatal("redirect to another port", "http://127.0.0.1:9/"),
        fatal("redirect to the cloud's own data", "http://169.254.169.254/latest/meta-data/"),
        fatal("redirect to a file", "file:///etc/passwd"),
        fatal("redirect without a scheme", "//127.0.0.2:9/sessions"),
        fatal("redirect with a user", "http://sessions@127.0.0.2:9/"),
        fatal("redirect to what is not declared", "/somewhere/else"),
        ("redirect to itself", Effect::Told, Fault::redirect("")),
    ]
}

/// Records that are not what they were when the plugin was written.
fn drifts(provider: Provider) -> Vec<Kind> {
    let id = provider.id_field();
    let first = move |change: fn(&str, &mut serde_json::Map<String, Value>)| {
        Fault::edit_json(move |document| {
            let records = document.pointer_mut(provider.records()).and_then(Value::as_array_mut);
            if let Some(Value::Object(record)) = records.and_then(|records| records.first_mut()) {
                change(id, record);
            }
        })
    };
    let at = |name, fault| (name, Effect::Told, fault);
    vec![
        (
            "a field that nobody knows",
            Effect::None,
            first(|_, record| {
                record.insert("brandNew".to_owned(), json!({"of": ["this", "year"]}));
            }),
        ),
        at("a record without its id", first(|id, record| drop(record.shift_remove(id)))),
        at(
            "an id that is null",
            first(|id, record| drop(record.insert(id.to_owned(), Value::Null))),
        ),
        at(
            "an id that is a list",
            first(|id, record| drop(record.insert(id.to_owned(), json!([1])))),
        ),
        at(
            "a record that is a text",
            Fault::set_field(&format!("{}/0", provider.records()), json!("x")),
        ),
        at(
            "a record that is null",
            Fault::set_field(&format!("{}/0", provider.records()), Value::Null),
        ),
        at("records that are an object", Fault::set_field(provider.records(), json!({"a": 1}))),
        at("records that are null", Fault::set_field(provider.records(), Value::Null)),
        ("every record twice", Effect::None, Fault::duplicate_rows(provider.records())),
        at(
            "a number out of range",
            first(|_, record| {
                let number: Value = serde_json::from_str("1e300").unwrap_or_default();
                record.insert("bytesIn".to_owned(), number.clone());
                record.insert("sessionId".to_owned(), number);
            }),
        ),
        at("the list twice", doubled(provider.records())),
    ]
}

/// Repeats the member that holds the list, empty the second time.
fn doubled(pointer: &'static str) -> Fault {
    Fault::rewrite(move |_, mut answer| {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let found = text.find(&format!("\"{name}\":")).filter(|_| !name.is_empty());
        if let Some(begin) = found {
            let (before, from) = text.split_at(begin);
            answer.body = format!("{before}\"{name}\":[],{from}").into();
        }
        answer
    })
}

fn cursors(provider: Provider) -> Vec<Kind> {
    let Some(cursor) = provider.cursor() else { return Vec::new() };
    vec![
        ("a cursor of the wrong type", Effect::Told, Fault::set_field(cursor, json!({"page": 2}))),
        (
            "a cursor that the server does not know",
            Effect::Told,
            Fault::set_field(cursor, json!("x")),
        ),
        (
            "a document that is another's",
            Effect::Told,
            Fault::set_field("", json!({"items": [], "next": null})),
        ),
    ]
}

/// Cursors that lead in circles, of so many pages.
pub(crate) fn loops(provider: Provider) -> Vec<(usize, Fault)> {
    let cursor = provider.cursor().into_iter();
    cursor.flat_map(|cursor| [1, 2, 5].map(|n| (n, Fault::cursor_loop(cursor, n)))).collect()
}
