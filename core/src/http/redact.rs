//! Keeps secrets and control characters out of everything that is said about a request.
//! In: text of our own, of the server or of an error below us. Out: one line that is safe to print.
//! Two nets: query parameters whose names look secret, and the values known to be secret.

use std::sync::{PoisonError, RwLock};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

/// What stands in place of a secret.
pub(super) const MASK: &str = "***";

/// Values shorter than this are not looked for: they would be found everywhere.
pub(super) const SHORTEST_SECRET_BYTES: usize = 4;

/// Tokens of an expired life that are still looked for.
const KEPT_FORMS: usize = 64;

/// Longest request line in a message, in characters.
const LINE_CHARS: usize = 300;

/// What is percent-encoded in a query: all but what every server reads as itself.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/')
    .remove(b',')
    .remove(b'@')
    .remove(b'*');

/// Writes a query as it is sent.
pub(super) fn encode_query(pairs: &[(String, String)]) -> String {
    join_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Returns method, path and query as they are sent, with values of secret-looking parameters
/// masked. For EXPLAIN and logs.
pub fn request_line(method: &str, path: &str, query: &[(String, String)]) -> String {
    let pairs = query.iter().map(|(name, value)| {
        let shown = if is_secret_name(name) { MASK } else { value.as_str() };
        (name.as_str(), shown)
    });
    let query = join_pairs(pairs);
    let separator = if query.is_empty() { "" } else { "?" };
    printable(&format!("{method} {path}{separator}{query}"))
}

fn join_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, QUERY));
        text.push('=');
        text.extend(utf8_percent_encode(value, QUERY));
    }
    text
}

/// Tells whether a parameter's value has to be masked, by its name. Page tokens are not secrets.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    if has(&["token"]) && has(&["page", "next", "previous", "prev", "continuation", "sync"]) {
        return false;
    }
    let joined = words.concat();
    let parts = ["secret", "password", "passwd", "passphrase", "apikey", "accesskey", "credential"];
    parts.iter().any(|part| joined.contains(part))
        || joined.ends_with("token")
        || has(&["token", "key", "pass", "pwd", "auth", "authorization", "bearer"])
        || has(&["jwt", "assertion", "signature", "sig", "otp"])
}

/// Splits `clientSecret`, `client_secret` and `Client-Secret` into the same words.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for character in name.chars() {
        let begins = character.is_uppercase() && after_lower;
        after_lower = character.is_lowercase() || character.is_ascii_digit();
        if begins || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && character.is_alphanumeric()
        {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Replaces control characters and line separators by spaces and joins runs of spaces.
fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        let is_hidden = character.is_control()
            || character.is_whitespace()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(character, '\u{2066}'..='\u{2069}' | '\u{feff}');
        if !is_hidden {
            line.push(character);
        } else if !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line
}

fn shorten(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns the forms in which a text could show up: as it is, in JSON, in URLs and forms.
pub(super) fn forms_of(plain: &str) -> [String; 5] {
    let quoted = serde_json::Value::from(plain).to_string();
    [
        plain.to_owned(),
        quoted[1..quoted.len() - 1].to_owned(),
        utf8_percent_encode(plain, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(plain, QUERY).to_string(),
        url::form_urlencoded::byte_serialize(plain.as_bytes()).collect(),
    ]
}

/// The secrets of one connection, each in the forms in which it could show up.
#[derive(Default)]
pub(super) struct Redactor {
    forms: RwLock<Vec<SecretString>>,
}

impl Redactor {
    /// Adds a secret.
    pub(super) fn add(&self, secret: &SecretString) {
        let candidates = forms_of(secret.expose_secret());
        let mut forms = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        for candidate in candidates {
            let is_known = forms.iter().any(|form| form.expose_secret() == candidate);
            if candidate.len() >= SHORTEST_SECRET_BYTES && !is_known {
                forms.push(candidate.into());
            }
        }
        if forms.len() > KEPT_FORMS {
            // Configured secrets come first and stay; the oldest renewed tokens go.
            let excess = forms.len() - KEPT_FORMS;
            forms.drain(KEPT_FORMS / 2..KEPT_FORMS / 2 + excess);
        }
    }

    /// Returns the text as one line without secrets.
    pub(super) fn text(&self, text: &str) -> String {
        let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let mut by_length: Vec<&str> = forms.iter().map(|form| form.expose_secret()).collect();
        by_length.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let mut text = text.to_owned();
        for form in by_length {
            if text.contains(form) {
                text = text.replace(form, MASK);
            }
        }
        printable(&text)
    }

    /// Returns a request line of bounded length without secrets.
    pub(super) fn line(&self, method: &str, path: &str, query: &[(String, String)]) -> String {
        shorten(&self.text(&request_line(method, path, query)), LINE_CHARS)
    }

    /// Returns the beginning of a body as one line; empty if there is nothing to see.
    pub(super) fn excerpt(&self, bytes: &[u8]) -> String {
        const EXCERPT_CHARS: usize = 160;
        let text = self.text(&String::from_utf8_lossy(bytes)).replace('`', "'");
        shorten(text.trim(), EXCERPT_CHARS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn secret_looking_parameters_are_masked() {
        let query =
            pairs(&[("client_secret", "x"), ("apiKey", "y"), ("start", "2024-01-01T00:00Z")]);
        let line = request_line("GET", "/a", &query);
        assert_eq!(line, "GET /a?client_secret=***&apiKey=***&start=2024-01-01T00:00Z");
    }

    #[test]
    fn page_tokens_and_plain_words_are_shown() {
        for name in ["pageToken", "next_token", "monkey", "keyboard", "author", "cursor"] {
            assert!(!is_secret_name(name), "{name}");
        }
        for name in ["token", "access_token", "accesstoken", "X-API-KEY", "Authorization", "pwd"] {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn known_values_are_masked_in_every_encoding() {
        let redactor = Redactor::default();
        redactor.add(&SecretString::from("s&cr t\"1"));
        let text =
            redactor.text("a s&cr t\"1 b s%26cr%20t%221 c s%26cr+t%221 d s&cr t\\\"1\r\n\x1b[0m");
        assert_eq!(text, "a *** b *** c *** d *** [0m");
    }

    #[test]
    fn configured_secrets_outlive_renewed_tokens() {
        let redactor = Redactor::default();
        redactor.add(&SecretString::from("configured"));
        for n in 0..200 {
            redactor.add(&SecretString::from(format!("token-{n}")));
        }
        assert_eq!(redactor.text("configured token-199"), "*** ***");
    }
}
