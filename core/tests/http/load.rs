//! Rule 3 under load: many scans at once on one connection, against a server that keeps a rate. On
//! paused time, so the figures are those of the limiter alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::server::{Server, answer, get, open};

const N_SCANS: usize = 64;
const N_PAGES: usize = 10_000;

/// What the server allows.
struct Allowed {
    burst: f64,
    per_second: f64,
    tokens: f64,
    filled: Option<Instant>,
}

/// What the server saw.
#[derive(Default)]
struct Tally {
    accepted: Vec<Instant>,
    throttled: Vec<Instant>,
}

impl Allowed {
    /// Takes a token; returns how many whole ones are left, or nothing if there was none.
    fn take(&mut self, now: Instant) -> Option<f64> {
        let filled = self.filled.replace(now).unwrap_or(now);
        let gained = (now - filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.burst);
        (self.tokens >= 1.0).then(|| {
            self.tokens -= 1.0;
            self.tokens.floor()
        })
    }
}

/// Reads all pages by 64 scans at once. Returns what the server saw and how long it took.
async fn read_all(burst: u32, per_second: u32, tells_limit: bool) -> (Tally, Duration) {
    let (full, rate) = (f64::from(burst), f64::from(per_second));
    let state = Mutex::new(Allowed { burst: full, per_second: rate, tokens: full, filled: None });
    let tally = Arc::new(Mutex::new(Tally::default()));
    let seen = Arc::clone(&tally);
    let server = Server::start(move |_, _| {
        let now = Instant::now();
        let left = state.lock().unwrap().take(now);
        let remaining = left.unwrap_or_default().to_string();
        let (capacity, replenish) = (burst.to_string(), per_second.to_string());
        let headers = [
            ("x-ratelimit-remaining", remaining.as_str()),
            ("x-ratelimit-burst-capacity", capacity.as_str()),
            ("x-ratelimit-replenish-rate", replenish.as_str()),
            ("x-ratelimit-replenish-time", "1"),
        ];
        let headers = if tells_limit { &headers[..] } else { &[] };
        let mut tally = seen.lock().unwrap();
        match left {
            Some(_) => tally.accepted.push(now),
            None => tally.throttled.push(now),
        }
        answer(if left.is_some() { 200 } else { 429 }, headers, "1")
    })
    .await;
    let mut options = server.options();
    options.timeout = Some(Duration::from_secs(360_000));
    let client = open(options);
    let began = Instant::now();
    let scans = (0..N_SCANS).map(|scan| {
        let client = client.clone();
        tokio::spawn(async move {
            for _ in (scan..N_PAGES).step_by(N_SCANS) {
                client.send(&get("/rows"), &sessionql_core::http::Scope::default()).await.unwrap();
            }
        })
    });
    for scan in scans.collect::<Vec<_>>() {
        scan.await.unwrap();
    }
    let elapsed = began.elapsed();
    let tally = std::mem::take(&mut *tally.lock().unwrap());
    (tally, elapsed)
}

/// The limit is in every answer: few requests meet it, most of them those that were in flight before
/// the first answers, and most of what is allowed is used.
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_told_is_kept_and_used() {
    let (burst, per_second) = (20, 50);
    let (tally, elapsed) = read_all(burst, per_second, true).await;
    assert_eq!(tally.accepted.len(), N_PAGES);
    let share = tally.throttled.len() as f64 / N_PAGES as f64;
    assert!(share <= 0.05, "{} throttled of {N_PAGES}", tally.throttled.len());
    let allowed = f64::from(burst) + elapsed.as_secs_f64() * f64::from(per_second);
    let used = N_PAGES as f64 / allowed;
    assert!(used >= 0.75, "{:.0} % of what is allowed was used", used * 100.0);
}

/// A limit that nobody tells is felt for: it costs throttled requests, but few of them.
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_not_told_is_felt_for() {
    let (tally, _) = read_all(20, 50, false).await;
    assert_eq!(tally.accepted.len(), N_PAGES);
    let share = tally.throttled.len() as f64 / N_PAGES as f64;
    assert!(share <= 0.05, "{} throttled of {N_PAGES}", tally.throttled.len());
}
