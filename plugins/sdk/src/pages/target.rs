//! Turns a link in an answer into a path below the base URL and a query, as a request has them.
//! Source: RFC 3986, section 5.2; queries as the WHATWG URL Standard reads forms.

/// Returns path and query of a link.
///
/// `base_url` is the connection's, empty if it is not known; `path` is that of the request which was
/// answered. An absolute link must name the host of the base URL, and its port. Its scheme may be
/// the other one of http and https where neither names a port, for servers behind a proxy do not
/// know theirs; the host sends the request to the base URL in any case.
///
/// # Errors
/// What is wrong with the link, as the end of a sentence.
pub(super) fn resolve(
    base_url: &str,
    path: &str,
    link: &str,
) -> Result<(String, Vec<(String, String)>), String> {
    let shown: String = link.chars().filter(|c| !c.is_control()).take(200).collect();
    let link = link.split('#').next().unwrap_or_default();
    let base = Url::split(base_url);
    let (base_path, target) = match (Url::split(link), &base) {
        (Some(target), None) => {
            let origin = target.authority;
            return Err(format!("on `{origin}`, and the host does not tell its base URL"));
        }
        (Some(target), Some(base)) if base.has_origin_of(&target) => (base.path, target.path),
        (Some(target), Some(_)) => return Err(format!("elsewhere, on `{}`", target.authority)),
        (None, _) if has_scheme(link) => return Err(format!("that is no HTTP: `{shown}`")),
        (None, base) => (base.as_ref().map_or("", |base| base.path), link),
    };
    let base_path = base_path.trim_end_matches('/');
    let (target, query) = target.split_once('?').unwrap_or((target, ""));
    let is_absolute = Url::split(link).is_some();
    let whole = match target {
        "" if is_absolute => "/".to_owned(),
        "" => format!("{base_path}{path}"),
        absolute if absolute.starts_with('/') => without_dots(absolute),
        relative => {
            let from = format!("{base_path}{path}");
            let directory = from.rfind('/').map_or("/", |at| &from[..=at]);
            without_dots(&format!("{directory}{relative}"))
        }
    };
    let below = whole.strip_prefix(base_path).filter(|below| below.starts_with('/'));
    let below = below.ok_or_else(|| format!("outside of the base URL: `{shown}`"))?;
    let query = pairs(query).ok_or_else(|| format!("whose query cannot be read: `{shown}`"))?;
    Ok((below.to_owned(), query))
}

/// The pieces of an absolute URL, or of one without a scheme.
struct Url<'a> {
    /// `None` if it is that of the base URL.
    scheme: Option<&'a str>,
    authority: &'a str,
    /// Path and query.
    path: &'a str,
}

impl<'a> Url<'a> {
    /// Returns `None` for what has no authority, or a scheme other than http and https.
    fn split(text: &'a str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_http(scheme) => (Some(scheme), rest),
            _ => (None, text.strip_prefix("//")?),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Some(Self { scheme, authority, path })
    }

    fn has_origin_of(&self, other: &Self) -> bool {
        let (host, port) = self.place();
        let (other_host, other_port) = other.place();
        !other.authority.contains('@')
            && host.eq_ignore_ascii_case(other_host)
            && port == other_port
    }

    /// Returns host and port; no port if it is that of the scheme.
    fn place(&self) -> (&'a str, Option<&'a str>) {
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = match self.authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => {
                (host, Some(port).filter(|port| !port.is_empty()))
            }
            _ => (self.authority, None),
        };
        let is_usual = |port: &&str| match self.scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => *port == "80",
            Some(_) => *port == "443",
            None => false,
        };
        (host, port.filter(|port| !is_usual(port)))
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn has_scheme(link: &str) -> bool {
    let scheme = link.split(['/', '?']).next().unwrap_or_default().split_once(':');
    scheme.is_some_and(|(scheme, _)| scheme.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Takes the segments `.` and `..` out of a path that begins with `/`.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Returns the names and values of a query; `None` if they are no UTF-8 or wrongly encoded.
fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name)?, decoded(value)?))
        })
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (char::from(rest.next()?), char::from(rest.next()?));
                u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "https://api.test/v1";

    /// Returns a target as `/path?name=value&…`, not encoded.
    fn shown(base_url: &str, link: &str) -> Result<String, String> {
        let (path, query) = resolve(base_url, "/visits/all", link)?;
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(format!("{path}?{}", query.join("&")))
    }

    #[test]
    fn links_below_the_base_url_become_requests() {
        for (link, expected) in [
            ("https://api.test/v1/visits?p=2", "/visits?p=2"),
            ("HTTPS://API.test:443/v1/visits?p=2#top", "/visits?p=2"),
            ("http://api.test/v1/visits?p=2", "/visits?p=2"),
            ("//api.test/v1/visits?p=2", "/visits?p=2"),
            ("/v1/visits?p=2", "/visits?p=2"),
            ("?p=2", "/visits/all?p=2"),
            ("more?p=2", "/visits/more?p=2"),
            ("../other/./x?p=2", "/other/x?p=2"),
            ("..?p=2", "/?p=2"),
            (
                "/v1/visits?q=a%20b+c%26&flag&&p=https://x/y?z",
                "/visits?q=a b c&&flag=&p=https://x/y?z",
            ),
        ] {
            assert_eq!(shown(BASE, link).as_deref(), Ok(expected), "{link}");
        }
        assert_eq!(
            shown("http://localhost:80/", "http://localhost/visits?p=2").as_deref(),
            Ok("/visits?p=2")
        );
        assert_eq!(shown("http://[::1]:99", "http://[::1]:99/visits").as_deref(), Ok("/visits?"));
        assert_eq!(shown("", "/visits?p=2").as_deref(), Ok("/visits?p=2"));
    }

    #[test]
    fn links_to_elsewhere_are_refused() {
        for (link, expected) in [
            ("https://evil.test/v1/visits", "elsewhere, on `evil.test`"),
            ("https://api.test:8443/v1/visits", "elsewhere, on `api.test:8443`"),
            ("https://u:p@api.test/v1/visits", "elsewhere, on `u:p@api.test`"),
            ("//evil.test/v1/visits", "elsewhere, on `evil.test`"),
            ("/visits?p=2", "outside of the base URL: `/visits?p=2`"),
            ("/v10/visits", "outside of the base URL: `/v10/visits`"),
            ("/v1/../v2/visits", "outside of the base URL: `/v1/../v2/visits`"),
            ("ftp://api.test/v1/visits", "that is no HTTP: `ftp://api.test/v1/visits`"),
            ("?p=%zz", "whose query cannot be read: `?p=%zz`"),
            ("?p=%ff", "whose query cannot be read: `?p=%ff`"),
        ] {
            assert_eq!(shown(BASE, link).unwrap_err(), expected, "{link}");
        }
        let unknown = shown("", "https://api.test/visits").unwrap_err();
        assert_eq!(unknown, "on `api.test`, and the host does not tell its base URL");
    }

    proptest! {
        #[test]
        fn any_text_is_resolved_or_refused(link in "[a-c:/?#%&=.@+]{0,30}") {
            if let Ok((path, _)) = resolve(BASE, "/visits", &link) {
                prop_assert!(path.starts_with('/'));
            }
        }

        #[test]
        fn values_come_back(value in any::<String>()) {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let (_, query) = resolve(BASE, "/visits", &format!("?v={encoded}")).unwrap();
            prop_assert_eq!(query, [("v".to_owned(), value)]);
        }
    }
}
