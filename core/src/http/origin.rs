//! Decides where a request may go: one scheme, host and port, and only declared paths.
//! In: the connection's base URL and patterns, then requests and redirects. Out: a URL that may be
//! fetched, or a refusal. A path is judged as it is sent; nothing that a server could read as
//! another path gets through.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use sessionql_plugin_abi::message::Pattern;
use sessionql_plugin_abi::{Reason, WireError};
use url::{Host, Url};

use super::HttpOptions;

/// The origin of a connection and what may be asked of it.
pub(super) struct Origin {
    connection: String,
    base: Url,
    base_path: String,
    patterns: Vec<Pattern>,
}

impl Origin {
    /// Checks the base URL and the patterns; returns notes on what was corrected.
    pub(super) fn new(options: &HttpOptions) -> Result<(Self, Vec<String>), WireError> {
        let mut notes = Vec::new();
        let text = options.base_url.trim();
        let mut base = match text.contains("://") {
            true => parse_url(options, "base_url", text)?,
            false => {
                let https = parse_url(options, "base_url", &format!("https://{text}"))?;
                let scheme = if is_loopback(&https) { "http" } else { "https" };
                notes.push(format!("`base_url` has no scheme, `{scheme}://` is assumed"));
                parse_url(options, "base_url", &format!("{scheme}://{text}"))?
            }
        };
        if base.query().is_some() || base.fragment().is_some() {
            let what = "has a query or a fragment, which it may not have";
            return Err(config(options, "base_url", what));
        }
        let mut path = base.path().trim_end_matches('/').to_owned();
        while let Some((rest, suffix)) = known_suffix(&path, &options.known_suffixes) {
            notes.push(format!("`base_url` ends in `{suffix}`, which is taken off"));
            path = rest;
        }
        if let Err(what) = check_path(&path, true) {
            return Err(config(options, "base_url", &format!("has a path that {what}")));
        }
        base.set_path(&path);
        for pattern in &options.patterns {
            if !matches!(pattern.method.as_str(), "GET" | "POST") || !pattern.path.starts_with('/')
            {
                let message = format!(
                    "connection `{}`: the plugin declares `{} {}`, but only GET and POST of a path \
                     that begins with `/` can be sent",
                    options.connection, pattern.method, pattern.path
                );
                return Err(WireError::new(Reason::PluginError, message));
            }
        }
        let connection = options.connection.clone();
        Ok((Self { connection, base, base_path: path, patterns: options.patterns.clone() }, notes))
    }

    /// Returns the corrected base URL.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Returns the URL of a path below the base URL, and its pattern.
    ///
    /// # Errors
    /// `PluginError` if the path is malformed or no pattern declares it.
    pub(super) fn admit(&self, method: &str, path: &str) -> Result<(Url, &Pattern), WireError> {
        let refuse = |what: &str| {
            let shown: String = path.chars().filter(|c| !c.is_control()).take(200).collect();
            let message =
                format!("connection `{}`: request `{method} {shown}` {what}", self.connection);
            WireError::new(Reason::PluginError, message)
        };
        check_path(path, false).map_err(|what| refuse(&format!("is refused: its path {what}")))?;
        let Some(pattern) = self.find_pattern(method, path) else {
            return Err(refuse("is not declared in the manifest of the plugin"));
        };
        let mut url = self.base.clone();
        let whole = format!("{}{path}", self.base_path);
        url.set_path(&whole);
        if url.path() != whole {
            return Err(refuse("is refused: its path is not in normal form"));
        }
        Ok((url, pattern))
    }

