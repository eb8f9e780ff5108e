//! A server on loopback that answers as a test tells it to, byte by byte if need be, and records
//! what it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessionql_core::http::{Answer, Client, HttpOptions, Scope};
use sessionql_plugin_abi::WireError;
use sessionql_plugin_abi::message::{HttpRequest, Pattern};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Writes the pieces with a pause before each but the first, and keeps the connection.
    Pieces(Vec<Vec<u8>>, Duration),
    /// Writes the bytes and closes the connection.
    Cut(Vec<u8>),
    /// Writes the bytes and nothing more.
    Stall(Vec<u8>),
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut head = format!("HTTP/1.1 {status} Some Reason\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    Reply::Pieces(vec![format!("{head}\r\n{body}").into_bytes()], Duration::ZERO)
}

pub(crate) fn json(body: &str) -> Reply {
    answer(200, &[("content-type", "application/json")], body)
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) closed: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server that answers request number `n`, from 0, with `reply(n, request)`.
    pub(crate) async fn start(
        reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, seen: Arc::default(), closed: Arc::default() };
        let (shared, reply) = (server.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, reply) = (shared.clone(), Arc::clone(&reply));
                tokio::spawn(async move {
                    serve(stream, &shared, &*reply).await;
                    shared.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn n_seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Returns options with two patterns and waits that are short.
    pub(crate) fn options(&self) -> HttpOptions {
        let mut options = HttpOptions::new("vpn", format!("http://127.0.0.1:{}", self.port));
        options.patterns = vec![
            pattern("GET", "/rows"),
            pattern("GET", "/rows/{id}"),
            Pattern { safe: true, ..pattern("POST", "/search") },
            pattern("POST", "/act"),
        ];
        options.retry.fault_base = Duration::from_millis(1);
        options.retry.fault_cap = Duration::from_millis(5);
        options
    }

    pub(crate) fn client(&self) -> Client {
        open(self.options())
    }
}

async fn serve(
    mut stream: TcpStream,
    server: &Server,
    reply: &(dyn Fn(usize, &Seen) -> Reply + Send + Sync),
) {
    let mut buffer = Vec::new();
    while let Some(seen) = read_request(&mut stream, &mut buffer).await {
        let n = {
            let mut all = server.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        match reply(n, &seen) {
            Reply::Pieces(pieces, pause) => {
                for (n, piece) in pieces.iter().enumerate() {
                    if n > 0 {
                        tokio::time::sleep(pause).await;
                    }
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                }
            }
            Reply::Cut(bytes) => {
                drop(stream.write_all(&bytes).await);
                return;
            }
            Reply::Stall(bytes) => {
                drop(stream.write_all(&bytes).await);
                let mut rest = [0; 64];
                while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(buffer.drain(..length).collect()).unwrap();
    let (method, target) = (first.next()?, first.next()?);
    Some(Seen { method, target, headers, body, at: Instant::now() })
}

pub(crate) fn pattern(method: &str, path: &str) -> Pattern {
    let content_type = "application/json".to_owned();
    Pattern { method: method.into(), path: path.into(), content_type, ..Pattern::default() }
}

pub(crate) fn get(path: &str) -> HttpRequest {
    HttpRequest { method: "GET".into(), path: path.into(), ..HttpRequest::default() }
}

pub(crate) fn post(path: &str, body: &str) -> HttpRequest {
    let body = Some(body.to_owned());
    HttpRequest { method: "POST".into(), path: path.into(), body, ..HttpRequest::default() }
}

pub(crate) fn open(options: HttpOptions) -> Client {
    Client::new(options).unwrap().0
}

pub(crate) fn text(answer: Answer) -> String {
    let mut body = answer.body;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next_piece().unwrap() {
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(bytes.len() as u64, answer.head.body_len);
    String::from_utf8(bytes).unwrap()
}

pub(crate) async fn fetch(client: &Client) -> Result<String, WireError> {
    client.send(&get("/rows"), &Scope::default()).await.map(text)
}
