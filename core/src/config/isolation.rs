//! What a connection says of the process that its plugin runs in.

use std::time::Duration;

use super::read::Reader;
use super::read_size;
use crate::error::ConfigError;

/// The least memory that a process with a plugin can be held to: its threads and its code take some.
const MIN_MEMORY_BYTES: usize = 32 << 20;

/// That a plugin runs in a process of its own, and within which limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IsolationConfig {
    /// How much memory the process may take, in bytes.
    pub memory_limit_bytes: usize,
    /// How long the plugin may neither return from a function nor ask for anything.
    pub time_limit: Duration,
}

impl Default for IsolationConfig {
    fn default() -> Self {
        Self { memory_limit_bytes: 1_000_000_000, time_limit: Duration::from_secs(60) }
    }
}

impl IsolationConfig {
    /// Takes the keys of a connection; `None` if its plugin runs in this process.
    pub(super) fn read(what: &str, table: &mut Reader<'_>) -> Result<Option<Self>, ConfigError> {
        let default = Self::default();
        let isolation = table.take_text("isolation")?;
        let memory_limit = table.take_text("memory_limit")?;
        let time_limit = table.take_positive_duration("time_limit")?;
        match isolation.as_deref() {
            Some("process") => {}
            Some(other) => {
                let message = format!("{what}: `isolation` is `{other}`, which is not known");
                let error = table.error_at_key("isolation", message);
                return Err(error.with_hint("write `isolation = \"process\"`, or leave it out"));
            }
            None => {
                let limits = [
                    ("memory_limit", memory_limit.is_some()),
                    ("time_limit", time_limit.is_some()),
                ];
                return match limits.into_iter().find(|(_, is_set)| *is_set) {
                    None => Ok(None),
                    Some((key, _)) => {
                        let message = format!("{what}: `{key}` needs `isolation`");
                        let error = table.error_at_key(key, message);
                        Err(error.with_hint("write `isolation = \"process\"` beside it"))
                    }
                };
            }
        }
        let memory_limit_bytes = match &memory_limit {
            None => default.memory_limit_bytes,
            Some(size) => read_size(table, "memory_limit", size)?,
        };
        if memory_limit_bytes < MIN_MEMORY_BYTES {
            let message = format!("{what}: `memory_limit` must be at least 32MiB");
            return Err(table.error_at_key("memory_limit", message));
        }
        let time_limit = time_limit.unwrap_or(default.time_limit);
        Ok(Some(Self { memory_limit_bytes, time_limit }))
    }
}
