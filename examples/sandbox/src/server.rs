//! The loopback HTTP/1.1 server that every emulator shares.
//! In: an `Api`, which answers one request at a time. Out: a `Server` with a base URL, its recorder, its faults and its hooks.
//! Runs on a thread of its own with a runtime of its own, so that synchronous and asynchronous tests may use it.
//! It listens on 127.0.0.1 alone and knows nothing of any provider.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::{fmt, io};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::faults::{Faults, Outgoing, http_date};
use crate::lock;
use crate::message::{Answer, Kind, Request, decode_query};
use crate::record::{Recorded, Recorder};
use crate::wire::{self, Script};

/// Bodies shorter than this are not compressed.
const MIN_GZIP_BYTES: usize = 1024;

/// A provider's API, as one emulator plays it.
pub trait Api: Send + Sync + 'static {
    /// Sorts a request by its method and path. Whatever is not known is a violation.
    fn kind(&self, method: &str, path: &str) -> Kind;

    /// Answers a request, violations included. Called on the server's thread; must not block.
    fn answer(&self, request: &Request) -> Answer;

    /// Returns the clock that dates the answers and the recorded requests.
    fn clock(&self) -> &Clock;

    /// Returns whether long bodies are compressed for clients that accept it.
    fn compresses(&self) -> bool {
        true
    }
}

/// Something that happens just before a data request.
type Hook<A> = Box<dyn FnOnce(&A) + Send>;

/// A running emulator. Derefs to its API, through which a test changes what the provider holds. Stops when dropped.
pub struct Server<A: Api> {
    desk: Arc<Desk<A>>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the connections share.
struct Desk<A> {
    api: A,
    recorder: Recorder,
    faults: Faults,
    hooks: Mutex<Vec<(usize, Hook<A>)>>,
}

impl<A: Api> Server<A> {
    /// Serves an API on 127.0.0.1; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken, or the system has no socket or no thread left.
    pub fn serve(api: A, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk {
            api,
            recorder: Recorder::default(),
            faults: Faults::default(),
            hooks: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let accepting = Arc::clone(&desk);
        let thread = std::thread::Builder::new()
            .name(format!("sandbox {}", address.port()))
            .spawn(move || {
                // An accept loop that fails leaves its clients with refused connections, which is what they test for.
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        _ = accept(listener, accepting) => {}
                    }
                });
            })?;
        Ok(Self { desk, address, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the API's base, such as `http://127.0.0.1:40123`, without a slash at its end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the plan of what goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.desk.faults
    }

    /// Runs `hook` just before the data request of this number (from 1) is looked at, faults included.
    pub fn on_request(&self, number: usize, hook: impl FnOnce(&A) + Send + 'static) {
        lock(&self.desk.hooks).push((number, Box::new(hook)));
    }

    /// Returns all requests since the start or the last `clear`.
    pub fn requests(&self) -> Vec<Recorded> {
        self.desk.recorder.requests()
    }

    /// Returns the requests that read sessions.
    pub fn data_requests(&self) -> Vec<Recorded> {
        self.desk.recorder.of_kind(Kind::Data)
    }

    /// Returns the requests for access tokens.
    pub fn token_requests(&self) -> Vec<Recorded> {
        self.desk.recorder.of_kind(Kind::Token)
    }

    /// Returns the requests that no reader of sessions has any business sending.
    pub fn violations(&self) -> Vec<Recorded> {
        self.desk.recorder.of_kind(Kind::Violation)
    }

    /// Forgets the recorded requests and what was planned for later ones: faults and hooks. Numbers start again at 1.
    pub fn clear(&self) {
        self.desk.recorder.clear();
        self.desk.faults.clear();
        lock(&self.desk.hooks).clear();
    }
}

impl<A: Api> Deref for Server<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.desk.api
    }
}

impl<A: Api> Drop for Server<A> {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already; then nobody is there to be told.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            // A panic in a hook was shown when it happened.
            thread.join().ok();
        }
    }
}

impl<A: Api> fmt::Debug for Server<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Accepts connections for ever.
async fn accept<A: Api>(listener: TcpListener, desk: Arc<Desk<A>>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            // A client that goes away is no concern of a server's.
            converse(stream, desk).await.ok();
        });
    }
}

/// Serves one connection until the client closes it or a script ends it.
async fn converse<A: Api>(stream: TcpStream, desk: Arc<Desk<A>>) -> io::Result<()> {
    let script: Arc<Mutex<Option<Script>>> = Arc::default();
    let parked = Arc::clone(&script);
    let service = service_fn(move |incoming: hyper::Request<Incoming>| {
        let (desk, parked) = (Arc::clone(&desk), Arc::clone(&parked));
        let respond = async move {
            let (parts, body) = incoming.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            match desk.respond(&parts.method, &parts.uri, parts.headers, body) {
                Outgoing::Answer(answer) => Ok(proper(answer, desk.api.clock())),
                Outgoing::Script(script) => {
                    // The error makes hyper let go of the connection without a word.
                    *lock(&parked) = Some(script);
                    Err(io::Error::other("a script takes the connection over"))
                }
            }
        };
        Box::pin(respond) as Pin<Box<dyn Future<Output = io::Result<_>> + Send>>
    });
    let mut connection = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    let script = lock(&script).take();
    match script {
        Some(script) => wire::play(stream, script).await,
        None => ended.map_err(io::Error::other),
    }
}

impl<A: Api> Desk<A> {
    /// Counts, records and answers one request.
    fn respond(
        &self,
        method: &hyper::Method,
        uri: &hyper::Uri,
        headers: hyper::HeaderMap,
        body: Bytes,
    ) -> Outgoing {
        let kind = self.api.kind(method.as_str(), uri.path());
        let number = self.recorder.count(kind);
        if kind == Kind::Data {
            for hook in self.take_hooks(number) {
                hook(&self.api);
            }
        }
        let request = Arc::new(Request {
            kind,
            number,
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: decode_query(uri.query().unwrap_or_default()),
            headers,
            body,
            at: self.api.clock().now(),
        });
        let ticket = self.recorder.push(Arc::clone(&request));
        let mut outgoing = match self.faults.take(&request) {
            Some(fault) => fault.apply(&request, || self.api.answer(&request)),
            None => Outgoing::Answer(self.api.answer(&request)),
        };
        let status = match &mut outgoing {
            Outgoing::Answer(answer) => {
                if self.api.compresses() {
                    compress(answer, &request);
                }
                Some(answer.status)
            }
            Outgoing::Script(script) => script.status,
        };
        if let Some(status) = status {
            self.recorder.set_status(ticket, status);
        }
        outgoing
    }

    fn take_hooks(&self, number: usize) -> Vec<Hook<A>> {
        let mut hooks = lock(&self.hooks);
        hooks.extract_if(.., |(on, _)| *on == number).map(|(_, hook)| hook).collect()
    }
}

/// Compresses a long body for a client that accepts it.
fn compress(answer: &mut Answer, request: &Request) {
    let wanted = answer.body.len() >= MIN_GZIP_BYTES && request.accepts_gzip();
    if wanted
        && !answer.has_header("content-encoding")
        && let Ok(body) = wire::gzip(&answer.body)
    {
        answer.body = body.into();
        answer.push(&header::CONTENT_ENCODING, "gzip");
    }
}

/// Turns an answer into a response in proper HTTP.
fn proper(answer: Answer, clock: &Clock) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::new(answer.body));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status)
        .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    if let Ok(date) = HeaderValue::try_from(http_date(clock.now())) {
        headers.entry(header::DATE).or_insert(date);
    }
    response
}
