//! Rule 5: a body is whole and what it should be, or the attempt failed.

use std::time::Duration;

use sessionql_core::http::{Scope, Sensitive};
use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::{Column, Filter, Table};

use crate::server::{Reply, Server, answer, fetch, get, json, open, text};

/// Packs bytes as gzip without compressing them. Source: RFC 1951 and RFC 1952.
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks: Vec<&[u8]> = content.chunks(0xffff).collect();
    for (n, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        packed.push(u8::from(n + 1 == blocks.len()));
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend(*block);
    }
    packed.extend((!crc).to_le_bytes());
    packed.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    packed
}

fn gzip_answer(packed: &[u8]) -> Reply {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\
         content-length: {}\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    bytes.extend(packed);
    Reply::Pieces(vec![bytes], Duration::ZERO)
}

#[tokio::test]
async fn compressed_bodies_are_unpacked() {
    let server = Server::start(|_, _| gzip_answer(&gzip(b"[1,2,3]"))).await;
    let found = server.client().send(&get("/rows"), &Scope::default()).await.unwrap();
    assert_eq!(found.head.body_len, 7);
    assert_eq!(text(found), "[1,2,3]");
    assert_eq!(server.seen()[0].header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn damaged_compression_is_retried_and_never_truncates() {
    let whole = gzip(b"[1,2,3]");
    let mut damaged: Vec<Vec<u8>> = (1..whole.len()).map(|end| whole[..end].to_vec()).collect();
    let mut bad_crc = whole.clone();
    bad_crc[whole.len() - 8] ^= 1;
    damaged.extend([bad_crc, b"[1,2,3]".to_vec()]);
    for packed in damaged {
        let bad = gzip_answer(&packed);
        let server = Server::start(move |n, _| match n {
            0 => bad.clone(),
            _ => gzip_answer(&gzip(b"[1,2,3]")),
        })
        .await;
        assert_eq!(fetch(&server.client()).await.unwrap(), "[1,2,3]");
        assert_eq!(server.n_seen(), 2, "{packed:?}");
    }
}

#[tokio::test]
async fn false_bodies_are_retried_and_named_in_the_end() {
    let page = "<!doctype html><title>Down\u{1b}[31m</title>";
    let html = [("content-type", "text/html; charset=utf-8")];
    let json_type = [("content-type", "application/json")];
    let cases = [
        (
            answer(200, &html, page),
            "answered with `text/html` in place of `application/json`: `<!doc",
        ),
        (answer(200, &json_type, page), "not whole JSON"),
        (answer(200, &json_type, "[1,2"), "not whole JSON"),
        (answer(200, &json_type, "[1] tail"), "not whole JSON"),
        (answer(200, &json_type, ""), "an empty body in place of JSON"),
        (answer(206, &json_type, "[1]"), "answered 206"),
        (answer(200, &[("content-encoding", "br")], "[1]"), "the encoding `br`"),
    ];
    for (reply, named) in cases {
        let server = Server::start(move |_, _| reply.clone()).await;
        let error = fetch(&server.client()).await.unwrap_err();
        assert_eq!(error.code, Reason::BadAnswer, "{error}");
        assert!(error.message.contains(named), "{error}");
        assert!(!error.message.contains('\u{1b}'), "{error}");
        assert_eq!(server.n_seen(), 8);
    }
}

#[tokio::test]
async fn kindred_content_types_are_taken() {
    for content_type in ["application/problem+json", "text/json", "Application/JSON;charset=utf-8"]
    {
        let server =
            Server::start(move |_, _| answer(200, &[("content-type", content_type)], "1")).await;
        assert_eq!(fetch(&server.client()).await.unwrap(), "1");
    }
    let server = Server::start(|_, _| answer(200, &[], "\u{feff}[1]")).await;
    // A byte order mark is no part of the document.
    assert_eq!(fetch(&server.client()).await.unwrap(), "[1]");
    let server = Server::start(|_, _| answer(204, &[], "")).await;
    assert_eq!(fetch(&server.client()).await.unwrap(), "");
    let server = Server::start(|_, _| answer(200, &[("content-type", "text/csv")], "a,b")).await;
    let mut options = server.options();
    options.patterns[0].content_type = String::new();
    assert_eq!(fetch(&open(options)).await.unwrap(), "a,b");
}

#[tokio::test]
async fn one_of_several_content_types_is_taken() {
    let ask = |content_type: &'static str, body: &'static str| async move {
        let server =
            Server::start(move |_, _| answer(200, &[("content-type", content_type)], body)).await;
        let mut options = server.options();
        options.patterns[0].content_type = "application/json, application/xml".to_owned();
        fetch(&open(options)).await
    };
    assert_eq!(ask("text/xml", "<r/>").await.unwrap(), "<r/>");
    assert_eq!(ask("application/json", "{}").await.unwrap(), "{}");
    let error = ask("text/html", "<p>").await.unwrap_err();
    let found = "`text/html` in place of `application/json` or `application/xml`";
    assert!(error.message.contains(found), "{error}");
    let error = ask("application/json", "{").await.unwrap_err();
    assert!(error.message.contains("not whole JSON"), "{error}");
}

#[tokio::test]
async fn values_of_sensitive_columns_are_not_shown() {
    let server = Server::start(|_, _| answer(500, &[], "no session se/cret+1")).await;
    let request = get("/rows").with_query("id", "se/cret+1");
    let filters = [Filter::Eq { column: "id".to_owned(), value: "se/cret+1".into() }];
    let column = Column { name: "id".to_owned(), sensitive: true, ..Column::default() };
    let table = Table { columns: vec![column], ..Table::default() };
    let scope = Scope { sensitive: Sensitive::new(&table, &filters, []), ..Scope::default() };
    let error = server.client().send(&request, &scope).await.unwrap_err();
    assert!(error.message.contains("`GET /rows?id=***`"), "{error}");
    assert!(error.message.contains("no session ***"), "{error}");
    assert!(scope.account.finished().iter().all(|done| done.line == "GET /rows?id=***"));
    assert!(server.seen()[0].target.contains("se/cret%2B1"), "it is sent as it is");
}

#[tokio::test]
async fn a_body_over_max_body_is_a_bad_answer() {
    let bomb = gzip(&[b' '; 200_000]);
    let server = Server::start(move |_, _| gzip_answer(&bomb)).await;
    let mut options = server.options();
    options.patterns[0].max_body = Some(100_000);
    let error = fetch(&open(options)).await.unwrap_err();
    assert_eq!(error.code, Reason::BadAnswer);
    assert!(error.message.contains("more than `max_body`, 100000 bytes"), "{error}");
    assert_eq!(server.n_seen(), 1);
}

#[tokio::test]
async fn large_bodies_come_in_pieces_from_a_file() {
    let items: Vec<String> = (0..400_000).map(|n| n.to_string()).collect();
    let content = format!("[{}]", items.join(","));
    let sent = content.clone();
    let server = Server::start(move |_, _| json(&sent)).await;
    let mut options = server.options();
    options.memory_bytes = 100_000;
    let mut found = open(options).send(&get("/rows"), &Scope::default()).await.unwrap();
    assert_eq!(found.head.body_len, content.len() as u64);
    let mut pieces = Vec::new();
    while let Some(piece) = found.body.next_piece().unwrap() {
        pieces.push(piece);
    }
    assert_eq!(pieces.len(), content.len().div_ceil(1 << 20));
    assert!(pieces.concat() == content.as_bytes());
}

#[tokio::test]
async fn a_spool_directory_that_is_missing_is_an_error() {
    let server = Server::start(|_, _| json(&"1".repeat(5000))).await;
    let mut options = server.options();
    options.memory_bytes = 1000;
    options.spool_dir = Some("/nonexistent".into());
    let error = fetch(&open(options)).await.unwrap_err();
    assert!(error.message.contains("temporary file"), "{error}");
    assert_eq!(server.n_seen(), 1);
}

#[tokio::test]
async fn only_some_headers_are_passed_on() {
    let headers = [
        ("Content-Type", "application/json"),
        ("Date", "Tue, 15 Nov 1994 08:12:31 GMT"),
        ("Link", "</rows?page=2>; rel=next"),
        ("Set-Cookie", "a=b"),
        ("X-Total", "7"),
        ("Server", "x"),
    ];
    let server = Server::start(move |_, _| answer(200, &headers, "1")).await;
    let found = server.client().send(&get("/rows"), &Scope::default()).await.unwrap();
    let names: Vec<_> = found.head.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "date", "link", "x-total"]);
}
