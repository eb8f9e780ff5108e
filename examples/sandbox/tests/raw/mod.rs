//! A client that speaks HTTP/1.1 over a bare socket, for testing the emulators without trusting a library.
//! In: a base URL and the lines of a request. Out: a `Reply` with what was really sent, or the socket's error.
//! Used by the tests of this package alone.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "a test binary may use only a part of it")]

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sessionql_sandbox::Clock;
use sessionql_sandbox::openvpn::{Emulator, Options, SessionRecord};
use sessionql_sandbox::server::{Api, Server};

/// What came back until the server closed the connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn length(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let json = self.json();
        let rows = json["sessions"].as_array().unwrap();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn cursor(&self) -> Option<String> {
        self.json().get("nextCursor").map(|cursor| cursor.as_str().unwrap().to_owned())
    }
}

/// Sends one request on a connection of its own and reads until its end.
pub(crate) fn try_send<A: Api>(
    emulator: &Server<A>,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(emulator.address())?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut request = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(request.as_bytes())?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    parse(&all)
}

fn parse(all: &[u8]) -> io::Result<Reply> {
    let end = all.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Reply { status, headers, body: all[end + 4..].to_vec() })
}

/// Sends a request that is expected to be answered.
pub(crate) fn send<A: Api>(
    emulator: &Server<A>,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    try_send(emulator, line, headers, body).unwrap()
}

/// Returns the value of a Basic `Authorization` header.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// Gets a token with Basic authentication, as a `Bearer` header's value.
pub(crate) fn token(emulator: &Emulator) -> String {
    let basic = basic(emulator.client_id(), emulator.client_secret());
    let headers = [("authorization", basic.as_str())];
    let reply = send(emulator, "POST /api/beta/oauth/token", &headers, "");
    assert_eq!(reply.status, 200);
    format!("Bearer {}", reply.json()["access_token"].as_str().unwrap())
}

/// Sends an authorised GET of a path and query.
pub(crate) fn get(emulator: &Emulator, path: &str) -> Reply {
    try_get(emulator, path).unwrap()
}

/// Sends an authorised GET of a path and query, which may fail.
pub(crate) fn try_get(emulator: &Emulator, path: &str) -> io::Result<Reply> {
    let token = token(emulator);
    try_send(emulator, &format!("GET {path}"), &[("authorization", token.as_str())], "")
}

/// Reads all pages from `path`, which has a query. Returns the ids of each page.
pub(crate) fn pages(emulator: &Emulator, path: &str) -> Vec<Vec<String>> {
    let (mut pages, mut url) = (Vec::new(), path.to_owned());
    loop {
        let reply = get(emulator, &url);
        assert_eq!(reply.status, 200, "{url}");
        pages.push(reply.ids());
        let Some(cursor) = reply.cursor() else { return pages };
        assert!(pages.len() < 10_000, "the pages do not end");
        url = format!("{path}&cursor={cursor}");
    }
}

/// A path that asks beta for all of the history that the tests use.
pub(crate) const ALL: &str = "/api/beta/sessions?size=100&startDate=2025-02-23T00:00:00Z";

/// Reads an instant.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Returns the clock that the tests live by.
pub(crate) fn clock() -> Clock {
    Clock::fixed(at("2025-03-01T12:00:00Z"))
}

/// Starts an emulator with sessions `s0`, `s1`, … one an hour from 2025-03-01T00:00, each of ten minutes.
pub(crate) fn hourly(n_sessions: u32) -> Emulator {
    let emulator = Emulator::start(Options::empty(clock())).unwrap();
    let session = |hour| {
        let start = at("2025-03-01T00:00:00Z") + TimeDelta::hours(hour);
        let end = start + TimeDelta::minutes(10);
        SessionRecord::completed(&format!("s{hour}"), "alice", start, end)
    };
    emulator.set_sessions((0..n_sessions.into()).map(session).collect());
    emulator
}

/// Starts an emulator with one record that was created on 25 February, updated on the 26th and last on the 28th.
pub(crate) fn touched() -> Emulator {
    let emulator = Emulator::start(Options::empty(clock())).unwrap();
    let mut session = SessionRecord::active("t", "alice", at("2025-02-25T09:00:00Z"));
    session.touch(at("2025-02-26T09:00:00Z"));
    session.touch(at("2025-02-28T09:00:00Z"));
    emulator.upsert(session);
    emulator
}

/// Returns the parameter that a 400 complains about.
pub(crate) fn refused_field(reply: &Reply) -> String {
    assert_eq!(reply.status, 400);
    let json = reply.json();
    assert_eq!(json["statusError"], "Bad Request");
    json["errorDetails"].as_object().unwrap().keys().next().unwrap().clone()
}
