//! The tables of a script: reads CREATE TABLE, INSERT and DROP TABLE, and keeps rows of literals.
//! Types of SQL become those of columns that cross the wall; what has none is an error. Literals
//! are read here and not by the engine, which is what is tested.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// The tables, by name.
#[derive(Debug, Default)]
pub(crate) struct Tables(BTreeMap<String, Table>);

/// A table and its rows.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    columns: Vec<Column>,
    rows: Vec<Map<String, Value>>,
}

#[derive(Debug)]
struct Column {
    name: String,
    column_type: &'static str,
    is_required: bool,
}

impl Tables {
    /// Returns the tables, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Table> {
        self.0.values()
    }

    /// Runs a statement and returns how many rows it made.
    ///
    /// # Errors
    /// A message that says what cannot be read or stored.
    pub(crate) fn apply(&mut self, sql: &str) -> Result<u64, String> {
        let mut tokens = Tokens::of(sql)?;
        let n_rows = match tokens.word()?.as_str() {
            "create" => self.create(&mut tokens)?,
            "insert" => self.insert(&mut tokens)?,
            _ => self.drop(&mut tokens)?,
        };
        tokens.take_if(&Token::Symbol(';'));
        match tokens.next() {
            None => Ok(n_rows),
            Some(surplus) => Err(format!("the end is due, not {}", surplus.quoted())),
        }
    }

    fn create(&mut self, tokens: &mut Tokens) -> Result<u64, String> {
        tokens.expect_word("table")?;
        let name = tokens.word()?;
        if self.0.contains_key(&name) {
            return Err(format!("table `{name}` is there already"));
        }
        let mut columns: Vec<Column> = Vec::new();
        let mut keys = Vec::new();
        tokens.expect('(')?;
        loop {
            if tokens.take_word("primary") {
                tokens.expect_word("key")?;
                keys.extend(tokens.names()?);
            } else {
                columns.push(column(tokens)?);
            }
            if !tokens.take_if(&Token::Symbol(',')) {
                break;
            }
        }
        tokens.expect(')')?;
        for key in &keys {
            let column = columns.iter_mut().find(|column| column.name == *key);
            column.ok_or_else(|| format!("the key `{key}` is no column"))?.is_required = true;
        }
        self.0.insert(name.clone(), Table { name, columns, rows: Vec::new() });
        Ok(0)
    }

    fn insert(&mut self, tokens: &mut Tokens) -> Result<u64, String> {
        tokens.expect_word("into")?;
        let name = tokens.word()?;
        let table = self.0.get_mut(&name).ok_or_else(|| format!("there is no table `{name}`"))?;
        let mut columns: Vec<usize> = (0..table.columns.len()).collect();
        if tokens.peek() == Some(&Token::Symbol('(')) {
            let find = |column: &String| {
                let found = table.columns.iter().position(|known| known.name == *column);
                found.ok_or_else(|| format!("table `{name}` has no column `{column}`"))
            };
            columns = tokens.names()?.iter().map(find).collect::<Result<_, _>>()?;
        }
        tokens.expect_word("values")?;
        let n_before = table.rows.len();
        loop {
            let row = table.row(&columns, tokens)?;
            table.rows.push(row);
            if !tokens.take_if(&Token::Symbol(',')) {
                return Ok((table.rows.len() - n_before) as u64);
            }
        }
    }

    fn drop(&mut self, tokens: &mut Tokens) -> Result<u64, String> {
        tokens.expect_word("table")?;
        let is_optional = tokens.take_word("if");
        if is_optional {
            tokens.expect_word("exists")?;
        }
        let name = tokens.word()?;
        if self.0.remove(&name).is_none() && !is_optional {
            return Err(format!("there is no table `{name}`"));
        }
        Ok(0)
    }
}

impl Table {
    /// Returns the rows as lines of JSON.
    pub(crate) fn lines(&self) -> String {
        self.rows.iter().map(|row| format!("{}\n", json!(row))).collect()
    }

    /// Returns the columns as the fixture plugin has them declared.
    pub(crate) fn declarations(&self) -> Vec<String> {
        let declare = |column: &Column| {
            let required = if column.is_required { " not null" } else { "" };
            format!("{} {}{required}", column.name, column.column_type)
        };
        self.columns.iter().map(declare).collect()
    }