    /// Returns the URL that a redirect leads to, its path below the base, and its pattern.
    ///
    /// # Errors
    /// Text that says what is wrong with the target, naming its host, if the target has another
    /// origin or is not declared.
    pub(super) fn follow(
        &self,
        from: &Url,
        location: &str,
        method: &str,
    ) -> Result<(Url, &Pattern), String> {
        let mut url =
            from.join(location).map_err(|_| "redirects to an unreadable URL".to_owned())?;
        let host = url.host_str().unwrap_or("").to_owned();
        let same = url.scheme() == self.base.scheme()
            && url.host() == self.base.host()
            && url.port_or_known_default() == self.base.port_or_known_default();
        if !same {
            let (scheme, port) = (url.scheme(), url.port().map(|port| format!(":{port}")));
            let port = port.unwrap_or_default();
            return Err(format!("redirects to another origin, `{scheme}://{host}{port}`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("redirects to a URL with a user name, on host `{host}`"));
        }
        url.set_fragment(None);
        let path = url.path().strip_prefix(&self.base_path).unwrap_or("").to_owned();
        if check_path(&path, false).is_err() {
            return Err(format!("redirects to a path outside `base_url`, on host `{host}`"));
        }
        match self.find_pattern(method, &path) {
            Some(pattern) => Ok((url, pattern)),
            None => Err(format!("redirects to `{path}` on host `{host}`, which is not declared")),
        }
    }

    /// Returns the pattern that declares a path; among several the one with most literal segments.
    fn find_pattern(&self, method: &str, path: &str) -> Option<&Pattern> {
        let fits = |pattern: &&Pattern| pattern.method == method && matches(&pattern.path, path);
        let n_open = |pattern: &&Pattern| pattern.path.split('/').filter(|s| is_open(s)).count();
        self.patterns.iter().filter(fits).min_by_key(n_open)
    }
}

/// Parses and judges the URL of an option: http or https, a host, no user information.
///
/// # Errors
/// `Config` with the option's name.
pub(super) fn parse_url(options: &HttpOptions, option: &str, text: &str) -> Result<Url, WireError> {
    let url = Url::parse(text.trim())
        .map_err(|error| config(options, option, &format!("is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        let what = format!("has the scheme `{}`, but only http and https are spoken", url.scheme());
        return Err(config(options, option, &what));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let what = "contains a user name or a password, which belong in options of their own";
        return Err(config(options, option, what));
    }
    if url.scheme() == "http" && !options.allow_http && !is_loopback(&url) {
        let host = url.host_str().unwrap_or("");
        let what = format!("sends credentials to `{host}` over plain http");
        return Err(config(options, option, &what)
            .with_hint("use https, or set `allow_http = true` if the network is trusted"));
    }
    Ok(url)
}

/// Returns a configuration error about one option.
pub(super) fn config(options: &HttpOptions, option: &str, what: &str) -> WireError {
    let message = format!("connection `{}`: option `{option}` {what}", options.connection);
    WireError::new(Reason::Config, message)
}

/// Tells whether a URL stays on this machine: 127.0.0.0/8, `::1` or `localhost`.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Returns the path without a known suffix, and the suffix.
fn known_suffix(path: &str, suffixes: &[String]) -> Option<(String, String)> {
    suffixes.iter().find_map(|suffix| {
        let suffix = suffix.trim_matches('/');
        let rest = path.strip_suffix(suffix)?.strip_suffix('/')?;
        let is_suffix = !suffix.is_empty();
        is_suffix.then(|| (rest.trim_end_matches('/').to_owned(), format!("/{suffix}")))
    })
}

fn is_open(segment: &str) -> bool {
    segment.len() > 2 && segment.starts_with('{') && segment.ends_with('}')
}

/// Tells whether a path has the segments of a template; an open segment is never empty.
fn matches(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let all = template.split('/').all(|wanted| {
        let found = segments.next();
        found.is_some_and(|found| if is_open(wanted) { !found.is_empty() } else { wanted == found })
    });
    all && segments.next().is_none()
}

/// Checks that a path means to every server what it means to us.
fn check_path(path: &str, may_be_empty: bool) -> Result<(), &'static str> {
    if path.is_empty() && may_be_empty {
        return Ok(());
    }
    if !path.starts_with('/') {
        return Err("does not begin with `/`");
    }
    if path.contains(['?', '#']) {
        return Err("contains `?` or `#`; the query goes into `query`");
    }
    if path.contains("//") {
        return Err("contains `//`");
    }
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte);
    if !path.bytes().all(is_plain) {
        return Err("contains a character that has to be percent-encoded");
    }
    let mut tail = path;
    while let Some(at) = tail.find('%') {
        tail = &tail[at + 1..];
        if tail.len() < 2 || !tail.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()) {
            return Err("contains a `%` that begins no percent-encoding");
        }
    }
    path.split('/').try_for_each(check_segment)
}

/// Refuses segments that some servers decode into a separator or a step up, also when they were
/// encoded several times over.
fn check_segment(segment: &str) -> Result<(), &'static str> {
    const MOST_ENCODINGS: usize = 8;
    let mut decoded = segment.as_bytes().to_vec();
    for _ in 0..MOST_ENCODINGS {
        let name = decoded.split(|byte| *byte == b';').next().unwrap_or_default();
        if name == b"." || name == b".." {
            return Err("contains a `.` or `..` segment");
        }
        if decoded.iter().any(|byte| matches!(byte, b'/' | b'\\') || byte.is_ascii_control()) {
            return Err("contains an encoded separator or control character");
        }
        let text = String::from_utf8_lossy(&decoded).into_owned();
        let next: Vec<u8> = percent_decode_str(&text).collect();
        if next == text.as_bytes() {
            return Ok(());
        }
        decoded = next;
    }
    Err("is percent-encoded too many times")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_segments_match_one_segment() {
        assert!(matches("/a/{id}", "/a/x"));
        assert!(matches("/a/{id}/b", "/a/x/b"));
        assert!(!matches("/a/{id}", "/a/"));
        assert!(!matches("/a/{id}", "/a/x/y"));
        assert!(!matches("/a/{id}", "/a"));
        assert!(!matches("/a", "/a/"));
    }

