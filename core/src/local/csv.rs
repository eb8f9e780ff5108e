//! Reads CSV as RFC 4180 has it and as our own output writes it: an empty field is NULL, `""` is
//! the empty text. In: bytes. Out: the names of the header, then records with their lines. What is
//! not CSV is an error and never a row less.

use std::collections::HashSet;
use std::io::BufRead;

use super::cell::Cell;
use super::{Fault, MAX_VALUE_BYTES, Row};

/// How long a header may be, and any other record.
const MAX_HEADER_BYTES: usize = 1 << 20;
const MAX_RECORD_BYTES: usize = 4 * MAX_VALUE_BYTES;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file of CSV, of which records are read.
pub(super) struct CsvReader<R> {
    input: R,
    delimiter: u8,
    /// The names of the columns.
    pub(super) names: Vec<String>,
    /// The line being read, counted from 1.
    line: usize,
    peeked: Option<u8>,
    /// A line without a character, which may only be the last.
    blank_line: Option<usize>,
}

/// What ends a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldEnd {
    Delimiter,
    Line,
    File,
}

impl<R: BufRead> CsvReader<R> {
    /// Opens a file and reads its header.
    pub(super) fn open(mut input: R, delimiter: u8) -> Result<Self, Fault> {
        let begin = input.fill_buf().map_err(Fault::io)?;
        if begin.starts_with(b"\xff\xfe") || begin.starts_with(b"\xfe\xff") {
            return Err(Fault::new("the file is UTF-16").with_hint("save it as UTF-8"));
        }
        if begin.starts_with(BYTE_ORDER_MARK) {
            input.consume(BYTE_ORDER_MARK.len());
        }
        let mut reader =
            Self { input, delimiter, names: Vec::new(), line: 1, peeked: None, blank_line: None };
        let header = match reader.record(MAX_HEADER_BYTES, None)? {
            Some(header) if header.cells != [Cell::Null] => header,
            _ => return Err(Fault::new("the file has no header").at(1)),
        };
        let mut known = HashSet::new();
        for (column_idx, cell) in header.cells.into_iter().enumerate() {
            let name = match cell {
                Cell::Field(name) if !name.is_empty() => name,
                _ => {
                    let message = format!("column {} has no name", column_idx + 1);
                    return Err(Fault::new(message).at(header.line));
                }
            };
            if !known.insert(name.clone()) {
                let message = format!("the header names `{name}` twice");
                return Err(Fault::new(message).at(header.line));
            }
            reader.names.push(name);
        }
        Ok(reader)
    }

    /// Returns the next row.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, Fault> {
        loop {
            let n_columns = Some(self.names.len());
            let Some(row) = self.record(MAX_RECORD_BYTES, n_columns)? else { return Ok(None) };
            if row.cells == [Cell::Null] && self.names.len() > 1 {
                self.blank_line.get_or_insert(row.line);
                continue;
            }
            if let Some(line) = self.blank_line {
                return Err(Fault::new("the line is empty, and rows follow it").at(line));
            }
            if row.cells.len() != self.names.len() {
                let (found, wanted) = (count(row.cells.len()), count(self.names.len()));
                let message = format!("the line has {found}, the header has {wanted}");
                return Err(Fault::new(message).at(row.line));
            }
            return Ok(Some(row));
        }
    }

    /// Reads one record; `None` at the file's end. What is too much for one is an error at once: a file
    /// that is no CSV may be a single line.
    fn record(&mut self, max_bytes: usize, n_columns: Option<usize>) -> Result<Option<Row>, Fault> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let line = self.line;
        let mut cells = Vec::with_capacity(self.names.len());
        let mut n_bytes = 0;
        loop {
            let (cell, end) = self.field()?;
            if n_columns == Some(cells.len()) {
                let message = format!("the line has more than {}", count(cells.len()));
                return Err(Fault::new(message + ", which the header has").at(line));
            }
            n_bytes += 1 + if let Cell::Field(text) = &cell { text.len() } else { 0 };
            if n_bytes > max_bytes {
                let what = if n_columns.is_some() { "record" } else { "header" };
                let message = format!("the {what} is longer than {max_bytes} bytes");
                return Err(Fault::new(message).at(line).with_hint("is a quote missing?"));
            }
            cells.push(cell);
            if end != FieldEnd::Delimiter {
                return Ok(Some(Row { line, cells }));
            }
        }
    }

    fn field(&mut self) -> Result<(Cell, FieldEnd), Fault> {
        let begin = self.line;
        let is_quoted = self.peek()? == Some(b'"');
        let mut bytes = Vec::new();
        let end = if is_quoted { self.quoted(&mut bytes)? } else { self.plain(&mut bytes)? };
        let text = String::from_utf8(bytes).map_err(|_| {
            Fault::new("the text is not UTF-8").at(begin).with_hint("save the file as UTF-8")
        })?;
        let cell = if text.is_empty() && !is_quoted { Cell::Null } else { Cell::Field(text) };
        Ok((cell, end))
    }

    /// Reads a field without quotes around it.
    fn plain(&mut self, bytes: &mut Vec<u8>) -> Result<FieldEnd, Fault> {
        loop {
            if let Some(end) = self.end_of_field()? {
                return Ok(end);
            }
            self.take_into(bytes, self.line)?;
        }
    }

    /// Reads a field within quotes; two of them are one.
    fn quoted(&mut self, bytes: &mut Vec<u8>) -> Result<FieldEnd, Fault> {
        let begin = self.line;
        self.peeked = None;
        loop {
            match self.peek()? {
                None => {
                    return Err(Fault::new("a quote that begins here has no end").at(begin));
                }
                Some(b'"') => {
                    self.peeked = None;
                    if self.peek()? == Some(b'"') {
                        self.take_into(bytes, begin)?;
                        continue;
                    }
                    let line = self.line;
                    return self.end_of_field()?.ok_or_else(|| {
                        Fault::new("a quoted field goes on after its quote").at(line)
                    });
                }
                Some(byte) => {
                    self.line += usize::from(byte == b'\n');
                    self.take_into(bytes, begin)?;
                }
            }
        }
    }

    /// Takes what ends a field, if it ends here.
    fn end_of_field(&mut self) -> Result<Option<FieldEnd>, Fault> {
        let end = match self.peek()? {
            None => return Ok(Some(FieldEnd::File)),
            Some(byte) if byte == self.delimiter => FieldEnd::Delimiter,
            Some(b'\n') => FieldEnd::Line,
            Some(b'\r') => {
                self.peeked = None;
                if self.peek()? != Some(b'\n') {
                    let message = "a carriage return without a line feed";
                    return Err(Fault::new(message)
                        .at(self.line)
                        .with_hint("end lines with a line feed, and quote fields with line ends"));
                }
                FieldEnd::Line
            }
            Some(_) => return Ok(None),
        };
        self.peeked = None;
        self.line += usize::from(end == FieldEnd::Line);
        Ok(Some(end))
    }

    fn take_into(&mut self, bytes: &mut Vec<u8>, begin: usize) -> Result<(), Fault> {
        bytes.extend(self.peeked.take());
        if bytes.len() > MAX_VALUE_BYTES {
            let message =
                format!("a field that begins here is longer than {MAX_VALUE_BYTES} bytes");
            return Err(Fault::new(message).at(begin).with_hint("is a quote missing?"));
        }
        Ok(())
    }

    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        if self.peeked.is_none() {
            let byte = self.input.fill_buf().map_err(Fault::io)?.first().copied();
            self.input.consume(usize::from(byte.is_some()));
            self.peeked = byte;
        }
        Ok(self.peeked)
    }
}

