//! Byte offsets to lines and columns, which is what the engine's diagnostics carry.

use datafusion::sql::sqlparser::tokenizer::{Location, Span as SqlSpan};
use sessionql_grammar::ast::Span;

/// How many bytes lie between two remembered places.
const STEP_BYTES: usize = 256;

/// Finds lines and columns of one text, each in constant time.
pub(super) struct Positions<'a> {
    text: &'a str,
    /// Line and column every so many bytes, or at the next character.
    places: Vec<(usize, Location)>,
}

impl<'a> Positions<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut places = vec![(0, Location::new(1, 1))];
        let (mut here, mut next) = (Location::new(1, 1), STEP_BYTES);
        for (at, c) in text.char_indices() {
            if at >= next {
                places.push((at, here));
                next += STEP_BYTES;
            }
            step(&mut here, c);
        }
        Self { text, places }
    }

    /// Returns where a span stands.
    pub(super) fn span(&self, span: Span) -> SqlSpan {
        SqlSpan::new(self.location(span.start), self.location(span.end))
    }

    fn location(&self, offset: usize) -> Location {
        let after = self.places.partition_point(|(at, _)| *at <= offset);
        let Some((start, mut here)) =
            after.checked_sub(1).and_then(|idx| self.places.get(idx)).copied()
        else {
            return Location::empty();
        };
        for c in self.text.get(start..offset).unwrap_or_default().chars() {
            step(&mut here, c);
        }
        here
    }
}

fn step(here: &mut Location, c: char) {
    if c == '\n' {
        *here = Location::new(here.line + 1, 1);
    } else {
        here.column += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_grammar() {
        let text = "select 'ü',\n  a\nfrom t ".repeat(100);
        let positions = Positions::new(&text);
        for offset in (0..text.len()).filter(|offset| text.is_char_boundary(*offset)) {
            let (line, column) = sessionql_grammar::line_col(&text, offset);
            assert_eq!(positions.location(offset), Location::new(line as u64, column as u64));
        }
    }
}
