//! Rules 5, 8 and 9: timeouts, cancelling, the budget of a statement, and the account.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sessionql_core::http::{Client, RequestBudget, Scope};
use sessionql_plugin_abi::message::Rate;
use sessionql_plugin_abi::{Reason, WireError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Server, answer, fetch, get, json, open};

fn stalled_body() -> Reply {
    Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1".to_vec())
}

#[tokio::test]
async fn a_server_that_sends_no_head_times_out_and_is_retried() {
    let server = Server::start(|n, _| match n {
        0 | 1 => Reply::Stall(Vec::new()),
        _ => json("1"),
    })
    .await;
    let mut options = server.options();
    options.header_timeout = Duration::from_millis(100);
    assert_eq!(fetch(&open(options)).await.unwrap(), "1");
    assert_eq!(server.n_seen(), 3);
}

#[tokio::test]
async fn a_body_that_stands_still_times_out_and_is_retried() {
    let server = Server::start(|n, _| if n == 0 { stalled_body() } else { json("1") }).await;
    let mut options = server.options();
    options.body_timeout = Duration::from_millis(100);
    assert_eq!(fetch(&open(options)).await.unwrap(), "1");
    let server = Server::start(|_, _| stalled_body()).await;
    let mut options = server.options();
    options.timeout = Some(Duration::from_millis(30));
    let error = fetch(&open(options)).await.unwrap_err();
    assert_eq!(error.code, Reason::Unreachable);
    assert!(error.message.contains("silent for 30 ms after 2 bytes"), "{error}");
}

#[tokio::test]
async fn a_slow_drip_is_not_idle() {
    let server = Server::start(|_, _| {
        let mut pieces = vec![b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_vec()];
        pieces.extend("[1,2,3,45]".bytes().map(|byte| vec![byte]));
        Reply::Pieces(pieces, Duration::from_millis(40))
    })
    .await;
    let mut options = server.options();
    options.body_timeout = Duration::from_millis(200);
    assert_eq!(fetch(&open(options)).await.unwrap(), "[1,2,3,45]");
}

#[tokio::test]
async fn the_deadline_ends_a_request_in_flight() {
    let server = Server::start(|_, _| stalled_body()).await;
    let deadline = Some(Instant::now() + Duration::from_millis(100));
    let scope = Scope { deadline, ..Scope::default() };
    let error = server.client().send(&get("/rows"), &scope).await.unwrap_err();
    assert_eq!(error.code, Reason::Timeout);
    assert_eq!(server.n_seen(), 1);
}

async fn cancelled(client: &Client, wait: Duration) -> (WireError, Duration, Scope) {
    let cancel = CancellationToken::new();
    let scope = Scope { cancel: cancel.clone(), ..Scope::default() };
    let send = async { client.send(&get("/rows"), &scope).await.map(|_| ()).unwrap_err() };
    let stop = async {
        tokio::time::sleep(wait).await;
        cancel.cancel();
        Instant::now()
    };
    let (error, at) = tokio::join!(send, stop);
    let late = at.elapsed();
    (error, late, scope)
}

