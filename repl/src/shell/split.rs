//! The words of a command: apart at spaces, those with spaces in quotes. A quote within quotes of its
//! kind is written twice; there are no other escapes.

use crate::usage::Refusal;

/// Returns the words of a text.
///
/// # Errors
/// If a quote is not closed.
pub(super) fn words(text: &str) -> Result<Vec<String>, Refusal> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, behind) = word(rest)?;
        words.push(word);
        rest = behind.trim_start();
    }
    Ok(words)
}

/// Returns the first word of a text, which does not begin with a space, and what is behind it.
pub(super) fn word(text: &str) -> Result<(String, &str), Refusal> {
    let mut word = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next().filter(|character| !character.is_whitespace()) {
        rest = &rest[character.len_utf8()..];
        if !matches!(character, '\'' | '"') {
            word.push(character);
            continue;
        }
        loop {
            let Some(end) = rest.find(character) else {
                return Err(Refusal::new(format!("the quote {character} is not closed")));
            };
            word.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix(character) {
                Some(behind) => {
                    word.push(character);
                    rest = behind;
                }
                None => break,
            }
        }
    }
    Ok((word, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_apart_at_spaces_and_whole_in_quotes() {
        let of = |text: &str| words(text).unwrap();
        assert_eq!(of("  a  b=c\td "), ["a", "b=c", "d"]);
        assert_eq!(of("who='Ann Lee' \"it's\" ''"), ["who=Ann Lee", "it's", ""]);
        assert_eq!(of("'it''s'"), ["it's"]);
        assert_eq!(of(""), [""; 0]);
        assert_eq!(words("'open").unwrap_err().message, "the quote ' is not closed");
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_out_as_it_was(texts in prop::collection::vec(".{0,12}", 0..5)) {
            let quote = |text: &String| format!("'{}'", text.replace('\'', "''"));
            let line = texts.iter().map(quote).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&line).unwrap(), texts);
        }

        #[test]
        fn no_text_is_too_odd(text in ".*") {
            let _read = words(&text);
        }
    }
}
