//! The options of a connection.

use sessionql_plugin_sdk::message::ConnectionOption;
use sessionql_plugin_sdk::time::MINUTE_US;
use sessionql_plugin_sdk::{ErrorDocument, Options, Reason, WireError, options};

/// What a connection is set to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Whether `totalRecords` counts beyond the most sessions of an answer.
    pub(crate) total_is_true: bool,
    /// Whether a 404 to a search by user, address or id means that there is no session.
    pub(crate) not_found_is_empty: bool,
    /// Further searches that one scan may send to see beyond the most sessions of an answer.
    pub(crate) max_split_requests: u64,
    /// How far the clock of `createTime` may be behind the clock of the header `Date`.
    pub(crate) clock_slack_us: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            total_is_true: false,
            not_found_is_empty: false,
            max_split_requests: 32,
            clock_slack_us: MINUTE_US,
        }
    }
}

impl Settings {
    /// Reads the options, whose types the host has checked.
    ///
    /// # Errors
    /// `config` if a number is out of range.
    pub(crate) fn read(options: &Options) -> Result<Self, ErrorDocument> {
        let defaults = Self::default();
        let max_split_requests = match options.int("max_split_requests") {
            None => defaults.max_split_requests,
            Some(number) => u64::try_from(number).map_err(|_| {
                let message = "option `max_split_requests` must not be negative";
                ErrorDocument::from(WireError::new(Reason::Config, message))
            })?,
        };
        let flag = |name, default| options.bool(name).unwrap_or(default);
        Ok(Self {
            total_is_true: flag("total_is_true", defaults.total_is_true),
            not_found_is_empty: flag("not_found_is_empty", defaults.not_found_is_empty),
            max_split_requests,
            clock_slack_us: options.duration_us("clock_slack").unwrap_or(defaults.clock_slack_us),
        })
    }
}

/// Declares the options for the manifest.
pub(crate) fn declare() -> Vec<ConnectionOption> {
    let defaults = Settings::default();
    vec![
        options::required("username", "User who may search sessions."),
        options::secret("password", "Password of that user."),
        options::flag(
            "total_is_true",
            "Whether `totalRecords` may be 28 only if there are 28 sessions; else that has to be seen.",
        ),
        options::flag(
            "not_found_is_empty",
            "Whether a 404 to a search by user, address or id means that there is no such session.",
        ),
        ConnectionOption {
            default: Some(defaults.max_split_requests.into()),
            ..options::int(
                "max_split_requests",
                None,
                "How many more searches a scan may send when an answer holds only 28 sessions of more.",
            )
        },
        options::duration(
            "clock_slack",
            Some(defaults.clock_slack_us),
            "How far the clock that dates sessions may be behind the one that dates answers.",
        ),
    ]
}
