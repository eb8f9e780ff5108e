//! Reads JSON objects, one a line. In: bytes. Out: rows, with a column for each key that was seen
//! so far, in the order of their first appearance. Numbers stay as written.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{BufRead, Read as _};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::cell::Cell;
use super::{Fault, MAX_VALUE_BYTES, Row};

/// A file of JSON lines, of which rows are read.
pub(super) struct JsonlReader<R> {
    input: R,
    /// The names of the columns that were seen.
    pub(super) names: Vec<String>,
    column_idx: HashMap<String, usize>,
    line: usize,
}

impl<R: BufRead> JsonlReader<R> {
    /// Opens a file.
    pub(super) fn open(mut input: R) -> Result<Self, Fault> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        if input.fill_buf().map_err(Fault::io)?.starts_with(BYTE_ORDER_MARK) {
            input.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Self { input, names: Vec::new(), column_idx: HashMap::new(), line: 0 })
    }

    /// Returns the next row; it may be shorter than `names`, what it lacks is NULL.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, Fault> {
        let mut bytes = Vec::new();
        while bytes.trim_ascii().is_empty() {
            bytes.clear();
            self.line += 1;
            let most = MAX_VALUE_BYTES as u64 + 1;
            self.input.by_ref().take(most).read_until(b'\n', &mut bytes).map_err(Fault::io)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            if bytes.len() > MAX_VALUE_BYTES {
                let message = format!("the line is longer than {MAX_VALUE_BYTES} bytes");
                return Err(Fault::new(message)
                    .at(self.line)
                    .with_hint("write one JSON object a line, without a list around them"));
            }
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Fault::new("the line is not UTF-8").at(self.line))?;
        let Entries(entries) = serde_json::from_str(text).map_err(|error| self.not_json(&error))?;
        let mut cells = vec![Cell::Null; self.names.len()];
        for (name, value) in entries {
            let cell = read_cell(value.get()).map_err(|error| self.not_json(&error))?;
            match self.column_idx.get(&name) {
                Some(column_idx) => cells[*column_idx] = cell,
                None => {
                    self.column_idx.insert(name.clone(), self.names.len());
                    self.names.push(name);
                    cells.push(cell);
                }
            }
        }
        Ok(Some(Row { line: self.line, cells }))
    }

    fn not_json(&self, error: &serde_json::Error) -> Fault {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        Fault::new(format!("not a JSON object: {message}")).at(self.line)
    }
}

/// Returns a value of JSON as a cell.
pub(crate) fn read_cell(raw: &str) -> Result<Cell, serde_json::Error> {
    Ok(match raw.as_bytes().first() {
        Some(b'n') => Cell::Null,
        Some(b't') => Cell::Bool(true),
        Some(b'f') => Cell::Bool(false),
        Some(b'"') => Cell::Text(serde_json::from_str(raw)?),
        Some(b'[') if serde_json::from_str::<Vec<Option<String>>>(raw).is_ok() => {
            Cell::List(raw.to_owned())
        }
        Some(b'[' | b'{') => Cell::Json(raw.to_owned()),
        _ => Cell::Number(raw.to_owned()),
    })
}

/// The entries of an object, in order; no key comes twice.
struct Entries(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;

        impl<'de> Visitor<'de> for OfObject {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let (mut entries, mut seen) = (Vec::new(), HashSet::new());
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom(format!("the key `{key}` comes twice")));
                    }
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(OfObject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<String>, Vec<Row>), Fault> {
        let mut reader = JsonlReader::open(text.as_bytes())?;
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row()? {
            rows.push(row);
        }
        Ok((reader.names, rows))
    }

    #[test]
    fn columns_are_the_keys_in_order_and_numbers_stay_as_written() {
        let text = "\u{feff}{\"b\":1.10,\"a\":\"x\"}\r\n\n{\"c\":[\"y\",null],\"a\":null}\n{\"c\":[1],\"d\":{\"e\":true}}";
        let (names, rows) = read(text).unwrap();
        assert_eq!(names, ["b", "a", "c", "d"]);
        assert_eq!(rows[0].cells, [Cell::Number("1.10".into()), Cell::Text("x".into())]);
        assert_eq!(rows[1].cells, [Cell::Null, Cell::Null, Cell::List("[\"y\",null]".into())]);
        assert_eq!(rows[1].line, 3);
        assert_eq!(
            rows[2].cells,
            [Cell::Null, Cell::Null, Cell::Json("[1]".into()), Cell::Json("{\"e\":true}".into())]
        );
    }

    #[test]
    fn what_is_no_object_is_an_error_with_its_line() {
        for (text, expected) in [
            ("{}\n[1]\n", "2: not a JSON object: invalid type: sequence, expected an object"),
            ("{\"a\":1,\"a\":2}", "1: not a JSON object: the key `a` comes twice"),
            ("{\"a\":1", "1: not a JSON object: EOF while parsing an object"),
            ("{\"a\":1} {\"a\":2}", "1: not a JSON object: trailing characters"),
            ("{\"a\":\"\\ud800\"}", "1: not a JSON object: unexpected end of hex escape"),
        ] {
            let fault = read(text).unwrap_err();
            assert_eq!(format!("{}: {}", fault.line.unwrap(), fault.message), expected, "{text}");
        }
    }
}