#[tokio::test]
async fn cancelling_closes_the_socket_at_once() {
    for reply in [Reply::Stall(Vec::new()), stalled_body()] {
        let server = Server::start(move |_, _| reply.clone()).await;
        let client = server.client();
        let (error, late, scope) = cancelled(&client, Duration::from_millis(100)).await;
        assert_eq!(error.code, Reason::Cancelled);
        assert!(late < Duration::from_millis(50), "{late:?}");
        for _ in 0..50 {
            if server.closed.load(Ordering::SeqCst) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(server.closed.load(Ordering::SeqCst), 1);
        // What was in flight is counted and listed.
        assert_eq!(scope.account.usage().requests, 1);
        assert_eq!(scope.account.finished().len(), 1);
    }
}

#[tokio::test]
async fn cancelling_ends_every_wait() {
    let server = Server::start(|_, _| answer(429, &[("retry-after", "600")], "")).await;
    let client = server.client();
    let (error, late, _) = cancelled(&client, Duration::from_millis(100)).await;
    assert_eq!((error.code, late < Duration::from_millis(50)), (Reason::Cancelled, true));
    // Now in the limiter, twice, one behind the other.
    let wait = Duration::from_millis(100);
    let (first, second) = tokio::join!(cancelled(&client, wait), cancelled(&client, wait));
    assert_eq!((first.0.code, second.0.code), (Reason::Cancelled, Reason::Cancelled));
    assert_eq!(server.n_seen(), 1);
}

#[tokio::test]
async fn nothing_is_sent_after_cancelling() {
    let server = Server::start(|_, _| json("1")).await;
    let scope = Scope::default();
    scope.cancel.cancel();
    let error = server.client().send(&get("/rows"), &scope).await.unwrap_err();
    assert_eq!(error.code, Reason::Cancelled);
    assert_eq!(server.n_seen(), 0);
}

#[tokio::test]
async fn the_budget_counts_retries_and_ends_in_a_gap() {
    let server = Server::start(|n, _| if n == 1 { answer(500, &[], "") } else { json("1") }).await;
    let client = server.client();
    let budget = Arc::new(RequestBudget::new(3));
    let scope = Scope { budget: Some(Arc::clone(&budget)), ..Scope::default() };
    client.send(&get("/rows"), &scope).await.unwrap();
    client.send(&get("/rows"), &scope).await.unwrap();
    let error = client.send(&get("/rows"), &scope).await.unwrap_err();
    assert_eq!(error.code, Reason::Budget);
    assert!(error.message.contains("budget of 3 requests"), "{error}");
    assert_eq!((server.n_seen(), budget.spent()), (3, 3));
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_allowed() {
    let server = Server::start(|_, _| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n".to_vec();
        Reply::Pieces(vec![head, b"1".to_vec()], Duration::from_millis(50))
    })
    .await;
    let mut options = server.options();
    options.max_concurrency = Some(2);
    let client = open(options);
    let began = Instant::now();
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { fetch(&client).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn limits_that_let_nothing_pass_are_refused() {
    let server = Server::start(|_, _| json("1")).await;
    let mut options = server.options();
    options.max_concurrency = Some(0);
    assert_eq!(Client::new(options).unwrap_err().code, Reason::Config);
    let mut options = server.options();
    options.rate_limit = Some(Rate { burst: 1, refill: 0, per_ms: 1 });
    assert_eq!(Client::new(options).unwrap_err().code, Reason::Config);
}

#[tokio::test]
async fn every_request_is_counted_and_timed() {
    let server = Server::start(|_, _| json("[1,2]")).await;
    let client = server.client();
    let scope = Scope::default();
    for _ in 0..3 {
        client.send(&get("/rows"), &scope).await.unwrap();
    }
    let usage = scope.account.usage();
    assert_eq!((usage.requests, usage.answers, usage.bytes, usage.retries), (3, 3, 15, 0));
    let finished = scope.account.finished();
    assert_eq!(finished.len(), 3);
    assert_eq!((finished[0].body_bytes, finished[0].status), (Some(5), Some(200)));
    assert!(finished[0].elapsed > Duration::ZERO);
    // One connection serves them all.
    assert_eq!(server.closed.load(Ordering::SeqCst), 0);
}

#[test]
fn sending_works_from_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async { Server::start(|_, _| json("1")).await.client() });
    let (request, scope) = (get("/rows"), Scope::default());
    is_send(&client.send(&request, &scope));
    let handle = runtime.handle().clone();
    let answer = std::thread::scope(|threads| {
        threads.spawn(|| handle.block_on(client.send(&request, &scope))).join()
    });
    assert_eq!(answer.unwrap().unwrap().head.status, 200);
}
