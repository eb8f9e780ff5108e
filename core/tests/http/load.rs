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

/// What each answer says of the limit.
#[derive(Clone, Copy)]
enum Tells {
    Bucket,
    Nothing,
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
async fn read_all(burst: u32, per_second: u32, tells: Tells) -> (Tally, Duration) {
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
        let headers = match tells {
            Tells::Bucket => &headers[..],
            Tells::Nothing => &[],
        };
        let mut tally = seen.lock().unwrap();
        match left {
            Some(_) => tally.accepted.push(now),
            None => tally.throttled.push(now),
        }
        answer(if left.is_some() { 200 } else { 429 }, headers, "1")
    })
    .await;
    let elapsed = send_all(&server).await;
    let tally = std::mem::take(&mut *tally.lock().unwrap());
    (tally, elapsed)
}

/// Asks for all pages by 64 scans at once; returns how long it took.
async fn send_all(server: &Server) -> Duration {
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
    began.elapsed()
}

/// A limit that every answer tells is kept once one has told it: only what was in flight before the
/// first answer meets it. Nearly all that is allowed is used.
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_told_is_kept_and_used() {
    for (burst, per_second) in [(20, 50), (1, 5), (100, 10), (64, 200), (5, 1_000)] {
        let (tally, elapsed) = read_all(burst, per_second, Tells::Bucket).await;
        let what = format!("burst {burst}, {per_second}/s");
        assert_eq!(tally.accepted.len(), N_PAGES, "{what}");
        let n_throttled = tally.throttled.len();
        assert!(n_throttled < N_SCANS, "{what}: {n_throttled} throttled");
        let began = tally.accepted[0];
        let late = tally.throttled.iter().find(|at| **at - began > Duration::from_secs(1));
        assert_eq!(late.map(|at| *at - began), None, "{what}");
        let allowed = f64::from(burst) + elapsed.as_secs_f64() * f64::from(per_second);
        let used = N_PAGES as f64 / allowed;
        assert!(used >= 0.9, "{what}: {:.1} % of what is allowed was used", used * 100.0);
    }
}

/// A limit that nobody tells is felt for: it costs throttled requests, but few of them, and hardly
/// any once it was found.
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_not_told_is_felt_for() {
    for (burst, per_second) in [(20, 50), (1, 5), (100, 10), (64, 200)] {
        let (tally, elapsed) = read_all(burst, per_second, Tells::Nothing).await;
        let what = format!("burst {burst}, {per_second}/s");
        assert_eq!(tally.accepted.len(), N_PAGES, "{what}");
        let n_throttled = tally.throttled.len();
        let n_late = tally
            .throttled
            .iter()
            .filter(|at| **at - tally.accepted[0] > Duration::from_secs(60))
            .count();
        assert!(n_throttled <= N_PAGES / 50, "{what}: {n_throttled} throttled");
        assert!(n_late <= N_PAGES / 300, "{what}: {n_late} throttled after a minute");
        let allowed = f64::from(burst) + elapsed.as_secs_f64() * f64::from(per_second);
        let used = N_PAGES as f64 / allowed;
        assert!(used >= 0.75, "{what}: {:.1} % of what is allowed was used", used * 100.0);
    }
}

/// A window (so many requests a minute) that answers tell is kept: after the first minute none is
/// sent that it does not hold.
#[tokio::test(start_paused = true)]
async fn a_window_that_is_told_is_kept_and_used() {
    let (n_allowed, minute) = (600, Duration::from_secs(60));
    let state = Mutex::new((0_u32, None::<Instant>));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let seen = Arc::clone(&tally);
    let server = Server::start(move |_, _| {
        let now = Instant::now();
        let (used, began) = &mut *state.lock().unwrap();
        if began.is_none_or(|began| now - began >= minute) {
            (*used, *began) = (0, Some(now));
        }
        let is_allowed = *used < n_allowed;
        *used += u32::from(is_allowed);
        let left = began.map_or(minute, |began| minute - (now - began));
        let (remaining, reset) = (n_allowed - *used, left.as_secs_f64().ceil());
        let mut tally = seen.lock().unwrap();
        let status = if is_allowed { 200 } else { 429 };
        if is_allowed { &mut tally.accepted } else { &mut tally.throttled }.push(now);
        let headers = [
            ("x-ratelimit-limit", n_allowed.to_string()),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset", reset.to_string()),
        ];
        answer(status, &headers.each_ref().map(|(name, value)| (*name, value.as_str())), "1")
    })
    .await;
    let elapsed = send_all(&server).await;
    let tally = std::mem::take(&mut *tally.lock().unwrap());
    assert_eq!(tally.accepted.len(), N_PAGES);
    assert_eq!(tally.throttled.len(), 0);
    let n_windows = N_PAGES.div_ceil(n_allowed as usize);
    // A reset is told in whole seconds.
    let most = (minute + Duration::from_secs(2)) * u32::try_from(n_windows).unwrap();
    assert!(elapsed <= most, "{elapsed:?} for {n_windows} windows");
}
