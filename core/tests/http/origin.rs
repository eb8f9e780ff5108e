//! Rule 1: requests and redirects stay within the origin and the declared patterns.

use sessionql_core::http::{Client, Credentials, HttpOptions, Scope};
use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::HttpRequest;

use crate::server::{Server, answer, fetch, get, json, open, post, text};

#[tokio::test]
async fn undeclared_requests_are_refused_and_not_sent() {
    let server = Server::start(|_, _| json("[]")).await;
    let client = server.client();
    let method = |method: &str| HttpRequest { method: method.into(), ..get("/rows") };
    let refused = [
        get("/other"),
        get("/rows/1/2"),
        get("/rows/.."),
        get("/rows/%2e%2e"),
        get("/rows?x=1"),
        get("//evil.example/rows"),
        get("http://evil.example/rows"),
        get("@evil.example/rows"),
        get(""),
        post("/rows", "{}"),
        method("DELETE"),
        method("get"),
        HttpRequest { body: Some("{}".into()), ..get("/rows") },
    ];
    for request in refused {
        let error = client.send(&request, &Scope::default()).await.unwrap_err();
        assert_eq!(error.code, Reason::PluginError, "{request:?}: {error}");
        assert!(error.message.contains("connection `vpn`"), "{error}");
    }
    assert_eq!(server.n_seen(), 0);
}

#[tokio::test]
async fn headers_of_the_host_are_refused() {
    let server = Server::start(|_, _| json("[]")).await;
    let mut options = server.options();
    options.auth = Credentials::Header { header: "X-API-KEY".into(), value: "abcdef".into() };
    let client = open(options);
    let with = |name: &str, value: &str| HttpRequest {
        headers: vec![(name.to_owned(), value.to_owned())],
        ..get("/rows")
    };
    for name in ["Authorization", "cookie", "Host", "x-api-key", "Range", "X-HTTP-Method-Override"]
    {
        let error = client.send(&with(name, "x"), &Scope::default()).await.unwrap_err();
        assert_eq!(error.code, Reason::PluginError, "{name}");
    }
    let error = client.send(&with("x-a", "1\r\nx-b: 2"), &Scope::default()).await.unwrap_err();
    assert_eq!(error.code, Reason::PluginError);
    client.send(&with("x-page", "1"), &Scope::default()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("x-page"), Some("1"));
    assert_eq!(seen[0].header("x-api-key"), Some("abcdef"));
}

#[tokio::test]
async fn requests_arrive_as_they_were_asked_for() {
    let server = Server::start(|_, _| json("{}")).await;
    let mut options = server.options();
    options.base_url = format!("127.0.0.1:{}/base/api/v1/", server.port);
    options.known_suffixes = vec!["/api/v1".into()];
    let (client, notes) = Client::new(options).unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
    let query =
        vec![("q".to_owned(), "a b&c=ü+".to_owned()), ("at".to_owned(), "10:00".to_owned())];
    let request = HttpRequest { query, ..get("/rows/x%40y") };
    assert_eq!(text(client.send(&request, &Scope::default()).await.unwrap()), "{}");
    client.send(&post("/search", "{\"a\":1}"), &Scope::default()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].target, "/base/rows/x%40y?q=a%20b%26c%3D%C3%BC%2B&at=10:00");
    assert_eq!(seen[0].header("accept"), Some("application/json"));
    assert_eq!((seen[1].method.as_str(), seen[1].target.as_str()), ("POST", "/base/search"));
    assert_eq!(seen[1].body, "{\"a\":1}");
    assert_eq!(seen[1].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn redirects_within_the_origin_are_followed() {
    let server = Server::start(|n, _| match n {
        0 => answer(302, &[("location", "/rows/7?page=2#x")], ""),
        _ => json("[7]"),
    })
    .await;
    let scope = Scope::default();
    let found = server.client().send(&get("/rows"), &scope).await.unwrap();
    assert_eq!(text(found), "[7]");
    assert_eq!(server.seen()[1].target, "/rows/7?page=2");
    let usage = scope.account.usage();
    assert_eq!((usage.requests, usage.retries, usage.answers), (2, 0, 1));
}

#[tokio::test]
async fn redirects_elsewhere_are_refused() {
    let other = Server::start(|_, _| json("[]")).await;
    let elsewhere = format!("http://127.0.0.1:{}/rows", other.port);
    let targets = [
        (elsewhere.as_str(), "127.0.0.1"),
        ("https://evil.example/rows", "`https://evil.example`"),
        ("//evil.example/rows", "`http://evil.example`"),
        ("http://169.254.169.254/rows", "169.254.169.254"),
        ("file:///etc/passwd", "`file://"),
        ("/undeclared", "`/undeclared`"),
        ("/rows/../x", "`/x`"),
        ("/rows", "more than 3 times"),
        ("", "more than 3 times"),
    ];
    for (target, named) in targets {
        let location = target.to_owned();
        let server = Server::start(move |_, _| answer(307, &[("location", &location)], "")).await;
        let mut options = server.options();
        options.auth = Credentials::Bearer { token: "tell-no-one".into() };
        let error = fetch(&open(options)).await.unwrap_err();
        assert_eq!(error.code, Reason::ProviderError, "{target}: {error}");
        assert!(error.message.contains(named), "{target}: {error}");
    }
    assert_eq!(other.n_seen(), 0);
}

#[tokio::test]
async fn a_post_is_not_redirected_to_a_get() {
    let server = Server::start(|_, _| answer(303, &[("location", "/rows")], "")).await;
    let error = server.client().send(&post("/search", "{}"), &Scope::default()).await.unwrap_err();
    assert_eq!(error.code, Reason::ProviderError);
    assert_eq!(server.n_seen(), 1);
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    let error = Client::new(HttpOptions::new("vpn", "http://vpn.example")).unwrap_err();
    assert_eq!(error.code, Reason::Config);
    assert!(error.hint.unwrap().contains("allow_http"));
    let allowed = HttpOptions { allow_http: true, ..HttpOptions::new("vpn", "http://vpn.example") };
    Client::new(allowed).unwrap();
}
