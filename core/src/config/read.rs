//! Takes typed keys out of a TOML table, remembering lines; what is left over is unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::secret::SecretRef;
use super::{HOST_KEYS, OptionSource, OptionValue, unknown_key};
use crate::error::ConfigError;

/// One TOML table of which keys are taken.
pub(super) struct Reader<'a> {
    text: &'a str,
    offset: usize,
    entries: Vec<(String, usize, DeValue<'a>)>,
    /// The lines of all keys.
    pub(super) lines: BTreeMap<String, usize>,
}

impl<'a> Reader<'a> {
    /// Parses a document.
    pub(super) fn parse(text: &'a str) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text, span.start));
            let message = error.message().replace('\n', " ");
            ConfigError { line, ..ConfigError::new(format!("not TOML: {message}")) }
        })?;
        Ok(Self::of(text, 0, table.into_inner()))
    }

    fn of(text: &'a str, offset: usize, table: DeTable<'a>) -> Self {
        let mut entries: Vec<_> = table
            .into_iter()
            .map(|(key, value)| (key.get_ref().to_string(), key.span().start, value.into_inner()))
            .collect();
        entries.sort_by_key(|(_, offset, _)| *offset);
        let lines =
            entries.iter().map(|(key, offset, _)| (key.clone(), line_of(text, *offset))).collect();
        Self { text, offset, entries, lines }
    }

    /// Returns the line of the table's header, counted from 1.
    pub(super) fn line(&self) -> usize {
        line_of(self.text, self.offset)
    }

    /// Returns an error that stands at the table's header.
    pub(super) fn error(&self, message: String) -> ConfigError {
        ConfigError { line: Some(self.line()), ..ConfigError::new(message) }
    }

    /// Returns an error that stands at a key of the table, also one that was taken.
    pub(super) fn error_at_key(&self, key: &str, message: String) -> ConfigError {
        let line = self.lines.get(key).copied().unwrap_or_else(|| self.line());
        ConfigError { line: Some(line), ..ConfigError::new(message) }
    }

    /// Returns the keys that are not taken, with their lines.
    pub(super) fn keys(&self) -> Vec<(String, usize)> {
        let keys = self.entries.iter();
        keys.map(|(key, offset, _)| (key.clone(), line_of(self.text, *offset))).collect()
    }

    fn error_at(&self, offset: usize, message: String) -> ConfigError {
        ConfigError { line: Some(line_of(self.text, offset)), ..ConfigError::new(message) }
    }

    fn take(&mut self, key: &str) -> Option<(usize, DeValue<'a>)> {
        let idx = self.entries.iter().position(|(name, ..)| name == key)?;
        let (_, offset, value) = self.entries.remove(idx);
        Some((offset, value))
    }

    /// Forgets keys that are somebody else's.
    pub(super) fn leave_out(&mut self, keys: &[&str]) {
        self.entries.retain(|(key, ..)| !keys.contains(&key.as_str()));
    }

    /// Takes the tables below `key`: `[key.NAME]`.
    pub(super) fn take_tables(&mut self, key: &str) -> Result<Vec<(String, Self)>, ConfigError> {
        let Some(mut outer) = self.take_table(key)? else { return Ok(Vec::new()) };
        let mut tables = Vec::new();
        for (name, offset, value) in std::mem::take(&mut outer.entries) {
            let DeValue::Table(table) = value else {
                return Err(self.error_at(offset, format!("`{key}.{name}` must be a table")));
            };
            tables.push((name, Self::of(self.text, offset, table)));
        }
        Ok(tables)
    }

    /// Takes a table.
    pub(super) fn take_table(&mut self, key: &str) -> Result<Option<Self>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some((offset, DeValue::Table(table))) => Ok(Some(Self::of(self.text, offset, table))),
            Some((offset, _)) => Err(self.error_at(offset, format!("`{key}` must be a table"))),
        }
    }

    /// Takes a text.
    pub(super) fn take_text(&mut self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some((_, DeValue::String(text))) => Ok(Some(text.to_string())),
            Some((offset, _)) => Err(self.error_at(offset, format!("`{key}` must be text"))),
        }
    }

    /// Takes a list of text.
    pub(super) fn take_texts(&mut self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        let Some((offset, value)) = self.take(key) else { return Ok(None) };
        match to_json(&value) {
            Some(serde_json::Value::Array(items)) if items.iter().all(|item| item.is_string()) => {
                Ok(Some(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()))
            }
            _ => Err(self.error_at(offset, format!("`{key}` must be a list of text"))),
        }
    }

    /// Takes a flag.
    pub(super) fn take_bool(&mut self, key: &str) -> Result<Option<bool>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some((_, DeValue::Boolean(flag))) => Ok(Some(flag)),
            Some((offset, _)) => {
                Err(self.error_at(offset, format!("`{key}` must be `true` or `false`")))
            }
        }
    }

    /// Takes a number of at least 1.
    pub(super) fn take_count(&mut self, key: &str) -> Result<Option<usize>, ConfigError> {
        let Some((offset, value)) = self.take(key) else { return Ok(None) };
        let number = match &value {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number {
            Some(number) if number > 0 => Ok(Some(number)),
            _ => Err(self.error_at(offset, format!("`{key}` must be a whole number above 0"))),
        }
    }

    /// Takes a duration such as `60s`.
    pub(super) fn take_duration(&mut self, key: &str) -> Result<Option<Duration>, ConfigError> {
        let Some((offset, value)) = self.take(key) else { return Ok(None) };
        let DeValue::String(text) = &value else {
            return Err(
                self.error_at(offset, format!("`{key}` must be a duration such as `\"60s\"`"))
            );
        };
        crate::duration::parse(text).map(Some).ok_or_else(|| {
            let message = format!("`{key}`: `{text}` is not a duration");
            self.error_at(offset, message).with_hint("write it like `90s`, `15m` or `1h30m`")
        })
    }

    /// Takes a duration above 0.
    pub(super) fn take_positive_duration(
        &mut self,
        key: &str,
    ) -> Result<Option<Duration>, ConfigError> {
        match self.take_duration(key)? {
            Some(Duration::ZERO) => Err(self.error_at_key(key, format!("`{key}` must be above 0"))),
            duration => Ok(duration),
        }
    }

    /// Takes all that is left as a plugin's options.
    pub(super) fn take_options(&mut self) -> Result<BTreeMap<String, OptionValue>, ConfigError> {
        let mut options = BTreeMap::new();
        for (key, offset, value) in std::mem::take(&mut self.entries) {
            let source = match &value {
                DeValue::Table(table) => OptionSource::Reference(
                    read_reference(table)
                        .map_err(|message| self.error_at(offset, format!("`{key}`: {message}")))?,
                ),
                _ => OptionSource::Inline(to_json(&value).ok_or_else(|| {
                    self.error_at(offset, format!("`{key}` has a value of an unknown type"))
                })?),
            };
            if HOST_KEYS.contains(&key.as_str()) {
                return Err(self.error_at(offset, format!("`{key}` is not available yet")));
            }
            let line = line_of(self.text, offset);
            options.insert(key, OptionValue { line, value: source });
        }
        Ok(options)
    }

    /// Ends the reading: a key that was not taken is unknown.
    pub(super) fn finish(&self, what: &str, known: &[&str]) -> Result<(), ConfigError> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, offset, _)) => {
                let mut error = unknown_key(key, what, known);
                error.line = Some(line_of(self.text, *offset));
                Err(error)
            }
        }
    }
}

fn read_reference(table: &DeTable<'_>) -> Result<SecretRef, String> {
    let mut entries = table.iter().map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()));
    match (entries.next(), entries.next()) {
        (Some(("env", DeValue::String(name))), None) => Ok(SecretRef::Env(name.to_string())),
        (Some(("file", DeValue::String(path))), None) => Ok(SecretRef::File(path.as_ref().into())),
        _ => Err("a reference is `{ env = \"NAME\" }` or `{ file = \"PATH\" }`".to_owned()),
    }
}

fn to_json(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok()?.into()
        }
        DeValue::Float(number) => {
            serde_json::Number::from_f64(number.as_str().parse().ok()?)?.into()
        }
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Datetime(instant) => instant.to_string().into(),
        DeValue::Array(items) => {
            let items = items.iter().map(Spanned::get_ref);
            serde_json::Value::Array(items.map(to_json).collect::<Option<_>>()?)
        }
        DeValue::Table(_) => return None,
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