fn count(n_fields: usize) -> String {
    format!("{n_fields} {}", if n_fields == 1 { "field" } else { "fields" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<(Vec<String>, Vec<Row>), Fault> {
        let mut reader = CsvReader::open(text, b',')?;
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row()? {
            rows.push(row);
        }
        Ok((reader.names, rows))
    }

    fn cells(text: &str) -> Vec<Vec<Option<String>>> {
        let (_, rows) = read(text.as_bytes()).unwrap();
        let text_of = |cell| match cell {
            Cell::Field(text) => Some(text),
            _ => None,
        };
        rows.into_iter().map(|row| row.cells.into_iter().map(text_of).collect()).collect()
    }

    fn fault(text: &[u8]) -> String {
        let fault = read(text).unwrap_err();
        format!("{}: {}", fault.line.unwrap_or_default(), fault.message)
    }

    #[test]
    fn null_and_empty_text_are_two_things() {
        assert_eq!(cells("a,b\n,\"\"\n"), [[None, Some(String::new())]]);
        assert_eq!(cells("a\n\n\"\"\nx"), [[None], [Some(String::new())], [Some("x".to_owned())]]);
    }

    #[test]
    fn quotes_line_ends_and_byte_order_marks() {
        let some = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned()));
        assert_eq!(
            cells("\u{feff}a,b\r\n\"x,\"\"y\"\"\nz\",5\" pipe\r\nü,\"q\""),
            [some(["x,\"y\"\nz", "5\" pipe"]), some(["ü", "q"])]
        );
        let (names, rows) = read(b"\"a b\",B\n\"1\n2\",x\ny,z\n\n\n").unwrap();
        assert_eq!(names, ["a b", "B"]);
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
    }

    /// Bytes without an end.
    fn endless(begin: &'static [u8], piece: &'static [u8]) -> impl BufRead {
        struct Endless(&'static [u8]);
        impl std::io::Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let n_bytes = self.0.len().min(buffer.len());
                buffer[..n_bytes].copy_from_slice(&self.0[..n_bytes]);
                Ok(n_bytes)
            }
        }
        std::io::BufReader::new(std::io::Read::chain(begin, Endless(piece)))
    }

    #[test]
    fn a_record_without_an_end_is_an_error_all_the_same() {
        let header = CsvReader::open(endless(b"", b"ab,"), b',').err().unwrap();
        assert_eq!(header.message, "the header is longer than 1048576 bytes");
        let header = CsvReader::open(endless(b"", b","), b',').err().unwrap();
        assert_eq!(header.message, "the header is longer than 1048576 bytes");
        let mut reader = CsvReader::open(endless(b"a,b\n", b"x,"), b',').unwrap();
        let row = reader.next_row().unwrap_err();
        assert_eq!(row.message, "the line has more than 2 fields, which the header has");
    }

    #[test]
    fn what_is_not_csv_is_an_error_with_its_line() {
        for (text, expected) in [
            (&b""[..], "1: the file has no header"),
            (b"\n1\n", "1: the file has no header"),
            (b"a,,b\n", "1: column 2 has no name"),
            (b"a,b,a\n", "1: the header names `a` twice"),
            (b"a,b\n1,2\n3\n", "3: the line has 1 field, the header has 2 fields"),
            (b"a,b\n1,2,3\n", "2: the line has more than 2 fields, which the header has"),
            (b"a,b\n1,2\n\n3,4\n", "3: the line is empty, and rows follow it"),
            (b"a\n\"x\n\ny\n", "2: a quote that begins here has no end"),
            (b"a\n\"x\" y\n", "2: a quoted field goes on after its quote"),
            (b"a\rb\rc\r", "1: a carriage return without a line feed"),
            (b"a\n\xff\n", "2: the text is not UTF-8"),
            (b"\xff\xfea\0", "0: the file is UTF-16"),
        ] {
            assert_eq!(fault(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }
}