    /// Reads the values of one row, in parentheses.
    fn row(&self, columns: &[usize], tokens: &mut Tokens) -> Result<Map<String, Value>, String> {
        let mut values = Vec::new();
        tokens.expect('(')?;
        loop {
            values.push(Literal::read(tokens)?);
            if !tokens.take_if(&Token::Symbol(',')) {
                break;
            }
        }
        tokens.expect(')')?;
        if values.len() != columns.len() {
            return Err(format!("{} values are due, not {}", columns.len(), values.len()));
        }
        let mut row = Map::new();
        for (value, idx) in values.iter().zip(columns) {
            let column = &self.columns[*idx];
            row.insert(column.name.clone(), value.of_type(column.column_type)?);
        }
        let is_missing = |column: &&Column| {
            column.is_required && row.get(&column.name).is_none_or(Value::is_null)
        };
        match self.columns.iter().find(is_missing) {
            Some(column) => Err(format!("column `{}` must not be NULL", column.name)),
            None => Ok(row),
        }
    }
}

/// Reads the declaration of a column.
fn column(tokens: &mut Tokens) -> Result<Column, String> {
    let name = tokens.word()?;
    let type_name = tokens.word()?;
    let column_type = match type_name.as_str() {
        "integer" | "int" | "bigint" | "smallint" => "int64",
        "real" | "double" | "float" => "float64",
        "varchar" | "text" | "char" => "text",
        "boolean" | "bool" => "bool",
        "timestamp" | "timestamptz" => "timestamp",
        "interval" | "duration" => "duration",
        _ => return Err(format!("type `{type_name}` of column `{name}` cannot be stored")),
    };
    tokens.take_word("precision");
    if tokens.take_if(&Token::Symbol('(')) {
        tokens.next();
        tokens.expect(')')?;
    }
    if tokens.take_word("with") || tokens.take_word("without") {
        tokens.expect_word("time")?;
        tokens.expect_word("zone")?;
    }
    let mut is_required = false;
    loop {
        if tokens.take_word("not") {
            tokens.expect_word("null")?;
            is_required = true;
        } else if tokens.take_word("primary") {
            tokens.expect_word("key")?;
            is_required = true;
        } else if !tokens.take_word("null") && !tokens.take_word("unique") {
            return Ok(Column { name, column_type, is_required });
        }
    }
}

/// A literal as it is written.
#[derive(Debug)]
enum Literal {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
}

impl Literal {
    fn read(tokens: &mut Tokens) -> Result<Self, String> {
        let sign = if tokens.take_if(&Token::Symbol('-')) { "-" } else { "" };
        match tokens.next() {
            Some(Token::Number(digits)) => Ok(Self::Number(format!("{sign}{digits}"))),
            Some(Token::Text(text)) => Ok(Self::Text(text)),
            Some(Token::Word(word)) => match word.as_str() {
                "null" => Ok(Self::Null),
                "true" => Ok(Self::Bool(true)),
                "false" => Ok(Self::Bool(false)),
                "timestamp" | "timestamptz" | "interval" => Self::read(tokens),
                _ => Err(format!("a literal is due, not `{word}`")),
            },
            Some(other) => Err(format!("a literal is due, not {}", other.quoted())),
            None => Err("a literal is due, not the end".to_owned()),
        }
    }

    /// Returns the literal as the fixture's files have values of a type.
    fn of_type(&self, column_type: &str) -> Result<Value, String> {
        let value = match (self, column_type) {
            (Self::Null, _) => Some(Value::Null),
            (Self::Bool(flag), "bool") => Some(json!(flag)),
            (Self::Number(digits), "int64") => {
                digits.parse::<i64>().ok().map(|number| json!(number))
            }
            (Self::Number(digits), "float64") => {
                digits.parse::<f64>().ok().map(|number| json!(number))
            }
            (Self::Number(text) | Self::Text(text), "text") => Some(json!(text)),
            (Self::Text(text), "timestamp") => instant(text).map(|text| json!(text)),
            (Self::Text(text), "duration") => duration_us(text).map(|us| json!(us)),
            _ => None,
        };
        value.ok_or_else(|| {
            let shown = match self {
                Self::Null => "NULL".to_owned(),
                Self::Bool(flag) => flag.to_string(),
                Self::Number(digits) => digits.clone(),
                Self::Text(text) => format!("'{text}'"),
            };
            format!("`{shown}` is no value of type `{column_type}`")
        })
    }
}

