//! A server of ready pages for benchmarks, in a process of its own: the benchmark's program, started
//! with the argument `serve`. What it serves is the API of `openvpn`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at what it did not expect, and tells its address"
)]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// How many sessions there are.
pub const N_ROWS: usize = 1_000_000;
/// How many are on a page.
pub const PAGE_ROWS: usize = 100;
/// Over how many scans the sessions with a status are spread.
pub const N_AT_ONCE: usize = 64;

/// Tells whether this process is to serve.
pub fn is_server() -> bool {
    std::env::args().any(|argument| argument == "serve")
}

/// The process that serves pages.
pub struct Server {
    child: Child,
    base_url: String,
}

impl Server {
    /// Starts this program anew as a server.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut base_url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut base_url).unwrap();
        Self { child, base_url: base_url.trim().to_owned() }
    }

    /// Returns the configuration of a connection to it.
    pub fn config(&self) -> String {
        format!(
            "[connections.openvpn]\nplugin = \"openvpn\"\nbase_url = \"{}\"\nclient_id = \"x\"\n\
             client_secret = \"y\"\nrate_limit = {{ burst = 1000000, refill = 1000000, per = \"1s\" }}\n",
            self.base_url
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Serves a token and pages until it is killed. The cursor is the number of the page.
///
/// # Panics
/// If no loopback socket is free.
pub fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        stream.set_nodelay(true).unwrap();
        std::thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            line.clear();
        }
        let body = match first.contains("/oauth/token") {
            true => r#"{"access_token":"t","token_type":"bearer","expires_in":43199}"#.to_owned(),
            false => page(&first),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn page(request: &str) -> String {
    let number = |after: &str| {
        let digits = request.split_once(after)?.1;
        let end = digits.find(|character: char| !character.is_ascii_digit())?;
        digits[..end].parse::<usize>().ok()
    };
    let page = number("cursor=").unwrap_or(0);
    // What many scans read at once, each its part of the pages.
    let n_rows = match request {
        request if request.contains("status=ACTIVE") => N_ROWS / 10 / N_AT_ONCE,
        request if request.contains("status=COMPLETED") => N_ROWS / N_AT_ONCE,
        _ => N_ROWS,
    };
    let mut body = String::with_capacity(100_000);
    body.push_str(r#"{"sessions":["#);
    for n in page * PAGE_ROWS..(page + 1) * PAGE_ROWS {
        let comma = if n % PAGE_ROWS == 0 { "" } else { "," };
        let user = n % 1000;
        let status = if request.contains("status=ACTIVE") { "ACTIVE" } else { "COMPLETED" };
        write!(
            body,
            r#"{comma}{{"bytesIn":{n},"bytesOut":77,"clientUUID":"6f1a0c2e-8a51-4b0e-{n:012}","deviceId":"device-{user}","deviceName":"ada's laptop","disconnectReason":"CLIENT_DISCONNECT","email":"user{user}@example.com","firstName":"Ada","id":"{n:024x}","lastName":"Example","osType":"LINUX","osVersion":"6.8.0","protocol":"UDP","publicIp":"192.0.2.17","region":"eu-central-1","sessionDurationSeconds":3600,"sessionEndTime":"2026-03-14T11:00:00.250Z","sessionStartTime":"2026-03-14T10:00:00.250Z","status":"{status}","tunnelIpV4":"100.96.0.2","tunnelIpV6":"fd:0:0:8101::2","userGroup":"staff","userId":"user-{user}","userName":"user{user}"}}"#
        )
        .unwrap();
    }
    body.push(']');
    if (page + 1) * PAGE_ROWS < n_rows {
        write!(body, r#","nextCursor":"{}""#, page + 1).unwrap();
    }
    body.push('}');
    body
}
