//! What a script expects of a result: `--expect`.

use std::fmt;
use std::str::FromStr;

use crate::usage::Refusal;

/// A claim about the number of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expectation {
    comparison: Comparison,
    n_rows: u64,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

impl Expectation {
    /// Tells whether a result of `n_rows` is as expected.
    pub(crate) fn holds(&self, n_rows: u64) -> bool {
        match self.comparison {
            Comparison::Less => n_rows < self.n_rows,
            Comparison::AtMost => n_rows <= self.n_rows,
            Comparison::Equal => n_rows == self.n_rows,
            Comparison::AtLeast => n_rows >= self.n_rows,
            Comparison::Greater => n_rows > self.n_rows,
        }
    }

    fn read(text: &str) -> Option<(Comparison, u64)> {
        match text.to_ascii_lowercase().as_str() {
            "empty" => return Some((Comparison::Equal, 0)),
            "nonempty" => return Some((Comparison::Greater, 0)),
            _ => {}
        }
        let rest = text.get(.."rows".len()).filter(|word| word.eq_ignore_ascii_case("rows"));
        let rest = text[rest?.len()..].trim_start();
        let symbols = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("=", Comparison::Equal),
        ];
        let (symbol, comparison) =
            symbols.into_iter().find(|(symbol, _)| rest.starts_with(symbol))?;
        let number = rest[symbol.len()..].trim();
        // `parse` would also take a sign.
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        Some((comparison, number.parse().ok().filter(|_| is_plain)?))
    }
}

impl FromStr for Expectation {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        match Self::read(text) {
            Some((comparison, n_rows)) => Ok(Self { comparison, n_rows, text: text.to_owned() }),
            None => Err(Refusal::new(format!("`{text}` is not an expectation"))
                .with_hint("expectations are `empty`, `nonempty` or such as `rows <= 10`")),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_hold_or_not() {
        let holds = |text: &str, n_rows| text.parse::<Expectation>().unwrap().holds(n_rows);
        assert!(holds("empty", 0) && !holds("empty", 1));
        assert!(holds("nonempty", 1) && !holds("nonempty", 0));
        assert!(holds("rows <= 3", 3) && !holds("rows<=3", 4));
        assert!(holds("ROWS < 3", 2) && !holds("rows < 3", 3));
        assert!(holds("rows >= 3", 3) && !holds("rows > 3", 3));
        assert!(holds("rows = 3", 3) && !holds("rows = 3", 2));
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for text in [
            "",
            "rows",
            "rows <=",
            "rows <= x",
            "rows <= -1",
            "rows <= +1",
            "rows => 3",
            "row",
            "é…",
        ] {
            assert!(text.parse::<Expectation>().is_err(), "{text}");
        }
    }
}
