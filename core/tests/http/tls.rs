//! Trust: whom a connection believes over TLS. The certificates in `tls/` belong to these tests.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sessionql_core::http::{Client, HttpOptions, Scope};
use sessionql_plugin_abi::Reason;

use crate::server::{fetch, get, open, pattern};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/http/tls").join(name)
}

/// Starts a server that answers each connection once; returns its port.
fn start() -> u16 {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(include_bytes!("tls/server.pem"))
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut head = Vec::new();
            let mut reader = BufReader::new(&mut stream);
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && reader.read_exact(&mut byte).is_ok() {
                head.extend(byte);
            }
            drop(
                stream.write_all(
                    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1",
                ),
            );
            stream.conn.send_close_notify();
            drop(stream.flush());
        }
    });
    port
}

fn options(port: u16) -> HttpOptions {
    let mut options = HttpOptions::new("vpn", format!("https://localhost:{port}"));
    options.patterns = vec![pattern("GET", "/rows")];
    options
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted_and_not_retried() {
    let scope = Scope::default();
    let error = open(options(start())).send(&get("/rows"), &scope).await.unwrap_err();
    assert_eq!(error.code, Reason::Unreachable);
    assert!(error.message.contains("certificate"), "{error}");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("`ca_file`")), "{error:?}");
    assert_eq!(scope.account.usage().requests, 1);
}

#[tokio::test]
async fn the_authority_in_ca_file_is_trusted() {
    let mut options = options(start());
    options.ca_file = Some(file("ca.pem"));
    assert_eq!(fetch(&open(options)).await.unwrap(), "1");
}

#[tokio::test]
async fn insecure_tls_trusts_anyone() {
    let mut options = options(start());
    options.insecure_tls = true;
    assert_eq!(fetch(&open(options)).await.unwrap(), "1");
}

#[tokio::test]
async fn files_that_are_not_what_they_should_be_are_refused() {
    let cases: [fn(&mut HttpOptions); 5] = [
        |options| options.ca_file = Some("/nonexistent".into()),
        |options| options.ca_file = Some(file("server.key")),
        |options| options.client_cert = Some(file("server.pem")),
        |options| options.client_key = Some(file("server.key")),
        |options| options.proxy = Some("::".into()),
    ];
    for spoil in cases {
        let mut options = options(1);
        spoil(&mut options);
        assert_eq!(Client::new(options).unwrap_err().code, Reason::Config);
    }
    let mut options = options(1);
    options.client_cert = Some(file("server.pem"));
    options.client_key = Some(file("server.key"));
    Client::new(options).unwrap();
}
