//! The options of a connection.

use sessionql_plugin_sdk::message::ConnectionOption;
use sessionql_plugin_sdk::time::{DAY_US, MINUTE_US};
use sessionql_plugin_sdk::{ErrorDocument, Options, Reason, WireError, options};

/// The most rows that a request may ask for. Source: the API reference, `limit`.
const MOST_ROWS: i64 = 100_000;

/// What a connection is set to. Durations are in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Rows of a page.
    pub(crate) page_rows: u64,
    /// How many ids are asked for one by one before all sessions are read instead.
    pub(crate) max_lookups: usize,
    /// Whether the time that the API filters on is known to be the session's start.
    pub(crate) filters_on_start: bool,
    /// How long a session lasts at most, if the user says so.
    pub(crate) max_session_us: Option<i64>,
    /// How far the time that the API filters on may lie from the session's own.
    pub(crate) slack_us: i64,
    /// How far back sessions are sure to be found.
    pub(crate) history_us: i64,
    /// Whether the key goes into `Authorization: Bearer`, not into `X-API-KEY`.
    pub(crate) sends_bearer: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_rows: 1000,
            max_lookups: 20,
            filters_on_start: false,
            max_session_us: None,
            slack_us: MINUTE_US,
            // What Formal keeps in hot storage by default; older sessions just vanish.
            history_us: 90 * DAY_US,
            sends_bearer: false,
        }
    }
}

impl Settings {
    /// Reads the options, whose types and values the host has checked.
    ///
    /// # Errors
    /// `config`: a number or a duration out of its range, all of them at once.
    pub(crate) fn read(options: &Options) -> Result<Self, ErrorDocument> {
        let defaults = Self::default();
        let mut errors = Vec::new();
        let mut within = |name: &str, value: i64, lowest: i64, highest: i64| {
            if !(lowest..=highest).contains(&value) {
                let message = match highest {
                    i64::MAX => format!("option `{name}` is shorter than nothing"),
                    _ => format!("option `{name}` is {value}, not {lowest} to {highest}"),
                };
                errors.push(WireError::new(Reason::Config, message));
            }
            value.clamp(lowest, highest).unsigned_abs()
        };
        let page_rows = match options.int("page_size") {
            Some(rows) => within("page_size", rows, 1, MOST_ROWS),
            None => defaults.page_rows,
        };
        let max_lookups = match options.int("max_lookups") {
            Some(n_ids) => usize::try_from(within("max_lookups", n_ids, 0, 1000)).unwrap_or(0),
            None => defaults.max_lookups,
        };
        for name in ["slack", "history", "max_session"] {
            within(name, options.duration_us(name).unwrap_or(0), 0, i64::MAX);
        }
        if !errors.is_empty() {
            return Err(ErrorDocument { errors });
        }
        Ok(Self {
            page_rows,
            max_lookups,
            filters_on_start: options.text("timestamp_is") == Some("start"),
            max_session_us: options.duration_us("max_session"),
            slack_us: options.duration_us("slack").unwrap_or(defaults.slack_us),
            history_us: options.duration_us("history").unwrap_or(defaults.history_us),
            sends_bearer: options.text("api_key_in") == Some("bearer"),
        })
    }
}

/// Declares the options for the manifest.
pub(crate) fn declare() -> Vec<ConnectionOption> {
    let defaults = Settings::default();
    vec![
        options::secret("api_key", "The API key."),
        options::choice(
            "api_key_in",
            ["header", "bearer"],
            "Where the key goes: `X-API-KEY` or `Authorization: Bearer`.",
        ),
        ConnectionOption {
            default: Some(defaults.page_rows.into()),
            ..options::int("page_size", None, "How many sessions a request asks for, 1 to 100000.")
        },
        ConnectionOption {
            default: Some(defaults.max_lookups.into()),
            ..options::int(
                "max_lookups",
                None,
                "How many ids are asked for one by one before all sessions are read instead; 0 never asks so.",
            )
        },
        options::choice(
            "timestamp_is",
            ["unknown", "start"],
            "Which time of a session the API filters and sorts on; `start` lets upper bounds be sent too.",
        ),
        options::duration(
            "max_session",
            None,
            "How long a session lasts at most; lets windows and bounds on `end` be sent.",
        ),
        options::duration(
            "slack",
            Some(defaults.slack_us),
            "How far the time that the API filters on may lie outside of the session's own.",
        ),
        options::duration(
            "history",
            Some(defaults.history_us),
            "How far back sessions are sure to be found; a question that reaches further has a gap.",
        ),
    ]
}
