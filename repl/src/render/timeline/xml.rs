//! Text as XML takes it.

use sessionql_core::display::escape_controls;

/// Returns a text with all that means something to XML escaped, within an element and between quotes
/// alike. Characters that XML cannot have, and those that a person does not see, become `\u{…}`; line
/// ends stay.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for (idx, line) in text.split('\n').enumerate() {
        if idx > 0 {
            escaped.push('\n');
        }
        for character in escape_controls(line).chars() {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                '\u{fffe}' | '\u{ffff}' => escaped.extend(character.escape_unicode()),
                other => escaped.push(other),
            }
        }
    }
    escaped
}
