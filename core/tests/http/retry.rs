//! Rule 2: what is sent again, how often, and what is not.

use std::time::Duration;

use sessionql_core::http::Scope;
use sessionql_plugin_abi::Reason;

use crate::server::{Reply, Server, answer, fetch, get, json, open, post, text};

fn fails_then_answers(
    n_faults: usize,
    fault: Reply,
) -> impl Fn(usize, &crate::server::Seen) -> Reply {
    move |n, _| if n < n_faults { fault.clone() } else { json("[1]") }
}

#[tokio::test]
async fn transient_statuses_are_retried() {
    for status in [408, 500, 502, 503, 504, 520] {
        let server = Server::start(fails_then_answers(2, answer(status, &[], "down"))).await;
        let scope = Scope::default();
        let found = server.client().send(&get("/rows"), &scope).await.unwrap();
        assert_eq!(text(found), "[1]");
        let usage = scope.account.usage();
        assert_eq!((usage.requests, usage.retries, usage.answers), (3, 2, 1), "{status}");
        let finished = scope.account.finished();
        let statuses: Vec<_> = finished.iter().map(|request| request.status.unwrap()).collect();
        assert_eq!(statuses, [status, status, 200]);
        assert_eq!(finished[2].attempt, 3);
    }
}

#[tokio::test]
async fn attempts_end_after_eight() {
    let server = Server::start(|_, _| answer(503, &[], "<b>no\r\nluck</b>")).await;
    let error = fetch(&server.client()).await.unwrap_err();
    assert_eq!(error.code, Reason::ProviderError);
    assert!(error.retryable);
    assert_eq!(
        error.message,
        "connection `vpn`: `GET /rows` answered 503: `<b>no luck</b>` (attempt 8 of 8)"
    );
    assert_eq!(server.n_seen(), 8);
}

#[tokio::test]
async fn broken_connections_are_retried() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let faults = [
        Reply::Cut(Vec::new()),
        Reply::Cut(b"HTTP/1.1 200".to_vec()),
        Reply::Cut(b"nonsense\r\n\r\n".to_vec()),
        Reply::Cut(format!("{head}content-length: 10\r\n\r\n[1,").into_bytes()),
        Reply::Cut(format!("{head}transfer-encoding: chunked\r\n\r\n3\r\n[1]\r\n").into_bytes()),
        Reply::Cut(format!("{head}\r\n[1,").into_bytes()),
    ];
    for fault in faults {
        let server = Server::start(fails_then_answers(1, fault.clone())).await;
        assert_eq!(fetch(&server.client()).await.unwrap(), "[1]", "{fault:?}");
        assert_eq!(server.n_seen(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_said_to_be() {
    let server = Server::start(|_, _| json("[]")).await;
    let mut options = server.options();
    options.base_url = "http://127.0.0.1:1".into();
    let scope = Scope::default();
    let error = open(options).send(&get("/rows"), &scope).await.unwrap_err();
    assert_eq!(error.code, Reason::Unreachable);
    assert!(error.message.contains("connection refused"), "{error}");
    assert_eq!(scope.account.usage().requests, 8);
}

#[tokio::test]
async fn a_post_is_retried_only_if_it_is_safe() {
    for (path, n_requests) in [("/search", 8), ("/act", 1)] {
        let server = Server::start(|_, _| answer(500, &[], "")).await;
        let request = post(path, "{}");
        let error = server.client().send(&request, &Scope::default()).await.unwrap_err();
        assert_eq!(error.code, Reason::ProviderError);
        assert_eq!(server.n_seen(), n_requests, "{path}");
        assert_eq!(error.message.contains("not declared `safe`"), path == "/act");
    }
}

#[tokio::test]
async fn lasting_statuses_are_not_retried() {
    for status in [501, 505, 304, 300] {
        let server = Server::start(move |_, _| answer(status, &[], "")).await;
        let error = fetch(&server.client()).await.unwrap_err();
        assert_eq!(error.code, Reason::ProviderError, "{status}");
        assert!(!error.retryable);
        assert_eq!(server.n_seen(), 1);
    }
}

#[tokio::test]
async fn refusals_go_to_the_plugin() {
    for status in [400, 403, 404, 409, 410, 422] {
        let server =
            Server::start(move |_, _| answer(status, &[("x-why", "no")], "<p>why</p>")).await;
        let found = server.client().send(&get("/rows"), &Scope::default()).await.unwrap();
        assert_eq!(found.head.status, status);
        assert_eq!(found.head.headers, [("x-why".to_owned(), "no".to_owned())]);
        assert_eq!(text(found), "<p>why</p>");
        assert_eq!(server.n_seen(), 1);
    }
}

#[tokio::test]
async fn retries_stop_when_the_budget_of_the_connection_is_spent() {
    let server = Server::start(|_, _| answer(500, &[], "")).await;
    let mut options = server.options();
    options.retry.budget = 14 * 10;
    let client = open(options);
    let mut errors = Vec::new();
    for _ in 0..4 {
        errors.push(fetch(&client).await.unwrap_err().message);
    }
    // Seven retries, then three, then none.
    assert_eq!(server.n_seen(), 8 + 4 + 1 + 1);
    assert!(errors[3].contains("too many requests of this connection fail"), "{errors:?}");
}

#[tokio::test]
async fn a_retry_that_succeeds_gives_its_tokens_back() {
    let server =
        Server::start(|n, _| if n % 2 == 0 { answer(500, &[], "") } else { json("1") }).await;
    let mut options = server.options();
    options.retry.budget = 14;
    let client = open(options);
    for _ in 0..20 {
        assert_eq!(fetch(&client).await.unwrap(), "1");
    }
}

#[tokio::test]
async fn retry_after_is_a_floor_for_faults_too() {
    let fault = answer(503, &[("retry-after", "1")], "");
    let server = Server::start(fails_then_answers(1, fault)).await;
    let scope = Scope::default();
    server.client().send(&get("/rows"), &scope).await.unwrap();
    let seen = server.seen();
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(1));
    assert!(scope.account.usage().waited >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_failure_on_page_k_is_retried_as_page_k() {
    let server = Server::start(|n, seen| match n {
        2 => Reply::Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[".to_vec()),
        _ => json(&format!("\"{}\"", seen.target)),
    })
    .await;
    let client = server.client();
    for page in 1..=4 {
        let path = format!("/rows/{page}");
        let found = client.send(&get(&path), &Scope::default()).await.unwrap();
        assert_eq!(text(found), format!("\"{path}\""));
    }
    let targets: Vec<_> = server.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/rows/1", "/rows/2", "/rows/3", "/rows/3", "/rows/4"]);
}
