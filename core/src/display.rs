//! Text for people: what comes from outside made safe to show, numbers, sizes, names of columns.

use std::collections::HashSet;

use arrow::datatypes::Schema;

/// Returns `text` with every character that could move a terminal's cursor, change its state or
/// reorder what is read replaced by its escape, such as `\u{1b}`.
pub fn escape_controls(text: &str) -> String {
    if !text.chars().any(is_unsafe) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            unsafe_one if is_unsafe(unsafe_one) => safe.extend(unsafe_one.escape_unicode()),
            safe_one => safe.push(safe_one),
        }
    }
    safe
}

/// Returns a size as people read it, such as `512 MB`, in powers of 1,000.
pub fn size(bytes: usize) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];
    match units.into_iter().find(|(_, factor)| bytes >= *factor) {
        None => format!("{bytes} bytes"),
        Some((unit, factor)) if bytes.is_multiple_of(factor) => {
            format!("{} {unit}", bytes / factor)
        }
        Some((unit, factor)) => format!("{:.1} {unit}", bytes as f64 / factor as f64),
    }
}

/// Returns the names of columns, of which a repeated one gets a number: `a`, `a_2`, `a_3`.
pub fn unique_names(schema: &Schema) -> Vec<String> {
    let given: HashSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut used: HashSet<String> = HashSet::new();
    let mut names = Vec::new();
    for field in schema.fields() {
        let mut name = field.name().clone();
        for number in 2.. {
            if used.insert(name.clone()) {
                break;
            }
            name = format!("{}_{number}", field.name());
            while given.contains(name.as_str()) && !used.contains(&name) {
                name.push('_');
            }
        }
        names.push(name);
    }
    names
}

/// Tells whether a character is a control or changes the direction of text.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Returns a number and what it counts: `1 row`, `1,200 rows`.
pub fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

/// Returns a number with its thousands set apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{escape_controls, size};

    #[test]
    fn sizes() {
        assert_eq!(size(999), "999 bytes");
        assert_eq!(size(2_000_000), "2 MB");
        assert_eq!(size(1_500_000_000), "1.5 GB");
    }

    #[test]
    fn escapes_what_moves_the_cursor_and_keeps_the_rest() {
        assert_eq!(escape_controls("Zoë O'Neil 漢字"), "Zoë O'Neil 漢字");
        assert_eq!(escape_controls("a\x1b[2Jb\tc\n"), "a\\u{1b}[2Jb\\tc\\n");
        assert_eq!(escape_controls("\u{202e}abc"), "\\u{202e}abc");
    }
}
