//! What the header of a saved query says beside its parameters: what it is called, how bad its rows
//! are, where it comes from, and what its result must be.
//! In: a text. Out: a [`SavedQuery`], or all that is wrong with its header, each with its place.
//! A text without the line `-- sessionql: 1` is a plain query, whose comments are its own affair.

use sessionql_grammar::{HeaderEntry, Span};

use crate::expect::Expectation;
use crate::report::{Kind, Report};
use crate::script::Script;
use crate::usage::Refusal;

/// The keys of a header, apart from `sessionql` and `param`.
const KEYS: [&str; 8] =
    ["name", "description", "severity", "tags", "owner", "source", "references", "expect"];

/// The keys whose values are prose, and reach to the end of their line.
const PROSE: [&str; 4] = ["param", "description", "source", "references"];

/// How bad rows of a query may be, the least first.
const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];

/// What is known of a query beside its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SavedQuery {
    /// What it is called.
    pub(crate) name: Option<String>,
    /// What it finds.
    pub(crate) description: Option<String>,
    /// How bad its rows are: one of [`SEVERITIES`].
    pub(crate) severity: Option<String>,
    /// Words to choose it by.
    pub(crate) tags: Vec<String>,
    /// Who answers for it.
    pub(crate) owner: Option<String>,
    /// What it was made after.
    pub(crate) source: Option<String>,
    /// What to read about it.
    pub(crate) references: Vec<String>,
    /// What its result must be.
    pub(crate) expectation: Option<Expectation>,
}

/// Something that is wrong with a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderFault {
    /// What is wrong.
    pub(crate) message: String,
    /// Where.
    pub(crate) span: Span,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl HeaderFault {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, hint: None }
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns the fault as it is told.
    pub(crate) fn report(&self, script: &Script) -> Report {
        let report = Report::new(Kind::Error, &self.message).at(script, Some(self.span));
        report.with_hint(self.hint.clone())
    }
}

/// Reads the header of a text.
///
/// # Errors
/// All that is wrong with it, in the order of its lines.
pub(crate) fn read(text: &str) -> Result<SavedQuery, Vec<HeaderFault>> {
    let header = sessionql_grammar::header(text).map_err(|error| {
        vec![HeaderFault { message: error.to_string(), span: error.span, hint: error.hint() }]
    })?;
    let is_saved = header.get("sessionql").is_some();
    let entries: Vec<HeaderEntry> =
        header.entries.iter().flat_map(|entry| split(text, entry)).collect();
    if !is_saved {
        return match entries.iter().find(|entry| entry.key == "expect") {
            // A gate that is silently left out would never close.
            Some(entry) => Err(vec![
                HeaderFault::new(entry.span, "`expect` counts only in a saved query")
                    .with_hint("begin the file with the line `-- sessionql: 1`"),
            ]),
            None => Ok(SavedQuery {
                name: header.get("name").map(str::to_owned),
                ..SavedQuery::default()
            }),
        };
    }
    let mut query = SavedQuery::default();
    let mut faults = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for entry in &entries {
        let key = entry.key.as_str();
        if key == "param" {
            continue;
        }
        if seen.contains(&key) {
            faults.push(HeaderFault::new(entry.span, format!("`{key}` comes twice")));
            continue;
        }
        seen.push(key);
        if key != "sessionql" {
            faults.extend(query.take(text, entry).err());
        }
    }
    if faults.is_empty() { Ok(query) } else { Err(faults) }
}

impl SavedQuery {
    fn take(&mut self, text: &str, entry: &HeaderEntry) -> Result<(), HeaderFault> {
        let HeaderEntry { key, value, span } = entry;
        if KEYS.contains(&key.as_str()) && value.is_empty() {
            return Err(HeaderFault::new(*span, format!("`{key}` says nothing")));
        }
        let said = Some(value.clone());
        match key.as_str() {
            "name" => self.name = said,
            "description" => self.description = said,
            "owner" => self.owner = said,
            "source" => self.source = said,
            "severity" if SEVERITIES.contains(&value.as_str()) => self.severity = said,
            "severity" => {
                let known = SEVERITIES.join("`, `");
                let message = format!("`{value}` is no severity");
                return Err(HeaderFault::new(*span, message).with_hint(format!("one of `{known}`")));
            }
            "tags" => {
                self.tags = list(value)
                    .filter(|tags| tags.iter().all(|tag| is_tag(tag)))
                    .ok_or_else(|| {
                        HeaderFault::new(*span, format!("`{value}` is no list of tags"))
                            .with_hint("write words such as `[vpn, T1078]`")
                    })?;
            }
            "references" => {
                self.references = list(value).ok_or_else(|| {
                    HeaderFault::new(*span, format!("`{value}` is no list"))
                        .with_hint("write `[first, second]`")
                })?;
            }
            "expect" => {
                let read = value.parse::<Expectation>();
                self.expectation = Some(read.map_err(|Refusal { message, hint }| HeaderFault {
                    message,
                    span: *span,
                    hint,
                })?);
            }
            unknown => {
                let near = sessionql_core::error::nearest(unknown, KEYS);
                let hint = sessionql_core::error::did_you_mean(&near)
                    .unwrap_or_else(|| format!("keys are `param`, `{}`", KEYS.join("`, `")));
                let message = format!("a saved query has no key `{unknown}`");
                return Err(HeaderFault::new(key_span(text, entry), message).with_hint(hint));
            }
        }
        Ok(())
    }
}

