//! Rule 4: credentials, tokens, and that no secret is ever said.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sessionql_core::http::{Client, Credentials, HttpOptions, Scope};
use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::{CredentialPlacement, HttpRequest};

use crate::server::{Reply, Seen, Server, answer, fetch, get, json, open};

const SECRET: &str = "s3cr&t value";

fn oauth(server: &Server, placement: CredentialPlacement) -> HttpOptions {
    let mut options = server.options();
    options.auth = Credentials::OAuth2ClientCredentials {
        token_path: "/oauth/token".into(),
        client_id: "me".into(),
        client_secret: SECRET.into(),
        placement,
        scope: Some("read".into()),
    };
    options
}

fn is_token_request(seen: &Seen) -> bool {
    seen.target.starts_with("/oauth/token")
}

/// A server whose tokens are `t1`, `t2`, …; `reply` answers the data requests.
async fn token_server(
    life: &'static str,
    reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> Server {
    let n_tokens = std::sync::atomic::AtomicUsize::new(0);
    Server::start(move |_, seen| {
        if !is_token_request(seen) {
            return reply(seen);
        }
        let n = n_tokens.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        json(&format!(r#"{{"access_token":"t{n}","token_type":"Bearer"{life}}}"#))
    })
    .await
}

fn n_token_requests(server: &Server) -> usize {
    server.seen().iter().filter(|seen| is_token_request(seen)).count()
}

#[tokio::test]
async fn fixed_credentials_are_sent() {
    let cases: [(Credentials, &str, &str); 3] = [
        (
            Credentials::Basic { username: "ann".into(), password: "p:w".into() },
            "authorization",
            "Basic YW5uOnA6dw==",
        ),
        (Credentials::Bearer { token: "abc".into() }, "authorization", "Bearer abc"),
        (Credentials::Header { header: "X-API-KEY".into(), value: "k1".into() }, "x-api-key", "k1"),
    ];
    for (auth, name, value) in cases {
        let server = Server::start(|_, _| json("1")).await;
        fetch(&open(HttpOptions { auth, ..server.options() })).await.unwrap();
        assert_eq!(server.seen()[0].header(name), Some(value));
    }
}

#[tokio::test]
async fn a_401_without_a_token_is_an_auth_error_at_once() {
    let server = Server::start(|_, _| answer(401, &[], "bad password 'hunter22'")).await;
    let auth = Credentials::Basic { username: "ann".into(), password: "hunter22".into() };
    let error = fetch(&open(HttpOptions { auth, ..server.options() })).await.unwrap_err();
    assert_eq!(error.code, Reason::Auth);
    assert_eq!(error.message, "connection `vpn`: `GET /rows` answered 401: `bad password '***'`");
    assert!(error.hint.unwrap().contains("user name and password"));
    assert_eq!(server.n_seen(), 1);
}

#[tokio::test]
async fn id_and_secret_go_where_they_are_declared_to_go() {
    use CredentialPlacement::{Basic, Form, Json, Query};
    for placement in [Query, Form, Basic, Json] {
        let server = token_server("", |_| json("1")).await;
        fetch(&open(oauth(&server, placement))).await.unwrap();
        let seen = server.seen();
        assert_eq!((seen.len(), seen[0].method.as_str()), (2, "POST"));
        assert_eq!(seen[1].header("authorization"), Some("Bearer t1"));
        let form =
            "grant_type=client_credentials&client_id=me&client_secret=s3cr%26t+value&scope=read";
        match placement {
            Query => {
                assert_eq!(seen[0].target, format!("/oauth/token?{form}"));
                assert_eq!(seen[0].header("content-length"), Some("0"));
            }
            Form => assert_eq!(seen[0].body, form),
            Basic => {
                assert_eq!(seen[0].body, "grant_type=client_credentials&scope=read");
                let pair = "Basic bWU6czNjciUyNnQrdmFsdWU=";
                assert_eq!(seen[0].header("authorization"), Some(pair));
            }
            Json => {
                let wanted = r#"{"grant_type":"client_credentials","client_id":"me","client_secret":"s3cr&t value","scope":"read"}"#;
                assert_eq!(seen[0].body, wanted);
            }
        }
    }
}

#[tokio::test]
async fn one_renewal_serves_all_who_need_it() {
    let server = token_server("", |seen| match seen.header("authorization") {
        Some("Bearer t2") => json("1"),
        _ => answer(401, &[], ""),
    })
    .await;
    let client = open(oauth(&server, CredentialPlacement::Form));
    let scope = Arc::new(Scope::default());
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (client, scope) = (client.clone(), Arc::clone(&scope));
            tokio::spawn(async move { client.send(&get("/rows"), &scope).await.map(|_| ()) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(n_token_requests(&server), 2);
    let usage = scope.account.usage();
    assert_eq!((usage.requests, usage.token_requests, usage.retries), (16, 2, 8));
}

#[tokio::test]
async fn a_second_401_is_an_auth_error() {
    let server = token_server("", |_| answer(401, &[], "")).await;
    let error = fetch(&open(oauth(&server, CredentialPlacement::Form))).await.unwrap_err();
    assert_eq!(error.code, Reason::Auth);
    assert!(error.message.contains("also with a new token"), "{error}");
    assert_eq!((n_token_requests(&server), server.n_seen()), (2, 4));
}

#[tokio::test]
async fn each_request_of_a_long_scan_may_renew_once() {
    let n_asked = std::sync::atomic::AtomicUsize::new(0);
    let server = token_server("", move |_| {
        let n = n_asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if n.is_multiple_of(2) { answer(401, &[], "") } else { json("1") }
    })
    .await;
    let client = open(oauth(&server, CredentialPlacement::Form));
    for _ in 0..3 {
        fetch(&client).await.unwrap();
    }
    assert_eq!(n_token_requests(&server), 4);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_a_minute_early() {
    for life in [r#","expires_in":3600"#, r#","expires_in":"3600""#] {
        let server = token_server(life, |_| json("1")).await;
        let mut options = oauth(&server, CredentialPlacement::Form);
        options.timeout = Some(Duration::from_secs(1_000_000));
        let client = open(options);
        fetch(&client).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3530)).await;
        fetch(&client).await.unwrap();
        assert_eq!(n_token_requests(&server), 1);
        tokio::time::sleep(Duration::from_secs(15)).await;
        fetch(&client).await.unwrap();
        assert_eq!(n_token_requests(&server), 2);
    }
}

#[tokio::test]
async fn refused_credentials_are_said_with_a_hint_and_without_the_secret() {
    for status in [400, 401, 403] {
        let server = Server::start(move |_, seen| {
            answer(
                status,
                &[],
                &format!(
                    r#"{{"error":"invalid_client","error_description":"{} {}"}}"#,
                    SECRET, seen.body
                ),
            )
        })
        .await;
        let client = open(oauth(&server, CredentialPlacement::Query));
        let scope = Scope::default();
        let error = client.send(&get("/rows"), &scope).await.unwrap_err();
        assert_eq!(error.code, Reason::Auth);
        assert!(error.message.contains("invalid_client"), "{error}");
        assert!(error.hint.as_deref().unwrap().contains("`client_id` and `client_secret`"));
        let said = format!("{error:?} {:?}", scope.account.finished());
        assert!(!said.contains("s3cr"), "{said}");
        assert!(said.contains("client_secret=***"), "{said}");
        assert_eq!(server.n_seen(), 1);
        let usage = scope.account.usage();
        assert_eq!((usage.requests, usage.token_requests), (0, 1));
    }
}

#[tokio::test]
async fn false_answers_to_token_requests_are_retried_and_named() {
    let cases = [
        ("", "an empty body", 8),
        ("<html>login</html>", "not whole JSON", 8),
        ("{\"access_token\":\"x", "not whole JSON", 8),
        ("{}", "without `access_token`", 1),
        (r#"{"access_token":"x","token_type":"mac"}"#, "type `mac`", 1),
    ];
    for (body, named, n_requests) in cases {
        let server = Server::start(move |_, _| answer(200, &[], body)).await;
        let error = fetch(&open(oauth(&server, CredentialPlacement::Form))).await.unwrap_err();
        assert_eq!(error.code, Reason::BadAnswer, "{error}");
        assert!(error.message.contains(named), "{error}");
        assert!(error.message.contains("token request `POST /oauth/token`"), "{error}");
        assert_eq!(server.n_seen(), n_requests, "{body}");
    }
}

#[tokio::test]
async fn a_token_request_is_retried() {
    let server = Server::start(|n, seen| match n {
        0 | 1 => answer(502, &[], ""),
        _ if is_token_request(seen) => json(r#"{"access_token":"t"}"#),
        _ => json("1"),
    })
    .await;
    let scope = Scope::default();
    let client = open(oauth(&server, CredentialPlacement::Form));
    client.send(&get("/rows"), &scope).await.unwrap();
    let usage = scope.account.usage();
    assert_eq!((usage.requests, usage.token_requests, usage.retries), (1, 3, 2));
}

#[tokio::test]
async fn waiting_requests_share_the_failure_of_a_renewal() {
    let server = Server::start(|_, _| {
        let head = b"HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\n".to_vec();
        Reply::Pieces(vec![head, b"{}".to_vec()], Duration::from_millis(200))
    })
    .await;
    let client = open(oauth(&server, CredentialPlacement::Form));
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { fetch(&client).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap_err().code, Reason::Auth);
    }
    assert_eq!(server.n_seen(), 1);
}

#[tokio::test]
async fn tokens_may_come_from_another_origin_and_do_not_follow_redirects() {
    let issuer = Server::start(|n, _| match n {
        0 => json(r#"{"access_token":"there"}"#),
        _ => answer(307, &[("location", "/elsewhere")], ""),
    })
    .await;
    let server = Server::start(|_, seen| match seen.header("authorization") {
        Some("Bearer there") if seen.target == "/rows" => json("1"),
        _ => answer(401, &[], ""),
    })
    .await;
    let mut options = oauth(&server, CredentialPlacement::Form);
    options.token_url = Some(format!("http://127.0.0.1:{}/issue", issuer.port));
    let client = open(options);
    fetch(&client).await.unwrap();
    assert_eq!(issuer.seen()[0].target, "/issue");
    let error = client.send(&get("/rows/1"), &Scope::default()).await.unwrap_err();
    assert!(error.message.contains("307"), "{error}");
    assert_eq!(issuer.n_seen(), 2);
}

#[tokio::test]
async fn secrets_in_queries_are_masked() {
    let server = Server::start(|_, _| answer(501, &[], "key abc-123-def is unknown")).await;
    let client = server.client();
    let query = vec![("api_key".to_owned(), "abc-123".to_owned()), ("page".into(), "2".into())];
    let scope = Scope::default();
    let error = client.send(&HttpRequest { query, ..get("/rows") }, &scope).await.unwrap_err();
    assert!(error.message.contains("`GET /rows?api_key=***&page=2`"), "{error}");
    assert_eq!(scope.account.finished()[0].line, "GET /rows?api_key=***&page=2");
    assert_eq!(server.seen()[0].target, "/rows?api_key=abc-123&page=2");
}

#[test]
fn debug_output_shows_no_secret() {
    let auth = Credentials::Bearer { token: SecretString::from("hunter22") };
    assert!(!format!("{auth:?}").contains("hunter22"));
    let options = HttpOptions { auth, ..HttpOptions::new("vpn", "https://vpn.example") };
    let (client, _) = Client::new(options).unwrap();
    assert_eq!(format!("{client:?}"), "Client { connection: \"vpn\" }");
}
