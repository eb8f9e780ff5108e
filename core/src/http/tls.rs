//! Builds the client that speaks to sockets: HTTP/1.1, rustls with ring, no redirects, no proxy of
//! the environment.
//! In: the options of a connection. Out: a `reqwest::Client`, or an error that names the option.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, ClientBuilder, Identity, Proxy};
use sessionql_plugin_abi::WireError;
use url::Url;

use super::HttpOptions;
use super::origin::config;

/// Returns the client for a connection whose requests go to `urls`.
///
/// # Errors
/// `Config` for a file that cannot be read or is not what it should be, and for a bad proxy.
pub(super) fn build(
    options: &HttpOptions,
    urls: &[&Url],
    connect_timeout: Duration,
) -> Result<reqwest::Client, WireError> {
    let mut builder = ClientBuilder::new()
        .http1_only()
        .redirect(Policy::none())
        .referer(false)
        .gzip(true)
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .user_agent(concat!("sessionql/", env!("CARGO_PKG_VERSION")));
    builder = match &options.proxy {
        None => builder.no_proxy(),
        Some(proxy) => {
            let wrong = || {
                config(options, "proxy", "is not the URL of an HTTP proxy")
                    .with_hint("write it like `http://proxy.example.com:3128`")
            };
            let url = Url::parse(proxy).map_err(|_| wrong())?;
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err(wrong());
            }
            let proxy = Proxy::all(url.as_str()).map_err(|_| wrong())?;
            builder.proxy(proxy)
        }
    };
    let proxy_is_tls = options.proxy.as_ref().is_some_and(|proxy| proxy.starts_with("https:"));
    if proxy_is_tls || urls.iter().any(|url| url.scheme() == "https") {
        install_provider();
        builder = with_trust(options, builder)?;
    } else {
        // Reading the system's certificates takes longer than all else; plain http needs none.
        builder = builder.tls_backend_preconfigured(without_trust(options)?);
    }
    builder.build().map_err(|error| {
        let cause = super::fault::root_cause(&error);
        config(options, "base_url", &format!("cannot be reached with the options for TLS: {cause}"))
    })
}

/// Adds the certificates to trust and to show.
fn with_trust(
    options: &HttpOptions,
    mut builder: ClientBuilder,
) -> Result<ClientBuilder, WireError> {
    if let Some(path) = &options.ca_file {
        let pem = read_file(options, "ca_file", path)?;
        let authorities = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if authorities.is_empty() {
            return Err(config(options, "ca_file", "names a file without PEM certificates"));
        }
        builder = builder.tls_certs_only(authorities);
    }
    if let Some(path) = &options.client_cert {
        let mut pem = read_file(options, "client_cert", path)?;
        if let Some(path) = &options.client_key {
            pem.push(b'\n');
            pem.extend(read_file(options, "client_key", path)?);
        }
        let identity = Identity::from_pem(&pem).map_err(|_| {
            let what = "and `client_key` name no PEM certificate with its private key";
            config(options, "client_cert", what)
        })?;
        builder = builder.identity(identity);
    } else if options.client_key.is_some() {
        return Err(config(options, "client_key", "is set, but `client_cert` is not"));
    }
    if options.insecure_tls {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    Ok(builder)
}

/// Returns a configuration that trusts no one.
fn without_trust(options: &HttpOptions) -> Result<rustls::ClientConfig, WireError> {
    let provider = rustls::crypto::ring::default_provider();
    let config_builder = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| config(options, "base_url", &format!("has no TLS: {error}")))?;
    let nobody = rustls::RootCertStore::empty();
    Ok(config_builder.with_root_certificates(nobody).with_no_client_auth())
}

/// Makes ring the process's provider, unless an embedding program has chosen one.
fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error only says that there is one already.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}

fn read_file(options: &HttpOptions, option: &str, path: &Path) -> Result<Vec<u8>, WireError> {
    std::fs::read(path).map_err(|error| {
        config(
            options,
            option,
            &format!("names `{}`, which cannot be read: {error}", path.display()),
        )
    })
}