/// Returns the entries of a line: short ones may share it, with two blanks between them, and have a
/// comment behind them.
fn split(text: &str, entry: &HeaderEntry) -> Vec<HeaderEntry> {
    let mut entries = Vec::new();
    let (mut key, mut start) = (entry.key.clone(), entry.span.start);
    loop {
        let rest = text.get(start..entry.span.end).unwrap_or_default();
        let next = if PROSE.contains(&key.as_str()) { None } else { next_key(rest) };
        let end = next.as_ref().map_or(rest.len(), |(at, ..)| *at);
        let mut value = &rest[..end];
        if !PROSE.contains(&key.as_str()) {
            value = value.split(" --").next().unwrap_or_default();
        }
        let value = value.trim_end();
        let span = Span::new(start, start + value.len());
        // A value of several lines is joined already.
        let is_whole = next.is_none() && PROSE.contains(&key.as_str());
        let value = if is_whole { entry.value.clone() } else { value.to_owned() };
        entries.push(HeaderEntry { key, value, span });
        let Some((_, next_key, value_at)) = next else { return entries };
        (key, start) = (next_key, start + value_at);
    }
}

/// Returns where in a value the blanks before another key begin, the key, and where its value begins.
fn next_key(value: &str) -> Option<(usize, String, usize)> {
    for (blanks_at, _) in value.match_indices("  ") {
        let rest = &value[blanks_at..];
        let word = rest.trim_start();
        let key_at = blanks_at + rest.len() - word.len();
        let Some((key, after)) = word.split_once(':') else { continue };
        let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !key.is_empty() && key.chars().all(is_key) && after.starts_with([' ', '\t']) {
            let value_at = key_at + key.len() + 1 + (after.len() - after.trim_start().len());
            return Some((blanks_at, key.to_lowercase(), value_at));
        }
    }
    None
}

/// Returns where the key of an entry stands.
fn key_span(text: &str, entry: &HeaderEntry) -> Span {
    let before = text.get(..entry.span.start).unwrap_or_default();
    let before = before.trim_end().strip_suffix(':').unwrap_or(before).trim_end();
    Span::new(before.len().saturating_sub(entry.key.len()), before.len())
}

/// Returns the items of `[a, b]`, or of `a, b`; `None` if a bracket or an item is missing.
fn list(value: &str) -> Option<Vec<String>> {
    let inner = match (value.strip_prefix('['), value.strip_suffix(']')) {
        (Some(_), Some(_)) => &value[1..value.len() - 1],
        (None, None) => value,
        _ => return None,
    };
    let items: Vec<String> = inner.split(',').map(|item| item.trim().to_owned()).collect();
    items.iter().all(|item| !item.is_empty()).then_some(items)
}

fn is_tag(tag: &str) -> bool {
    tag.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns message, marked text and hint of each fault.
    fn faults(text: &str) -> Vec<(String, String, Option<String>)> {
        let faults = read(text).unwrap_err().into_iter();
        faults.map(|fault| (fault.message, fault.span.of(text).to_owned(), fault.hint)).collect()
    }

    #[test]
    fn all_keys() {
        let text = "\
-- sessionql: 1
-- name: late logins
-- description: Logins at night.
--     They are rare: most people sleep.
-- severity: high      owner: secops     tags: [vpn, T1078.004]
-- source: Elastic 0d3d2254-2b4a-11f0-a019-f661ea17fbcc
-- references: [https://example.com/a, https://example.com/b]
-- param: n int = 3 -- how many:  at most
-- expect: empty            -- nobody works at night
SELECT 1
";
        let query = read(text).unwrap();
        assert_eq!(query.name.as_deref(), Some("late logins"));
        let description = "Logins at night. They are rare: most people sleep.";
        assert_eq!(query.description.as_deref(), Some(description));
        assert_eq!(
            (query.severity.as_deref(), query.owner.as_deref()),
            (Some("high"), Some("secops"))
        );
        assert_eq!(query.tags, ["vpn", "T1078.004"]);
        assert_eq!(query.source.as_deref(), Some("Elastic 0d3d2254-2b4a-11f0-a019-f661ea17fbcc"));
        assert_eq!(query.references, ["https://example.com/a", "https://example.com/b"]);
        assert!(query.expectation.is_some_and(|expectation| expectation.holds(0)));
    }

    #[test]
    fn a_plain_query_keeps_its_comments() {
        let text = "-- note: not a key of ours\n-- severity: very\nSELECT 1";
        assert_eq!(read(text), Ok(SavedQuery::default()));
        let text = "-- expect: empty\nSELECT 1";
        assert_eq!(faults(text)[0].0, "`expect` counts only in a saved query");
    }

    #[test]
    fn everything_wrong_is_told_where_it_stands() {
        let text = "\
-- sessionql: 1
-- nam: x
-- severity: very  owner: a
-- tags: [a b]
-- tags: [a]
-- expect: rows
-- source:
SELECT 1
";
        let told = faults(text);
        let told: Vec<_> =
            told.iter().map(|(m, s, h)| (m.as_str(), s.as_str(), h.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("a saved query has no key `nam`", "nam", Some("did you mean `name`?")),
                (
                    "`very` is no severity",
                    "very",
                    Some("one of `info`, `low`, `medium`, `high`, `critical`")
                ),
                ("`[a b]` is no list of tags", "[a b]", Some("write words such as `[vpn, T1078]`")),
                ("`tags` comes twice", "[a]", None),
                (
                    "`rows` is not an expectation",
                    "rows",
                    Some("expectations are `empty`, `nonempty` or such as `rows <= 10`")
                ),
                ("`source` says nothing", "", None),
            ]
        );
        assert_eq!(faults("-- sessionql: 2\nSELECT 1")[0].1, "2");
        assert_eq!(
            faults("-- sessionql: 1\n-- tags: [a\nSELECT 1")[0].0,
            "`[a` is no list of tags"
        );
    }
}
