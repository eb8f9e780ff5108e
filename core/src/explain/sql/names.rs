//! Names that the engine gives to what has no alias, such as `count(Int64(1))`, as SQL.

use super::{MASK, Writer, quoted};

impl Writer {
    /// Returns a column's name without the types of literals and without the names of tables. If
    /// columns are sensitive, text within the name is masked, for nobody knows what it was compared
    /// with.
    pub(in crate::explain) fn name(&self, text: &str) -> String {
        let mut name = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if !(first.is_alphabetic() || first == '_') {
                let end = match first {
                    '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
                    _ if first.is_ascii_digit() => {
                        rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())
                    }
                    _ => first.len_utf8(),
                };
                name.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let qualifies = after.starts_with('.')
                && after[1..].starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '"');
            if qualifies {
                rest = &after[1..];
            } else if let Some((literal, after)) = self.typed_literal(word, after) {
                name.push_str(&literal);
                rest = after;
            } else {
                name.push_str(word);
                rest = after;
            }
        }
        name.replace("count(1)", "count(*)")
    }

    /// Returns the literal of `Int64(1)` or `Utf8("x")`, and what follows it.
    fn typed_literal<'a>(&self, word: &str, after: &'a str) -> Option<(String, &'a str)> {
        const TYPES: [&str; 9] = [
            "Int64",
            "Int32",
            "UInt64",
            "Float64",
            "Boolean",
            "Utf8",
            "Utf8View",
            "LargeUtf8",
            "DurationMicrosecond",
        ];
        if !TYPES.contains(&word) {
            return None;
        }
        let inner = after.strip_prefix('(')?;
        if let Some(text) = inner.strip_prefix('"') {
            let (text, after) = text.split_once("\")")?;
            let literal = if self.sensitive.is_empty() { quoted(text) } else { MASK.to_owned() };
            return Some((literal, after));
        }
        let (literal, after) = inner.split_once(')')?;
        Some((literal.to_owned(), after))
    }
}