    #[test]
    fn paths_that_could_mean_another_path_are_refused() {
        let bad = [
            "",
            "a",
            "//a",
            "/a//b",
            "/a/../b",
            "/./a",
            "/a/%2e%2E",
            "/a/%252e%252e",
            "/a/..;x",
            "/a/b%2fc",
            "/a/b%5Cc",
            "/a\\b",
            "/a/%0d%0a",
            "/a?b",
            "/a#b",
            "/a b",
            "/ä",
            "/a/%",
            "/a/%g0",
        ];
        for path in bad {
            assert!(check_path(path, false).is_err(), "{path}");
        }
        for path in ["/", "/a", "/a/", "/a/x%40y", "/core.v1.Sessions/List", "/a/100%25", "/a/..b"]
        {
            assert_eq!(check_path(path, false), Ok(()), "{path}");
        }
    }

    #[test]
    fn base_urls_are_corrected() {
        let corrected = |base_url: &str| {
            let mut options = HttpOptions::new("vpn", base_url);
            options.known_suffixes = vec!["/api/beta".into(), "/api/v1".into()];
            Origin::new(&options).map(|(origin, notes)| (origin.base.to_string(), notes.len()))
        };
        let good = [
            ("https://x.example/", "https://x.example/", 0),
            ("https://x.example/api/beta/", "https://x.example/", 1),
            ("https://x.example/y/api/v1", "https://x.example/y", 1),
            ("https://x.example/yapi/v1", "https://x.example/yapi/v1", 0),
            ("x.example:8443", "https://x.example:8443/", 1),
            ("localhost:80", "http://localhost/", 1),
            (" http://127.9.9.9 ", "http://127.9.9.9/", 0),
            ("http://[::1]:9", "http://[::1]:9/", 0),
        ];
        for (given, wanted, n_notes) in good {
            assert_eq!(corrected(given).expect(given), (wanted.to_owned(), n_notes), "{given}");
        }
        let bad = [
            "",
            "https://",
            "ftp://x",
            "http://x.example",
            "http://localhost.example",
            "https://u:p@x",
            "https://u@x",
            "https://x/?a",
            "https://x/#a",
            "http://128.0.0.1",
        ];
        for given in bad {
            let error = corrected(given).expect_err(given);
            assert_eq!(error.code, Reason::Config, "{given}");
            assert!(!error.message.contains("u:p"), "{error}");
        }
    }
}
