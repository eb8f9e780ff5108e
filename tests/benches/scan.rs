//! Measures scans of many sessions through plugin, host and engine, against a server of ready pages
//! in a process of its own: `cargo bench -p sessionql-tests --bench scan`.
//! Prints rows per second of this process's CPU time, all threads together, and how far its resident
//! memory rose over that of the idle engine. At the end many scans read at once, a tenth of the pages
//! first, to show what of the memory grows with the rows.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints what it measured and stops at what it did not expect"
)]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_tests::{BEGIN, engine, instant};

const N_ROWS: usize = 1_000_000;
const PAGE_ROWS: usize = 100;
const N_AT_ONCE: usize = 64;

fn main() {
    if std::env::args().any(|argument| argument == "serve") {
        return serve();
    }
    let server = Server::start();
    let engine = engine(&server.config(), &Clock::fixed(instant(BEGIN)));
    // Loads the plugin, opens the connection, fetches a token.
    read(&engine, "SELECT id FROM openvpn LIMIT 1");
    let idle = memory_kib("VmRSS");
    println!("idle engine: {} MB resident", mb(idle));
    for query in [
        "SELECT count(*) FROM openvpn",
        "SELECT id, user, start, \"end\" FROM openvpn",
        "SELECT * FROM openvpn",
        "SELECT user, count(*), max(start) FROM openvpn GROUP BY user",
    ] {
        // The high-water mark begins anew.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let (cpu, begin) = (cpu_seconds(), Instant::now());
        read(&engine, query);
        let (cpu, wall) = (cpu_seconds() - cpu, begin.elapsed().as_secs_f64());
        let rise = memory_kib("VmHWM").saturating_sub(idle);
        println!(
            "{query}\n    {:.0} thousand rows a second of CPU, {wall:.1} s, {} MB over idle",
            N_ROWS as f64 / cpu / 1e3,
            mb(rise),
        );
    }
    for (status, n_rows) in [("ACTIVE", N_ROWS / 10), ("COMPLETED", N_ROWS)] {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let query = format!("SELECT id, user, start FROM openvpn WHERE status = '{status}'");
        let begin = Instant::now();
        std::thread::scope(|threads| {
            for _ in 0..N_AT_ONCE {
                threads.spawn(|| read(&engine, &query));
            }
        });
        let wall = begin.elapsed().as_secs_f64();
        let rise = memory_kib("VmHWM").saturating_sub(idle);
        println!(
            "{N_AT_ONCE} scans at once, {} pages: {wall:.1} s, {} MB over idle",
            n_rows / PAGE_ROWS,
            mb(rise)
        );
    }
}

/// Reads all rows of a query, as a printer would, and drops them.
fn read(engine: &Engine, query: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let statements = engine.parse(query).unwrap();
        let options = ExecuteOptions::default();
        let mut outcome = engine.execute(query, &statements[0], &options).await.unwrap();
        while let Some(rows) = outcome.next().await {
            rows.unwrap();
        }
        assert!(outcome.completeness().is_complete());
    });
}

/// The process that serves pages.
struct Server {
    child: Child,
    base_url: String,
}

impl Server {
    fn start() -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut base_url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut base_url).unwrap();
        Self { child, base_url: base_url.trim().to_owned() }
    }

    fn config(&self) -> String {
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
fn serve() {
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

/// Returns the CPU time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |idx: usize| fields[idx].parse::<f64>().unwrap();
    // Fields 14 and 15 of proc(5), in ticks of 10 ms.
    (ticks(11) + ticks(12)) / 100.0
}

fn memory_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn mb(kib: u64) -> u64 {
    kib * 1024 / 1_000_000
}