/// Returns an instant in RFC 3339; without an offset it is in UTC.
fn instant(text: &str) -> Option<String> {
    let with_t = text.replacen(' ', "T", 1);
    let utc = DateTime::parse_from_rfc3339(&with_t)
        .map(|instant| instant.with_timezone(&Utc))
        .ok()
        .or_else(|| Some(with_t.parse::<NaiveDateTime>().ok()?.and_utc()))
        .or_else(|| Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc()))?;
    Some(utc.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// Returns the microseconds of an interval such as `1 day 2 hours`; none for months and years.
fn duration_us(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut sum = 0_i64;
    for pair in words.chunks(2) {
        let [number, unit] = pair else { return None };
        let unit_us: i64 = match unit.trim_end_matches('s') {
            "week" => 604_800_000_000,
            "day" => 86_400_000_000,
            "hour" => 3_600_000_000,
            "minute" => 60_000_000,
            "second" => 1_000_000,
            "millisecond" => 1_000,
            "microsecond" => 1,
            _ => return None,
        };
        sum = sum.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_us)?)?;
    }
    (!words.is_empty()).then_some(sum)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A name or keyword, in lower case unless it was quoted.
    Word(String),
    Number(String),
    Text(String),
    Symbol(char),
}

impl Token {
    fn quoted(&self) -> String {
        match self {
            Self::Word(text) | Self::Number(text) => format!("`{text}`"),
            Self::Text(text) => format!("`'{text}'`"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
        }
    }
}

/// The tokens of a statement that are still to be read.
struct Tokens(std::iter::Peekable<std::vec::IntoIter<Token>>);

impl Tokens {
    fn of(sql: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut rest = sql.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = |is_part: fn(char) -> bool| {
                rest.find(|character| !is_part(character)).unwrap_or(rest.len())
            };
            let n_bytes = match first {
                '\'' | '"' => {
                    let (text, n_bytes) = quoted(rest, first)?;
                    let is_text = first == '\'';
                    tokens.push(if is_text { Token::Text(text) } else { Token::Word(text) });
                    n_bytes
                }
                '0'..='9' => {
                    let n_bytes = length(|c| c.is_ascii_alphanumeric() || c == '.');
                    tokens.push(Token::Number(rest[..n_bytes].to_owned()));
                    n_bytes
                }
                _ if first.is_alphabetic() || first == '_' => {
                    let n_bytes = length(|c| c.is_alphanumeric() || c == '_');
                    tokens.push(Token::Word(rest[..n_bytes].to_lowercase()));
                    n_bytes
                }
                _ => {
                    tokens.push(Token::Symbol(first));
                    first.len_utf8()
                }
            };
            rest = rest[n_bytes..].trim_start();
        }
        Ok(Self(tokens.into_iter().peekable()))
    }

    fn next(&mut self) -> Option<Token> {
        self.0.next()
    }

    fn peek(&mut self) -> Option<&Token> {
        self.0.peek()
    }

    fn take_if(&mut self, wanted: &Token) -> bool {
        self.0.next_if_eq(wanted).is_some()
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        self.take_if(&Token::Word(wanted.to_owned()))
    }

    fn word(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(other) => Err(format!("a name is due, not {}", other.quoted())),
            None => Err("a name is due, not the end".to_owned()),
        }
    }

    fn expect(&mut self, symbol: char) -> Result<(), String> {
        self.expect_token(&Token::Symbol(symbol))
    }

    fn expect_word(&mut self, word: &str) -> Result<(), String> {
        self.expect_token(&Token::Word(word.to_owned()))
    }

    fn expect_token(&mut self, wanted: &Token) -> Result<(), String> {
        match self.next() {
            Some(found) if found == *wanted => Ok(()),
            Some(found) => Err(format!("{} is due, not {}", wanted.quoted(), found.quoted())),
            None => Err(format!("{} is due, not the end", wanted.quoted())),
        }
    }

    /// Reads names in parentheses.
    fn names(&mut self) -> Result<Vec<String>, String> {
        self.expect('(')?;
        let mut names = vec![self.word()?];
        while self.take_if(&Token::Symbol(',')) {
            names.push(self.word()?);
        }
        self.expect(')')?;
        Ok(names)
    }
}

/// Reads a quoted text, in which the quote is written twice. Returns it and its length in bytes.
fn quoted(rest: &str, quote: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((idx, character)) = characters.next() {
        if character != quote {
            text.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            text.push(quote);
        } else {
            return Ok((text, idx + 1));
        }
    }
    Err(format!("a {quote} is never closed"))
}
